//! The run of a dataset whose parts are made elsewhere, and the making of one.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use biomedica::dataset::{self, Missing, PartRecord, Root, Task, Walked, Writer};
use biomedica::error::Result;
use biomedica::package::Package;
use biomedica::source::{self, Selection as Selected, Survey};
use biomedica::store::StoreOptions;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::extract::{dictionary, last, options};
use crate::rules::Rules;
use crate::selection::Selection;
use crate::{interrupt, store};

type Packages = Box<dyn Iterator<Item = Result<Package>> + Send>;

/// A dataset, its lock held; see the stub.
#[pyclass(frozen, module = "biomedica._core")]
pub struct Run {
    stores: StoreOptions,
    walked: Arc<Walked>,
    inner: Mutex<Option<Inner>>,
}

struct Inner {
    writer: Writer,
    plan: Missing<Packages>,
}

#[pymethods]
impl Run {
    #[new]
    #[pyo3(signature = (
        sources, output, *, rules, selection, part_size=4096, samples_per_shard=10_000, article_text=false,
        storage_options=Vec::new(),
    ))]
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // what Python hands over
    fn new(
        py: Python<'_>,
        sources: Vec<PathBuf>,
        output: PathBuf,
        rules: Rules,
        selection: Selection,
        part_size: usize,
        samples_per_shard: usize,
        article_text: bool,
        storage_options: store::Config,
    ) -> PyResult<Self> {
        let options = options(rules, part_size, samples_per_shard, article_text, None)?;
        let selection = selection.checked()?;
        let stores = store::options(storage_options)?;
        let root = Root::new(&output, &stores);
        let inner = interrupt::run_with(
            py,
            &stores.stop,
            |_| Ok(()),
            |_| {
                let writer = Writer::open(&root, &options)?;
                let packages: Packages = Box::new(wanted(&selection, &sources, &stores));
                let plan = writer.plan(packages, selection.is_all());
                Ok(Inner { writer, plan })
            },
        )?;
        Ok(Self { stores, walked: inner.plan.walked(), inner: Mutex::new(Some(inner)) })
    }

    /// The next part that is to be made, as JSON; none at the end.
    fn task(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.with(py, |inner| {
            let Some(part) = inner.plan.next().transpose()? else { return Ok(None) };
            inner.writer.begin(&part);
            Task::new(inner.writer.place(), part).to_json().map(Some)
        })
    }

    /// Takes in a part that was made.
    fn adopt(&self, py: Python<'_>, number: u32, inputs: &str, seconds: f64) -> PyResult<()> {
        let seconds = Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))?;
        self.with(py, |inner| inner.writer.adopt(number, inputs, seconds))
    }

    /// How far the run is.
    fn progress<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let state = self.with(py, |inner| Ok(inner.writer.progress(&self.walked)))?;
        dictionary(py, &state)
    }

    /// Ends the dataset, once there is no task left, and says what it holds.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let inner = self.lock().take().ok_or_else(ended)?;
        let done = interrupt::run_with(py, &self.stores.stop, |_| Ok(()), |_| inner.writer.finish(&self.walked))?;
        dictionary(py, &last(done))
    }

    /// Gives the lock back; what is made stays.
    fn close(&self, py: Python<'_>) {
        let inner = self.lock().take();
        py.detach(|| drop(inner));
    }
}

impl Run {
    fn lock(&self) -> MutexGuard<'_, Option<Inner>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Inner) -> Result<T> + Send) -> PyResult<T> {
        let mut inner = self.lock().take().ok_or_else(ended)?;
        let result = interrupt::run_with(py, &self.stores.stop, |_| Ok(()), |_| work(&mut inner));
        self.stores.stop.store(false, Ordering::Relaxed);
        *self.lock() = Some(inner);
        result
    }
}

#[cold]
fn ended() -> PyErr {
    PyRuntimeError::new_err("this run has ended")
}

fn wanted(
    selection: &Selected,
    sources: &[PathBuf],
    stores: &StoreOptions,
) -> impl Iterator<Item = Result<Package>> + Send + use<> {
    selection.of(source::walk(sources, selection, stores))
}

/// Makes the part of a task; see the stub.
#[pyfunction]
#[pyo3(signature = (task, output, *, threads=None, storage_options=Vec::new()))]
#[allow(clippy::needless_pass_by_value)] // what Python hands over
pub fn write_part(
    py: Python<'_>,
    task: &str,
    output: PathBuf,
    threads: Option<usize>,
    storage_options: store::Config,
) -> PyResult<(u32, String)> {
    let threads = crate::read::threads(threads)?;
    let task = Task::from_json(task).map_err(|error| PyValueError::new_err(error.detail()))?;
    let stores = store::options(storage_options)?;
    let root = Root::new(&output, &stores);
    let record: PartRecord = interrupt::run_with(
        py,
        &stores.stop,
        |_| Ok(()),
        |stop| {
            let mut on = |_: &dataset::Counts| if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            task.run(&root, Some(threads), &mut on)
        },
    )?;
    Ok((record.number, record.inputs))
}

/// What a walk finds, counted; see the stub.
#[pyfunction]
#[pyo3(signature = (sources, *, selection, storage_options=Vec::new()))]
#[allow(clippy::needless_pass_by_value)] // what Python hands over
pub fn survey(
    py: Python<'_>,
    sources: Vec<PathBuf>,
    selection: Selection,
    storage_options: store::Config,
) -> PyResult<Bound<'_, PyDict>> {
    let selection = selection.checked()?;
    let stores = store::options(storage_options)?;
    let found = interrupt::run_with(
        py,
        &stores.stop,
        |_| Ok(()),
        |stop| {
            source::check(&sources, &stores)?;
            Ok(Survey::of(wanted(&selection, &sources, &stores), stop))
        },
    )?;
    let all = PyDict::new(py);
    let kinds = PyDict::new(py);
    for (kind, count) in &found.kinds {
        kinds.set_item(kind.as_str(), count)?;
    }
    all.set_item("packages", found.kinds.values().sum::<u64>())?;
    all.set_item("kinds", kinds)?;
    all.set_item("input_bytes", found.num_bytes)?;
    all.set_item("failures", found.failures)?;
    all.set_item("first_failures", found.first_failures)?;
    Ok(all)
}
