//! 64-bit hashes of texts. They say which images a seeded selection takes, so they must not change.

use crate::random::{STEP, SplitMix64, mix};

/// Bytes whose weights are kept; those of longer texts are made as they are needed.
const KEPT: usize = 64;
/// The weights of the first bytes: the numbers of [`SplitMix64`] from 0 on.
const WEIGHTS: [u64; KEPT] = {
    let (mut weights, mut random, mut n) = ([0; KEPT], SplitMix64(0), 0);
    while n < KEPT {
        weights[n] = random.next();
        n += 1;
    }
    weights
};

/// The hash of a text: multilinear over its bytes (Lemire and Kaser 2014, doi 10.1093/comjnl/bxt070), then mixed.
pub fn hash(text: &[u8]) -> u64 {
    let (first, rest) = text.split_at(text.len().min(KEPT));
    // The state after the weights that are kept.
    let mut random = SplitMix64(STEP.wrapping_mul(KEPT as u64));
    let weights = WEIGHTS.into_iter().zip(first);
    let sum = weights.fold(0_u64, |sum, (weight, byte)| sum.wrapping_add(weight.wrapping_mul(u64::from(*byte) + 1)));
    let sum = rest.iter().fold(sum, |sum, byte| sum.wrapping_add(random.next().wrapping_mul(u64::from(*byte) + 1)));
    mix(sum.wrapping_mul(STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_released_versions() {
        let long = "PMC".repeat(50);
        let found = ["", "a", "PMC1234567_0001", &long].map(|text| hash(text.as_bytes()));
        assert_eq!(found, [0, 11_037_621_290_076_785_993, 2_415_678_826_627_147_033, 7_883_385_830_386_706_403]);
    }
}
