//! `stream`: samples of shards in order, fetched by threads while Python does something else.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use biomedica::pipeline;
use biomedica::stream::{
    self as core, Catalog, Cursor, Deal, Next, Opening, Options, Recipe, Remainder, Selection, State, Wanted,
};
use pyo3::exceptions::{PyKeyError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyMemoryView, PyString, PyTuple};
use pyo3_arrow::PyChunkedArray;
use pyo3_arrow::buffer::PyArrowBuffer;

use crate::error::CoreError;
use crate::interrupt::{self, PATIENCE};
use crate::store;

/// One sample of a shard; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Sample {
    inner: core::Sample,
    metadata: PyOnceLock<Py<PyAny>>,
}

impl From<core::Sample> for Sample {
    fn from(inner: core::Sample) -> Self {
        Self { inner, metadata: PyOnceLock::new() }
    }
}

#[pymethods]
impl Sample {
    /// The name of its members up to the first dot.
    #[getter]
    fn key(&self) -> &str {
        &self.inner.key
    }

    /// The encoded image, without a copy.
    #[getter]
    fn image<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMemoryView>> {
        PyMemoryView::from(Bound::new(py, PyArrowBuffer::new(self.inner.image().into()))?.as_any())
    }

    /// The text of its `.txt` member.
    #[getter]
    fn caption<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        let text = self.inner.get("txt").unwrap_or_default();
        match std::str::from_utf8(&text) {
            Ok(text) => PyString::new(py, text),
            Err(_) => PyString::new(py, &String::from_utf8_lossy(&text)),
        }
    }

    /// What its `.json` member says, parsed when it is first asked for.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let parse = || match self.inner.get("json") {
            Some(text) => Ok(py.import("json")?.call_method1("loads", (PyBytes::new(py, &text),))?.unbind()),
            None => Ok::<_, PyErr>(PyDict::new(py).into_any().unbind()),
        };
        Ok(self.metadata.get_or_try_init(py, parse)?.bind(py).clone())
    }

    /// The shard, as it was named.
    #[getter]
    fn shard(&self) -> &str {
        &self.inner.shard
    }

    /// Where it begins in the shard.
    #[getter]
    fn offset(&self) -> u64 {
        self.inner.offset
    }

    /// Its turn of the epoch.
    #[getter]
    fn position(&self) -> u64 {
        self.inner.position
    }

    /// Its epoch.
    #[getter]
    fn epoch(&self) -> u64 {
        self.inner.epoch
    }

    /// Whether it stands in for one that could not be used.
    #[getter]
    fn is_replacement(&self) -> bool {
        self.inner.steps > 0
    }

    /// What follows the first dot of its members' names, in lower case, in their order.
    #[getter]
    fn extensions(&self) -> Vec<&str> {
        self.inner.extensions().collect()
    }

    fn __contains__(&self, extension: &str) -> bool {
        self.inner.extensions().any(|own| own == extension)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, extension: &str) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.inner.get(extension).ok_or_else(|| {
            let own: Vec<_> = self.inner.extensions().collect();
            PyKeyError::new_err(format!("{} has no .{extension}, only {}", self.inner.key, own.join(", ")))
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __repr__(&self) -> String {
        let own: Vec<_> = self.inner.extensions().collect();
        format!("Sample({:?}, {}, shard={:?})", self.inner.key, own.join(" "), self.inner.shard)
    }
}

/// Samples of an epoch, then of the next; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Stream {
    inner: Mutex<Option<core::Stream>>,
    /// Samples of its selection that no shard has.
    missing: u64,
}

