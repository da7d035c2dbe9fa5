//! Packages: what holds articles, opened into the files of each article.
//!
//! A package is a tar.gz or tar of one article or many, a directory, a lone XML file, or a version of an article as the
//! cloud bucket lays it out, on disk or in a store. [`read`] pushes each
//! article's files into a sink as soon as they are known, and each failure too, in an order that depends on the
//! package alone. Packages come from anywhere: everything is bounded by [`Limits`], and what was read before a fault is
//! kept where it is whole.

mod any_path;
mod archive;
mod cloud;
mod directory;
mod fetch;
mod file;
mod group;
pub(crate) mod header;
mod inflate;
mod metadata;
mod pool;
mod report;
mod room;
mod stream;
mod tar;

use std::borrow::Cow;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_buffer::Buffer;
use serde::{Deserialize, Serialize};

pub(crate) use cloud::member as metadata_of;
pub(crate) use directory::{Entry, list};
pub use fetch::{Arrived, Fetched, fetch, read_fetched};
pub use file::File;
pub(crate) use metadata::MAX_METADATA;
pub use metadata::Metadata;
use report::Report;
pub use report::{MAX_FAILURES, Sink};
pub use room::{Claim, Room};

use crate::error::{Error, Reason, Result, Stage, words};
use crate::limits::Limits;
use crate::store;

/// What holds one article or many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Where it is: a path, or a URL.
    #[serde(with = "any_path")]
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its size where it lies; for a directory that of the files right in it. 0 where it is not known before it is read.
    pub num_bytes: u64,
    /// What a store tells this state of it by; of a cloud article, of its metadata.
    pub etag: Option<String>,
    /// Why this version of a cloud article was taken.
    pub version_reason: Option<VersionReason>,
}

words! {
    /// Why a version of an article was taken.
    VersionReason {
        /// It is the only one.
        Only = "only",
        /// It has the highest number of those that the journal published.
        Published = "published",
        /// It has the highest number; none is a published one.
        Manuscript = "manuscript",
        /// The highest number was asked for, or nothing else is known of the versions.
        Latest = "latest",
        /// All versions, or this very one, were asked for.
        Asked = "asked",
    }
}

impl Package {
    /// A package of which nothing else is known.
    pub fn new(path: impl Into<PathBuf>, kind: Kind, num_bytes: u64) -> Self {
        Self { path: path.into(), kind, num_bytes, etag: None, version_reason: None }
    }

    /// Whether it lies in a store.
    pub fn is_remote(&self) -> bool {
        self.path.to_str().is_some_and(|path| store::local_path(path).is_none())
    }

    /// Its name in tables and messages: its path, or its URL without the query, which may be secret.
    pub fn source(&self) -> Cow<'_, str> {
        match self.path.to_string_lossy() {
            Cow::Borrowed(url) if url.contains("://") => {
                Cow::Borrowed(url.split_once('?').map_or(url, |(object, _)| object))
            }
            path => path,
        }
    }

    /// Tells its states apart: what the store tells them by, else its size.
    pub fn fingerprint(&self) -> Cow<'_, str> {
        self.etag.as_deref().map_or_else(|| Cow::Owned(self.num_bytes.to_string()), Cow::Borrowed)
    }
}

words! {
    /// What a package is.
    Kind {
        /// A gzip-compressed tar. By its name: a plain tar under this name is read as what it is.
        TarGz = "tar.gz",
        /// A tar; a gzip under this name is read as what it is.
        Tar = "tar",
        /// A directory with an article's files.
        Directory = "directory",
        /// An XML file on its own, without images.
        Xml = "xml",
        /// A version of an article in the layout of the cloud bucket: its files in `PMCn.v`, and what is known of it in
        /// `metadata/PMCn.v.json` beside that.
        Article = "article",
    }
}

impl Kind {
    /// The kind of the file at `path`, by its name.
    pub fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let ends = |ext| name.ends_with(ext);
        if ends(".tar.gz") || ends(".tgz") {
            Some(Self::TarGz)
        } else if ends(".tar") {
            Some(Self::Tar)
        } else {
            (ends(".nxml") || ends(".xml")).then_some(Self::Xml)
        }
    }
}

