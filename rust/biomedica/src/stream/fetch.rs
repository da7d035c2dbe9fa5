//! Reading ahead: numbered items read by several threads and handed out in order, bounded by their bytes.
//!
//! Workers take runs of items in turn. What is read and not yet handed out is held to a number of bytes; only the run that
//! is wanted next may exceed it, so that one large item never stops everything. An item that panics becomes its error.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Error, Reason, Result, Stage};

/// Workers that wait for room are woken when so much of it is free, or half of all: to wake one for every run that is
/// handed out costs more, on few cores, than reading the run.
const ROOM: u64 = 4 << 20;

/// What is read: items `0..len`.
pub(super) trait Work: Send + Sync + 'static {
    type Item: Send + 'static;
    /// Where an item is, found before its bytes are counted.
    type Claim;
    fn len(&self) -> u64;
    /// Finds item `number` and says how many bytes reading it will hold.
    fn claim(&self, number: u64) -> (Self::Claim, u64);
    fn read(&self, number: u64, claim: Self::Claim) -> Result<Self::Item>;
}

/// How far and how reading goes ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    pub(super) threads: usize,
    /// Bytes that are read and not handed out.
    pub(super) bytes: u64,
    /// Items that a worker takes at a time.
    pub(super) run: u64,
    /// Whether dropping the fetcher waits for the workers: not where a request may take its time.
    pub(super) is_patient: bool,
}

/// Items in order.
pub(super) struct Fetcher<W: Work> {
    shared: Arc<Shared<W>>,
    workers: Vec<JoinHandle<()>>,
    current: std::vec::IntoIter<Result<W::Item>>,
    is_patient: bool,
    /// Time that was spent waiting here.
    pub(super) waited: Duration,
}

/// What there is within a time.
pub(super) enum Poll<T> {
    /// The next item.
    Item(Result<T>),
    /// Nothing yet.
    Wait,
    /// Nothing any more.
    End,
}

struct Shared<W: Work> {
    work: W,
    ahead: Ahead,
    state: Mutex<State<W::Item>>,
    /// There is room, or it is over.
    room: Condvar,
    /// The run that is wanted next is there.
    ready: Condvar,
}

struct State<T> {
    /// Runs taken and not handed out; none where a worker is still at it.
    runs: VecDeque<Option<Run<T>>>,
    /// Number of the first of `runs`.
    first: u64,
    held: u64,
    is_stopped: bool,
}

struct Run<T> {
    items: Vec<Result<T>>,
    bytes: u64,
}

