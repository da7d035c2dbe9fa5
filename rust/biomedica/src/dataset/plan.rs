//! From a lazy list of packages to parts, and from parts to units of work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::article::Failure;
use crate::error::{Error, Reason, Result, Stage};
use crate::image::hex;
use crate::package::Package;
use crate::pipeline::Unit;

/// Errors of the walk that a part gathers at most: a tree of unreadable directories must not fill the memory.
const PART_FAILURES: usize = 1 << 16;

/// A part that is to be made.
#[derive(Debug)]
pub struct PartPlan {
    /// Its number.
    pub number: u32,
    /// SHA-256 over the paths and sizes of its packages, in hex.
    pub inputs: String,
    /// Its packages, in order.
    pub packages: Vec<Package>,
    /// Bytes of its packages.
    pub input_bytes: u64,
    /// What went wrong in finding packages.
    pub failures: Vec<Failure>,
}

/// How far the plan has walked; shared between the thread that walks and the one that writes.
#[derive(Debug, Default)]
pub struct Walked {
    ended: AtomicBool,
    parts: AtomicU64,
    packages: AtomicU64,
    skipped: AtomicU64,
}

impl Walked {
    /// Packages in all; known once the walk has ended.
    pub fn total_packages(&self) -> Option<u64> {
        self.ended.load(Ordering::Acquire).then(|| self.packages.load(Ordering::Acquire))
    }

    /// Parts in all; known once the walk has ended.
    pub fn total_parts(&self) -> Option<u64> {
        self.ended.load(Ordering::Acquire).then(|| self.parts.load(Ordering::Acquire))
    }

    /// Packages of parts that were there already.
    pub fn skipped_packages(&self) -> u64 {
        self.skipped.load(Ordering::Acquire)
    }
}

/// Cuts packages into parts of `part_size`, leaves out parts that `is_done`, and yields the units of the others.
///
/// It holds one part's packages at a time. An error of the walk becomes a failure of the part being gathered; when the
/// walk finds no package at all, the first error (or that there is none) is the plan's own and its last item.
#[derive(Debug)]
pub struct Plan<I, D> {
    packages: I,
    part_size: usize,
    is_done: D,
    walked: Arc<Walked>,
    number: u32,
    part: Option<Arc<PartPlan>>,
    rest: std::vec::IntoIter<Package>,
    ended: bool,
}

impl<I, D> Plan<I, D>
where
    I: Iterator<Item = Result<Package>>,
    D: FnMut(&PartPlan) -> bool,
{
    /// A plan of `packages`, which must come sorted.
    pub fn new(packages: I, part_size: usize, is_done: D) -> Self {
        Self {
            packages,
            part_size: part_size.max(1),
            is_done,
            walked: Arc::default(),
            number: 0,
            part: None,
            rest: Vec::new().into_iter(),
            ended: false,
        }
    }

    /// How far it has walked.
    pub fn walked(&self) -> Arc<Walked> {
        Arc::clone(&self.walked)
    }

    /// Gathers the next part; false at the end of the walk.
    fn gather(&mut self) -> Result<bool> {
        let mut gathered = Vec::new();
        let mut part = PartPlan {
            number: self.number,
            inputs: String::new(),
            packages: Vec::new(),
            input_bytes: 0,
            failures: Vec::new(),
        };
        let mut digest = Sha256::new();
        while gathered.len() < self.part_size && part.failures.len() < PART_FAILURES {
            match self.packages.next() {
                None => {
                    self.ended = true;
                    break;
                }
                Some(Ok(package)) => {
                    hash(&mut digest, 0, package.source().as_bytes(), package.num_bytes);
                    part.input_bytes += package.num_bytes;
                    part.packages.push(package.clone());
                    gathered.push(package);
                }
                Some(Err(error)) => {
                    hash(&mut digest, 1, error.to_string().as_bytes(), 0);
                    part.failures.push(Failure { accession: None, error });
                }
            }
        }
        let found = self.walked.packages.fetch_add(gathered.len() as u64, Ordering::AcqRel) + gathered.len() as u64;
        if self.ended && found == 0 {
            let none = || Error::new(Stage::Open, Reason::NotFound, "no article package in any of the sources");
            return Err(part.failures.into_iter().next().map_or_else(none, |failure| failure.error));
        }
        if gathered.is_empty() && part.failures.is_empty() {
            self.walked.ended.store(true, Ordering::Release);
            return Ok(false);
        }
        self.number += 1;
        self.walked.parts.fetch_add(1, Ordering::AcqRel);
        self.walked.ended.store(self.ended, Ordering::Release);
        part.inputs = hex(&digest.finalize().into());
        if (self.is_done)(&part) {
            self.walked.skipped.fetch_add(gathered.len() as u64, Ordering::AcqRel);
            (self.part, self.rest) = (None, Vec::new().into_iter());
        } else {
            (self.part, self.rest) = (Some(Arc::new(part)), gathered.into_iter());
        }
        Ok(true)
    }

    /// The next unit of the part at hand. A part of failures alone gives one empty unit, which carries its tag.
    fn unit(&mut self) -> Option<Unit<Arc<PartPlan>>> {
        let tag = Arc::clone(self.part.as_ref()?);
        let unit = Unit::gather(tag, &mut self.rest);
        if self.rest.len() == 0 {
            self.part = None;
        }
        Some(unit)
    }
}

