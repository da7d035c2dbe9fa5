//! One part in the making: its shards and tables under temporary names, until all of it can be published.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use super::manifest::{Counts, PartRecord};
use super::place::Place;
use super::plan::PartPlan;
use super::shards::{Sample, Shards};
use super::table::TableFile;
use crate::article::{Article, Chunk, Failure, Figure, Status};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::Format;
use crate::package::Package;
use crate::tables::{Articles, Failures, FigureRow, Figures, PackageRow, Packages, Pointer, write_json};

/// A part that takes chunks, in the order of its packages.
#[derive(Debug)]
pub(super) struct Part {
    place: Place,
    plan: Arc<PartPlan>,
    articles: TableFile<Articles>,
    figures: TableFile<Figures>,
    failures: TableFile<Failures>,
    packages: TableFile<Packages>,
    shards: Shards,
    accessions: HashSet<String>,
    /// The sources from which anything came.
    heard_of: BTreeSet<String>,
    counts: Counts,
}

impl Part {
    pub(super) fn create(place: &Place, plan: Arc<PartPlan>) -> Result<Self> {
        let stem = PartRecord::stem(plan.number);
        let counts = Counts { packages: plan.packages.len() as u64, input_bytes: plan.input_bytes, ..Counts::new() };
        let mut part = Self {
            place: place.clone(),
            articles: TableFile::create(place, format!("articles/{stem}.parquet"))?,
            figures: TableFile::create(place, format!("figures/{stem}.parquet"))?,
            failures: TableFile::create(place, format!("failures/{stem}.parquet"))?,
            packages: TableFile::create(place, format!("packages/{stem}.parquet"))?,
            shards: Shards::new(place, plan.number),
            accessions: HashSet::new(),
            heard_of: BTreeSet::new(),
            counts,
            plan,
        };
        let plan = Arc::clone(&part.plan);
        for package in &plan.packages {
            part.packages.push(PackageRow::Found(package))?;
        }
        for failure in &plan.failures {
            // Known when the sources are walked again, or an update would tell of it again.
            part.packages.push(PackageRow::Failed(&failure.error))?;
            part.failure(failure)?;
        }
        Ok(part)
    }

    pub(super) fn plan(&self) -> &Arc<PartPlan> {
        &self.plan
    }

    /// What is counted so far; its packages are those of which something was heard.
    pub(super) fn so_far(&self) -> Counts {
        let all = self.counts.packages.max(1);
        let packages = (self.heard_of.len() as u64).min(all);
        let share = u128::from(self.counts.input_bytes) * u128::from(packages) / u128::from(all);
        Counts { packages, input_bytes: u64::try_from(share).unwrap_or(u64::MAX), ..self.counts.clone() }
    }

    /// What is in it.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Bytes of samples and finished tables written so far.
    pub(super) fn num_bytes(&self) -> u64 {
        self.shards.num_bytes()
    }

    pub(super) fn add(&mut self, chunk: &Chunk) -> Result<()> {
        for failure in &chunk.failures {
            self.failure(failure)?;
        }
        for article in &chunk.articles {
            self.hear_of(&article.source);
            if self.accessions.contains(&article.accession) {
                self.failure(&duplicate(article))?;
            } else {
                self.accessions.insert(article.accession.clone());
                self.article(article)?;
            }
        }
        Ok(())
    }

    fn article(&mut self, article: &Article) -> Result<()> {
        let subset = article.jats.license.subset();
        self.articles.push(article)?;
        self.counts.articles += 1;
        let mut json = Vec::new();
        let mut pairs = 0;
        for figure in &article.figures {
            let pointer = match pair(figure) {
                None => None,
                Some(pair) => {
                    if json.is_empty() {
                        json = article_json(article, self.place.options().article_text)?;
                    }
                    pairs += 1;
                    Some(self.sample(article, figure, pair, &json)?)
                }
            };
            self.figures.push(FigureRow { article, figure, pointer: pointer.as_ref() })?;
            *self.counts.statuses.entry(figure.status.as_str().to_owned()).or_default() += 1;
        }
        self.counts.figures += article.figures.len() as u64;
        self.counts.pairs += pairs;
        let sums = self.counts.subsets.entry(subset.as_str().to_owned()).or_default();
        sums.articles += 1;
        sums.figures += article.figures.len() as u64;
        sums.pairs += pairs;
        Ok(())
    }

