//! Where a part is written: what its writer must know of the dataset, on whatever machine.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::file::{Sealed, is_temporary};
use super::lock::{self, Publishing};
use super::manifest::{DatasetRecord, FileRecord, PartRecord, to_bytes};
use super::options::Options;
use super::root::Root;
use super::tombstone::TOMBSTONES;
use crate::error::{Error, Reason, Result, Stage};
use crate::jats::Subset;
use crate::pipeline;

/// The tables of a dataset; each part has a file in the directory of each.
const TABLES: [&str; 4] = ["articles", "figures", "failures", "packages"];
/// Says which articles tables `enrich` has joined PubMed's records to.
const ENRICHMENT: &str = "enrichment/enrichment.json";

/// A dataset as the writer of one part knows it. It holds no lock: the run that it works for does.
#[derive(Debug, Clone)]
pub struct Place {
    root: Root,
    options: Options,
    digest: String,
    /// The run that holds the dataset's lock, where locks are known.
    run: Option<String>,
}

/// The directories of a dataset, relative to it.
pub(super) fn directories() -> Vec<String> {
    let shards = Subset::ALL.iter().map(|subset| format!("shards/{subset}"));
    TABLES.into_iter().chain(["parts", "shards"]).map(str::to_owned).chain(shards).collect()
}

/// The part that a file is of, by its name.
fn number_of(name: &str) -> Option<u32> {
    name.split(['.', '-']).next()?.parse().ok()
}

impl Place {
    /// The dataset at `root`, made with `options` and written by `run`.
    pub fn new(root: &Root, options: &Options, run: Option<String>) -> Self {
        Self { root: root.clone(), options: options.clone(), digest: options.digest(), run }
    }

    /// Where it lies.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// How it is made.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How its packages are read.
    pub(super) fn reading(&self) -> pipeline::Options {
        let Options { threads, limits, rules, .. } = &self.options;
        let (rules, store) = (rules.clone(), self.root.stores().clone());
        pipeline::Options { threads: pipeline::threads(*threads), limits: *limits, rules, store }
    }

