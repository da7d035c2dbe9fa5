//! Which version of an article is taken.

use crate::error::words;
use crate::package::{Metadata, VersionReason};

words! {
    /// Which of the versions of an article are taken.
    #[derive(Default)]
    Versions {
        /// The one with the highest number of those that the journal published; if there is none, of all.
        #[default]
        Best = "best",
        /// The one with the highest number.
        Latest = "latest",
        /// All of them.
        All = "all",
    }
}

/// The place of the one to take among an article's versions, which lie in the order of their numbers, and why.
/// What is not known of one is none.
pub(super) fn choose(versions: Versions, known: &[Option<Metadata>]) -> Option<(usize, VersionReason)> {
    let last = known.len().checked_sub(1)?;
    if last == 0 {
        return Some((0, VersionReason::Only));
    }
    if versions != Versions::Best {
        return Some((last, VersionReason::Latest));
    }
    let says = |metadata: &Option<Metadata>| metadata.as_ref().and_then(|metadata| metadata.is_manuscript);
    if let Some(published) = known.iter().rposition(|metadata| says(metadata) == Some(false)) {
        return Some((published, VersionReason::Published));
    }
    let are_manuscripts = known.iter().all(|metadata| says(metadata) == Some(true));
    Some((last, if are_manuscripts { VersionReason::Manuscript } else { VersionReason::Latest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_version_goes_before_the_manuscript_and_then_the_highest_number() {
        let of = |kinds: &str| -> Vec<_> {
            let metadata = |is_manuscript| Some(Metadata { is_manuscript, ..Metadata::default() });
            kinds
                .bytes()
                .map(|kind| match kind {
                    b'm' => metadata(Some(true)),
                    b'p' => metadata(Some(false)),
                    b'?' => metadata(None),
                    _ => None,
                })
                .collect()
        };
        for (kinds, expected) in [
            ("", None),
            ("m", Some((0, VersionReason::Only))),
            ("-", Some((0, VersionReason::Only))),
            ("mp", Some((1, VersionReason::Published))),
            ("pm", Some((0, VersionReason::Published))),
            ("ppm", Some((1, VersionReason::Published))),
            ("mm", Some((1, VersionReason::Manuscript))),
            ("m?", Some((1, VersionReason::Latest))),
            ("--", Some((1, VersionReason::Latest))),
            ("p-", Some((0, VersionReason::Published))),
        ] {
            assert_eq!(choose(Versions::Best, &of(kinds)), expected, "{kinds}");
        }
        assert_eq!(choose(Versions::Latest, &of("pm")), Some((1, VersionReason::Latest)));
    }
}
