//! Groups of images that look alike, each around its largest image.
//!
//! Joining all pairs that are near would join chains too: A is like B, B like C, and so on to images that have nothing
//! in common. Here a group is a star instead. The largest image that is in no group yet takes in all that are near it and
//! in none; so each member is within the threshold of its representative, and two representatives never are of each
//! other. The outcome does not depend on threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::search::Search;
use crate::error::{Error, Reason, Result, Stage};

/// Hashes whose neighbours are looked for side by side. Those that a turn before them takes in were looked for in vain,
/// so they are few.
const BLOCK: usize = 1024;
/// Not grouped yet.
const FREE: u32 = u32::MAX;

/// Which image stands for each.
#[derive(Debug, PartialEq, Eq)]
pub struct Groups {
    /// Of each image, the one that represents it: itself, when it is alone or a representative.
    pub representatives: Vec<u32>,
    /// Bits in which the two differ.
    pub distances: Vec<u8>,
}

/// Groups images by their hashes; `sizes` (such as pixels) says which is the largest, of equals the first.
///
/// Images without a hash (0) are alone. `done` counts the hashes that are grouped, each once.
///
/// Fails when the lengths differ, when there are more images than 32 bits count, and when `stop` says so.
pub fn group(
    hashes: &[u64],
    sizes: &[u64],
    threshold: u32,
    threads: usize,
    done: &AtomicUsize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Groups> {
    let count = u32::try_from(hashes.len()).ok().filter(|&count| count < FREE && sizes.len() == hashes.len());
    let Some(count) = count else {
        let detail = format!("{} hashes, {} sizes: not one each, or too many", hashes.len(), sizes.len());
        return Err(Error::new(Stage::Image, Reason::Mismatch, detail));
    };
    // Images of one hash beside each other, the largest and first of them in front.
    let largest_first = |&image: &u32| (std::cmp::Reverse(sizes[image as usize]), image);
    let mut images: Vec<u32> = (0..count).filter(|&image| hashes[image as usize] != 0).collect();
    images.sort_unstable_by_key(|image| (hashes[*image as usize], largest_first(image)));
    let runs = images.chunk_by(|&one, &other| hashes[one as usize] == hashes[other as usize]);
    let mut leaders: Vec<u32> = runs.filter_map(|run| run.first().copied()).collect();
    leaders.sort_unstable_by_key(largest_first);

    let distinct: Vec<u64> = leaders.iter().map(|&image| hashes[image as usize]).collect();
    let (taken, far) = stars(&distinct, threshold, threads, done, stop)?;

    let mut groups = Groups { representatives: (0..count).collect(), distances: vec![0; hashes.len()] };
    for (&leader, (&by, &distance)) in leaders.iter().zip(taken.iter().zip(&far)) {
        groups.representatives[leader as usize] = leaders[by as usize];
        groups.distances[leader as usize] = distance;
    }
    for run in images.chunk_by(|&one, &other| hashes[one as usize] == hashes[other as usize]) {
        for &image in run {
            groups.representatives[image as usize] = groups.representatives[run[0] as usize];
            groups.distances[image as usize] = groups.distances[run[0] as usize];
        }
    }
    Ok(groups)
}

/// Of each of `hashes`, which come in the order in which they may take others, the one that took it, and how far it is.
fn stars(
    hashes: &[u64],
    threshold: u32,
    threads: usize,
    done: &AtomicUsize,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(Vec<u32>, Vec<u8>)> {
    let search = Search::new(hashes, threshold);
    let (mut taken, mut far) = (vec![FREE; hashes.len()], vec![0; hashes.len()]);
    for start in (0..hashes.len()).step_by(BLOCK) {
        if stop() {
            return Err(Error::new(Stage::Image, Reason::Interrupted, "stopped while grouping"));
        }
        let end = (start + BLOCK).min(hashes.len());
        let free: Vec<usize> = (start..end).filter(|&number| taken[number] == FREE).collect();
        let neighbours = neighbours(&search, hashes, &free, &taken, threads);
        for (&number, near) in free.iter().zip(&neighbours) {
            if taken[number] == FREE {
                for &(other, distance) in near {
                    let other = other as usize;
                    if taken[other] == FREE {
                        taken[other] = u32::try_from(number).unwrap_or(FREE);
                        far[other] = distance;
                    }
                }
            }
        }
        done.fetch_add(end - start, Ordering::Relaxed);
    }
    Ok((taken, far))
}

/// Those near each of `numbers` that are free, it among them.
fn neighbours(
    search: &Search<'_>,
    hashes: &[u64],
    numbers: &[usize],
    taken: &[u32],
    threads: usize,
) -> Vec<Vec<(u32, u8)>> {
    let mut found = vec![Vec::new(); numbers.len()];
    let waiting = Mutex::new(numbers.iter().zip(&mut found));
    let worker = || {
        let mut near = Vec::new();
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((&number, slot)) = next else { break };
            near.clear();
            search.near(hashes[number], &mut near);
            slot.extend(near.iter().filter(|(other, _)| taken[*other as usize] == FREE));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(numbers.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::phash::{distance, variants};
    use super::*;

    fn grouped(hashes: &[u64], sizes: &[u64], threshold: u32, threads: usize) -> Groups {
        let done = AtomicUsize::new(0);
        group(hashes, sizes, threshold, threads, &done, &|| false).unwrap()
    }

    #[test]
    fn a_chain_is_cut_where_it_leaves_the_threshold() {
        // Each two bits from the next; the second is the largest.
        let hashes = [0x0ff0_3c96, 0x0ff0_3c90, 0x0ff0_3cf0, 0x0ff0_3ff0, 0x0ff0_00f0];
        let sizes = [1, 9, 1, 1, 1];
        let groups = grouped(&hashes, &sizes, 2, 1);
        assert_eq!(groups.representatives, [1, 1, 1, 3, 4]);
        assert_eq!(groups.distances, [2, 0, 2, 0, 0]);
    }

    #[test]
    fn copies_in_any_turn_are_one_group_and_images_without_a_hash_are_alone() {
        let hash = 0x1234_5678_9abc_def0;
        let mut hashes = variants(hash).to_vec();
        hashes.extend([0, 0, hash]);
        let sizes = [5, 5, 5, 7, 5, 5, 5, 5, 9, 9, 7];
        let groups = grouped(&hashes, &sizes, 0, 2);
        assert_eq!(groups.representatives, [3, 3, 3, 3, 3, 3, 3, 3, 8, 9, 3]);
        assert_eq!(groups.distances, [0; 11]);
    }

    #[test]
    fn members_are_near_their_representative_and_representatives_are_not_near_each_other() {
        let mut state = 7_u64;
        let mut hashes = Vec::new();
        for number in 0..6000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let family = (0xdead_beef_1234_5678_u64).wrapping_mul(u64::from(number / 20) * 2 + 1);
            hashes.push((family ^ 1 << (state >> 58) ^ 1 << (state >> 52 & 63)) & !1);
        }
        let sizes: Vec<u64> = hashes.iter().map(|hash| hash % 5).collect();
        let groups = grouped(&hashes, &sizes, 4, 1);
        assert_eq!(groups, grouped(&hashes, &sizes, 4, 3));
        let mut heads = Vec::new();
        for (image, (&head, &far)) in (0_u32..).zip(groups.representatives.iter().zip(&groups.distances)) {
            let (own, other) = (hashes[image as usize], hashes[head as usize]);
            assert_eq!(distance(own, other), u32::from(far));
            assert!(far <= 4 && sizes[head as usize] >= sizes[image as usize]);
            if image == head {
                heads.push(own);
            }
        }
        assert!((200..3000).contains(&heads.len()), "{}", heads.len());
        for (at, &one) in heads.iter().enumerate() {
            assert!(heads[at + 1..].iter().all(|&other| distance(one, other) > 4));
        }
    }

    #[test]
    fn it_stops_when_told_and_refuses_what_does_not_fit() {
        let done = AtomicUsize::new(0);
        let stopped = group(&[2, 4], &[1, 1], 4, 1, &done, &|| true).unwrap_err();
        assert_eq!(stopped.reason(), Reason::Interrupted);
        assert_eq!(group(&[2, 4], &[1], 4, 1, &done, &|| false).unwrap_err().reason(), Reason::Mismatch);
    }
}
