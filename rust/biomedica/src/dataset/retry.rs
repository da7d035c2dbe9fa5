//! Parts in which something failed that may go well another time, made anew of what their own tables say.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use super::manifest::{Counts, DATASET, DatasetRecord, PartRecord};
use super::options::Options;
use super::place::Place;
use super::plan::PartPlan;
use super::root::Root;
use super::rows::rows;
use super::store::Store;
use super::task::read_part;
use super::tombstone::Tombstones;
use crate::article::Failure;
use crate::error::{Error, Reason, Result, Stage};
use crate::package::{Kind, Package, VersionReason};

/// Of a part of which nothing is dead.
static NOTHING: LazyLock<HashSet<String>> = LazyLock::new(HashSet::new);

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
/// articles or pairs, and fewer failures. A part of which something is dead is made of what lives, as one behind the others:
/// such are put in the places of the old ones all at once.
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
    store.mend(&record)?;
    let dead = store.tombstones().map_or_else(HashMap::new, |tombstones| dead(tombstones, &record));
    let dead_of = |number: u32| dead.get(&number).unwrap_or(&NOTHING);
    let mut done = Retried::default();
    let mut wanted = Vec::new();
    for number in store.failed() {
        let old = failures(store.place(), number, dead_of(number))?;
        if passing(&old) > 0 {
            done.failures_before += passing(&old);
            wanted.push((number, old));
        }
    }
    done.total_parts = wanted.len() as u64;
    done.failures = done.failures_before;
    let mut next = record.parts.last().map_or(0, |entry| entry.number + 1);
    let (mut made, mut replaced) = (Vec::new(), BTreeSet::new());
    for (number, old) in wanted {
        let mut before = store.counts_of(number).cloned().unwrap_or_default();
        let dropped = store.dropped_of(number).cloned();
        if let Some(dropped) = &dropped {
            before.subtract(dropped);
        }
        let new = if dropped.is_some() { next } else { number };
        let plan = Arc::new(plan(store.place(), number, new, &old, dead_of(number))?);
        let part = read_part(store.place(), plan, &mut |_| progress(&done))?;
        if is_better(part.counts(), &before) {
            let record = part.publish()?;
            done.renewed_parts += 1;
            done.articles += record.counts.articles - before.articles;
            done.pairs += record.counts.pairs - before.pairs;
            done.failures -= passing(&old);
            done.failures += passing(&failures(store.place(), new, &NOTHING)?);
            if dropped.is_some() {
                next += 1;
                made.push(record);
                replaced.insert(number);
            } else {
                store.renew(record)?;
            }
        }
        done.parts += 1;
    }
    if !made.is_empty() {
        store.replace(made, &replaced)?;
    }
    Ok(done)
}

/// The dead packages of each part.
fn dead(tombstones: &Tombstones, record: &DatasetRecord) -> HashMap<u32, HashSet<String>> {
    let of = |number| tombstones.packages(number).into_iter().map(str::to_owned).collect();
    record.parts.iter().map(|entry| (entry.number, of(entry.number))).collect()
}

/// A package that went away since must not take its articles with it.
fn is_better(new: &Counts, old: &Counts) -> bool {
    new.articles >= old.articles && new.pairs >= old.pairs && new.failures < old.failures
}

/// How many of them may heal.
fn passing(failures: &[Failure]) -> u64 {
    failures.iter().filter(|failure| failure.error.may_heal()).count() as u64
}

/// What a part was made of and still lives, as the part `new`.
fn plan(place: &Place, number: u32, new: u32, failures: &[Failure], dead: &HashSet<String>) -> Result<PartPlan> {
    let mut packages = Vec::new();
    let mut places = HashSet::new();
    for batch in rows(place.root(), &path("packages", number), &[])? {
        let batch = batch?;
        let (names, fingerprints) = (batch.texts("package")?, batch.texts("fingerprint")?);
        let (sizes, kinds, reasons) = (batch.longs("num_bytes")?, batch.texts("kind")?, batch.texts("version_reason")?);
        for row in (0..batch.len()).filter(|&row| names.get(row).is_none_or(|name| !dead.contains(name))) {
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
    Ok(PartPlan::new(new, packages, failures.iter().filter(of_walk).cloned().collect()))
}

/// The failures of a part that are not of dead packages.
fn failures(place: &Place, number: u32, dead: &HashSet<String>) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for batch in rows(place.root(), &path("failures", number), &[])? {
        let batch = batch?;
        let (sources, accessions) = (batch.texts("source")?, batch.texts("article_accession_id")?);
        let (members, details) = (batch.texts("member")?, batch.texts("detail")?);
        let (stages, reasons) = (batch.texts("stage")?, batch.texts("reason")?);
        for row in (0..batch.len()).filter(|&row| sources.get(row).is_none_or(|source| !dead.contains(source))) {
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
