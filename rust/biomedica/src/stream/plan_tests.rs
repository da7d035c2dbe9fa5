#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::order::{Deal, Recipe, Remainder};
use super::{Plan, shares};

fn plan(counts: &[u32], recipe: Recipe, seed: u64) -> Plan {
    Plan::new(vec![(counts.to_vec(), 1.0)], recipe, seed).unwrap()
}

fn epoch(plan: &Plan, epoch: u64) -> Vec<u64> {
    (0..plan.count()).map(|t| plan.place(epoch, t, 0).sample).collect()
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let lanes = prop::sample::select(vec![8_u32, 16, 64]);
    (any::<bool>(), lanes, 1..20_u32, 1..80_u32).prop_map(|(shuffle, lanes, block, window)| Recipe {
        shuffle,
        lanes,
        block,
        window,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_epoch_has_every_sample_once(
        counts in prop::collection::vec(0..200_u32, 1..12), recipe in recipes(), seed: u64, number in 0..5_u64,
    ) {
        let plan = plan(&counts, recipe, seed);
        let mut all = epoch(&plan, number);
        all.sort_unstable();
        prop_assert_eq!(all, (0..plan.count()).collect::<Vec<_>>());
    }

    /// Cut anywhere, go on with any number of ranks, cut again: the union is the epoch, each sample once.
    #[test]
    fn ranks_and_cuts_share_an_epoch(
        count in 1..700_u64,
        cuts in prop::collection::vec((prop::sample::select(vec![1_u32, 2, 4, 8]), 0..40_u64), 0..8),
        last in prop::sample::select(vec![1_u32, 2, 4, 8]),
    ) {
        let mut position = 0;
        let mut seen = Vec::new();
        for (world_size, batches) in cuts {
            let deal = |rank| Deal { rank, world_size, remainder: Remainder::Drop };
            let each = batches.min(deal(0).len(count, position));
            for rank in 0..world_size {
                seen.extend((0..each).map(|n| deal(rank).position(count, position, n)));
            }
            position += each * u64::from(world_size);
        }
        let deal = |rank| Deal { rank, world_size: last, remainder: Remainder::Keep };
        let lens: Vec<u64> = (0..last).map(|rank| deal(rank).len(count, position)).collect();
        prop_assert!(lens.iter().max().unwrap() - lens.iter().min().unwrap() <= 1);
        for (rank, len) in (0..last).zip(lens) {
            seen.extend((0..len).map(|n| deal(rank).position(count, position, n)));
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn dropped_and_padded_ranks_are_even(count in 1..500_u64, start in 0..500_u64, world_size in prop::sample::select(vec![1_u32, 2, 4, 8])) {
        let start = start.min(count);
        let deal = |rank, remainder| Deal { rank, world_size, remainder };
        let mut seen = BTreeMap::new();
        for rank in 0..world_size {
            let left = count - start;
            prop_assert_eq!(deal(rank, Remainder::Drop).len(count, start), left / u64::from(world_size));
            let padded = deal(rank, Remainder::Pad);
            prop_assert_eq!(padded.len(count, start), left.div_ceil(u64::from(world_size)));
            for n in 0..padded.len(count, start) {
                *seen.entry(padded.position(count, start, n)).or_insert(0) += 1;
            }
        }
        prop_assert!((start..count).all(|t| seen.contains_key(&t)));
        let extra: u64 = seen.values().sum::<u64>() - (count - start);
        prop_assert!(extra < u64::from(world_size));
    }

    #[test]
    fn a_mixture_has_its_shares_and_each_pass_of_a_source_whole(
        sizes in prop::collection::vec(1..300_u32, 2..5), weights in prop::collection::vec(0.05..1.0_f64, 5), shuffle: bool, seed: u64,
    ) {
        let recipe = Recipe { shuffle, lanes: 1, ..Recipe::default() };
        let sources: Vec<_> = sizes.iter().zip(&weights).map(|(&n, &weight)| (vec![n], weight)).collect();
        let plan = Plan::new(sources, recipe, seed).unwrap();
        let mut drawn: Vec<Vec<u64>> = vec![Vec::new(); sizes.len()];
        // One lane, epoch after epoch, two rounds of draws.
        let draws = (0_u64..).flat_map(|epoch| (0..plan.count()).map(move |t| (epoch, t))).take(2048);
        for (epoch, t) in draws {
            let place = plan.place(epoch, t, 0);
            drawn[place.source].push(place.sample);
        }
        for ((own, &size), share) in drawn.iter().zip(&sizes).zip(plan.shares()) {
            prop_assert_eq!(own.len() as u64, 2 * u64::from(share));
            for pass in own.chunks_exact(size as usize) {
                let unique: BTreeSet<_> = pass.iter().collect();
                prop_assert_eq!(unique.len(), size as usize);
            }
        }
    }
}

/// A change here changes the order of every stream that was ever begun: states would resume elsewhere.
#[test]
fn orders_stay_as_they_were_released() {
    let recipe = Recipe { lanes: 4, block: 3, window: 4, ..Recipe::default() };
    let shards = [7, 5, 8];
    insta::assert_snapshot!(format!("{:?}", epoch(&plan(&shards, recipe, 0), 0)), @"[8, 6, 1, 16, 9, 19, 13, 10, 3, 5, 14, 15, 7, 18, 0, 17, 4, 12, 2, 11]");
    insta::assert_snapshot!(format!("{:?}", epoch(&plan(&shards, recipe, 0), 1)), @"[19, 11, 9, 14, 16, 3, 7, 1, 15, 10, 8, 2, 18, 4, 12, 0, 17, 5, 13, 6]");
    insta::assert_snapshot!(format!("{:?}", epoch(&plan(&shards, recipe, 7), 0)), @"[4, 18, 2, 8, 3, 15, 17, 10, 5, 19, 1, 7, 12, 14, 0, 9, 13, 16, 6, 11]");
    let large = plan(&[10_000, 3, 9_999], Recipe::default(), 42);
    let some: Vec<u64> = (0..20_002).step_by(1_999).map(|t| large.place(3, t, 0).sample).collect();
    insta::assert_snapshot!(format!("{some:?}"), @"[8858, 3967, 7063, 1033, 266, 2650, 5364, 12143, 10271, 5639, 13105]");
    let mixture = Plan::new(vec![(vec![9], 3.0), (vec![5], 1.0)], recipe, 1).unwrap();
    let some: Vec<_> = (0..14).map(|t| mixture.place(0, t, 0)).map(|p| (p.source, p.sample)).collect();
    insta::assert_snapshot!(format!("{some:?}"), @"[(0, 6), (0, 3), (0, 5), (0, 1), (1, 0), (0, 4), (0, 0), (0, 2), (1, 1), (0, 6), (1, 3), (0, 1), (0, 8), (1, 2)]");
}

#[test]
fn without_shuffling_samples_come_as_they_lie() {
    let plain = plan(&[5, 0, 6], Recipe { shuffle: false, ..Recipe::default() }, 9);
    assert_eq!(epoch(&plain, 3), (0..11).collect::<Vec<_>>());
}

#[test]
fn samples_of_a_block_stay_near_each_other_in_one_lane() {
    let recipe = Recipe::default();
    let plan = plan(&[100_000], recipe, 5);
    let mut places: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for t in 0..plan.count() {
        places.entry(plan.place(0, t, 0).sample / 16).or_default().push((t % 64, t / 64));
    }
    let near = |all: &Vec<(u64, u64)>| {
        let (first, last) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        first.0 == last.0 && last.1 - first.1 < u64::from(2 * recipe.window + recipe.block)
    };
    // A block that is cut by the end of a lane is in two.
    assert!(places.values().filter(|all| !near(all)).count() < 64);
}

#[test]
fn steps_stay_in_their_lane_and_come_around() {
    let plan = plan(&[500], Recipe::default(), 1);
    for t in [0, 63, 64, 300, 499] {
        let len = plan.lane_len(t);
        let around: BTreeSet<_> = (0..len).map(|steps| plan.place(2, t, steps)).collect();
        assert_eq!(around.len() as u64, len);
        assert_eq!(plan.place(2, t, len), plan.place(2, t, 0));
        assert_eq!(plan.place(2, t % 64, 1), plan.place(2, t % 64 + 64, 0));
    }
}

#[test]
fn epochs_and_seeds_differ() {
    let plan_of = |seed| plan(&[1000], Recipe::default(), seed);
    assert_ne!(epoch(&plan_of(0), 0), epoch(&plan_of(0), 1));
    assert_ne!(epoch(&plan_of(0), 0), epoch(&plan_of(1), 0));
}

#[test]
fn shares_are_near_the_weights_and_never_nothing() {
    assert_eq!(shares(&[1.0, 3.0]).unwrap(), [256, 768]);
    assert_eq!(shares(&[1.0, 1.0, 1.0]).unwrap(), [342, 341, 341]);
    assert_eq!(shares(&[1e-9, 1.0]).unwrap(), [1, 1023]);
    for wrong in [&[][..], &[0.0], &[-1.0, 2.0], &[f64::NAN], &[f64::INFINITY, 1.0]] {
        assert!(shares(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn ranks_that_cannot_be_dealt_are_refused() {
    let check = |rank, world_size| Deal { rank, world_size, ..Deal::default() }.check(&Recipe::default());
    assert!(check(0, 1).is_ok() && check(63, 64).is_ok());
    for (rank, world_size) in [(1, 1), (0, 0), (0, 3), (0, 128)] {
        assert!(check(rank, world_size).is_err(), "{rank} of {world_size}");
    }
    assert!(Recipe { window: 0, ..Recipe::default() }.check().is_err());
}
