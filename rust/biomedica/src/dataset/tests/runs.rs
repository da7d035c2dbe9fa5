//! Parts appear whole or not at all, and the same however often a run was ended.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::make::{Fake, Kind, local, options, packages, read, run, run_until, run_with, tree};
use crate::article::{Chunk, Rules};
use crate::dataset::file::faults::fail_after;
use crate::dataset::{Counts, DatasetRecord, Options, manifest};
use crate::error::Reason;

fn set_incomplete(root: &Path) {
    let text = fs::read_to_string(root.join("dataset.json")).unwrap();
    fs::write(root.join("dataset.json"), text.replacen("\"complete\": true", "\"complete\": false", 1)).unwrap();
}

#[test]
fn a_first_run_that_goes_on_with_fewer_packages_removes_the_parts_of_the_others() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(a.path(), &packages(50), &options()).unwrap();
    set_incomplete(a.path());
    run(a.path(), &packages(7), &options()).unwrap();
    run(b.path(), &packages(7), &options()).unwrap();
    assert_eq!(tree(a.path()), tree(b.path()));
}

#[test]
fn two_runs_give_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let summary = run(a.path(), &packages(50), &options()).unwrap();
    run(b.path(), &packages(50), &options()).unwrap();
    assert_eq!(tree(a.path()), tree(b.path()));
    assert_eq!((summary.counts.packages, summary.counts.articles, summary.written_parts), (50, 50, 3));
    assert_eq!(summary.counts.contradiction(), None);
    assert!(summary.counts.pairs > 20);
}

#[test]
fn chunks_of_any_size_give_the_same_bytes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(a.path(), &packages(50), &options()).unwrap();
    run_with(b.path(), &packages(50), &options(), usize::MAX, |packages| {
        packages.iter().flat_map(|p| [Chunk::default(), read(&[*p])]).collect()
    })
    .unwrap();
    assert_eq!(tree(a.path()), tree(b.path()));
}

#[test]
fn a_second_run_has_nothing_to_do() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(50), &options()).unwrap();
    let before = tree(dir.path());
    let summary = run(dir.path(), &packages(50), &options()).unwrap();
    assert_eq!((summary.written_parts, summary.skipped_packages, summary.counts.articles), (0, 50, 50));
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn stopped_after_any_chunk_and_run_again_it_gives_the_same_bytes() {
    let whole = tempfile::tempdir().unwrap();
    run(whole.path(), &packages(50), &options()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for chunks in [1, 2, 3, 2, 1] {
        let error = run_until(dir.path(), &packages(50), &options(), chunks).unwrap_err();
        assert_eq!(error.reason(), Reason::Interrupted);
    }
    let summary = run(dir.path(), &packages(50), &options()).unwrap();
    assert!(summary.skipped_packages > 0, "whole parts of the stopped runs stay");
    assert_eq!(tree(dir.path()), tree(whole.path()));
}

#[test]
fn failing_at_any_change_of_the_disk_and_run_again_it_gives_the_same_bytes() {
    let whole = tempfile::tempdir().unwrap();
    run(whole.path(), &packages(25), &options()).unwrap();
    let expected = tree(whole.path());
    let mut failed = 0;
    for n in 0.. {
        let dir = tempfile::tempdir().unwrap();
        fail_after(Some(n));
        let result = run(dir.path(), &packages(25), &options());
        fail_after(None);
        let Err(error) = result else { break };
        assert_eq!(error.reason(), Reason::DiskFull, "{error}");
        assert!(error.source().is_some(), "{error}");
        failed += 1;
        for part in ["000000", "000001"] {
            if dir.path().join(format!("parts/{part}.json")).exists() {
                let record = manifest::read::<manifest::PartRecord>(&dir.path().join(format!("parts/{part}.json")));
                assert!(record.unwrap().files.iter().all(|file| dir.path().join(&file.path).exists()));
            }
        }
        run(dir.path(), &packages(25), &options()).unwrap();
        assert_eq!(tree(dir.path()), expected, "failed at change {n}");
    }
    assert!(failed > 40, "only {failed} changes of the disk");
}

#[test]
fn failing_while_a_part_is_replaced_never_leaves_a_record_that_lies() {
    let mut other = packages(20);
    other[3].kind = Kind::Broken;
    // The digest follows paths and sizes alone, so the part is made to look like another's.
    let renumbered: Vec<Fake> = packages(21).into_iter().skip(1).collect();
    for n in 0.. {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &other, &options()).unwrap();
        // As a run that was killed at its end leaves it.
        set_incomplete(dir.path());
        fail_after(Some(n));
        let result = run(dir.path(), &renumbered, &options());
        fail_after(None);
        let done = result.is_ok();
        let report = crate::dataset::verify(&local(dir.path()), true, 1, &|| false).unwrap();
        let lies = report.problems.iter().filter(|p| p.what.contains("hash") || p.what.contains("bytes, not"));
        assert_eq!(lies.count(), 0, "{:?}", report.problems);
        run(dir.path(), &renumbered, &options()).unwrap();
        assert!(crate::dataset::verify(&local(dir.path()), true, 1, &|| false).unwrap().is_ok());
        if done {
            return;
        }
    }
}

#[test]
fn what_a_killed_run_left_is_swept_away() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(25), &options()).unwrap();
    let expected = tree(dir.path());
    for path in ["articles/.tmp-000001.parquet", "shards/other/.tmp-000001-0000.tar", ".tmp-dataset.json"] {
        fs::write(dir.path().join(path), "half").unwrap();
    }
    run(dir.path(), &packages(25), &options()).unwrap();
    assert_eq!(tree(dir.path()), expected);
}

