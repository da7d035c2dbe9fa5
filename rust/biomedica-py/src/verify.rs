//! `verify`: whether a dataset is what its records say.

use std::path::PathBuf;

use biomedica::dataset::{self, Report, Root};
use pyo3::prelude::*;

use crate::{interrupt, store};

/// What `verify` gives: parts, files, bytes, images, number of problems, and the problems as path and text.
type Found = (u64, u64, u64, u64, u64, Vec<(String, String)>);

/// Check a dataset; see the stub for the whole documentation.
#[pyfunction]
#[pyo3(signature = (path, *, deep=false, threads=None, storage_options=Vec::new()))]
#[allow(clippy::needless_pass_by_value)] // what Python hands over
pub fn verify(
    py: Python<'_>,
    path: PathBuf,
    deep: bool,
    threads: Option<usize>,
    storage_options: store::Config,
) -> PyResult<Found> {
    let threads = crate::read::threads(threads)?;
    let options = store::options(storage_options)?;
    let root = Root::new(&path, &options);
    let found = interrupt::run_with(py, &options.stop, |_| Ok(()), |stop| dataset::verify(&root, deep, threads, stop))?;
    let Report { parts, files, num_bytes, images, problems, num_problems } = found;
    let problems = problems.into_iter().map(|problem| (problem.path, problem.what)).collect();
    Ok((parts, files, num_bytes, images, num_problems, problems))
}
