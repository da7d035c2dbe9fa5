//! `parse_entrez`: one answer of E-utilities to a record batch.

use biomedica::entrez::{self, Answer};
use biomedica::limits::Limits;
use biomedica::tables;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3_arrow::PyRecordBatch;

use crate::error::{CoreError, Result};

/// The records as a record batch, and what is wrong after them.
type Parsed<'py> = (Bound<'py, PyAny>, Option<Py<PyAny>>);

/// Read an answer of efetch; see the stub for the whole documentation.
#[pyfunction]
pub fn parse_entrez<'py>(py: Python<'py>, xml: &Bound<'py, PyBytes>) -> PyResult<Parsed<'py>> {
    let bytes = xml.as_bytes();
    let read = || -> Result<_> {
        let Answer { citations, fault } = entrez::parse(bytes, &Limits::default());
        Ok((tables::citations(&citations)?, fault))
    };
    let (batch, fault) = py.detach(read)?;
    let fault = fault.map(|error| PyErr::from(CoreError::from(error)).into_value(py).into_any());
    Ok((PyRecordBatch::new(batch).into_pyarrow(py)?, fault))
}
