//! Hashes, groups and descriptors of images; see the stub.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrow_array::builder::{ListBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch, UInt8Array, UInt32Array};
use biomedica::error::Error;
use biomedica::pipeline;
use biomedica::similar::describe::{Describer, LENGTH};
use biomedica::similar::panels::Panels;
use biomedica::similar::phash::{self, Hasher};
use biomedica::similar::{self, MAX_THRESHOLD};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatch;

use crate::buffer::{Lent, buffer, images, output, written};
use crate::error::CoreError;
use crate::interrupt;

/// Index and message of each image that failed.
type Said = Vec<(usize, String)>;

/// Perceptual hashes of encoded images into `out`; gives index and message of those that cannot be decoded.
#[pyfunction]
#[pyo3(signature = (encoded, out, *, threads=None))]
#[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn hash_images(
    py: Python<'_>,
    encoded: Vec<Bound<'_, PyAny>>,
    out: &Bound<'_, PyAny>,
    threads: Option<usize>,
) -> PyResult<Said> {
    let lent = images(&encoded)?;
    let bytes: Vec<_> = lent.iter().map(Lent::new).collect();
    let out = output::<u64>(out, "uint64", &[bytes.len()], &bytes)?;
    let hasher = Hasher::new(pipeline::threads(threads)).map_err(CoreError::from)?;
    let out = written(&out);
    Ok(said(py.detach(|| hasher.hash(&bytes, out))))
}

/// Hashes of the panels of encoded images, as a record batch; and index and message of those that cannot be decoded.
#[pyfunction]
#[pyo3(signature = (encoded, *, threads=None))]
#[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn hash_panels<'py>(
    py: Python<'py>,
    encoded: Vec<Bound<'py, PyAny>>,
    threads: Option<usize>,
) -> PyResult<(Bound<'py, PyAny>, Said)> {
    let lent = images(&encoded)?;
    let bytes: Vec<_> = lent.iter().map(Lent::new).collect();
    let panels = Panels::new(pipeline::threads(threads)).map_err(CoreError::from)?;
    let mut found = vec![Vec::new(); bytes.len()];
    let failed = py.detach(|| panels.hash(&bytes, &mut found));
    let mut lists = ListBuilder::new(UInt64Builder::new());
    for hashes in found {
        lists.values().append_slice(&hashes);
        lists.append(true);
    }
    let column: ArrayRef = Arc::new(lists.finish());
    let batch = RecordBatch::try_from_iter([("image_panel_phash", column)])
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((PyRecordBatch::new(batch).into_pyarrow(py)?, said(failed)))
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
) -> PyResult<Said> {
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

/// Pairs of `queries` and `hashes` that are near each other, as a record batch.
#[pyfunction]
#[pyo3(signature = (queries, hashes, threshold, *, limit=1 << 26, threads=None))]
pub fn find_hashes<'py>(
    py: Python<'py>,
    queries: &Bound<'py, PyAny>,
    hashes: &Bound<'py, PyAny>,
    threshold: u32,
    limit: usize,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    check(threshold)?;
    let (queries, hashes) =
        (buffer::<u64>(queries, "queries must be uint64")?, buffer::<u64>(hashes, "hashes must be uint64")?);
    let (queries, hashes) = (Lent::new(&queries), Lent::new(&hashes));
    let (queries, hashes, threads) = (queries.as_ref(), hashes.as_ref(), pipeline::threads(threads));
    let never = AtomicBool::new(false);
    let work = |stop: &(dyn Fn() -> bool + Sync)| similar::find(queries, hashes, threshold, limit, threads, stop);
    let found = interrupt::run_with(py, &never, |_| Ok(()), work)?.ok_or_else(|| {
        PyValueError::new_err(format!(
            "more than {limit} pairs of hashes within {threshold} bits; take a lower threshold"
        ))
    })?;
    let columns: [(&str, ArrayRef); 3] = [
        ("query", Arc::new(UInt32Array::from(found.queries))),
        ("number", Arc::new(UInt32Array::from(found.numbers))),
        ("distance", Arc::new(UInt8Array::from(found.distances))),
    ];
    let batch = RecordBatch::try_from_iter(columns).map_err(|error| PyValueError::new_err(error.to_string()))?;
    PyRecordBatch::new(batch).into_pyarrow(py)
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
    check(threshold)?;
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

fn check(threshold: u32) -> PyResult<()> {
    if threshold <= MAX_THRESHOLD {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("a threshold of {threshold} bits, which is not within 0..={MAX_THRESHOLD}")))
}

fn said(failed: Vec<(usize, Error)>) -> Said {
    failed.into_iter().map(|(index, error)| (index, error.to_string())).collect()
}