/// The files of one article.
#[derive(Debug, Clone)]
pub struct Files {
    /// Names the article when nothing else does: the XML's directory, or the stem of the package or the XML.
    pub name: String,
    /// The article's document.
    pub xml: File,
    /// What may be its images, in the package's order; shared by the articles of one directory.
    pub others: Arc<[File]>,
    /// What the cloud bucket says of it.
    pub metadata: Option<Arc<Metadata>>,
    /// Why this version of it was taken.
    pub version_reason: Option<VersionReason>,
}

impl Files {
    /// Size of all files together.
    pub fn num_bytes(&self) -> u64 {
        self.xml.num_bytes() + self.others.iter().map(File::num_bytes).sum::<u64>()
    }
}

/// What is used again from package to package: one for each thread.
pub struct Scratch {
    decompressor: libdeflater::Decompressor,
    pool: pool::Pool,
    whole_buffer: u64,
}

impl Scratch {
    /// A fresh one.
    pub fn new() -> Self {
        Self::with_whole_buffer(Limits::WHOLE_BUFFER)
    }

    /// One that reads packages whole up to `bytes`, compressed and expanded; with 0 everything is streamed.
    pub fn with_whole_buffer(bytes: u64) -> Self {
        Self { decompressor: libdeflater::Decompressor::new(), pool: pool::Pool::default(), whole_buffer: bytes }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads `package`: pushes the files of each article and each failure into `sink`, until that breaks off.
pub fn read(package: &Package, limits: &Limits, scratch: &mut Scratch, sink: Sink<'_>) {
    let mut report = Report::new(package.source().into_owned(), sink);
    report.version_reason = package.version_reason;
    let end = match package.kind {
        Kind::TarGz | Kind::Tar => archive::read(&package.path, &stem(&package.path), limits, scratch, &mut report),
        Kind::Directory => directory::read(&package.path, limits, &mut report),
        Kind::Xml => match lone_xml(&package.path) {
            Ok(file) => lone(file, limits, &mut report),
            Err(error) => report.failure(error),
        },
        Kind::Article => cloud::read(&package.path, limits, &mut report),
    };
    if end.is_continue() {
        report.finish();
    }
}

/// Reads a package of `kind` that is in memory already, known as `source`.
pub fn read_bytes(source: &str, bytes: Buffer, kind: Kind, limits: &Limits, scratch: &mut Scratch, sink: Sink<'_>) {
    let mut report = Report::new(source.to_owned(), sink);
    let path = Path::new(source);
    let end = match kind {
        Kind::TarGz | Kind::Tar => archive::read_bytes(bytes, &stem(path), limits, scratch, &mut report),
        Kind::Xml => lone(File::in_memory(file_name(path), bytes), limits, &mut report),
        Kind::Directory | Kind::Article => {
            report.failure(Error::new(Stage::Open, Reason::UnsupportedFormat, "a directory has no bytes of its own"))
        }
    };
    if end.is_continue() {
        report.finish();
    }
}

fn lone_xml(path: &Path) -> Result<File> {
    let metadata = fs::metadata(path).map_err(|error| Error::io(Stage::Open, &error))?;
    if !metadata.is_file() {
        return Err(Error::new(Stage::Open, Reason::UnsupportedFormat, "not a file"));
    }
    Ok(File::on_disk(file_name(path), path, metadata.len()))
}

fn lone(xml: File, limits: &Limits, report: &mut Report<'_>) -> ControlFlow<()> {
    if xml.num_bytes() == 0 {
        return report.failure(Error::new(Stage::Xml, Reason::Empty, "an empty file"));
    }
    if xml.num_bytes() > limits.xml_bytes {
        return report.failure(file::too_large(Stage::Xml, limits.xml_bytes));
    }
    let name = stem(Path::new(xml.path()));
    report.article(name, xml, Arc::default())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A package's name without its extension.
fn stem(path: &Path) -> String {
    // The name of `.` or `..` is that of the directory they stand for.
    let real = if path.file_name().is_none() { fs::canonicalize(path).ok() } else { None };
    let name = file_name(real.as_deref().unwrap_or(path));
    let lower = name.to_ascii_lowercase();
    let end = [".tar.gz", ".tgz", ".tar", ".nxml", ".xml"].iter().find_map(|ext| lower.strip_suffix(ext));
    end.and_then(|stem| name.get(..stem.len())).filter(|stem| !stem.is_empty()).unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests;
