//! The files in a tar, with the places of their headers and bytes, from whatever the tar can be read through.
//!
//! [`crate::package`] reads tars too, but for what their members hold; here it is where they lie that counts, names are as
//! `webdataset` takes them, and nothing is refused for its name, since nothing is ever written under it.

use crate::error::{Error, Reason, Result, Stage};
use crate::package::header::{BLOCK, Header, Kind, Pax, text};

/// Bytes of PAX records or of a long name.
const MAX_META: u64 = 1 << 20;
/// Bytes of a member's path, as Linux has it.
const MAX_PATH: usize = 4096;

/// A tar's bytes in sequence.
pub(super) trait Input {
    /// Where the next byte is.
    fn position(&self) -> u64;
    /// Fills `buffer`, or as much of it as there are bytes left.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;
    /// Goes on by `count` bytes; false when the tar ends before.
    fn skip(&mut self, count: u64) -> Result<bool>;
}

/// A regular file of a tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    /// Of its first header; those that carry a long name come before its own.
    pub(super) start: u64,
    /// Of its bytes.
    pub(super) data: u64,
    pub(super) size: u64,
}

impl Member {
    /// Where its last block ends.
    pub(super) fn end(&self) -> u64 {
        self.data.saturating_add(padded(self.size))
    }
}

pub(super) fn padded(size: u64) -> u64 {
    size.saturating_add(BLOCK as u64 - 1) & !(BLOCK as u64 - 1)
}

/// Walks over the members of a tar.
pub(super) struct Walk<I> {
    pub(super) input: I,
    global: Pax,
    /// The member whose bytes come next, if any: its name, their number.
    pending: Option<(String, u64)>,
    count: usize,
    max_members: usize,
    /// Whether the blocks of zeros that end a tar were seen.
    is_ended: bool,
}

impl<I: Input> Walk<I> {
    pub(super) fn new(input: I, max_members: usize) -> Self {
        Self { input, global: Pax::default(), pending: None, count: 0, max_members, is_ended: false }
    }

    /// Whether the tar had its end mark, once [`Self::next`] has given none.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The next regular file. An error ends the walk: where the next header would be is not known then.
    pub(super) fn next(&mut self) -> Result<Option<Member>> {
        let mut start = None;
        let mut own = Pax::default();
        let mut long_name = None;
        loop {
            if let Some((name, size)) = self.pending.take() {
                let offset = self.input.position();
                if !self.input.skip(size)? {
                    return Err(truncated("the tar ends within this member").in_member(name).at_offset(offset));
                }
                // A tar may be cut in the padding of its last member, whose bytes are all there.
                self.input.skip(padded(size) - size)?;
            }
            let offset = self.input.position();
            let Some(header) = self.header(offset)? else { return Ok(None) };
            self.count += 1;
            if self.count > self.max_members {
                let detail = format!("more than {} members", self.max_members);
                return Err(Error::new(Stage::Tar, Reason::TooLarge, detail).at_offset(offset));
            }
            let Header { kind, name, size, .. } = header;
            match kind {
                Kind::LongName => long_name = Some(text(&self.meta(size, offset)?).to_vec()),
                Kind::Pax | Kind::GlobalPax => {
                    let body = self.meta(size, offset)?;
                    let pax = if kind == Kind::Pax { &mut own } else { &mut self.global };
                    if pax.read(&body).is_none() {
                        let broken = Error::new(Stage::Tar, Reason::Corrupt, "broken PAX records");
                        return Err(broken.at_offset(offset));
                    }
                }
                Kind::LongLink | Kind::Label => {
                    self.meta(size, offset)?;
                }
                Kind::File | Kind::Directory | Kind::Unsupported(_) => {
                    let own = std::mem::take(&mut own);
                    let path = own.path.or(long_name.take()).or_else(|| self.global.path.clone()).unwrap_or(name);
                    let start = start.take().unwrap_or(offset);
                    let size = if kind == Kind::File { own.size.or(self.global.size).unwrap_or(size) } else { size };
                    let name = String::from_utf8_lossy(path.get(..MAX_PATH).unwrap_or(&path)).into_owned();
                    self.pending = Some((name.clone(), size));
                    // Old tars know a directory by its name alone.
                    if kind == Kind::File && !own.sparse && !self.global.sparse && !name.ends_with('/') {
                        return Ok(Some(Member { name, start, data: self.input.position(), size }));
                    }
                    continue;
                }
            }
            start.get_or_insert(offset);
        }
    }

