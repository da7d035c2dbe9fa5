//! Some of the packages that a walk finds.

use sha2::{Digest, Sha256};

use super::{Ids, Versions};
use crate::error::{Error, Reason, Result, Stage};
use crate::package::Package;

/// Which packages of a walk are wanted: all of them, unless it says otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// A share of the packages.
    pub sample: Option<Sample>,
    /// At most so many packages, the first of those.
    pub limit: Option<u64>,
    /// Which versions of articles, where a source has several.
    pub versions: Versions,
    /// Only these articles. Packages that are none of the cloud layout are known by the PMC id that they are named by.
    pub ids: Option<Ids>,
    /// Only articles of the cloud layout whose metadata were written then, in seconds since 1970, or later.
    pub since: Option<i64>,
}

/// A share of the packages, drawn by the hash of each one's name: the same packages from any copy of a mirror, in any
/// order, and with the same seed those of a smaller share are among those of a larger one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Between 0 and 1.
    pub fraction: f64,
    /// Which of the samples of this size.
    pub seed: u64,
}

impl Selection {
    /// Fails when a number makes no sense.
    pub fn check(&self) -> Result<()> {
        let refuse = |detail: String| Err(Error::new(Stage::Open, Reason::Mismatch, detail));
        if self.limit == Some(0) {
            return refuse("limit is 0, but must be at least 1".into());
        }
        match self.sample {
            Some(Sample { fraction, .. }) if !(fraction > 0.0 && fraction <= 1.0) => {
                refuse(format!("sample is {fraction}, but must be above 0 and at most 1"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it leaves nothing out.
    pub fn is_all(&self) -> bool {
        self.limit.is_none() && self.sample.is_none() && self.ids.is_none() && self.since.is_none()
    }

    /// Those of `packages` that are wanted. An error of the walk stays where it is.
    pub fn of<I>(&self, mut packages: I) -> impl Iterator<Item = Result<Package>> + use<I>
    where
        I: Iterator<Item = Result<Package>>,
    {
        let sample = self.sample;
        let mut left = self.limit.unwrap_or(u64::MAX);
        std::iter::from_fn(move || {
            while left > 0 {
                match packages.next()? {
                    Ok(package) if sample.is_some_and(|sample| !sample.has(&package)) => {}
                    Ok(package) => {
                        left -= 1;
                        return Some(Ok(package));
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
            None
        })
    }
}

impl Sample {
    fn has(&self, package: &Package) -> bool {
        let mut hash = Sha256::new_with_prefix(self.seed.to_le_bytes());
        let name = package.path.file_name().unwrap_or(package.path.as_os_str());
        hash.update(name.as_encoded_bytes());
        let word = hash.finalize().iter().take(4).fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        f64::from(word) < self.fraction * (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::package::Kind;

    fn selection(sample: Option<f64>, seed: u64, limit: Option<u64>) -> Selection {
        Selection { sample: sample.map(|fraction| Sample { fraction, seed }), limit, ..Selection::default() }
    }

    /// The names of what is taken of `names`, which lie in `directory`.
    fn taken(selection: &Selection, directory: &str, names: impl Iterator<Item = u32>) -> Vec<String> {
        let path = |n| Path::new(directory).join(format!("PMC{n}.tar.gz"));
        let packages = names.map(|n| Ok(Package::new(path(n), Kind::TarGz, 1)));
        let name = |package: Package| package.path.file_name().unwrap().to_string_lossy().into_owned();
        selection.of(packages).map(|package| name(package.unwrap())).collect()
    }

    #[test]
    fn without_a_wish_all_are_taken() {
        assert_eq!(taken(&Selection::default(), "in", 0..5).len(), 5);
        assert_eq!(taken(&selection(Some(1.0), 3, None), "in", 0..500).len(), 500);
    }

    #[test]
    fn a_limit_takes_the_first_and_looks_no_further() {
        assert_eq!(taken(&selection(None, 0, Some(2)), "in", 0..), ["PMC0.tar.gz", "PMC1.tar.gz"]);
    }

    #[test]
    fn a_sample_has_about_its_share() {
        for seed in 0..5 {
            let n = taken(&selection(Some(0.25), seed, None), "in", 0..4000).len();
            assert!((900..1100).contains(&n), "{n} of 4,000");
        }
        assert_ne!(
            taken(&selection(Some(0.25), 0, None), "in", 0..100),
            taken(&selection(Some(0.25), 1, None), "in", 0..100)
        );
    }

    #[test]
    fn an_error_of_the_walk_is_no_package() {
        let errors = (0..3).map(|_| Err(Error::new(Stage::Open, Reason::NotFound, "gone")));
        assert_eq!(selection(Some(0.1), 0, Some(1)).of(errors).count(), 3);
    }

    #[test]
    fn numbers_without_sense_are_refused() {
        for fraction in [0.0, -1.0, 1.01, f64::NAN, f64::INFINITY] {
            assert!(selection(Some(fraction), 0, None).check().is_err(), "{fraction}");
        }
        assert!(selection(None, 0, Some(0)).check().is_err());
        selection(Some(1.0), 0, Some(1)).check().unwrap();
    }

    proptest! {
        #[test]
        fn a_sample_follows_from_the_names_alone_and_a_smaller_one_is_within_a_larger_one(
            seed: u64, small in 0.01..0.5, more in 0.0..0.5,
        ) {
            let mut sample = taken(&selection(Some(small), seed, None), "in", 0..200);
            let mut elsewhere = taken(&selection(Some(small), seed, None), "/mnt/copy", (0..200).rev());
            elsewhere.reverse();
            prop_assert_eq!(&sample, &elsewhere);
            let larger = taken(&selection(Some(small + more), seed, None), "in", 0..200);
            sample.retain(|name| !larger.contains(name));
            prop_assert!(sample.is_empty());
        }
    }
}
