//! The bucket's inventory: a manifest that names compressed tables of its objects.

use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::Ordering;

use chrono::DateTime;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::MAX_LINE;
use super::name::Name;
use super::sort::{Record, Sorter};
use crate::error::{Error, Reason, Result, Stage};
use crate::store::{self, Object, StoreOptions};

pub(super) const FOLDER: &str = "inventory-reports";
const MAX_MANIFEST: u64 = 16 << 20;

#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "fileFormat")]
    format: Option<String>,
    #[serde(rename = "fileSchema")]
    schema: Option<String>,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    key: String,
}

/// Whether a location is that of a manifest, by its name.
pub(super) fn is_manifest(location: &str) -> bool {
    location.rsplit('/').next() == Some("manifest.json")
}

/// Where the articles of a manifest lie: what its folder of inventories lies in.
pub(super) fn base(manifest: &str) -> Result<String> {
    let base = manifest.find(&format!("/{FOLDER}/")).and_then(|end| manifest.get(..end));
    base.map(str::to_owned).ok_or_else(|| {
        let detail = format!("not below a folder {FOLDER}/, which lies beside the articles");
        Error::new(Stage::Open, Reason::UnsupportedFormat, detail).in_source(manifest)
    })
}

/// The newest manifest below `base`, a prefix of a store; none where no inventory is kept or shown.
pub(super) fn newest(base: &str, options: &StoreOptions) -> Result<Option<String>> {
    let mut newest: Option<(String, String)> = None;
    for entry in store::list(&format!("{base}/{FOLDER}"), options)? {
        let location = match entry {
            Ok(entry) => entry.location,
            Err(error) if matches!(error.reason(), Reason::NotFound | Reason::PermissionDenied) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(folder) = location.strip_suffix("/manifest.json") else { continue };
        let Some((report, date)) = folder.rsplit_once('/') else { continue };
        let is_newer = newest.as_ref().is_none_or(|(before, _)| before.as_str() < date);
        if report.ends_with("/metadata") && is_newer {
            newest = Some((date.to_owned(), location));
        }
    }
    Ok(newest.map(|(_, location)| location))
}

/// Pushes all versions of articles that the inventory of `manifest` has into `sorter`, its tables read line by line.
///
/// Gives an error for each table with lines that are none. An inventory that cannot be read whole is an error: what is
/// missing in it would be taken for withdrawn.
pub(super) fn read(manifest: &str, base: &str, options: &StoreOptions, sorter: &mut Sorter) -> Result<Vec<Error>> {
    let json = store::fetch(manifest, options, MAX_MANIFEST)?.wait(&options.stop)?;
    let malformed = |detail: String| Error::new(Stage::Fetch, Reason::Malformed, detail).in_source(manifest);
    let Manifest { format, schema, files } = serde_json::from_slice(&json.bytes)
        .map_err(|error| malformed(format!("no manifest of an inventory: {error}")))?;
    if let Some(format) = format.filter(|format| !format.eq_ignore_ascii_case("csv")) {
        let detail = format!("an inventory in {format}; only CSV can be read");
        return Err(Error::new(Stage::Fetch, Reason::UnsupportedFormat, detail).in_source(manifest));
    }
    let columns = Columns::of(schema.as_deref());
    let columns = columns.ok_or_else(|| malformed("an inventory without keys".to_owned()))?;
    let mut complaints = Vec::new();
    for File { key } in files {
        let location = format!("{base}/{key}");
        complaints.extend(read_table(&location, columns, options, sorter).map_err(|e| e.in_source(location))?);
    }
    Ok(complaints)
}

/// Where in a line what stands.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Columns {
    key: usize,
    modified: Option<usize>,
    etag: Option<usize>,
}

impl Columns {
    fn of(schema: Option<&str>) -> Option<Self> {
        let names: Vec<_> = schema.unwrap_or("Bucket, Key, LastModifiedDate, ETag").split(',').map(str::trim).collect();
        let place = |name| names.iter().position(|column| *column == name);
        Some(Self { key: place("Key")?, modified: place("LastModifiedDate"), etag: place("ETag") })
    }
}

