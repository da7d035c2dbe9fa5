//! `retry`: what failed for a reason that may have passed, read again.

use std::ops::ControlFlow;
use std::path::PathBuf;

use biomedica::dataset::{self, Retried, Root};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{interrupt, store};

/// Retry a dataset; see the stub for the whole documentation.
#[pyfunction]
#[pyo3(signature = (path, *, threads=None, storage_options=Vec::new()))]
#[allow(clippy::needless_pass_by_value)] // what Python hands over
pub fn retry(
    py: Python<'_>,
    path: PathBuf,
    threads: Option<usize>,
    storage_options: store::Config,
) -> PyResult<Bound<'_, PyDict>> {
    let threads = Some(crate::read::threads(threads)?);
    let options = store::options(storage_options)?;
    let root = Root::new(&path, &options);
    let done = interrupt::run_with(
        py,
        &options.stop,
        |_| Ok(()),
        |stop| {
            let mut go_on = |_: &Retried| if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            dataset::retry(&root, threads, &mut go_on)
        },
    )?;
    let all = PyDict::new(py);
    for (name, count) in [
        ("parts", done.parts),
        ("renewed_parts", done.renewed_parts),
        ("failures_before", done.failures_before),
        ("failures", done.failures),
        ("articles", done.articles),
        ("pairs", done.pairs),
    ] {
        all.set_item(name, count)?;
    }
    Ok(all)
}
