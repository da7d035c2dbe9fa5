//! `index`: index files beside shards, with progress and Ctrl-C on the way.

use std::sync::atomic::{AtomicU64, Ordering};

use biomedica::pipeline;
use biomedica::stream::index as core;
use pyo3::prelude::*;

use crate::error::CoreError;
use crate::interrupt;
use crate::store;

/// The index's path, its samples, and what is wrong with the shard.
type Indexed = (String, Option<u64>, Option<Py<PyAny>>);

/// Write index files; see the stub for the whole documentation.
#[pyfunction]
#[pyo3(signature = (shards, *, force=false, threads=None, storage_options=Vec::new(), progress=None))]
#[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn index(
    py: Python<'_>,
    shards: Vec<String>,
    force: bool,
    threads: Option<usize>,
    storage_options: store::Config,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Indexed>> {
    let threads = crate::read::threads(threads)?;
    let options = store::options(storage_options)?;
    let (done, samples) = (AtomicU64::new(0), AtomicU64::new(0));
    let show = |py: Python<'_>| match &progress {
        Some(callback) => callback.call1(py, (done.load(Ordering::Relaxed), samples.load(Ordering::Relaxed))).map(drop),
        None => Ok(()),
    };
    let results = interrupt::run_with(py, &options.stop, show, |stop| {
        core::write_all(&shards, force, pipeline::threads(Some(threads)), &options, stop, &|result| {
            let found = result.as_ref().ok().and_then(|indexed| indexed.samples).unwrap_or(0);
            samples.fetch_add(found, Ordering::Relaxed);
            done.fetch_add(1, Ordering::Relaxed);
        })
    })?;
    show(py)?;
    let exception = |error| PyErr::from(CoreError::from(error)).into_value(py).into_any();
    let row = |(shard, result): (&String, biomedica::error::Result<core::Indexed>)| match result {
        Ok(core::Indexed { samples, problem }) => (core::location(shard), samples, problem.map(exception)),
        Err(error) => (core::location(shard), None, Some(exception(error))),
    };
    Ok(shards.iter().zip(results).map(row).collect())
}
