//! The same dataset in a store, whatever ends a run.

use std::collections::BTreeMap;
use std::path::Path;

use super::make::{Fake, Kind, options, packages, read, run, tree, write};
use crate::dataset::file::faults::fail_after;
use crate::dataset::{PartRecord, Root, Summary, compact, verify};
use crate::error::{Reason, Result};
use crate::store::{self, StoreOptions};

const ROOT: &str = "s3://lab/sets/one";

fn store() -> StoreOptions {
    StoreOptions::in_memory("lab")
}

fn run_there(store: &StoreOptions, packages: &[Fake]) -> Result<Summary> {
    write(&Root::new(ROOT, store), packages, &options(), usize::MAX, |packages| vec![read(packages)])
}

/// Every object below a root with the hash of its bytes.
pub fn objects(root: &str, options: &StoreOptions) -> BTreeMap<String, String> {
    let all = store::list(root, options).unwrap().map(Result::unwrap);
    let hash = |location: &str| {
        let bytes = store::fetch(location, options, u64::MAX).unwrap().wait(&options.stop).unwrap().bytes;
        crate::image::hex(&<sha2::Sha256 as sha2::Digest>::digest(&bytes).into())
    };
    all.map(|entry| (entry.location[root.len() + 1..].to_owned(), hash(&entry.location))).collect()
}

/// The files of a local run.
fn local(packages: &[Fake]) -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), packages, &options()).unwrap();
    visible(dir.path())
}

/// The files of a directory, without those that only locks need.
fn visible(root: &Path) -> BTreeMap<String, String> {
    tree(root).into_iter().filter(|(name, _)| !name.starts_with('.')).collect()
}

#[test]
fn a_dataset_in_a_store_has_the_bytes_of_one_on_disk_and_is_read_there() {
    let store = store();
    let summary = run_there(&store, &packages(50)).unwrap();
    assert_eq!((summary.counts.articles, summary.written_parts), (50, 3));
    assert_eq!(objects(ROOT, &store), local(&packages(50)));
    let report = verify(&Root::new(format!("{ROOT}/"), &store), true, 2, &|| false).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
    assert!(report.images > 20);
}

#[test]
fn failing_at_any_change_of_a_store_and_run_again_it_gives_the_same_bytes() {
    let expected = local(&packages(25));
    let mut failed = 0;
    for n in 0.. {
        let store = store();
        fail_after(Some(n));
        let result = run_there(&store, &packages(25));
        fail_after(None);
        let Err(error) = result else { break };
        assert_eq!(error.reason(), Reason::DiskFull, "{error}");
        assert!(error.source().unwrap().starts_with(ROOT), "{error}");
        failed += 1;
        let there = objects(ROOT, &store);
        for number in 0..2 {
            if there.contains_key(&PartRecord::path(number)) {
                let record: PartRecord = Root::new(ROOT, &store).record(&PartRecord::path(number)).unwrap();
                assert!(record.files.iter().all(|file| there.get(&file.path) == Some(&file.sha256)));
            }
        }
        run_there(&store, &packages(25)).unwrap();
        assert_eq!(objects(ROOT, &store), expected, "failed at change {n}");
    }
    assert!(failed > 20, "only {failed} changes of the store");
}

#[test]
fn an_update_there_gives_the_bytes_of_one_on_disk() {
    let store = store();
    let mut before = packages(50);
    before[3].kind = Kind::Broken;
    let after: Vec<Fake> = packages(60).into_iter().skip(7).map(|fake| Fake { state: 1, ..fake }).collect();
    run_there(&store, &before).unwrap();
    run_there(&store, &after).unwrap();
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &before, &options()).unwrap();
    run(dir.path(), &after, &options()).unwrap();
    assert_eq!(objects(ROOT, &store), visible(dir.path()));
    assert!(objects(ROOT, &store).contains_key("tombstones/000001.parquet"));
    assert_eq!(run_there(&store, &after).unwrap().written_parts, 0);
}

