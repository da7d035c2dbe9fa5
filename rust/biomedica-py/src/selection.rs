//! Which packages are wanted, as Python says it.

use std::path::PathBuf;

use biomedica::source::{self, Ids, Sample, Versions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::CoreError;
use crate::rules::unknown;

/// A dictionary with these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Selection {
    versions: String,
    ids: Option<PathBuf>,
    /// Seconds since 1970.
    since: Option<i64>,
    limit: Option<u64>,
    sample: Option<f64>,
    sample_seed: u64,
}

impl Selection {
    /// The core's, if it makes sense; reads the file of ids.
    pub fn checked(self) -> PyResult<source::Selection> {
        let known = Versions::ALL.iter().copied();
        let versions = known.clone().find(|known| known.as_str() == self.versions);
        let versions =
            versions.ok_or_else(|| unknown("choice of versions", &self.versions, known.map(Versions::as_str)))?;
        let selection = source::Selection {
            sample: self.sample.map(|fraction| Sample { fraction, seed: self.sample_seed }),
            limit: self.limit,
            versions,
            ids: self.ids.map(|path| Ids::read(&path)).transpose().map_err(CoreError::from)?,
            since: self.since,
        };
        selection.check().map_err(|error| PyValueError::new_err(error.detail()))?;
        Ok(selection)
    }
}
