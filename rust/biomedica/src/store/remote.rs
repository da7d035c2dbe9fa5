//! Objects behind a URL, read by range and resumed where a body broke off.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::HttpError;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectStore, RetryConfig};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::StoreOptions;
use super::net::Pending;
use super::request::{Backoff, Connector, LastStatus};
use crate::error::{Error, Reason, Result, Stage};

/// What is set aside before a byte has come: a server may lie about sizes.
const MAX_RESERVE: u64 = 64 << 20;
const MAX_DETAIL: usize = 300;

#[derive(Debug, Clone)]
pub(super) struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    size: u64,
    etag: Option<String>,
    /// Whether the server heeds `Range`.
    has_ranges: bool,
}

/// A store and an object in it.
#[derive(Debug)]
struct Place {
    store: Arc<dyn ObjectStore>,
    path: Path,
    location: String,
    /// The location for messages: without the user and the query, which may be secrets.
    shown: String,
    patience: Duration,
    stop: Arc<AtomicBool>,
}

impl Remote {
    pub(super) fn open(location: &str, options: &StoreOptions) -> Result<Self> {
        let place = Place::connect(location, options)?;
        let shown = place.shown.clone();
        Pending::start(async move { place.open().await })
            .and_then(|pending| pending.wait(&options.stop))
            .map(|inner| Self(Arc::new(inner)))
            .map_err(|error| error.in_source(shown))
    }

    pub(super) fn location(&self) -> &str {
        &self.0.place.location
    }

    pub(super) fn stop(&self) -> &AtomicBool {
        &self.0.place.stop
    }

    pub(super) fn size(&self) -> u64 {
        self.0.size
    }

