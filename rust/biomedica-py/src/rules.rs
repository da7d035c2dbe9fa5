//! What makes a figure a pair, as Python says it.

use biomedica::article;
use biomedica::jats::{Subset, license};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A dictionary with these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Rules {
    min_size: u32,
    keep_retracted: bool,
    subsets: Vec<String>,
    licenses: Vec<String>,
}

impl Rules {
    /// The core's, if every name is known.
    pub fn checked(self) -> PyResult<article::Rules> {
        let subsets = self.subsets.iter().map(|name| {
            let known = Subset::ALL.iter().copied().find(|subset| subset.as_str() == name);
            known.ok_or_else(|| unknown("subset", name, Subset::ALL.iter().map(|subset| subset.as_str())))
        });
        let subsets = subsets.collect::<PyResult<_>>()?;
        if let Some(name) = self.licenses.iter().find(|name| !license::CODES.contains(&name.as_str())) {
            return Err(unknown("license", name, license::CODES.into_iter()));
        }
        let Self { min_size, keep_retracted, licenses, .. } = self;
        Ok(article::Rules { min_size, keep_retracted, subsets, licenses })
    }
}

/// A name that is none of those that are known.
pub fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> PyErr {
    PyValueError::new_err(format!("no {kind} is called {name:?}; there are {}", known.collect::<Vec<_>>().join(", ")))
}
