//! The one runtime and HTTP client of a process, and how threads wait for what runs there.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::redirect::Policy;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::digest::Together;
use crate::error::{Error, Reason, Result, Stage};

/// Requests wait, they do not compute: two threads serve hundreds of them.
const THREADS: usize = 2;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two pieces of a body, not for all of it: bodies may be long.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Net {
    process: u32,
    runtime: Runtime,
    client: reqwest::Client,
    digests: Together,
}

static NET: RwLock<Option<Arc<Net>>> = RwLock::new(None);

/// What this process uses, made when it is first asked for. A forked child has none of its parent's threads and must
/// not share its connections, so it gets its own.
pub(super) fn net() -> Result<Arc<Net>> {
    let process = std::process::id();
    let own = |net: &Option<Arc<Net>>| net.as_ref().filter(|net| net.process == process).cloned();
    if let Some(net) = own(&NET.read().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(net);
    }
    let mut slot = NET.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(net) = own(&slot) {
        return Ok(net);
    }
    let net = Arc::new(start(process)?);
    // A parent's runtime waits for its threads when it is dropped; here they do not exist.
    std::mem::forget(slot.replace(Arc::clone(&net)));
    Ok(net)
}

fn start(process: u32) -> Result<Net> {
    let failed = |error: &dyn std::error::Error| {
        Error::new(Stage::Fetch, Reason::Io, format!("the network cannot be used: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("biomedica-net")
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let client = reqwest::Client::builder()
        .user_agent(concat!("biomedica/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(Policy::none())
        // Many ranges at once go through many connections faster than through one.
        .http1_only()
        .build()
        .map_err(|error| failed(&error))?;
    Ok(Net { process, runtime, client, digests: Together::default() })
}

impl Net {
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Where digests of whole objects are made.
    pub(super) fn digests(&self) -> &Together {
        &self.digests
    }
}

/// Something under way on the runtime. Dropping it ends it.
#[derive(Debug)]
pub struct Pending<T> {
    answer: Receiver<Result<T>>,
    task: JoinHandle<()>,
}

impl<T: Send + 'static> Pending<T> {
    /// Begins it.
    pub fn start(future: impl Future<Output = Result<T>> + Send + 'static) -> Result<Self> {
        let (send, answer) = sync_channel(1);
        let task = net()?.runtime.spawn(async move {
            // Nobody listens any more when the reader was dropped.
            let _ = send.send(future.await);
        });
        Ok(Self { answer, task })
    }

    /// Blocks this thread on a channel rather than on the runtime, which may be done from within any runtime.
    ///
    /// When `stop` is set, that is the end of it: a server may be waited for much longer than a person would.
    pub fn wait(self, stop: &AtomicBool) -> Result<T> {
        loop {
            match self.answer.recv_timeout(LOOK_EVERY) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
                Err(RecvTimeoutError::Timeout) => return Err(stopped()),
                Err(RecvTimeoutError::Disconnected) => return Err(lost()),
            }
        }
    }

    /// The result, if it is there. It is given once.
    pub fn poll(&mut self) -> Option<Result<T>> {
        match self.answer.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(lost())),
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cold]
fn lost() -> Error {
    Error::new(Stage::Fetch, Reason::Internal, "a request ended without an answer")
}

#[cold]
pub(super) fn stopped() -> Error {
    Error::new(Stage::Fetch, Reason::Interrupted, "stopped")
}
