//! Objects that appear whole: put at once, or in pieces that are joined when the last is there.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use object_store::multipart::PartId;
use object_store::{
    Error as StoreError, MultipartId, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult,
    UpdateVersion,
};

use super::StoreOptions;
use super::connect::{Want, connect};
use super::net::Pending;
use super::place::{Bucket, Place};
use super::request::{Backoff, Failed, with_status};
use crate::error::{Result, Stage};

/// Every piece but the last has this size, as some stores demand; S3 takes ten thousand of them.
const PIECE: usize = 8 << 20;
/// What an object that waits to be completed may hold back: many may wait, and be put in one request each.
const SMALL: usize = 64 << 10;
/// Pieces of one object on their way at a time.
const MAX_UNDER_WAY: usize = 3;
/// How often the pieces are joined at most: S3 may answer with an error after it said that all is well.
const MAX_ATTEMPTS: u32 = 5;
/// How long giving an upload up may take: pieces that stay cost money, but a store that is gone takes no order.
const FAREWELL: Duration = Duration::from_secs(2);

/// An object in the making. Until [`Upload::complete`] nobody sees it; dropped before, its pieces are given up.
///
/// Pieces of a process that is killed stay in the store unseen; a lifecycle rule of the bucket (`abort incomplete
/// multipart uploads`) removes them.
#[derive(Debug)]
pub struct Upload {
    place: Place,
    /// What is not on its way yet.
    piece: Vec<u8>,
    num_bytes: u64,
    multipart: Option<Multipart>,
}

#[derive(Debug)]
struct Multipart {
    store: Arc<dyn Bucket>,
    id: MultipartId,
    parts: Vec<PartId>,
    under_way: VecDeque<Pending<PartId>>,
    begun: usize,
}

impl Upload {
    /// Begins the object at a URL. No request is made before there is a whole piece.
    pub fn new(location: &str, options: &StoreOptions) -> Result<Self> {
        Ok(Self { place: writable(location, options)?, piece: Vec::new(), num_bytes: 0, multipart: None })
    }

    /// The URL, without what may be secret in it.
    pub fn shown(&self) -> &str {
        &self.place.shown
    }

    /// Adds bytes. Whole pieces go on their way; when there are too many, this waits.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.num_bytes += bytes.len() as u64;
        while self.piece.len() + bytes.len() >= PIECE {
            let (head, rest) = bytes.split_at(PIECE - self.piece.len());
            self.piece.extend_from_slice(head);
            bytes = rest;
            self.send()?;
        }
        self.piece.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends what is left on its way, unless it is so little that it goes with the completion.
    pub fn flush(&mut self) -> Result<()> {
        let least = if self.multipart.is_some() { 1 } else { SMALL };
        if self.piece.len() >= least { self.send() } else { Ok(()) }
    }

    /// Waits until the store has all pieces.
    pub fn wait(&mut self) -> Result<()> {
        self.settle(0)
    }

    /// Makes the object appear.
    pub fn complete(mut self) -> Result<()> {
        if self.multipart.is_some() {
            self.flush()?;
        }
        self.wait()?;
        let place = self.place.clone();
        let num_bytes = self.num_bytes;
        match &self.multipart {
            None => {
                let bytes = Bytes::from(std::mem::take(&mut self.piece));
                on_net(&place.clone(), async move { put_now(&place, bytes, PutMode::Overwrite).await })?;
            }
            Some(Multipart { store, id, parts, .. }) => {
                let (store, id, parts) = (Arc::clone(store), id.clone(), parts.clone());
                on_net(&place.clone(), async move { join(&place, &*store, &id, parts, num_bytes).await })?;
            }
        }
        self.multipart = None;
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let place = self.place.clone();
        let payload = PutPayload::from(std::mem::take(&mut self.piece));
        if self.multipart.is_none() {
            let store = place.writable()?;
            let (asked, at) = (Arc::clone(&store), place.clone());
            let id = on_net(&place, async move { with_status(asked.create_multipart(&at.path)).await })?;
            let (parts, under_way) = (Vec::new(), VecDeque::new());
            self.multipart = Some(Multipart { store, id, parts, under_way, begun: 0 });
        }
        self.settle(MAX_UNDER_WAY - 1)?;
        let Some(multipart) = &mut self.multipart else { return Ok(()) };
        let (store, id, number) = (Arc::clone(&multipart.store), multipart.id.clone(), multipart.begun);
        multipart.under_way.push_back(Pending::start(async move {
            let sent = with_status(store.put_part(&place.path, &id, number, payload)).await;
            sent.map_err(|failed| place.error(Stage::Write, &failed))
        })?);
        multipart.begun += 1;
        Ok(())
    }

