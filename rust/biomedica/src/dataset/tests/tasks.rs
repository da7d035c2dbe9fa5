//! Parts made elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use std::time::Duration;

use super::make::{local, options, sources, tree};
use crate::dataset::{Options, PartRecord, Task, Writer, extract, verify};
use crate::error::{Reason, Result};
use crate::pipeline;
use crate::source::{Selection, walk};
use crate::store::StoreOptions;

fn whole(root: &Path, sources: &Path) -> BTreeMap<String, String> {
    let out = root.join("whole");
    let selection = Selection::default();
    extract(&[sources.into()], &local(&out), &options(), &selection, &mut |_| ControlFlow::Continue(())).unwrap();
    tree(&out)
}

/// The tasks of a run, as they travel.
fn tasks(writer: &Writer, sources: &Path) -> Vec<String> {
    let plan = writer.plan(walk(&[sources.into()], &Selection::default(), &StoreOptions::default()), true);
    plan.map(|part| serde_json::to_string(&Task::new(writer.place(), part.unwrap())).unwrap()).collect()
}

fn make(task: &str, root: &Path) -> Result<PartRecord> {
    let task: Task = serde_json::from_str(task).unwrap();
    task.run(&local(root), Some(1), &mut |_| ControlFlow::Continue(()))
}

#[test]
fn parts_made_elsewhere_in_any_order_and_twice_give_the_bytes_of_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let expected = whole(dir.path(), &sources);
    let out = dir.path().join("out");
    let mut writer = Writer::open(&local(&out), &options()).unwrap();
    let plan = writer.plan(walk(std::slice::from_ref(&sources), &Selection::default(), &StoreOptions::default()), true);
    let walked = plan.walked();
    let made: Vec<PartRecord> = tasks(&writer, &sources).iter().rev().map(|task| make(task, &out).unwrap()).collect();
    assert_eq!(plan.count(), 3);
    make(&tasks(&writer, &sources)[1], &out).unwrap();
    for record in &made {
        writer.adopt(record.number, &record.inputs, Duration::ZERO).unwrap();
    }
    let summary = writer.finish(&walked).unwrap();
    assert_eq!((summary.written_parts, summary.counts.packages, summary.counts.failures), (3, 45, 1));
    assert_eq!(tree(&out), expected);
}

#[test]
fn writers_of_one_part_at_the_same_time_do_each_other_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let out = dir.path().join("out");
    let mut writer = Writer::open(&local(&out), &options()).unwrap();
    let task = tasks(&writer, &sources).remove(0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| make(&task, &out).unwrap())).collect();
        let made: Vec<PartRecord> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(made.windows(2).all(|pair| pair[0] == pair[1]));
        writer.adopt(0, &made[0].inputs, Duration::ZERO).unwrap();
    });
    drop(writer);
    let report = verify(&local(&out), true, 1, &|| false).unwrap();
    assert!(report.problems.iter().all(|problem| problem.what.contains("was not finished")), "{:?}", report.problems);
}

#[test]
fn a_part_for_a_run_that_has_ended_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let out = dir.path().join("out");
    let first = Writer::open(&local(&out), &options()).unwrap();
    let task = tasks(&first, &sources).remove(0);
    drop(first);
    let error = make(&task, &out).unwrap_err();
    assert_eq!(error.reason(), Reason::Locked, "{error}");
    let second = Writer::open(&local(&out), &options()).unwrap();
    let before = tree(&out);
    assert_eq!(make(&task, &out).unwrap_err().reason(), Reason::Locked);
    assert_eq!(tree(&out), before);
    make(&tasks(&second, &sources)[0], &out).unwrap();
}

#[test]
fn a_part_that_is_not_seen_from_here_is_not_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let out = dir.path().join("out");
    let mut writer = Writer::open(&local(&out), &options()).unwrap();
    let error = writer.adopt(0, "", Duration::ZERO).unwrap_err();
    assert_eq!(error.reason(), Reason::NotFound);
    let record = make(&tasks(&writer, &sources)[0], &out).unwrap();
    assert_eq!(writer.adopt(0, "other inputs", Duration::ZERO).unwrap_err().reason(), Reason::NotFound);
    fs::remove_file(out.join("figures/000000.parquet")).unwrap();
    assert_eq!(writer.adopt(0, &record.inputs, Duration::ZERO).unwrap_err().reason(), Reason::NotFound);
}

#[test]
fn a_machine_without_the_sources_fails_rather_than_to_write_a_part_of_failures() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let out = dir.path().join("out");
    let writer = Writer::open(&local(&out), &options()).unwrap();
    let tasks = tasks(&writer, &sources);
    fs::remove_file(sources.join("PMC100.xml")).unwrap();
    assert_eq!(make(&tasks[0], &out).unwrap().counts.reasons.get("not_found"), Some(&1), "one of many is a failure");
    fs::remove_dir_all(&sources).unwrap();
    let error = make(&tasks[1], &out).unwrap_err();
    assert_eq!(error.reason(), Reason::NotFound);
    assert!(error.detail().contains("every machine"), "{error}");
    assert!(!out.join("parts/000001.json").exists());
}

#[test]
fn a_stopped_task_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sources = sources(dir.path());
    let out = dir.path().join("out");
    let writer = Writer::open(&local(&out), &options()).unwrap();
    let before = tree(&out);
    let task: Task = serde_json::from_str(&tasks(&writer, &sources)[0]).unwrap();
    let error = task.run(&local(&out), Some(2), &mut |_| ControlFlow::Break(())).unwrap_err();
    assert_eq!(error.reason(), Reason::Interrupted);
    assert_eq!(tree(&out), before);
}

#[test]
fn threads_of_a_task_are_those_of_its_machine() {
    let place = crate::dataset::Place::new(&local(Path::new("x")), &Options { threads: Some(3), ..options() }, None);
    assert_eq!((place.reading().threads, place.digest()), (3, options().digest().as_str()));
    assert!(pipeline::threads(None) > 0);
}
