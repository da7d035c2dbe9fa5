//! Long work that Ctrl-C ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use biomedica::error::Result;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::error::CoreError;

/// How long to wait before looking for Ctrl-C, and between two showings of progress.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// Runs `work` without the GIL on a thread of its own; it is to end soon when what it gets to ask says true, which is what
/// `stop` is set to for those who can only look at a flag.
///
/// Meanwhile `each` is called about ten times a second on this thread, with the GIL; what it raises ends the work too.
pub fn run_with<T: Send>(
    py: Python<'_>,
    stop: &AtomicBool,
    mut each: impl FnMut(Python<'_>) -> PyResult<()> + Send,
    work: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> Result<T> + Send,
) -> PyResult<T> {
    let mut raised = None;
    let result = py.detach(|| {
        thread::scope(|scope| {
            let (sender, receiver) = channel();
            // Signals are Python's to handle, on this thread alone; the work is done on another.
            scope.spawn(move || {
                // Nobody waits for it only after a panic over there.
                let _ = sender.send(work(&|| stop.load(Ordering::Relaxed)));
            });
            loop {
                match receiver.recv_timeout(PATIENCE) {
                    Ok(result) => return Some(result),
                    Err(RecvTimeoutError::Disconnected) => return None,
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(error) = Python::attach(|py| py.check_signals().and_then(|()| each(py))) {
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
        result.ok_or_else(|| PyRuntimeError::new_err("a defect of biomedica: a thread ended without a result"))?;
    Ok(result.map_err(CoreError::from)?)
}
