//! How stores are spoken to, and files in them for Python's readers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use biomedica::dataset::{self, Root};
use biomedica::error::Reason;
use biomedica::store::{self, CacheOptions, Header, Object, StoreOptions, Upload};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::interrupt;

/// Objects that are open at a time; opening one again costs a request.
const MAX_OPEN: usize = 256;

/// Names and values, as `object_store` has them.
pub type Config = Vec<(String, String)>;

/// How stores are spoken to. Two names are ours: seconds that a server may be gone, and that a request may take.
pub fn options(config: Config) -> PyResult<StoreOptions> {
    with_config(StoreOptions::default(), config)
}

fn with_config(mut options: StoreOptions, config: Config) -> PyResult<StoreOptions> {
    for (name, value) in config {
        let number = || value.parse::<f64>().ok();
        match name.as_str() {
            "retry_timeout" => options.retry_timeout = seconds(&name, number())?,
            "request_timeout" => options.request_timeout = seconds(&name, number().filter(|&number| number > 0.0))?,
            _ => options.config.push((name, value)),
        }
    }
    Ok(options)
}

/// All options of shards that are read.
pub fn reading(
    headers: Vec<(String, String, String)>,
    cache: Option<(PathBuf, u64)>,
    retry_timeout: f64,
    config: Config,
) -> PyResult<StoreOptions> {
    let headers = headers.into_iter().map(|(prefix, name, value)| Header { prefix, name, value }).collect();
    let cache = cache.map(|(dir, max_bytes)| CacheOptions::new(dir, max_bytes));
    let retry_timeout = seconds("retry_timeout", Some(retry_timeout))?;
    with_config(StoreOptions { headers, cache, retry_timeout, ..StoreOptions::default() }, config)
}

fn seconds(name: &str, value: Option<f64>) -> PyResult<Duration> {
    let duration = value.and_then(|value| Duration::try_from_secs_f64(value).ok());
    let duration = duration.filter(|timeout| *timeout <= Duration::from_hours(24));
    duration.ok_or_else(|| PyValueError::new_err(format!("{name} is a number of seconds from 0 to a day")))
}

/// Files and objects by location; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Store {
    options: StoreOptions,
    open: Mutex<HashMap<String, Object>>,
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (storage_options=Vec::new()))]
    fn new(storage_options: Config) -> PyResult<Self> {
        Ok(Self { options: options(storage_options)?, open: Mutex::default() })
    }

    /// Its length in bytes; none when there is nothing.
    fn size(&self, py: Python<'_>, location: &str) -> PyResult<Option<u64>> {
        self.with(py, |store| match store.object(location) {
            Ok(object) => Ok(Some(object.size())),
            Err(error) if error.reason() == Reason::NotFound => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// All of it, or `length` bytes from `offset` on.
    #[pyo3(signature = (location, offset=0, length=None))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        location: &str,
        offset: u64,
        length: Option<u64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.with(py, |store| {
            let object = store.object(location)?;
            let end = length.map_or(object.size(), |length| offset.saturating_add(length));
            object.read(offset.min(end)..end)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// URL and length of every object below a prefix.
    fn list(&self, py: Python<'_>, prefix: &str) -> PyResult<Vec<(String, u64)>> {
        self.with(py, |store| {
            let entries = store::list(prefix, &store.options)?;
            entries.map(|entry| entry.map(|entry| (entry.location, entry.num_bytes))).collect()
        })
    }

    /// Writes an object whole.
    fn write(&self, py: Python<'_>, location: &str, data: &[u8]) -> PyResult<()> {
        self.with(py, |store| {
            store.lock().remove(location);
            let mut upload = Upload::new(location, &store.options)?;
            upload.write(data)?;
            upload.complete()
        })
    }

    /// Removes an object.
    fn remove(&self, py: Python<'_>, location: &str) -> PyResult<()> {
        self.with(py, |store| {
            store.lock().remove(location);
            store::delete(location, &store.options)
        })
    }
}

/// The right to write below a directory or prefix; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Lock {
    root: Root,
    options: StoreOptions,
    held: Mutex<Option<dataset::Lock>>,
}

#[pymethods]
impl Lock {
    #[new]
    #[pyo3(signature = (location, storage_options=Vec::new()))]
    fn new(location: &str, storage_options: Config) -> PyResult<Self> {
        let options = options(storage_options)?;
        Ok(Self { root: Root::new(location, &options), options, held: Mutex::default() })
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        let root = &self.root;
        let held = interrupt::run_with(py, &self.options.stop, |_| Ok(()), |_| dataset::Lock::take(root))?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(())
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyTuple>) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        // In a store, giving it back is a request.
        py.detach(|| drop(held));
    }
}

impl Store {
    fn object(&self, location: &str) -> biomedica::error::Result<Object> {
        if let Some(object) = self.lock().get(location) {
            return Ok(object.clone());
        }
        let object = Object::open(location, &self.options)?;
        let mut open = self.lock();
        if open.len() >= MAX_OPEN {
            open.clear();
        }
        open.insert(location.to_owned(), object.clone());
        Ok(object)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Object>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Threads of pyarrow ask too; only on the main one does Ctrl-C end the wait.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Self) -> biomedica::error::Result<T> + Send,
    ) -> PyResult<T> {
        let result = interrupt::run_with(py, &self.options.stop, |_| Ok(()), |_| work(self));
        // What was interrupted once can be asked again.
        self.options.stop.store(false, Ordering::Relaxed);
        result
    }
}
