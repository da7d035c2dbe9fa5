//! Tombstones: what parts hold and the dataset has no more, because its package has changed or is gone.
//!
//! Parts are never written into. Until a part is compacted its dead rows and samples stay, and whoever reads it asks here.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::file::Sealed;
use super::manifest::{Counts, DatasetRecord, FileRecord, PartRecord};
use super::place::Place;
use super::root::Root;
use super::rows::rows;
use super::table::TableFile;
use crate::article::Status;
use crate::error::Result;
use crate::tables::{Gone, Tombstone, Tombstones as Table};

/// The directory of the one file that they have at a time.
pub(super) const TOMBSTONES: &str = "tombstones";

/// The tombstones of a dataset, by part.
#[derive(Debug, Default)]
pub(crate) struct Tombstones(BTreeMap<u32, Vec<Tombstone>>);

impl Tombstones {
    /// Those of a dataset; none when it was never updated.
    pub(crate) fn read(root: &Root, dataset: &DatasetRecord) -> Result<Self> {
        let mut all = Self::default();
        let Some(file) = &dataset.tombstones else { return Ok(all) };
        for batch in rows(root, &file.path, &[])? {
            let batch = batch?;
            let (parts, accessions) = (batch.ints("part")?, batch.texts("article_accession_id")?);
            let (packages, reasons) = (batch.texts("package")?, batch.texts("reason")?);
            for row in 0..batch.len() {
                let reason = Gone::ALL.iter().find(|reason| Some(reason.as_str()) == reasons.get(row));
                let (Some(part), Some(package), Some(&reason)) = (parts.get(row), packages.get(row), reason) else {
                    continue;
                };
                let accession = accessions.get(row).map(str::to_owned);
                all.push(Tombstone { part, package: package.to_owned(), accession, reason });
            }
        }
        Ok(all)
    }

    fn push(&mut self, tombstone: Tombstone) {
        self.0.entry(tombstone.part).or_default().push(tombstone);
    }

    fn of(&self, part: u32) -> &[Tombstone] {
        self.0.get(&part).map_or(&[], Vec::as_slice)
    }

    /// The dead articles of a part.
    pub(crate) fn articles(&self, part: u32) -> HashSet<&str> {
        self.of(part).iter().filter_map(|tombstone| tombstone.accession.as_deref()).collect()
    }

