//! The directory of a dataset that is being written: who may write, what is done, what is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::file::is_temporary;
use super::lock::{LOCK, Lock};
use super::manifest::{Counts, DATASET, DatasetRecord, PartEntry, PartRecord, to_bytes};
use super::options::{FORMAT, Options};
use super::root::Root;
use crate::error::{Error, Reason, Result, Stage};
use crate::jats::Subset;

/// The tables of a dataset; each part has a file in the directory of each.
const TABLES: [&str; 4] = ["articles", "figures", "failures", "packages"];
/// Says which articles tables `enrich` has joined PubMed's records to.
const ENRICHMENT: &str = "enrichment/enrichment.json";

/// A dataset's directory, open for one writer.
#[derive(Debug)]
pub(super) struct Store {
    root: Root,
    options: Options,
    digest: String,
    parts: BTreeMap<u32, Done>,
    counts: Counts,
    lock: Lock,
}

/// What is remembered of a finished part.
#[derive(Debug)]
struct Done {
    inputs: String,
    counts: Counts,
    entry: PartEntry,
}

impl Done {
    fn new(record: PartRecord) -> Self {
        let entry = record.entry();
        Self { inputs: record.inputs, counts: record.counts, entry }
    }
}

/// The directories of a dataset, relative to it.
pub(super) fn directories() -> Vec<String> {
    let shards = Subset::ALL.iter().map(|subset| format!("shards/{subset}"));
    TABLES.into_iter().chain(["parts", "shards"]).map(str::to_owned).chain(shards).collect()
}

impl Store {
    /// Makes `root` a dataset, or continues the one that it is. Fails when it is something else, when its options are
    /// others, or when another process writes there.
    pub(super) fn open(root: &Root, options: &Options) -> Result<Self> {
        options.check()?;
        root.make("")?;
        let lock = Lock::take(root)?;
        let digest = options.digest();
        let fresh = root.read(DATASET)?.is_none();
        if fresh {
            check_empty(root)?;
        } else {
            check_options(root, options, &root.record::<DatasetRecord>(DATASET)?)?;
        }
        let mut store = Self {
            root: root.clone(),
            options: options.clone(),
            digest,
            parts: BTreeMap::new(),
            counts: Counts::new(),
            lock,
        };
        for directory in directories() {
            root.make(&directory)?;
        }
        if fresh {
            store.write_record(false)?;
        }
        store.sweep()?;
        store.parts = store.load()?;
        store.count();
        Ok(store)
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Where it lies.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The path of a file of the dataset, for messages.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.location(relative).into()
    }

    /// The inputs of every finished part: what a plan must know to leave parts out.
    pub(super) fn done(&self) -> BTreeMap<u32, String> {
        self.parts.iter().map(|(number, done)| (*number, done.inputs.clone())).collect()
    }

