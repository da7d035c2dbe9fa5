//! Parts in which something failed that may go well another time: what they were made of, from their own tables.

use std::fs;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, StringArray};

use super::manifest::{DATASET, DatasetRecord, PartRecord};
use super::options::Options;
use super::place::Place;
use super::plan::PartPlan;
use super::root::Root;
use super::task::Task;
use super::write::Writer;
use crate::article::Failure;
use crate::error::{Error, Reason, Result, Stage};
use crate::package::{Kind, Package, VersionReason};
use crate::store::local_path;

/// A part in which something failed that may go well another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// The part's number.
    pub number: u32,
    /// How many of its failures may heal.
    pub failures: u64,
}

impl Writer {
    /// Opens the dataset at `root` as it was made. Fails when its extraction was not finished: that must be done first,
    /// by the command that began it.
    pub fn reopen(root: &Root) -> Result<Self> {
        let refuse = |reason, detail: &str| Error::new(Stage::Open, reason, detail).in_source(root.location(""));
        if root.read(DATASET)?.is_none() {
            return Err(refuse(Reason::NotFound, "no dataset here: it has no dataset.json"));
        }
        let record: DatasetRecord = root.record(DATASET)?;
        if !record.complete {
            let detail = "the extraction was not finished; run the same extract command again, which does the rest";
            return Err(refuse(Reason::Mismatch, detail));
        }
        Self::open(root, &Options::from_json(&record.options)?)
    }

    /// The parts in which something failed that may go well another time.
    pub fn failed(&self) -> Result<Vec<Failed>> {
        let mut failed = Vec::new();
        for number in self.failed_parts() {
            let failures = failures(self.place(), number)?.iter().filter(|failure| failure.error.may_heal()).count();
            if failures > 0 {
                failed.push(Failed { number, failures: failures as u64 });
            }
        }
        Ok(failed)
    }

    /// What makes a finished part anew, of the packages that it was made of.
    pub fn again(&self, number: u32) -> Result<Task> {
        let place = self.place();
        let record: PartRecord = place.root().record(&PartRecord::path(number))?;
        let mut failures = failures(place, number)?;
        failures.truncate(usize::try_from(record.walk_failures).unwrap_or(usize::MAX));
        let part = PartPlan::new(number, packages(place, number)?, failures);
        Ok(Task::again(place, part, record.counts))
    }
}

fn failures(place: &Place, number: u32) -> Result<Vec<Failure>> {
    let mut rows = Vec::new();
    read(place, "failures", number, |batch| {
        let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
        let columns = (text("source")?, text("article_accession_id")?, text("member")?);
        let (stages, reasons, details) = (text("stage")?, text("reason")?, text("detail")?);
        for row in 0..batch.num_rows() {
            let (stage, reason) = (Stage::of_word(stages.value(row))?, Reason::of_word(reasons.value(row))?);
            let mut error = Error::new(stage, reason, details.value(row));
            if let Some(source) = value(columns.0, row) {
                error = error.in_source(source);
            }
            if let Some(member) = value(columns.2, row) {
                error = error.in_member(member);
            }
            rows.push(Failure { accession: value(columns.1, row).map(str::to_owned), error });
        }
        Some(())
    })?;
    Ok(rows)
}

fn packages(place: &Place, number: u32) -> Result<Vec<Package>> {
    let mut rows = Vec::new();
    read(place, "packages", number, |batch| {
        let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
        let (names, fingerprints, kinds) = (text("package")?, text("fingerprint")?, text("kind")?);
        let (sizes, reasons) = (batch.column_by_name("num_bytes")?, text("version_reason")?);
        let sizes = sizes.as_primitive_opt::<Int64Type>()?;
        for row in 0..batch.num_rows() {
            let num_bytes = u64::try_from(sizes.value(row)).ok()?;
            let fingerprint = fingerprints.value(row);
            let etag = (fingerprint != num_bytes.to_string()).then(|| fingerprint.to_owned());
            let version_reason = value(reasons, row).map(|word| VersionReason::of_word(word).ok_or(())).transpose();
            let package = Package {
                path: PathBuf::from(names.value(row)),
                kind: Kind::of_word(kinds.value(row))?,
                num_bytes,
                etag,
                version_reason: version_reason.ok()?,
            };
            rows.push(measured(package));
        }
        Some(())
    })?;
    Ok(rows)
}

/// The package with the size that it has now: one that could not be looked at had none.
fn measured(package: Package) -> Package {
    let is_file = matches!(package.kind, Kind::TarGz | Kind::Tar | Kind::Xml);
    let is_local = package.path.to_str().is_some_and(|text| local_path(text).is_some());
    match fs::metadata(&package.path) {
        Ok(metadata) if is_file && is_local => Package { num_bytes: metadata.len(), ..package },
        _ => package,
    }
}

fn value(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// Calls `take` with the batches of a part's table; it gives none where a column is missing or has a value that cannot be.
fn read(place: &Place, table: &str, number: u32, mut take: impl FnMut(&RecordBatch) -> Option<()>) -> Result<()> {
    let path = format!("{table}/{}.parquet", PartRecord::stem(number));
    let damaged = |detail: String| {
        let error = Error::new(Stage::Open, Reason::Corrupt, format!("not a table of a dataset: {detail}"));
        error.in_source(place.root().location(&path))
    };
    let batches = place.root().table(&path)?.build().map_err(|error| damaged(error.to_string()))?;
    for batch in batches {
        let batch = batch.map_err(|error| damaged(error.to_string()))?;
        take(&batch)
            .ok_or_else(|| damaged("a column is missing or has a value that this version does not know".into()))?;
    }
    Ok(())
}
