//! What can go wrong, as data: a [`Stage`], a [`Reason`] from a fixed list, and where it happened.
//!
//! One opaque type serves the whole crate, one word wide, because most errors here end up as rows of the failures
//! table rather than as the end of a run: stage and reason fill its columns, `Display` is for people.

use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that stands for this value in tables and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value that a word stands for.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::of_word(&word).ok_or_else(|| {
                    serde::de::Error::custom(format!(concat!("no ", stringify!($name), " is called {}"), word))
                })
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The step of the work in which something failed.
    Stage {
        /// Opening a source: a path, a directory, a list.
        Open = "open",
        /// Decompressing.
        Inflate = "inflate",
        /// Reading the tar structure.
        Tar = "tar",
        /// Reading the article's XML.
        Xml = "xml",
        /// Resolving a figure.
        Figure = "figure",
        /// Reading an image.
        Image = "image",
        /// Writing the dataset.
        Write = "write",
        /// Fetching over a network.
        Fetch = "fetch",
    }
}

words! {
    /// Why something failed: the fixed word list of the failures table.
    Reason {
        /// There is nothing at this path.
        NotFound = "not_found",
        /// The operating system refused access.
        PermissionDenied = "permission_denied",
        /// Any other error of the operating system.
        Io = "io",
        /// No space left where the dataset is written.
        DiskFull = "disk_full",
        /// The input ends in the middle.
        Truncated = "truncated",
        /// The bytes do not follow their format.
        Corrupt = "corrupt",
        /// A file or member without a single byte.
        Empty = "empty",
        /// Not a format that can be read here.
        UnsupportedFormat = "unsupported_format",
        /// A tar member that is a link, a device, a FIFO or sparse; a link that leads out of its package's directory.
        UnsupportedMember = "unsupported_member",
        /// A member name that is absolute or has `..`.
        UnsafePath = "unsafe_path",
        /// A member, package or expansion beyond its limit.
        TooLarge = "too_large",
        /// Expands too much for its compressed size.
        Bomb = "bomb",
        /// Elements nested beyond the limit.
        TooDeep = "too_deep",
        /// Entity definitions that expand beyond the limit.
        EntityBomb = "entity_bomb",
        /// Text in an encoding that is unknown, or bytes that are not of the declared one.
        BadEncoding = "bad_encoding",
        /// Not well-formed XML.
        Malformed = "malformed",
        /// Well-formed, but without an `article` element.
        NoArticle = "no_article",
        /// A package without any XML.
        NoXml = "no_xml",
        /// A second article of the same accession in one part.
        Duplicate = "duplicate",
        /// An existing dataset that does not fit what was asked.
        Mismatch = "mismatch",
        /// Another process is writing there.
        Locked = "locked",
        /// The caller asked to stop.
        Interrupted = "interrupted",
        /// A worker ended by a defect of this library.
        Internal = "internal",
    }
}

/// What happened, where, and in which step.
///
/// `Display` reads `source: member: at byte N: reason: detail`, leaving out what is not known.
#[derive(Clone, Serialize, Deserialize)]
pub struct Error(Box<Inner>);

#[derive(Clone, Serialize, Deserialize)]
struct Inner {
    stage: Stage,
    reason: Reason,
    source: Option<String>,
    member: Option<String>,
    offset: Option<u64>,
    detail: String,
}

