//! The shards of one part in the making.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::{Output, Sealed, at};
use super::manifest::{FileRecord, PartRecord};
use super::place::Place;
use crate::error::Result;
use crate::image::Format;
use crate::jats::Subset;
use crate::shard::Tar;
use crate::tables::Pointer;

/// Shards that take samples, by licence subset.
#[derive(Debug)]
pub(super) struct Shards {
    place: Place,
    part: u32,
    /// The shards that still take samples. Each holds one image format: Hugging Face `datasets` refuses a tar whose
    /// first samples have members of different names, and takes every later sample to have the first one's.
    open: BTreeMap<(Subset, Format), Shard>,
    sealed: BTreeMap<String, (FileRecord, Sealed)>,
    next: BTreeMap<Subset, u32>,
}

#[derive(Debug)]
struct Shard {
    path: Arc<str>,
    tar: Tar<Output>,
    samples: u64,
}

/// What a sample holds beside its JSON.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub subset: Subset,
    pub format: Format,
    pub id: &'a str,
    pub image: &'a [u8],
    pub caption: &'a [u8],
}

impl Shards {
    /// None yet, of the part of this number.
    pub(super) fn new(place: &Place, part: u32) -> Self {
        let (open, sealed, next) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { place: place.clone(), part, open, sealed, next }
    }

    /// Bytes of samples so far.
    pub(super) fn num_bytes(&self) -> u64 {
        let open: u64 = self.open.values().map(|shard| shard.tar.position()).sum();
        open + self.sealed.values().map(|(record, _)| record.num_bytes).sum::<u64>()
    }

    /// Writes a sample into the open shard of its kind and says where its image lies. `json` is told so first.
    pub(super) fn add(
        &mut self,
        sample: &Sample<'_>,
        json: impl FnOnce(&Pointer) -> Result<Vec<u8>>,
    ) -> Result<Pointer> {
        let Sample { subset, format, id, image, caption } = *sample;
        let key = (subset, format);
        let mut shard = match self.open.remove(&key) {
            Some(shard) => shard,
            None => self.open(subset)?,
        };
        let name = format!("{id}.{}", format.extension());
        let offset = shard.tar.next_offset(&name);
        let pointer = Pointer { shard: Arc::clone(&shard.path), offset, length: image.len() as u64 };
        let json = json(&pointer)?;
        for (name, bytes) in [(name, image), (format!("{id}.txt"), caption), (format!("{id}.json"), &json)] {
            at(&self.place.path(&shard.path), shard.tar.append(&name, bytes))?;
        }
        shard.samples += 1;
        if shard.samples >= self.place.options().samples_per_shard as u64 {
            // Wait, lest small shards be finished faster than the disk takes them.
            self.seal(format, shard)?.wait()?;
        } else {
            self.open.insert(key, shard);
        }
        Ok(pointer)
    }

    fn open(&mut self, subset: Subset) -> Result<Shard> {
        let number = self.next.entry(subset).or_default();
        let path = format!("shards/{subset}/{}-{number:04}.tar", PartRecord::stem(self.part));
        *number += 1;
        let tar = Tar::new(self.place.root().output(&path)?);
        Ok(Shard { path: path.into(), tar, samples: 0 })
    }

    fn seal(&mut self, format: Format, shard: Shard) -> Result<&mut Sealed> {
        let path = shard.path.to_string();
        let sealed = at(&self.place.path(&path), shard.tar.finish())?.seal()?;
        let record = FileRecord::new(&path, &sealed, shard.samples, Some(format));
        let (_, sealed) = self.sealed.entry(path).insert_entry((record, sealed)).into_mut();
        Ok(sealed)
    }

    /// Ends all shards.
    pub(super) fn finish(mut self) -> Result<impl Iterator<Item = (FileRecord, Sealed)>> {
        for ((_, format), shard) in std::mem::take(&mut self.open) {
            self.seal(format, shard)?;
        }
        Ok(self.sealed.into_values())
    }
}