    /// The next header; none at the end.
    fn header(&mut self, offset: u64) -> Result<Option<Header>> {
        let mut block = [0; BLOCK];
        let filled = self.input.read(&mut block)?;
        if filled == 0 {
            return Ok(None);
        }
        if filled < BLOCK {
            return Err(truncated("the tar ends within a header").at_offset(offset));
        }
        match Header::parse(&block) {
            Ok(None) => {
                self.is_ended = true;
                Ok(None)
            }
            Ok(Some(header)) if header.is_extended => {
                let what = "a sparse file of the old GNU form";
                Err(Error::new(Stage::Tar, Reason::UnsupportedMember, what).at_offset(offset))
            }
            Ok(header) => Ok(header),
            Err(what) => Err(Error::new(Stage::Tar, Reason::Corrupt, what).at_offset(offset)),
        }
    }

    /// The bytes of a header that describes others.
    fn meta(&mut self, size: u64, offset: u64) -> Result<Vec<u8>> {
        if size > MAX_META {
            let detail = format!("the description of a member has {size} bytes");
            return Err(Error::new(Stage::Tar, Reason::TooLarge, detail).at_offset(offset));
        }
        let mut body = vec![0; usize::try_from(size).unwrap_or(0)];
        if self.input.read(&mut body)? < body.len() || !self.input.skip(padded(size) - size)? {
            return Err(truncated("the tar ends within the description of a member").at_offset(offset));
        }
        Ok(body)
    }
}

fn truncated(what: &str) -> Error {
    Error::new(Stage::Tar, Reason::Truncated, what)
}

/// A tar, or a run of whole members, that lies in memory. `base` is where its first byte lies in its shard.
pub(super) struct Memory<'a> {
    bytes: &'a [u8],
    at: usize,
    base: u64,
}

impl<'a> Memory<'a> {
    pub(super) fn new(bytes: &'a [u8], base: u64) -> Self {
        Self { bytes, at: 0, base }
    }
}

impl Input for Memory<'_> {
    fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }

    fn skip(&mut self, count: u64) -> Result<bool> {
        let left = self.bytes.len() - self.at;
        let count = usize::try_from(count).ok().filter(|&count| count <= left);
        self.at += count.unwrap_or(left);
        Ok(count.is_some())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{index, sample::Sample};
    use super::*;
    use crate::shard::Tar;

    fn tar(names: &[&str]) -> Vec<u8> {
        let mut tar = Tar::new(Vec::new());
        for name in names {
            tar.append(name, name.as_bytes()).unwrap();
        }
        tar.finish().unwrap()
    }

    fn walk(bytes: &[u8]) -> (Vec<Member>, Option<Error>) {
        let mut walk = Walk::new(Memory::new(bytes, 0), 100);
        let mut members = Vec::new();
        loop {
            match walk.next() {
                Ok(Some(member)) => members.push(member),
                Ok(None) => return (members, None),
                Err(error) => return (members, Some(error)),
            }
        }
    }

    #[test]
    fn a_member_begins_with_the_header_of_its_long_name() {
        let long = format!("{}.jpg", "x".repeat(120));
        let (members, error) = walk(&tar(&["a.jpg", &long]));
        assert!(error.is_none());
        let places: Vec<_> = members.iter().map(|m| (m.start, m.data, m.size)).collect();
        assert_eq!(places, [(0, 512, 5), (1024, 2560, 124)]);
        assert_eq!(members[1].name, long);
    }

    #[test]
    fn a_tar_with_too_many_members_is_refused() {
        let names: Vec<String> = (0..101).map(|n| format!("{n}.jpg")).collect();
        let (members, error) = walk(&tar(&names.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!((members.len(), error.unwrap().reason()), (100, Reason::TooLarge));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damage_gives_members_within_the_tar_or_a_typed_error(
            damage in prop::collection::vec((0..4096_usize, any::<u8>()), 0..6), length in 0..5000_usize,
        ) {
            let long = format!("{}.txt", "x".repeat(120));
            let mut bytes = tar(&["a.jpg", "a.txt", &long]);
            bytes.truncate(length);
            for (at, value) in damage {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            let (members, _) = walk(&bytes);
            for member in &members {
                prop_assert!(member.start <= member.data && member.data <= bytes.len() as u64);
            }
            let shard: Arc<str> = "a.tar".into();
            if let Ok(sample) = Sample::parse(bytes.clone().into(), &shard, 0) {
                prop_assert!(sample.image().len() <= bytes.len());
            }
        }

        #[test]
        fn any_text_is_an_index_or_a_typed_error(text in "(v1\\.[0-9] [0-9]{1,3}\n)?([a-z0-9 .\n-]|\\PC){0,200}") {
            let mut groups = 0;
            let _ = index::read(&text, &mut |group| {
                assert!(group.start <= group.end);
                groups += 1;
            });
        }
    }
}
