//! A stream: epochs one after the other, each from the place where the last state left it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::catalog::{Catalog, Opened};
use super::fetch::{Ahead, Fetcher, Poll};
use super::options::{Bad, Next, Options, State, Stats, VERSION};
use super::order::{Deal, Recipe, wrong};
use super::sample::Sample;
use super::sequence::{Cursor, Windows};
use super::shards::{Reader, Shards};
use super::turns::{Indexed, Turn, Turns};
use crate::error::{Error, Reason, Result, Stage};
use crate::pipeline;

/// Bad samples are set against so many at least: a few at the beginning end nothing.
const FEWEST: u64 = 1000;
/// Bad samples that are told one by one.
const MAX_REPORTS: usize = 1000;
/// What a worker takes at a time from local shards.
const RUN_BYTES: u64 = 1 << 20;
const MAX_RUN: u64 = 32;
/// Threads that mostly wait for a network.
const REMOTE_THREADS: usize = 32;
const LOCAL_THREADS: usize = 4;

/// Samples of an epoch, then of the next.
pub struct Stream {
    shards: Shards,
    options: Options,
    fingerprint: String,
    epoch: u64,
    /// Where in the epoch it began.
    start: u64,
    /// Samples that this rank has had since.
    taken: u64,
    /// The end was told; the next epoch begins when it is asked for.
    is_over: bool,
    /// Where in shards without an index it began.
    cursor: Cursor,
    reader: Option<Reader>,
    /// Samples that had been taken when the reader began.
    taken_before: u64,
    is_stopped: Arc<AtomicBool>,
    stats: Stats,
    bad: Vec<Bad>,
}

impl Stream {
    /// A stream over sources, each with its weight. What waits for a server on its behalf ends when it is dropped.
    pub fn new(sources: Vec<(Opened, f64)>, mut options: Options) -> Result<Self> {
        options.check()?;
        // Its own: dropping a stream must not end what else its caller reads.
        options.store.stop = Arc::default();
        let shards = Shards::new(sources, &options)?;
        let fingerprint = shards.fingerprint();
        Ok(Self {
            epoch: options.epoch,
            shards,
            options,
            fingerprint,
            start: 0,
            taken: 0,
            is_over: false,
            cursor: Cursor::default(),
            reader: None,
            taken_before: 0,
            is_stopped: Arc::default(),
            stats: Stats::default(),
            bad: Vec::new(),
        })
    }

    /// Samples of an epoch, over all ranks; none when shards without an index are read.
    pub fn count(&self) -> Option<u64> {
        match &self.shards {
            Shards::Indexed(indexed) => Some(indexed.plan.count()),
            Shards::Sequence(_) => None,
        }
    }

    /// Samples that this rank has of a whole epoch, if that is known.
    pub fn samples(&self) -> Option<u64> {
        self.count().map(|count| self.options.deal.len(count, 0))
    }

    /// The epoch at hand, or that was told to be over.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Samples of this epoch that this rank has had since the epoch, or a state that was loaded, began.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// What was counted.
    pub fn stats(&self) -> Stats {
        let waited = self.reader.as_ref().map_or(Duration::ZERO, Reader::waited);
        Stats { waited: self.stats.waited + waited, ..self.stats }
    }

    /// The first thousand samples that could not be used.
    pub fn bad(&self) -> &[Bad] {
        &self.bad
    }

    /// What is wrong with shards of which samples were found nevertheless.
    pub fn problems(&self) -> impl Iterator<Item = &Error> {
        let catalogs: &[Catalog] = match &self.shards {
            Shards::Indexed(indexed) => &indexed.catalogs,
            Shards::Sequence(_) => &[],
        };
        catalogs.iter().flat_map(Catalog::problems)
    }

    /// Begins the next epoch if this one was told to be over.
    pub fn begin(&mut self) {
        if self.is_over {
            self.go_to(self.epoch + 1, 0, Cursor::default());
        }
    }

