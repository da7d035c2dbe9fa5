//! From a lazy list of packages to parts, and from parts to units of work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::article::Failure;
use crate::error::{Error, Reason, Result, Stage};
use crate::image::hex;
use crate::package::Package;
use crate::pipeline::Unit;

/// Errors of the walk that a part gathers at most: a tree of unreadable directories must not fill the memory.
const PART_FAILURES: usize = 1 << 16;

/// A part that is to be made. It travels as JSON to whoever makes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartPlan {
    /// Its number.
    pub number: u32,
    /// SHA-256 over its packages and failures, in hex.
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

    /// Parts of the plan in all; known once the walk has ended.
    pub fn total_parts(&self) -> Option<u64> {
        self.ended.load(Ordering::Acquire).then(|| self.parts.load(Ordering::Acquire))
    }

    /// Packages that were there already.
    pub fn skipped_packages(&self) -> u64 {
        self.skipped.load(Ordering::Acquire)
    }

    /// Counts a package that is there already, and in no part of the plan.
    pub(super) fn pass(&self) {
        self.packages.fetch_add(1, Ordering::AcqRel);
        self.skipped.fetch_add(1, Ordering::AcqRel);
    }
}

/// Cuts packages into parts of `part_size` and yields those that are not `is_done`.
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
    ended: bool,
}

impl PartPlan {
    /// The part of these packages, and of what went wrong in finding them.
    pub fn new(number: u32, packages: Vec<Package>, failures: Vec<Failure>) -> Self {
        let mut digest = Sha256::new();
        let mut input_bytes = 0_u64;
        for package in &packages {
            let (source, fingerprint) = (package.source(), package.fingerprint());
            hash(&mut digest, &[source.as_bytes(), fingerprint.as_bytes(), &package.num_bytes.to_le_bytes()]);
            input_bytes = input_bytes.saturating_add(package.num_bytes);
        }
        for failure in &failures {
            hash(&mut digest, &[failure.error.to_string().as_bytes()]);
        }
        Self { number, inputs: hex(&digest.finalize().into()), packages, input_bytes, failures }
    }
}

/// Unambiguous: how many texts, and each with its length.
fn hash(digest: &mut Sha256, texts: &[&[u8]]) {
    digest.update((texts.len() as u64).to_le_bytes());
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
}

impl<I, D> Plan<I, D>
where
    I: Iterator<Item = Result<Package>>,
    D: FnMut(&PartPlan) -> bool,
{
    /// A plan of `packages`, which must come sorted.
    pub fn new(packages: I, part_size: usize, is_done: D) -> Self {
        Self { packages, part_size: part_size.max(1), is_done, walked: Arc::default(), number: 0, ended: false }
    }

    /// The same, numbered from `first` on. `walked` is shared with whoever leaves packages out before they come here.
    pub(super) fn after(self, first: u32, walked: Arc<Walked>) -> Self {
        Self { number: first, walked, ..self }
    }

    /// How far it has walked.
    pub fn walked(&self) -> Arc<Walked> {
        Arc::clone(&self.walked)
    }

    /// Gathers the next part; none at the end of the walk.
    fn gather(&mut self) -> Result<Option<PartPlan>> {
        let (mut packages, mut failures) = (Vec::new(), Vec::new());
        while packages.len() < self.part_size && failures.len() < PART_FAILURES {
            match self.packages.next() {
                None => {
                    self.ended = true;
                    break;
                }
                Some(Ok(package)) => packages.push(package),
                // A list of packages that broke off: the rest of them is not known, and must not be taken for gone.
                Some(Err(error)) if error.stage() == Stage::Fetch => return Err(error),
                Some(Err(error)) => failures.push(Failure { accession: None, error }),
            }
        }
        let gathered = packages.len() as u64;
        let found = self.walked.packages.fetch_add(gathered, Ordering::AcqRel) + gathered;
        if self.ended && found == 0 {
            let none = || Error::new(Stage::Open, Reason::NotFound, "no article package in any of the sources");
            return Err(failures.into_iter().next().map_or_else(none, |failure| failure.error));
        }
        if packages.is_empty() && failures.is_empty() {
            self.walked.ended.store(true, Ordering::Release);
            return Ok(None);
        }
        let part = PartPlan::new(self.number, packages, failures);
        self.number += 1;
        self.walked.parts.fetch_add(1, Ordering::AcqRel);
        self.walked.ended.store(self.ended, Ordering::Release);
        Ok(Some(part))
    }
}