#[test]
fn a_part_that_lost_a_file_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(50), &options()).unwrap();
    let expected = tree(dir.path());
    fs::remove_file(dir.path().join("figures/000001.parquet")).unwrap();
    fs::write(dir.path().join("parts/000002.json"), "{").unwrap();
    let summary = run(dir.path(), &packages(50), &options()).unwrap();
    assert_eq!(summary.written_parts, 2);
    assert_eq!(tree(dir.path()), expected);
}

#[test]
fn a_run_without_packages_leaves_the_dataset_alone() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(25), &options()).unwrap();
    let before = tree(dir.path());
    assert_eq!(run(dir.path(), &[], &options()).unwrap_err().reason(), Reason::NotFound);
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn the_second_article_of_an_accession_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let mut packages = packages(10);
    packages[4].kind = Kind::Again;
    packages[7].kind = Kind::Broken;
    let counts = run(dir.path(), &packages, &options()).unwrap().counts;
    assert_eq!((counts.packages, counts.articles, counts.failures), (10, 8, 2));
    assert_eq!(counts.reasons.into_iter().collect::<Vec<_>>(), [("corrupt".into(), 1), ("duplicate".into(), 1)]);
}

#[test]
fn a_package_that_gives_nothing_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let mut packages = packages(3);
    packages[1].kind = Kind::Silent;
    let counts = run(dir.path(), &packages, &options()).unwrap().counts;
    assert_eq!((counts.packages, counts.articles, counts.reasons.get("internal")), (3, 2, Some(&1)));
}

#[test]
fn other_options_are_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(5), &options()).unwrap();
    let before = tree(dir.path());
    let other = Options { rules: Rules::of_size(64), part_size: 7, ..options() };
    let error = run(dir.path(), &packages(5), &other).unwrap_err();
    assert_eq!(error.reason(), Reason::Mismatch);
    insta::assert_snapshot!(error.detail(), @"the dataset there was made with other options (part_size is 20 there, 7 here; min_size is 21 there, 64 here); give the same options to continue it, or choose another output directory");
    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_dataset_of_another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(5), &options()).unwrap();
    let path = dir.path().join("dataset.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"format\": 2", "\"format\": 1", 1)).unwrap();
    let error = run(dir.path(), &packages(5), &options()).unwrap_err();
    assert_eq!(error.reason(), Reason::Mismatch);
    insta::assert_snapshot!(error.detail(), @"the dataset there is of format 1, and this version writes format 2; extract anew into another output directory");
}

#[test]
fn a_directory_with_other_things_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let error = run(dir.path(), &packages(5), &options()).unwrap_err();
    assert_eq!(error.reason(), Reason::Mismatch);
    insta::assert_snapshot!(error.detail(), @"the directory is not empty and no dataset (it has thesis.tex); choose a new or empty one");
}

#[test]
fn a_damaged_dataset_record_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(5), &options()).unwrap();
    fs::write(dir.path().join("dataset.json"), "{\"format\": 1").unwrap();
    let error = run(dir.path(), &packages(5), &options()).unwrap_err();
    assert_eq!(error.reason(), Reason::Corrupt);
    assert!(error.source().unwrap().ends_with("dataset.json"));
}

#[test]
fn two_writers_at_once_are_one_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let first = crate::dataset::Writer::open(&local(dir.path()), &options()).unwrap();
    let error = run(dir.path(), &packages(5), &options()).unwrap_err();
    assert_eq!(error.reason(), Reason::Locked);
    drop(first);
    run(dir.path(), &packages(5), &options()).unwrap();
}

#[cfg(unix)]
#[test]
fn an_output_that_cannot_be_made_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = run(&file.join("out"), &packages(1), &options()).unwrap_err();
    assert!(error.source().unwrap().ends_with("file/out"), "{error}");
}

#[test]
fn the_dataset_record_has_options_counts_and_parts() {
    let dir = tempfile::tempdir().unwrap();
    let summary = run(dir.path(), &packages(25), &options()).unwrap();
    let record: DatasetRecord = manifest::read(&dir.path().join("dataset.json")).unwrap();
    assert!(record.complete);
    assert_eq!(record.options, options().to_json());
    assert_eq!(record.counts, summary.counts);
    assert_eq!(record.parts.iter().map(|entry| entry.number).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(record.counts.subsets.len(), 3);
    assert_eq!(record.counts.statuses.len(), crate::article::Status::ALL.len());
    let mut sum = Counts::new();
    for entry in &record.parts {
        let part: manifest::PartRecord = manifest::read(&dir.path().join(&entry.path)).unwrap();
        assert_eq!(part.entry(), *entry);
        sum.add(&part.counts);
    }
    assert_eq!(sum, record.counts);
}

#[test]
fn a_reader_that_ends_early_does_not_end_the_dataset() {
    let dir = tempfile::tempdir().unwrap();
    let writer = crate::dataset::Writer::open(&local(dir.path()), &options()).unwrap();
    let walked = crate::dataset::Walked::default();
    let error = writer.write(&walked, &mut |_| Some(None), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.reason(), Reason::Internal);
    let record: DatasetRecord = manifest::read(&dir.path().join("dataset.json")).unwrap();
    assert!(!record.complete);
}

#[test]
fn a_caller_can_stop_while_nothing_comes() {
    let dir = tempfile::tempdir().unwrap();
    let writer = crate::dataset::Writer::open(&local(dir.path()), &options()).unwrap();
    let walked = crate::dataset::Walked::default();
    let mut waited = 0;
    let mut nothing = |_| {
        waited += 1;
        None
    };
    let error = writer.write(&walked, &mut nothing, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert_eq!((error.reason(), waited), (Reason::Interrupted, 1));
}
