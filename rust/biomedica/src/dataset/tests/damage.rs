//! What `verify` finds.

use std::fs;
use std::path::Path;

use super::make::{local, options, packages, run};
use crate::dataset::{Report, verify};
use crate::error::Reason;

fn dataset() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(50), &options()).unwrap();
    dir
}

fn check(root: &Path) -> Report {
    verify(&local(root), true, 2, &|| false).unwrap()
}

/// The one problem with a dataset, as `path: what`.
fn problem(root: &Path) -> String {
    let report = check(root);
    assert_eq!(report.num_problems, 1, "{:?}", report.problems);
    format!("{}: {}", report.problems[0].path, report.problems[0].what)
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_whole_dataset_has_no_problem() {
    let dir = dataset();
    let report = check(dir.path());
    assert!(report.is_ok(), "{:?}", report.problems);
    assert_eq!(report.parts, 3);
    assert!(report.images > 20 && report.files > 12 && report.num_bytes > 100_000);
    assert_eq!(verify(&local(dir.path()), false, 1, &|| false).unwrap().images, 0);
}

#[test]
fn a_missing_file_is_found() {
    let dir = dataset();
    fs::remove_file(dir.path().join("failures/000001.parquet")).unwrap();
    insta::assert_snapshot!(problem(dir.path()), @"failures/000001.parquet: No such file or directory (os error 2)");
}

#[test]
fn a_truncated_file_is_found() {
    let dir = dataset();
    let path = dir.path().join("shards/commercial/000000-0000.tar");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 512]).unwrap();
    let report = check(dir.path());
    assert!(report.problems.iter().any(|p| p.path.ends_with("000000-0000.tar") && p.what.contains("bytes, not")));
    assert!(verify(&local(dir.path()), false, 1, &|| false).unwrap().num_problems >= 1);
}

#[test]
fn one_changed_byte_is_found() {
    let dir = dataset();
    let path = dir.path().join("articles/000002.parquet");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    insta::assert_snapshot!(problem(dir.path()), @"articles/000002.parquet: its SHA-256 is not the recorded one");
}

#[test]
fn a_changed_image_is_found_at_its_row_too() {
    let dir = dataset();
    let path = dir.path().join("shards/commercial/000000-0000.tar");
    let mut bytes = fs::read(&path).unwrap();
    bytes[512] ^= 1;
    fs::write(&path, bytes).unwrap();
    let report = check(dir.path());
    assert_eq!(report.num_problems, 2, "{:?}", report.problems);
    assert!(report.problems.iter().any(|p| p.what.contains("have another hash")), "{:?}", report.problems);
}

#[test]
fn a_file_that_no_part_has_is_found() {
    let dir = dataset();
    fs::write(dir.path().join("shards/other/extra.tar"), "x").unwrap();
    insta::assert_snapshot!(problem(dir.path()), @"shards/other/extra.tar: no part has this file");
    fs::remove_file(dir.path().join("shards/other/extra.tar")).unwrap();
    fs::write(dir.path().join("figures/.tmp-000009.parquet"), "x").unwrap();
    insta::assert_snapshot!(problem(dir.path()), @"figures/.tmp-000009.parquet: left by a run that was killed; the next extraction removes it");
}

#[test]
fn a_part_record_that_is_missing_or_broken_is_found() {
    let dir = dataset();
    fs::write(dir.path().join("parts/000001.json"), "{\"number\":").unwrap();
    let report = check(dir.path());
    assert!(report.problems.iter().any(|p| p.path == "parts/000001.json" && p.what.starts_with("corrupt")));
    fs::remove_file(dir.path().join("parts/000001.json")).unwrap();
    let report = check(dir.path());
    assert!(report.problems.iter().any(|p| p.path == "parts/000001.json" && p.what.starts_with("not_found")));
}

#[test]
fn counts_that_were_changed_are_found() {
    let dir = dataset();
    let record = dir.path().join("parts/000000.json");
    edit(&record, "\"articles\": 20", "\"articles\": 21");
    let report = check(dir.path());
    let found: Vec<_> = report.problems.iter().map(|p| p.what.as_str()).collect();
    assert!(found.contains(&"counts differ from those in dataset.json"), "{found:?}");
    assert!(found.contains(&"20 articles by subset, but 21 articles"), "{found:?}");
    assert!(found.contains(&"its counts are not the sums over its parts"), "{found:?}");
}

#[test]
fn rows_that_are_too_few_are_found() {
    let dir = dataset();
    edit(&dir.path().join("parts/000000.json"), "\"rows\": 20", "\"rows\": 22");
    insta::assert_snapshot!(problem(dir.path()), @"articles/000000.parquet: 20 rows, not 22");
}

#[test]
fn a_pointer_out_of_its_shard_is_found() {
    let dir = dataset();
    let record = dir.path().join("parts/000000.json");
    let size = fs::metadata(dir.path().join("shards/commercial/000000-0000.tar")).unwrap().len();
    let path = dir.path().join("shards/commercial/000000-0000.tar");
    let bytes = fs::read(&path).unwrap();
    // A shard that is short, with a record that says so.
    let short = &bytes[..1024];
    let digest = crate::image::hex(&<sha2::Sha256 as sha2::Digest>::digest(&bytes).into());
    fs::write(&path, short).unwrap();
    edit(&record, &digest, &crate::image::hex(&<sha2::Sha256 as sha2::Digest>::digest(short).into()));
    edit(&record, &format!("\"num_bytes\": {size}"), "\"num_bytes\": 1024");
    let report = check(dir.path());
    assert!(report.problems.iter().any(|p| p.what.contains("its pointer leads out of shards/commercial")));
}

#[test]
fn an_image_id_in_two_parts_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut packages = packages(25);
    // The last of the first part is in the second part again.
    packages[20].kind = super::make::Kind::Again;
    run(dir.path(), &packages, &options()).unwrap();
    let report = check(dir.path());
    assert!(report.problems.iter().all(|p| p.what.contains("occurs twice")), "{:?}", report.problems);
    assert_eq!(report.num_problems, 4);
}

#[test]
fn a_dataset_that_was_not_finished_is_called_so() {
    let dir = dataset();
    edit(&dir.path().join("dataset.json"), "\"complete\": true", "\"complete\": false");
    insta::assert_snapshot!(problem(dir.path()), @"dataset.json: the extraction was not finished; the same command goes on where it was");
}

#[test]
fn a_broken_dataset_record_is_a_problem_and_none_an_error() {
    let dir = dataset();
    fs::write(dir.path().join("dataset.json"), [0xff, 0]).unwrap();
    assert!(!check(dir.path()).is_ok());
    fs::remove_file(dir.path().join("dataset.json")).unwrap();
    assert_eq!(verify(&local(dir.path()), false, 1, &|| false).unwrap_err().reason(), Reason::NotFound);
}

#[test]
fn it_can_be_stopped() {
    let dir = dataset();
    assert_eq!(verify(&local(dir.path()), false, 2, &|| true).unwrap_err().reason(), Reason::Interrupted);
}
