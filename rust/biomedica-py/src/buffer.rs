//! Memory that Python lends: read as plain bytes or numbers, or written to, without a copy.

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::prelude::*;

/// Contiguous memory of one of Python's buffers, to be read.
pub struct Lent<'a, T = u8>(&'a [T]);

impl<'a, T: Element> Lent<'a, T> {
    /// What `buffer`, which [`buffer`] gave, holds.
    pub fn new(buffer: &'a PyBuffer<T>) -> Self {
        if buffer.item_count() == 0 {
            return Self(&[]);
        }
        // SAFETY: the buffer is contiguous and of `T`, its alignment too (`buffer` below checked the one, `PyBuffer` the
        // other), and kept for as long as this is. That nobody writes to it meanwhile is what the stub asks of callers.
        #[allow(unsafe_code)]
        Self(unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<T>(), buffer.item_count()) })
    }
}

impl<T> AsRef<[T]> for Lent<'_, T> {
    fn as_ref(&self) -> &[T] {
        self.0
    }
}

/// The buffer of `object`, which must be contiguous; `what` names it in errors.
pub fn buffer<T: Element>(object: &Bound<'_, PyAny>, what: &str) -> PyResult<PyBuffer<T>> {
    let buffer = PyBuffer::<T>::get(object).map_err(|error| PyBufferError::new_err(format!("{what}: {error}")))?;
    if buffer.is_c_contiguous() { Ok(buffer) } else { Err(PyBufferError::new_err(format!("{what}: not contiguous"))) }
}

/// The buffers of encoded images.
pub fn images(objects: &[Bound<'_, PyAny>]) -> PyResult<Vec<PyBuffer<u8>>> {
    objects.iter().map(|object| buffer(object, "images must be contiguous buffers of bytes")).collect()
}

/// The buffer of `out`, to be written to: contiguous, of this shape, and apart from all of `images`.
pub fn output<T: Element>(
    out: &Bound<'_, PyAny>,
    kind: &str,
    shape: &[usize],
    images: &[Lent<'_>],
) -> PyResult<PyBuffer<T>> {
    let out = PyBuffer::<T>::get(out).map_err(|_| {
        PyBufferError::new_err(format!("out must be a buffer of {kind}, such as numpy's or tensor.numpy()"))
    })?;
    if out.readonly() || !out.is_c_contiguous() {
        return Err(PyBufferError::new_err("out must be writable and contiguous in C order"));
    }
    if out.shape() != shape {
        let found = out.shape();
        return Err(PyValueError::new_err(format!("out must have shape {shape:?}, not {found:?}")));
    }
    let written = out.buf_ptr() as usize..out.buf_ptr() as usize + out.len_bytes();
    let overlaps = |image: &Lent<'_>| {
        let read = image.0.as_ptr_range();
        (read.start as usize) < written.end && written.start < read.end as usize
    };
    if images.iter().any(overlaps) {
        return Err(PyBufferError::new_err("out overlaps one of the images"));
    }
    Ok(out)
}

/// What `out`, which [`output`] gave, is written to by; nobody else may hold another of it.
#[allow(clippy::mut_from_ref)] // the memory is Python's
pub fn written<T: Element>(out: &PyBuffer<T>) -> &mut [T] {
    if out.item_count() == 0 {
        return &mut [];
    }
    // SAFETY: `out` is kept for as long as the slice is; it is contiguous, writable, of `T` (which `PyBuffer` checked,
    // alignment too) and apart from all that is read.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts_mut(out.buf_ptr().cast::<T>(), out.item_count())
    }
}
