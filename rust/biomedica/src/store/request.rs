//! One request, repeated until it is answered for good: connection failures, timeouts, 5xx and 429 pass.
//!
//! This sits beneath `object_store` as its HTTP service, because its own retries know neither `Retry-After` nor
//! redirects that must not carry a token to another host.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest::header::{HeaderMap, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{StatusCode, Url};

use super::net::net;
use crate::error::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const MAX_REDIRECTS: usize = 10;
/// How long a redirect is remembered: hubs limit how often they are asked, and the URLs they point to expire.
const REMEMBER: Duration = Duration::from_mins(1);

/// Pauses that double and differ, so that many clients do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    deadline: Instant,
}

impl Backoff {
    pub(super) fn new(patience: Duration) -> Self {
        Self { next: FIRST_PAUSE, deadline: Instant::now() + patience }
    }

    /// Sleeps for `wished` or for the next pause; `false`, at once, when that would be too late.
    pub(super) async fn sleep(&mut self, wished: Option<Duration>) -> bool {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
        // Between half of it and all of it.
        let pause = wished.unwrap_or_else(|| self.next / 2 + self.next / 2 * (nanos % 1000) / 1000);
        if Instant::now() + pause > self.deadline {
            return false;
        }
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        tokio::time::sleep(pause).await;
        true
    }
}

tokio::task_local! {
    /// What is asked of a store in this task.
    static ASKED: Asked;
}

#[derive(Default)]
struct Asked {
    /// The status of the last answer: errors of `object_store` keep it hidden.
    status: Cell<u16>,
    /// Whether the body is read by who asks, and resumed by them. Any other is a few lines, and read with its answer, so
    /// that one that breaks off is asked for again.
    is_streamed: bool,
}

/// An error of a store with the status of the answer, if there was one.
pub(super) type Failed = (object_store::Error, Option<u16>);

/// What a store does, and the status of the answer where it fails.
pub(super) async fn with_status<T>(work: impl Future<Output = object_store::Result<T>>) -> Result<T, Failed> {
    ask(Asked::default(), work).await
}

/// The same for an answer whose body comes piece by piece.
pub(super) async fn streamed<T>(work: impl Future<Output = object_store::Result<T>>) -> Result<T, Failed> {
    ask(Asked { is_streamed: true, ..Asked::default() }, work).await
}

async fn ask<T>(asked: Asked, work: impl Future<Output = object_store::Result<T>>) -> Result<T, Failed> {
    let status = || ASKED.try_with(|asked| asked.status.get()).ok().filter(|&status| status > 0);
    ASKED.scope(asked, async { work.await.map_err(|error| (error, status())) }).await
}

/// The answer with its body, unless that is to be read by who asks.
async fn whole(response: HttpResponse) -> Result<HttpResponse, HttpError> {
    if ASKED.try_with(|asked| asked.is_streamed).unwrap_or(false) {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = body.bytes().await.map_err(|broken| HttpError::new(HttpErrorKind::Interrupted, broken))?;
    Ok(HttpResponse::from_parts(parts, bytes.into()))
}

/// What makes the HTTP service of one object.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub patience: Duration,
    /// How long the answer to one request may take to begin.
    pub limit: Duration,
    pub headers: HeaderMap,
    /// Follow redirects. Those of object stores need another signature and are errors.
    pub follow: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Patient { connector: self.clone(), target: Arc::default() }))
    }
}

#[derive(Debug)]
struct Patient {
    connector: Connector,
    /// Where the object was redirected to, and when.
    target: Arc<Mutex<Option<(Url, Instant)>>>,
}

#[async_trait]
impl HttpService for Patient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut backoff = Backoff::new(self.connector.patience);
        loop {
            let answered = async { whole(self.attempt(&request).await?).await };
            let attempt = tokio::time::timeout(self.connector.limit, answered);
            let result = attempt.await.unwrap_or_else(|late| Err(HttpError::new(HttpErrorKind::Timeout, late)));
            // Who asks for something without wanting to know has no such place.
            let status = result.as_ref().map_or(0, |response| response.status().as_u16());
            let _ = ASKED.try_with(|asked| asked.status.set(status));
            let wished = match &result {
                Ok(response) if passes(response.status()) => retry_after(response.headers(), SystemTime::now()),
                Err(error) if error.kind() != HttpErrorKind::Decode => None,
                _ => return result,
            };
            if !backoff.sleep(wished).await {
                return result;
            }
        }
    }
}

impl Patient {
    async fn attempt(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        if !self.connector.follow {
            return send(request.clone()).await;
        }
        let origin = parse(&request.uri().to_string())?;
        if let Some(target) = self.remembered() {
            let response = self.send_to(request, &origin, &target).await?;
            if response.status().is_success() || passes(response.status()) {
                return Ok(response);
            }
            // Expired, most likely: ask again where it lies.
            *self.slot() = None;
        }
        let mut url = origin.clone();
        for _ in 0..MAX_REDIRECTS {
            let response = self.send_to(request, &origin, &url).await?;
            let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(location) = location else {
                if url != origin && response.status().is_success() {
                    *self.slot() = Some((url, Instant::now()));
                }
                return Ok(response);
            };
            let next = location.to_str().ok().and_then(|location| url.join(location).ok());
            url = next.ok_or_else(|| refused("a redirect to no URL"))?;
            if !matches!(url.scheme(), "http" | "https") || (origin.scheme() == "https" && url.scheme() == "http") {
                return Err(refused("a redirect away from https"));
            }
        }
        Err(refused("redirects without end"))
    }

    /// Sends the request to `url`; to another host than it was meant for, only with the range that is asked for.
    async fn send_to(&self, request: &HttpRequest, origin: &Url, url: &Url) -> Result<HttpResponse, HttpError> {
        let mut request = request.clone();
        if url.origin() == origin.origin() {
            request.headers_mut().extend(self.connector.headers.clone());
        } else {
            let range = request.headers_mut().remove(RANGE);
            request.headers_mut().clear();
            request.headers_mut().extend(range.map(|range| (RANGE, range)));
        }
        *request.uri_mut() = url.as_str().parse().map_err(|_| refused("a redirect to no URL"))?;
        send(request).await
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<(Url, Instant)>> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self) -> Option<Url> {
        self.slot().as_ref().filter(|(_, when)| when.elapsed() < REMEMBER).map(|(url, _)| url.clone())
    }
}

async fn send(request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let net = net().map_err(|error: Error| HttpError::new(HttpErrorKind::Unknown, error))?;
    net.client().call(request).await
}

fn parse(url: &str) -> Result<Url, HttpError> {
    Url::parse(url).map_err(|error| HttpError::new(HttpErrorKind::Decode, error))
}

/// An answer that no repetition changes.
fn refused(what: &'static str) -> HttpError {
    HttpError::new(HttpErrorKind::Decode, std::io::Error::other(what))
}

/// Whether an answer says "later" rather than "no".
fn passes(status: StatusCode) -> bool {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED | StatusCode::INSUFFICIENT_STORAGE => {
            false
        }
        other => other.is_server_error(),
    }
}

/// What `Retry-After` asks for, in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date: SystemTime = chrono::DateTime::parse_from_rfc2822(text).ok()?.into();
    // A date has whole seconds: one more, or it would be asked too early.
    Some(date.duration_since(now).map_or(Duration::ZERO, |wait| wait + Duration::from_secs(1)))
}
