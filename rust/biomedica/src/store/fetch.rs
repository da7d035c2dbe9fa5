//! Whole objects, under way while others are used.

use std::future::{Future, ready};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::connect::{Want, connect};
use super::list::Entry;
use super::net::Pending;
use super::remote;
use super::write::Version;
use super::{Object, StoreOptions, local_path};
use crate::error::{Error, Reason, Result, Stage};

/// All of an object.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Its bytes.
    pub bytes: Bytes,
    /// What the store tells this state of it by; none for a file.
    pub etag: Option<String>,
    /// When it was written; none for a file.
    pub modified: Option<DateTime<Utc>>,
    version: Option<String>,
}

impl Fetched {
    /// This state of the object, to be written over by [`super::put_if`].
    pub fn version(&self) -> Version {
        Version::new(self.etag.clone(), self.version.clone())
    }
}

/// Begins to ask what a store says of the object at a URL, by one request for its first byte.
pub fn look(location: &str, options: &StoreOptions) -> Result<Pending<Entry>> {
    let place = connect(location, Want::Object, options)?;
    let location = place.location.clone();
    Pending::start(async move {
        let remote = remote::open(place).await?;
        let meta = remote.meta();
        Ok(Entry { location, num_bytes: meta.size, etag: meta.e_tag.clone(), modified: meta.last_modified })
    })
}

/// Begins to fetch all of the object at a URL or path, in one request when nothing goes wrong.
///
/// Many at once are fetched at once; how many, and so how much memory they take, is for the caller to bound. An object
/// of more than `max_bytes` is [`Reason::TooLarge`]; one whose location ends in `?md5=` and another digest than it has,
/// again and again, is [`Reason::Corrupt`].
pub fn fetch(location: &str, options: &StoreOptions, max_bytes: u64) -> Result<Pending<Fetched>> {
    let (location, options) = (location.to_owned(), options.clone());
    Pending::start(async move { get(&location, &options, max_bytes).await })
}

/// The same for who is on the network's runtime already: within a future that [`Pending::start`] was given.
pub async fn get(location: &str, options: &StoreOptions, max_bytes: u64) -> Result<Fetched> {
    get_when(location, options, max_bytes, |_| ready(())).await
}

/// The same for who bounds the memory that many objects take: `admit` is asked with an object's size before its bytes
/// are read, and they are read when it is done.
pub async fn get_when<F: Future<Output = ()>>(
    location: &str,
    options: &StoreOptions,
    max_bytes: u64,
    admit: impl FnOnce(u64) -> F,
) -> Result<Fetched> {
    if local_path(location).is_some() {
        let (location, options) = (location.to_owned(), options.clone());
        let size = std::fs::metadata(local_path(&location).unwrap_or_default()).map_or(0, |metadata| metadata.len());
        admit(size.min(max_bytes)).await;
        let reading = tokio::task::spawn_blocking(move || read_file(&location, &options, max_bytes));
        return reading.await.unwrap_or_else(|_| {
            Err(Error::new(Stage::Fetch, Reason::Internal, "reading a file ended without a result"))
        });
    }
    let place = connect(location, Want::Object, options)?;
    let (bytes, remote) = remote::whole(place, max_bytes, admit).await?;
    let meta = remote.meta();
    Ok(Fetched { bytes, etag: meta.e_tag.clone(), modified: Some(meta.last_modified), version: meta.version.clone() })
}

fn read_file(location: &str, options: &StoreOptions, max_bytes: u64) -> Result<Fetched> {
    let file = Object::open(location, options)?;
    if file.size() > max_bytes {
        let detail = format!("the file has {} bytes, more than the {max_bytes} that it may have", file.size());
        return Err(Error::new(Stage::Fetch, Reason::TooLarge, detail).in_source(location));
    }
    Ok(Fetched { bytes: file.read(0..file.size())?, etag: None, modified: None, version: None })
}
