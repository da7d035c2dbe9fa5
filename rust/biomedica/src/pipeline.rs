//! Many threads, one order.
//!
//! Workers take units of packages in turn and read them into chunks; the consumer gets the chunks in the order of the
//! input, whatever the number of threads. What is read ahead is bounded: a worker that is too far ahead waits. A large
//! package hands batches of its articles to workers that have nothing else to do.

mod ahead;
mod unit;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::article::{self, Chunk, Failure, Rules};
use crate::error::{Error, Reason, Result, Stage};
use crate::jats::slug;
use crate::limits::Limits;
use crate::package::{self, Files, Room, Scratch};
use crate::store::StoreOptions;
use ahead::{Ahead, Coming};
pub use unit::{Unit, units};

/// A batch is read into one chunk: so many articles, or so many bytes of their files, whichever comes first.
const BATCH_ARTICLES: usize = 64;
const BATCH_BYTES: u64 = 8 << 20;
/// Chunks of one unit that may wait for the consumer.
const MAX_WAITING: usize = 4;

/// Units that are fetched ahead of who reads them, and what they may hold together.
const UNITS_AHEAD: usize = 8;
const BYTES_AHEAD: u64 = 128 << 20;
/// How often a worker that has nothing to do looks whether something was fetched.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How a pipeline reads.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads; at least one is started.
    pub threads: usize,
    /// Bounds on what input may cost.
    pub limits: Limits,
    /// What makes a figure a pair.
    pub rules: Rules,
    /// How packages are fetched that lie in a store.
    pub store: StoreOptions,
}

/// The number of threads that was asked for, else one for each core.
pub fn threads(asked: Option<usize>) -> usize {
    asked.or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1)
}

/// What a worker makes of one package's articles: files to read, or what went wrong before.
type Batch = Vec<(Arc<str>, Result<Files>)>;

struct Job {
    unit: u64,
    chunk: usize,
    batch: Batch,
}

struct Slot<T> {
    tag: T,
    /// Chunks in order; none where a worker is still at it.
    chunks: VecDeque<Option<Chunk>>,
    /// Number of the first of `chunks`.
    first: usize,
    is_complete: bool,
}

enum Entry<T> {
    Unit(Slot<T>),
    Error(Error),
}

struct State<T> {
    entries: VecDeque<Entry<T>>,
    /// Number of the first of `entries`.
    first: u64,
    jobs: VecDeque<Job>,
    /// Units that no worker has taken yet: the last of `entries`.
    ahead: VecDeque<Ahead<T>>,
    idle: usize,
    is_pulling: bool,
    is_drained: bool,
    is_stopped: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    input: Mutex<Box<dyn Iterator<Item = Result<Unit<T>>> + Send>>,
    options: Options,
    room: Room,
}

/// Reads units of packages on several threads and yields their chunks in order.
///
/// Every unit yields at least one chunk. An error of the input is yielded in its place. Dropping the reader stops the
/// workers and waits for them.
pub struct Reader<T: Send + 'static> {
    shared: Arc<Shared<T>>,
    workers: Vec<JoinHandle<()>>,
}

impl<T: Clone + Send + 'static> Reader<T> {
    /// Starts the workers.
    pub fn new(units: impl Iterator<Item = Result<Unit<T>>> + Send + 'static, options: Options) -> Self {
        let threads = options.threads.max(1);
        // Its own, set when this is dropped: the writer's requests go on.
        let options = Options { store: StoreOptions { stop: Arc::default(), ..options.store }, ..options };
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                entries: VecDeque::new(),
                first: 0,
                jobs: VecDeque::new(),
                ahead: VecDeque::new(),
                idle: 0,
                is_pulling: false,
                is_drained: false,
                is_stopped: false,
            }),
            changed: Condvar::new(),
            input: Mutex::new(Box::new(units)),
            options,
            room: Room::new(BYTES_AHEAD),
        });
        let start = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.work())
        };
        let workers = (0..threads).map(start).collect();
        Self { shared, workers }
    }

    /// The next chunk if there is one within `timeout`: `None` when the time is up, `Some(None)` at the end.
    pub fn next_within(&mut self, timeout: Duration) -> Option<Option<Result<(T, Chunk)>>> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        loop {
            if let Some(item) = state.pop() {
                self.shared.changed.notify_all();
                return Some(Some(item));
            }
            if state.entries.is_empty() && state.is_drained {
                return Some(None);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.shared.wait(state, left);
        }
    }
}

impl<T: Clone + Send + 'static> Iterator for Reader<T> {
    type Item = Result<(T, Chunk)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.next_within(Duration::from_hours(1)) {
                return item;
            }
        }
    }
}

