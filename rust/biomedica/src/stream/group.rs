//! Members to samples, as `webdataset` groups them: consecutive members whose names agree up to the first dot.

use super::members::Member;

/// One member of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    /// What follows the first dot of its base name, in lower case.
    pub(super) extension: String,
    pub(super) name: String,
    pub(super) data: u64,
    pub(super) size: u64,
}

/// The members of one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) key: String,
    /// From the first header of its first member …
    pub(super) start: u64,
    /// … to the last block of its last one.
    pub(super) end: u64,
    pub(super) components: Vec<Component>,
}

impl Group {
    /// Whether it has every extension that `other` has.
    fn is_like(&self, other: &[String]) -> bool {
        other.iter().all(|wanted| self.components.iter().any(|c| c.extension == *wanted))
    }
}

/// Gathers members that belong together.
#[derive(Debug, Default)]
pub(super) struct Grouper {
    current: Option<Group>,
    /// Extensions of the group before.
    before: Vec<String>,
}

impl Grouper {
    /// Takes in a member; gives the group that it is no part of any more.
    pub(super) fn push(&mut self, member: Member) -> Option<Group> {
        let end = member.end();
        let (key, extension) = split(&member.name)?;
        let extension = extension.to_lowercase();
        let key = key.to_owned();
        let Member { name, start, data, size } = member;
        match &mut self.current {
            // A second member of one extension begins a second sample of that key: nothing is lost.
            Some(group) if group.key == key && group.components.iter().all(|c| c.extension != extension) => {
                group.end = end;
                group.components.push(Component { extension, name, data, size });
                None
            }
            _ => {
                let components = vec![Component { extension, name, data, size }];
                self.close(Some(Group { key, start, end, components }))
            }
        }
    }

    /// The last group of a tar that ended as tars do.
    pub(super) fn finish(mut self) -> Option<Group> {
        self.close(None)
    }

    /// The last group of a tar that was cut or damaged after it: whole (`Ok`) if it has what the one before had, else the
    /// key of what is lost. A group with a member that is cut itself is never whole.
    pub(super) fn finish_cut(mut self, cut_member: Option<&str>) -> Result<Option<Group>, String> {
        let before = std::mem::take(&mut self.before);
        match self.close(None) {
            Some(group) => {
                let is_cut = cut_member.is_some_and(|name| group.components.iter().any(|c| c.name == name));
                if is_cut || !group.is_like(&before) { Err(group.key) } else { Ok(Some(group)) }
            }
            None => Ok(None),
        }
    }

    fn close(&mut self, next: Option<Group>) -> Option<Group> {
        let closed = std::mem::replace(&mut self.current, next)?;
        self.before = closed.components.iter().map(|c| c.extension.clone()).collect();
        Some(closed)
    }
}

/// The key of a sample and the extension of its member; none for names that belong to no sample.
///
/// The same names as the pattern `^((?:.*/|)[^.]+)[.]([^/]*)$` that `webdataset` uses, less the `__meta__` names that it
/// leaves out.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    if name.starts_with("__") && is_meta(name) {
        return None;
    }
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = base + name.get(base..)?.find('.')?;
    let is_hidden = dot == base;
    if is_hidden {
        // The pattern then takes the last directory's name for the key, if that has no dot.
        let directory = name.get(..base)?.trim_end_matches('/');
        let last = directory.rsplit('/').next().unwrap_or_default();
        if base == 0 || last.contains('.') {
            return None;
        }
    }
    Some((name.get(..dot)?, name.get(dot + 1..)?))
}

/// `__[^/]*__` up to the first slash or the end.
fn is_meta(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    first.len() >= 4 && first.ends_with("__")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn member(name: &str, at: u64) -> Member {
        Member { name: name.into(), start: at, data: at + 512, size: 10 }
    }

    #[test]
    fn names_are_split_at_the_first_dot_of_the_base_name() {
        assert_eq!(split("a/b.c/d.jpg"), Some(("a/b.c/d", "jpg")));
        assert_eq!(split("d.seg.png"), Some(("d", "seg.png")));
        assert_eq!(split("d."), Some(("d", "")));
        for name in ["noext", "a.b/c", ".hidden", "a.b/.x", "__meta__", "__x__/a.jpg", ""] {
            assert_eq!(split(name), None, "{name}");
        }
        assert_eq!(split("a/.x"), Some(("a/", "x")));
        assert_eq!(split("__a.jpg"), Some(("__a", "jpg")));
    }

    #[test]
    fn neighbours_of_one_key_are_a_sample() {
        let mut grouper = Grouper::default();
        let names = ["a.jpg", "a.TXT", "noext", "b.jpg", "a.jpg", "a.jpg"];
        let mut groups: Vec<Group> =
            names.iter().zip(0_u64..).filter_map(|(name, n)| grouper.push(member(name, n * 1024))).collect();
        groups.extend(grouper.finish());
        let shape = |g: &Group| (g.key.clone(), g.start, g.end, g.components.len());
        assert_eq!(
            groups.iter().map(shape).collect::<Vec<_>>(),
            [
                ("a".into(), 0, 2048, 2),
                ("b".into(), 3072, 4096, 1),
                ("a".into(), 4096, 5120, 1),
                ("a".into(), 5120, 6144, 1)
            ]
        );
        assert_eq!(groups[0].components[1].extension, "txt");
    }

    #[test]
    fn the_last_sample_of_a_cut_tar_is_whole_when_it_has_what_the_one_before_has() {
        let of = |names: &[&str]| {
            let mut grouper = Grouper::default();
            for (name, n) in names.iter().zip(0_u64..) {
                grouper.push(member(name, n * 1024));
            }
            grouper
        };
        assert_eq!(of(&["a.jpg", "a.txt", "b.jpg"]).finish_cut(None), Err("b".into()));
        assert_eq!(of(&["a.jpg", "a.txt", "b.jpg", "b.txt"]).finish_cut(Some("b.txt")), Err("b".into()));
        assert_eq!(of(&["a.jpg", "a.txt", "b.jpg", "b.txt"]).finish_cut(None).unwrap().unwrap().key, "b");
        assert_eq!(of(&[]).finish_cut(None), Ok(None));
    }
}
