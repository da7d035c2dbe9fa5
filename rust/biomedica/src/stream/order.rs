//! The order of an epoch as a pure function: which sample is the `t`-th, without walking there.
//!
//! Runs of `block` neighbouring samples of a shard are permuted over the whole epoch; what they give in a row is cut into
//! `lanes` equal lanes; within a lane, each run of `window` samples is permuted. The epoch takes from the lanes in turn,
//! so sample `t` is in lane `t % lanes`, at place `t / lanes`. Ranks take turns too: a rank has lanes of its own, a block
//! has its samples near each other in one lane, and one number (how many samples all ranks have had) says where an epoch
//! stands, whatever the number of ranks.

use super::random::Random;
use crate::error::{Error, Reason, Result, Stage};

/// What the words of a generator are for, so that no two uses share numbers.
const BLOCKS: u64 = 1;
const WINDOW: u64 = 2;

/// How an order is made. All of it is part of a stream's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// Whether there is any order but that of the shards.
    pub shuffle: bool,
    /// Lanes; the number of ranks divides it.
    pub lanes: u32,
    /// Neighbouring samples of a shard that stay together.
    pub block: u32,
    /// Samples of a lane that are permuted among themselves.
    pub window: u32,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { shuffle: true, lanes: 64, block: 16, window: 64 }
    }
}

impl Recipe {
    /// Fails when a number makes no sense.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("lanes", self.lanes), ("block", self.block), ("window", self.window)] {
            if !(1..=1 << 16).contains(&value) {
                return Err(wrong(format!("{name} is {value}, but must be between 1 and 65536")));
            }
        }
        Ok(())
    }

    /// Samples of `lane` in an epoch of `count`; lanes differ by one sample at most.
    pub(super) fn lane_len(&self, count: u64, lane: u64) -> u64 {
        count.saturating_sub(lane).div_ceil(u64::from(self.lanes))
    }
}

/// Which samples of an epoch a process takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deal {
    /// The number of this process.
    pub rank: u32,
    /// The number of processes.
    pub world_size: u32,
    /// What happens when the samples do not come out even.
    pub remainder: Remainder,
}

/// What happens when the samples of an epoch are no multiple of the ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Remainder {
    /// Some ranks have one sample more.
    #[default]
    Keep,
    /// The last samples are left out.
    Drop,
    /// The first samples of the epoch are repeated.
    Pad,
}

impl Default for Deal {
    fn default() -> Self {
        Self { rank: 0, world_size: 1, remainder: Remainder::Keep }
    }
}

impl Deal {
    /// Fails when there is no such rank, or the lanes cannot be dealt evenly.
    pub fn check(&self, recipe: &Recipe) -> Result<()> {
        let Self { rank, world_size, .. } = *self;
        if rank >= world_size {
            return Err(wrong(format!("rank is {rank}, but must be below world_size, which is {world_size}")));
        }
        if !recipe.lanes.is_multiple_of(world_size) {
            let lanes = recipe.lanes;
            return Err(wrong(format!("world_size is {world_size}, but must divide lanes, which is {lanes}")));
        }
        Ok(())
    }

    /// Samples that this rank has of an epoch of `count` samples from `start` on.
    pub fn len(&self, count: u64, start: u64) -> u64 {
        let (rank, world_size) = (u64::from(self.rank), u64::from(self.world_size));
        let left = count.saturating_sub(start);
        match self.remainder {
            Remainder::Keep => left.saturating_sub(rank).div_ceil(world_size),
            Remainder::Drop => left / world_size,
            Remainder::Pad => left.div_ceil(world_size),
        }
    }

    /// The place in the epoch of this rank's `n`-th sample from `start` on.
    pub fn position(&self, count: u64, start: u64, n: u64) -> u64 {
        (start + u64::from(self.rank) + u64::from(self.world_size) * n) % count.max(1)
    }
}

/// The order of one pass over one list of shards.
#[derive(Debug)]
pub(super) struct Order {
    recipe: Recipe,
    key: [u64; 3],
    count: u64,
    /// Blocks as (first sample, end in the row of all blocks), in permuted order; empty without shuffling.
    blocks: Vec<(u32, u32)>,
}

impl Order {
    /// The order of pass `pass` over shards with so many samples each. `source` tells several lists apart.
    pub(super) fn new(counts: &[u32], recipe: Recipe, seed: u64, source: u64, pass: u64) -> Self {
        let key = [seed, source, pass];
        let count = counts.iter().map(|&n| u64::from(n)).sum();
        let mut blocks = Vec::new();
        if recipe.shuffle {
            let mut first = 0_u32;
            for &count in counts {
                let end = first.saturating_add(count);
                blocks.extend((first..end).step_by(recipe.block as usize).map(|at| (at, recipe.block.min(end - at))));
                first = end;
            }
            Random::new(&[BLOCKS, seed, source, pass]).shuffle(&mut blocks);
            let mut row = 0_u32;
            for (_, end) in &mut blocks {
                row = row.saturating_add(*end);
                *end = row;
            }
        }
        Self { recipe, key, count, blocks }
    }

    /// The sample at place `place` of lane `lane`, both within their bounds.
    pub(super) fn at(&self, lane: u64, place: u64) -> u64 {
        let lanes = u64::from(self.recipe.lanes);
        if !self.recipe.shuffle {
            return place * lanes + lane;
        }
        let lane_start = lane * (self.count / lanes) + lane.min(self.count % lanes);
        let row = lane_start + self.within_window(lane, place);
        let index = self.blocks.partition_point(|&(_, end)| u64::from(end) <= row);
        let row_start = index.checked_sub(1).and_then(|before| self.blocks.get(before)).map_or(0, |&(_, end)| end);
        let first = self.blocks.get(index).map_or(0, |&(first, _)| first);
        u64::from(first) + row - u64::from(row_start)
    }

    /// Where `place` of a lane goes by the permutation of its window.
    fn within_window(&self, lane: u64, place: u64) -> u64 {
        let window = u64::from(self.recipe.window);
        let number = place / window;
        let start = number * window;
        let end = (start + window).min(self.recipe.lane_len(self.count, lane));
        let mut places: Vec<u32> = (0..u32::try_from(end.saturating_sub(start)).unwrap_or(0)).collect();
        let [seed, source, pass] = self.key;
        Random::new(&[WINDOW, seed, source, pass, lane, number]).shuffle(&mut places);
        let within = usize::try_from(place - start).unwrap_or(0);
        start + places.get(within).map_or(0, |&to| u64::from(to))
    }
}

pub(super) fn wrong(detail: String) -> Error {
    Error::new(Stage::Open, Reason::Mismatch, detail)
}
