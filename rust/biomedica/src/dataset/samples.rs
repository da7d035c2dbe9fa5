//! The samples of a part's shards, read again by their pointers.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::manifest::PartRecord;
use super::root::Root;
use super::rows::rows;
use crate::error::{Error, Reason, Result, Stage};
use crate::image::Format;
use crate::shard::{BLOCK, header_bytes};
use crate::store::Object;
use crate::tables::Pointer;

/// Shards that are open at a time: one of each subset and format, and some to spare.
const MAX_OPEN: usize = 32;

/// So much of a shard is read at once, in one request when it lies in a store.
const WINDOW: u64 = 4 << 20;

/// The samples of one part.
pub(super) struct Samples<'a> {
    root: &'a Root,
    /// Where the samples of each shard begin, in order, and its end mark.
    starts: HashMap<String, Vec<u64>>,
    open: HashMap<String, Open>,
}

/// A shard that is being read, and what was read of it last.
struct Open {
    object: Object,
    start: u64,
    window: Bytes,
}

impl Open {
    /// The bytes of a sample, read together with those behind it, whole ones, up to a window; `starts` are those of all.
    fn read(&mut self, sample: Range<u64>, starts: &[u64]) -> Result<Bytes> {
        if let Some(bytes) = self.within(&sample) {
            return Ok(bytes);
        }
        let fitting = starts.partition_point(|&start| start <= sample.start + WINDOW);
        let end = starts.get(..fitting).and_then(<[u64]>::last).copied().unwrap_or(0).max(sample.end);
        self.window = self.object.read(sample.start..end)?;
        self.start = sample.start;
        let short = || Error::new(Stage::Open, Reason::Truncated, "the shard ends within a sample; verify the dataset");
        self.within(&sample).ok_or_else(short)
    }

    fn within(&self, sample: &Range<u64>) -> Option<Bytes> {
        let at = |place: u64| usize::try_from(place.checked_sub(self.start)?).ok();
        let range = at(sample.start)?..at(sample.end)?;
        (range.end <= self.window.len()).then(|| self.window.slice(range))
    }
}

/// The bytes of one sample.
pub(super) struct Found {
    location: String,
    bytes: Bytes,
    image: Range<usize>,
    caption: Range<usize>,
    json: Range<usize>,
    shard: String,
    offset: u64,
}

impl<'a> Samples<'a> {
    /// Learns from its figures table where all samples of a part begin.
    pub(super) fn of(root: &'a Root, part: &PartRecord, figures: &str) -> Result<Self> {
        let mut starts: HashMap<String, Vec<u64>> = HashMap::new();
        for file in part.files.iter().filter(|file| file.path.starts_with("shards/")) {
            starts.insert(file.path.clone(), vec![file.num_bytes.saturating_sub(2 * BLOCK as u64)]);
        }
        for batch in rows(root, figures, &["image_id", "image_format", "shard", "shard_offset"])? {
            let batch = batch?;
            let (ids, formats) = (batch.texts("image_id")?, batch.texts("image_format")?);
            let (shards, offsets) = (batch.texts("shard")?, batch.longs("shard_offset")?);
            for row in 0..batch.len() {
                let Some(starts) = shards.get(row).and_then(|shard| starts.get_mut(shard)) else { continue };
                let format = Format::ALL.iter().find(|format| Some(format.as_str()) == formats.get(row));
                let start = format.zip(ids.get(row)).zip(offsets.get::<u64>(row)).and_then(|((format, id), offset)| {
                    offset.checked_sub(header_bytes(&format!("{id}.{}", format.extension())))
                });
                starts.push(start.ok_or_else(|| batch.wrong("a pair whose place cannot be told"))?);
            }
        }
        for starts in starts.values_mut() {
            starts.sort_unstable();
        }
        Ok(Self { root, starts, open: HashMap::new() })
    }

    /// The sample of an image by its pointer.
    pub(super) fn read(&mut self, shard: &str, offset: u64, id: &str, format: Format) -> Result<Found> {
        let location = self.root.location(shard);
        let wrong = |what: &str| {
            Error::new(Stage::Open, Reason::Corrupt, format!("{what}; verify the dataset"))
                .in_source(&location)
                .in_member(id)
                .at_offset(offset)
        };
        let name = format!("{id}.{}", format.extension());
        let start = offset.saturating_sub(header_bytes(&name));
        let starts = self.starts.get(shard).ok_or_else(|| wrong("the shard is in no record"))?;
        let end = starts.get(starts.partition_point(|&other| other <= start)).copied();
        let end = end.ok_or_else(|| wrong("the sample is beyond the shard's end"))?;
        if self.open.len() >= MAX_OPEN {
            self.open.clear();
        }
        if !self.open.contains_key(shard) {
            let open = Open { object: self.root.object(shard)?, start: 0, window: Bytes::new() };
            self.open.insert(shard.to_owned(), open);
        }
        let open = self.open.get_mut(shard).ok_or_else(|| wrong("the shard is not open"))?;
        let bytes = open.read(start..end, starts)?;
        let mut at = 0;
        let mut next =
            |name: &str| member(&bytes, &mut at, name).ok_or_else(|| wrong("not the sample that is recorded"));
        let (image, caption) = (next(&name)?, next(&format!("{id}.txt"))?);
        let json = next(&format!("{id}.json"))?;
        Ok(Found { location, image, caption, json, bytes, shard: shard.to_owned(), offset })
    }
}

impl Found {
    fn get(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    pub(super) fn image(&self) -> &[u8] {
        self.get(&self.image)
    }

    pub(super) fn caption(&self) -> &[u8] {
        self.get(&self.caption)
    }

    /// Its JSON with another pointer. The old one is found by its bytes: a quote within a text has a backslash before
    /// it, so that they are nowhere else.
    pub(super) fn json(&self, to: &Pointer) -> Result<Vec<u8>> {
        let text = |shard: &str, offset: u64| format!("\"shard\":\"{shard}\",\"shard_offset\":{offset},").into_bytes();
        let (json, old) = (self.get(&self.json), text(&self.shard, self.offset));
        let at = json.windows(old.len()).position(|window| window == old);
        let parts = at.and_then(|at| Some((json.get(..at)?, json.get(at + old.len()..)?)));
        let (before, after) = parts.ok_or_else(|| {
            let detail = "the sample's JSON does not say where its image lies; verify the dataset";
            Error::new(Stage::Open, Reason::Corrupt, detail).in_source(&self.location).at_offset(self.offset)
        })?;
        Ok([before, &text(&to.shard, to.offset), after].concat())
    }
}

/// Where the bytes of the member `name` lie that begins at `at`, which goes on to the next one.
fn member(bytes: &[u8], at: &mut usize, name: &str) -> Option<Range<usize>> {
    let start = at.checked_add(usize::try_from(header_bytes(name)).ok()?)?;
    let header = bytes.get(start.checked_sub(BLOCK)?..start)?;
    let field = name.as_bytes().get(..100).unwrap_or(name.as_bytes());
    let is_named = header.starts_with(field) && (field.len() == 100 || header.get(field.len()) == Some(&0));
    let digits = std::str::from_utf8(header.get(124..135)?).ok().filter(|_| is_named)?;
    let end = start.checked_add(usize::from_str_radix(digits, 8).ok()?)?;
    *at = end.checked_next_multiple_of(BLOCK)?;
    (end <= bytes.len()).then_some(start..end)
}
