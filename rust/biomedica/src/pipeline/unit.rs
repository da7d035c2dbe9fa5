//! Runs of packages, the least that a worker takes.

use crate::error::Result;
use crate::package::Package;

/// A run of packages that one worker reads.
#[derive(Debug)]
pub struct Unit<T> {
    /// What the consumer wants to know about the unit's chunks.
    pub tag: T,
    /// The packages, in order.
    pub packages: Vec<Package>,
}

/// A unit ends at so many packages, or at so many bytes of packages, whichever comes first.
const UNIT_PACKAGES: usize = 16;
const UNIT_BYTES: u64 = 4 << 20;
/// What a package in a store counts for at least: the size of a cloud article is not known before it comes.
const REMOTE_BYTES: u64 = 1 << 20;

impl<T> Unit<T> {
    /// A unit of the next of `packages`; empty when there are none.
    pub fn gather(tag: T, packages: &mut impl Iterator<Item = Package>) -> Self {
        let mut unit = Self { tag, packages: Vec::new() };
        let mut bytes = 0_u64;
        while unit.packages.len() < UNIT_PACKAGES && bytes < UNIT_BYTES {
            let Some(package) = packages.next() else { break };
            let least = if package.is_remote() { REMOTE_BYTES } else { 0 };
            bytes = bytes.saturating_add(package.num_bytes.max(least));
            unit.packages.push(package);
        }
        unit
    }
}

/// Packages as units, an error of theirs in its place.
pub fn units(packages: impl Iterator<Item = Result<Package>>) -> impl Iterator<Item = Result<Unit<()>>> {
    let mut packages = packages.peekable();
    std::iter::from_fn(move || {
        if packages.peek()?.is_err() {
            return packages.next().map(|error| error.map(|_| Unit { tag: (), packages: Vec::new() }));
        }
        let mut run = std::iter::from_fn(|| packages.next_if(Result::is_ok)?.ok());
        Some(Ok(Unit::gather((), &mut run)))
    })
}