    /// Sums over all finished parts.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    fn count(&mut self) {
        self.counts = Counts::new();
        self.parts.values().for_each(|done| self.counts.add(&done.counts));
    }

    /// Sizes of all finished parts.
    pub(super) fn num_bytes(&self) -> u64 {
        self.parts.values().map(|done| done.entry.num_bytes).sum()
    }

    /// Takes the files of a part out, its record first: at no time does a record vouch for files of another run.
    pub(super) fn clear(&mut self, number: u32) -> Result<()> {
        if self.parts.remove(&number).is_some() {
            self.count();
        }
        self.lock.check()?;
        let record = PartRecord::path(number);
        if self.root.read(&record)?.is_some() {
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
            let directory = format!("shards/{subset}");
            self.remove_files(&directory, |name| name.starts_with(&prefix))?;
        }
        Ok(())
    }

    fn remove_files(&self, directory: &str, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
        let mut found = Vec::new();
        self.root.each_file(directory, |name| {
            found.extend(is_wanted(name).then(|| name.to_owned()));
            Ok(())
        })?;
        found.iter().try_for_each(|name| self.root.remove(&format!("{directory}/{name}")))
    }

    /// Records a part whose files all have their names.
    pub(super) fn record(&mut self, record: PartRecord) -> Result<()> {
        let directories: BTreeSet<&str> =
            record.files.iter().filter_map(|f| Some(f.path.rsplit_once('/')?.0)).collect();
        for directory in directories {
            self.root.sync(directory)?;
        }
        self.lock.check()?;
        self.root.replace(&PartRecord::path(record.number), to_bytes(&record)?)?;
        self.counts.add(&record.counts);
        self.parts.insert(record.number, Done::new(record));
        self.write_record(false)
    }

    /// Ends a run that went over all `total` parts: parts beyond them are of packages that are no more.
    pub(super) fn complete(&mut self, total: u64) -> Result<()> {
        let beyond: Vec<u32> = self.parts.keys().copied().filter(|&number| u64::from(number) >= total).collect();
        for number in beyond {
            self.clear(number)?;
        }
        self.write_record(true)
    }

    fn write_record(&self, complete: bool) -> Result<()> {
        let record = DatasetRecord {
            format: FORMAT,
            complete,
            options: self.options.to_json(),
            counts: self.counts.clone(),
            parts: self.parts.values().map(|done| done.entry.clone()).collect(),
        };
        self.lock.check()?;
        self.root.replace(DATASET, to_bytes(&record)?)
    }

    /// Removes what a killed run left under temporary names. Stores have none.
    fn sweep(&self) -> Result<()> {
        if self.root.directory().is_none() {
            return Ok(());
        }
        let directories = directories();
        directories.iter().map(String::as_str).chain(["."]).try_for_each(|d| self.remove_files(d, is_temporary))
    }

    /// The parts that are whole: record readable, options ours, every file there in its size.
    fn load(&self) -> Result<BTreeMap<u32, Done>> {
        let mut paths = Vec::new();
        self.root.each_file("parts", |name| {
            paths.push(format!("parts/{name}"));
            Ok(())
        })?;
        paths.sort();
        let sizes = self.root.sizes()?;
        let mut parts = BTreeMap::new();
        for (path, record) in paths.iter().zip(self.root.records::<PartRecord>(&paths)) {
            // A record that cannot be read vouches for nothing: its part is made again.
            if let Ok(record) = record
                && PartRecord::path(record.number) == *path
                && record.options == self.digest
                && record.files.iter().all(|file| sizes.get(&file.path) == Some(file.num_bytes))
            {
                parts.insert(record.number, Done::new(record));
            }
        }
        Ok(parts)
    }
}

/// A directory that holds anything but what a run killed in its first moments leaves is not ours to fill.
fn check_empty(root: &Root) -> Result<()> {
    let ours = directories();
    root.each_name(|name| {
        if name == LOCK || is_temporary(name) || ours.iter().any(|own| own == name) {
            return Ok(());
        }
        let detail = format!("the directory is not empty and no dataset (it has {name}); choose a new or empty one");
        Err(refuse(root, Reason::Mismatch, &detail))
    })
}

fn check_options(root: &Root, options: &Options, record: &DatasetRecord) -> Result<()> {
    if record.format != FORMAT {
        let detail = format!(
            "the dataset there is of format {}, and this version writes format {FORMAT}; extract anew into another \
             output directory",
            record.format,
        );
        return Err(refuse(root, Reason::Mismatch, &detail));
    }
    let differences = options.differences(&record.options);
    if differences.is_empty() {
        return Ok(());
    }
    Err(refuse(
        root,
        Reason::Mismatch,
        &format!(
            "the dataset there was made with other options ({}); give the same options to continue it, or choose \
             another output directory",
            differences.join("; "),
        ),
    ))
}

fn refuse(root: &Root, reason: Reason, detail: &str) -> Error {
    Error::new(Stage::Write, reason, detail).in_source(root.location(""))
}