    /// The next sample of the epoch, if there is one within `timeout`.
    pub fn next_within(&mut self, timeout: Duration) -> Result<Next> {
        if self.is_over || self.taken >= self.left() {
            self.end();
            return Ok(Next::End);
        }
        let reader = self.reader.take().unwrap_or_else(|| self.reader());
        let reader = self.reader.insert(reader);
        let poll = reader.next_within(timeout);
        if let Reader::Windows(windows) = reader {
            for error in std::mem::take(&mut windows.bad) {
                self.tell_bad(self.epoch, self.start + self.taken, error);
                self.count_bad(true)?;
            }
        }
        match poll {
            Poll::Wait => Ok(Next::Wait),
            Poll::End => {
                self.end();
                Ok(Next::End)
            }
            Poll::Item(turn) => {
                let position = self.start + self.taken;
                self.taken += 1;
                let mut turn = turn.inspect_err(|_| self.stats.bad_samples += 1)?;
                if matches!(self.shards, Shards::Sequence(_)) {
                    turn.sample.position = position;
                }
                self.hand_out(turn, true).map(Next::Sample)
            }
        }
    }

    /// What stands in for a sample that was handed out and could not be used, for the reason `why`: the next of its lane
    /// that can be read. The sample is counted and told as bad.
    pub fn replacement(&mut self, sample: &Sample, why: &str) -> Result<Option<Sample>> {
        let error = Error::new(Stage::Image, Reason::Corrupt, why)
            .in_source(sample.shard.as_ref())
            .in_member(sample.key.as_str())
            .at_offset(sample.offset);
        self.tell_bad(sample.epoch, sample.position, error);
        // One that stands in already was counted when it came.
        self.count_bad(sample.steps == 0)?;
        match &self.shards {
            Shards::Indexed(indexed) => {
                let turn = indexed.turn(sample.epoch, sample.position, None, sample.steps + 1, &|| false)?;
                self.hand_out(turn, false).map(Some)
            }
            Shards::Sequence(_) => loop {
                match self.next_within(Duration::from_secs(1))? {
                    Next::Sample(sample) => return Ok(Some(sample)),
                    Next::Wait => {}
                    Next::End => return Ok(None),
                }
            },
        }
    }

    /// Where the stream is after `taken` samples of this rank, or after those that were handed out.
    pub fn state(&self, taken: Option<u64>) -> State {
        let taken = taken.unwrap_or(self.taken);
        let is_over = (self.is_over && taken >= self.taken) || taken >= self.most();
        let position = self.position(taken);
        let (epoch, position) = if is_over { (self.epoch + 1, 0) } else { (self.epoch, position) };
        let Recipe { shuffle, lanes, block, window } = self.options.recipe;
        let cursor = match &self.shards {
            Shards::Indexed(_) => None,
            Shards::Sequence(_) if is_over => Some(Cursor::default()),
            Shards::Sequence(_) => Some(self.cursor(taken)),
        };
        let (seed, fingerprint) = (self.options.seed, self.fingerprint.clone());
        State { version: VERSION, seed, epoch, position, shuffle, lanes, block, window, fingerprint, cursor }
    }

    /// Goes on where `state` was taken. Its seed and recipe hold from now on.
    pub fn load_state(&mut self, state: &State) -> Result<()> {
        if state.version != VERSION {
            return Err(wrong(format!("a state of version {}; this one knows {VERSION}", state.version)));
        }
        if state.fingerprint != self.fingerprint {
            let detail = "the state is of other shards, or of these with other samples or another selection";
            return Err(wrong(format!("{detail} ({}, not {})", state.fingerprint, self.fingerprint)));
        }
        let State { shuffle, lanes, block, window, .. } = *state;
        let recipe = Recipe { shuffle, lanes, block, window };
        recipe.check()?;
        self.options.deal.check(&recipe)?;
        if let Some(count) = self.count().filter(|&count| state.position > count) {
            return Err(wrong(format!("the state is at sample {} of {count}", state.position)));
        }
        self.stop();
        if (recipe, state.seed) != (self.options.recipe, self.options.seed) {
            self.options = Options { recipe, seed: state.seed, ..self.options.clone() };
            match &mut self.shards {
                Shards::Indexed(indexed) => *indexed = Arc::new(indexed.with(&self.options)?),
                Shards::Sequence(sequence) => (sequence.recipe, sequence.seed) = (recipe, state.seed),
            }
        }
        self.go_to(state.epoch, state.position, state.cursor.unwrap_or_default());
        Ok(())
    }