impl<W: Work> Fetcher<W> {
    pub(super) fn new(work: W, ahead: Ahead) -> Self {
        let state = State { runs: VecDeque::new(), first: 0, held: 0, is_stopped: false };
        let (room, ready) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { work, ahead, state: Mutex::new(state), room, ready });
        let start = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.run())
        };
        let runs = shared.work.len().div_ceil(ahead.run.max(1));
        let threads = ahead.threads.max(1).min(usize::try_from(runs).unwrap_or(usize::MAX));
        let workers = (0..threads).map(start).collect();
        Self { shared, workers, current: Vec::new().into_iter(), is_patient: ahead.is_patient, waited: Duration::ZERO }
    }

    pub(super) fn next_within(&mut self, timeout: Duration) -> Poll<W::Item> {
        if let Some(item) = self.current.next() {
            return Poll::Item(item);
        }
        let begin = Instant::now();
        let poll = self.next_run(begin + timeout);
        self.waited += begin.elapsed();
        poll
    }

    fn next_run(&mut self, deadline: Instant) -> Poll<W::Item> {
        let shared = &self.shared;
        let mut state = shared.lock();
        loop {
            if let Some(Some(_)) = state.runs.front()
                && let Some(run) = state.runs.pop_front().flatten()
            {
                state.first += 1;
                state.held -= run.bytes;
                // Whoever is at the run that is wanted now needs no room; nobody else is at work when it waits for some.
                let is_wanted = !matches!(state.runs.front(), Some(Some(_)));
                let has_room = state.held + ROOM.min(shared.ahead.bytes / 2) <= shared.ahead.bytes;
                drop(state);
                if is_wanted || has_room {
                    shared.room.notify_all();
                }
                self.current = run.items.into_iter();
                return self.current.next().map_or(Poll::Wait, Poll::Item);
            }
            if state.first * shared.ahead.run.max(1) >= shared.work.len() {
                return Poll::End;
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return Poll::Wait };
            state = shared.ready.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<W: Work> Drop for Fetcher<W> {
    fn drop(&mut self) {
        self.shared.lock().is_stopped = true;
        self.shared.room.notify_all();
        for worker in self.workers.drain(..).filter(|_| self.is_patient) {
            // A worker catches what panics in it; should one end so all the same, there is nobody left to tell.
            let _ = worker.join();
        }
    }
}

impl<W: Work> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, State<W::Item>> {
        // A panic never happens with the lock held, so what it guards is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let per_run = self.ahead.run.max(1);
        while let Some(number) = self.take() {
            let mut run = Run { items: Vec::new(), bytes: 0 };
            for item in number * per_run..((number + 1) * per_run).min(self.work.len()) {
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    let (claim, bytes) = self.work.claim(item);
                    if !self.admit(number, bytes) {
                        return None;
                    }
                    run.bytes += bytes;
                    Some(self.work.read(item, claim))
                }));
                match caught.unwrap_or_else(|panic| Some(Err(internal(panic.as_ref())))) {
                    Some(result) => run.items.push(result),
                    None => return,
                }
            }
            let mut state = self.lock();
            let index = number.checked_sub(state.first).and_then(|index| usize::try_from(index).ok());
            if let Some(slot) = index.and_then(|index| state.runs.get_mut(index)) {
                *slot = Some(run);
            }
            drop(state);
            if index == Some(0) {
                self.ready.notify_one();
            }
        }
    }

    /// The number of the next run, once there is room; none when all are taken or nobody wants them.
    fn take(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            let number = state.first + state.runs.len() as u64;
            if state.is_stopped || number * self.ahead.run.max(1) >= self.work.len() {
                return None;
            }
            if state.held < self.ahead.bytes || state.runs.is_empty() {
                state.runs.push_back(None);
                return Some(number);
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for room for an item of run `number`; false when nobody wants it any more.
    fn admit(&self, number: u64, bytes: u64) -> bool {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return false;
            }
            if state.held + bytes <= self.ahead.bytes || number == state.first {
                state.held += bytes;
                return true;
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The error of a worker that panicked.
pub(super) fn internal(panic: &(dyn std::any::Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    let detail = format!("a defect of biomedica: {}", text.unwrap_or_else(|| "a worker panicked".into()));
    Error::new(Stage::Fetch, Reason::Internal, detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Items that take turns in being slow; counts what is held.
    struct Slow {
        len: u64,
        size: u64,
        read: Arc<AtomicU64>,
    }

    impl Work for Slow {
        type Item = u64;
        type Claim = ();

        fn len(&self) -> u64 {
            self.len
        }

        fn claim(&self, _: u64) -> ((), u64) {
            ((), self.size)
        }

        fn read(&self, number: u64, (): ()) -> Result<u64> {
            thread::sleep(Duration::from_micros(number * 7919 % 300));
            self.read.fetch_add(1, Ordering::Relaxed);
            assert!(number != 77, "77 cannot be read");
            Ok(number)
        }
    }

    fn fetcher(len: u64, size: u64, ahead: Ahead) -> (Fetcher<Slow>, Arc<AtomicU64>) {
        let read = Arc::new(AtomicU64::new(0));
        (Fetcher::new(Slow { len, size, read: Arc::clone(&read) }, ahead), read)
    }

    fn all(fetcher: &mut Fetcher<Slow>) -> Vec<std::result::Result<u64, String>> {
        let mut items = Vec::new();
        loop {
            match fetcher.next_within(Duration::from_secs(10)) {
                Poll::Item(item) => items.push(item.map_err(|error| error.to_string())),
                Poll::Wait => panic!("nothing came in ten seconds"),
                Poll::End => return items,
            }
        }
    }

    #[test]
    fn items_come_in_order_whatever_the_threads_and_a_panic_is_an_error_in_its_place() {
        for (threads, run, bytes) in [(1, 1, 1), (3, 4, 10), (8, 16, 1 << 20), (5, 7, 0)] {
            let (mut fetcher, _) = fetcher(100, 3, Ahead { threads, bytes, run, is_patient: true });
            let items = all(&mut fetcher);
            assert_eq!(items.len(), 100);
            for (item, n) in items.into_iter().zip(0..) {
                match item {
                    Ok(number) => assert_eq!(number, n),
                    Err(error) => assert!(n == 77 && error.contains("77 cannot be read"), "{error}"),
                }
            }
            assert!(matches!(fetcher.next_within(Duration::ZERO), Poll::End));
        }
    }

    #[test]
    fn what_is_read_ahead_is_bounded_and_dropping_it_ends_the_workers() {
        let (mut fetcher, read) = fetcher(10_000, 10, Ahead { threads: 4, bytes: 200, run: 2, is_patient: true });
        assert!(matches!(fetcher.next_within(Duration::from_secs(10)), Poll::Item(Ok(0))));
        thread::sleep(Duration::from_millis(50));
        let count = read.load(Ordering::Relaxed);
        assert!((20..=24).contains(&count), "{count} items of 10 bytes read");
        drop(fetcher);
        assert!(read.load(Ordering::Relaxed) <= count + 4);
    }

    #[test]
    fn nothing_to_read_is_the_end() {
        let (mut fetcher, _) = fetcher(0, 1, Ahead { threads: 2, bytes: 1, run: 1, is_patient: true });
        assert!(matches!(fetcher.next_within(Duration::ZERO), Poll::End));
    }
}
