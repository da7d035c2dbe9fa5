//! A unit before it is read: its packages are being fetched, or lie on disk.

use super::Unit;
use crate::error::Result;
use crate::limits::Limits;
use crate::package::{self, Arrived, Fetched, Package, Room};
use crate::store::{Pending, StoreOptions};

/// A unit on its way.
pub(super) struct Ahead<T> {
    pub(super) number: u64,
    pub(super) unit: Unit<T>,
    fetch: Option<Fetch>,
}

enum Fetch {
    UnderWay(Pending<Arrived>),
    Done(Result<Arrived>),
}

impl<T> Ahead<T> {
    /// Begins to fetch what lies in stores.
    pub(super) fn new(number: u64, unit: Unit<T>, limits: &Limits, options: &StoreOptions, room: &Room) -> Self {
        let begin = || match package::fetch(&unit.packages, *limits, options, room.claim(number)) {
            Ok(pending) => Fetch::UnderWay(pending),
            Err(error) => Fetch::Done(Err(error)),
        };
        let fetch = unit.packages.iter().any(Package::is_remote).then(begin);
        Self { number, unit, fetch }
    }

    pub(super) fn is_remote(&self) -> bool {
        self.fetch.is_some()
    }

    /// Whether it can be read without waiting.
    pub(super) fn is_ready(&mut self) -> bool {
        if let Some(Fetch::UnderWay(pending)) = &mut self.fetch {
            match pending.poll() {
                Some(arrived) => self.fetch = Some(Fetch::Done(arrived)),
                None => return false,
            }
        }
        true
    }

    /// What came of it.
    pub(super) fn take(&mut self) -> Coming {
        match self.fetch.take() {
            Some(Fetch::Done(arrived)) => Coming(Some(arrived)),
            Some(Fetch::UnderWay(_)) | None => Coming(None),
        }
    }
}

/// What was fetched of a unit's packages. Its memory counts as taken until it is dropped.
pub(super) struct Coming(Option<Result<Arrived>>);

impl Coming {
    /// What came of the package at `index`; none when it lies on disk.
    pub(super) fn of(&mut self, index: usize, package: &Package) -> Option<Fetched> {
        match self.0.as_mut()? {
            Ok(arrived) => arrived.packages.get_mut(index)?.take(),
            Err(error) => package.is_remote().then(|| Fetched::lost(error.clone())),
        }
    }
}
