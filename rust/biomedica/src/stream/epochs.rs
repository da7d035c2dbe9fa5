//! A stream: epochs one after the other, each from the place where the last state left it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::catalog::{Catalog, Opened};
use super::fetch::{Ahead, Fetcher, Poll};
use super::objects::{Kept, Objects};
use super::order::{Deal, Recipe, wrong};
use super::plan::Plan;
use super::sample::Sample;
use super::turns::{Indexed, Turn, Turns};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::hex;
use crate::pipeline;
use crate::store::StoreOptions;

/// Bad samples are set against so many at least: a few at the beginning end nothing.
const FEWEST: u64 = 1000;
/// Bad samples that are told one by one.
const MAX_REPORTS: usize = 1000;
/// What a worker takes at a time from local shards.
const RUN_BYTES: u64 = 512 << 10;
const MAX_RUN: u64 = 32;
/// Threads that mostly wait for a network.
const REMOTE_THREADS: usize = 32;
const LOCAL_THREADS: usize = 4;
const VERSION: u32 = 1;

/// How a stream runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of the order.
    pub seed: u64,
    /// How the order is made.
    pub recipe: Recipe,
    /// Which samples this process takes.
    pub deal: Deal,
    /// The first epoch.
    pub epoch: u64,
    /// Threads that read; none for a number that suits the shards.
    pub threads: Option<usize>,
    /// Bytes of samples that are read and not yet taken.
    pub read_ahead: u64,
    /// Bytes of remote shards that are kept because they are needed soon.
    pub keep: u64,
    /// The share of bad samples at which the stream ends with an error.
    pub max_bad_fraction: f64,
    /// How objects are read.
    pub store: StoreOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            recipe: Recipe::default(),
            deal: Deal::default(),
            epoch: 0,
            threads: None,
            read_ahead: 64 << 20,
            keep: 1 << 30,
            max_bad_fraction: 0.05,
            store: StoreOptions::default(),
        }
    }
}

impl Options {
    /// Fails when a number makes no sense.
    pub fn check(&self) -> Result<()> {
        self.recipe.check()?;
        self.deal.check(&self.recipe)?;
        let fraction = self.max_bad_fraction;
        if !(0.0..=1.0).contains(&fraction) {
            return Err(wrong(format!("max_bad_fraction is {fraction}, but must be between 0 and 1")));
        }
        Ok(())
    }
}

/// Where a stream is: all that is needed to go on with it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of this layout.
    pub version: u32,
    /// Of the order.
    pub seed: u64,
    /// The epoch.
    pub epoch: u64,
    /// Samples of it that all ranks together have had.
    pub position: u64,
    /// Of the recipe.
    pub shuffle: bool,
    /// Of the recipe.
    pub lanes: u32,
    /// Of the recipe.
    pub block: u32,
    /// Of the recipe.
    pub window: u32,
    /// What the shards and their samples are known by.
    pub fingerprint: String,
}

/// A sample that could not be used, and what was wrong with it.
#[derive(Debug)]
pub struct Bad {
    /// The epoch.
    pub epoch: u64,
    /// The turn for which it was wanted.
    pub position: u64,
    /// What is wrong: the shard, the member and the offset are in it.
    pub error: Error,
}

/// What a stream has counted since it was opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {
    /// Samples handed out.
    pub samples: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Turns whose own sample could not be used.
    pub bad_samples: u64,
    /// Time in which a sample was wanted and none was there.
    pub waited: Duration,
}

/// What a stream has next.
#[derive(Debug)]
pub enum Next {
    /// A sample.
    Sample(Sample),
    /// Nothing yet.
    Wait,
    /// The epoch is over.
    End,
}

/// Samples of an epoch, then of the next.
pub struct Stream {
    indexed: Arc<Indexed>,
    options: Options,
    fingerprint: String,
    epoch: u64,
    /// Where in the epoch it began.
    start: u64,
    /// Samples that this rank has had since.
    taken: u64,
    /// The end was told; the next epoch begins when it is asked for.
    is_over: bool,
    fetcher: Option<Fetcher<Turns>>,
    is_stopped: Arc<AtomicBool>,
    stats: Stats,
    bad: Vec<Bad>,
}