/// Open a stream; see the stub.
#[pyfunction]
#[pyo3(signature = (
    sources, *, seed, shuffle, rank, world_size, epoch, remainder, lanes, block, window, subsets, selection, exclude, threads,
    read_ahead, keep, max_bad_fraction, remote=false, headers=Vec::new(), cache=None, retry_timeout=120.0,
    storage_options=Vec::new(),
))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // what Python hands over
pub fn stream(
    py: Python<'_>,
    sources: Vec<(Vec<String>, f64)>,
    seed: u64,
    shuffle: bool,
    rank: u32,
    world_size: u32,
    epoch: u64,
    remainder: &str,
    lanes: u32,
    block: u32,
    window: u32,
    subsets: Option<Vec<String>>,
    selection: Option<PyChunkedArray>,
    exclude: Option<PyChunkedArray>,
    threads: Option<usize>,
    read_ahead: u64,
    keep: u64,
    max_bad_fraction: f64,
    remote: bool,
    headers: Vec<(String, String, String)>,
    cache: Option<(PathBuf, u64)>,
    retry_timeout: f64,
    storage_options: store::Config,
) -> PyResult<Stream> {
    let remainder = match remainder {
        "keep" => Remainder::Keep,
        "drop" => Remainder::Drop,
        "pad" => Remainder::Pad,
        other => return Err(PyValueError::new_err(format!("remainder is {other:?}, but must be keep, drop or pad"))),
    };
    let options = Options {
        seed,
        recipe: Recipe { shuffle, lanes, block, window },
        deal: Deal { rank, world_size, remainder },
        epoch,
        threads: threads.map(|threads| crate::read::threads(Some(threads))).transpose()?,
        read_ahead,
        keep,
        max_bad_fraction,
        store: store::reading(headers, cache, retry_timeout, storage_options)?,
        remote,
    };
    options.check().map_err(|error| PyValueError::new_err(error.detail()))?;
    let selection = selection.map(|ids| selected(&ids)).transpose()?;
    let exclude = exclude.map(|ids| selected(&ids)).transpose()?;
    let inner = interrupt::run_with(
        py,
        &options.store.stop,
        |_| Ok(()),
        |stop| {
            let opening = Opening {
                subsets: subsets.as_deref(),
                wanted: Wanted { only: selection.as_ref(), but: exclude.as_ref() },
                store: &options.store,
                threads: pipeline::threads(options.threads),
                remote,
                stop,
            };
            let mut opened = Vec::new();
            for (locations, weight) in &sources {
                opened.push((Catalog::open(locations, &opening)?, *weight));
            }
            core::Stream::new(opened, options.clone())
        },
    )?;
    let missing = selection.map_or(0, |selection| selection.missing());
    Ok(Stream { inner: Mutex::new(Some(inner)), missing })
}

/// The ids of a selection, which stay where they are.
fn selected(ids: &PyChunkedArray) -> PyResult<Selection> {
    let text = |chunk: &ArrayRef| chunk.as_string_opt::<i32>().cloned();
    let arrays = ids.chunks().iter().map(text).collect::<Option<Vec<_>>>();
    let arrays = arrays.ok_or_else(|| PyTypeError::new_err("a selection is ids: an Arrow array of strings"))?;
    Ok(Selection::new(arrays).map_err(CoreError::from)?)
}

fn closed() -> PyErr {
    PyRuntimeError::new_err("this stream is closed; call biomedica.stream again")
}

impl Stream {
    fn lock(&self) -> MutexGuard<'_, Option<core::Stream>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that takes no time, unless another thread is waiting for a sample.
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut core::Stream) -> T + Send) -> PyResult<T> {
        py.detach(|| self.lock().as_mut().map(work)).ok_or_else(closed)
    }

    fn next(&self, py: Python<'_>) -> PyResult<Option<core::Sample>> {
        // What is read ahead is taken without giving the GIL away and getting it back.
        let ready = self.inner.try_lock().ok().and_then(|mut inner| {
            let next = inner.as_mut()?.next_within(Duration::ZERO);
            (!matches!(next, Ok(Next::Wait))).then_some(next)
        });
        if let Some(next) = ready {
            return Ok(sample(next).map_err(CoreError::from)?);
        }
        loop {
            match self.with(py, |stream| stream.next_within(PATIENCE))? {
                Ok(Next::Wait) => py.check_signals()?,
                next => return Ok(sample(next).map_err(CoreError::from)?),
            }
        }
    }
}

fn sample(next: biomedica::error::Result<Next>) -> biomedica::error::Result<Option<core::Sample>> {
    match next? {
        Next::Sample(sample) => Ok(Some(sample)),
        Next::Wait | Next::End => Ok(None),
    }
}

#[pymethods]
impl Stream {
    fn __iter__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        slf.with(slf.py(), core::Stream::begin)?;
        Ok(slf)
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Sample>> {
        Ok(self.next(py)?.map(Sample::from))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let samples = self.with(py, |stream| stream.samples())?;
        let unknown =
            "how many samples there are is not known: the shards have no index (make one with `biomedica index`)";
        let samples = samples.ok_or_else(|| PyTypeError::new_err(unknown))?;
        Ok(usize::try_from(samples).unwrap_or(usize::MAX))
    }

