//! Objects behind a URL, read by range and resumed where a body broke off.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures_util::StreamExt;
use md5::{Digest, Md5};
use object_store::{GetResult, ObjectMeta};
use tokio::time::{Instant, timeout_at};

use super::StoreOptions;
use super::connect::{Want, connect};
use super::net::{Pending, net};
use super::place::{Place, describe, no_ranges};
use super::request::{Backoff, Failed};
use crate::error::{Error, Reason, Result, Stage};

/// What is set aside before a byte has come: a server may lie about sizes.
const MAX_RESERVE: u64 = 64 << 20;
/// How often bytes of another digest are asked for again: what a bad line garbled comes right the next time.
const MAX_ATTEMPTS: u32 = 5;

#[derive(Debug, Clone)]
pub(super) struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    meta: ObjectMeta,
    /// Whether the server heeds `Range`.
    has_ranges: bool,
}

impl Remote {
    pub(super) fn open(location: &str, options: &StoreOptions) -> Result<Self> {
        let place = connect(location, Want::Object, options)?;
        let shown = place.shown.clone();
        Pending::start(async move { open(place).await })
            .and_then(|pending| pending.wait(&options.stop))
            .map_err(|error| error.in_source(shown))
    }

    pub(super) fn location(&self) -> &str {
        &self.0.place.location
    }

    pub(super) fn stop(&self) -> &AtomicBool {
        &self.0.place.stop
    }

    pub(super) fn meta(&self) -> &ObjectMeta {
        &self.0.meta
    }

    pub(super) fn size(&self) -> u64 {
        self.0.meta.size
    }

    /// What tells this state of the object from any other. A query counts only where there is no `ETag`: it may hold a
    /// signature that is another one each time.
    pub(super) fn identity(&self) -> String {
        match &self.0.meta.e_tag {
            Some(etag) => format!("{}\n{etag}\n{}", self.0.place.shown, self.size()),
            None => format!("{}\n\n{}", self.0.place.location, self.size()),
        }
    }

    pub(super) fn must_have_ranges(&self) -> Result<()> {
        if self.0.has_ranges { Ok(()) } else { Err(self.failed(no_ranges())) }
    }

    pub(super) fn failed(&self, error: Error) -> Error {
        error.in_source(self.0.place.shown.clone())
    }

