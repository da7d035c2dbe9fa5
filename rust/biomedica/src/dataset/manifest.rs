//! `dataset.json` and `parts/N.json`: what they say. No time and no machine in them, so that equal runs give equal bytes.

use std::collections::BTreeMap;
#[cfg(test)]
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::file::Sealed;
use crate::article::Status;
use crate::error::{Error, Reason, Result, Stage};
use crate::image::Format;
use crate::jats::Subset;

/// The record of a dataset.
pub(crate) const DATASET: &str = "dataset.json";

/// Counts of a part, or of all parts together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Packages looked at.
    pub packages: u64,
    /// Bytes of these packages.
    pub input_bytes: u64,
    /// Articles written.
    pub articles: u64,
    /// Figures of these articles.
    pub figures: u64,
    /// Figures with a usable image and a caption.
    pub pairs: u64,
    /// Things that could not be read.
    pub failures: u64,
    /// Articles, figures and pairs by subset; every subset is there.
    pub subsets: BTreeMap<String, SubsetCounts>,
    /// Figures by status; every status is there.
    pub statuses: BTreeMap<String, u64>,
    /// Failures by reason; only reasons that occurred.
    pub reasons: BTreeMap<String, u64>,
}

/// Counts of one licence subset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubsetCounts {
    /// Articles written.
    pub articles: u64,
    /// Figures of these articles.
    pub figures: u64,
    /// Pairs among them.
    pub pairs: u64,
}

impl Counts {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self {
            subsets: Subset::ALL.iter().map(|s| (s.as_str().to_owned(), SubsetCounts::default())).collect(),
            statuses: Status::ALL.iter().map(|s| (s.as_str().to_owned(), 0)).collect(),
            ..Self::default()
        }
    }

    /// Adds the counts of another part.
    pub fn add(&mut self, other: &Self) {
        let Self { packages, input_bytes, articles, figures, pairs, failures, subsets, statuses, reasons } = other;
        self.packages += packages;
        self.input_bytes += input_bytes;
        self.articles += articles;
        self.figures += figures;
        self.pairs += pairs;
        self.failures += failures;
        for (name, counts) in subsets {
            let sum = self.subsets.entry(name.clone()).or_default();
            sum.articles += counts.articles;
            sum.figures += counts.figures;
            sum.pairs += counts.pairs;
        }
        for (sums, counts) in [(&mut self.statuses, statuses), (&mut self.reasons, reasons)] {
            for (word, n) in counts {
                *sums.entry(word.clone()).or_default() += n;
            }
        }
    }

    /// Takes the counts of something out that is among them.
    pub fn subtract(&mut self, other: &Self) {
        let less = |sum: &mut u64, n: u64| *sum = sum.saturating_sub(n);
        let Self { packages, input_bytes, articles, figures, pairs, failures, subsets, statuses, reasons } = other;
        less(&mut self.packages, *packages);
        less(&mut self.input_bytes, *input_bytes);
        less(&mut self.articles, *articles);
        less(&mut self.figures, *figures);
        less(&mut self.pairs, *pairs);
        less(&mut self.failures, *failures);
        for (name, counts) in subsets {
            let sum = self.subsets.entry(name.clone()).or_default();
            less(&mut sum.articles, counts.articles);
            less(&mut sum.figures, counts.figures);
            less(&mut sum.pairs, counts.pairs);
        }
        for (sums, counts) in [(&mut self.statuses, statuses), (&mut self.reasons, reasons)] {
            for (word, n) in counts {
                less(sums.entry(word.clone()).or_default(), *n);
            }
        }
        self.reasons.retain(|_, n| *n > 0);
    }

    /// What does not add up, if anything: pairs and skipped figures are all figures, subsets are all articles.
    pub fn contradiction(&self) -> Option<String> {
        let sum = |get: fn(&SubsetCounts) -> u64| self.subsets.values().map(get).sum::<u64>();
        let equal = [
            ("figures by status", self.statuses.values().sum(), "figures", self.figures),
            ("figures of status ok", self.statuses.get(Status::Ok.as_str()).copied().unwrap_or(0), "pairs", self.pairs),
            ("articles by subset", sum(|c| c.articles), "articles", self.articles),
            ("figures by subset", sum(|c| c.figures), "figures", self.figures),
            ("pairs by subset", sum(|c| c.pairs), "pairs", self.pairs),
            ("failures by reason", self.reasons.values().sum(), "failures", self.failures),
        ];
        let wrong = equal.into_iter().find(|(_, left, _, right)| left != right);
        wrong.map(|(left_name, left, right_name, right)| format!("{left} {left_name}, but {right} {right_name}"))
    }
}

