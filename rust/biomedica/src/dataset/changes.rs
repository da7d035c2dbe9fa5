//! Which packages of a walk a dataset does not know yet, and which that it knows are no more as they were.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use sha2::{Digest, Sha256};

use super::manifest::PartRecord;
use super::plan::Walked;
use super::root::Root;
use super::rows::rows;
use super::tombstone::Tombstones;
use crate::error::{Result, Stage};
use crate::package::Package;
use crate::tables::Gone;

/// The packages of a dataset, and what a walk has said of each so far: 33 bytes a package.
///
/// A walk need not be sorted as a whole, so that both lists cannot be merged: packages are found by hash.
#[derive(Debug, Default)]
pub(super) struct Known {
    entries: Vec<Entry>,
    states: Vec<AtomicU8>,
    /// Whether what the walk did not meet may be there all the same.
    is_partial: AtomicBool,
}

/// A row of a packages table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    source: u128,
    part: u32,
    row: u32,
    fingerprint: u64,
}

const UNSEEN: u8 = 0;
const SAME: u8 = 1;
const CHANGED: u8 = 2;

impl Known {
    /// The packages of these parts that are not dead.
    pub(super) fn read(root: &Root, parts: impl Iterator<Item = u32>, tombstones: &Tombstones) -> Result<Self> {
        let mut entries = Vec::new();
        for part in parts {
            let dead: HashSet<&str> = tombstones.packages(part);
            let mut number = 0;
            let path = format!("packages/{}.parquet", PartRecord::stem(part));
            for batch in rows(root, &path, &["package", "fingerprint"])? {
                let batch = batch?;
                let (packages, fingerprints) = (batch.texts("package")?, batch.texts("fingerprint")?);
                for row in 0..batch.len() {
                    let (package, fingerprint) = (packages.get(row).unwrap_or_default(), fingerprints.get(row));
                    if !dead.contains(package) {
                        let (source, fingerprint) = hashes(package, fingerprint);
                        entries.push(Entry { source, part, row: number, fingerprint });
                    }
                    number += 1;
                }
            }
        }
        entries.sort_unstable();
        let states = entries.iter().map(|_| AtomicU8::new(UNSEEN)).collect();
        Ok(Self { entries, states, is_partial: AtomicBool::new(false) })
    }

    /// Takes note that the walk does not go everywhere: nothing is withdrawn then.
    pub(super) fn is_partial(&self) {
        self.is_partial.store(true, Ordering::Release);
    }

    /// Takes note of what the walk met. True when it must be read: it is new, or not as it was.
    fn is_news(&self, met: &Result<Package>) -> bool {
        let (source, fingerprint) = match met {
            Ok(package) => hashes(&package.source(), Some(&package.fingerprint())),
            Err(error) => {
                self.is_partial();
                // A list that broke off ends the run, also where it was a failure before.
                if error.stage() == Stage::Fetch {
                    return true;
                }
                hashes(error.source().unwrap_or_default(), None)
            }
        };
        let first = self.entries.partition_point(|entry| entry.source < source);
        let candidates = self.entries.iter().zip(&self.states).skip(first);
        let unseen =
            |(entry, state): &(&Entry, &AtomicU8)| entry.source == source && state.load(Ordering::Acquire) == UNSEEN;
        let mut same = candidates.clone().take_while(|(entry, _)| entry.source == source).filter(unseen);
        if let Some((_, state)) = same.find(|(entry, _)| entry.fingerprint == fingerprint) {
            state.store(SAME, Ordering::Release);
            return false;
        }
        if let Some((_, state)) = candidates.take_while(|(entry, _)| entry.source == source).find(unseen) {
            state.store(CHANGED, Ordering::Release);
        }
        true
    }

    /// What is dead once the walk has ended: rows of packages tables, part by part.
    pub(super) fn gone(&self) -> Vec<(u32, Vec<(u32, Gone)>)> {
        let is_partial = self.is_partial.load(Ordering::Acquire);
        let reason = |state: &AtomicU8| match state.load(Ordering::Acquire) {
            CHANGED => Some(Gone::Changed),
            UNSEEN if !is_partial => Some(Gone::Withdrawn),
            _ => None,
        };
        let each = self.entries.iter().zip(&self.states);
        let mut rows: Vec<(u32, u32, Gone)> =
            each.filter_map(|(entry, state)| Some((entry.part, entry.row, reason(state)?))).collect();
        rows.sort_unstable();
        let parts = rows.chunk_by(|(one, ..), (other, ..)| one == other);
        let part = |rows: &[(u32, u32, Gone)]| {
            let (part, ..) = rows.first()?;
            Some((*part, rows.iter().map(|&(_, row, reason)| (row, reason)).collect()))
        };
        parts.filter_map(part).collect()
    }
}

/// Half of a SHA-256 of the name, and a quarter of one of the fingerprint. A failed walk is known by its place alone.
fn hashes(source: &str, fingerprint: Option<&str>) -> (u128, u64) {
    let kind: &[u8] = if fingerprint.is_some() { b"package" } else { b"failure" };
    let source = Sha256::new_with_prefix(kind).chain_update(source).finalize();
    let fingerprint = Sha256::digest(fingerprint.unwrap_or_default());
    let first = |n: usize, hash: &[u8]| hash.iter().take(n).fold(0_u128, |sum, &byte| (sum << 8) | u128::from(byte));
    (first(16, &source), u64::try_from(first(8, &fingerprint)).unwrap_or_default())
}

/// The packages of a walk that must be read: all of them for a dataset that knows none.
#[derive(Debug)]
pub struct Changes<I> {
    packages: I,
    known: Option<Arc<Known>>,
    walked: Arc<Walked>,
}

impl<I> Changes<I> {
    pub(super) fn new(packages: I, known: Option<Arc<Known>>, walked: Arc<Walked>) -> Self {
        Self { packages, known, walked }
    }
}

impl<I: Iterator<Item = Result<Package>>> Iterator for Changes<I> {
    type Item = Result<Package>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let met = self.packages.next()?;
            if self.known.as_ref().is_none_or(|known| known.is_news(&met)) {
                return Some(met);
            }
            if met.is_ok() {
                self.walked.pass();
            }
        }
    }
}