    /// What tells this state of the object from any other. A query counts only where there is no `ETag`: it may hold a
    /// signature that is another one each time.
    pub(super) fn identity(&self) -> String {
        match &self.0.etag {
            Some(etag) => format!("{}\n{etag}\n{}", self.0.place.shown, self.0.size),
            None => format!("{}\n\n{}", self.0.place.location, self.0.size),
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
        if range.start > range.end || range.end > self.0.size {
            let detail =
                format!("the object has {} bytes, bytes {} to {} were asked for", self.0.size, range.start, range.end);
            return Err(self.failed(Error::new(Stage::Fetch, Reason::Truncated, detail)));
        }
        let remote = self.clone();
        Pending::start(async move {
            let reserve = (range.end - range.start).min(MAX_RESERVE);
            let mut bytes = Vec::with_capacity(usize::try_from(reserve).unwrap_or(0));
            let collect = |piece: &[u8]| {
                bytes.extend_from_slice(piece);
                Ok(())
            };
            remote.fetch(range, collect).await?;
            Ok(Bytes::from(bytes))
        })
    }

    /// Hands all of the object to `sink`, piece by piece.
    pub(super) fn download(&self, sink: impl FnMut(&[u8]) -> Result<()> + Send + 'static) -> Result<()> {
        let remote = self.clone();
        Pending::start(async move { remote.fetch(0..remote.size(), sink).await })?.wait(self.stop())
    }

    /// Fetches `range`. A body that breaks off is resumed at its next byte; patience begins anew with every byte.
    async fn fetch(&self, range: Range<u64>, mut sink: impl FnMut(&[u8]) -> Result<()> + Send) -> Result<()> {
        let place = &self.0.place;
        let mut at = range.start;
        let mut backoff = Backoff::new(place.patience);
        while at < range.end {
            let located = |error: Error| self.failed(error).at_offset(at);
            let wanted = if self.0.has_ranges { at..range.end } else { 0..self.0.size };
            let result = place.get(self.0.has_ranges.then(|| wanted.clone())).await.map_err(located)?;
            self.check(&result).map_err(located)?;
            // A server without ranges begins at 0 each time.
            let mut skip = at - wanted.start;
            let mut body = result.into_stream();
            let before = at;
            let broken = loop {
                match body.next().await {
                    Some(Ok(piece)) => {
                        let skipped = skip.min(piece.len() as u64);
                        skip -= skipped;
                        let length = (piece.len() as u64 - skipped).min(range.end - at);
                        let piece = piece.slice(to_usize(skipped)..to_usize(skipped + length));
                        sink(&piece).map_err(|error| self.failed(error).at_offset(at))?;
                        at += length;
                    }
                    Some(Err(error)) => break describe(&error),
                    None => break "the body ended too early".to_owned(),
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
        if meta.size == self.0.size && strong(meta.e_tag.as_deref()) == strong(self.0.etag.as_deref()) {
            return Ok(());
        }
        let of = |size, etag: &Option<String>| format!("{size} bytes, ETag {}", etag.as_deref().unwrap_or("none"));
        let detail = format!(
            "the object changed while it was read: it had {}, now it has {}",
            of(self.0.size, &self.0.etag),
            of(meta.size, &meta.e_tag)
        );
        Err(Error::new(Stage::Fetch, Reason::Mismatch, detail))
    }
}

impl Place {
    /// The store of a URL. Listing a prefix, when it comes, begins here too.
    fn connect(location: &str, options: &StoreOptions) -> Result<Self> {
        let url = Url::parse(location).map_err(|error| wrong(location, &format!("not a URL: {error}")))?;
        let shown = shown(&url);
        let headers = headers(location, options).map_err(|error| error.in_source(shown.clone()))?;
        let follow = matches!(url.scheme(), "http" | "https");
        let connector = Connector { patience: options.retry_timeout, headers, follow };
        // Repeating is the connector's and `fetch`'s.
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let bucket = url.host_str().unwrap_or_default();
        // The key as it is written: `Url` would encode it.
        let key = location.splitn(4, '/').nth(3).unwrap_or_default();
        let path = if follow { Ok(Path::default()) } else { Path::parse(key) };
        let path = path.map_err(|error| wrong(&shown, &format!("not a key: {error}")))?;
        if bucket.is_empty() || (!follow && key.is_empty()) {
            return Err(wrong(&shown, "not a URL of an object"));
        }
        let store: object_store::Result<Arc<dyn ObjectStore>> = match url.scheme() {
            "http" | "https" => {
                let mut url = url.clone();
                url.set_fragment(None);
                let builder = HttpBuilder::new().with_url(url).with_retry(retry).with_http_connector(connector);
                builder.build().map(|store| Arc::new(store) as _)
            }
            "s3" => {
                must_be_safe(&shown)?;
                let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
                let builder = builder.with_http_connector(connector).with_allow_http(true);
                let is_anonymous = !has_any(&AWS_CREDENTIALS);
                let builder = if is_anonymous { builder.with_skip_signature(true) } else { builder };
                let has_region = builder.get_config_value(&AmazonS3ConfigKey::Region).is_some();
                let builder = if has_region { builder } else { builder.with_region("us-east-1") };
                builder.build().map(|store| Arc::new(store) as _)
            }
            "gs" => {
                let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retry);
                let builder = builder.with_http_connector(connector);
                let is_anonymous = !has_any(&GOOGLE_CREDENTIALS);
                let builder = if is_anonymous { builder.with_skip_signature(true) } else { builder };
                builder.build().map(|store| Arc::new(store) as _)
            }
            other => return Err(wrong(&shown, &format!("{other}:// cannot be read; http, https, s3 and gs can"))),
        };
        let store = store.map_err(|error| wrong(&shown, &describe(&error)))?;
        let (patience, stop) = (options.retry_timeout, Arc::clone(&options.stop));
        Ok(Self { store, path, location: location.to_owned(), shown, patience, stop })
    }

    /// Asks for the first byte, which tells the size and whether ranges are heeded; a HEAD tells neither for sure, and
    /// signed URLs refuse it.
    async fn open(self) -> Result<Inner> {
        let (result, has_ranges) = match self.ask(Some(0..1)).await {
            Ok(result) => (result, true),
            // No byte 0: empty, which the whole of it tells.
            Err((_, Some(416))) => (self.get(None).await?, true),
            Err((object_store::Error::NotSupported { .. }, _)) => (self.get(None).await?, false),
            Err((error, status)) => return Err(self.error(&error, status)),
        };
        let (size, etag) = (result.meta.size, result.meta.e_tag.clone());
        Ok(Inner { place: self, size, etag, has_ranges })
    }

    async fn get(&self, range: Option<Range<u64>>) -> Result<GetResult> {
        self.ask(range).await.map_err(|(error, status)| self.error(&error, status))
    }

    /// Asks for a range or all; what fails comes with the status of the answer, if there was one.
    async fn ask(&self, range: Option<Range<u64>>) -> Result<GetResult, (object_store::Error, Option<u16>)> {
        let status = LastStatus::default();
        let mut options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        options.extensions.insert(status.clone());
        self.store.get_opts(&self.path, options).await.map_err(|error| (error, status.get()))
    }

    #[cold]
    fn error(&self, error: &object_store::Error, status: Option<u16>) -> Error {
        let (reason, hint) = match (error, status) {
            (object_store::Error::NotSupported { .. }, _) => return no_ranges(),
            (object_store::Error::NotFound { .. }, _) | (_, Some(404 | 410)) => (Reason::NotFound, ""),
            (_, Some(401 | 403)) => (Reason::PermissionDenied, self.hint()),
            (_, Some(416)) => (Reason::Mismatch, "; the object changed while it was read"),
            (_, Some(301 | 307)) => (Reason::Io, "; AWS_REGION may have to name the bucket's region"),
            _ => (Reason::Io, ""),
        };
        let text = match status {
            Some(status) if !(200..300).contains(&status) => format!("the server answered {status}"),
            _ => describe(error),
        };
        Error::new(Stage::Fetch, reason, format!("{text}{hint}"))
    }

    fn hint(&self) -> &'static str {
        if self.location.starts_with("s3:") {
            "; a bucket that is not public needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        } else if self.location.starts_with("gs:") {
            "; a bucket that is not public needs GOOGLE_SERVICE_ACCOUNT"
        } else {
            "; the server wants a token (for hf://, HF_TOKEN or `hf auth login`) or another one"
        }
    }
}

const AWS_CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
const GOOGLE_CREDENTIALS: [&str; 5] = [
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_BEARER_TOKEN",
];

fn has_any(variables: &[&str]) -> bool {
    variables.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Credentials go over plain HTTP only to this machine, or where the user says so.
fn must_be_safe(shown: &str) -> Result<()> {
    let is_set = |name: &str| std::env::var(name).ok();
    let endpoint =
        is_set("AWS_ENDPOINT_URL_S3").or_else(|| is_set("AWS_ENDPOINT_URL")).or_else(|| is_set("AWS_ENDPOINT"));
    let Some(url) = endpoint.and_then(|endpoint| Url::parse(&endpoint).ok()) else { return Ok(()) };
    let is_loopback = matches!(url.host_str(), Some("localhost" | "[::1]"))
        || url.host_str().is_some_and(|host| host.starts_with("127."));
    let is_allowed = is_set("AWS_ALLOW_HTTP").is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
    if url.scheme() != "http" || is_loopback || is_allowed {
        return Ok(());
    }
    Err(wrong(shown, "the endpoint is plain http on another machine; AWS_ALLOW_HTTP=true allows it"))
}

fn headers(location: &str, options: &StoreOptions) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for header in options.headers.iter().filter(|header| location.starts_with(&header.prefix)) {
        let name = HeaderName::try_from(&header.name).ok();
        let value = HeaderValue::try_from(&header.value).ok();
        let Some((name, mut value)) = name.zip(value) else {
            let detail = format!("{:?} or its value is no HTTP header", header.name);
            return Err(Error::new(Stage::Open, Reason::UnsupportedFormat, detail));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only a URL without a host cannot have these, and then it has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

#[cold]
fn wrong(shown: &str, detail: &str) -> Error {
    Error::new(Stage::Open, Reason::UnsupportedFormat, detail).in_source(shown)
}

#[cold]
fn no_ranges() -> Error {
    let detail = "the server ignores Range, so that every read would fetch all of it; with a cache it is fetched once";
    Error::new(Stage::Fetch, Reason::UnsupportedFormat, detail)
}

/// The tag without the mark of a weak one: what compresses on the way weakens it now and then.
fn strong(etag: Option<&str>) -> Option<&str> {
    etag.map(|etag| etag.strip_prefix("W/").unwrap_or(etag))
}

fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// What went wrong, without the URL: its query may hold a signature.
fn describe(error: &object_store::Error) -> String {
    let text = match causes(error).find_map(|cause| cause.downcast_ref::<HttpError>()) {
        Some(http) => last(http),
        None => causes(error).last().map(ToString::to_string).unwrap_or_default(),
    };
    text.chars().take(MAX_DETAIL).collect()
}

/// The text of an error and of its last cause, which says most.
fn last(error: &(dyn std::error::Error + 'static)) -> String {
    let end = causes(error).last().map(ToString::to_string).unwrap_or_default();
    let start = error.to_string();
    if start.contains(&end) { start } else { format!("{start}: {end}") }
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