impl<T: Send + 'static> Drop for Reader<T> {
    fn drop(&mut self) {
        self.shared.options.store.stop.store(true, Ordering::Relaxed);
        let mut state = self.shared.lock();
        state.is_stopped = true;
        state.ahead.clear();
        drop(state);
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches what panics in it; should one end so all the same, there is nobody left to tell.
            let _ = worker.join();
        }
    }
}

impl<T: Clone> State<T> {
    fn slot(&mut self, unit: u64) -> Option<&mut Slot<T>> {
        let index = usize::try_from(unit.checked_sub(self.first)?).ok()?;
        match self.entries.get_mut(index)? {
            Entry::Unit(slot) => Some(slot),
            Entry::Error(_) => None,
        }
    }

    /// Takes the next item in order, if a worker is through with it.
    fn pop(&mut self) -> Option<Result<(T, Chunk)>> {
        loop {
            match self.entries.front_mut()? {
                Entry::Unit(slot) => match slot.chunks.front_mut() {
                    Some(chunk) => {
                        let chunk = chunk.take()?;
                        slot.chunks.pop_front();
                        slot.first += 1;
                        return Some(Ok((slot.tag.clone(), chunk)));
                    }
                    None if slot.is_complete => {}
                    None => return None,
                },
                Entry::Error(_) => {}
            }
            self.first += 1;
            if let Some(Entry::Error(error)) = self.entries.pop_front() {
                return Some(Err(error));
            }
        }
    }
}

enum Task<T> {
    Job(Job),
    Unit(u64, Unit<T>, Coming),
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A panic never happens with the lock held, so what it guards is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&'s self, state: MutexGuard<'s, State<T>>, timeout: Duration) -> MutexGuard<'s, State<T>> {
        let (state, _) = self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner);
        state
    }
}

impl<T: Clone> Shared<T> {
    fn work(&self) {
        let mut scratch = Scratch::default();
        while let Some(task) = self.next_task() {
            match task {
                Task::Job(job) => self.run(job),
                Task::Unit(number, unit, coming) => self.read_unit(number, &unit, coming, &mut scratch),
            }
        }
    }

    /// Units that may be read ahead: one for each worker, and one ready.
    fn window(&self) -> usize {
        self.options.threads.max(1) + 1
    }

