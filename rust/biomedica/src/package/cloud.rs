//! A version of an article in the layout of the cloud bucket, on disk: a mirror of it.

use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::metadata::MAX_METADATA;
use super::{Metadata, Report, directory, file, file_name};
use crate::error::{Error, Result, Stage};
use crate::limits::Limits;

/// Reads the article whose files are in the directory at `path`. Without its metadata it is not read: its licence
/// and whether it was retracted would not be known.
pub(super) fn read(path: &Path, limits: &Limits, report: &mut Report<'_>) -> ControlFlow<()> {
    let name = file_name(path);
    match metadata(path, &name) {
        Ok(metadata) => report.metadata = Some(Arc::new(metadata)),
        Err(error) => return report.failure(error.in_member(member(&name))),
    }
    directory::read(path, limits, report)
}

/// The metadata of the article `name`, relative to where the articles lie.
pub(crate) fn member(name: &str) -> String {
    format!("metadata/{name}.json")
}

fn metadata(path: &Path, name: &str) -> Result<Metadata> {
    let at = path.parent().unwrap_or_else(|| Path::new("")).join(member(name));
    let mut json = Vec::new();
    fs::File::open(at)
        .and_then(|file| file.take(MAX_METADATA + 1).read_to_end(&mut json))
        .map_err(|error| Error::io(Stage::Open, &error))?;
    if json.len() as u64 > MAX_METADATA {
        return Err(file::too_large(Stage::Open, MAX_METADATA));
    }
    Metadata::parse(&json)
}
