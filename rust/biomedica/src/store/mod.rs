//! Bytes wherever they lie: a file on disk, or an object behind `https://`, `s3://`, `gs://` or `az://`.
//!
//! Everything here blocks; callers bring their own threads. Behind a URL, one small shared runtime does the waiting, so
//! that this may be called from within another runtime too. What passes by itself (a server that is gone for a while,
//! that is overloaded, that breaks off in the middle of a body) is waited for; what does not is an error that names
//! the URL and the byte.

mod ahead;
mod cache;
mod connect;
mod digest;
mod fetch;
mod list;
mod local;
mod net;
mod place;
mod remote;
mod request;
#[cfg(test)]
pub(crate) mod tests;
mod write;

use bytes::Bytes;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use cache::CacheOptions;
pub use connect::{Connections, must_be_known};
pub use fetch::{Fetched, fetch, get, get_when, look};
pub use list::{Entry, Listing, list, list_from};
pub use net::Pending;
pub use write::{Upload, Version, delete, put, put_if};

use crate::error::Result;
use ahead::ReadAhead;
use cache::Cached;
use local::LocalFile;
use remote::Remote;

/// How objects are read.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Headers of requests to `http://` and `https://`.
    pub headers: Vec<Header>,
    /// Keep whole objects on disk.
    pub cache: Option<CacheOptions>,
    /// How long a server may give no byte before it counts as lost. Retries go on until then.
    pub retry_timeout: Duration,
    /// How long one request may take. What breaks off so is asked for again from its next byte.
    pub request_timeout: Duration,
    /// Names and values that `object_store` knows, such as `aws_endpoint`. They stand above the environment's.
    pub config: Vec<(String, String)>,
    /// The buckets that were connected to; clones share them.
    pub connections: Connections,
    /// Set to end all that waits for a server, with [`crate::error::Reason::Interrupted`].
    pub stop: Arc<AtomicBool>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            headers: Vec::new(),
            cache: None,
            retry_timeout: Duration::from_mins(2),
            request_timeout: Duration::from_mins(1),
            config: Vec::new(),
            connections: Connections::default(),
            stop: Arc::default(),
        }
    }
}

/// A header of HTTP requests, such as `Authorization`. It is never sent to another host that a redirect leads to.
#[derive(Clone)]
pub struct Header {
    /// Only URLs that begin so get it; an empty prefix is all of them.
    pub prefix: String,
    /// Its name.
    pub name: String,
    /// Its value, which may be a secret.
    pub value: String,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({}: …, for {:?})", self.name, self.prefix)
    }
}

/// One file or object, opened. Cheap to clone, read by many threads at once.
#[derive(Debug, Clone)]
pub struct Object(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Local(LocalFile),
    Remote(Remote),
    Cached(Arc<Cached>),
}

impl Object {
    /// Opens the file at a path or the object at a URL. A missing one is [`crate::error::Reason::NotFound`].
    ///
    /// `s3://`, `gs://` and `az://` are read anonymously unless options or environment have credentials (`AWS_*`,
    /// `GOOGLE_*`, `AZURE_*`); `AWS_ENDPOINT_URL` names another server. A location that ends in `?md5=` and a digest is
    /// the object before it, whose bytes are checked where all of them are read.
    pub fn open(location: &str, options: &StoreOptions) -> Result<Self> {
        if let Some(path) = local_path(location) {
            return LocalFile::open(path).map(|file| Self(Kind::Local(file)));
        }
        let remote = Remote::open(location, options)?;
        match &options.cache {
            Some(cache) => Ok(Self(Kind::Cached(Arc::new(Cached::new(remote, cache))))),
            None => remote.must_have_ranges().map(|()| Self(Kind::Remote(remote))),
        }
    }

    /// The path or URL, as it was given.
    pub fn location(&self) -> &str {
        match &self.0 {
            Kind::Local(file) => file.location(),
            Kind::Remote(remote) => remote.location(),
            Kind::Cached(cached) => cached.remote().location(),
        }
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Kind::Local(file) => file.size(),
            Kind::Remote(remote) => remote.size(),
            Kind::Cached(cached) => cached.remote().size(),
        }
    }

    /// Whether it is a file, so that small reads at random places are as good as long ones.
    ///
    /// An object with a cache is none, whatever the cache has: what follows from this may not change from run to run.
    pub fn is_local(&self) -> bool {
        matches!(self.0, Kind::Local(_))
    }

    /// Exactly the bytes of `range`; an object that ends before it is [`crate::error::Reason::Truncated`].
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        match &self.0 {
            Kind::Local(file) => file.read(range),
            Kind::Remote(remote) => remote.read(range),
            Kind::Cached(cached) => cached.read(range),
        }
    }

    /// Its bytes from `offset` to its end, in sequence.
    pub fn reader(&self, offset: u64) -> Result<Box<dyn Read + Send>> {
        match &self.0 {
            Kind::Local(file) => file.reader(offset),
            Kind::Remote(remote) => Ok(Box::new(ReadAhead::new(remote.clone(), offset))),
            Kind::Cached(cached) => cached.reader(offset),
        }
    }
}

/// The path that a location is, if it is none of a store.
pub fn local_path(location: &str) -> Option<&str> {
    location.strip_prefix("file://").or_else(|| (!location.contains("://")).then_some(location))
}