/// One file of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Relative to the dataset, with `/`.
    pub path: String,
    /// Size.
    pub num_bytes: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Rows of a table, samples of a shard.
    pub rows: u64,
    /// The one image format of a shard's samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_format: Option<String>,
}

/// `parts/N.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Its number.
    pub number: u32,
    /// SHA-256 over the paths and sizes of its packages, in hex.
    pub inputs: String,
    /// Digest of the options, in hex.
    pub options: String,
    /// What is in it.
    pub counts: Counts,
    /// Its files: the tables, then the shards.
    pub files: Vec<FileRecord>,
}

/// One part in `dataset.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEntry {
    /// The part's number.
    pub number: u32,
    /// The part's record.
    pub path: String,
    /// Its packages.
    pub packages: u64,
    /// Its articles.
    pub articles: u64,
    /// Its figures.
    pub figures: u64,
    /// Its pairs.
    pub pairs: u64,
    /// Its failures.
    pub failures: u64,
    /// Its shards.
    pub shards: u64,
    /// Size of all its files.
    pub num_bytes: u64,
    /// What of it the tombstones take out; nothing unless it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Counts>,
}

/// `dataset.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// Version of the layout.
    pub format: u32,
    /// Whether the run that made it came to its end.
    pub complete: bool,
    /// The options that its bytes depend on.
    pub options: Map<String, Value>,
    /// Sums over all parts, without what the tombstones take out.
    pub counts: Counts,
    /// Its parts by number.
    pub parts: Vec<PartEntry>,
    /// How often it was updated or compacted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// The articles that parts hold and the dataset has no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstones: Option<FileRecord>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl FileRecord {
    /// That of a finished file.
    pub(super) fn new(path: &str, sealed: &Sealed, rows: u64, format: Option<Format>) -> Self {
        Self {
            path: path.to_owned(),
            num_bytes: sealed.num_bytes,
            sha256: sealed.sha256.clone(),
            rows,
            image_format: format.map(|format| format.as_str().to_owned()),
        }
    }
}

impl PartRecord {
    /// Bytes of its files.
    pub(super) fn num_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.num_bytes).sum()
    }

    /// Its name in `parts/`, and the stem of its tables.
    pub fn stem(number: u32) -> String {
        format!("{number:06}")
    }

    /// Its path within the dataset.
    pub fn path(number: u32) -> String {
        format!("parts/{number:06}.json")
    }

    /// What `dataset.json` says of it.
    pub fn entry(&self) -> PartEntry {
        let Counts { packages, articles, figures, pairs, failures, .. } = self.counts;
        PartEntry {
            number: self.number,
            path: Self::path(self.number),
            packages,
            articles,
            figures,
            pairs,
            failures,
            shards: self.files.iter().filter(|f| f.path.starts_with("shards/")).count() as u64,
            num_bytes: self.num_bytes(),
            dropped: None,
        }
    }
}

/// Readable JSON with a final line end.
pub(super) fn to_bytes(record: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(record)
        .map_err(|e| Error::new(Stage::Write, Reason::Internal, format!("cannot write a record: {e}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The record in the file at `path`.
#[cfg(test)]
pub(super) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(Stage::Write, &e).at_path(path))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::new(Stage::Write, Reason::Corrupt, format!("not a record of a dataset: {e}")).at_path(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_do_not_add_up_are_noticed() {
        let mut counts = Counts::new();
        assert_eq!(counts.contradiction(), None);
        counts.figures = 2;
        counts.statuses.insert("ok".into(), 1);
        insta::assert_snapshot!(counts.contradiction().unwrap_or_default(), @"1 figures by status, but 2 figures");
    }

    #[test]
    fn what_was_added_can_be_taken_out() {
        let mut some = Counts { figures: 3, pairs: 1, failures: 2, ..Counts::new() };
        some.reasons.insert("corrupt".into(), 2);
        some.subsets.insert("other".into(), SubsetCounts { articles: 1, figures: 3, pairs: 1 });
        let mut sum = some.clone();
        sum.add(&some);
        sum.subtract(&some);
        assert_eq!(sum, some);
        sum.subtract(&some);
        assert_eq!(sum, Counts::new());
    }

    #[test]
    fn sums_are_the_same_in_any_order() {
        let mut a = Counts::new();
        a.reasons.insert("corrupt".into(), 2);
        a.failures = 2;
        let mut b = Counts::new();
        b.reasons.insert("bomb".into(), 1);
        b.failures = 1;
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.add(&b);
        ba.add(&a);
        assert_eq!(ab, ba);
        assert_eq!(ab.failures, 3);
        assert_eq!(ab.contradiction(), None);
    }
}
