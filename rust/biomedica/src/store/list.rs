//! What lies below a prefix of a store, page by page.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::StoreOptions;
use super::connect::{Want, connect};
use super::net::Pending;
use super::place::Place;
use super::request::{Failed, with_status};
use crate::error::{Result, Stage};

/// Objects that are handed over at once: a page of S3.
const PAGE: usize = 1000;

/// An object that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its URL.
    pub location: String,
    /// Its length in bytes.
    pub num_bytes: u64,
    /// What the store tells this state of it by.
    pub etag: Option<String>,
    /// When it was written.
    pub modified: DateTime<Utc>,
}

impl Entry {
    /// What tells this state of it from others: its `ETag`, else when it was written, if the store says either.
    pub fn state(&self) -> Option<String> {
        // What compresses on the way marks a tag as weak now and then.
        let etag =
            self.etag.as_deref().map(|etag| etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"').to_owned());
        etag.or_else(|| (self.modified > DateTime::UNIX_EPOCH).then(|| self.modified.to_rfc3339()))
    }
}

type Objects = BoxStream<'static, object_store::Result<ObjectMeta>>;
type Page = (Vec<Result<ObjectMeta, Failed>>, Option<Objects>);

/// The objects below a prefix; while one page is read, the next is on its way.
pub struct Listing {
    place: Place,
    page: std::vec::IntoIter<Result<ObjectMeta, Failed>>,
    next: Option<Pending<Page>>,
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listing({})", self.place.shown)
    }
}

/// Lists all objects below a prefix (`s3://bucket/directory`, or a bucket alone) in the store's order, which is that of
/// their keys' bytes at S3, Google and Azure. Memory is that of two pages.
pub fn list(prefix: &str, options: &StoreOptions) -> Result<Listing> {
    list_from(prefix, "", options)
}

/// The same from the first name on, relative to the prefix, that comes after `name`.
pub fn list_from(prefix: &str, name: &str, options: &StoreOptions) -> Result<Listing> {
    let place = connect(prefix, Want::Prefix, options)?;
    let (store, path) = (std::sync::Arc::clone(&place.store), place.path.clone());
    let offset = (!name.is_empty()).then(|| path.clone().join(name));
    // The first page is asked for on the runtime, where its stream lives.
    let first = Pending::start(async move {
        let prefix = (path != Path::default()).then_some(path);
        let objects = match offset {
            Some(offset) => store.list_with_offset(prefix.as_ref(), &offset),
            None => store.list(prefix.as_ref()),
        };
        page(objects).await
    })?;
    Ok(Listing { place, page: Vec::new().into_iter(), next: Some(first) })
}

async fn page(mut objects: Objects) -> Result<Page> {
    let mut page = Vec::new();
    while page.len() < PAGE {
        match with_status(objects.try_next()).await {
            Ok(Some(meta)) => page.push(Ok(meta)),
            Ok(None) => return Ok((page, None)),
            Err(failed) => {
                page.push(Err(failed));
                return Ok((page, None));
            }
        }
    }
    Ok((page, Some(objects)))
}

impl Listing {
    fn advance(&mut self) -> Result<()> {
        if let Some(pending) = self.next.take() {
            let (found, objects) = pending.wait(&self.place.stop)?;
            self.page = found.into_iter();
            self.next = objects.map(|objects| Pending::start(page(objects))).transpose()?;
        }
        Ok(())
    }
}

impl Iterator for Listing {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0
            && let Err(error) = self.advance()
        {
            return Some(Err(error.in_source(self.place.shown.clone())));
        }
        let found = self.page.next()?.map_err(|failed| self.place.error(Stage::Fetch, &failed));
        Some(found.map(|meta| Entry {
            location: format!("{}{}", self.place.base, meta.location),
            num_bytes: meta.size,
            etag: meta.e_tag,
            modified: meta.last_modified,
        }))
    }
}
