//! From a place in an epoch to a sample of a source, for one source or for a mixture of several by weight.
//!
//! A mixture is drawn lane by lane: of every 1,024 draws of a lane, each source has a fixed number that follows from its
//! weight, in an order by seed, lane and run of draws. A source's draws of a lane walk along the same lane of the source's
//! own order, pass after pass, so each of its samples comes once in a pass, however long an epoch of the mixture is. One
//! source alone is a mixture in which it has every draw.

use std::sync::{Arc, Mutex, PoisonError};

use super::order::{Order, Recipe, wrong};
use super::random::Random;
use crate::error::Result;

const DRAWS: u64 = 3;
/// Draws of a lane among which the sources have exactly their shares.
const ROUND: u32 = 1024;
/// Orders of a source that are kept: lanes differ in how far they are.
const KEPT: usize = 3;

/// The sources and how they are drawn.
#[derive(Debug)]
pub(super) struct Plan {
    recipe: Recipe,
    seed: u64,
    count: u64,
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    /// Samples by shard.
    counts: Vec<u32>,
    count: u64,
    /// Of [`ROUND`] draws.
    share: u32,
    /// By pass, the oldest first.
    orders: Mutex<Vec<(u64, Arc<Order>)>>,
}

/// Where a sample is: the source, and the number of the sample in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) source: usize,
    pub(super) sample: u64,
}

impl Plan {
    /// A plan over sources, each with its samples by shard and its weight.
    pub(super) fn new(sources: Vec<(Vec<u32>, f64)>, recipe: Recipe, seed: u64) -> Result<Self> {
        let shares = shares(&sources.iter().map(|(_, weight)| *weight).collect::<Vec<_>>())?;
        let sources: Vec<Source> = sources
            .into_iter()
            .zip(shares)
            .map(|((counts, _), share)| Source {
                count: counts.iter().map(|&n| u64::from(n)).sum(),
                counts,
                share,
                orders: Mutex::new(Vec::new()),
            })
            .collect();
        Ok(Self { recipe, seed, count: sources.iter().map(|source| source.count).sum(), sources })
    }

    /// Samples in an epoch: those of all sources together.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn shares(&self) -> impl Iterator<Item = u32> {
        self.sources.iter().map(|source| source.share)
    }

    /// Draws in which a source comes once, about.
    pub(super) fn draws_for_one(&self, source: usize) -> u64 {
        self.sources.get(source).map_or(1, |source| u64::from(ROUND.div_ceil(source.share.max(1))))
    }

    /// The sample at `position` of an epoch, moved on by `steps` within its lane.
    pub(super) fn place(&self, epoch: u64, position: u64, steps: u64) -> Place {
        let lanes = u64::from(self.recipe.lanes);
        let (lane, row) = (position % lanes, position / lanes);
        let rows = self.recipe.lane_len(self.count, lane).max(1);
        let draw = epoch.wrapping_mul(rows).wrapping_add((row + steps) % rows);
        let (index, own) = self.draw(lane, draw);
        let Some(source) = self.sources.get(index) else { return Place { source: 0, sample: 0 } };
        // A source with fewer samples than lanes has lanes without any: these take from another.
        let lane = if lane < source.count { lane } else { lane % source.count.max(1) };
        let rows = self.recipe.lane_len(source.count, lane).max(1);
        let order = source.order(self.recipe, self.seed, index as u64, own / rows);
        Place { source: index, sample: order.at(lane, own % rows) }
    }

    /// How many steps lead around the lane of `position`.
    pub(super) fn lane_len(&self, position: u64) -> u64 {
        self.recipe.lane_len(self.count, position % u64::from(self.recipe.lanes))
    }

    /// The source that a draw of a lane takes from, and how many draws of the lane it had before.
    fn draw(&self, lane: u64, draw: u64) -> (usize, u64) {
        if self.sources.len() <= 1 {
            return (0, draw);
        }
        let (round, at) = (draw / u64::from(ROUND), usize::try_from(draw % u64::from(ROUND)).unwrap_or(0));
        let slots = self.sources.iter().enumerate();
        let mut slots: Vec<usize> = slots.flat_map(|(i, source)| (0..source.share).map(move |_| i)).collect();
        if self.recipe.shuffle {
            Random::new(&[DRAWS, self.seed, lane, round]).shuffle(&mut slots);
        } else {
            // An odd number visits all 1,024; this one, near the golden section, spreads each source evenly.
            slots = (0..slots.len()).filter_map(|n| slots.get(n * 633 % slots.len()).copied()).collect();
        }
        let index = slots.get(at).copied().unwrap_or(0);
        let before = slots.iter().take(at).filter(|&&other| other == index).count() as u64;
        let share = self.sources.get(index).map_or(0, |source| u64::from(source.share));
        (index, round * share + before)
    }
}

impl Source {
    fn order(&self, recipe: Recipe, seed: u64, source: u64, pass: u64) -> Arc<Order> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, order)) = orders.iter().find(|(number, _)| *number == pass) {
            return Arc::clone(order);
        }
        let order = Arc::new(Order::new(&self.counts, recipe, seed, source, pass));
        if orders.len() >= KEPT {
            orders.remove(0);
        }
        orders.push((pass, Arc::clone(&order)));
        order
    }
}

/// Weights as numbers of [`ROUND`] draws, by largest remainders; at least one each.
fn shares(weights: &[f64]) -> Result<Vec<u32>> {
    if weights.is_empty() || weights.len() > ROUND as usize {
        return Err(wrong(format!("{} sources, but there must be 1 to {ROUND}", weights.len())));
    }
    if let Some(weight) = weights.iter().find(|weight| !(weight.is_finite() && **weight > 0.0)) {
        return Err(wrong(format!("a weight is {weight}, but must be a number above zero")));
    }
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| weight / sum * f64::from(ROUND)).collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and 1,024
    let mut shares: Vec<u32> = exact.iter().map(|share| (share.floor() as u32).max(1)).collect();
    let missing = |shares: &[u32], i: usize| {
        exact.get(i).copied().unwrap_or(0.0) - f64::from(shares.get(i).copied().unwrap_or(0))
    };
    loop {
        let total: u32 = shares.iter().sum();
        let all = 0..shares.len();
        let by = |a: &usize, b: &usize| missing(&shares, *a).total_cmp(&missing(&shares, *b)).then(b.cmp(a));
        let (change, add) = match total.cmp(&ROUND) {
            std::cmp::Ordering::Equal => return Ok(shares),
            std::cmp::Ordering::Less => (all.max_by(by), true),
            std::cmp::Ordering::Greater => (all.filter(|&i| shares.get(i).is_some_and(|&n| n > 1)).min_by(by), false),
        };
        if let Some(share) = change.and_then(|i| shares.get_mut(i)) {
            *share = if add { *share + 1 } else { *share - 1 };
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