    /// The dead packages of a part, and places in such that failures name.
    pub(super) fn packages(&self, part: u32) -> HashSet<&str> {
        self.of(part).iter().map(|tombstone| tombstone.package.as_str()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those of parts that are no more.
    pub(super) fn retain(&mut self, is_live: impl Fn(u32) -> bool) {
        self.0.retain(|&part, _| is_live(part));
    }

    /// Adds those of some packages of a part, by their rows in its packages table, and counts what they take out.
    pub(super) fn bury(&mut self, root: &Root, part: u32, gone: &[(u32, Gone)]) -> Result<Counts> {
        let stem = PartRecord::stem(part);
        let path = |table: &str| format!("{table}/{stem}.parquet");
        let mut counts = Counts::new();
        let mut dead = dead_packages(root, &path("packages"), gone, &mut counts)?;
        let buried: HashSet<String> = self.articles(part).into_iter().map(str::to_owned).collect();
        let mut new = Vec::new();
        let mut articles = HashSet::new();
        for batch in rows(root, &path("articles"), &["article_accession_id", "subset", "source"])? {
            let batch = batch?;
            let (accessions, subsets) = (batch.texts("article_accession_id")?, batch.texts("subset")?);
            let sources = batch.texts("source")?;
            for row in 0..batch.len() {
                let (Some(accession), Some(source)) = (accessions.get(row), sources.get(row)) else { continue };
                let Some(package) = dead.get_mut(source).filter(|_| !buried.contains(accession)) else { continue };
                package.has_row = true;
                counts.articles += 1;
                counts.subsets.entry(subsets.get(row).unwrap_or_default().to_owned()).or_default().articles += 1;
                articles.insert(accession.to_owned());
                let (package, accession, reason) = (source.to_owned(), Some(accession.to_owned()), package.reason);
                new.push(Tombstone { part, package, accession, reason });
            }
        }
        count_figures(root, &path("figures"), &articles, &mut counts)?;
        for batch in rows(root, &path("failures"), &["source", "reason"])? {
            let batch = batch?;
            let (sources, reasons) = (batch.texts("source")?, batch.texts("reason")?);
            for row in 0..batch.len() {
                let Some(source) = sources.get(row) else { continue };
                let Some(reason) = within(&dead, source) else { continue };
                counts.failures += 1;
                *counts.reasons.entry(reasons.get(row).unwrap_or_default().to_owned()).or_default() += 1;
                dead.entry(source.to_owned()).or_insert(Package { reason, has_row: false });
            }
        }
        let rest = dead.into_iter().filter(|(_, package)| !package.has_row);
        new.extend(rest.map(|(package, Package { reason, .. })| Tombstone { part, package, accession: None, reason }));
        new.sort_unstable();
        self.0.entry(part).or_default().append(&mut new);
        Ok(counts)
    }

    /// Writes them all as the file of a generation of the dataset.
    pub(super) fn write(&self, place: &Place, generation: u32) -> Result<(FileRecord, Sealed)> {
        place.root().make(TOMBSTONES)?;
        let mut file = TableFile::<Table>::create(place, format!("{TOMBSTONES}/{generation:06}.parquet"))?;
        for tombstone in self.0.values().flatten() {
            file.push(tombstone)?;
        }
        file.finish()
    }
}

/// A package that is gone, and whether an article's tombstone tells so.
struct Package {
    reason: Gone,
    has_row: bool,
}

/// The names of the packages in these rows of a packages table.
fn dead_packages(
    root: &Root,
    path: &str,
    gone: &[(u32, Gone)],
    counts: &mut Counts,
) -> Result<HashMap<String, Package>> {
    let gone: HashMap<u32, Gone> = gone.iter().copied().collect();
    let mut dead = HashMap::new();
    let mut number = 0;
    for batch in rows(root, path, &["package", "fingerprint", "num_bytes"])? {
        let batch = batch?;
        let (packages, fingerprints) = (batch.texts("package")?, batch.texts("fingerprint")?);
        let sizes = batch.longs("num_bytes")?;
        for row in 0..batch.len() {
            if let Some(&reason) = gone.get(&number) {
                dead.insert(packages.get(row).unwrap_or_default().to_owned(), Package { reason, has_row: false });
                if fingerprints.get(row).is_some() {
                    counts.packages += 1;
                    counts.input_bytes += sizes.get::<u64>(row).unwrap_or(0);
                }
            }
            number += 1;
        }
    }
    Ok(dead)
}

fn count_figures(root: &Root, path: &str, articles: &HashSet<String>, counts: &mut Counts) -> Result<()> {
    if articles.is_empty() {
        return Ok(());
    }
    for batch in rows(root, path, &["article_accession_id", "status", "subset"])? {
        let batch = batch?;
        let (accessions, statuses) = (batch.texts("article_accession_id")?, batch.texts("status")?);
        let subsets = batch.texts("subset")?;
        for row in 0..batch.len() {
            if !accessions.get(row).is_some_and(|accession| articles.contains(accession)) {
                continue;
            }
            let status = statuses.get(row).unwrap_or_default();
            let is_pair = u64::from(status == Status::Ok.as_str());
            counts.figures += 1;
            counts.pairs += is_pair;
            *counts.statuses.entry(status.to_owned()).or_default() += 1;
            let sums = counts.subsets.entry(subsets.get(row).unwrap_or_default().to_owned()).or_default();
            sums.figures += 1;
            sums.pairs += is_pair;
        }
    }
    Ok(())
}

/// Why a failure's source is dead: it is a dead package, or a place in one.
fn within(dead: &HashMap<String, Package>, source: &str) -> Option<Gone> {
    let ends = source.rmatch_indices('/').map(|(end, _)| end);
    let mut places = std::iter::once(source.len()).chain(ends).filter_map(|end| source.get(..end));
    places.find_map(|place| dead.get(place)).map(|package| package.reason)
}