impl<I, D> Iterator for Plan<I, D>
where
    I: Iterator<Item = Result<Package>>,
    D: FnMut(&PartPlan) -> bool,
{
    type Item = Result<Arc<PartPlan>>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.gather().transpose()? {
                Ok(part) if (self.is_done)(&part) => {
                    self.walked.skipped.fetch_add(part.packages.len() as u64, Ordering::AcqRel);
                }
                part => return Some(part.map(Arc::new)),
            }
        }
        None
    }
}

/// The units of work of some parts, part by part. A part of failures alone gives one empty unit, which carries its tag.
#[derive(Debug)]
pub struct Units<P> {
    parts: P,
    part: Option<Arc<PartPlan>>,
    rest: std::vec::IntoIter<Package>,
}

impl<P: Iterator<Item = Result<Arc<PartPlan>>>> Units<P> {
    /// The units of `parts`.
    pub fn new(parts: P) -> Self {
        Self { parts, part: None, rest: Vec::new().into_iter() }
    }
}

impl<P: Iterator<Item = Result<Arc<PartPlan>>>> Iterator for Units<P> {
    type Item = Result<Unit<Arc<PartPlan>>>;

    fn next(&mut self) -> Option<Self::Item> {
        let part = match self.part.take() {
            Some(part) => part,
            None => match self.parts.next()? {
                Ok(part) => {
                    self.rest = part.packages.clone().into_iter();
                    part
                }
                Err(error) => return Some(Err(error)),
            },
        };
        let unit = Unit::gather(Arc::clone(&part), &mut self.rest);
        self.part = (self.rest.len() > 0).then_some(part);
        Some(Ok(unit))
    }
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
        let plan = Plan::new(packages.into_iter(), part_size, |part: &PartPlan| done.contains(&part.number));
        Units::new(plan).map(|unit| unit.map(|unit| (unit.tag.number, unit.packages.len())).unwrap()).collect()
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
            plan.next().unwrap().unwrap().inputs.clone()
        };
        let base = digest(&[("a", 1), ("b", 2)]);
        assert_eq!(digest(&[("a", 1), ("b", 2)]), base);
        for other in [&[("a", 1), ("b", 3)][..], &[("a", 1), ("c", 2)], &[("a", 1)], &[("ab", 2)]] {
            assert_ne!(digest(other), base);
        }
    }

    #[test]
    fn a_part_travels_as_json_and_its_digest_does_not_depend_on_where_a_failure_stood() {
        let error = || Err(Error::new(Stage::Open, Reason::NotFound, "gone").in_source("x"));
        let digest = |at| {
            let mut list = packages(2, 1);
            list.insert(at, error());
            let part = Plan::new(list.into_iter(), 9, |_: &PartPlan| false).next().unwrap().unwrap();
            let there: PartPlan = serde_json::from_str(&serde_json::to_string(&*part).unwrap()).unwrap();
            assert_eq!((&there.inputs, &there.packages), (&part.inputs, &part.packages));
            let again = PartPlan::new(there.number, there.packages, there.failures);
            assert_eq!((&again.inputs, again.input_bytes), (&part.inputs, part.input_bytes));
            again.inputs
        };
        assert_eq!(digest(0), digest(1));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_travels_too() {
        use std::os::unix::ffi::OsStringExt;
        let path = std::ffi::OsString::from_vec(b"a\xff.tar".to_vec());
        let package = Package { path: path.into(), ..package("", 1) };
        let there: Package = serde_json::from_str(&serde_json::to_string(&package).unwrap()).unwrap();
        assert_eq!(there, package);
    }

    #[test]
    fn an_error_of_the_walk_belongs_to_the_part_being_gathered() {
        let error = || Err(Error::new(Stage::Open, Reason::NotFound, "gone").in_source("x"));
        let mut list = packages(2, 1);
        list.push(error());
        list.extend(packages(1, 1));
        list.insert(0, error());
        let plan = Plan::new(list.into_iter(), 2, |_: &PartPlan| false);
        let parts: Vec<_> = plan.map(Result::unwrap).map(|t| (t.packages.len(), t.failures.len())).collect();
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
        let mut plan = Plan::new(packages(5, 1).into_iter(), 2, |part: &PartPlan| part.number == 0);
        let walked = plan.walked();
        assert!(plan.next().is_some());
        assert_eq!(walked.total_packages(), None);
        assert!(plan.next().is_some());
        assert!(plan.next().is_none());
        assert_eq!((walked.total_packages(), walked.total_parts(), walked.skipped_packages()), (Some(5), Some(3), 2));
    }
}