    pub(super) fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.start(range)?.wait(self.stop())
    }

    /// Begins to fetch `range`.
    pub(super) fn start(&self, range: Range<u64>) -> Result<Pending<Bytes>> {
        self.must_have_ranges()?;
        if range.start > range.end || range.end > self.size() {
            let detail =
                format!("the object has {} bytes, bytes {} to {} were asked for", self.size(), range.start, range.end);
            return Err(self.failed(Error::new(Stage::Fetch, Reason::Truncated, detail)));
        }
        let remote = self.clone();
        Pending::start(async move { remote.collect(range, None).await })
    }

    /// The bytes of `range`; when that is all of the object, with the digest that its location promises.
    async fn collect(&self, range: Range<u64>, mut first: Option<GetResult>) -> Result<Bytes> {
        let mut backoff = Backoff::new(self.0.place.patience);
        let mut attempts = 0;
        loop {
            let reserve = (range.end - range.start).min(MAX_RESERVE);
            let mut bytes = Vec::with_capacity(to_usize(reserve));
            let collect = |piece: &[u8]| {
                bytes.extend_from_slice(piece);
                Ok(())
            };
            self.fetch(range.clone(), first.take(), collect).await?;
            let bytes = Bytes::from(bytes);
            match self.check_digest(&range, &bytes).await {
                Ok(()) => return Ok(bytes),
                Err(error) => {
                    attempts += 1;
                    if attempts == MAX_ATTEMPTS || !backoff.sleep(None).await {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Hands all of the object to `sink`, piece by piece.
    pub(super) fn download(&self, mut sink: impl FnMut(&[u8]) -> Result<()> + Send + 'static) -> Result<()> {
        let remote = self.clone();
        let mut digest = self.digest(0);
        let whole = async move {
            let take = |piece: &[u8]| {
                digest.update(piece);
                sink(piece)
            };
            remote.fetch(0..remote.size(), None, take).await?;
            digest.check(remote.size())
        };
        Pending::start(whole)?.wait(self.stop())
    }

    /// Fails when `bytes` are all of the object and not what they should be.
    async fn check_digest(&self, range: &Range<u64>, bytes: &Bytes) -> Result<()> {
        match self.0.place.md5 {
            Some(wanted) if *range == (0..self.size()) => match net()?.digests().digest(bytes.clone()).await {
                Some(found) if found == wanted => Ok(()),
                _ => Err(self.other_digest()),
            },
            _ => Ok(()),
        }
    }

    #[cold]
    fn other_digest(&self) -> Error {
        self.failed(Error::new(Stage::Fetch, Reason::Corrupt, "the object's MD5 is not the one that its URL has"))
    }

    /// What checks the object's digest as its bytes come, if they begin at its beginning.
    pub(super) fn digest(&self, start: u64) -> ObjectDigest {
        let wanted = self.0.place.md5.filter(|_| start == 0);
        ObjectDigest { remote: self.clone(), md5: wanted.map(|wanted| (Md5::new(), wanted)) }
    }

    /// Fetches `range`, of which `first` may be the first answer. A body that breaks off is resumed at its next byte, and
    /// so is one that takes longer than a request may; patience begins anew with every byte.
    async fn fetch(
        &self,
        range: Range<u64>,
        mut first: Option<GetResult>,
        mut sink: impl FnMut(&[u8]) -> Result<()> + Send,
    ) -> Result<()> {
        let place = &self.0.place;
        let mut at = range.start;
        let mut by_range = self.0.has_ranges;
        let mut backoff = Backoff::new(place.patience);
        while at < range.end {
            let located = |error: Error| self.failed(error).at_offset(at);
            let (answer, wanted) = match first.take() {
                Some(first) => (Ok(first), range.clone()),
                None if by_range => (place.ask(Some(at..range.end)).await, at..range.end),
                None => (place.ask(None).await, 0..self.size()),
            };
            let answer = match answer {
                Err((object_store::Error::NotSupported { .. }, _)) if by_range => {
                    by_range = false;
                    continue;
                }
                answer => answer.map_err(|failed| located(place.error(Stage::Fetch, &failed)))?,
            };
            self.check(&answer).map_err(located)?;
            // What cannot be resumed gets the time that it needs.
            let deadline = by_range.then(|| Instant::now() + place.limit);
            // A server without ranges begins at 0 each time.
            let mut skip = at - wanted.start;
            let mut body = answer.into_stream();
            let before = at;
            let broken = loop {
                let next = match deadline {
                    Some(deadline) => timeout_at(deadline, body.next()).await,
                    None => Ok(body.next().await),
                };
                match next {
                    Ok(Some(Ok(piece))) => {
                        let skipped = skip.min(piece.len() as u64);
                        skip -= skipped;
                        let length = (piece.len() as u64 - skipped).min(range.end - at);
                        let piece = piece.slice(to_usize(skipped)..to_usize(skipped + length));
                        sink(&piece).map_err(|error| self.failed(error).at_offset(at))?;
                        at += length;
                    }
                    Ok(Some(Err(error))) => break describe(&error),
                    Ok(None) => break "the body ended too early".to_owned(),
                    Err(_) => break format!("no end of the body in {} seconds", place.limit.as_secs_f32()),
                }
            };
            if at > before {
                backoff = Backoff::new(place.patience);
            }
            if at < range.end && !backoff.sleep(None).await {
                return Err(self.failed(Error::new(Stage::Fetch, Reason::Io, broken)).at_offset(at));
            }
        }
        Ok(())
    }

    /// The object must be the one that was opened.
    fn check(&self, result: &GetResult) -> Result<()> {
        let meta = &result.meta;
        if meta.size == self.0.meta.size && strong(meta.e_tag.as_deref()) == strong(self.0.meta.e_tag.as_deref()) {
            return Ok(());
        }
        let of = |size, etag: &Option<String>| format!("{size} bytes, ETag {}", etag.as_deref().unwrap_or("none"));
        let detail = format!(
            "the object changed while it was read: it had {}, now it has {}",
            of(self.0.meta.size, &self.0.meta.e_tag),
            of(meta.size, &meta.e_tag)
        );
        Err(Error::new(Stage::Fetch, Reason::Mismatch, detail))
    }
}

/// Asks for the first byte, which tells the size and whether ranges are heeded; a HEAD tells neither for sure, and signed
/// URLs refuse it.
pub(super) async fn open(place: Place) -> Result<Remote> {
    let whole = async |place: &Place| place.ask(None).await.map_err(|failed| place.error(Stage::Fetch, &failed));
    let (result, has_ranges) = match place.ask(Some(0..1)).await {
        Ok(result) => (result, true),
        // No byte 0: empty, which the whole of it tells.
        Err((_, Some(416))) => (whole(&place).await?, true),
        Err((object_store::Error::NotSupported { .. }, _)) => (whole(&place).await?, false),
        Err(failed) => return Err(place.error(Stage::Fetch, &failed)),
    };
    Ok(Remote(Arc::new(Inner { meta: result.meta.clone(), place, has_ranges })))
}

/// All of an object in one request, when that is answered well. One that has more than `max_bytes` is not read.
/// `admit` is waited for once the size is known.
pub(super) async fn whole<F: Future<Output = ()>>(
    place: Place,
    max_bytes: u64,
    admit: impl FnOnce(u64) -> F,
) -> Result<(Bytes, Remote)> {
    let first: Result<GetResult, Failed> = place.ask(None).await;
    let first = first.map_err(|failed| place.error(Stage::Fetch, &failed))?;
    let size = first.meta.size;
    if size > max_bytes {
        let detail = format!("the object has {size} bytes, more than the {max_bytes} that it may have");
        return Err(Error::new(Stage::Fetch, Reason::TooLarge, detail).in_source(place.shown.clone()));
    }
    admit(size).await;
    // Whether it heeds ranges shows when a body has to be resumed.
    let remote = Remote(Arc::new(Inner { meta: first.meta.clone(), place, has_ranges: true }));
    let bytes = remote.collect(0..size, Some(first)).await?;
    Ok((bytes, remote))
}

/// Bytes of an object on their way through a digest, where its location has one.
#[derive(Debug)]
pub(super) struct ObjectDigest {
    remote: Remote,
    md5: Option<(Md5, [u8; 16])>,
}

impl ObjectDigest {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some((digest, _)) = &mut self.md5 {
            digest.update(bytes);
        }
    }

    /// Fails when the bytes up to `end` are all of the object and not what they should be.
    pub(super) fn check(&mut self, end: u64) -> Result<()> {
        let Some((digest, wanted)) = self.md5.take().filter(|_| end == self.remote.size()) else { return Ok(()) };
        if digest.finalize().as_slice() == wanted {
            return Ok(());
        }
        Err(self.remote.other_digest())
    }
}

/// The tag without the mark of a weak one: what compresses on the way weakens it now and then.
fn strong(etag: Option<&str>) -> Option<&str> {
    etag.map(|etag| etag.strip_prefix("W/").unwrap_or(etag))
}

fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
