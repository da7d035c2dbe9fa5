//! Which samples there are, and where each lies: eight bytes a sample.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::group::Group;
use super::selection::Wanted;
use super::{figures, index, scan};
use crate::dataset::{PartRecord, Root};
use crate::error::{Error, Reason, Result, Stage};
use crate::package::header::BLOCK;
use crate::store::{Object, StoreOptions};

const BLOCK_BYTES: u64 = BLOCK as u64;

/// How a list of shards is opened.
pub struct Opening<'a> {
    /// Of a dataset, the subsets to take; all when none are named.
    pub subsets: Option<&'a [String]>,
    /// The samples to take.
    pub wanted: Wanted<'a>,
    /// How objects are read.
    pub store: &'a StoreOptions,
    /// Threads that read tables, indexes and headers.
    pub threads: usize,
    /// Whether local shards without an index are taken as remote ones are: unscanned. For tests.
    pub remote: bool,
    /// Asked between shards; true ends the work.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// One shard with its samples.
#[derive(Debug)]
pub struct Shard {
    location: Arc<str>,
    /// First block and number of blocks of each sample: a shard may have two tebibytes.
    extents: Vec<(u32, u32)>,
}

impl Shard {
    pub(super) fn new(location: &str) -> Self {
        Self { location: location.into(), extents: Vec::new() }
    }

    /// The path or URL.
    pub fn location(&self) -> &Arc<str> {
        &self.location
    }

    pub(super) fn push(&mut self, bytes: Range<u64>) -> Result<()> {
        let start = u32::try_from(bytes.start / BLOCK_BYTES);
        let blocks = u32::try_from(bytes.end.saturating_sub(bytes.start).div_ceil(BLOCK_BYTES));
        let (Ok(start), Ok(blocks), true) = (start, blocks, bytes.start.is_multiple_of(BLOCK_BYTES)) else {
            let detail = format!("no place of a sample: bytes {} to {}", bytes.start, bytes.end);
            return Err(Error::new(Stage::Open, Reason::Corrupt, detail).in_source(self.location.as_ref()));
        };
        self.extents.push((start, blocks));
        Ok(())
    }

    /// The bytes of its samples `samples`.
    pub(super) fn extent(&self, samples: Range<usize>) -> Range<u64> {
        let samples = self.extents.get(samples).unwrap_or_default();
        let start = samples.iter().map(|&(start, _)| u64::from(start)).min().unwrap_or(0);
        let end = samples.iter().map(|&(start, blocks)| u64::from(start) + u64::from(blocks)).max().unwrap_or(0);
        start * BLOCK_BYTES..end * BLOCK_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.extents.len()
    }

    /// The first block of each sample.
    pub(super) fn starts(&self) -> impl Iterator<Item = u32> {
        self.extents.iter().map(|&(start, _)| start)
    }

    fn take(&mut self, group: &Group, wanted: Wanted<'_>) -> Result<()> {
        if wanted.has(&group.key) {
            self.push(group.start..group.end)?;
        }
        Ok(())
    }
}

/// The shards of one source in their order.
#[derive(Debug, Default)]
pub struct Catalog {
    shards: Vec<Shard>,
    /// The number of each shard's first sample.
    firsts: Vec<u64>,
    problems: Vec<Error>,
    is_selected: bool,
}

/// What became of a list of shards.
#[derive(Debug)]
pub enum Opened {
    /// Every sample's place is known.
    Indexed(Catalog),
    /// These objects are not local, and at least the one named last has no index.
    Unindexed(Vec<Arc<str>>, String),
}

impl Catalog {
    /// Finds the samples of datasets and shards.
    pub fn open(locations: &[String], opening: &Opening<'_>) -> Result<Opened> {
        let mut jobs = Vec::new();
        for location in locations {
            match figures::dataset(location, opening.store)? {
                Some(root) => {
                    let parts = figures::parts(&root)?.into_iter();
                    jobs.extend(parts.map(|part| Job::Part(root.clone(), Box::new(part))));
                }
                None => jobs.push(Job::Shard(location)),
            }
        }
        let mut catalog = Self { is_selected: opening.wanted.is_some(), ..Self::default() };
        let mut unindexed = None;
        for found in each(&jobs, opening.threads, opening.stop, |job| job.run(opening))? {
            let found = found?;
            unindexed = unindexed.or(found.unindexed);
            catalog.shards.extend(found.shards);
            catalog.problems.extend(found.problem);
        }
        if let Some(name) = unindexed {
            if opening.wanted.is_some() {
                let what = if opening.wanted.only.is_some() { "a selection" } else { "an exclusion" };
                let detail =
                    format!("{what} needs an index: make one with `biomedica index`, and put it beside the shard");
                return Err(Error::new(Stage::Open, Reason::NotFound, detail).in_source(name));
            }
            return Ok(Opened::Unindexed(locations.iter().map(|location| location.as_str().into()).collect(), name));
        }
        let mut first = 0;
        for shard in &catalog.shards {
            catalog.firsts.push(first);
            first += shard.len() as u64;
        }
        if first == 0 {
            let nothing = || {
                let detail = match (opening.wanted.only, opening.wanted.but) {
                    (None, None) => "there is no sample",
                    (Some(_), None) => "none of the selected samples is in these shards",
                    (_, Some(_)) => "no sample is left of these shards: all are excluded, or were not selected",
                };
                Error::new(Stage::Open, Reason::Empty, detail).in_source(locations.join(", "))
            };
            return Err(catalog.problems.into_iter().next().unwrap_or_else(nothing));
        }
        if u32::try_from(first).is_err() {
            let detail = format!("{first} samples; a stream has at most {}", u32::MAX);
            return Err(Error::new(Stage::Open, Reason::TooLarge, detail));
        }
        Ok(Opened::Indexed(catalog))
    }

