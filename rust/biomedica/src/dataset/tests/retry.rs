//! What failed for a reason that may heal.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::make::{local, options, sources, tree};
use super::remote::objects;
use super::updates::{assert_same, record};
use crate::dataset::file::faults::fail_after;
use crate::dataset::{DatasetRecord, Retried, Root, extract, retry, verify};
use crate::error::{Error, Reason, Result, Stage};
use crate::source::Selection;
use crate::store::StoreOptions;

fn run(out: &Path, source: &Path) -> BTreeMap<String, String> {
    let selection = Selection::default();
    extract(&[source.into()], &local(out), &options(), &selection, &mut |_| ControlFlow::Continue(())).unwrap();
    tree(out)
}

fn again(out: &Path) -> Result<Retried> {
    retry(&local(out), Some(1), &mut |_| ControlFlow::Continue(()))
}

/// Copies a dataset.
fn copy(from: &Path, to: &Path) {
    for (name, _) in tree(from) {
        let path = to.join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(from.join(&name), path).unwrap();
    }
}

/// Has a document of `sources` be a link to a file that is not there, runs, and lets the file come back. Gives the
/// dataset, its bytes, and those of a run in which nothing was away.
#[cfg(unix)]
fn failed(root: &Path) -> (PathBuf, BTreeMap<String, String>, BTreeMap<String, String>) {
    let sources = sources(root);
    let expected = run(&root.join("whole"), &sources);
    let (package, target) = (sources.join("PMC105.xml"), root.join("PMC105.xml"));
    let bytes = fs::read(&package).unwrap();
    fs::remove_file(&package).unwrap();
    std::os::unix::fs::symlink(&target, &package).unwrap();
    let out = root.join("out");
    let before = run(&out, &sources);
    fs::write(&target, bytes).unwrap();
    (out, before, expected)
}

#[cfg(unix)]
#[test]
fn what_has_healed_gives_the_bytes_of_a_run_in_which_it_never_failed() {
    let dir = tempfile::tempdir().unwrap();
    let (out, before, expected) = failed(dir.path());
    let target = dir.path().join("PMC105.xml");
    fs::rename(&target, dir.path().join("away")).unwrap();
    let still = Retried { total_parts: 1, parts: 1, failures_before: 1, failures: 1, ..Retried::default() };
    assert_eq!(again(&out).unwrap(), still);
    assert_eq!(tree(&out), before, "nothing has healed, not a byte changes");
    fs::rename(dir.path().join("away"), &target).unwrap();
    let healed = Retried { renewed_parts: 1, failures: 0, articles: 1, ..still };
    assert_eq!(again(&out).unwrap(), healed);
    assert_eq!(tree(&out), expected);
    assert_eq!(again(&out).unwrap(), Retried::default());
    assert_eq!(run(&out, &dir.path().join("in")), expected, "an extraction has nothing to add");
}

#[cfg(unix)]
#[test]
fn packages_that_went_away_since_do_not_take_their_articles_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let (out, before, _) = failed(dir.path());
    fs::remove_file(dir.path().join("in/PMC104.xml")).unwrap();
    let done = again(&out).unwrap();
    assert_eq!((done.parts, done.renewed_parts, done.failures), (1, 0, 1));
    assert_eq!(tree(&out), before);
}

#[cfg(unix)]
#[test]
fn ended_at_any_change_of_the_disk_it_leaves_a_dataset_that_an_extraction_or_a_retry_makes_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (out, _, expected) = failed(dir.path());
    for n in 0.. {
        let copied = tempfile::tempdir().unwrap();
        copy(&out, copied.path());
        fail_after(Some(n));
        let result = again(copied.path());
        fail_after(None);
        if result.is_ok() {
            assert!(n > 10, "only {n} changes of the disk");
            return;
        }
        // A retry alone is enough, unless the part has lost a file.
        match again(copied.path()) {
            Ok(done) => {
                assert_eq!(done.failures, 0, "failed at change {n}");
                assert_eq!(tree(copied.path()), expected, "failed at change {n}");
                continue;
            }
            Err(error) => assert_eq!(error.reason(), Reason::Mismatch, "failed at change {n}"),
        }
        let selection = Selection::default();
        let sources = [dir.path().join("in")];
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        extract(&sources, &local(copied.path()), &options(), &selection, go_on).unwrap();
        let report = verify(&local(copied.path()), true, 1, &|| false).unwrap();
        assert!(report.is_ok(), "failed at change {n}: {:?}", report.problems);
        let done = again(copied.path()).unwrap();
        assert_eq!(done.failures, 0, "failed at change {n}");
        let record: DatasetRecord = local(copied.path()).record("dataset.json").unwrap();
        assert_eq!((record.counts.articles, record.counts.failures), (44, 1), "failed at change {n}");
    }
}

