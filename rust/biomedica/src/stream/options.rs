//! What a stream can be told, and what it tells: its state, its counts, what was bad.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::order::{Deal, Recipe, wrong};
use super::sample::Sample;
use super::sequence::Cursor;
use crate::error::{Error, Result};
use crate::store::StoreOptions;

/// The version of a state's layout.
pub(super) const VERSION: u32 = 1;

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
    /// Whether local shards are read as remote ones are. For tests.
    pub remote: bool,
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
            remote: false,
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
    /// Where it is in shards without an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
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
