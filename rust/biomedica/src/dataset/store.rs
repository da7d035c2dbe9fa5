//! A dataset that is being written: who may write, what is done, what is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::Known;
use super::file::is_temporary;
use super::lock::{LOCK, Lock, PUBLISH};
use super::manifest::{Counts, DATASET, DatasetRecord, PartEntry, PartRecord, to_bytes};
use super::options::{FORMAT, Options};
use super::place::{Place, directories};
use super::root::Root;
use super::tombstone::Tombstones;
use super::update::Update;
use crate::error::{Reason, Result};

/// A dataset, open for one run. It keeps the record; its parts may be written by others.
#[derive(Debug)]
pub(super) struct Store {
    place: Place,
    parts: BTreeMap<u32, Done>,
    counts: Counts,
    lock: Lock,
    /// Of a dataset that was complete: what the run changes of it, all at once at its end.
    update: Option<Update>,
}

/// What is remembered of a finished part.
#[derive(Debug)]
pub(super) struct Done {
    inputs: String,
    counts: Counts,
    pub(super) entry: PartEntry,
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
        let before = place.check()?;
        let mut store = Self { place, parts: BTreeMap::new(), counts: Counts::new(), lock, update: None };
        for directory in directories() {
            root.make(&directory)?;
        }
        if before.is_none() {
            store.write_record(&DatasetRecord { complete: false, ..store.to_record() })?;
        }
        store.place.sweep()?;
        store.parts = store.place.parts()?.into_iter().map(|record| (record.number, Done::new(record))).collect();
        if let Some(before) = before {
            store.update = Update::of(&store.place, before, &mut store.parts)?;
        }
        store.count();
        Ok(store)
    }

    /// What the writer of a part must know.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The parts in which something failed that is not dead.
    pub(super) fn failed(&self) -> Vec<u32> {
        let dead = |done: &Done| done.entry.dropped.as_ref().map_or(0, |dropped| dropped.failures);
        let is_failed = |done: &Done| done.counts.failures > dead(done);
        self.parts.iter().filter(|(_, done)| is_failed(done)).map(|(number, _)| *number).collect()
    }

    /// The inputs of every finished part: what a plan must know to leave parts out.
    pub(super) fn done(&self) -> BTreeMap<u32, String> {
        self.parts.iter().map(|(number, done)| (*number, done.inputs.clone())).collect()
    }

    /// The number of the first part that is to be made, and the packages that need not be in it.
    pub(super) fn known(&self, is_whole: bool) -> (u32, Option<Arc<Known>>) {
        let Some(update) = &self.update else { return (0, None) };
        if !is_whole {
            update.known().is_partial();
        }
        (update.first(), Some(Arc::clone(update.known())))
    }

    /// Sums over all finished parts, without what is dead.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    fn count(&mut self) {
        self.counts = Counts::new();
        self.parts.values().for_each(|done| self.counts.add(&done.counts));
        self.parts.values().filter_map(|done| done.entry.dropped.as_ref()).for_each(|n| self.counts.subtract(n));
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
        if self.update.is_some() {
            return Ok(());
        }
        self.write_record(&DatasetRecord { complete: false, ..self.to_record() })
    }

    /// Ends a run that went over all its `total` parts: others are left over from runs with other packages.
    pub(super) fn complete(&mut self, total: u64) -> Result<()> {
        let update = self.update.take();
        let (first, file) = update.as_ref().map_or((0, None), |update| (update.first(), update.file()));
        let is_live = |number: u32| match &update {
            Some(update) if number < first => update.has(number),
            _ => u64::from(number) < u64::from(first) + total,
        };
        self.parts.retain(|&number, _| is_live(number));
        self.count();
        let mut record = DatasetRecord { tombstones: file, ..self.to_record() };
        if let Some(mut update) = update {
            if !update.changes(&self.parts) {
                return self.place.retain(&record);
            }
            update.bury(&self.place, &mut self.parts)?;
            record = self.next(update)?;
        }
        self.write_record(&record)?;
        self.place.retain(&record)
    }

    /// The record of the dataset's next generation.
    fn next(&mut self, update: Update) -> Result<DatasetRecord> {
        self.count();
        let (generation, tombstones) = update.seal(&self.place, &self.parts)?;
        Ok(DatasetRecord { generation, tombstones, ..self.to_record() })
    }

    /// Whether the dataset was complete and whole when it was opened.
    pub(super) fn is_complete(&self) -> bool {
        self.update.as_ref().is_some_and(Update::is_whole)
    }

    /// What is in a part, dead or alive.
    pub(super) fn counts_of(&self, part: u32) -> Option<&Counts> {
        self.parts.get(&part).map(|done| &done.counts)
    }

    /// What is dead in parts of the dataset as it was when it was opened.
    pub(super) fn tombstones(&self) -> Option<&Tombstones> {
        self.update.as_ref().map(Update::tombstones)
    }

    /// What is dead in a part.
    pub(super) fn dropped_of(&self, part: u32) -> Option<&Counts> {
        self.parts.get(&part).and_then(|done| done.entry.dropped.as_ref())
    }

    /// Takes in a part of a complete dataset that was made anew in its own place.
    pub(super) fn renew(&mut self, record: PartRecord) -> Result<()> {
        self.forget(record.number);
        self.parts.insert(record.number, Done::new(record));
        self.count();
        self.write_record(&self.same_generation())
    }

    /// Leaves out what a killed run left beside a complete dataset, and has the record say what its parts are, which it
    /// does not when a retry was ended between the two.
    pub(super) fn mend(&mut self, before: &DatasetRecord) -> Result<()> {
        let Some(update) = &self.update else { return Ok(()) };
        // Parts behind the dataset's are those of an update that is to go on; what else is there was replaced.
        let behind = self.parts.iter().filter(|(number, _)| **number >= update.first());
        let behind: Vec<PartEntry> = behind.map(|(_, done)| done.entry.clone()).collect();
        self.parts.retain(|&number, _| update.has(number));
        self.count();
        let record = self.same_generation();
        if (&record.parts, &record.counts) != (&before.parts, &before.counts) {
            self.write_record(&record)?;
        }
        let parts = [record.parts.clone(), behind].concat();
        self.place.retain(&DatasetRecord { parts, ..record })
    }

    /// The record of the dataset with other parts in the places of the old ones.
    fn same_generation(&self) -> DatasetRecord {
        let (generation, tombstones) = self.update.as_ref().map_or((0, None), |u| (u.generation(), u.file()));
        DatasetRecord { generation, tombstones, ..self.to_record() }
    }

    /// Puts parts in the place of others, all at once.
    pub(super) fn replace(&mut self, made: Vec<PartRecord>, old: &BTreeSet<u32>) -> Result<()> {
        let Some(update) = self.update.take() else { return Ok(()) };
        self.parts.retain(|&number, _| update.has(number) && !old.contains(&number));
        self.parts.extend(made.into_iter().map(|record| (record.number, Done::new(record))));
        let record = self.next(update)?;
        self.write_record(&record)?;
        self.place.retain(&record)
    }

    fn to_record(&self) -> DatasetRecord {
        DatasetRecord {
            format: FORMAT,
            complete: true,
            options: self.place.options().to_json(),
            counts: self.counts.clone(),
            parts: self.parts.values().map(|done| done.entry.clone()).collect(),
            generation: 0,
            tombstones: None,
        }
    }

    fn write_record(&self, record: &DatasetRecord) -> Result<()> {
        self.lock.check()?;
        self.place.root().replace(DATASET, to_bytes(record)?)
    }
}

impl Place {
    /// The record of the dataset that is there; none when there is nothing. Fails when there is anything but a dataset of
    /// these options.
    pub(super) fn check(&self) -> Result<Option<DatasetRecord>> {
        if self.root().read(DATASET)?.is_none() {
            self.check_empty()?;
            return Ok(None);
        }
        let record = self.root().record(DATASET)?;
        self.check_options(&record)?;
        Ok(Some(record))
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
