//! Hashes of texts; see the stub.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use biomedica::text_hash::hash;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3_arrow::PyArray;

use crate::buffer::{output, written};

/// The hash of each text, none null, into `out`.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn hash_texts(py: Python<'_>, texts: PyArray, out: &Bound<'_, PyAny>) -> PyResult<()> {
    let texts = texts.array().as_string_opt::<i32>();
    let texts = texts.ok_or_else(|| PyTypeError::new_err("texts must be an Arrow array of strings"))?;
    let out = output::<u64>(out, "uint64", &[texts.len()], &[])?;
    let out = written(&out);
    if texts.null_count() > 0 {
        return Err(PyValueError::new_err("a text is null"));
    }
    py.detach(|| {
        for (place, text) in out.iter_mut().zip(texts.iter().flatten()) {
            *place = hash(text.as_bytes());
        }
    });
    Ok(())
}
