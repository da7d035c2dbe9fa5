//! One part, made by whoever is asked to, in any process on any machine.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::manifest::{Counts, PartRecord};
use super::options::Options;
use super::part::Part;
use super::place::Place;
use super::plan::{PartPlan, Units};
use super::root::Root;
use super::write::{TICK, stopped};
use crate::error::{Error, Reason, Result, Stage};
use crate::package::Package;
use crate::pipeline;

/// A part that is to be made and how. It travels as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    options: Options,
    run: Option<String>,
    part: PartPlan,
}

impl Task {
    /// What whoever makes `part` of the dataset at `place` must know.
    pub fn new(place: &Place, part: Arc<PartPlan>) -> Self {
        Self { options: place.options().clone(), run: place.run().map(str::to_owned), part: Arc::unwrap_or_clone(part) }
    }

    /// As it travels.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::new(Stage::Write, Reason::Internal, error.to_string()))
    }

    /// The task of [`Task::to_json`].
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json)
            .map_err(|error| Error::new(Stage::Write, Reason::Malformed, format!("not a task: {error}")))
    }

    /// The part.
    pub fn part(&self) -> &PartPlan {
        &self.part
    }

    /// Makes the part in the dataset at `root`, with `threads`; see [`write_part`].
    pub fn run(
        self,
        root: &Root,
        threads: Option<usize>,
        progress: &mut dyn FnMut(&Counts) -> ControlFlow<()>,
    ) -> Result<PartRecord> {
        let options = Options { threads, ..self.options };
        write_part(&Place::new(root, &options, self.run), Arc::new(self.part), progress)
    }
}

/// Reads the packages of a part and publishes it. Nothing but the part's own files is touched, and the dataset's record
/// is left to the run that the part is for. Fails when none of its packages is there, which is so on a machine that does
/// not see the sources. `progress` is told what is counted so far and can stop the work.
pub fn write_part(
    place: &Place,
    plan: Arc<PartPlan>,
    progress: &mut dyn FnMut(&Counts) -> ControlFlow<()>,
) -> Result<PartRecord> {
    read_part(place, plan, progress)?.publish()
}

/// The same, but for the publishing.
pub(super) fn read_part(
    place: &Place,
    plan: Arc<PartPlan>,
    progress: &mut dyn FnMut(&Counts) -> ControlFlow<()>,
) -> Result<Part> {
    check_any(&plan)?;
    let units = Units::new(std::iter::once(Ok(Arc::clone(&plan))));
    let mut reader = pipeline::Reader::new(units, place.reading());
    let mut part = Part::create(place, plan)?;
    loop {
        match reader.next_within(TICK) {
            None => {}
            Some(None) => return Ok(part),
            Some(Some(read)) => part.add(&read?.1)?,
        }
        if progress(&part.so_far()).is_break() {
            return Err(stopped());
        }
    }
}

/// Fails when not one of the packages is there.
fn check_any(plan: &PartPlan) -> Result<()> {
    let is_away = |package: &Package| {
        !package.is_remote() && fs::metadata(&package.path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    match plan.packages.first() {
        Some(first) if plan.packages.iter().all(is_away) => {
            let detail =
                "none of the part's packages is on this machine; every machine that makes parts must see the sources";
            Err(Error::new(Stage::Open, Reason::NotFound, detail).in_source(first.source()))
        }
        _ => Ok(()),
    }
}
