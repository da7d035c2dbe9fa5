//! Whether a dataset is what its records say.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, StringArray};
use parquet::arrow::ProjectionMask;
use sha2::{Digest, Sha256};

use super::file::is_temporary;
use super::manifest::{Counts, DATASET, DatasetRecord, FileRecord, PartEntry, PartRecord};
use super::options::FORMAT;
use super::place::directories;
use super::root::Root;
use super::tombstone::{TOMBSTONES, Tombstones};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::hex;
use crate::store::Object;

/// Beyond so many problems no more are kept: they are counted.
const MAX_PROBLEMS: usize = 10_000;
const CHUNK: usize = 1 << 20;

/// Something about a dataset that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, relative to the dataset.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// What [`verify`] found.
#[derive(Debug, Default)]
pub struct Report {
    /// Parts looked at.
    pub parts: u64,
    /// Files looked at.
    pub files: u64,
    /// Bytes read and hashed.
    pub num_bytes: u64,
    /// Images compared with their hash.
    pub images: u64,
    /// What is wrong, by path, the first ten thousand.
    pub problems: Vec<Problem>,
    /// How much is wrong.
    pub num_problems: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.num_problems == 0
    }

    fn problem(&mut self, path: &str, what: impl Into<String>) {
        self.num_problems += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { path: path.to_owned(), what: what.into() });
        }
    }

    fn add(&mut self, other: Self) {
        self.parts += other.parts;
        self.files += other.files;
        self.num_bytes += other.num_bytes;
        self.images += other.images;
        self.num_problems += other.num_problems;
        self.problems.extend(other.problems);
        self.problems.truncate(MAX_PROBLEMS);
    }
}

/// Checks a dataset against its records: every file in its size and with its hash, no file too many, tables with their
/// rows, every pointer within its shard, no `image_id` twice. With `deep`, every image is compared with its
/// `image_hash` too. Fails only when there is no dataset, or `stop` says so; damage is reported.
pub fn verify(root: &Root, deep: bool, threads: usize, stop: &(dyn Fn() -> bool + Sync)) -> Result<Report> {
    if root.read(DATASET).map_err(|error| error.in_stage(Stage::Open))?.is_none() {
        let detail = "no dataset here: it has no dataset.json";
        return Err(Error::new(Stage::Open, Reason::NotFound, detail).in_source(root.location("")));
    }
    let mut report = Report::default();
    let dataset = root.record::<DatasetRecord>(DATASET);
    let dataset = dataset.map_err(|error| report.problem("dataset.json", error.detail())).ok();
    let parts = dataset.as_ref().map_or_else(Vec::new, |dataset| parts(root, dataset, &mut report));
    // Tombstones that cannot be read are a problem of their file, which is told below.
    let tombstones = dataset.as_ref().and_then(|dataset| Tombstones::read(root, dataset).ok()).unwrap_or_default();
    strays(root, &parts, dataset.as_ref().and_then(|dataset| dataset.tombstones.as_ref()), &mut report);
    // A file of all parts is one task, so that threads share large parts too.
    let mut tasks: Vec<(Option<u32>, &FileRecord)> =
        parts.iter().flat_map(|part| part.files.iter().map(|file| (Some(part.number), file))).collect();
    tasks.extend(dataset.as_ref().and_then(|dataset| dataset.tombstones.as_ref()).map(|file| (None, file)));
    let sizes: HashMap<&str, u64> = tasks.iter().map(|(_, file)| (file.path.as_str(), file.num_bytes)).collect();
    let next = AtomicUsize::new(0);
    let shared = Mutex::new((report, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, tasks.len().max(1)) {
            scope.spawn(|| {
                while let Some((part, file)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop() {
                        return;
                    }
                    let mut found = Report::default();
                    let dead = part.map(|part| tombstones.articles(part)).unwrap_or_default();
                    let ids = check_file(root, file, &dead, &sizes, deep, &mut found);
                    if let Ok(mut shared) = shared.lock() {
                        shared.0.add(found);
                        shared.1.extend(ids);
                    }
                }
            });
        }
    });
    if stop() {
        return Err(Error::new(Stage::Open, Reason::Interrupted, "stopped"));
    }
    let (mut report, mut ids) = shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    ids.sort_unstable();
    for window in ids.windows(2) {
        if let [(a, _), (b, path)] = window
            && a == b
        {
            report.problem(path, format!("an image_id occurs twice in the dataset (hash {a:032x})"));
        }
    }
    report.parts = parts.len() as u64;
    report.problems.sort();
    Ok(report)
}

