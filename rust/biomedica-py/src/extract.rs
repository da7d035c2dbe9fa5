//! `extract`: packages to a dataset on disk, with progress and Ctrl-C on the way.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use biomedica::dataset::{self, Options, Progress};
use biomedica::limits::Limits;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::CoreError;
use crate::interrupt::PATIENCE;

/// Write a dataset; see the stub for the whole documentation.
#[pyfunction]
#[pyo3(signature = (
    sources, output, *, threads=None, part_size=4096, samples_per_shard=10_000, min_size=21, article_text=false,
    progress=None,
))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // what Python hands over
pub fn extract(
    py: Python<'_>,
    sources: Vec<PathBuf>,
    output: PathBuf,
    threads: Option<usize>,
    part_size: usize,
    samples_per_shard: usize,
    min_size: u32,
    article_text: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    let options = Options { part_size, samples_per_shard, min_size, article_text, limits: Limits::default(), threads };
    options.check().map_err(|error| PyValueError::new_err(error.detail()))?;
    let show = |py: Python<'_>, state: &Progress| -> PyResult<()> {
        py.check_signals()?;
        match &progress {
            Some(callback) => callback.call1(py, (dictionary(py, state)?,)).map(drop),
            None => Ok(()),
        }
    };
    let mut raised = None;
    let mut shown = Instant::now();
    let mut ask = |state: &Progress| {
        if shown.elapsed() < PATIENCE {
            return ControlFlow::Continue(());
        }
        shown = Instant::now();
        match Python::attach(|py| show(py, state)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                raised = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let result = py.detach(|| dataset::extract(&sources, &output, &options, &mut ask));
    if let Some(error) = raised {
        return Err(error);
    }
    let summary = result.map_err(CoreError::from)?;
    // The last word: everything is done, the tables' sizes are known.
    let last = Progress {
        total_packages: Some(summary.counts.packages),
        counts: summary.counts,
        output_bytes: summary.output_bytes,
        skipped_packages: summary.skipped_packages,
    };
    show(py, &last)
}

fn dictionary<'py>(py: Python<'py>, state: &Progress) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    let counts = &state.counts;
    for (name, count) in [
        ("packages", counts.packages),
        ("articles", counts.articles),
        ("figures", counts.figures),
        ("pairs", counts.pairs),
        ("failures", counts.failures),
        ("input_bytes", counts.input_bytes),
        ("output_bytes", state.output_bytes),
        ("skipped_packages", state.skipped_packages),
    ] {
        all.set_item(name, count)?;
    }
    all.set_item("total_packages", state.total_packages)?;
    Ok(all)
}