    /// The digest of its options.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The run that writes it.
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// The path of a file of the dataset, for messages.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.location(relative).into()
    }

    /// Gives the files of a part their names, its record last. Until the record is there, the part is not.
    ///
    /// One writer at a time, and none whose run has lost the dataset to another. A part that is there in these very
    /// bytes stays.
    pub(super) fn publish(&self, record: &PartRecord, files: Vec<Sealed>) -> Result<()> {
        let publishing = self.publishing()?;
        let path = PartRecord::path(record.number);
        if self.root.record::<PartRecord>(&path).is_ok_and(|there| there == *record) && self.has_files(record)? {
            return Ok(());
        }
        self.clear(&publishing, record.number)?;
        files.into_iter().try_for_each(Sealed::publish)?;
        let of_file = |file: &'_ FileRecord| Some(file.path.rsplit_once('/')?.0.to_owned());
        let directories: BTreeSet<String> = record.files.iter().filter_map(of_file).collect();
        directories.iter().try_for_each(|directory| self.root.sync(directory))?;
        self.root.replace(&path, to_bytes(record)?)
    }

    /// The right to change what parts have published.
    pub(super) fn publishing(&self) -> Result<Publishing> {
        let publishing = Publishing::take(&self.root)?;
        lock::check_run(&self.root, self.run.as_deref())?;
        Ok(publishing)
    }

    fn has_files(&self, record: &PartRecord) -> Result<bool> {
        for file in &record.files {
            if self.root.size(&file.path)? != Some(file.num_bytes) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes the files of a part out, its record first: at no time does a record vouch for files of another run.
    pub(super) fn clear(&self, _publishing: &Publishing, number: u32) -> Result<()> {
        let record = PartRecord::path(number);
        if self.root.size(&record)?.is_some() {
            // What was joined to its articles is of articles that are no more; the next `enrich` joins again.
            self.root.remove(ENRICHMENT)?;
        }
        self.root.remove(&record)?;
        self.root.sync("parts")?;
        let stem = PartRecord::stem(number);
        for table in TABLES {
            self.root.remove(&format!("{table}/{stem}.parquet"))?;
        }
        let prefix = format!("{stem}-");
        for subset in Subset::ALL {
            self.remove_files(&format!("shards/{subset}"), |name| name.starts_with(&prefix))?;
        }
        Ok(())
    }

    /// Removes the files of parts that a dataset has not, and of tombstones that are not its own.
    pub(super) fn retain(&self, dataset: &DatasetRecord) -> Result<()> {
        let live: BTreeSet<u32> = dataset.parts.iter().map(|entry| entry.number).collect();
        let mut beyond = BTreeSet::new();
        for directory in directories() {
            self.root.each_file(&directory, |name| {
                beyond.extend(number_of(name).filter(|number| !live.contains(number)));
                Ok(())
            })?;
        }
        let tombstones = dataset.tombstones.as_ref().map(|file| file.path.as_str());
        let mut others = Vec::new();
        let listed = self.root.each_file(TOMBSTONES, |name| {
            others.extend(Some(format!("{TOMBSTONES}/{name}")).filter(|path| Some(path.as_str()) != tombstones));
            Ok(())
        });
        listed.or_else(|error| if error.reason() == Reason::NotFound { Ok(()) } else { Err(error) })?;
        if beyond.is_empty() && others.is_empty() {
            return Ok(());
        }
        let publishing = self.publishing()?;
        beyond.into_iter().try_for_each(|number| self.clear(&publishing, number))?;
        others.iter().try_for_each(|path| self.root.remove(path))
    }

    /// Removes what a killed run left under temporary names. Stores have none.
    pub(super) fn sweep(&self) -> Result<()> {
        if self.root.directory().is_none() {
            return Ok(());
        }
        let directories = directories();
        directories.iter().map(String::as_str).chain(["."]).try_for_each(|d| self.remove_files(d, is_temporary))?;
        match self.remove_files(TOMBSTONES, is_temporary) {
            Err(error) if error.reason() == Reason::NotFound => Ok(()),
            swept => swept,
        }
    }

    fn remove_files(&self, directory: &str, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
        let mut found = Vec::new();
        self.root.each_file(directory, |name| {
            found.extend(is_wanted(name).then(|| name.to_owned()));
            Ok(())
        })?;
        found.iter().try_for_each(|name| self.root.remove(&format!("{directory}/{name}")))
    }

    /// The record of a part if the part is whole: readable, options ours, every file there in its size.
    pub(super) fn whole(&self, number: u32) -> Result<Option<PartRecord>> {
        let path = PartRecord::path(number);
        let Some(bytes) = self.root.read(&path)? else { return Ok(None) };
        let record = serde_json::from_slice::<PartRecord>(&bytes).ok();
        let Some(record) = record.filter(|record| record.number == number && record.options == self.digest) else {
            return Ok(None);
        };
        Ok(self.has_files(&record)?.then_some(record))
    }

    /// The records of all parts that are whole. One that cannot be read vouches for nothing: its part is made again.
    pub(super) fn parts(&self) -> Result<Vec<PartRecord>> {
        let mut paths = Vec::new();
        self.root.each_file("parts", |name| {
            paths.push(format!("parts/{name}"));
            Ok(())
        })?;
        paths.sort();
        let sizes = self.root.sizes()?;
        let is_whole = |path: &String, record: &PartRecord| {
            PartRecord::path(record.number) == *path
                && record.options == self.digest
                && record.files.iter().all(|file| sizes.get(&file.path) == Some(file.num_bytes))
        };
        let read = paths.iter().zip(self.root.records::<PartRecord>(&paths));
        Ok(read.filter_map(|(path, record)| record.ok().filter(|record| is_whole(path, record))).collect())
    }

    pub(super) fn refuse(&self, reason: Reason, detail: &str) -> Error {
        Error::new(Stage::Write, reason, detail).in_source(self.root.location(""))
    }
}
