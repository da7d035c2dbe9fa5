//! The one place where errors of the core become Python exceptions.

use biomedica::error::{Error, Reason, Stage};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// What the functions of this crate return.
pub type Result<T> = std::result::Result<T, CoreError>;

/// An error of the core or of Python.
pub enum CoreError {
    /// Of the core.
    Core(Error),
    /// Of Python.
    Python(PyErr),
}

impl From<Error> for CoreError {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<PyErr> for CoreError {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<CoreError> for PyErr {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Core(error) => Python::attach(|py| exception(py, &error).unwrap_or_else(|failed| failed)),
            CoreError::Python(error) => error,
        }
    }
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let name = match (error.stage(), error.reason()) {
        (_, Reason::Interrupted) => return Ok(PyKeyboardInterrupt::new_err(error.to_string())),
        (Stage::Open | Stage::Fetch, Reason::NotFound) => "SourceNotFoundError",
        (Stage::Open | Stage::Fetch, _) => "SourceError",
        (Stage::Inflate | Stage::Tar, _) => "ArchiveError",
        (Stage::Xml | Stage::Figure | Stage::Image, _) => "XmlError",
        _ => "DatasetError",
    };
    let class = py.import("biomedica.exceptions")?.getattr(name)?;
    let value = class.cast::<PyType>()?.call1((error.to_string(),))?;
    value.setattr("stage", error.stage().as_str())?;
    value.setattr("reason", error.reason().as_str())?;
    value.setattr("source", error.source())?;
    value.setattr("member", error.member())?;
    value.setattr("offset", error.offset())?;
    Ok(PyErr::from_value(value))
}
