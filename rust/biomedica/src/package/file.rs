//! One file of an article, in memory or still on disk.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use arrow_buffer::Buffer;

use crate::error::{Error, Reason, Result, Stage};
use crate::limits::Limits;

/// A file of a package: its name there, and its bytes or where they are.
#[derive(Debug, Clone)]
pub struct File {
    path: String,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Memory(Buffer),
    Disk { path: PathBuf, num_bytes: u64 },
    Lost(Error),
}

impl File {
    /// A file whose bytes are there already; for a member of an archive a slice of the archive's own buffer.
    pub fn in_memory(path: impl Into<String>, bytes: Buffer) -> Self {
        Self { path: path.into(), data: Data::Memory(bytes) }
    }

    /// A file of `num_bytes` that is read from `at` when it is asked for.
    pub fn on_disk(path: impl Into<String>, at: impl Into<PathBuf>, num_bytes: u64) -> Self {
        Self { path: path.into(), data: Data::Disk { path: at.into(), num_bytes } }
    }

    /// A file that is known to be there, but could not be fetched: a failure for who needs it.
    pub fn lost(path: impl Into<String>, error: Error) -> Self {
        Self { path: path.into(), data: Data::Lost(error) }
    }

    /// Its path within the package, `/` between the parts; bytes that are not UTF-8 were replaced.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of its path.
    pub fn base_name(&self) -> &str {
        base_name(&self.path)
    }

    /// Its size, for a file on disk as it was when it was listed.
    pub fn num_bytes(&self) -> u64 {
        match &self.data {
            Data::Memory(bytes) => bytes.len() as u64,
            Data::Disk { num_bytes, .. } => *num_bytes,
            Data::Lost(_) => 0,
        }
    }

    /// What it costs to hold on to it.
    pub(super) fn held_bytes(&self) -> u64 {
        /// About what a name and its places in tables take.
        const OVERHEAD: u64 = 256;
        let bytes = match &self.data {
            Data::Memory(bytes) => bytes.len(),
            Data::Disk { .. } | Data::Lost(_) => 0,
        };
        OVERHEAD + (self.path.len() + bytes) as u64
    }

    /// Its bytes. A file on disk that has grown beyond `limits.member_bytes` is refused, not read.
    pub fn read(&self, limits: &Limits) -> Result<Buffer> {
        let (path, num_bytes) = match &self.data {
            Data::Memory(bytes) => return Ok(bytes.clone()),
            Data::Disk { path, num_bytes } => (path, *num_bytes),
            Data::Lost(error) => return Err(error.clone()),
        };
        let limit = limits.member_bytes;
        let capacity = usize::try_from(num_bytes.min(limit)).unwrap_or(0).saturating_add(1);
        let mut bytes = Vec::with_capacity(capacity);
        fs::File::open(path)
            .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
            .map_err(|error| Error::io(Stage::Open, &error).in_member(self.path.as_str()))?;
        if bytes.len() as u64 > limit {
            return Err(too_large(Stage::Open, limit).in_member(self.path.as_str()));
        }
        Ok(Buffer::from_vec(bytes))
    }
}

pub(super) fn too_large(stage: Stage, limit: u64) -> Error {
    Error::new(stage, Reason::TooLarge, format!("larger than the limit of {limit} bytes"))
}

pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path of the directory that holds `path`; empty for the top.
pub(super) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Extensions of files that are never an article's image, so that nothing is lost by leaving them out.
///
/// All else is kept: an href may name a file of any extension exactly (`pone.0001.g001`).
const OTHER: &[&str] = &[
    "pdf", "doc", "docx", "rtf", "odt", "ppt", "pptx", "xls", "xlsx", "xlsm", "ods", "csv", "tsv", "txt", "md", "json",
    "html", "htm", "css", "js", "dtd", "ent", "mod", "xsd", "xsl", "tex", "bib", "zip", "gz", "tgz", "tar", "bz2",
    "xz", "7z", "rar", "mp4", "m4v", "mov", "avi", "mpg", "mpeg", "wmv", "mkv", "webm", "flv", "swf", "mp3", "wav",
    "m4a", "fasta", "fastq", "pdb", "cif", "mat", "rdata", "sav", "dta", "tmp",
];

/// What a file is to an article, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `.nxml`: an article.
    Nxml,
    /// `.xml`: an article, unless a `.nxml` lies beside it.
    Xml,
    /// May be an image.
    Image,
    /// Of no use here.
    Unused,
}

impl Role {
    pub(super) fn of(path: &str) -> Self {
        let name = base_name(path);
        // Hidden files, `._x` of macOS among them, and what old tars left of PAX headers.
        let mut parents = directory(path).split('/');
        if name.starts_with('.') || parents.any(|part| part == "__MACOSX" || part.starts_with("PaxHeader")) {
            return Self::Unused;
        }
        let ext = name.rsplit_once('.').map_or("", |(_, ext)| ext);
        if ext.eq_ignore_ascii_case("nxml") {
            Self::Nxml
        } else if ext.eq_ignore_ascii_case("xml") {
            Self::Xml
        } else if OTHER.iter().any(|other| other.eq_ignore_ascii_case(ext)) {
            Self::Unused
        } else {
            Self::Image
        }
    }

    pub(super) fn is_xml(self) -> bool {
        matches!(self, Self::Nxml | Self::Xml)
    }

    /// How large a file of this role may be.
    pub(super) fn limit(self, limits: &Limits) -> u64 {
        if self.is_xml() { limits.xml_bytes } else { limits.member_bytes }
    }
}
