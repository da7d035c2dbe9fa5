//! `Decoder`: encoded images in Python's buffers to pixels in one of its buffers, without a copy and without the GIL.

use biomedica::decode::{self, Fit, Options};
use biomedica::pipeline;
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::prelude::*;

/// Decodes batches of images; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Decoder {
    inner: decode::Decoder,
}

/// What becomes of one image: left, top, width and height of what is resized, and whether it is mirrored.
type Seen = Option<([f64; 4], bool)>;

/// Memory that Python lent, as plain bytes.
struct Lent<'a>(&'a [u8]);

impl<'a> Lent<'a> {
    fn new(buffer: &'a PyBuffer<u8>) -> Self {
        if buffer.len_bytes() == 0 {
            return Self(&[]);
        }
        // SAFETY: the buffer, which is contiguous (`buffer` below checked it) and `len_bytes` long, is kept for as long
        // as these bytes are. That nobody writes to it meanwhile is what the stub asks of callers.
        #[allow(unsafe_code)]
        Self(unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes()) })
    }
}

impl AsRef<[u8]> for Lent<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

#[pymethods]
impl Decoder {
    #[new]
    #[pyo3(signature = (image_size=224, *, train=true, scale=(0.9, 1.0), ratio=(3.0 / 4.0, 4.0 / 3.0), mean=None, std=None,
        interpolation="bicubic", flip=false, fit="shortest", threads=None))]
    #[allow(clippy::too_many_arguments)] // keyword-only
    fn new(
        image_size: u32,
        train: bool,
        scale: (f64, f64),
        ratio: (f64, f64),
        mean: Option<[f32; 3]>,
        std: Option<[f32; 3]>,
        interpolation: &str,
        flip: bool,
        fit: &str,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let bilinear = match interpolation {
            "bicubic" => false,
            "bilinear" => true,
            other => return Err(PyValueError::new_err(format!("interpolation is bicubic or bilinear, not {other:?}"))),
        };
        let fit = match fit {
            "shortest" => Fit::Shortest,
            "longest" => Fit::Longest,
            "squash" => Fit::Squash,
            other => return Err(PyValueError::new_err(format!("fit is shortest, longest or squash, not {other:?}"))),
        };
        let usual = Options::default();
        let options = Options {
            size: image_size,
            train,
            scale: scale.into(),
            ratio: ratio.into(),
            flip,
            fit,
            bilinear,
            mean: mean.unwrap_or(usual.mean),
            std: std.unwrap_or(usual.std),
        };
        let threads = match threads {
            Some(0) => return Err(PyValueError::new_err("threads must be at least 1")),
            asked => pipeline::threads(asked),
        };
        let inner = decode::Decoder::new(options, threads).map_err(|error| PyValueError::new_err(error.detail()))?;
        Ok(Self { inner })
    }

    /// Width and height of the output.
    #[getter]
    fn image_size(&self) -> u32 {
        self.inner.options().size
    }

    /// The number of threads.
    #[getter]
    fn threads(&self) -> usize {
        self.inner.threads()
    }

    /// Decode each image into its slot of `out`; gives index and message of those that cannot be decoded.
    #[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
    fn decode_batch(
        &self,
        py: Python<'_>,
        images: Vec<Bound<'_, PyAny>>,
        seeds: Vec<u64>,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<(usize, String)>> {
        let side = self.inner.options().size as usize;
        let lent = images.iter().map(buffer::<u8>).collect::<PyResult<Vec<_>>>()?;
        let out = PyBuffer::<f32>::get(out).map_err(|_| {
            PyBufferError::new_err("out must be a buffer of float32, such as numpy's or tensor.numpy()")
        })?;
        if out.readonly() || !out.is_c_contiguous() {
            return Err(PyBufferError::new_err("out must be writable and contiguous in C order"));
        }
        let shape = [images.len(), 3, side, side];
        if out.shape() != shape {
            let found = out.shape();
            return Err(PyValueError::new_err(format!("out must have shape {shape:?}, not {found:?}")));
        }
        same_count(&images, &seeds)?;
        let bytes: Vec<_> = lent.iter().map(Lent::new).collect();
        let written = out.buf_ptr() as usize..out.buf_ptr() as usize + out.len_bytes();
        let overlaps = |image: &Lent<'_>| {
            let read = image.0.as_ptr_range();
            (read.start as usize) < written.end && written.start < read.end as usize
        };
        if bytes.iter().any(overlaps) {
            return Err(PyBufferError::new_err("out overlaps one of the images"));
        }
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        // SAFETY: `out` is kept until the end of this function; it is contiguous, writable, of float32 (which `PyBuffer` checked, alignment too) and
        // apart from all that is read.
        #[allow(unsafe_code)]
        let pixels = unsafe { std::slice::from_raw_parts_mut(out.buf_ptr().cast::<f32>(), out.item_count()) };
        let failed = py.detach(|| self.inner.decode_batch(&bytes, &seeds, pixels));
        let failed = failed.map_err(crate::error::CoreError::from)?;
        Ok(failed.into_iter().map(|(index, error)| (index, error.to_string())).collect())
    }

    /// For each image what of it becomes the output, if it is a JPEG as any decoder reads it; see the stub.
    #[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
    fn jpeg_views(&self, py: Python<'_>, images: Vec<Bound<'_, PyAny>>, seeds: Vec<u64>) -> PyResult<Vec<Seen>> {
        same_count(&images, &seeds)?;
        let lent = images.iter().map(buffer::<u8>).collect::<PyResult<Vec<_>>>()?;
        let bytes: Vec<_> = lent.iter().map(Lent::new).collect();
        Ok(py.detach(|| {
            let views = bytes.iter().zip(&seeds).map(|(image, &seed)| self.inner.jpeg_view(image.as_ref(), seed));
            views.map(|view| view.map(|view| (view.window(), view.flip()))).collect()
        }))
    }

    fn __repr__(&self) -> String {
        let options = self.inner.options();
        let train = if options.train { "True" } else { "False" };
        format!("Decoder({}, train={train}, threads={})", options.size, self.inner.threads())
    }
}

fn buffer<T: Element>(object: &Bound<'_, PyAny>) -> PyResult<PyBuffer<T>> {
    let buffer = PyBuffer::<T>::get(object)
        .map_err(|error| PyBufferError::new_err(format!("images must be buffers of bytes: {error}")))?;
    if buffer.is_c_contiguous() { Ok(buffer) } else { Err(PyBufferError::new_err("images must be contiguous")) }
}

fn same_count(images: &[Bound<'_, PyAny>], seeds: &[u64]) -> PyResult<()> {
    if seeds.len() == images.len() {
        return Ok(());
    }
    let (images, seeds) = (images.len(), seeds.len());
    Err(PyValueError::new_err(format!("{images} images need as many seeds, not {seeds}")))
}