    /// Goes to the beginning of an epoch, unless it is at hand already: then the stream stays where it is in it.
    pub fn set_epoch(&mut self, epoch: u64) {
        let State { epoch: at_hand, position, cursor, .. } = self.state(None);
        let (position, cursor) = if epoch == at_hand { (position, cursor) } else { (0, None) };
        self.go_to(epoch, position, cursor.unwrap_or_default());
    }

    /// Ends what threads are at. What is asked for next begins anew, at the same place.
    pub fn stop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.cursor = self.cursor(self.taken);
        self.taken_before = self.taken;
        if let Some(reader) = self.reader.take() {
            self.stats.waited += reader.waited();
        }
        self.is_stopped = Arc::default();
    }

    fn end(&mut self) {
        self.stop();
        self.is_over = true;
    }

    fn go_to(&mut self, epoch: u64, position: u64, cursor: Cursor) {
        if !self.is_over && (epoch, position) == (self.epoch, self.position(self.taken)) {
            return;
        }
        self.stop();
        (self.epoch, self.start, self.cursor) = (epoch, position, cursor);
        (self.taken, self.taken_before, self.is_over) = (0, 0, false);
    }

    /// Samples of the epoch that all ranks have had when this one has had `taken`.
    fn position(&self, taken: u64) -> u64 {
        self.start + taken * u64::from(self.options.deal.world_size)
    }

    /// Where in shards without an index it is after `taken` samples.
    fn cursor(&self, taken: u64) -> Cursor {
        match &self.reader {
            Some(Reader::Windows(windows)) => windows.cursor(taken.saturating_sub(self.taken_before)),
            _ => self.cursor,
        }
    }

    /// Samples that this rank has from the start on.
    fn left(&self) -> u64 {
        self.count().map_or(u64::MAX, |count| self.options.deal.len(count, self.start))
    }

    /// Samples that the rank with the most has: only when that is done is the epoch over for all.
    fn most(&self) -> u64 {
        let deal = Deal { rank: 0, ..self.options.deal };
        self.count().map_or(u64::MAX, |count| deal.len(count, self.start))
    }

    fn reader(&self) -> Reader {
        match &self.shards {
            Shards::Indexed(indexed) => Reader::Turns(self.fetcher(indexed)),
            Shards::Sequence(sequence) => Reader::Windows(Windows::new(sequence.clone(), self.epoch, self.cursor)),
        }
    }

    fn fetcher(&self, indexed: &Arc<Indexed>) -> Fetcher<Turns> {
        let is_local = indexed.is_local();
        let bytes: u64 = indexed.catalogs.iter().map(Catalog::num_bytes).sum();
        let average = bytes / indexed.plan.count().max(1);
        let ahead = Ahead {
            threads: match self.options.threads {
                None if is_local => pipeline::threads(None).min(LOCAL_THREADS),
                None => REMOTE_THREADS,
                asked => pipeline::threads(asked),
            },
            bytes: self.options.read_ahead,
            run: if is_local { (RUN_BYTES / average.max(1)).clamp(1, MAX_RUN) } else { 1 },
            is_patient: is_local,
        };
        let turns = Turns {
            indexed: Arc::clone(indexed),
            deal: self.options.deal,
            epoch: self.epoch,
            // What is left begins where the samples that were taken end.
            start: self.position(self.taken),
            is_stopped: Arc::clone(&self.is_stopped),
        };
        Fetcher::new(turns, ahead)
    }

    fn hand_out(&mut self, turn: Turn, is_new: bool) -> Result<Sample> {
        let Turn { sample, bad } = turn;
        let is_bad = !bad.is_empty();
        for error in bad {
            self.tell_bad(sample.epoch, sample.position, error);
        }
        self.stats.samples += u64::from(is_new);
        self.stats.bytes += sample.num_bytes() as u64;
        self.count_bad(is_bad && is_new)?;
        Ok(sample)
    }

    fn tell_bad(&mut self, epoch: u64, position: u64, error: Error) {
        if self.bad.len() < MAX_REPORTS {
            self.bad.push(Bad { epoch, position, error });
        }
    }

    /// Counts a bad sample, if it is one more, and fails when there are too many.
    fn count_bad(&mut self, is_more: bool) -> Result<()> {
        if !is_more {
            return Ok(());
        }
        self.stats.bad_samples += 1;
        let Stats { samples, bad_samples, .. } = self.stats;
        #[allow(clippy::cast_precision_loss)] // both are far below 2^53
        let (allowed, bad) = (self.options.max_bad_fraction * samples.max(FEWEST) as f64, bad_samples as f64);
        if bad <= allowed {
            return Ok(());
        }
        let last = self.bad.last().map_or_else(String::new, |bad| format!("; the last: {}", bad.error));
        let fraction = self.options.max_bad_fraction;
        let detail =
            format!("{bad_samples} bad among {samples} samples, more than max_bad_fraction={fraction} allows{last}");
        Err(Error::new(Stage::Fetch, Reason::Corrupt, detail))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.options.store.stop.store(true, Ordering::Relaxed);
        self.stop();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Weak;
    use std::time::Instant;

    use super::super::catalog::Opening;
    use super::super::selection::Wanted;
    use super::*;
    use crate::store::StoreOptions;
    use crate::store::tests::server::{Answer, Server, serve};

    /// A server of one shard, of which it gives nothing once `stalls` is set, and of its index.
    fn server(index: Option<&'static str>, stalls: &Arc<AtomicBool>) -> Server {
        let stalls = Arc::clone(stalls);
        Server::new(move |_, request| match index {
            Some(index) if request.starts_with("GET /a.idx") => serve(index.as_bytes(), "1", request),
            None if request.starts_with("GET /a.idx") => Answer::new(404),
            _ if stalls.load(Ordering::SeqCst) => Answer { stall: Some(0), ..Answer::new(503) },
            _ => serve(&[0; 4096], "1", request),
        })
    }

    fn open(server: &Server) -> Stream {
        let store = StoreOptions::default();
        let opening = Opening {
            subsets: None,
            wanted: Wanted::default(),
            store: &store,
            threads: 1,
            remote: false,
            stop: &|| false,
        };
        let opened = Catalog::open(&[server.url("a.tar")], &opening).unwrap();
        Stream::new(vec![(opened, 1.0)], Options { store, ..Options::default() }).unwrap()
    }

    /// Whether all that threads hold of a stream is let go within a second.
    fn is_let_go<T: ?Sized>(held: &Weak<T>) -> bool {
        let begin = Instant::now();
        while held.strong_count() > 0 && begin.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(10));
        }
        held.strong_count() == 0
    }

    #[test]
    fn dropping_a_stream_ends_what_waits_for_a_stalled_server() {
        let stalls = Arc::default();
        let server = server(Some("v1.2 2\njpg 512 100 a.jpg\njpg 1536 100 b.jpg\n"), &stalls);
        let mut stream = open(&server);
        stalls.store(true, Ordering::SeqCst);
        assert!(matches!(stream.next_within(Duration::from_millis(300)), Ok(Next::Wait)));
        let Shards::Indexed(indexed) = &stream.shards else { unreachable!() };
        let held = Arc::downgrade(indexed);
        drop(stream);
        assert!(is_let_go(&held));
    }

    #[test]
    fn dropping_a_stream_without_an_index_ends_its_reader_too() {
        let stalls = Arc::default();
        let server = server(None, &stalls);
        let mut stream = open(&server);
        stalls.store(true, Ordering::SeqCst);
        assert!(matches!(stream.next_within(Duration::from_millis(300)), Ok(Next::Wait)));
        let Shards::Sequence(sequence) = &stream.shards else { unreachable!() };
        let held = Arc::downgrade(&sequence.locations);
        drop(stream);
        assert!(is_let_go(&held));
    }
}