#[cfg(unix)]
#[test]
fn a_part_of_which_something_is_dead_is_made_of_what_lives() {
    let dir = tempfile::tempdir().unwrap();
    let (out, ..) = failed(dir.path());
    let (sources, target) = (dir.path().join("in"), dir.path().join("PMC105.xml"));
    fs::rename(&target, dir.path().join("away")).unwrap();
    for gone in ["PMC104.xml", "PMC107.xml"] {
        fs::remove_file(sources.join(gone)).unwrap();
    }
    fs::write(sources.join("PMC108.xml"), "<article/>").unwrap();
    run(&out, &sources);
    let before = record(&out);
    assert!(before.tombstones.is_some());
    fs::rename(dir.path().join("away"), &target).unwrap();
    let whole = dir.path().join("full");
    run(&whole, &sources);
    for n in (0..).step_by(3) {
        let copied = tempfile::tempdir().unwrap();
        copy(&out, copied.path());
        fail_after(Some(n));
        let result = again(copied.path());
        fail_after(None);
        if result.is_err() {
            let now = record(copied.path());
            assert!(now == before || now.tombstones.is_none(), "failed at change {n}: all at once or nothing");
            again(copied.path()).unwrap();
        }
        assert_same(copied.path(), &whole);
        assert_eq!(record(copied.path()).tombstones, None, "the dead are in no file any more");
        if let Ok(done) = result {
            assert_eq!((done.parts, done.renewed_parts, done.failures, done.articles), (1, 1, 0, 1));
            assert!(n > 20, "only {n} changes of the disk");
            return;
        }
    }
}

#[cfg(unix)]
#[test]
fn a_dataset_in_a_store_heals_there() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let (package, away) = (sources.join("PMC105.xml"), dir.path().join("away"));
    let store = StoreOptions::in_memory("lab");
    let root = |name: &str| Root::new(format!("s3://lab/{name}"), &store);
    let extracted = |name: &str| {
        let selection = Selection::default();
        let go_on = &mut |_: &_| ControlFlow::Continue(());
        extract(std::slice::from_ref(&sources), &root(name), &options(), &selection, go_on).unwrap();
    };
    extracted("whole");
    fs::rename(&package, &away).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), &package).unwrap();
    extracted("out");
    fs::remove_file(&package).unwrap();
    fs::rename(&away, &package).unwrap();
    let done = retry(&root("out"), Some(1), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((done.parts, done.renewed_parts, done.failures, done.articles), (1, 1, 0, 1));
    assert_eq!(objects("s3://lab/out", &store), objects("s3://lab/whole", &store));
}

#[test]
fn a_retry_takes_no_part_that_a_killed_run_left_beside_the_dataset() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let sources = sources(dir.path());
    run(&out, &sources);
    let before = record(&out);
    // As a compaction or an update leaves it that was ended before its switch.
    for (name, _) in tree(&out).into_iter().filter(|(name, _)| name.contains("000000")) {
        fs::copy(out.join(&name), out.join(name.replace("000000", "000007"))).unwrap();
    }
    let path = out.join("parts/000007.json");
    let text =
        fs::read_to_string(&path).unwrap().replace("000000", "000007").replacen("\"number\": 0", "\"number\": 7", 1);
    fs::write(&path, text.replacen("\"number\":0", "\"number\":7", 1)).unwrap();
    assert_eq!(again(&out).unwrap().renewed_parts, 0);
    assert_eq!(record(&out), before);
}

#[test]
fn only_a_finished_dataset_is_retried() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    assert_eq!(again(&out).unwrap_err().reason(), Reason::NotFound);
    drop(crate::dataset::Writer::open(&local(&out), &options()).unwrap());
    let error = again(&out).unwrap_err();
    assert_eq!(error.reason(), Reason::Mismatch);
    assert!(error.detail().contains("extract"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_stopped_retry_leaves_the_dataset_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (out, before, _) = failed(dir.path());
    let error = retry(&local(&out), Some(1), &mut |_| ControlFlow::Break(())).unwrap_err();
    assert_eq!(error.reason(), Reason::Interrupted);
    assert_eq!(tree(&out), before);
}

#[test]
fn what_may_heal_is_what_the_surroundings_did() {
    let error = |stage, reason| Error::new(stage, reason, "").may_heal();
    for reason in [Reason::NotFound, Reason::PermissionDenied, Reason::Io, Reason::DiskFull] {
        assert!(error(Stage::Open, reason));
    }
    assert!(error(Stage::Fetch, Reason::Corrupt), "a checksum that was wrong on the way");
    assert!(!error(Stage::Inflate, Reason::Corrupt));
    assert!(!error(Stage::Xml, Reason::Malformed));
}
