//! `verify`: whether a dataset is what its records say.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use biomedica::dataset::{self, Report};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::error::CoreError;
use crate::interrupt::PATIENCE;

/// What `verify` gives: parts, files, bytes, images, number of problems, and the problems as path and text.
type Found = (u64, u64, u64, u64, u64, Vec<(String, String)>);

/// Check a dataset; see the stub for the whole documentation.
#[pyfunction]
#[pyo3(signature = (path, *, deep=false, threads=None))]
// What Python hands over; a method whose lifetime does not fit.
#[allow(clippy::needless_pass_by_value, clippy::redundant_closure_for_method_calls)]
pub fn verify(py: Python<'_>, path: PathBuf, deep: bool, threads: Option<usize>) -> PyResult<Found> {
    let threads = crate::read::threads(threads)?;
    let stop = AtomicBool::new(false);
    let mut raised = None;
    let result = py.detach(|| {
        thread::scope(|scope| {
            let (sender, receiver) = channel();
            let stop = &stop;
            let path = &path;
            // Signals are Python's to handle, on this thread alone; the work is done on others.
            scope.spawn(move || {
                // Nobody waits for it only after a panic over there.
                let _ = sender.send(dataset::verify(path, deep, threads, &|| stop.load(Ordering::Relaxed)));
            });
            loop {
                match receiver.recv_timeout(PATIENCE) {
                    Ok(result) => return Some(result),
                    Err(RecvTimeoutError::Disconnected) => return None,
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(error) = Python::attach(|py| py.check_signals()) {
                            raised.get_or_insert(error);
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                }
            }
        })
    });
    if let Some(error) = raised {
        return Err(error);
    }
    let result =
        result.ok_or_else(|| PyRuntimeError::new_err("a defect of biomedica: verify ended without a result"))?;
    let Report { parts, files, num_bytes, images, problems, num_problems } = result.map_err(CoreError::from)?;
    let problems = problems.into_iter().map(|problem| (problem.path, problem.what)).collect();
    Ok((parts, files, num_bytes, images, num_problems, problems))
}
