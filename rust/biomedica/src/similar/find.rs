//! Which of many hashes are near others: those of test images among those of a dataset.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::search::Search;
use crate::error::{Error, Reason, Result, Stage};

/// Queries that a thread takes at a time.
const BLOCK: usize = 64;

/// Pairs of near hashes: by query, then by hash.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Of each pair, which query it is.
    pub queries: Vec<u32>,
    /// Of each pair, which hash it is.
    pub numbers: Vec<u32>,
    /// Bits in which the two differ.
    pub distances: Vec<u8>,
}

/// Finds, of each query, all `hashes` that differ from it, turned and mirrored in any way, in at most `threshold` bits.
///
/// 0 stands for an image without a hash, among queries and hashes: it is near nothing.
///
/// Gives none when there are more than `most` pairs, which would fill the memory. Fails when there are more hashes than 32
/// bits count, and when `stop` says so.
pub fn find(
    queries: &[u64],
    hashes: &[u64],
    threshold: u32,
    most: usize,
    threads: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Found>> {
    if u32::try_from(hashes.len().max(queries.len())).is_err() {
        return Err(Error::new(Stage::Image, Reason::Mismatch, "more hashes than 32 bits count"));
    }
    let there: Vec<u32> = (0..).zip(hashes).filter(|(_, hash)| **hash != 0).map(|(number, _)| number).collect();
    let known: Vec<u64> = there.iter().map(|&number| hashes[number as usize]).collect();
    let search = Search::new(&known, threshold);

    let blocks = queries.len().div_ceil(BLOCK);
    let mut found: Vec<Vec<(u32, u32, u8)>> = vec![Vec::new(); blocks];
    let waiting = Mutex::new((0_u32..).step_by(BLOCK).zip(queries.chunks(BLOCK)).zip(&mut found));
    let (left, is_over) = (Mutex::new(most), AtomicBool::new(false));
    let worker = || {
        let mut near = Vec::new();
        while !is_over.load(Ordering::Relaxed) && !stop() {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(((start, block), slot)) = next else { break };
            for (query, &hash) in (start..).zip(block).filter(|(_, hash)| **hash != 0) {
                near.clear();
                search.near(hash, &mut near);
                let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(rest) = left.checked_sub(near.len()) else {
                    is_over.store(true, Ordering::Relaxed);
                    return;
                };
                *left = rest;
                slot.extend(near.iter().map(|&(number, distance)| (query, there[number as usize], distance)));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(blocks) {
            scope.spawn(worker);
        }
        worker();
    });
    if is_over.load(Ordering::Relaxed) {
        return Ok(None);
    }
    if stop() {
        return Err(Error::new(Stage::Image, Reason::Interrupted, "stopped while searching"));
    }
    let mut pairs = Found::default();
    for (query, number, distance) in found.into_iter().flatten() {
        pairs.queries.push(query);
        pairs.numbers.push(number);
        pairs.distances.push(distance);
    }
    Ok(Some(pairs))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::phash::{distance, variants};
    use super::*;

    fn random(count: usize, mut state: u64) -> Vec<u64> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state ^ state >> 29) & !1
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn each_query_finds_all_that_are_near_whatever_the_threads() {
        let hashes = random(5000, 1);
        let mut queries = random(300, 2);
        for (at, query) in queries.iter_mut().enumerate().skip(1).step_by(3) {
            *query = variants(hashes[7 * at])[at % 8] ^ (1 << (1 + at % 63)) ^ (2 << (at % 60));
        }
        queries[0] = 0;
        let expected: Vec<_> = (0_u32..)
            .zip(&queries)
            .filter(|(_, query)| **query != 0)
            .flat_map(|(at, &query)| {
                (0_u32..).zip(&hashes).map(move |(number, &hash)| (at, number, distance(query, hash)))
            })
            .filter(|(_, _, distance)| *distance <= 4)
            .collect();
        assert!(expected.len() >= 100);
        for threads in [1, 3] {
            let found = find(&queries, &hashes, 4, 1000, threads, &|| false).unwrap().unwrap();
            let pairs: Vec<_> = found
                .queries
                .iter()
                .zip(&found.numbers)
                .zip(&found.distances)
                .map(|((&query, &number), &distance)| (query, number, u32::from(distance)))
                .collect();
            assert_eq!(pairs, expected);
        }
    }

    #[test]
    fn images_without_a_hash_are_near_nothing() {
        let found = find(&[0, 2], &[0, 2, 0, 6], 1, 10, 2, &|| false).unwrap();
        assert_eq!(found, Some(Found { queries: vec![1, 1], numbers: vec![1, 3], distances: vec![0, 1] }));
        assert_eq!(find(&[], &[2], 4, 10, 2, &|| false).unwrap(), Some(Found::default()));
        assert_eq!(find(&[2], &[], 4, 10, 2, &|| false).unwrap(), Some(Found::default()));
    }

    #[test]
    fn too_many_pairs_are_none_and_a_stop_is_an_error() {
        let same = vec![2; 100];
        assert_eq!(find(&same, &same, 0, 10_000, 2, &|| false).unwrap().unwrap().queries.len(), 10_000);
        assert_eq!(find(&same, &same, 0, 9_999, 2, &|| false).unwrap(), None);
        assert_eq!(find(&same, &same, 0, 10_000, 2, &|| true).unwrap_err().reason(), Reason::Interrupted);
    }
}
