//! A dataset that is complete takes up what is new and changed, lets go of what is gone, and is then what a full run over the
//! same packages would be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::make::{Fake, Kind, local, options, packages, run, tree};
use crate::dataset::file::faults::fail_after;
use crate::dataset::rows::rows;
use crate::dataset::{DatasetRecord, Tombstones, manifest, verify};

pub fn record(root: &Path) -> DatasetRecord {
    manifest::read(&root.join("dataset.json")).unwrap()
}

/// Every live figure with the hash of its image: what makes two datasets the same.
fn figures(root: &Path) -> BTreeSet<(String, Option<String>, String)> {
    let (place, record) = (local(root), record(root));
    let tombstones = Tombstones::read(&place, &record).unwrap();
    let mut found = BTreeSet::new();
    for part in &record.parts {
        let dead = tombstones.articles(part.number);
        let path = format!("figures/{:06}.parquet", part.number);
        for batch in rows(&place, &path, &["image_id", "article_accession_id", "image_hash", "status"]).unwrap() {
            let batch = batch.unwrap();
            let text = |name| batch.texts(name).unwrap();
            let (ids, articles) = (text("image_id"), text("article_accession_id"));
            let (hashes, statuses) = (text("image_hash"), text("status"));
            for row in (0..batch.len()).filter(|&row| !dead.contains(articles.get(row).unwrap())) {
                let id = ids.get(row).unwrap().to_owned();
                let hash = hashes.get(row).map(str::to_owned);
                assert!(found.insert((id, hash, statuses.get(row).unwrap().to_owned())), "twice");
            }
        }
    }
    found
}

pub fn assert_same(updated: &Path, full: &Path) {
    let report = verify(&local(updated), true, 1, &|| false).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
    assert_eq!(figures(updated), figures(full));
    assert_eq!(record(updated).counts, record(full).counts);
}

fn some(numbers: impl IntoIterator<Item = u32>) -> Vec<Fake> {
    numbers.into_iter().map(|number| Fake { number, kind: Kind::Article, state: 0 }).collect()
}

fn reasons(root: &Path) -> BTreeMap<String, usize> {
    let record = record(root);
    let mut found = BTreeMap::new();
    for batch in rows(&local(root), &record.tombstones.unwrap().path, &[]).unwrap() {
        let batch = batch.unwrap();
        let reasons = batch.texts("reason").unwrap();
        (0..batch.len()).for_each(|row| *found.entry(reasons.get(row).unwrap().to_owned()).or_default() += 1);
    }
    found
}

#[test]
fn new_packages_go_into_parts_of_their_own_and_the_others_stay_as_they_are() {
    let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(dir.path(), &some((0..50).filter(|n| n % 3 > 0)), &options()).unwrap();
    let before = tree(dir.path());
    let summary = run(dir.path(), &packages(50), &options()).unwrap();
    assert_eq!((summary.written_parts, summary.skipped_packages), (1, 33));
    run(full.path(), &packages(50), &options()).unwrap();
    assert_same(dir.path(), full.path());
    let after = tree(dir.path());
    assert!(before.iter().all(|(path, hash)| path == "dataset.json" || after.get(path) == Some(hash)));
    assert_eq!(record(dir.path()).tombstones, None);
}

#[test]
fn changed_and_withdrawn_articles_get_tombstones() {
    let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(dir.path(), &packages(50), &options()).unwrap();
    let mut now = some((0..50).filter(|n| n % 10 != 7));
    now.iter_mut().filter(|fake| fake.number % 25 == 3).for_each(|fake| fake.state = 1);
    let summary = run(dir.path(), &now, &options()).unwrap();
    assert_eq!((summary.written_parts, summary.counts.articles), (1, 45));
    assert_eq!(reasons(dir.path()), BTreeMap::from([("changed".into(), 2), ("withdrawn".into(), 5)]));
    run(full.path(), &now, &options()).unwrap();
    assert_same(dir.path(), full.path());
}

