//! `read`: packages to chunks of Arrow record batches, in order, while Python does something else.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::{ArrowError, Field};
use biomedica::error::Error;
use biomedica::limits::Limits;
use biomedica::pipeline::{self, Options};
use biomedica::{article, source, tables};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::PyRecordBatch;
use pyo3_arrow::ffi::{ArrayIterator, to_schema_pycapsule, to_stream_pycapsule};

use crate::error::Result;
use crate::interrupt::{self, PATIENCE};
use crate::rules::Rules;
use crate::selection::Selection;
use crate::store;

/// Number of worker threads: what was asked for, else what the machine has.
pub fn threads(asked: Option<usize>) -> PyResult<usize> {
    match asked {
        Some(0) => Err(PyValueError::new_err("threads must be at least 1")),
        asked => Ok(pipeline::threads(asked)),
    }
}

/// Read packages as chunks of record batches; see the stub for the whole documentation.
#[pyfunction]
#[pyo3(signature = (sources, *, rules, selection, threads=None, storage_options=Vec::new()))]
#[allow(clippy::needless_pass_by_value)] // what pyo3 hands over
pub fn read(
    py: Python<'_>,
    sources: Vec<PathBuf>,
    rules: Rules,
    selection: Selection,
    threads: Option<usize>,
    storage_options: store::Config,
) -> PyResult<Reader> {
    let options = Options {
        threads: self::threads(threads)?,
        limits: Limits::default(),
        rules: rules.checked()?,
        store: store::options(storage_options)?,
    };
    let selection = selection.checked()?;
    let stores = options.store.clone();
    interrupt::run_with(py, &stores.stop, |_| Ok(()), |_| source::check(&sources, &stores))?;
    let units = pipeline::units(selection.of(source::walk(&sources, &selection, &stores)));
    Ok(Reader { inner: Mutex::new(Some(pipeline::Reader::new(units, options))), stop: stores.stop })
}

/// An iterator of chunks; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Reader {
    inner: Mutex<Option<pipeline::Reader<()>>>,
    /// Ends a walk that waits for a server.
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn lock(&self) -> MutexGuard<'_, Option<pipeline::Reader<()>>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> PyResult<pipeline::Reader<()>> {
        self.lock().take().ok_or_else(|| {
            PyRuntimeError::new_err(
                "this reader is closed: it was read to the end, closed or handed over; call read again",
            )
        })
    }
}

#[pymethods]
impl Reader {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Chunk>> {
        loop {
            let item = py.detach(|| match self.lock().as_mut() {
                None => Some(None),
                Some(reader) => reader.next_within(PATIENCE),
            });
            match item {
                None => py.check_signals()?,
                Some(Some(Ok(((), chunk)))) => return Ok(Some(Chunk { chunk })),
                // What the walk could not enter is one failure of many; a source that is not there was told before.
                Some(Some(Err(error))) => {
                    let failures = vec![article::Failure { accession: None, error }];
                    return Ok(Some(Chunk { chunk: article::Chunk { articles: Vec::new(), failures } }));
                }
                Some(None) => {
                    self.close(py);
                    return Ok(None);
                }
            }
        }
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        self.close(py);
    }

    /// Stop the worker threads and drop what they read ahead.
    fn close(&self, py: Python<'_>) {
        self.stop.store(true, Ordering::Relaxed);
        py.detach(|| drop(self.lock().take()));
    }

    /// Whether there is nothing more to read.
    #[getter]
    fn closed(&self) -> bool {
        self.lock().is_none()
    }

    #[allow(clippy::unused_self)] // the protocol is one of objects
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, tables::figures_schema(true).as_ref())?)
    }

    /// The figures of all chunks as one Arrow stream, which closes this reader.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let arrays = self.take()?.map(|item| {
            let ((), chunk) = item.map_err(foreign)?;
            let batch = tables::figures(&chunk.articles, true, None).map_err(foreign)?;
            Ok(Arc::new(StructArray::from(batch)) as ArrayRef)
        });
        let field = Field::new_struct("", tables::figures_schema(true).fields().clone(), false);
        Ok(to_stream_pycapsule(py, Box::new(ArrayIterator::new(arrays, field.into())), requested_schema)?)
    }
}

fn foreign(error: Error) -> ArrowError {
    ArrowError::ExternalError(Box::new(error))
}

/// What was read of a run of packages; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Chunk {
    chunk: article::Chunk,
}

fn batch(
    py: Python<'_>,
    make: impl FnOnce() -> biomedica::error::Result<RecordBatch> + Send,
) -> Result<Bound<'_, PyAny>> {
    let batch = py.detach(make)?;
    Ok(PyRecordBatch::new(batch).into_pyarrow(py)?)
}

#[pymethods]
impl Chunk {
    /// One row an article.
    #[getter]
    fn articles<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(batch(py, || tables::articles(&self.chunk.articles))?)
    }

    /// One row a figure, with the image's bytes.
    #[getter]
    fn figures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(batch(py, || tables::figures(&self.chunk.articles, true, None))?)
    }

    /// One row for each thing that could not be read.
    #[getter]
    fn failures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(batch(py, || tables::failures(&self.chunk.failures))?)
    }

    fn __repr__(&self) -> String {
        let figures: usize = self.chunk.articles.iter().map(|article| article.figures.len()).sum();
        format!(
            "Chunk(articles={}, figures={figures}, failures={})",
            self.chunk.articles.len(),
            self.chunk.failures.len()
        )
    }
}
