//! The living rows and samples of parts, copied into another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use super::manifest::{Counts, PartRecord};
use super::place::Place;
use super::rows::{Rows, rows};
use super::samples::Samples;
use super::shards::{Sample, Shards};
use super::table::TableFile;
use super::tombstone::Tombstones;
use crate::error::{Error, Reason, Result, Stage};
use crate::image::Format;
use crate::jats::Subset;
use crate::tables::{Articles, Failures, Figures, Packages, Table};

/// A part that takes what lives of others.
#[derive(Debug)]
pub(super) struct Copying<'a> {
    place: &'a Place,
    number: u32,
    articles: TableFile<Articles>,
    figures: TableFile<Figures>,
    failures: TableFile<Failures>,
    packages: TableFile<Packages>,
    shards: Shards,
}

impl<'a> Copying<'a> {
    pub(super) fn new(place: &'a Place, number: u32) -> Result<Self> {
        let path = |table: &str| format!("{table}/{}.parquet", PartRecord::stem(number));
        Ok(Self {
            place,
            number,
            articles: TableFile::create(place, path("articles"))?,
            figures: TableFile::create(place, path("figures"))?,
            failures: TableFile::create(place, path("failures"))?,
            packages: TableFile::create(place, path("packages"))?,
            shards: Shards::new(place, number),
        })
    }

    /// Takes what lives of a part.
    pub(super) fn part(&mut self, part: &PartRecord, tombstones: &Tombstones, stop: &dyn Fn() -> bool) -> Result<()> {
        let root = self.place.root();
        let path = |table: &str| format!("{table}/{}.parquet", PartRecord::stem(part.number));
        let (articles, packages) = (tombstones.articles(part.number), tombstones.packages(part.number));
        copy(&mut self.articles, rows(root, &path("articles"), &[])?, "article_accession_id", &articles)?;
        copy(&mut self.failures, rows(root, &path("failures"), &[])?, "source", &packages)?;
        copy(&mut self.packages, rows(root, &path("packages"), &[])?, "package", &packages)?;
        let mut samples = Samples::of(root, part, &path("figures"))?;
        for batch in rows(root, &path("figures"), &[])? {
            if stop() {
                return Err(super::write::stopped());
            }
            let batch = batch?;
            let batch = self.samples(&batch, &articles, &mut samples)?;
            extend(&mut self.figures, &batch, "article_accession_id", &articles)?;
        }
        Ok(())
    }

    /// Copies the samples of living rows and gives the rows with where they lie now.
    fn samples(&mut self, batch: &Rows, dead: &HashSet<&str>, samples: &mut Samples<'_>) -> Result<Rows> {
        let text = |name| batch.texts(name);
        let (ids, articles, formats) = (text("image_id")?, text("article_accession_id")?, text("image_format")?);
        let (subsets, shards, offsets) = (text("subset")?, text("shard")?, batch.longs("shard_offset")?);
        let (mut new_shards, mut new_offsets) = (Vec::new(), Vec::new());
        for row in 0..batch.len() {
            let is_dead = articles.get(row).is_some_and(|article| dead.contains(article));
            let pointer = match (shards.get(row), offsets.get::<u64>(row)) {
                (Some(shard), Some(offset)) if !is_dead => {
                    let format = Format::ALL.iter().find(|format| Some(format.as_str()) == formats.get(row));
                    let subset = Subset::ALL.iter().find(|subset| Some(subset.as_str()) == subsets.get(row));
                    let (Some(&format), Some(&subset), Some(id)) = (format, subset, ids.get(row)) else {
                        return Err(batch.wrong("a pair has no id, no format or no subset that is known"));
                    };
                    let found = samples.read(shard, offset, id, format)?;
                    let sample = Sample { subset, format, id, image: found.image(), caption: found.caption() };
                    Some(self.shards.add(&sample, |pointer| found.json(pointer))?)
                }
                _ => None,
            };
            new_offsets.push(pointer.as_ref().and_then(|pointer| i64::try_from(pointer.offset).ok()));
            new_shards.push(pointer.map(|pointer| pointer.shard));
        }
        let columns: HashMap<&str, ArrayRef> = HashMap::from([
            ("shard", Arc::new(new_shards.iter().map(Option::as_deref).collect::<StringArray>()) as ArrayRef),
            ("shard_offset", Arc::new(Int64Array::from(new_offsets)) as ArrayRef),
        ]);
        batch.with(&columns)
    }

    /// Publishes the part, whose counts must be these.
    pub(super) fn publish(self, inputs: String, counts: Counts) -> Result<PartRecord> {
        let mut files =
            vec![self.articles.finish()?, self.figures.finish()?, self.failures.finish()?, self.packages.finish()?];
        let found: Vec<u64> = files.iter().take(3).map(|(file, _)| file.rows).collect();
        files.extend(self.shards.finish()?);
        let samples: u64 = files.iter().filter(|(file, _)| file.path.starts_with("shards/")).map(|(f, _)| f.rows).sum();
        if found != [counts.articles, counts.figures, counts.failures] || samples != counts.pairs {
            let detail = format!(
                "part {}: {found:?} rows and {samples} samples live, but {} articles, {} figures, {} failures and {} \
                 pairs are counted; verify the dataset",
                self.number, counts.articles, counts.figures, counts.failures, counts.pairs,
            );
            return Err(self.place.refuse(Reason::Corrupt, &detail));
        }
        for (_, sealed) in &mut files {
            sealed.wait()?;
        }
        let (files, sealed) = files.into_iter().unzip();
        let record = PartRecord { number: self.number, inputs, options: self.place.digest().to_owned(), counts, files };
        self.place.publish(&record, sealed)?;
        Ok(record)
    }
}

fn copy<T: Table>(
    to: &mut TableFile<T>,
    from: impl Iterator<Item = Result<Rows>>,
    key: &str,
    dead: &HashSet<&str>,
) -> Result<()> {
    for batch in from {
        extend(to, &batch?, key, dead)?;
    }
    Ok(())
}

/// Adds the rows whose key is not dead, run by run.
fn extend<T: Table>(to: &mut TableFile<T>, batch: &Rows, key: &str, dead: &HashSet<&str>) -> Result<()> {
    let keys = batch.texts(key)?;
    let is_live = |row: usize| keys.get(row).is_none_or(|key| !dead.contains(key));
    let all = RecordBatch::try_new(T::schema(), batch.columns().to_vec())
        .map_err(|e| Error::new(Stage::Open, Reason::Corrupt, format!("not a table of this version: {e}")))?;
    let mut row = 0;
    while row < batch.len() {
        let live = (row..batch.len()).take_while(|&row| is_live(row)).count();
        if live > 0 {
            to.extend(&all.slice(row, live))?;
        }
        row += live + 1;
    }
    Ok(())
}
