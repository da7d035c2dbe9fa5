//! `Decoder`: encoded images in Python's buffers to pixels in one of its buffers, without a copy and without the GIL.

use biomedica::decode::{self, Fit, Options};
use biomedica::pipeline;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::buffer::{Lent, images as lend, output, written};

/// Decodes batches of images; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Decoder {
    inner: decode::Decoder,
}

/// What becomes of one image: left, top, width and height of what is resized, and whether it is mirrored.
type Seen = Option<([f64; 4], bool)>;

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
        same_count(&images, &seeds)?;
        let lent = lend(&images)?;
        let bytes: Vec<_> = lent.iter().map(Lent::new).collect();
        let out = output::<f32>(out, "float32", &[images.len(), 3, side, side], &bytes)?;
        let pixels = written(&out);
        let failed = py.detach(|| self.inner.decode_batch(&bytes, &seeds, pixels));
        let failed = failed.map_err(crate::error::CoreError::from)?;
        Ok(failed.into_iter().map(|(index, error)| (index, error.to_string())).collect())
    }

    /// For each image what of it becomes the output, if it is a JPEG as any decoder reads it; see the stub.
    #[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
    fn jpeg_views(&self, py: Python<'_>, images: Vec<Bound<'_, PyAny>>, seeds: Vec<u64>) -> PyResult<Vec<Seen>> {
        same_count(&images, &seeds)?;
        let lent = lend(&images)?;
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

fn same_count(images: &[Bound<'_, PyAny>], seeds: &[u64]) -> PyResult<()> {
    if seeds.len() == images.len() {
        return Ok(());
    }
    let (images, seeds) = (images.len(), seeds.len());
    Err(PyValueError::new_err(format!("{images} images need as many seeds, not {seeds}")))
}
