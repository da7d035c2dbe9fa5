//! The samples of a dataset, whose tables say already where every image lies: nothing is scanned.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::ProjectionMask;

use super::catalog::Shard;
use super::selection::Wanted;
use crate::dataset::{DATASET, DatasetRecord, FORMAT, PartRecord, Root, Tombstones};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::Format;
use crate::shard::{BLOCK, header_bytes};
use crate::store::{StoreOptions, local_path};

/// The dataset that lies at a location, if one does. A URL of a shard is not asked for one.
pub(super) fn dataset(location: &str, options: &StoreOptions) -> Result<Option<Root>> {
    let is_store = ["s3://", "gs://", "az://"].iter().any(|scheme| location.starts_with(scheme));
    let is_shard = location.rsplit_once('.').is_some_and(|(_, extension)| extension == "tar");
    if local_path(location).is_none() && (!is_store || is_shard) {
        return Ok(None);
    }
    let root = Root::new(location, options);
    // A path below a file is not one that cannot be read.
    let is_there = match local_path(location) {
        Some(path) => Path::new(path).join(DATASET).is_file(),
        None => root.read(DATASET).map_err(|error| error.in_stage(Stage::Open))?.is_some(),
    };
    Ok(is_there.then_some(root))
}

/// The records of a dataset's parts, each with the articles that its tombstones take out.
pub(super) fn parts(root: &Root) -> Result<Vec<(PartRecord, HashSet<String>)>> {
    let open = |error: Error| error.in_stage(Stage::Open);
    let dataset: DatasetRecord = root.record(DATASET).map_err(open)?;
    if dataset.format != FORMAT {
        let detail =
            format!("a dataset of format {}; this version reads format {FORMAT}: extract anew", dataset.format);
        return Err(Error::new(Stage::Open, Reason::Mismatch, detail).in_source(root.location("")));
    }
    let tombstones = Tombstones::read(root, &dataset)?;
    let paths: Vec<String> = dataset.parts.into_iter().map(|part| part.path).collect();
    let with_dead = |part: PartRecord| {
        let dead = tombstones.articles(part.number).into_iter().map(str::to_owned).collect();
        (part, dead)
    };
    root.records(&paths).map(|record| record.map(with_dead).map_err(open)).collect()
}

/// Which samples of a part are taken.
#[derive(Clone, Copy)]
pub(super) struct Live<'a> {
    /// Not those of these articles.
    pub dead: &'a HashSet<String>,
    /// Of the others these.
    pub wanted: Wanted<'a>,
}

/// The shards of one part, of these subsets (all when none are named), with their samples.
pub(super) fn shards(root: &Root, part: &PartRecord, subsets: Option<&[String]>, live: Live<'_>) -> Result<Vec<Shard>> {
    let is_asked = |path: &str| {
        let subset = path.strip_prefix("shards/").and_then(|rest| rest.split('/').next());
        subset.is_some_and(|subset| subsets.is_none_or(|asked| asked.iter().any(|name| name == subset)))
    };
    let files: Vec<_> = part.files.iter().filter(|file| is_asked(&file.path)).collect();
    let mut starts: HashMap<&str, Vec<(u64, bool)>> =
        files.iter().map(|file| (file.path.as_str(), Vec::new())).collect();
    for table in part.files.iter().filter(|file| file.path.starts_with("figures/") && !files.is_empty()) {
        let read = read_table(root, &table.path, &mut starts, live);
        read.map_err(|error| error.in_source(root.location(&table.path)))?;
    }
    let shard = |file: &&crate::dataset::FileRecord| {
        let mut starts = starts.remove(file.path.as_str()).unwrap_or_default();
        starts.sort_unstable();
        let mut shard = Shard::new(&root.location(&file.path));
        // The end mark of a tar is two blocks.
        let last = file.num_bytes.saturating_sub(2 * BLOCK as u64);
        let ends = starts.iter().skip(1).map(|&(start, _)| start).chain([last]);
        for (&(start, is_selected), end) in starts.iter().zip(ends) {
            if is_selected {
                shard.push(start..end)?;
            }
        }
        Ok(shard)
    };
    files.iter().map(shard).collect()
}

/// Adds where each sample begins, and whether it is selected, to its shard's list.
fn read_table(root: &Root, path: &str, starts: &mut HashMap<&str, Vec<(u64, bool)>>, live: Live<'_>) -> Result<()> {
    let broken = |what: String| Error::new(Stage::Open, Reason::Corrupt, what);
    let builder = root.table(path)?;
    let columns = ["image_id", "article_accession_id", "image_format", "shard", "shard_offset"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    for batch in builder.with_projection(mask).build().map_err(|e| broken(e.to_string()))? {
        let batch = batch.map_err(|e| broken(e.to_string()))?;
        read_batch(&batch, starts, live).ok_or_else(|| broken("no figures table of this version".into()))?;
    }
    Ok(())
}

fn read_batch(batch: &RecordBatch, starts: &mut HashMap<&str, Vec<(u64, bool)>>, live: Live<'_>) -> Option<()> {
    let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    let (ids, formats, shards) = (text("image_id")?, text("image_format")?, text("shard")?);
    let articles = text("article_accession_id")?;
    let offsets = batch.column_by_name("shard_offset")?.as_primitive_opt::<Int64Type>()?;
    for row in (0..batch.num_rows()).filter(|&row| shards.is_valid(row) && offsets.is_valid(row)) {
        let Some(starts) = starts.get_mut(shards.value(row)) else { continue };
        let format = Format::ALL.iter().find(|format| format.as_str() == formats.value(row))?;
        let id = ids.value(row);
        let name = format!("{id}.{}", format.extension());
        let start = u64::try_from(offsets.value(row)).ok()?.checked_sub(header_bytes(&name))?;
        // A dead sample takes up its room in the shard all the same.
        let is_dead = live.dead.contains(articles.value(row));
        starts.push((start, !is_dead && live.wanted.has(id)));
    }
    Some(())
}
