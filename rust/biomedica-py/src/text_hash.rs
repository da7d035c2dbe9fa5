//! Hashes of texts; see the stub.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, UInt64Array};
use biomedica::text_hash::hash;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;

/// The hash of each text, none null.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn hash_texts(py: Python<'_>, texts: PyArray) -> PyResult<Py<PyAny>> {
    let texts = texts.array().as_string_opt::<i32>();
    let texts = texts.ok_or_else(|| PyTypeError::new_err("texts must be an Arrow array of strings"))?;
    if texts.null_count() > 0 {
        return Err(PyValueError::new_err("a text is null"));
    }
    let hashes = py.detach(|| texts.iter().flatten().map(|text| hash(text.as_bytes())).collect::<Vec<_>>());
    let hashes = PyArray::from_array_ref(Arc::new(UInt64Array::from(hashes)));
    hashes.to_pyarrow(py).map(Bound::unbind)
}