    /// Up to `count` samples; fewer only at the end of the epoch.
    fn next_batch(&self, py: Python<'_>, count: usize) -> PyResult<Vec<Sample>> {
        let mut samples = Vec::with_capacity(count.min(1 << 16));
        while samples.len() < count {
            match self.next(py)? {
                Some(sample) => samples.push(sample.into()),
                None => break,
            }
        }
        Ok(samples)
    }

    /// What stands in for a sample that could not be used.
    fn replacement(&self, py: Python<'_>, sample: &Sample, reason: &str) -> PyResult<Option<Sample>> {
        let replacement = self.with(py, |stream| stream.replacement(&sample.inner, reason))?;
        Ok(replacement.map_err(CoreError::from)?.map(Sample::from))
    }

    /// Where the stream is: a few numbers.
    #[pyo3(signature = (*, taken=None))]
    fn state_dict<'py>(&self, py: Python<'py>, taken: Option<u64>) -> PyResult<Bound<'py, PyDict>> {
        let state = self.with(py, |stream| stream.state(taken))?;
        let State { version, seed, epoch, position, shuffle, lanes, block, window, fingerprint, cursor } = state;
        let dict = PyDict::new(py);
        dict.set_item("version", version)?;
        dict.set_item("seed", seed)?;
        dict.set_item("epoch", epoch)?;
        dict.set_item("position", position)?;
        dict.set_item("shuffle", shuffle)?;
        dict.set_item("lanes", lanes)?;
        dict.set_item("block", block)?;
        dict.set_item("window", window)?;
        dict.set_item("fingerprint", fingerprint)?;
        if let Some(Cursor { shard, offset, place }) = cursor {
            dict.set_item("cursor", [shard, offset, place])?;
        }
        Ok(dict)
    }

    /// Go on at the next sample after a state.
    fn load_state_dict(&self, py: Python<'_>, state: &Bound<'_, PyDict>) -> PyResult<()> {
        let get = |name: &str| {
            let missing = || PyValueError::new_err(format!("no state of a stream: it has no {name}"));
            state.get_item(name)?.ok_or_else(missing)
        };
        let state = State {
            version: get("version")?.extract()?,
            seed: get("seed")?.extract()?,
            epoch: get("epoch")?.extract()?,
            position: get("position")?.extract()?,
            shuffle: get("shuffle")?.extract()?,
            lanes: get("lanes")?.extract()?,
            block: get("block")?.extract()?,
            window: get("window")?.extract()?,
            fingerprint: get("fingerprint")?.extract()?,
            cursor: match state.get_item("cursor")? {
                Some(cursor) => {
                    let [shard, offset, place] = cursor.extract()?;
                    Some(Cursor { shard, offset, place })
                }
                None => None,
            },
        };
        self.with(py, |stream| stream.load_state(&state))?
            .map_err(|error| PyValueError::new_err(format!("this state cannot be loaded: {}", error.detail())))
    }

    /// Go to the beginning of an epoch, unless it is the one at hand.
    fn set_epoch(&self, py: Python<'_>, epoch: u64) -> PyResult<()> {
        self.with(py, |stream| stream.set_epoch(epoch))
    }

    /// The epoch at hand.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |stream| stream.epoch())
    }

    /// Samples that this rank has had since the epoch or a state began.
    #[getter]
    fn taken(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |stream| stream.taken())
    }

    /// Counts since it was opened.
    #[getter]
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.with(py, |stream| stream.stats())?;
        let dict = PyDict::new(py);
        dict.set_item("samples", stats.samples)?;
        dict.set_item("bytes", stats.bytes)?;
        dict.set_item("bad_samples", stats.bad_samples)?;
        dict.set_item("missing_samples", self.missing)?;
        dict.set_item("wait_seconds", stats.waited.as_secs_f64())?;
        Ok(dict)
    }

    /// Samples that could not be used, and what is wrong with shards, as errors.
    #[getter]
    fn problems<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let errors = self.with(py, |stream| {
            let shards = stream.problems().cloned();
            shards.chain(stream.bad().iter().map(|bad| bad.error.clone())).collect::<Vec<_>>()
        })?;
        PyTuple::new(py, errors.into_iter().map(|error| PyErr::from(CoreError::from(error)).into_value(py)))
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    /// Stop the threads and drop what they read ahead.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.lock().take()));
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.lock().is_none()
    }
}
