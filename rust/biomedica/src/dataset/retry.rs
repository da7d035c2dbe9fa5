//! Parts in which something failed that may go well another time, made anew of what their own tables say.

use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::manifest::{Counts, DATASET, DatasetRecord, PartRecord};
use super::options::Options;
use super::place::Place;
use super::plan::PartPlan;
use super::root::Root;
use super::rows::rows;
use super::store::Store;
use super::task::read_part;
use crate::article::Failure;
use crate::error::{Error, Reason, Result, Stage};
use crate::package::{Kind, Package, VersionReason};

/// What [`retry`] found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retried {
    /// Parts with failures that may heal.
    pub total_parts: u64,
    /// Those of them that were tried.
    pub parts: u64,
    /// Those that became better and were published.
    pub renewed_parts: u64,
    /// Failures that may heal, before.
    pub failures_before: u64,
    /// And after.
    pub failures: u64,
    /// Articles that were gained.
    pub articles: u64,
    /// Pairs that were gained.
    pub pairs: u64,
}

/// Reads the packages again of those parts of the dataset at `root` in which something failed that may go well another
/// time ([`Error::may_heal`]), and publishes the parts that became better in the place of the old ones: never fewer
/// articles or pairs, and fewer failures. Parts of which something is dead stay as they are.
///
/// Fails when the dataset is not complete or not whole, or when another process writes there. `progress` can stop the
/// work; the parts that are published stay.
pub fn retry(
    root: &Root,
    threads: Option<usize>,
    progress: &mut dyn FnMut(&Retried) -> ControlFlow<()>,
) -> Result<Retried> {
    let refuse = |reason, detail: &str| Err(Error::new(Stage::Write, reason, detail).in_source(root.location("")));
    if root.read(DATASET)?.is_none() {
        return refuse(Reason::NotFound, "no dataset here: it has no dataset.json");
    }
    let record: DatasetRecord = root.record(DATASET)?;
    let mut store = Store::open(root, &Options { threads, ..Options::from_json(&record.options)? })?;
    if !store.is_complete() {
        return refuse(Reason::Mismatch, "the dataset is not finished or has lost a file; run the same extract first");
    }
    let mut done = Retried::default();
    let mut wanted = Vec::new();
    for number in store.failed() {
        let count = passing(&failures(store.place(), number)?);
        if count > 0 {
            wanted.push(number);
            done.failures_before += count;
        }
    }
    done.total_parts = wanted.len() as u64;
    done.failures = done.failures_before;
    for number in wanted {
        let before = store.counts_of(number).cloned().unwrap_or_default();
        let old = failures(store.place(), number)?;
        let plan = Arc::new(plan(store.place(), number, &old)?);
        let part = read_part(store.place(), plan, &mut |_| progress(&done))?;
        if is_better(part.counts(), &before) {
            let record = part.publish()?;
            done.renewed_parts += 1;
            done.articles += record.counts.articles - before.articles;
            done.pairs += record.counts.pairs - before.pairs;
            store.renew(record)?;
            done.failures -= passing(&old);
            done.failures += passing(&failures(store.place(), number)?);
        }
        done.parts += 1;
    }
    Ok(done)
}

/// A package that went away since must not take its articles with it.
fn is_better(new: &Counts, old: &Counts) -> bool {
    new.articles >= old.articles && new.pairs >= old.pairs && new.failures < old.failures
}

/// How many of them may heal.
fn passing(failures: &[Failure]) -> u64 {
    failures.iter().filter(|failure| failure.error.may_heal()).count() as u64
}

/// What a part was made of.
fn plan(place: &Place, number: u32, failures: &[Failure]) -> Result<PartPlan> {
    let mut packages = Vec::new();
    let mut places = HashSet::new();
    for batch in rows(place.root(), &path("packages", number), &[])? {
        let batch = batch?;
        let (names, fingerprints) = (batch.texts("package")?, batch.texts("fingerprint")?);
        let (sizes, kinds, reasons) = (batch.longs("num_bytes")?, batch.texts("kind")?, batch.texts("version_reason")?);
        for row in 0..batch.len() {
            let (name, Some(fingerprint)) = (names.get(row), fingerprints.get(row)) else {
                // The walk failed here.
                places.insert(names.get(row).map(str::to_owned));
                continue;
            };
            let num_bytes = sizes.get::<u64>(row).unwrap_or(0);
            let kind = kinds.get(row).and_then(Kind::of_word).ok_or_else(|| batch.wrong("a kind that is not known"))?;
            packages.push(measured(Package {
                path: PathBuf::from(name.unwrap_or_default()),
                kind,
                num_bytes,
                etag: (fingerprint != num_bytes.to_string()).then(|| fingerprint.to_owned()),
                version_reason: reasons.get(row).and_then(VersionReason::of_word),
            }));
        }
    }
    let of_walk = |failure: &&Failure| places.contains(&failure.error.source().map(str::to_owned));
    Ok(PartPlan::new(number, packages, failures.iter().filter(of_walk).cloned().collect()))
}

fn failures(place: &Place, number: u32) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for batch in rows(place.root(), &path("failures", number), &[])? {
        let batch = batch?;
        let (sources, accessions) = (batch.texts("source")?, batch.texts("article_accession_id")?);
        let (members, details) = (batch.texts("member")?, batch.texts("detail")?);
        let (stages, reasons) = (batch.texts("stage")?, batch.texts("reason")?);
        for row in 0..batch.len() {
            let stage = stages.get(row).and_then(Stage::of_word);
            let reason = reasons.get(row).and_then(Reason::of_word);
            let (stage, reason) =
                stage.zip(reason).ok_or_else(|| batch.wrong("a stage or reason that is not known"))?;
            let mut error = Error::new(stage, reason, details.get(row).unwrap_or_default());
            if let Some(source) = sources.get(row) {
                error = error.in_source(source);
            }
            if let Some(member) = members.get(row) {
                error = error.in_member(member);
            }
            failures.push(Failure { accession: accessions.get(row).map(str::to_owned), error });
        }
    }
    Ok(failures)
}

/// The package with the size that it has now: one that could not be looked at had none.
fn measured(package: Package) -> Package {
    let is_file = matches!(package.kind, Kind::TarGz | Kind::Tar | Kind::Xml);
    match fs::metadata(&package.path) {
        Ok(metadata) if is_file && !package.is_remote() => Package { num_bytes: metadata.len(), ..package },
        _ => package,
    }
}

fn path(table: &str, number: u32) -> String {
    format!("{table}/{}.parquet", PartRecord::stem(number))
}
