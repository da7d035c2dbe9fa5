//! Samples of shards whose places nobody knows: read from front to back, permuted window by window.
//!
//! This is for shards behind a network that have no index. The shards come in a permuted order; every so many samples in
//! a row are permuted among themselves. A state is the place where a window begins and how many of its samples were
//! taken, so that going on reads the shard from there. One process alone can read so: nobody knows where another's samples
//! would begin.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::fetch::{Poll, internal};
use super::group::{Group, Grouper};
use super::members::{Input, Walk};
use super::order::Recipe;
use super::random::Random;
use super::sample::Sample;
use super::scan::MAX_MEMBERS;
use super::turns::{MAX_SAMPLE, Turn};
use crate::error::{Error, Reason, Result, Stage};
use crate::store::{Object, StoreOptions};

const SHARDS: u64 = 4;
const SEQUENCE: u64 = 5;
/// A window ends at so many bytes, if it has not all its samples yet: two of them are in memory.
const WINDOW_BYTES: usize = 256 << 20;

/// Where a window begins, and how many of its samples were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The shard's place in the epoch's order of shards.
    pub shard: u64,
    /// The byte of the shard.
    pub offset: u64,
    /// Samples of the window that were taken.
    pub place: u64,
}

/// What an epoch is read by.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    pub(super) locations: Arc<[Arc<str>]>,
    pub(super) store: StoreOptions,
    pub(super) recipe: Recipe,
    pub(super) seed: u64,
}

/// Samples of one window in the order in which they come.
struct Window {
    start: Cursor,
    samples: Vec<Sample>,
    bad: Vec<Error>,
}

/// The samples of an epoch, read by a thread that is one window ahead.
pub(super) struct Windows {
    receiver: Receiver<Result<Window>>,
    current: std::vec::IntoIter<Sample>,
    /// Samples of the first window that were taken before.
    skip: u64,
    taken: u64,
    /// Where windows began, with the samples that were taken before; the last few.
    starts: Vec<(u64, Cursor)>,
    /// What could not be read, for the stream to tell.
    pub(super) bad: Vec<Error>,
    pub(super) waited: Duration,
}

/// Beginnings of windows that are remembered.
const MAX_STARTS: usize = 64;

impl Windows {
    /// The samples of `epoch` from `cursor` on.
    pub(super) fn new(sequence: Sequence, epoch: u64, cursor: Cursor) -> Self {
        let (sender, receiver) = sync_channel(0);
        thread::spawn(move || {
            let read = AssertUnwindSafe(|| Reading::new(&sequence, epoch).run(cursor, &sender));
            if let Err(panic) = catch_unwind(read) {
                // Nobody waits for it when the stream has ended.
                let _ = sender.send(Err(internal(panic.as_ref())));
            }
        });
        Self {
            receiver,
            current: Vec::new().into_iter(),
            skip: cursor.place,
            taken: 0,
            starts: vec![(0, cursor)],
            bad: Vec::new(),
            waited: Duration::ZERO,
        }
    }

    pub(super) fn next_within(&mut self, timeout: Duration) -> Poll<Turn> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(sample) = self.current.next() {
                self.taken += 1;
                return Poll::Item(Ok(Turn { sample, bad: Vec::new() }));
            }
            let begin = Instant::now();
            let window = self.receiver.recv_timeout(deadline.saturating_duration_since(begin));
            self.waited += begin.elapsed();
            match window {
                Err(RecvTimeoutError::Timeout) => return Poll::Wait,
                Err(RecvTimeoutError::Disconnected) => return Poll::End,
                Ok(Err(error)) => return Poll::Item(Err(error)),
                Ok(Ok(window)) => {
                    if self.starts.len() >= MAX_STARTS {
                        self.starts.remove(0);
                    }
                    let skip = usize::try_from(std::mem::take(&mut self.skip)).unwrap_or(usize::MAX);
                    self.starts.push((self.taken, Cursor { place: skip as u64, ..window.start }));
                    self.bad.extend(window.bad);
                    self.current = window.samples.into_iter();
                    self.current.by_ref().take(skip).for_each(drop);
                }
            }
        }
    }

    /// Where the epoch is after `taken` samples from the beginning of this reader on.
    pub(super) fn cursor(&self, taken: u64) -> Cursor {
        let start = self.starts.iter().rev().find(|(before, _)| *before <= taken).or(self.starts.first());
        let &(before, cursor) = start.unwrap_or(&(0, Cursor { shard: 0, offset: 0, place: 0 }));
        Cursor { place: cursor.place + taken.saturating_sub(before), ..cursor }
    }
}

/// The thread's side.
struct Reading<'a> {
    sequence: &'a Sequence,
    epoch: u64,
    order: Vec<usize>,
    window: Window,
    held: usize,
}

/// Nobody takes samples any more.
struct Unwanted;

impl<'a> Reading<'a> {
    fn new(sequence: &'a Sequence, epoch: u64) -> Self {
        let mut order: Vec<usize> = (0..sequence.locations.len()).collect();
        if sequence.recipe.shuffle {
            Random::new(&[SHARDS, sequence.seed, epoch]).shuffle(&mut order);
        }
        let window = Window { start: Cursor::default(), samples: Vec::new(), bad: Vec::new() };
        Self { sequence, epoch, order, window, held: 0 }
    }

    fn run(mut self, cursor: Cursor, sender: &SyncSender<Result<Window>>) {
        self.window.start = Cursor { place: 0, ..cursor };
        let mut offset = cursor.offset;
        for number in usize::try_from(cursor.shard).unwrap_or(usize::MAX)..self.order.len() {
            if self.read_shard(number, offset, sender).is_err() {
                return;
            }
            offset = 0;
        }
        // The last window may have nothing but what was bad.
        let _ = self.hand_over(Cursor::default(), sender);
    }