/// The records of all parts; what is wrong between them and `dataset.json` is reported.
fn parts(root: &Root, dataset: &DatasetRecord, report: &mut Report) -> Vec<PartRecord> {
    if dataset.format != FORMAT {
        report.problem("dataset.json", format!("format {}; this version knows {FORMAT}", dataset.format));
    }
    if !dataset.complete {
        report.problem("dataset.json", "the extraction was not finished; the same command goes on where it was");
    }
    let mut sum = Counts::new();
    let mut parts = Vec::new();
    let paths: Vec<String> = dataset.parts.iter().map(|entry| entry.path.clone()).collect();
    for (entry, record) in dataset.parts.iter().zip(root.records::<PartRecord>(&paths)) {
        match record {
            Ok(part) => {
                if part.entry() != (PartEntry { dropped: None, ..entry.clone() }) {
                    report.problem(&entry.path, "counts differ from those in dataset.json");
                }
                if let Some(wrong) = part.counts.contradiction() {
                    report.problem(&entry.path, wrong);
                }
                sum.add(&part.counts);
                entry.dropped.iter().for_each(|dropped| sum.subtract(dropped));
                parts.push(part);
            }
            Err(error) => report.problem(&entry.path, format!("{}: {}", error.reason(), error.detail())),
        }
    }
    if parts.len() == dataset.parts.len() && sum != dataset.counts {
        report.problem("dataset.json", "its counts are not the sums over its parts");
    }
    parts
}

/// Files that no record knows.
fn strays(root: &Root, parts: &[PartRecord], tombstones: Option<&FileRecord>, report: &mut Report) {
    let records: Vec<String> = parts.iter().map(|part| PartRecord::path(part.number)).collect();
    let known: HashSet<&str> = parts
        .iter()
        .flat_map(|p| &p.files)
        .map(|f| f.path.as_str())
        .chain(records.iter().map(String::as_str))
        .chain(tombstones.map(|file| file.path.as_str()))
        .collect();
    let mut directories = directories();
    directories.extend(tombstones.map(|_| TOMBSTONES.to_owned()));
    for directory in &directories {
        let looked = root.each_file(directory, |name| {
            let path = format!("{directory}/{name}");
            if is_temporary(name) {
                report.problem(&path, "left by a run that was killed; the next extraction removes it");
            } else if !known.contains(path.as_str()) && !directories.contains(&path) {
                report.problem(&path, "no part has this file");
            }
            Ok(())
        });
        if looked.is_err() {
            report.problem(directory, "the directory is missing or cannot be read");
        }
    }
}

/// Checks one file, and for a figures table what its rows say. Gives a hash of every `image_id` with the file's path.
fn check_file(
    root: &Root,
    file: &FileRecord,
    dead: &HashSet<&str>,
    sizes: &HashMap<&str, u64>,
    deep: bool,
    report: &mut Report,
) -> Vec<(u128, String)> {
    report.files += 1;
    match hash(root, &file.path) {
        Err(e) => {
            report.problem(&file.path, e.detail());
            return Vec::new();
        }
        Ok((num_bytes, _)) if num_bytes != file.num_bytes => {
            report.problem(&file.path, format!("{num_bytes} bytes, not {}", file.num_bytes));
            return Vec::new();
        }
        Ok((num_bytes, sha256)) => {
            report.num_bytes += num_bytes;
            if sha256 != file.sha256 {
                report.problem(&file.path, "its SHA-256 is not the recorded one");
                return Vec::new();
            }
        }
    }
    if !file.path.ends_with(".parquet") {
        return Vec::new();
    }
    match check_table(root, file, dead, sizes, deep, report) {
        Ok(ids) => ids,
        Err(what) => {
            report.problem(&file.path, what);
            Vec::new()
        }
    }
}

fn hash(root: &Root, path: &str) -> Result<(u64, String)> {
    let mut file = root.object(path)?.reader(0)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let mut num_bytes = 0;
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io(Stage::Open, &e))?;
        if n == 0 {
            return Ok((num_bytes, hex(&hasher.finalize().into())));
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
        num_bytes += n as u64;
    }
}