    fn next_task(&self) -> Option<Task<T>> {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(Task::Job(job));
            }
            if self.wants_more(&state) {
                state.is_pulling = true;
                let number = state.first + state.entries.len() as u64;
                drop(state);
                let pulled = self.pull(number);
                state = self.lock();
                state.is_pulling = false;
                self.changed.notify_all();
                match pulled {
                    Some((entry, ahead)) => {
                        state.entries.push_back(entry);
                        state.ahead.extend(ahead);
                        self.set_front(&state);
                    }
                    None => state.is_drained = true,
                }
                continue;
            }
            if let Some(task) = self.take_ready(&mut state) {
                return Some(task);
            }
            if state.is_drained && state.entries.iter().all(|e| !matches!(e, Entry::Unit(slot) if !slot.is_complete)) {
                return None;
            }
            let is_coming = !state.ahead.is_empty();
            state.idle += 1;
            state = self.wait(state, if is_coming { LOOK_EVERY } else { Duration::from_hours(1) });
            state.idle -= 1;
        }
    }

    /// Whether the input is to be asked for its next unit. What lies in stores is asked for further ahead, and before
    /// anything is read, so that the network has something to do meanwhile.
    fn wants_more(&self, state: &State<T>) -> bool {
        let more = match state.ahead.front() {
            None => state.entries.len() < self.window(),
            Some(first) if first.is_remote() => {
                state.ahead.len() < UNITS_AHEAD && state.entries.len() < self.window() + UNITS_AHEAD
            }
            Some(_) => false,
        };
        more && !state.is_drained && !state.is_pulling
    }

    /// The next unit, if it is there and its turn has come. Units are taken in order: so the consumer's next one never
    /// waits for a worker that waits for the consumer.
    fn take_ready(&self, state: &mut State<T>) -> Option<Task<T>> {
        let end = state.first + self.window() as u64;
        if !state.ahead.front_mut().is_some_and(|next| next.number < end && next.is_ready()) {
            return None;
        }
        let mut next = state.ahead.pop_front()?;
        let coming = next.take();
        self.set_front(state);
        Some(Task::Unit(next.number, next.unit, coming))
    }

    /// Gives the unit that is read next what it needs.
    fn set_front(&self, state: &State<T>) {
        if let Some(next) = state.ahead.front().filter(|next| next.is_remote()) {
            self.room.set_front(next.number);
        }
    }

    fn pull(&self, number: u64) -> Option<(Entry<T>, Option<Ahead<T>>)> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let next = catch_unwind(AssertUnwindSafe(|| input.next()));
        match next.unwrap_or_else(|panic| Some(Err(internal(panic.as_ref())))) {
            None => None,
            Some(Err(error)) => Some((Entry::Error(error), None)),
            Some(Ok(unit)) => {
                let slot = Slot { tag: unit.tag.clone(), chunks: VecDeque::new(), first: 0, is_complete: false };
                let ahead = Ahead::new(number, unit, &self.options.limits, &self.options.store, &self.room);
                Some((Entry::Unit(slot), Some(ahead)))
            }
        }
    }

    fn read_unit(&self, number: u64, unit: &Unit<T>, mut coming: Coming, scratch: &mut Scratch) {
        let mut batch = Batch::new();
        let mut bytes = 0;
        let Options { limits, store, .. } = &self.options;
        for (index, package) in unit.packages.iter().enumerate() {
            let source: Arc<str> = package.source().into();
            let read = catch_unwind(AssertUnwindSafe(|| {
                let sink: package::Sink<'_> = &mut |files| {
                    bytes += files.as_ref().map_or(0, Files::num_bytes);
                    batch.push((Arc::clone(&source), files));
                    if batch.len() >= BATCH_ARTICLES || bytes >= BATCH_BYTES {
                        bytes = 0;
                        self.submit(number, std::mem::take(&mut batch));
                    }
                    if self.lock().is_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                match coming.of(index, package) {
                    Some(fetched) => package::read_fetched(package, fetched, limits, store, scratch, sink),
                    None => package::read(package, limits, scratch, sink),
                }
            }));
            if let Err(panic) = read {
                *scratch = Scratch::default();
                batch.push((source, Err(internal(panic.as_ref()))));
            }
        }
        self.submit(number, batch);
        if let Some(slot) = self.lock().slot(number) {
            slot.is_complete = true;
        }
        self.changed.notify_all();
    }

    /// Has a batch read: by an idle worker if there is one, else here. Waits, helping others, while too much is ready.
    fn submit(&self, unit: u64, batch: Batch) {
        let mut state = self.lock();
        let chunk = loop {
            if state.is_stopped {
                return;
            }
            let Some(slot) = state.slot(unit) else { return };
            if slot.chunks.len() < MAX_WAITING {
                slot.chunks.push_back(None);
                break slot.first + slot.chunks.len() - 1;
            }
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                self.run(job);
                state = self.lock();
            } else {
                state = self.wait(state, Duration::from_hours(1));
            }
        };
        let job = Job { unit, chunk, batch };
        if state.idle > state.jobs.len() {
            state.jobs.push_back(job);
            drop(state);
            self.changed.notify_all();
        } else {
            drop(state);
            self.run(job);
        }
    }

    fn run(&self, job: Job) {
        let chunk = read_batch(job.batch, &self.options);
        let mut state = self.lock();
        if let Some(slot) = state.slot(job.unit) {
            let first = slot.first;
            if let Some(place) = slot.chunks.get_mut(job.chunk - first) {
                *place = Some(chunk);
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

fn read_batch(batch: Batch, options: &Options) -> Chunk {
    let mut chunk = Chunk::default();
    for (source, files) in batch {
        let files = match files {
            Ok(files) => files,
            Err(error) => {
                chunk.failures.push(named(Failure { accession: None, error: error.in_source(&*source) }));
                continue;
            }
        };
        let join = || article::join(&files, &source, &options.limits, &options.rules);
        match catch_unwind(AssertUnwindSafe(join)) {
            Ok((article, failures)) => {
                chunk.articles.extend(article);
                chunk.failures.extend(failures.into_iter().map(named));
            }
            Err(panic) => {
                let error = internal(panic.as_ref()).in_source(&*source);
                chunk.failures.push(Failure { accession: None, error });
            }
        }
    }
    chunk
}

/// The failure with the article that its member belongs to, where the member's directory tells as in PMC's packages.
fn named(failure: Failure) -> Failure {
    let Failure { accession, error } = failure;
    let accession = accession.or_else(|| {
        let (directory, _) = error.member()?.rsplit_once('/')?;
        let name = directory.rsplit('/').next()?;
        slug::pmc(name).filter(|_| name.starts_with("PMC"))
    });
    Failure { accession, error }
}

#[cold]
fn internal(panic: &(dyn std::any::Any + Send)) -> Error {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let detail = format!("a defect of this library, please report it: {}", message.unwrap_or("panicked"));
    Error::new(Stage::Open, Reason::Internal, detail)
}

#[cfg(test)]
mod tests;
