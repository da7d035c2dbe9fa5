//! `extract`: packages to a dataset, with progress and Ctrl-C on the way.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use biomedica::dataset::{self, Counts, Options, PartEvent, Progress, Root, Summary};
use biomedica::limits::Limits;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::interrupt::{self, PATIENCE};
use crate::rules::Rules;
use crate::selection::Selection;
use crate::store;

/// Write a dataset; see the stub for the whole documentation.
#[pyfunction]
#[pyo3(signature = (
    sources, output, *, rules, selection, threads=None, part_size=4096, samples_per_shard=10_000, article_text=false,
    storage_options=Vec::new(), progress=None,
))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // what Python hands over
pub fn extract(
    py: Python<'_>,
    sources: Vec<PathBuf>,
    output: PathBuf,
    rules: Rules,
    selection: Selection,
    threads: Option<usize>,
    part_size: usize,
    samples_per_shard: usize,
    article_text: bool,
    storage_options: store::Config,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let options = options(rules, part_size, samples_per_shard, article_text, threads)?;
    let selection = selection.checked()?;
    let stores = store::options(storage_options)?;
    let root = Root::new(&output, &stores);
    let latest: Mutex<Option<Progress>> = Mutex::default();
    let show = |py: Python<'_>, state: &Progress| match &progress {
        Some(callback) => callback.call1(py, (dictionary(py, state)?,)).map(drop),
        None => Ok(()),
    };
    let each = |py: Python<'_>| {
        let state = latest.lock().unwrap_or_else(PoisonError::into_inner).take();
        state.map_or(Ok(()), |state| show(py, &state))
    };
    let mut summary = interrupt::run_with(py, &stores.stop, each, |stop| {
        let mut noted = Instant::now();
        let mut note = |state: &Progress| {
            if noted.elapsed() >= PATIENCE || !state.events.is_empty() {
                noted = Instant::now();
                let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
                let before = latest.take().map(|before| before.events).unwrap_or_default();
                let events = before.into_iter().chain(state.events.iter().cloned()).collect();
                *latest = Some(Progress { events, ..state.clone() });
            }
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        dataset::extract(&sources, &root, &options, &selection, &mut note)
    })?;
    if let Some(untold) = latest.into_inner().unwrap_or_else(PoisonError::into_inner) {
        summary.events.splice(0..0, untold.events);
    }
    show(py, &last(summary))
}

/// The options of a dataset, if they make sense.
pub fn options(
    rules: Rules,
    part_size: usize,
    samples_per_shard: usize,
    article_text: bool,
    threads: Option<usize>,
) -> PyResult<Options> {
    let rules = rules.checked()?;
    let options = Options { part_size, samples_per_shard, rules, article_text, limits: Limits::default(), threads };
    options.check().map_err(|error| PyValueError::new_err(error.detail()))?;
    Ok(options)
}

/// The last word: everything is done, the tables' sizes are known.
pub fn last(summary: Summary) -> Progress {
    Progress {
        total_packages: Some(summary.counts.packages),
        counts: summary.counts,
        output_bytes: summary.output_bytes,
        skipped_packages: summary.skipped_packages,
        events: summary.events,
    }
}

/// How far a run is, for Python.
pub fn dictionary<'py>(py: Python<'py>, state: &Progress) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    fill(&all, &state.counts)?;
    all.set_item("output_bytes", state.output_bytes)?;
    all.set_item("skipped_packages", state.skipped_packages)?;
    all.set_item("total_packages", state.total_packages)?;
    let events: Vec<_> = state.events.iter().map(|event| told(py, event)).collect::<PyResult<_>>()?;
    all.set_item("events", events)?;
    Ok(all)
}

fn fill(all: &Bound<'_, PyDict>, counts: &Counts) -> PyResult<()> {
    for (name, count) in [
        ("packages", counts.packages),
        ("articles", counts.articles),
        ("figures", counts.figures),
        ("pairs", counts.pairs),
        ("failures", counts.failures),
        ("input_bytes", counts.input_bytes),
    ] {
        all.set_item(name, count)?;
    }
    Ok(())
}

/// The name of an event, and what is to be said of it.
fn told<'py>(py: Python<'py>, event: &PartEvent) -> PyResult<(&'static str, Bound<'py, PyDict>)> {
    let all = PyDict::new(py);
    match event {
        PartEvent::Begun { number, packages } => {
            all.set_item("part", number)?;
            all.set_item("packages", packages)?;
            Ok(("part_begun", all))
        }
        PartEvent::Ended { number, counts, num_bytes, seconds } => {
            all.set_item("part", number)?;
            fill(&all, counts)?;
            all.set_item("output_bytes", num_bytes)?;
            all.set_item("seconds", seconds.as_secs_f64())?;
            Ok(("part_ended", all))
        }
    }
}
