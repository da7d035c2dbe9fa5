//! Compaction changes where samples lie and nothing else.

use std::fs;
use std::path::Path;

use super::make::{Fake, local, options, packages, run, tree};
use super::updates::{assert_same, record};
use crate::dataset::file::faults::fail_after;
use crate::dataset::{Lock, compact};
use crate::error::Reason;

/// A dataset of three updates, and the packages of the last.
fn updated(root: &Path) -> Vec<Fake> {
    let mut now = packages(60);
    run(root, &now[..50], &options()).unwrap();
    now.retain(|fake| fake.number % 7 != 2);
    run(root, &now, &options()).unwrap();
    now.iter_mut().filter(|fake| fake.number % 11 == 3).for_each(|fake| fake.state = 1);
    run(root, &now, &options()).unwrap();
    now
}

#[test]
fn what_lives_stays_and_what_is_dead_is_in_no_file() {
    let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let now = updated(dir.path());
    run(full.path(), &now, &options()).unwrap();
    let before = record(dir.path());
    let done = compact(&local(dir.path()), 0.0, &|| false).unwrap();
    assert_same(dir.path(), full.path());
    let after = record(dir.path());
    assert_eq!((done.parts_before, done.parts), (before.parts.len() as u64, after.parts.len() as u64));
    assert!(done.parts < done.parts_before && done.num_bytes < done.bytes_before, "{done:?}");
    assert!(done.dropped.articles > 5, "{done:?}");
    assert_eq!(after.tombstones, None);
    assert!(after.parts.iter().all(|part| part.dropped.is_none()));
    assert!(!tree(dir.path()).keys().any(|path| path.starts_with("tombstones/")));
}

#[test]
fn a_compacted_dataset_goes_on_being_updated() {
    let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut now = updated(dir.path());
    compact(&local(dir.path()), 0.0, &|| false).unwrap();
    assert_eq!(run(dir.path(), &now, &options()).unwrap().written_parts, 0);
    now.retain(|fake| fake.number % 5 != 1);
    run(dir.path(), &now, &options()).unwrap();
    run(full.path(), &now, &options()).unwrap();
    assert_same(dir.path(), full.path());
}

#[test]
fn full_parts_of_which_nothing_is_dead_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(50), &options()).unwrap();
    let before = tree(dir.path());
    compact(&local(dir.path()), 0.0, &|| false).unwrap();
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn parts_of_which_less_is_dead_than_was_said_keep_their_tombstones() {
    let (dir, full) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let now: Vec<Fake> = packages(60).into_iter().filter(|fake| ![3, 21, 23, 25, 27].contains(&fake.number)).collect();
    run(dir.path(), &packages(60), &options()).unwrap();
    run(dir.path(), &now, &options()).unwrap();
    compact(&local(dir.path()), 0.2, &|| false).unwrap();
    run(full.path(), &now, &options()).unwrap();
    assert_same(dir.path(), full.path());
    let numbers: Vec<u32> = record(dir.path()).parts.iter().map(|part| part.number).collect();
    assert_eq!(numbers, [0, 2, 3]);
    assert!(record(dir.path()).tombstones.is_some());
}

#[test]
fn failing_at_any_change_of_the_disk_and_compacted_again_it_gives_the_same_bytes() {
    let whole = tempfile::tempdir().unwrap();
    updated(whole.path());
    let before = record(whole.path());
    compact(&local(whole.path()), 0.0, &|| false).unwrap();
    let expected = tree(whole.path());
    let mut failed = 0;
    for n in (0..).step_by(11) {
        let dir = tempfile::tempdir().unwrap();
        updated(dir.path());
        fail_after(Some(n));
        let result = compact(&local(dir.path()), 0.0, &|| false);
        fail_after(None);
        let Err(error) = result else { break };
        failed += 1;
        let now = record(dir.path());
        assert!(now == before || now == record(whole.path()), "{n}: {error}");
        assert!(now.parts.iter().all(|part| dir.path().join(&part.path).exists()), "{n}: {error}");
        compact(&local(dir.path()), 0.0, &|| false).unwrap();
        assert_eq!(tree(dir.path()), expected, "failed at change {n}");
    }
    assert!(failed > 15, "only {failed} changes of the disk");
}

#[test]
fn a_dataset_that_is_locked_not_finished_or_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let reason = |root: &Path| compact(&local(root), 0.1, &|| false).unwrap_err().reason();
    assert_eq!(reason(dir.path()), Reason::NotFound);
    run(dir.path(), &packages(30), &options()).unwrap();
    let lock = Lock::take(&local(dir.path())).unwrap();
    assert_eq!(reason(dir.path()), Reason::Locked);
    drop(lock);
    fs::remove_file(dir.path().join("figures/000001.parquet")).unwrap();
    assert_eq!(reason(dir.path()), Reason::Mismatch);
    assert_eq!(compact(&local(dir.path()), 1.5, &|| false).unwrap_err().reason(), Reason::Mismatch);
}
