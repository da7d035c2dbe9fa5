//! The shards that are open, and of remote ones the bytes that are needed again soon.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;

use crate::error::Result;
use crate::store::{Object, StoreOptions};

/// Local files that are open at a time, well below what a process may have.
const MAX_OPEN: usize = 256;

/// Opens each object when it is first asked for, once however many threads ask at that time.
#[derive(Debug)]
pub(super) struct Objects {
    store: StoreOptions,
    open: Mutex<HashMap<Arc<str>, Slot>>,
}

/// An object that is open, or being opened by one thread while others wait for it.
type Slot = Arc<OnceLock<Result<Object>>>;

impl Objects {
    pub(super) fn new(store: StoreOptions) -> Self {
        Self { store, open: Mutex::new(HashMap::new()) }
    }

    pub(super) fn get(&self, location: &Arc<str>) -> Result<Object> {
        let slot = self.slot(location);
        let opened = slot.get_or_init(|| Object::open(location, &self.store)).clone();
        if opened.is_err() {
            // Who waited has the error too; who comes later tries again.
            let mut open = lock(&self.open);
            if open.get(location).is_some_and(|held| Arc::ptr_eq(held, &slot)) {
                open.remove(location);
            }
        }
        opened
    }

    fn slot(&self, location: &Arc<str>) -> Slot {
        let mut open = lock(&self.open);
        if let Some(slot) = open.get(location) {
            return Arc::clone(slot);
        }
        if open.len() >= MAX_OPEN {
            // Remote objects hold no file; opening one again costs a request.
            let is_local = |slot: &Slot| slot.get().is_some_and(|object| object.as_ref().is_ok_and(Object::is_local));
            let mut local = open.iter().filter(|(_, slot)| is_local(slot)).map(|(name, _)| Arc::clone(name));
            if let Some(name) = local.next() {
                open.remove(&name);
            }
        }
        Arc::clone(open.entry(Arc::clone(location)).or_default())
    }
}

/// Which run of neighbouring samples: its source, its shard there, its number in the shard.
pub(super) type RunKey = (usize, usize, usize);

/// A run of samples that is fetched by one request.
#[derive(Debug, Clone)]
pub(super) struct RunRequest {
    pub(super) key: RunKey,
    pub(super) bytes: Range<u64>,
    /// Samples in it: when as many were taken, nobody needs it any more.
    pub(super) samples: usize,
    /// The turn after which nobody needs it any more either.
    pub(super) until: u64,
}

/// Runs of remote shards, kept while their samples are needed, bounded by bytes.
#[derive(Debug)]
pub(super) struct Kept {
    limit: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<RunKey, Run>,
    held: u64,
}

#[derive(Debug)]
struct Run {
    /// None while it is being fetched.
    bytes: Option<Bytes>,
    start: u64,
    size: u64,
    left: usize,
    until: u64,
}

impl Kept {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The bytes `wanted`, which lie within the run: fetched with all of the run if there is room to keep it, else alone.
    /// `turn` is the turn that asks.
    pub(super) fn read(&self, object: &Object, wanted: Range<u64>, run: &RunRequest, turn: u64) -> Result<Bytes> {
        let mut state = lock(&self.state);
        loop {
            match state.runs.get(&run.key).map(|run| run.bytes.is_some()) {
                Some(true) => return state.take(run.key, &wanted).map_or_else(|| object.read(wanted), Ok),
                Some(false) => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                None => break,
            }
        }
        state.forget_before(turn);
        let size = run.bytes.end - run.bytes.start;
        if state.held + size > self.limit {
            drop(state);
            return object.read(wanted);
        }
        state.held += size;
        let entry = Run { bytes: None, start: run.bytes.start, size, left: run.samples, until: run.until };
        state.runs.insert(run.key, entry);
        drop(state);
        let fetching = Fetching { kept: self, key: run.key };
        let Ok(bytes) = object.read(run.bytes.clone()) else {
            drop(fetching);
            // What is wrong may be with another sample of the run.
            return object.read(wanted);
        };
        let mut state = lock(&self.state);
        if let Some(entry) = state.runs.get_mut(&run.key) {
            entry.bytes = Some(bytes);
        }
        let slice = state.take(run.key, &wanted);
        drop(state);
        std::mem::forget(fetching);
        self.changed.notify_all();
        slice.map_or_else(|| object.read(wanted), Ok)
    }
}

/// Takes a run that was not fetched out again, also when fetching it panicked, so that nobody waits for it.
struct Fetching<'a> {
    kept: &'a Kept,
    key: RunKey,
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        lock(&self.kept.state).remove(self.key);
        self.kept.changed.notify_all();
    }
}

