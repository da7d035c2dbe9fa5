//! The random numbers that orders are made of.
//!
//! A generator is named by the words it is made from (seed, epoch, lane, …), so that any part of an order can be
//! computed without the parts before it.

use crate::random::{STEP, SplitMix64, mix};

/// A generator; equal words give equal numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(SplitMix64);

impl Random {
    pub(super) fn new(words: &[u64]) -> Self {
        let named =
            words.iter().fold(0_u64, |state, word| mix(state.wrapping_add(STEP) ^ mix(word.wrapping_add(STEP))));
        Self(SplitMix64(named))
    }

    /// A number below `n`. Its bias is below `n / 2^64`, which no order is long enough to show.
    fn below(&mut self, n: usize) -> usize {
        let product = u128::from(self.0.next()) * n as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }

    /// Puts `items` into one of their orders, all equally likely (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_counts() {
        let first = |words: &[u64]| Random::new(words).0.next();
        let all = [first(&[]), first(&[0]), first(&[0, 0]), first(&[1, 0]), first(&[0, 1]), first(&[1, 1])];
        let mut unique = all.to_vec();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), all.len());
    }

    #[test]
    fn every_order_of_four_is_about_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            Random::new(&[seed]).shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|n| (850..1150).contains(n)), "{counts:?}");
    }
}