    /// Writes a pair into a shard and says where its image lies.
    fn sample(&mut self, article: &Article, figure: &Figure, pair: Pair<'_>, json: &[u8]) -> Result<Pointer> {
        let sample = Sample {
            subset: article.jats.license.subset(),
            format: pair.format,
            id: &figure.image_id,
            image: pair.bytes,
            caption: pair.caption.as_bytes(),
        };
        self.shards.add(&sample, |pointer| {
            let mut object = vec![b'{'];
            write_json::<Figures>(&mut object, FigureRow { article, figure, pointer: Some(pointer) }, |_| true)?;
            object.extend_from_slice(json);
            object.push(b'}');
            Ok(object)
        })
    }

    fn failure(&mut self, failure: &Failure) -> Result<()> {
        if let Some(source) = failure.error.source() {
            self.hear_of(source);
        }
        self.failures.push(failure)?;
        self.counts.failures += 1;
        *self.counts.reasons.entry(failure.error.reason().as_str().to_owned()).or_default() += 1;
        Ok(())
    }

    fn hear_of(&mut self, source: &str) {
        if !self.heard_of.contains(source) {
            self.heard_of.insert(source.to_owned());
        }
    }

    /// Packages of which, or of a place within which, nothing was heard.
    fn silent(&self) -> Vec<String> {
        let heard = |package: &str| {
            let mut from = self.heard_of.range::<str, _>((Bound::Included(package), Bound::Unbounded));
            from.next().is_some_and(|source| source.starts_with(package))
        };
        let names = self.plan.packages.iter().map(Package::source);
        names.filter(|name| !heard(name)).map(Cow::into_owned).collect()
    }

    /// Publishes the part, once all of it is on the disk, and says what it is.
    pub(super) fn publish(mut self) -> Result<PartRecord> {
        for package in self.silent() {
            let detail = "the package gave neither an article nor a failure; this is a defect of biomedica";
            let error = Error::new(Stage::Open, Reason::Internal, detail).in_source(package);
            self.failure(&Failure { accession: None, error })?;
        }
        if let Some(wrong) = self.counts.contradiction() {
            return Err(Error::new(Stage::Write, Reason::Internal, format!("part {}: {wrong}", self.plan.number)));
        }
        let mut files =
            vec![self.articles.finish()?, self.figures.finish()?, self.failures.finish()?, self.packages.finish()?];
        files.extend(self.shards.finish()?);
        // Nothing that is there goes before all that takes its place is on the disk.
        for (_, sealed) in &mut files {
            sealed.wait()?;
        }
        let (files, sealed) = files.into_iter().unzip();
        let record = PartRecord {
            number: self.plan.number,
            inputs: self.plan.inputs.clone(),
            options: self.place.digest().to_owned(),
            counts: self.counts,
            files,
        };
        self.place.publish(&record, sealed)?;
        Ok(record)
    }
}

/// What a figure must have to become a sample.
#[derive(Clone, Copy)]
struct Pair<'a> {
    format: Format,
    bytes: &'a [u8],
    caption: &'a str,
}

fn pair(figure: &Figure) -> Option<Pair<'_>> {
    let image = figure.image.as_ref()?;
    let caption = figure.jats.caption.as_deref()?;
    (figure.status == Status::Ok).then_some(Pair { format: image.format?, bytes: &image.bytes, caption })
}

/// The article's members of a sample's JSON, each after a comma; `subset` is among the figure's already.
fn article_json(article: &Article, with_text: bool) -> Result<Vec<u8>> {
    let mut json = vec![b','];
    let mut members = Vec::new();
    write_json::<Articles>(&mut members, article, |name| name != "subset" && (with_text || name != "article_text"))?;
    json.append(&mut members);
    Ok(json)
}

fn duplicate(article: &Article) -> Failure {
    let detail = format!("another article of this part is {} already", article.accession);
    Failure {
        accession: Some(article.accession.clone()),
        error: Error::new(Stage::Write, Reason::Duplicate, detail).in_source(&article.source),
    }
}