    /// Waits until no more than `left` pieces are on their way.
    fn settle(&mut self, left: usize) -> Result<()> {
        let Some(multipart) = &mut self.multipart else { return Ok(()) };
        while multipart.under_way.len() > left {
            if let Some(piece) = multipart.under_way.pop_front() {
                multipart.parts.push(piece.wait(&self.place.stop)?);
            }
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(Multipart { store, id, under_way, .. }) = self.multipart.take() else { return };
        drop(under_way);
        let path = self.place.path.clone();
        let given_up = Pending::start(async move {
            // Best effort, as the lifecycle rule is there for what stays.
            let _ = tokio::time::timeout(FAREWELL, store.abort_multipart(&path, &id)).await;
            Ok(())
        });
        // Not by the flag that stops everything else: this is what a stopped run still has to do.
        let _ = given_up.map(|pending| pending.wait(&AtomicBool::new(false)));
    }
}

/// Joins the pieces. An answer that was lost on its way shows as an upload that is no more, and the object there.
async fn join(
    place: &Place,
    store: &dyn Bucket,
    id: &MultipartId,
    parts: Vec<PartId>,
    num_bytes: u64,
) -> Result<(), Failed> {
    let mut backoff = Backoff::new(place.patience);
    let mut attempts = 1;
    loop {
        let joined = with_status(store.complete_multipart(&place.path, id, parts.clone())).await;
        let Err((error, status)) = joined else { return Ok(()) };
        let is_gone = matches!((&error, status), (StoreError::NotFound { .. }, _) | (_, Some(404)));
        if is_gone && place.store.head(&place.path).await.is_ok_and(|meta| meta.size == num_bytes) {
            return Ok(());
        }
        let is_final = is_gone || matches!(status, Some(401 | 403));
        if is_final || attempts == MAX_ATTEMPTS || !backoff.sleep(None).await {
            return Err((error, status));
        }
        attempts += 1;
    }
}

/// Writes a whole object, in the place of one that may be there.
pub fn put(location: &str, bytes: Bytes, options: &StoreOptions) -> Result<()> {
    let place = writable(location, options)?;
    on_net(&place.clone(), async move { put_now(&place, bytes, PutMode::Overwrite).await }).map(drop)
}

/// One state of an object, for [`put_if`].
#[derive(Debug, Clone)]
pub struct Version(UpdateVersion);

impl Version {
    pub(super) fn new(etag: Option<String>, version: Option<String>) -> Self {
        Self(UpdateVersion { e_tag: etag, version })
    }
}

/// Writes an object if none is there, or in the place of just the state `over`; none when it is otherwise.
///
/// An answer that gets lost makes a success look like a failure: who must know reads what is there. A store that knows
/// no conditions is [`crate::error::Reason::UnsupportedFormat`].
pub fn put_if(location: &str, bytes: Bytes, over: Option<&Version>, options: &StoreOptions) -> Result<Option<Version>> {
    let place = writable(location, options)?;
    let mode = over.map_or(PutMode::Create, |version| PutMode::Update(version.0.clone()));
    on_net(&place.clone(), async move {
        match put_now(&place, bytes, mode).await {
            Ok(result) => Ok(Some(Version::new(result.e_tag, result.version))),
            Err((StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }, _) | (_, Some(409 | 412))) => {
                Ok(None)
            }
            Err(failed) => Err(failed),
        }
    })
}

/// Removes an object; one that is not there is fine.
pub fn delete(location: &str, options: &StoreOptions) -> Result<()> {
    let place = writable(location, options)?;
    on_net(&place.clone(), async move {
        match with_status(place.store.delete(&place.path)).await {
            Ok(()) | Err((StoreError::NotFound { .. }, _) | (_, Some(404))) => Ok(()),
            failed => failed,
        }
    })
}

async fn put_now(place: &Place, bytes: Bytes, mode: PutMode) -> Result<PutResult, Failed> {
    let options = PutOptions { mode, ..PutOptions::default() };
    with_status(place.store.put_opts(&place.path, PutPayload::from(bytes), options)).await
}

fn writable(location: &str, options: &StoreOptions) -> Result<Place> {
    let place = connect(location, Want::Object, options)?;
    place.writable().map(|_| place)
}

/// Waits for what is done on the runtime at a place.
fn on_net<T: Send + 'static>(
    place: &Place,
    work: impl Future<Output = Result<T, Failed>> + Send + 'static,
) -> Result<T> {
    let named = place.clone();
    Pending::start(async move { work.await.map_err(|failed| named.error(Stage::Write, &failed)) })?.wait(&place.stop)
}