#[test]
fn a_compaction_there_gives_the_bytes_of_one_on_disk_whatever_ends_it() {
    let before = packages(50);
    let after: Vec<Fake> = packages(60).into_iter().skip(7).filter(|fake| fake.number % 9 != 4).collect();
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &before, &options()).unwrap();
    run(dir.path(), &after, &options()).unwrap();
    let done = compact(&Root::new(dir.path(), &StoreOptions::default()), 0.0, &|| false).unwrap();
    for n in (0..).step_by(9) {
        let store = store();
        run_there(&store, &before).unwrap();
        run_there(&store, &after).unwrap();
        let root = Root::new(ROOT, &store);
        fail_after(Some(n));
        let result = compact(&root, 0.0, &|| false);
        fail_after(None);
        let is_done = result.is_ok();
        if is_done {
            assert!(n > 30, "only {n} changes of the store");
            assert_eq!(result.unwrap(), done);
        } else {
            compact(&root, 0.0, &|| false).unwrap();
        }
        assert_eq!(objects(ROOT, &store), visible(dir.path()), "failed at change {n}");
        if is_done {
            return;
        }
    }
}

#[test]
fn what_is_damaged_in_a_store_is_found_and_made_again() {
    let store = store();
    run_there(&store, &packages(25)).unwrap();
    let expected = objects(ROOT, &store);
    store::delete(&format!("{ROOT}/figures/000001.parquet"), &store).unwrap();
    store::put(&format!("{ROOT}/shards/other/x.tar"), "x".into(), &store).unwrap();
    let report = verify(&Root::new(ROOT, &store), false, 2, &|| false).unwrap();
    let mut found = report.problems.iter().map(|problem| problem.path.as_str());
    assert!(found.by_ref().any(|path| path == "figures/000001.parquet"), "{:?}", report.problems);
    assert!(found.any(|path| path == "shards/other/x.tar"), "{:?}", report.problems);
    store::delete(&format!("{ROOT}/shards/other/x.tar"), &store).unwrap();
    assert_eq!(run_there(&store, &packages(25)).unwrap().written_parts, 1);
    assert_eq!(objects(ROOT, &store), expected);
}

#[test]
fn a_prefix_with_other_things_is_refused() {
    let store = store();
    store::put(&format!("{ROOT}/thesis.tex"), "x".into(), &store).unwrap();
    store::put("s3://lab/sets/one-more/a", "x".into(), &store).unwrap();
    let error = run_there(&store, &packages(5)).unwrap_err();
    assert_eq!(error.reason(), Reason::Mismatch);
    assert!(error.detail().contains("it has thesis.tex"), "{error}");
}

#[test]
fn two_writers_of_one_prefix_are_one_too_many() {
    let store = store();
    let first = crate::dataset::Writer::open(&Root::new(ROOT, &store), &options()).unwrap();
    let error = run_there(&store, &packages(5)).unwrap_err();
    assert_eq!(error.reason(), Reason::Locked);
    assert!(error.detail().contains("last sign of life"), "{error}");
    drop(first);
    run_there(&store, &packages(5)).unwrap();
    assert!(!objects(ROOT, &store).contains_key(".lock"), "it was given back");
}

#[test]
fn a_lock_that_a_dead_process_of_this_machine_left_is_taken_over() {
    let store = store();
    let lock = format!("{ROOT}/.lock");
    drop(crate::dataset::Writer::open(&Root::new(ROOT, &store), &options()).unwrap());
    let machine = crate::dataset::lock::machine();
    let left = |process: u32, machine: &str| {
        let owner = serde_json::json!({"token": "0", "machine": machine, "process": process, "beat": 7});
        store::put(&lock, owner.to_string().into(), &store).unwrap();
    };
    // Another machine's, and a living one's.
    left(u32::MAX, "another");
    assert_eq!(run_there(&store, &packages(5)).unwrap_err().reason(), Reason::Locked);
    left(std::process::id(), &machine);
    assert_eq!(run_there(&store, &packages(5)).unwrap_err().reason(), Reason::Locked);
    left(u32::MAX, &machine);
    run_there(&store, &packages(5)).unwrap();
}
