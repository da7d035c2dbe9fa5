//! Records of millions of articles brought into order, most of them on disk.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use super::name::Name;
use crate::error::{Error, Reason, Result, Stage};

/// Records that are held in memory, a few dozen bytes each.
const RUN: usize = 256 << 10;
const BUFFER: usize = 64 << 10;
const MAX_ETAG: usize = u8::MAX as usize;

/// A version of an article, as an inventory or a listing has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    pub(super) name: Name,
    /// When its metadata were written, in seconds since 1970; 0 where that is not known.
    pub(super) modified: i64,
    /// What the store tells this state of its metadata by.
    pub(super) etag: Option<Box<str>>,
}

/// Takes records in any order.
pub(super) struct Sorter {
    size: usize,
    run: Vec<Record>,
    runs: Vec<File>,
}

impl Sorter {
    pub(super) fn new() -> Self {
        Self::with_runs_of(RUN)
    }

    fn with_runs_of(size: usize) -> Self {
        Self { size, run: Vec::new(), runs: Vec::new() }
    }

    pub(super) fn push(&mut self, record: Record) -> Result<()> {
        self.run.push(record);
        if self.run.len() < self.size {
            return Ok(());
        }
        self.run.sort_unstable();
        let file = spill(&self.run).map_err(|error| unsorted(&error))?;
        self.runs.push(file);
        self.run.clear();
        Ok(())
    }

    /// All of them by number and version; of those of one name the last one that was written.
    pub(super) fn finish(mut self) -> Result<Sorted> {
        self.run.sort_unstable();
        let mut sorted = Sorted { heap: BinaryHeap::new(), files: Vec::new(), last: self.run.into_iter(), held: None };
        for file in self.runs {
            sorted.files.push(BufReader::with_capacity(BUFFER, file));
        }
        for from in 0..=sorted.files.len() {
            sorted.pull(from)?;
        }
        Ok(sorted)
    }
}

/// Records in order.
pub(super) struct Sorted {
    /// The next record of each run.
    heap: BinaryHeap<Reverse<(Record, usize)>>,
    files: Vec<BufReader<File>>,
    /// The run that is still in memory: its number is one after the files'.
    last: std::vec::IntoIter<Record>,
    held: Option<Record>,
}

impl Sorted {
    fn pull(&mut self, from: usize) -> Result<()> {
        let next = match self.files.get_mut(from) {
            Some(file) => read(file).map_err(|error| unsorted(&error))?,
            None => self.last.next(),
        };
        self.heap.extend(next.map(|record| Reverse((record, from))));
        Ok(())
    }
}

impl Iterator for Sorted {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(Reverse((record, from))) = self.heap.pop() else { return self.held.take().map(Ok) };
            if let Err(error) = self.pull(from) {
                self.heap.clear();
                self.held = None;
                return Some(Err(error));
            }
            let name = record.name;
            if let Some(before) = self.held.replace(record)
                && before.name != name
            {
                return Some(Ok(before));
            }
        }
    }
}

fn spill(run: &[Record]) -> io::Result<File> {
    let mut file = BufWriter::with_capacity(BUFFER, tempfile::tempfile()?);
    for Record { name, modified, etag } in run {
        // A longer one is none that a store gives.
        let etag = etag.as_deref().filter(|etag| etag.len() <= MAX_ETAG).unwrap_or_default();
        file.write_all(&name.number.to_le_bytes())?;
        file.write_all(&name.version.to_le_bytes())?;
        file.write_all(&modified.to_le_bytes())?;
        file.write_all(&[u8::try_from(etag.len()).unwrap_or(u8::MAX)])?;
        file.write_all(etag.as_bytes())?;
    }
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

fn read(file: &mut impl Read) -> io::Result<Option<Record>> {
    let mut number = [0; 8];
    match file.read_exact(&mut number) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let (mut version, mut modified, mut length) = ([0; 4], [0; 8], [0; 1]);
    file.read_exact(&mut version)?;
    file.read_exact(&mut modified)?;
    file.read_exact(&mut length)?;
    let mut etag = vec![0; length[0].into()];
    file.read_exact(&mut etag)?;
    let etag = String::from_utf8(etag).map_err(io::Error::other)?;
    let name = Name { number: u64::from_le_bytes(number), version: u32::from_le_bytes(version) };
    let etag = (!etag.is_empty()).then(|| etag.into_boxed_str());
    Ok(Some(Record { name, modified: i64::from_le_bytes(modified), etag }))
}

/// Without its order the list of articles is not known: nothing can go on.
#[cold]
fn unsorted(error: &io::Error) -> Error {
    let detail = "the list of articles is sorted in temporary files (TMPDIR says where), which failed";
    let reason = Error::io(Stage::Fetch, error).reason();
    Error::new(Stage::Fetch, if reason == Reason::NotFound { Reason::Io } else { reason }, format!("{detail}: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_come_in_order_and_each_name_once_however_small_the_runs(
            pushed in prop::collection::vec((0_u64..20, 1_u32..4, 0_i64..5, prop::option::of("[a-f0-9]{1,8}")), 0..200),
            size in 1_usize..50,
        ) {
            let records: Vec<_> = pushed.into_iter().map(|(number, version, modified, etag)| {
                Record { name: Name { number, version }, modified, etag: etag.map(Into::into) }
            }).collect();
            let mut sorter = Sorter::with_runs_of(size);
            for record in &records {
                sorter.push(record.clone()).unwrap();
            }
            let sorted: Vec<_> = sorter.finish().unwrap().map(Result::unwrap).collect();
            let mut expected = std::collections::BTreeMap::new();
            let mut all = records;
            all.sort();
            for record in all {
                expected.insert(record.name, record);
            }
            prop_assert_eq!(sorted, expected.into_values().collect::<Vec<_>>());
        }
    }
}