fn read_table(location: &str, columns: Columns, options: &StoreOptions, sorter: &mut Sorter) -> Result<Option<Error>> {
    let io = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
            Error::new(Stage::Fetch, Reason::Corrupt, format!("a table of the inventory: {error}"))
        }
        _ => Error::io(Stage::Fetch, error),
    };
    let object = Object::open(location, options).map_err(|error| error.in_stage(Stage::Fetch))?;
    let mut lines = BufReader::with_capacity(1 << 18, MultiGzDecoder::new(object.reader(0)?));
    let mut line = Vec::new();
    let (mut offset, mut bad, mut first) = (0_u64, 0_u64, None);
    loop {
        line.clear();
        let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(|error| io(&error))?;
        if read == 0 {
            break;
        }
        if options.stop.load(Ordering::Relaxed) {
            return Err(Error::new(Stage::Fetch, Reason::Interrupted, "stopped"));
        }
        match parse(&line, columns) {
            Ok(Some(record)) => sorter.push(record)?,
            Ok(None) => {}
            Err(Malformed) => {
                bad += 1;
                first.get_or_insert(offset);
            }
        }
        offset += read as u64;
    }
    Ok(first.map(|first| {
        let detail = format!("{bad} lines of this inventory are none; this is the first, in the expanded table");
        Error::new(Stage::Open, Reason::Malformed, detail).at_offset(first).in_source(location)
    }))
}

/// A line that is none.
#[derive(Debug, PartialEq)]
struct Malformed;

/// The version of an article that a line tells of, if its object is one's metadata.
fn parse(line: &[u8], columns: Columns) -> Result<Option<Record>, Malformed> {
    let line = std::str::from_utf8(line).map_err(|_| Malformed)?.trim_end_matches(['\r', '\n']);
    let fields = fields(line).ok_or(Malformed)?;
    let field = |column: usize| fields.get(column).copied().ok_or(Malformed);
    let Some(name) = Name::of_metadata(field(columns.key)?) else { return Ok(None) };
    let modified = match columns.modified {
        Some(column) => DateTime::parse_from_rfc3339(field(column)?).map_err(|_| Malformed)?.timestamp(),
        None => 0,
    };
    let etag = match columns.etag {
        Some(column) => Some(field(column)?).filter(|etag| !etag.is_empty()).map(Into::into),
        None => None,
    };
    Ok(Some(Record { name, modified, etag }))
}

/// The fields of a line, without their quotes. No key that is looked for has a quote in it.
fn fields(mut line: &str) -> Option<Vec<&str>> {
    let mut fields = Vec::new();
    loop {
        let (field, rest) = match line.strip_prefix('"') {
            Some(quoted) => {
                let (field, rest) = quoted.split_once('"')?;
                (field, rest.strip_prefix(',').map(Some).or_else(|| rest.is_empty().then_some(None))?)
            }
            None => line.split_once(',').map_or((line, None), |(field, rest)| (field, Some(rest))),
        };
        fields.push(field);
        match rest {
            Some(rest) => line = rest,
            None => return Some(fields),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_a_version_of_an_article_or_says_that_it_is_none() {
        let columns = Columns::of(None).unwrap();
        let parse = |line: &str| parse(line.as_bytes(), columns);
        let record = parse("\"b\",\"metadata/PMC7.2.json\",\"2026-09-01T00:00:01.000Z\",\"ab12\"\n").unwrap().unwrap();
        assert_eq!(record.name, Name { number: 7, version: 2 });
        assert_eq!((record.modified, record.etag.as_deref()), (1_788_220_801, Some("ab12")));
        assert_eq!(parse("\"b\",\"metadata/\",\"2026-09-01T00:00:01.000Z\",\"ab12\""), Ok(None));
        assert!(parse("b,metadata/PMC7.2.json,2026-09-01T00:00:01Z,").unwrap().unwrap().etag.is_none());
        for bad in
            ["", "\"b\"", "\"b\",\"metadata/PMC7.2.json", "\"b\",\"metadata/PMC7.2.json\",\"soon\",\"x\"", "\"a\"b,c"]
        {
            assert_eq!(parse(bad), Err(Malformed), "{bad}");
        }
    }

    #[test]
    fn columns_are_found_by_the_schema() {
        let columns = Columns::of(Some("Bucket, Key, Size, ETag")).unwrap();
        assert_eq!(columns, Columns { key: 1, modified: None, etag: Some(3) });
        assert_eq!(Columns::of(Some("Bucket, Size")), None);
    }
}
