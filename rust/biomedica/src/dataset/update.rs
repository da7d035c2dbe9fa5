//! A run against a dataset that is complete: what it adds and takes out is there all at once, when `dataset.json` is
//! replaced at its end. Until then readers see the dataset as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::Known;
use super::manifest::{Counts, DatasetRecord, FileRecord};
use super::place::Place;
use super::store::Done;
use super::tombstone::{TOMBSTONES, Tombstones};
use crate::error::Result;

/// A dataset as it was when the run began, and what the run has met of its packages.
#[derive(Debug)]
pub(super) struct Update {
    before: DatasetRecord,
    tombstones: Tombstones,
    known: Arc<Known>,
    /// The parts of the dataset that are whole.
    parts: BTreeSet<u32>,
}

impl Update {
    /// What updates the dataset `before` with these whole parts; none where its run goes on or its parts are made again.
    ///
    /// A part that has lost a file is made again as it was in a dataset that was never updated. Later its packages are
    /// strewn over other parts: then they count as new, and go into one more.
    pub(super) fn of(place: &Place, before: DatasetRecord, whole: &mut BTreeMap<u32, Done>) -> Result<Option<Self>> {
        let is_whole = before.parts.iter().all(|entry| whole.contains_key(&entry.number));
        if !before.complete || (before.generation == 0 && !is_whole) {
            return Ok(None);
        }
        let tombstones = Tombstones::read(place.root(), &before)?;
        let mut parts = BTreeSet::new();
        for entry in &before.parts {
            if let Some(part) = whole.get_mut(&entry.number) {
                part.entry.dropped.clone_from(&entry.dropped);
                parts.insert(entry.number);
            }
        }
        let known = Arc::new(Known::read(place.root(), parts.iter().copied(), &tombstones)?);
        Ok(Some(Self { before, tombstones, known, parts }))
    }

    pub(super) fn known(&self) -> &Arc<Known> {
        &self.known
    }

    /// The number of the first part that it may add.
    pub(super) fn first(&self) -> u32 {
        self.before.parts.last().map_or(0, |entry| entry.number + 1)
    }

    /// Whether a part of the dataset as it was is there.
    pub(super) fn has(&self, part: u32) -> bool {
        self.parts.contains(&part)
    }

    /// How often the dataset has been updated.
    pub(super) fn generation(&self) -> u32 {
        self.before.generation
    }

    /// The tombstones' file as it was.
    pub(super) fn file(&self) -> Option<FileRecord> {
        self.before.tombstones.clone()
    }

    /// Whether the dataset of these parts is another than before.
    pub(super) fn changes(&self, parts: &BTreeMap<u32, Done>) -> bool {
        // Entries, not numbers alone: a retry may have been ended between a part's record and the dataset's.
        !self.before.parts.iter().eq(parts.values().map(|done| &done.entry)) || !self.known.gone().is_empty()
    }

    /// Whether all its parts are whole.
    pub(super) fn is_whole(&self) -> bool {
        self.parts.len() == self.before.parts.len()
    }

    pub(super) fn tombstones(&self) -> &Tombstones {
        &self.tombstones
    }

    /// Sets tombstones for what is gone.
    pub(super) fn bury(&mut self, place: &Place, parts: &mut BTreeMap<u32, Done>) -> Result<()> {
        for (number, rows) in self.known.gone() {
            let dropped = self.tombstones.bury(place.root(), number, &rows)?;
            if let Some(part) = parts.get_mut(&number) {
                part.entry.dropped.get_or_insert_with(Counts::new).add(&dropped);
            }
        }
        Ok(())
    }

    /// Writes the tombstones of the dataset as it is to be, with these parts; gives its next generation and their file.
    pub(super) fn seal(mut self, place: &Place, parts: &BTreeMap<u32, Done>) -> Result<(u32, Option<FileRecord>)> {
        let generation = self.before.generation + 1;
        self.tombstones.retain(|part| parts.contains_key(&part));
        if self.tombstones.is_empty() {
            return Ok((generation, None));
        }
        let (file, mut sealed) = self.tombstones.write(place, generation)?;
        sealed.wait()?;
        let _publishing = place.publishing()?;
        sealed.publish()?;
        place.root().sync(TOMBSTONES)?;
        Ok((generation, Some(file)))
    }
}
