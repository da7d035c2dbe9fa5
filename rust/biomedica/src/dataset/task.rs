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
    /// What the part that is there has; it is replaced only by one that has more.
    there: Option<Counts>,
}

impl Task {
    /// What whoever makes `part` of the dataset at `place` must know.
    pub fn new(place: &Place, part: Arc<PartPlan>) -> Self {
        let run = place.run().map(str::to_owned);
        Self { options: place.options().clone(), run, part: Arc::unwrap_or_clone(part), there: None }
    }

    /// The same for a part that is there, has `counts`, and may get better.
    pub(super) fn again(place: &Place, part: PartPlan, counts: Counts) -> Self {
        Self { there: Some(counts), ..Self::new(place, Arc::new(part)) }
    }

    /// The part.
    pub fn part(&self) -> &PartPlan {
        &self.part
    }

    /// Makes the part in the dataset at `root`, with `threads`; see [`write_part`]. None when the part stays as it was,
    /// because it would have become no better.
    pub fn run(
        self,
        root: &Root,
        threads: Option<usize>,
        progress: &mut dyn FnMut(&Counts) -> ControlFlow<()>,
    ) -> Result<Option<PartRecord>> {
        let options = Options { threads, ..self.options };
        let place = Place::new(root, &options, self.run);
        let part = read_part(&place, Arc::new(self.part), progress)?;
        let is_better = |there: &Counts| {
            let new = part.counts();
            new.articles >= there.articles && new.pairs >= there.pairs && new.failures < there.failures
        };
        if self.there.as_ref().is_some_and(|there| !is_better(there)) { Ok(None) } else { part.publish().map(Some) }
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

fn read_part(place: &Place, plan: Arc<PartPlan>, progress: &mut dyn FnMut(&Counts) -> ControlFlow<()>) -> Result<Part> {
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
        let is_local = package.path.to_str().is_none_or(|text| crate::store::local_path(text).is_some());
        is_local && fs::metadata(&package.path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
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
