//! Parts that are small, or of which much is dead, made into fewer and full ones: nothing is read again but the dataset.
//!
//! New parts are written beside the old ones; then `dataset.json` is replaced, and only then the old ones go. A run that is
//! killed leaves the dataset as it was or as it is to be, and the next one goes on.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::copy::Copying;
use super::manifest::{Counts, DATASET, DatasetRecord, PartEntry};
use super::options::Options;
use super::root::Root;
use super::store::Store;
use crate::error::{Error, Reason, Result, Stage};
use crate::image::hex;

/// What [`compact`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Parts before.
    pub parts_before: u64,
    /// Parts now.
    pub parts: u64,
    /// Shards before.
    pub shards_before: u64,
    /// Shards now.
    pub shards: u64,
    /// Bytes before.
    pub bytes_before: u64,
    /// Bytes now.
    pub num_bytes: u64,
    /// What was dead and is in no file any more.
    pub dropped: Counts,
}

/// Merges the parts of the dataset at `root` that have less than half the packages of a full one, and makes anew those of
/// which the share `min_dropped` of all packages or more is dead. `stop` is asked now and then; true ends the work.
///
/// Fails when the dataset is not complete or not whole, or when another process writes there.
pub fn compact(root: &Root, min_dropped: f64, stop: &dyn Fn() -> bool) -> Result<Compacted> {
    let refuse = |reason, detail: &str| Err(Error::new(Stage::Write, reason, detail).in_source(root.location("")));
    if !(0.0..=1.0).contains(&min_dropped) {
        return refuse(Reason::Mismatch, &format!("min_dropped is {min_dropped}, but must be between 0 and 1"));
    }
    if root.read(DATASET)?.is_none() {
        return refuse(Reason::NotFound, "no dataset here: it has no dataset.json");
    }
    let record: DatasetRecord = root.record(DATASET)?;
    let options = Options::from_json(&record.options)?;
    let mut store = Store::open(root, &options)?;
    let Some(tombstones) = store.tombstones().filter(|_| store.is_complete()) else {
        return refuse(Reason::Mismatch, "the dataset is not finished or has lost a file; run the same extract first");
    };
    let mut done = Compacted { parts_before: record.parts.len() as u64, ..Compacted::default() };
    (done.shards_before, done.bytes_before) = sizes(&record.parts);
    let groups = groups(&record.parts, options.part_size as u64, min_dropped);
    let mut number = record.parts.last().map_or(0, |entry| entry.number + 1);
    let (mut made, mut old) = (Vec::new(), BTreeSet::new());
    for group in groups {
        let mut counts = Counts::new();
        for entry in &group {
            counts.add(store.counts_of(entry.number).unwrap_or(&Counts::new()));
            entry.dropped.iter().for_each(|dropped| {
                counts.subtract(dropped);
                done.dropped.add(dropped);
            });
            old.insert(entry.number);
        }
        if counts == Counts::new() {
            continue;
        }
        let inputs = inputs(&group)?;
        let there = store.place().whole(number)?.filter(|part| part.inputs == inputs);
        let part = if let Some(part) = there {
            part
        } else {
            let mut copying = Copying::new(store.place(), number)?;
            for entry in &group {
                copying.part(&root.record(&entry.path)?, tombstones, stop)?;
            }
            copying.publish(inputs, counts)?
        };
        made.push(part);
        number += 1;
    }
    if old.is_empty() {
        // What a run left behind that was killed after its switch.
        store.place().retain(&record)?;
    } else {
        store.replace(made, &old)?;
    }
    let now: DatasetRecord = root.record(DATASET)?;
    done.parts = now.parts.len() as u64;
    (done.shards, done.num_bytes) = sizes(&now.parts);
    Ok(done)
}

fn sizes(parts: &[PartEntry]) -> (u64, u64) {
    (parts.iter().map(|part| part.shards).sum(), parts.iter().map(|part| part.num_bytes).sum())
}

/// Which parts are made into one, in the order of their numbers.
fn groups(parts: &[PartEntry], part_size: u64, min_dropped: f64) -> Vec<Vec<PartEntry>> {
    let dead = |part: &PartEntry| part.dropped.as_ref().map_or(0, |dropped| dropped.packages);
    let live = |part: &PartEntry| part.packages.saturating_sub(dead(part));
    #[allow(clippy::cast_precision_loss, reason = "a share of far fewer than 2^53 packages")]
    let is_stale = |part: &PartEntry| part.dropped.is_some() && dead(part) as f64 >= min_dropped * part.packages as f64;
    let mut groups: Vec<Vec<PartEntry>> = Vec::new();
    let mut room = 0;
    for part in parts.iter().filter(|part| is_stale(part) || 2 * live(part) < part_size) {
        if let Some(group) = groups.last_mut().filter(|_| live(part) <= room) {
            group.push(part.clone());
        } else {
            room = part_size;
            groups.push(vec![part.clone()]);
        }
        room = room.saturating_sub(live(part));
    }
    // A lone part without anything dead would be copied for nothing.
    groups.retain(|group| group.len() > 1 || group.iter().any(|part| part.dropped.is_some()));
    groups
}

/// What a compacted part is made of.
fn inputs(group: &[PartEntry]) -> Result<String> {
    let text = serde_json::to_vec(group)
        .map_err(|e| Error::new(Stage::Write, Reason::Internal, format!("cannot write a record: {e}")))?;
    Ok(hex(&Sha256::new_with_prefix("compact").chain_update(text).finalize().into()))
}