impl State {
    /// A slice of a run that is there; the last one that is needed takes the run out.
    fn take(&mut self, key: RunKey, wanted: &Range<u64>) -> Option<Bytes> {
        let run = self.runs.get_mut(&key)?;
        let from = usize::try_from(wanted.start.checked_sub(run.start)?).ok()?;
        let to = usize::try_from(wanted.end.checked_sub(run.start)?).ok()?;
        let bytes = run.bytes.as_ref()?;
        // A slice of a run would keep all of it; a copy lets the run go when it is done with.
        let slice = bytes.get(from..to).map(Bytes::copy_from_slice);
        run.left = run.left.saturating_sub(1);
        if run.left == 0 {
            self.remove(key);
        }
        slice
    }

    fn remove(&mut self, key: RunKey) {
        if let Some(run) = self.runs.remove(&key) {
            self.held -= run.size;
        }
    }

    /// Takes out the runs whose last turn is over.
    fn forget_before(&mut self, turn: u64) {
        let held = &mut self.held;
        self.runs.retain(|_, run| {
            let is_over = run.bytes.is_some() && run.until < turn;
            *held -= if is_over { run.size } else { 0 };
            !is_over
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Reason;
    use crate::store::tests::server::{Answer, Server, serve};

    /// What eight threads get that ask at the same time.
    fn at_once(objects: &Objects, location: &Arc<str>) -> Vec<Result<Object>> {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| objects.get(location))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn threads_that_ask_at_once_open_an_object_once() {
        let server = Server::new(|_, request| {
            std::thread::sleep(Duration::from_millis(300));
            serve(&[7; 100], "1", request)
        });
        let (objects, location) = (Objects::new(StoreOptions::default()), server.url("a.tar").into());
        assert!(at_once(&objects, &location).into_iter().all(|object| object.unwrap().size() == 100));
        assert_eq!(objects.get(&location).unwrap().size(), 100);
        assert_eq!(server.requests().len(), 1);
    }

    #[test]
    fn an_object_that_could_not_be_opened_is_one_error_for_all_who_waited_and_tried_again_later() {
        let server = Server::new(|number, request| {
            std::thread::sleep(Duration::from_millis(300));
            if number == 0 { Answer::new(404) } else { serve(&[7; 100], "1", request) }
        });
        let (objects, location) = (Objects::new(StoreOptions::default()), server.url("a.tar").into());
        let reasons: Vec<_> = at_once(&objects, &location).into_iter().map(|got| got.unwrap_err().reason()).collect();
        assert_eq!(reasons, [Reason::NotFound; 8]);
        assert_eq!(server.requests().len(), 1);
        assert_eq!(objects.get(&location).unwrap().size(), 100);
    }

    fn object(directory: &tempfile::TempDir) -> Object {
        let path = directory.path().join("a");
        std::fs::write(&path, (0..200).collect::<Vec<u8>>()).unwrap();
        Object::open(path.to_str().unwrap(), &StoreOptions::default()).unwrap()
    }

    fn request(number: usize, bytes: Range<u64>, until: u64) -> RunRequest {
        RunRequest { key: (0, 0, number), bytes, samples: 2, until }
    }

    fn held(kept: &Kept) -> (usize, u64) {
        let state = lock(&kept.state);
        (state.runs.len(), state.held)
    }

    #[test]
    fn a_run_is_kept_until_all_its_samples_were_taken() {
        let directory = tempfile::tempdir().unwrap();
        let (object, kept) = (object(&directory), Kept::new(100));
        let run = request(0, 10..30, 9);
        assert_eq!(kept.read(&object, 10..12, &run, 0).unwrap().as_ref(), [10, 11]);
        assert_eq!(held(&kept), (1, 20));
        assert_eq!(kept.read(&object, 28..30, &run, 0).unwrap().as_ref(), [28, 29]);
        assert_eq!(held(&kept), (0, 0));
    }

    #[test]
    fn what_there_is_no_room_for_is_read_alone_and_old_runs_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let (object, kept) = (object(&directory), Kept::new(50));
        for (number, start) in [(0, 0), (1, 20), (2, 40)] {
            let bytes = kept.read(&object, start..start + 1, &request(number, start..start + 20, 5), 0).unwrap();
            assert_eq!(u64::from(bytes.as_ref()[0]), start);
        }
        assert_eq!(held(&kept), (2, 40));
        kept.read(&object, 60..61, &request(3, 60..80, 90), 6).unwrap();
        assert_eq!(held(&kept), (1, 20));
    }

    #[test]
    fn a_run_that_cannot_be_fetched_keeps_no_sample_from_being_read() {
        let directory = tempfile::tempdir().unwrap();
        let (object, kept) = (object(&directory), Kept::new(1 << 20));
        let run = request(0, 190..300, 9);
        assert_eq!(kept.read(&object, 190..191, &run, 0).unwrap().as_ref(), [190]);
        assert!(kept.read(&object, 250..260, &run, 0).is_err());
        assert_eq!(held(&kept), (0, 0));
    }
}
