//! A run: it plans, writes parts or adopts those that others wrote, and ends the dataset.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::changes::Changes;
use super::manifest::{Counts, PartRecord};
use super::options::Options;
use super::part::Part;
use super::place::Place;
use super::plan::{PartPlan, Plan, Units, Walked};
use super::root::Root;
use super::store::Store;
use crate::article::Chunk;
use crate::error::{Error, Reason, Result, Stage};
use crate::package::Package;
use crate::pipeline;
use crate::source::{self, Selection};

/// While nothing comes from the pipeline, the caller is asked this often whether to go on.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// What happened to a part in this run.
#[derive(Debug, Clone, PartialEq)]
pub enum PartEvent {
    /// It is being made, here, or was handed out to be made elsewhere.
    Begun {
        /// Its number.
        number: u32,
        /// Its packages.
        packages: u64,
    },
    /// It is whole, and in its place.
    Ended {
        /// Its number.
        number: u32,
        /// What is in it.
        counts: Counts,
        /// Bytes of its files.
        num_bytes: u64,
        /// How long making it took.
        seconds: Duration,
    },
}

/// How far a run is. Counts are of the whole dataset, parts of earlier runs included.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// What is written so far.
    pub counts: Counts,
    /// Bytes of the dataset so far.
    pub output_bytes: u64,
    /// Packages in all; known once the sources have been walked.
    pub total_packages: Option<u64>,
    /// Packages that earlier runs finished.
    pub skipped_packages: u64,
    /// What happened since the last time that this was asked.
    pub events: Vec<PartEvent>,
}

/// What a run left behind.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// What is in the dataset.
    pub counts: Counts,
    /// Its size.
    pub output_bytes: u64,
    /// Parts that this run made.
    pub written_parts: u64,
    /// Packages that earlier runs finished.
    pub skipped_packages: u64,
    /// What happened since the last progress.
    pub events: Vec<PartEvent>,
}

/// What a pipeline gives: a chunk, and the part that it belongs to.
pub type Item = Result<(Arc<PartPlan>, Chunk)>;

/// A plan that leaves out what its writer's dataset has.
pub type Missing<I> = Plan<Changes<I>, Box<dyn FnMut(&PartPlan) -> bool + Send>>;

/// The run of a dataset: it holds the lock and keeps the record. Parts are written by it, from what a pipeline gives in
/// the order of the plan, or elsewhere and adopted. Dropped at any time, it leaves only whole parts.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    /// The part in the making, and since when.
    part: Option<(Part, Instant)>,
    written_parts: u64,
    events: Vec<PartEvent>,
    /// Parts were made elsewhere.
    has_adopted: bool,
}

impl Writer {
    /// Begins a dataset at `output`, or continues the one that is there.
    pub fn open(output: &Root, options: &Options) -> Result<Self> {
        let store = Store::open(output, options)?;
        Ok(Self { store, part: None, written_parts: 0, events: Vec::new(), has_adopted: false })
    }

    /// What the writer of a part must know, here or elsewhere.
    pub fn place(&self) -> &Place {
        self.store.place()
    }

    /// The parts of `packages` that are not there yet. Of a dataset that is complete, these are parts of what is new or has
    /// changed since; what it has and `packages` have no more is withdrawn at the end, but only when they are the whole.
    pub fn plan<I>(&self, packages: I, is_whole: bool) -> Missing<I>
    where
        I: Iterator<Item = Result<Package>>,
    {
        let done = self.store.done();
        let is_done = move |part: &PartPlan| done.get(&part.number).is_some_and(|inputs| *inputs == part.inputs);
        let walked = Arc::<Walked>::default();
        let (first, known) = self.store.known(is_whole);
        let changes = Changes::new(packages, known, Arc::clone(&walked));
        Plan::new(changes, self.store.place().options().part_size, Box::new(is_done) as Box<_>).after(first, walked)
    }

    /// Takes note that a part is about to be made.
    pub fn begin(&mut self, plan: &PartPlan) {
        self.events.push(PartEvent::Begun { number: plan.number, packages: plan.packages.len() as u64 });
    }

    /// Adds what a unit of `plan` gave. A new part ends the one before it.
    pub fn add(&mut self, plan: &Arc<PartPlan>, chunk: &Chunk) -> Result<()> {
        if self.part.as_ref().is_some_and(|(part, _)| part.plan().number != plan.number) {
            self.publish()?;
        }
        let (part, _) = if let Some(part) = &mut self.part {
            part
        } else {
            self.begin(plan);
            self.part.insert((Part::create(self.store.place(), Arc::clone(plan))?, Instant::now()))
        };
        part.add(chunk)
    }