impl Stream {
    /// A stream over sources, each with its weight.
    pub fn new(sources: Vec<(Opened, f64)>, options: Options) -> Result<Self> {
        options.check()?;
        let mut catalogs = Vec::new();
        let mut weights = Vec::new();
        for (opened, weight) in sources {
            match opened {
                Opened::Indexed(catalog) => catalogs.push(catalog),
                Opened::Unindexed(_, name) => {
                    let detail = "it has no index: make one with `biomedica index`, and put it beside the shard";
                    return Err(Error::new(Stage::Open, Reason::NotFound, detail).in_source(name));
                }
            }
            weights.push(weight);
        }
        let indexed = Indexed::new(catalogs, weights, &options)?;
        let fingerprint = indexed.fingerprint();
        Ok(Self {
            epoch: options.epoch,
            indexed: Arc::new(indexed),
            options,
            fingerprint,
            start: 0,
            taken: 0,
            is_over: false,
            fetcher: None,
            is_stopped: Arc::default(),
            stats: Stats::default(),
            bad: Vec::new(),
        })
    }

    /// Samples of an epoch, over all ranks.
    pub fn count(&self) -> u64 {
        self.indexed.plan.count()
    }

    /// Samples that this rank has of a whole epoch.
    pub fn len(&self) -> u64 {
        self.options.deal.len(self.count(), 0)
    }