impl Error {
    /// An error of `stage` for `reason`, with what a person needs to know and to do about it.
    #[cold]
    #[inline(never)]
    pub fn new(stage: Stage, reason: Reason, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Inner { stage, reason, source: None, member: None, offset: None, detail }))
    }

    /// The error for an I/O failure in `stage`; its reason follows the kind the system gave. One of this crate's that
    /// came through `io` is itself again.
    #[cold]
    #[inline(never)]
    pub fn io(stage: Stage, error: &io::Error) -> Self {
        if let Some(own) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return own.clone();
        }
        let reason = match error.kind() {
            io::ErrorKind::NotFound => Reason::NotFound,
            io::ErrorKind::PermissionDenied => Reason::PermissionDenied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Reason::DiskFull,
            io::ErrorKind::UnexpectedEof => Reason::Truncated,
            _ => Reason::Io,
        };
        Self::new(stage, reason, error.to_string())
    }

    /// The same error as one of another step.
    #[must_use]
    pub fn in_stage(mut self, stage: Stage) -> Self {
        self.0.stage = stage;
        self
    }

    /// The same error, known to lie in `source` (a path or URL); a source that is set already stays.
    #[must_use]
    pub fn in_source(mut self, source: impl Into<String>) -> Self {
        self.0.source.get_or_insert_with(|| source.into());
        self
    }

    /// The same error, known to lie in the file at `path`.
    #[must_use]
    pub fn at_path(self, path: &Path) -> Self {
        self.in_source(path.to_string_lossy())
    }

    /// The same error, known to lie in `member` of its source; a member that is set already stays.
    #[must_use]
    pub fn in_member(mut self, member: impl Into<String>) -> Self {
        self.0.member.get_or_insert_with(|| member.into());
        self
    }

    /// The same error as one of `member` of the package `source`, whatever was known of its place: packages tell of the
    /// objects that they consist of as of members.
    #[must_use]
    pub fn as_member(mut self, source: impl Into<String>, member: impl Into<String>) -> Self {
        self.0.source = Some(source.into());
        self.0.member = Some(member.into());
        self
    }

    /// The same error, known to lie at byte `offset` of its member or source; an offset that is set already stays.
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// The step of the work that failed.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Why it failed.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// Whether the same may go well another time: a network, a disk, a right or a file that was not there.
    pub fn may_heal(&self) -> bool {
        let passing = [Reason::NotFound, Reason::PermissionDenied, Reason::Io, Reason::DiskFull];
        self.stage() == Stage::Fetch || passing.contains(&self.reason())
    }

    /// The path or URL in which it happened.
    pub fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    /// The member of the source in which it happened.
    pub fn member(&self) -> Option<&str> {
        self.0.member.as_deref()
    }

    /// The byte offset at which it happened.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The sentence for people, with the offset when one is known.
    pub fn detail(&self) -> String {
        match self.0.offset {
            Some(offset) => format!("at byte {offset}: {}", self.0.detail),
            None => self.0.detail.clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        for place in [&inner.source, &inner.member].into_iter().flatten() {
            write!(f, "{place}: ")?;
        }
        if let Some(offset) = inner.offset {
            write!(f, "at byte {offset}: ")?;
        }
        write!(f, "{}: {}", inner.reason, inner.detail)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}, {self})", self.stage())
    }
}

impl std::error::Error for Error {}

/// As what `Read` and `Write` give, with a kind from which its reason follows again.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.reason() {
            Reason::NotFound => io::ErrorKind::NotFound,
            Reason::PermissionDenied => io::ErrorKind::PermissionDenied,
            Reason::DiskFull => io::ErrorKind::StorageFull,
            Reason::Truncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_the_place_then_the_reason() {
        let error = Error::new(Stage::Tar, Reason::Truncated, "header cut off after 17 bytes");
        insta::assert_snapshot!(error, @"truncated: header cut off after 17 bytes");
        let error = error.at_offset(512).in_member("PMC1/a.jpg").in_source("PMC1.tar.gz");
        insta::assert_snapshot!(error, @"PMC1.tar.gz: PMC1/a.jpg: at byte 512: truncated: header cut off after 17 bytes");
    }

    #[test]
    fn a_place_once_set_stays() {
        let error = Error::new(Stage::Xml, Reason::Malformed, "x").in_source("a").in_source("b");
        assert_eq!(error.source(), Some("a"));
    }

    #[test]
    fn an_error_travels_as_json() {
        let error = Error::new(Stage::Fetch, Reason::Io, "gone").at_offset(7).in_member("a.jpg").in_source("s3://a/b");
        let text = serde_json::to_string(&error).unwrap_or_default();
        insta::assert_snapshot!(text, @r#"{"stage":"fetch","reason":"io","source":"s3://a/b","member":"a.jpg","offset":7,"detail":"gone"}"#);
        let back: Option<Error> = serde_json::from_str(&text).ok();
        assert_eq!(back.map(|back| back.to_string()), Some(error.to_string()));
        assert!(serde_json::from_str::<Reason>("\"tired\"").is_err());
    }

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn words_are_unique_snake_case() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert!(words.iter().all(|w| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
    }
}
