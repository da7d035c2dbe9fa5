//! What the cloud bucket calls a version of an article.

use std::fmt;

/// `PMCn.v`. Names sort by their numbers, not by their letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) number: u64,
    pub(super) version: u32,
}

impl Name {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, version) = text.strip_prefix("PMC")?.split_once('.')?;
        Some(Self { number: digits(number)?, version: digits(version)?.try_into().ok()? })
    }

    /// The version that a metadata object tells of, by its key or URL.
    pub(super) fn of_metadata(key: &str) -> Option<Self> {
        let (folder, file) = key.rsplit_once('/')?;
        let is_metadata = folder == "metadata" || folder.ends_with("/metadata");
        Self::parse(file.strip_suffix(".json")?).filter(|_| is_metadata)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PMC{}.{}", self.number, self.version)
    }
}

/// A number as it is written out again: without a sign or leading zeros.
pub(super) fn digits(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_written_the_same_again_are_names() {
        for good in ["PMC1.1", "PMC11370360.12"] {
            assert_eq!(Name::parse(good).map(|name| name.to_string()).as_deref(), Some(good));
        }
        for bad in ["PMC1", "PMC.1", "PMC1.", "PMC01.1", "PMC1.+1", "pmc1.1", "PMC1.1.1", "PMC99999999999999999999.1"] {
            assert_eq!(Name::parse(bad), None, "{bad}");
        }
        assert!(Name::of_metadata("s3://b/metadata/PMC1.1.json").is_some());
        for bad in ["metadata/", "metadata/PMC1.1.txt", "PMC1.1/PMC1.1.json", "othermetadata/PMC1.1.json"] {
            assert_eq!(Name::of_metadata(bad), None, "{bad}");
        }
    }
}
