//! The directory of a dataset that is being written: who may write, what is done, what is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::file::{at, is_temporary, remove, replace, sync_directory};
use super::manifest::{Counts, DatasetRecord, PartEntry, PartRecord, read, to_bytes};
use super::options::{FORMAT, Options};
use crate::error::{Error, Reason, Result, Stage};
use crate::jats::Subset;

const LOCK: &str = ".lock";
const DATASET: &str = "dataset.json";
/// Says which articles tables `enrich` has joined PubMed's records to.
const ENRICHMENT: &str = "enrichment/enrichment.json";

/// A dataset's directory, open for one writer.
#[derive(Debug)]
pub(super) struct Store {
    root: PathBuf,
    options: Options,
    digest: String,
    parts: BTreeMap<u32, Done>,
    counts: Counts,
    /// Holds the lock until it is dropped.
    _lock: File,
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
    ["articles", "figures", "failures", "parts", "shards"].into_iter().map(str::to_owned).chain(shards).collect()
}

impl Store {
    /// Makes `root` a dataset, or continues the one that it is. Fails when it is something else, when its options are
    /// others, or when another process writes there.
    pub(super) fn open(root: &Path, options: &Options) -> Result<Self> {
        options.check()?;
        at(root, fs::create_dir_all(root))?;
        let lock = lock(root)?;
        let digest = options.digest();
        let record = root.join(DATASET);
        let fresh = !at(&record, record.try_exists())?;
        if fresh {
            check_empty(root)?;
        } else {
            check_options(root, options, &read::<DatasetRecord>(&record)?)?;
        }
        let mut store = Self {
            root: root.to_owned(),
            options: options.clone(),
            digest,
            parts: BTreeMap::new(),
            counts: Counts::new(),
            _lock: lock,
        };
        for directory in directories() {
            let path = root.join(directory);
            at(&path, fs::create_dir_all(&path))?;
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

    /// The path of a file of the dataset.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
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
        let record = self.path(&PartRecord::path(number));
        if at(&record, record.try_exists())? {
            // What was joined to its articles is of articles that are no more; the next `enrich` joins again.
            remove(&self.path(ENRICHMENT))?;
        }
        remove(&record)?;
        sync_directory(&self.path("parts"))?;
        let stem = PartRecord::stem(number);
        for table in ["articles", "figures", "failures"] {
            remove(&self.path(&format!("{table}/{stem}.parquet")))?;
        }
        let prefix = format!("{stem}-");
        for subset in Subset::ALL {
            self.each_file(
                &format!("shards/{subset}"),
                |name, path| {
                    if name.starts_with(&prefix) { remove(path) } else { Ok(()) }
                },
            )?;
        }
        Ok(())
    }

    /// Records a part whose files all have their names.
    pub(super) fn record(&mut self, record: PartRecord) -> Result<()> {
        let directories: BTreeSet<&str> =
            record.files.iter().filter_map(|f| Some(f.path.rsplit_once('/')?.0)).collect();
        for directory in directories {
            sync_directory(&self.path(directory))?;
        }
        replace(&self.path(&PartRecord::path(record.number)), &to_bytes(&record)?)?;
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
        replace(&self.path(DATASET), &to_bytes(&record)?)
    }

    /// Removes what a killed run left under temporary names.
    fn sweep(&self) -> Result<()> {
        for directory in directories().iter().map(String::as_str).chain(["."]) {
            self.each_file(directory, |name, path| if is_temporary(name) { remove(path) } else { Ok(()) })?;
        }
        Ok(())
    }

    /// The parts that are whole: record readable, options ours, every file there in its size.
    fn load(&self) -> Result<BTreeMap<u32, Done>> {
        let mut parts = BTreeMap::new();
        self.each_file("parts", |name, path| {
            let number = name.strip_suffix(".json").and_then(|stem| stem.parse::<u32>().ok());
            // A record that cannot be read vouches for nothing: its part is made again.
            if let (Some(number), Ok(record)) = (number, read::<PartRecord>(path))
                && record.number == number
                && record.options == self.digest
                && record.files.iter().all(|f| fs::metadata(self.path(&f.path)).is_ok_and(|m| m.len() == f.num_bytes))
            {
                parts.insert(number, Done::new(record));
            }
            Ok(())
        })?;
        Ok(parts)
    }

    /// Calls `f` with name and path of every file in a directory of the dataset.
    fn each_file(&self, directory: &str, mut f: impl FnMut(&str, &Path) -> Result<()>) -> Result<()> {
        let directory = self.path(directory);
        for entry in at(&directory, fs::read_dir(&directory))? {
            let path = at(&directory, entry)?.path();
            if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
                f(name, &path)?;
            }
        }
        Ok(())
    }
}

fn lock(root: &Path) -> Result<File> {
    let path = root.join(LOCK);
    let file = at(&path, File::options().create(true).truncate(false).write(true).open(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        // A file system without locks: better to write unguarded than not at all.
        Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::WouldBlock) => Err(refuse(
            root,
            Reason::Locked,
            "another process is writing this dataset; wait for its end, or choose another output directory",
        )),
        Err(TryLockError::Error(e)) => Err(Error::io(Stage::Write, &e).at_path(&path)),
    }
}

/// A directory that holds anything but what a run killed in its first moments leaves is not ours to fill.
fn check_empty(root: &Path) -> Result<()> {
    let ours = directories();
    for entry in at(root, fs::read_dir(root))? {
        let name = at(root, entry)?.file_name().to_string_lossy().into_owned();
        if name != LOCK && !is_temporary(&name) && !ours.contains(&name) {
            return Err(refuse(
                root,
                Reason::Mismatch,
                &format!("the directory is not empty and no dataset (it has {name}); choose a new or empty one"),
            ));
        }
    }
    Ok(())
}

fn check_options(root: &Path, options: &Options, record: &DatasetRecord) -> Result<()> {
    let mut differences = options.differences(&record.options);
    if record.format != FORMAT {
        differences.insert(0, format!("format is {} there, {FORMAT} here", record.format));
    }
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

fn refuse(root: &Path, reason: Reason, detail: &str) -> Error {
    Error::new(Stage::Write, reason, detail).at_path(root)
}
