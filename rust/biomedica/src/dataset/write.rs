//! The one writer of a dataset, fed with chunks in the order of the plan.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::manifest::Counts;
use super::options::Options;
use super::part::Part;
use super::plan::{Input, PartPlan, Plan, Walked};
use super::store::Store;
use crate::article::Chunk;
use crate::error::{Error, Reason, Result, Stage};

/// While nothing comes from the pipeline, the caller is asked this often whether to go on.
const TICK: Duration = Duration::from_millis(100);

/// How far a run is. Counts are of the whole dataset, parts of earlier runs included.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// What is written so far.
    pub counts: Counts,
    /// Bytes of the dataset so far.
    pub output_bytes: u64,
    /// Packages in all; known once the sources have been walked.
    pub total_packages: Option<u64>,
    /// Packages of parts that earlier runs finished.
    pub skipped_packages: u64,
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
    /// Packages of parts that earlier runs finished.
    pub skipped_packages: u64,
}

/// A plan that leaves out what its writer's dataset has.
pub type Missing<I, P> = Plan<I, P, Box<dyn FnMut(&PartPlan) -> bool + Send>>;

/// Writes a dataset. Dropped at any time, it leaves only whole parts.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    part: Option<Part>,
    written_parts: u64,
}

impl Writer {
    /// Begins a dataset at `output`, or continues the one that is there.
    pub fn open(output: &Path, options: &Options) -> Result<Self> {
        Ok(Self { store: Store::open(output, options)?, part: None, written_parts: 0 })
    }

    /// The parts of `packages` that are not there yet.
    pub fn plan<I, P>(&self, packages: I) -> Missing<I, P>
    where
        I: Iterator<Item = Result<P>>,
        P: Input,
    {
        let done = self.store.done();
        let is_done = move |part: &PartPlan| done.get(&part.number).is_some_and(|inputs| *inputs == part.inputs);
        Plan::new(packages, self.store.options().part_size, Box::new(is_done))
    }

    /// Adds what a unit of `plan` gave. A new part ends the one before it.
    pub fn add(&mut self, plan: &Arc<PartPlan>, chunk: Chunk) -> Result<()> {
        if self.part.as_ref().is_some_and(|part| part.plan().number != plan.number) {
            self.publish()?;
        }
        let part = match &mut self.part {
            Some(part) => part,
            None => self.part.insert(Part::create(&self.store, Arc::clone(plan))?),
        };
        part.add(&self.store, chunk)
    }

    fn publish(&mut self) -> Result<()> {
        if let Some(part) = self.part.take() {
            part.publish(&mut self.store)?;
            self.written_parts += 1;
        }
        Ok(())
    }

    /// How far it is.
    pub fn progress(&self, walked: &Walked) -> Progress {
        let mut counts = self.store.counts().clone();
        let mut output_bytes = self.store.num_bytes();
        if let Some(part) = &self.part {
            counts.add(&part.so_far());
            output_bytes += part.num_bytes();
        }
        Progress {
            counts,
            output_bytes,
            total_packages: walked.total_packages(),
            skipped_packages: walked.skipped_packages(),
        }
    }

    /// Ends the last part and the dataset, once the plan has come to its end.
    pub fn finish(mut self, walked: &Walked) -> Result<Summary> {
        self.publish()?;
        if let Some(total) = walked.total_parts() {
            self.store.complete(total)?;
        }
        Ok(Summary {
            counts: self.store.counts().clone(),
            output_bytes: self.store.num_bytes(),
            written_parts: self.written_parts,
            skipped_packages: walked.skipped_packages(),
        })
    }

    /// Writes all that `results` gives and ends the dataset. The first error ends the run; so does `progress`, which
    /// is asked after every chunk, and every tenth of a second while none comes.
    pub fn write<R>(
        mut self,
        results: R,
        walked: &Walked,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Summary>
    where
        R: Iterator<Item = Result<(Arc<PartPlan>, Chunk)>> + Send + 'static,
    {
        // The pipeline is waited for on a thread of its own, so that a package which takes minutes cannot keep the
        // caller from stopping. After a stop, that thread's next send fails and drops the pipeline.
        let (sender, receiver) = sync_channel(0);
        let spawned = std::thread::Builder::new().name("biomedica-results".to_owned()).spawn(move || {
            for result in results {
                if sender.send(Some(result)).is_err() {
                    return;
                }
            }
            // The end is said, so that a panic cannot pass for it. Nobody listening is as good an end.
            let _ = sender.send(None);
        });
        spawned.map_err(|e| Error::io(Stage::Write, &e))?;
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(Some(result)) => {
                    let (plan, chunk) = result?;
                    self.add(&plan, chunk)?;
                }
                Ok(None) if walked.total_parts().is_some() => break,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(None) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(
                        Stage::Write,
                        Reason::Internal,
                        "the packages' reader ended before its plan",
                    ));
                }
            }
            if progress(&self.progress(walked)).is_break() {
                return Err(Error::new(
                    Stage::Write,
                    Reason::Interrupted,
                    "stopped; the same command goes on where this one was",
                ));
            }
        }
        self.finish(walked)
    }
}
