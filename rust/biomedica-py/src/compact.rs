//! `compact`: fewer and fuller parts without what is dead.

use std::path::PathBuf;

use biomedica::dataset::{self, Compacted, Root};
use pyo3::prelude::*;

use crate::{interrupt, store};

/// Parts, shards and bytes before and after, and the articles and pairs that are in no file any more.
type Done = ((u64, u64), (u64, u64), (u64, u64), u64, u64);

/// Compact a dataset; see the stub for the whole documentation.
#[pyfunction]
#[pyo3(signature = (path, *, min_dropped, storage_options=Vec::new()))]
#[allow(clippy::needless_pass_by_value)] // what Python hands over
pub fn compact(py: Python<'_>, path: PathBuf, min_dropped: f64, storage_options: store::Config) -> PyResult<Done> {
    let options = store::options(storage_options)?;
    let root = Root::new(&path, &options);
    let done =
        interrupt::run_with(py, &options.stop, |_| Ok(()), |stop| dataset::compact(&root, min_dropped, &|| stop()))?;
    let Compacted { parts_before, parts, shards_before, shards, bytes_before, num_bytes, dropped } = done;
    Ok(((parts_before, parts), (shards_before, shards), (bytes_before, num_bytes), dropped.articles, dropped.pairs))
}