#[test]
fn a_second_update_without_news_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(50), &options()).unwrap();
    run(dir.path(), &some(10..45), &options()).unwrap();
    let before = tree(dir.path());
    let summary = run(dir.path(), &some(10..45), &options()).unwrap();
    assert_eq!((summary.written_parts, summary.skipped_packages), (0, 35));
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn what_was_withdrawn_can_come_back() {
    let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for now in [packages(30), some(0..20), packages(30), some(5..30), packages(30)] {
        run(dir.path(), &now, &options()).unwrap();
    }
    run(full.path(), &packages(30), &options()).unwrap();
    assert_same(dir.path(), full.path());
}

#[test]
fn failures_of_packages_that_are_gone_go_too() {
    let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut broken = packages(10);
    broken[3].kind = Kind::Broken;
    run(dir.path(), &broken, &options()).unwrap();
    let mut healed = packages(10);
    healed[3].state = 1;
    run(dir.path(), &healed, &options()).unwrap();
    run(full.path(), &healed, &options()).unwrap();
    assert_same(dir.path(), full.path());
    assert_eq!(record(dir.path()).counts.failures, 0);
}

#[test]
fn a_walk_without_any_package_withdraws_nothing() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(30), &options()).unwrap();
    let before = tree(dir.path());
    run(dir.path(), &[], &options()).unwrap_err();
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn failing_at_any_change_of_the_disk_and_updated_again_it_gives_the_same_bytes() {
    let first = packages(25);
    let mut second = some((0..40).filter(|n| n % 6 != 1));
    second.iter_mut().filter(|fake| fake.number % 9 == 2).for_each(|fake| fake.state = 1);
    let whole = tempfile::tempdir().unwrap();
    run(whole.path(), &first, &options()).unwrap();
    let before = record(whole.path());
    run(whole.path(), &second, &options()).unwrap();
    let expected = tree(whole.path());
    let mut failed = 0;
    for n in 0.. {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &first, &options()).unwrap();
        fail_after(Some(n));
        let result = run(dir.path(), &second, &options());
        fail_after(None);
        let Err(error) = result else { break };
        failed += 1;
        let now = record(dir.path());
        assert!(now == before || now == record(whole.path()), "{n}: {error}: neither the old nor the new dataset");
        assert!(now.parts.iter().all(|part| dir.path().join(&part.path).exists()));
        run(dir.path(), &second, &options()).unwrap();
        assert_eq!(tree(dir.path()), expected, "failed at change {n}");
    }
    assert!(failed > 30, "only {failed} changes of the disk");
}

#[test]
fn what_an_update_left_that_is_wanted_no_more_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(25), &options()).unwrap();
    let before = tree(dir.path());
    fail_after(Some(60));
    run(dir.path(), &packages(70), &options()).unwrap_err();
    fail_after(None);
    assert_ne!(tree(dir.path()), before);
    run(dir.path(), &packages(25), &options()).unwrap();
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_part_that_lost_a_file_after_an_update_is_read_again() {
    let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(dir.path(), &packages(30), &options()).unwrap();
    run(dir.path(), &some(5..50), &options()).unwrap();
    fs::remove_file(dir.path().join("figures/000001.parquet")).unwrap();
    run(dir.path(), &some(5..50), &options()).unwrap();
    run(full.path(), &some(5..50), &options()).unwrap();
    assert_same(dir.path(), full.path());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn updates_give_what_a_full_run_gives(
        // Of each number, at each of three times: absent, or in one of two states.
        states in prop::collection::vec([0_u8..3, 0_u8..3, 0_u8..3], 1..60),
    ) {
        let at = |time: usize| -> Vec<Fake> {
            let present = states.iter().zip(0..).filter(|(states, _)| states[time] > 0);
            present.map(|(states, number)| Fake { number, kind: Kind::Article, state: states[time] - 1 }).collect()
        };
        prop_assume!((0..3).all(|time| !at(time).is_empty()));
        let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        (0..3).for_each(|time| drop(run(dir.path(), &at(time), &options()).unwrap()));
        run(full.path(), &at(2), &options()).unwrap();
        assert_same(dir.path(), full.path());
    }
}
