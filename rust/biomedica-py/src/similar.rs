//! Hashes, groups and descriptors of images; see the stub.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use biomedica::error::Error;
use biomedica::pipeline;
use biomedica::similar::describe::{Describer, LENGTH};
use biomedica::similar::phash::{self, Hasher};
use biomedica::similar::{self, MAX_THRESHOLD};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::buffer::{Lent, buffer, images, output, written};
use crate::error::CoreError;
use crate::interrupt;

/// Perceptual hashes of encoded images into `out`; gives index and message of those that cannot be decoded.
#[pyfunction]
#[pyo3(signature = (encoded, out, *, threads=None))]
#[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn hash_images(
    py: Python<'_>,
    encoded: Vec<Bound<'_, PyAny>>,
    out: &Bound<'_, PyAny>,
    threads: Option<usize>,
) -> PyResult<Vec<(usize, String)>> {
    let lent = images(&encoded)?;
    let bytes: Vec<_> = lent.iter().map(Lent::new).collect();
    let out = output::<u64>(out, "uint64", &[bytes.len()], &bytes)?;
    let hasher = Hasher::new(pipeline::threads(threads)).map_err(CoreError::from)?;
    let out = written(&out);
    Ok(said(py.detach(|| hasher.hash(&bytes, out))))
}

/// Descriptors of encoded images into `out`; gives index and message of those that cannot be decoded.
#[pyfunction]
#[pyo3(signature = (encoded, out, *, threads=None))]
#[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn describe_images(
    py: Python<'_>,
    encoded: Vec<Bound<'_, PyAny>>,
    out: &Bound<'_, PyAny>,
    threads: Option<usize>,
) -> PyResult<Vec<(usize, String)>> {
    let lent = images(&encoded)?;
    let bytes: Vec<_> = lent.iter().map(Lent::new).collect();
    let out = output::<f32>(out, "float32", &[bytes.len(), LENGTH], &bytes)?;
    let describer = Describer::new(pipeline::threads(threads)).map_err(CoreError::from)?;
    let out = written(&out);
    Ok(said(py.detach(|| describer.describe(&bytes, out))))
}

/// The eight hashes of an image, turned and mirrored.
#[pyfunction]
pub fn hash_variants(value: u64) -> [u64; 8] {
    phash::variants(value)
}

/// Group images by their hashes into `representatives` and `distances`; `progress` is called with how many are done.
#[pyfunction]
#[pyo3(signature = (hashes, sizes, threshold, representatives, distances, *, threads=None, progress=None))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn group_hashes(
    py: Python<'_>,
    hashes: &Bound<'_, PyAny>,
    sizes: &Bound<'_, PyAny>,
    threshold: u32,
    representatives: &Bound<'_, PyAny>,
    distances: &Bound<'_, PyAny>,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    if threshold > MAX_THRESHOLD {
        return Err(PyValueError::new_err(format!(
            "a threshold of {threshold} bits, which is not within 0..={MAX_THRESHOLD}"
        )));
    }
    let (hashes, sizes) =
        (buffer::<u64>(hashes, "hashes must be uint64")?, buffer::<u64>(sizes, "sizes must be uint64")?);
    let (hashes, sizes) = (Lent::new(&hashes), Lent::new(&sizes));
    let shape = [hashes.as_ref().len()];
    let representatives = output::<u32>(representatives, "uint32", &shape, &[])?;
    let distances = output::<u8>(distances, "uint8", &shape, &[])?;
    let (hashes, sizes) = (hashes.as_ref(), sizes.as_ref());
    let (done, threads) = (AtomicUsize::new(0), pipeline::threads(threads));
    let tell = |py: Python<'_>| match &progress {
        Some(progress) => progress.call1(py, (done.load(Ordering::Relaxed),)).map(drop),
        None => Ok(()),
    };
    let never = AtomicBool::new(false);
    let work = |stop: &(dyn Fn() -> bool + Sync)| similar::group(hashes, sizes, threshold, threads, &done, stop);
    let groups = interrupt::run_with(py, &never, tell, work)?;
    written(&representatives).copy_from_slice(&groups.representatives);
    written(&distances).copy_from_slice(&groups.distances);
    Ok(())
}

fn said(failed: Vec<(usize, Error)>) -> Vec<(usize, String)> {
    failed.into_iter().map(|(index, error)| (index, error.to_string())).collect()
}