    fn read_shard(&mut self, number: usize, offset: u64, sender: &SyncSender<Result<Window>>) -> Result<(), Unwanted> {
        let location = self.order.get(number).and_then(|&shard| self.sequence.locations.get(shard));
        let Some(location) = location.cloned() else { return Ok(()) };
        let opened = Object::open(&location, &self.sequence.store).and_then(|object| object.reader(offset));
        let reader = match opened {
            Ok(reader) => reader,
            Err(error) => {
                self.window.bad.push(error.in_source(location.as_ref()));
                return Ok(());
            }
        };
        let mut walk = Walk::new(Tape { reader, position: offset, bytes: Vec::new(), start: offset }, MAX_MEMBERS);
        let mut grouper = Grouper::default();
        let error = loop {
            match walk.next() {
                Ok(Some(member)) => {
                    let next = member.start;
                    if let Some(group) = grouper.push(member) {
                        let bytes = walk.input.cut(next);
                        self.push(&group, bytes, &location);
                        if self.is_full() {
                            self.hand_over(Cursor { shard: number as u64, offset: next, place: 0 }, sender)?;
                        }
                    }
                }
                Ok(None) if walk.is_ended() => break None,
                Ok(None) => {
                    let detail = "the tar ends without its end mark: it may be cut";
                    let error = Error::new(Stage::Tar, Reason::Truncated, detail);
                    break Some(error.at_offset(walk.input.position()));
                }
                Err(error) => break Some(error),
            }
        };
        let last = match &error {
            None => Ok(grouper.finish()),
            Some(error) => grouper.finish_cut(error.member()),
        };
        if let Ok(Some(group)) = &last {
            let (bytes, start) = walk.input.cut(u64::MAX);
            self.push(group, (bytes, start), &location);
        }
        if let Some(error) = error.map(|error| error.in_source(location.as_ref())) {
            self.window.bad.push(match last {
                Err(key) => error.in_member(key),
                Ok(_) => error,
            });
        }
        if self.is_full() {
            self.hand_over(Cursor { shard: number as u64 + 1, offset: 0, place: 0 }, sender)?;
        }
        Ok(())
    }

    /// Takes in a sample; `bytes` begin at byte `start` of the shard.
    fn push(&mut self, group: &Group, (bytes, start): (bytes::Bytes, u64), shard: &Arc<str>) {
        let place = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX).min(bytes.len());
        let own = bytes.slice(place(group.start)..place(group.end).max(place(group.start)));
        match Sample::parse(own, shard, group.start) {
            Ok(mut sample) => {
                sample.epoch = self.epoch;
                self.held += bytes.len();
                self.window.samples.push(sample);
            }
            Err(error) => self.window.bad.push(error),
        }
    }

    fn is_full(&self) -> bool {
        let Recipe { shuffle, lanes, window, .. } = self.sequence.recipe;
        let samples = if shuffle { lanes as usize * window as usize } else { lanes as usize };
        self.window.samples.len() >= samples || self.held >= WINDOW_BYTES
    }

    /// Gives the window away and begins the next at `next`.
    fn hand_over(&mut self, next: Cursor, sender: &SyncSender<Result<Window>>) -> Result<(), Unwanted> {
        let fresh = Window { start: next, samples: Vec::new(), bad: Vec::new() };
        let mut window = std::mem::replace(&mut self.window, fresh);
        self.held = 0;
        let Cursor { shard, offset, .. } = window.start;
        if self.sequence.recipe.shuffle {
            Random::new(&[SEQUENCE, self.sequence.seed, self.epoch, shard, offset]).shuffle(&mut window.samples);
        }
        sender.send(Ok(window)).map_err(|_| Unwanted)
    }
}

/// A tar that is read once; the bytes that were read since the last cut are kept.
struct Tape {
    reader: Box<dyn Read + Send>,
    position: u64,
    bytes: Vec<u8>,
    /// Where they begin.
    start: u64,
}

impl Tape {
    /// What is on the tape up to byte `to` of the shard, and where that begins.
    fn cut(&mut self, to: u64) -> (bytes::Bytes, u64) {
        let start = self.start;
        let at = usize::try_from(to.saturating_sub(start)).unwrap_or(usize::MAX).min(self.bytes.len());
        let rest = self.bytes.split_off(at);
        self.start += at as u64;
        (std::mem::replace(&mut self.bytes, rest).into(), start)
    }

    /// Reads up to `count` bytes onto the tape; gives how many there were.
    fn record(&mut self, count: u64) -> Result<u64> {
        if self.bytes.len() as u64 + count > MAX_SAMPLE {
            let detail = format!("a sample of more than {MAX_SAMPLE} bytes");
            return Err(Error::new(Stage::Tar, Reason::TooLarge, detail).at_offset(self.position));
        }
        let before = self.bytes.len();
        let read = self.reader.by_ref().take(count).read_to_end(&mut self.bytes);
        let count = (self.bytes.len() - before) as u64;
        let position = self.position;
        self.position += count;
        read.map(|_| count).map_err(|error| Error::io(Stage::Fetch, &error).at_offset(position))
    }
}

impl Input for Tape {
    fn position(&self) -> u64 {
        self.position
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let before = self.bytes.len();
        let count = usize::try_from(self.record(buffer.len() as u64)?).unwrap_or(0);
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), self.bytes.get(before..)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn skip(&mut self, count: u64) -> Result<bool> {
        Ok(self.record(count)? == count)
    }
}