impl<I, D> Iterator for Plan<I, D>
where
    I: Iterator<Item = Result<Package>>,
    D: FnMut(&PartPlan) -> bool,
{
    type Item = Result<Unit<Arc<PartPlan>>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(unit) = self.unit() {
                return Some(Ok(unit));
            }
            if self.ended {
                return None;
            }
            match self.gather() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Unambiguous: a kind, the length, the text, the size.
fn hash(digest: &mut Sha256, kind: u8, text: &[u8], num_bytes: u64) {
    digest.update([kind]);
    digest.update((text.len() as u64).to_le_bytes());
    digest.update(text);
    digest.update(num_bytes.to_le_bytes());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn package(path: &str, num_bytes: u64) -> Package {
        Package::new(path, crate::package::Kind::TarGz, num_bytes)
    }

    fn packages(n: usize, bytes: u64) -> Vec<Result<Package>> {
        (0..n).map(|i| Ok(package(&format!("p{i:03}"), bytes))).collect()
    }

    /// Part number and packages of every unit.
    fn units(packages: Vec<Result<Package>>, part_size: usize, done: &[u32]) -> Vec<(u32, usize)> {
        let plan = Plan::new(packages.into_iter(), part_size, |part| done.contains(&part.number));
        plan.map(|unit| unit.map(|unit| (unit.tag.number, unit.packages.len())).unwrap()).collect()
    }

    #[test]
    fn units_end_at_sixteen_packages_at_four_mebibytes_and_with_their_part() {
        assert_eq!(units(packages(40, 1), 36, &[]), [(0, 16), (0, 16), (0, 4), (1, 4)]);
        assert_eq!(units(packages(3, 3 << 20), 9, &[]), [(0, 2), (0, 1)]);
        assert_eq!(units(packages(4, 1), 2, &[]), [(0, 2), (1, 2)]);
    }

    #[test]
    fn parts_that_are_done_keep_their_number_and_give_no_unit() {
        assert_eq!(units(packages(6, 1), 2, &[1]), [(0, 2), (2, 2)]);
        assert_eq!(units(packages(4, 1), 2, &[0, 1]), []);
    }

    fn listed(list: &[(&str, u64)]) -> Vec<Result<Package>> {
        list.iter().map(|(path, n)| Ok(package(path, *n))).collect()
    }

    #[test]
    fn the_digest_follows_paths_and_sizes() {
        let digest = |list| {
            let mut plan = Plan::new(listed(list).into_iter(), 9, |_: &PartPlan| false);
            plan.next().unwrap().unwrap().tag.inputs.clone()
        };
        let base = digest(&[("a", 1), ("b", 2)]);
        assert_eq!(digest(&[("a", 1), ("b", 2)]), base);
        for other in [&[("a", 1), ("b", 3)][..], &[("a", 1), ("c", 2)], &[("a", 1)], &[("ab", 2)]] {
            assert_ne!(digest(other), base);
        }
    }

    #[test]
    fn an_error_of_the_walk_belongs_to_the_part_being_gathered() {
        let error = || Err(Error::new(Stage::Open, Reason::NotFound, "gone").in_source("x"));
        let mut list = packages(2, 1);
        list.push(error());
        list.extend(packages(1, 1));
        list.insert(0, error());
        let plan = Plan::new(list.into_iter(), 2, |_: &PartPlan| false);
        let parts: Vec<_> = plan.map(|u| u.unwrap().tag).map(|t| (t.packages.len(), t.failures.len())).collect();
        assert_eq!(parts, [(2, 1), (1, 1)]);
    }

    #[test]
    fn errors_after_the_last_package_get_a_part_of_their_own() {
        let mut packages = packages(2, 1);
        packages.push(Err(Error::new(Stage::Open, Reason::NotFound, "gone")));
        assert_eq!(units(packages, 2, &[]), [(0, 2), (1, 0)]);
    }

    #[test]
    fn without_any_package_there_is_nothing_to_do() {
        let plan = |packages: Vec<Result<Package>>| Plan::new(packages.into_iter(), 2, |_: &PartPlan| false);
        let mut none = plan(Vec::new());
        insta::assert_snapshot!(none.next().unwrap().unwrap_err(), @"not_found: no article package in any of the sources");
        assert!(none.next().is_none());
        let error = Error::new(Stage::Open, Reason::PermissionDenied, "closed").in_source("x");
        let mut failing = plan(vec![Err(error)]);
        insta::assert_snapshot!(failing.next().unwrap().unwrap_err(), @"x: permission_denied: closed");
        assert!(failing.next().is_none());
    }

    #[test]
    fn totals_are_known_at_the_end_of_the_walk() {
        let mut plan = Plan::new(packages(5, 1).into_iter(), 2, |part| part.number == 0);
        let walked = plan.walked();
        assert!(plan.next().is_some());
        assert_eq!(walked.total_packages(), None);
        assert!(plan.next().is_some());
        assert!(plan.next().is_none());
        assert_eq!((walked.total_packages(), walked.total_parts(), walked.skipped_packages()), (Some(5), Some(3), 2));
    }
}
