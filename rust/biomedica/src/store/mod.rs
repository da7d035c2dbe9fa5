//! Bytes by range from wherever shards lie: a file on disk, or an object behind a URL.
//!
//! Everything here blocks; callers bring their own threads.

mod local;

use bytes::Bytes;
use std::io::Read;
use std::ops::Range;

use crate::error::Result;
use local::LocalFile;

/// How objects are read.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {}

/// One file or object, opened. Cheap to clone, read by many threads at once.
#[derive(Debug, Clone)]
pub struct Object(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Local(LocalFile),
}

impl Object {
    /// Opens the file at a path or the object at a URL. A missing one is [`crate::error::Reason::NotFound`].
    pub fn open(location: &str, _options: &StoreOptions) -> Result<Self> {
        LocalFile::open(location).map(|file| Self(Kind::Local(file)))
    }

    /// The path or URL, as it was given.
    pub fn location(&self) -> &str {
        match &self.0 {
            Kind::Local(file) => file.location(),
        }
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Kind::Local(file) => file.size(),
        }
    }

    /// Whether a read costs no network: small reads at random places are as good as long ones.
    pub fn is_local(&self) -> bool {
        match &self.0 {
            Kind::Local(_) => true,
        }
    }

    /// Exactly the bytes of `range`; an object that ends before it is [`crate::error::Reason::Truncated`].
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        match &self.0 {
            Kind::Local(file) => file.read(range),
        }
    }

    /// Its bytes from `offset` to its end, in sequence.
    pub fn reader(&self, offset: u64) -> Result<Box<dyn Read + Send>> {
        match &self.0 {
            Kind::Local(file) => file.reader(offset),
        }
    }
}
