//! What a walk finds, counted.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::package::{Kind, Package};

/// The packages of some sources, counted, without looking into them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Packages of each kind.
    pub kinds: BTreeMap<Kind, u64>,
    /// Their bytes, as far as these are known before they are read.
    pub num_bytes: u64,
    /// What could not be looked at.
    pub failures: u64,
    /// The first of that, as text.
    pub first_failures: Vec<String>,
}

/// Failures that are told one by one.
const MAX_TOLD: usize = 10;

impl Survey {
    /// Goes through all of `packages`, until `stop` says so.
    pub fn of(packages: impl Iterator<Item = Result<Package>>, stop: &dyn Fn() -> bool) -> Self {
        let mut survey = Self::default();
        for package in packages.take_while(|_| !stop()) {
            match package {
                Ok(package) => {
                    *survey.kinds.entry(package.kind).or_default() += 1;
                    survey.num_bytes = survey.num_bytes.saturating_add(package.num_bytes);
                }
                Err(error) => {
                    survey.failures += 1;
                    if survey.first_failures.len() < MAX_TOLD {
                        survey.first_failures.push(error.to_string());
                    }
                }
            }
        }
        survey
    }
}
