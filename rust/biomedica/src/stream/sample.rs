//! A sample: its bytes as they lie in the shard, and where its members are in them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::group::split;
use super::members::{Memory, Walk};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::extension;

/// Members of one sample.
const MAX_MEMBERS: usize = 1024;

/// One sample of a shard.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The turn of its epoch in which it came.
    pub position: u64,
    /// The epoch.
    pub epoch: u64,
    /// Steps along the lane from the sample whose turn it was: not 0 when this one stands in for it.
    pub steps: u64,
    /// The shard, as it was named.
    pub shard: Arc<str>,
    /// Where it begins in the shard.
    pub offset: u64,
    /// The name of its members up to the first dot.
    pub key: String,
    bytes: Bytes,
    members: Vec<(String, Range<usize>)>,
    image: usize,
}

impl Sample {
    /// Reads the headers of a sample that lies in `bytes`, which begin at byte `offset` of `shard`.
    ///
    /// Fails when they are no tar members, or none of them is an image.
    pub fn parse(bytes: Bytes, shard: &Arc<str>, offset: u64) -> Result<Self> {
        let place = |error: Error| error.in_source(shard.as_ref()).at_offset(offset);
        let mut walk = Walk::new(Memory::new(&bytes, offset), MAX_MEMBERS);
        let mut key = String::new();
        let mut members: Vec<(String, Range<usize>)> = Vec::with_capacity(4);
        while let Some(member) = walk.next().map_err(place)? {
            let Some((own, extension)) = split(&member.name) else { continue };
            let extension = extension.to_lowercase();
            // What an index leaves out may lie before a sample, so that the last one in the bytes is meant.
            if own != key || members.iter().any(|(other, _)| *other == extension) {
                members.clear();
                own.clone_into(&mut key);
            }
            let start = usize::try_from(member.data - offset).unwrap_or(usize::MAX);
            let range = start..start.saturating_add(usize::try_from(member.size).unwrap_or(usize::MAX));
            if bytes.get(range.clone()).is_none() {
                let detail = "the sample ends within this member";
                return Err(place(Error::new(Stage::Tar, Reason::Truncated, detail).in_member(member.name)));
            }
            members.push((extension, range));
        }
        let lost = |reason, detail: &str| Err(place(Error::new(Stage::Image, reason, detail).in_member(key.clone())));
        let Some(image) = members.iter().position(|(extension, _)| is_image(extension)) else {
            return lost(Reason::NotFound, "the sample has no image");
        };
        if members.get(image).is_none_or(|(_, range)| range.is_empty()) {
            return lost(Reason::Empty, "the sample's image has no bytes");
        }
        Ok(Self { position: 0, epoch: 0, steps: 0, shard: Arc::clone(shard), offset, key, bytes, members, image })
    }

    /// The bytes of the member with this extension.
    pub fn get(&self, extension: &str) -> Option<Bytes> {
        let (_, range) = self.members.iter().find(|(own, _)| own == extension)?;
        Some(self.bytes.slice(range.clone()))
    }

    /// The encoded image: the first member with an image's extension.
    pub fn image(&self) -> Bytes {
        self.members.get(self.image).map(|(_, range)| self.bytes.slice(range.clone())).unwrap_or_default()
    }

    /// What follows the first dot of its members' names, in their order.
    pub fn extensions(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(extension, _)| extension.as_str())
    }

    /// Bytes that it keeps in memory.
    pub fn num_bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// Whether a member with this extension is an image: `jpg`, but also `seg.png`.
fn is_image(extension: &str) -> bool {
    extension::is_known(extension.rsplit('.').next().unwrap_or(extension))
}
