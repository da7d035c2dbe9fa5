//! A dataset that is being written: who may write, what is done, what is left over.

use std::collections::BTreeMap;

use super::file::is_temporary;
use super::lock::{LOCK, Lock, PUBLISH};
use super::manifest::{Counts, DATASET, DatasetRecord, PartEntry, PartRecord, to_bytes};
use super::options::{FORMAT, Options};
use super::place::{Place, directories};
use super::root::Root;
use crate::error::{Reason, Result};

/// A dataset, open for one run. It keeps the record; its parts may be written by others.
#[derive(Debug)]
pub(super) struct Store {
    place: Place,
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

impl Store {
    /// Makes `root` a dataset, or continues the one that it is. Fails when it is something else, when its options are
    /// others, or when another process writes there.
    pub(super) fn open(root: &Root, options: &Options) -> Result<Self> {
        options.check()?;
        root.make("")?;
        let lock = Lock::take(root)?;
        let place = Place::new(root, options, lock.run().map(str::to_owned));
        let is_fresh = place.check()?;
        let mut store = Self { place, parts: BTreeMap::new(), counts: Counts::new(), lock };
        for directory in directories() {
            root.make(&directory)?;
        }
        if is_fresh {
            store.write_record(false)?;
        }
        store.place.sweep()?;
        store.parts = store.place.parts()?.into_iter().map(|record| (record.number, Done::new(record))).collect();
        store.count();
        Ok(store)
    }

    /// What the writer of a part must know.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The numbers of the finished parts in which something failed.
    pub(super) fn failed(&self) -> Vec<u32> {
        self.parts.iter().filter(|(_, done)| done.counts.failures > 0).map(|(number, _)| *number).collect()
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

    /// Leaves a part out that is about to be made again.
    pub(super) fn forget(&mut self, number: u32) {
        if self.parts.remove(&number).is_some() {
            self.count();
        }
    }

    /// Takes in a part that has been published.
    pub(super) fn record(&mut self, record: PartRecord) -> Result<()> {
        self.forget(record.number);
        self.counts.add(&record.counts);
        self.parts.insert(record.number, Done::new(record));
        self.write_record(false)
    }

    /// Ends a run that went over all `total` parts: parts beyond them are of packages that are no more.
    pub(super) fn complete(&mut self, total: u64) -> Result<()> {
        let beyond: Vec<u32> = self.parts.keys().copied().filter(|&number| u64::from(number) >= total).collect();
        if !beyond.is_empty() {
            let publishing = self.place.publishing()?;
            for number in beyond {
                self.forget(number);
                self.place.clear(&publishing, number)?;
            }
        }
        self.write_record(true)
    }

    fn write_record(&self, complete: bool) -> Result<()> {
        let record = DatasetRecord {
            format: FORMAT,
            complete,
            options: self.place.options().to_json(),
            counts: self.counts.clone(),
            parts: self.parts.values().map(|done| done.entry.clone()).collect(),
        };
        self.lock.check()?;
        self.place.root().replace(DATASET, to_bytes(&record)?)
    }
}

impl Place {
    /// Whether there is nothing yet. Fails when there is anything but a dataset of these options.
    pub(super) fn check(&self) -> Result<bool> {
        let is_fresh = self.root().read(DATASET)?.is_none();
        if is_fresh {
            self.check_empty()?;
        } else {
            self.check_options(&self.root().record(DATASET)?)?;
        }
        Ok(is_fresh)
    }

    /// A directory that holds anything but what a run killed in its first moments leaves is not ours to fill.
    fn check_empty(&self) -> Result<()> {
        let ours = directories();
        self.root().each_name(|name| {
            if [LOCK, PUBLISH].contains(&name) || is_temporary(name) || ours.iter().any(|own| own == name) {
                return Ok(());
            }
            let detail =
                format!("the directory is not empty and no dataset (it has {name}); choose a new or empty one");
            Err(self.refuse(Reason::Mismatch, &detail))
        })
    }

    fn check_options(&self, record: &DatasetRecord) -> Result<()> {
        if record.format != FORMAT {
            let detail = format!(
                "the dataset there is of format {}, and this version writes format {FORMAT}; extract anew into another \
                 output directory",
                record.format,
            );
            return Err(self.refuse(Reason::Mismatch, &detail));
        }
        let differences = self.options().differences(&record.options);
        if differences.is_empty() {
            return Ok(());
        }
        let detail = format!(
            "the dataset there was made with other options ({}); give the same options to continue it, or choose \
             another output directory",
            differences.join("; "),
        );
        Err(self.refuse(Reason::Mismatch, &detail))
    }
}