    /// The shards.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// What is wrong with shards of which samples were found nevertheless.
    pub fn problems(&self) -> &[Error] {
        &self.problems
    }

    /// Whether these are some of the shards' samples, chosen by their ids.
    pub(super) fn is_selected(&self) -> bool {
        self.is_selected
    }

    /// Samples by shard.
    pub(super) fn counts(&self) -> Vec<u32> {
        self.shards.iter().map(|shard| u32::try_from(shard.len()).unwrap_or(u32::MAX)).collect()
    }

    /// The shard of a sample, by its number, and which sample of it.
    pub(super) fn find(&self, sample: u64) -> (usize, usize) {
        let shard = self.firsts.partition_point(|&first| first <= sample).saturating_sub(1);
        let within = sample - self.firsts.get(shard).copied().unwrap_or(0);
        (shard, usize::try_from(within).unwrap_or(usize::MAX))
    }

    /// Bytes of all samples.
    pub(super) fn num_bytes(&self) -> u64 {
        let blocks = self.shards.iter().flat_map(|shard| &shard.extents).map(|&(_, blocks)| u64::from(blocks));
        blocks.sum::<u64>() * BLOCK_BYTES
    }
}

enum Job<'a> {
    /// A part, and its articles that are dead.
    Part(Root, Box<(PartRecord, HashSet<String>)>),
    Shard(&'a str),
}

#[derive(Default)]
struct Found {
    shards: Vec<Shard>,
    problem: Option<Error>,
    unindexed: Option<String>,
}

impl Job<'_> {
    fn run(&self, opening: &Opening<'_>) -> Result<Found> {
        match self {
            Self::Part(root, part) => {
                let (part, dead) = part.as_ref();
                let live = figures::Live { dead, wanted: opening.wanted };
                let shards = figures::shards(root, part, opening.subsets, live)?;
                Ok(Found { shards, ..Found::default() })
            }
            Self::Shard(location) => open_shard(location, opening),
        }
    }
}

fn open_shard(location: &str, opening: &Opening<'_>) -> Result<Found> {
    let object = Object::open(location, opening.store)?;
    let mut shard = Shard::new(location);
    let mut failed = None;
    let mut take = |group: Group| {
        if group.end > object.size().next_multiple_of(BLOCK_BYTES) {
            let detail =
                "the index says that this sample is beyond the shard's end: the shard is cut, or not the indexed one";
            let error = Error::new(Stage::Open, Reason::Truncated, detail).in_source(location);
            failed.get_or_insert(error.in_member(group.key).at_offset(group.start));
        } else if let Err(error) = shard.take(&group, opening.wanted) {
            failed.get_or_insert(error);
        }
    };
    let index = match read_index(&object, opening.store) {
        Ok(Some(text)) => index::read(&text, &mut take).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    let index = index.map_err(|error| error.in_source(index::location(location)));
    let problem = match index {
        Ok(Some(())) => failed,
        Ok(None) if !object.is_local() || opening.remote => {
            return Ok(Found { unindexed: Some(location.to_owned()), ..Found::default() });
        }
        Err(error) if !object.is_local() => return Err(error),
        index => {
            // An index that cannot be read is made up for; what it gave before it broke is not used.
            shard = Shard::new(location);
            let mut failed = index.err();
            let problem = scan::scan(&object, &mut |group| {
                if let Err(error) = shard.take(&group, opening.wanted) {
                    failed.get_or_insert(error);
                }
            });
            problem.or(failed)
        }
    };
    Ok(Found { shards: vec![shard], problem, unindexed: None })
}

/// The text of a shard's index; none when it has none, or one that is older than it.
fn read_index(shard: &Object, store: &StoreOptions) -> Result<Option<String>> {
    if shard.is_local() && !index::is_fresh(shard.location()) {
        return Ok(None);
    }
    let object = match Object::open(&index::location(shard.location()), store) {
        Ok(object) => object,
        Err(error) if error.reason() == Reason::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = object.read(0..object.size())?;
    String::from_utf8(bytes.to_vec())
        .map(Some)
        .map_err(|_| Error::new(Stage::Open, Reason::BadEncoding, "an index is text in UTF-8"))
}

/// Runs `work` over all jobs with threads; the results have the order of the jobs.
pub(super) fn each<J: Sync, T: Send>(
    jobs: &[J],
    threads: usize,
    stop: &(dyn Fn() -> bool + Sync),
    work: impl Fn(&J) -> T + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(number).filter(|_| !stop()) else { return };
                    let result = work(job);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if done.len() < jobs.len() {
        return Err(Error::new(Stage::Open, Reason::Interrupted, "stopped"));
    }
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}