fn check_table(
    root: &Root,
    file: &FileRecord,
    dead: &HashSet<&str>,
    sizes: &HashMap<&str, u64>,
    deep: bool,
    report: &mut Report,
) -> std::result::Result<Vec<(u128, String)>, String> {
    let text = |e: &dyn std::fmt::Display| format!("not readable as Parquet: {e}");
    let builder = root.table(&file.path).map_err(|e| text(&e.detail()))?;
    let rows = builder.metadata().file_metadata().num_rows();
    if u64::try_from(rows).ok() != Some(file.rows) {
        report.problem(&file.path, format!("{rows} rows, not {}", file.rows));
    }
    let mut ids = Vec::new();
    if !file.path.starts_with("figures/") {
        return Ok(ids);
    }
    let names = ["image_id", "article_accession_id", "image_hash", "status", "shard", "shard_offset", "shard_length"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    let mut images = Images { root, sizes, deep, open: None };
    for batch in builder.with_projection(mask).build().map_err(|e| text(&e))? {
        let batch = batch.map_err(|e| text(&e))?;
        let columns =
            PointerColumns::of(&batch).ok_or("a column of the figures table is missing or of another type")?;
        for row in 0..batch.num_rows() {
            let id = columns.id.value(row);
            if !dead.contains(columns.article.value(row)) {
                ids.push((identity(id), file.path.clone()));
            }
            if let Some(what) = images.check(&columns, row, report) {
                report.problem(&file.path, format!("{id}: {what}"));
            }
        }
    }
    Ok(ids)
}

/// Half of a SHA-256: small enough to keep for tens of millions of ids, too large to collide.
fn identity(id: &str) -> u128 {
    Sha256::digest(id).iter().take(16).fold(0, |sum, &byte| (sum << 8) | u128::from(byte))
}

struct PointerColumns<'a> {
    id: &'a StringArray,
    article: &'a StringArray,
    hash: &'a StringArray,
    status: &'a StringArray,
    shard: &'a StringArray,
    offset: &'a arrow_array::Int64Array,
    length: &'a arrow_array::Int64Array,
}

impl<'a> PointerColumns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
        let int = |name| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
        Some(Self {
            id: text("image_id")?,
            article: text("article_accession_id")?,
            hash: text("image_hash")?,
            status: text("status")?,
            shard: text("shard")?,
            offset: int("shard_offset")?,
            length: int("shard_length")?,
        })
    }
}

/// Looks at images through their pointers; neighbours are mostly in one shard, which stays open.
struct Images<'a> {
    root: &'a Root,
    sizes: &'a HashMap<&'a str, u64>,
    deep: bool,
    open: Option<(String, Object)>,
}

impl Images<'_> {
    /// What is wrong with the pointer of a row, or with the image there.
    fn check(&mut self, columns: &PointerColumns<'_>, row: usize, report: &mut Report) -> Option<String> {
        let is_pair = columns.status.is_valid(row) && columns.status.value(row) == "ok";
        if columns.shard.is_null(row) || columns.offset.is_null(row) || columns.length.is_null(row) {
            return is_pair.then(|| "a pair without a pointer to its image".to_owned());
        }
        if !is_pair {
            return Some("a pointer, but not a pair".to_owned());
        }
        let shard = columns.shard.value(row);
        let bounds = u64::try_from(columns.offset.value(row)).ok().zip(u64::try_from(columns.length.value(row)).ok());
        let Some(size) = self.sizes.get(shard).copied() else {
            return Some(format!("its shard {shard} is in no part"));
        };
        let inside = bounds.filter(|(offset, length)| offset.checked_add(*length).is_some_and(|end| end <= size));
        let Some((offset, length)) = inside else {
            return Some(format!("its pointer leads out of {shard}"));
        };
        if !self.deep {
            return None;
        }
        report.images += 1;
        match self.hash(shard, offset, length) {
            Ok(hash) if columns.hash.is_valid(row) && columns.hash.value(row) == hash => None,
            Ok(_) => Some(format!("the bytes at its pointer in {shard} have another hash")),
            Err(e) => Some(format!("the bytes at its pointer in {shard} cannot be read: {}", e.detail())),
        }
    }

    fn hash(&mut self, shard: &str, offset: u64, length: u64) -> Result<String> {
        let object = match self.open.take() {
            Some((path, object)) if path == shard => object,
            _ => self.root.object(shard)?,
        };
        let (_, object) = self.open.insert((shard.to_owned(), object));
        let bytes = object.read(offset..offset.saturating_add(length))?;
        Ok(hex(&Sha256::digest(&bytes).into()))
    }
}