    /// Whether this rank has no sample at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        let waited = self.fetcher.as_ref().map_or(Duration::ZERO, |fetcher| fetcher.waited);
        Stats { waited: self.stats.waited + waited, ..self.stats }
    }

    /// The first thousand samples that could not be used.
    pub fn bad(&self) -> &[Bad] {
        &self.bad
    }

    /// What is wrong with shards of which samples were found nevertheless.
    pub fn problems(&self) -> impl Iterator<Item = &Error> {
        self.indexed.catalogs.iter().flat_map(Catalog::problems)
    }

    /// Begins the next epoch if this one was told to be over.
    pub fn begin(&mut self) {
        if self.is_over {
            self.go_to(self.epoch + 1, 0);
        }
    }

    /// The next sample of the epoch, if there is one within `timeout`.
    pub fn next_within(&mut self, timeout: Duration) -> Result<Next> {
        if self.is_over || self.taken >= self.left() {
            self.stop();
            self.is_over = true;
            return Ok(Next::End);
        }
        let fetcher = match &mut self.fetcher {
            Some(fetcher) => fetcher,
            None => {
                let fetcher = self.fetcher();
                self.fetcher.insert(fetcher)
            }
        };
        match fetcher.next_within(timeout) {
            Poll::Wait => Ok(Next::Wait),
            Poll::End => Err(Error::new(Stage::Fetch, Reason::Internal, "the epoch ended too early")),
            Poll::Item(turn) => {
                self.taken += 1;
                let turn = turn.inspect_err(|_| self.stats.bad_samples += 1)?;
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
        let turn = self.indexed.turn(sample.epoch, sample.position, None, sample.steps + 1, &|| false)?;
        self.hand_out(turn, false).map(Some)
    }

    /// Where the stream is after `taken` samples of this rank, or after those that were handed out.
    pub fn state(&self, taken: Option<u64>) -> State {
        let taken = taken.unwrap_or(self.taken);
        let is_over = taken >= self.left();
        let position = self.start + taken * u64::from(self.options.deal.world_size);
        let (epoch, position) = if is_over { (self.epoch + 1, 0) } else { (self.epoch, position) };
        let Recipe { shuffle, lanes, block, window } = self.options.recipe;
        let fingerprint = self.fingerprint.clone();
        State { version: VERSION, seed: self.options.seed, epoch, position, shuffle, lanes, block, window, fingerprint }
    }

    /// Goes on where `state` was taken. Its seed and recipe hold from now on.
    pub fn load_state(&mut self, state: &State) -> Result<()> {
        if state.version != VERSION {
            return Err(wrong(format!("a state of version {}; this one knows {VERSION}", state.version)));
        }
        if state.fingerprint != self.fingerprint {
            let detail = "the state is of other shards, or of these with another number of samples";
            return Err(wrong(format!("{detail} ({}, not {})", state.fingerprint, self.fingerprint)));
        }
        let State { shuffle, lanes, block, window, .. } = *state;
        let recipe = Recipe { shuffle, lanes, block, window };
        recipe.check()?;
        self.options.deal.check(&recipe)?;
        if state.position > self.count() {
            return Err(wrong(format!("the state is at sample {} of {}", state.position, self.count())));
        }
        self.stop();
        if (recipe, state.seed) != (self.options.recipe, self.options.seed) {
            self.options = Options { recipe, seed: state.seed, ..self.options.clone() };
            self.indexed = Arc::new(self.indexed.with(&self.options)?);
        }
        self.go_to(state.epoch, state.position);
        Ok(())
    }

    /// Goes to the beginning of an epoch, unless it is at hand already: then the stream stays where it is in it.
    pub fn set_epoch(&mut self, epoch: u64) {
        let State { epoch: at_hand, position, .. } = self.state(None);
        self.go_to(epoch, if epoch == at_hand { position } else { 0 });
    }

    /// Ends what threads are at. What is asked for next begins anew, at the same place.
    pub fn stop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        if let Some(fetcher) = self.fetcher.take() {
            self.stats.waited += fetcher.waited;
        }
        self.is_stopped = Arc::default();
    }

    fn go_to(&mut self, epoch: u64, position: u64) {
        let is_here =
            (epoch, position) == (self.epoch, self.start + self.taken * u64::from(self.options.deal.world_size));
        if is_here && !self.is_over {
            return;
        }
        self.stop();
        (self.epoch, self.start, self.taken, self.is_over) = (epoch, position, 0, false);
    }

    /// Samples that this rank has from the start on.
    fn left(&self) -> u64 {
        self.options.deal.len(self.count(), self.start)
    }

    fn fetcher(&self) -> Fetcher<Turns> {
        let indexed = &self.indexed;
        let is_local = indexed.is_local();
        let average = indexed.catalogs.iter().map(Catalog::num_bytes).sum::<u64>() / self.count().max(1);
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
        // What is left begins where the samples that were taken end.
        let start = self.start + self.taken * u64::from(self.options.deal.world_size);
        let turns = Turns {
            indexed: Arc::clone(indexed),
            deal: self.options.deal,
            epoch: self.epoch,
            start,
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
        self.stop();
    }
}

impl Indexed {
    fn new(catalogs: Vec<Catalog>, weights: Vec<f64>, options: &Options) -> Result<Self> {
        let catalogs = Arc::new(catalogs);
        let plan = plan(&catalogs, &weights, options)?;
        // Without shuffling, the samples of a run go to all ranks: each would fetch all of it.
        let is_shared = !options.recipe.shuffle && options.deal.world_size > 1;
        Ok(Self {
            catalogs,
            weights,
            plan,
            recipe: options.recipe,
            objects: Arc::new(Objects::new(options.store.clone())),
            kept: Kept::new(if is_shared { 0 } else { options.keep }),
        })
    }

    /// The same shards in another order.
    fn with(&self, options: &Options) -> Result<Self> {
        Ok(Self {
            catalogs: Arc::clone(&self.catalogs),
            weights: self.weights.clone(),
            plan: plan(&self.catalogs, &self.weights, options)?,
            recipe: options.recipe,
            objects: Arc::clone(&self.objects),
            kept: Kept::new(options.keep),
        })
    }

    fn is_local(&self) -> bool {
        let mut shards = self.catalogs.iter().flat_map(Catalog::shards);
        shards.all(|shard| !shard.location().contains("://"))
    }

    /// Shards by their own names, so that they may be moved, and their numbers of samples.
    fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for (catalog, share) in self.catalogs.iter().zip(self.plan.shares()) {
            hasher.update(format!("{share}\n"));
            for shard in catalog.shards() {
                let path = shard.location().split('?').next().unwrap_or_default();
                let name = path.rsplit('/').next().unwrap_or_default();
                hasher.update(format!("{name}\n{}\n", shard.len()));
            }
        }
        hex(&hasher.finalize().into()).chars().take(32).collect()
    }
}

fn plan(catalogs: &[Catalog], weights: &[f64], options: &Options) -> Result<Plan> {
    let counts = catalogs.iter().map(Catalog::counts);
    Plan::new(counts.zip(weights.iter().copied()).collect(), options.recipe, options.seed)
}