    fn publish(&mut self) -> Result<()> {
        if let Some((part, begun)) = self.part.take() {
            self.store.forget(part.plan().number);
            let record = part.publish()?;
            self.record(record, begun.elapsed())?;
        }
        Ok(())
    }

    fn record(&mut self, record: PartRecord, seconds: Duration) -> Result<()> {
        let (number, counts, num_bytes) = (record.number, record.counts.clone(), record.num_bytes());
        self.store.record(record)?;
        self.events.push(PartEvent::Ended { number, counts, num_bytes, seconds });
        self.written_parts += 1;
        Ok(())
    }

    /// Takes in a part that was made elsewhere, in so many seconds. Fails when the part is not there, whole, as this machine
    /// sees the dataset.
    pub fn adopt(&mut self, number: u32, inputs: &str, seconds: Duration) -> Result<()> {
        let place = self.store.place();
        let Some(record) = place.whole(number)?.filter(|record| record.inputs == inputs) else {
            let detail =
                format!("part {number} was made, but is not here; the output must be one place that all machines see");
            return Err(place.refuse(Reason::NotFound, &detail));
        };
        self.has_adopted = true;
        self.record(record, seconds)
    }

    /// How far it is, and what happened since this was asked the last time.
    pub fn progress(&mut self, walked: &Walked) -> Progress {
        let mut counts = self.store.counts().clone();
        let mut output_bytes = self.store.num_bytes();
        if let Some((part, _)) = &self.part {
            counts.add(&part.so_far());
            output_bytes += part.num_bytes();
        }
        Progress {
            counts,
            output_bytes,
            total_packages: walked.total_packages(),
            skipped_packages: walked.skipped_packages(),
            events: std::mem::take(&mut self.events),
        }
    }

    /// Ends the last part and the dataset, once the plan has come to its end.
    pub fn finish(mut self, walked: &Walked) -> Result<Summary> {
        self.publish()?;
        if self.has_adopted {
            // What a worker left that was killed.
            self.store.place().sweep()?;
        }
        if let Some(total) = walked.total_parts() {
            self.store.complete(total)?;
        }
        Ok(Summary {
            counts: self.store.counts().clone(),
            output_bytes: self.store.num_bytes(),
            written_parts: self.written_parts,
            skipped_packages: walked.skipped_packages(),
            events: self.events,
        })
    }

    /// Writes all that `next` gives and ends the dataset. `next` waits for a result no longer than it is told: none when
    /// the time is up, `Some(None)` at the end. The first error ends the run; so does `progress`, which is asked after
    /// every chunk, and every tenth of a second while none comes.
    pub fn write(
        mut self,
        walked: &Walked,
        next: &mut dyn FnMut(Duration) -> Option<Option<Item>>,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Summary> {
        loop {
            match next(TICK) {
                None => {}
                Some(Some(result)) => {
                    let (plan, chunk) = result?;
                    self.add(&plan, &chunk)?;
                }
                Some(None) if walked.total_parts().is_some() => break,
                Some(None) => {
                    return Err(Error::new(
                        Stage::Write,
                        Reason::Internal,
                        "the packages' reader ended before its plan",
                    ));
                }
            }
            if progress(&self.progress(walked)).is_break() {
                return Err(stopped());
            }
        }
        self.finish(walked)
    }
}

/// What a run that its caller stopped ends with.
pub(super) fn stopped() -> Error {
    Error::new(Stage::Write, Reason::Interrupted, "stopped; the same command goes on where this one was")
}

/// Reads the packages of `sources` that are wanted and writes those parts of the dataset at `output` that are not there yet.
///
/// What concerns one package is a row of the failures table. An error is what nothing can go on after: the output
/// cannot be written, its options are others, or no source has any package. `progress` can stop the run.
pub fn extract(
    sources: &[PathBuf],
    output: &Root,
    options: &Options,
    selection: &Selection,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Summary> {
    let writer = Writer::open(output, options)?;
    let packages = selection.of(source::walk(sources, selection, output.stores()));
    let plan = writer.plan(packages, selection.is_all());
    let walked = plan.walked();
    let mut reader = pipeline::Reader::new(Units::new(plan), writer.place().reading());
    writer.write(&walked, &mut |patience| reader.next_within(patience), progress).map_err(|error| {
        let names = || sources.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>().join(", ");
        if error.reason() == Reason::NotFound { error.in_source(names()) } else { error }
    })
}
