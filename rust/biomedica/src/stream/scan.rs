//! The samples of a tar without an index, found by its headers: on disk little else is read; in a store, where each
//! read is a request, all of it is.

use std::io::{self, Read};

use super::group::{Group, Grouper};
use super::members::{Input, Walk};
use crate::error::{Error, Reason, Result, Stage};
use crate::store::Object;

/// What is read around a header: captions and JSON are small, so that their headers are mostly in it too.
const CHUNK: u64 = 8 << 10;
/// Members of one shard looked at.
pub(super) const MAX_MEMBERS: usize = 1 << 24;

/// Hands the whole samples of the tar to `visit`, in order. Gives what was wrong with the tar after them, if anything.
pub(super) fn scan(object: &Object, visit: &mut dyn FnMut(Group)) -> Option<Error> {
    if object.is_local() {
        return walk(Positioned::new(object), object, visit);
    }
    match object.reader(0) {
        Ok(reader) => walk(Passing { reader, at: 0 }, object, visit),
        Err(error) => Some(error),
    }
}

fn walk(input: impl Input, object: &Object, visit: &mut dyn FnMut(Group)) -> Option<Error> {
    let mut walk = Walk::new(input, MAX_MEMBERS);
    let mut grouper = Grouper::default();
    let error = loop {
        match walk.next() {
            Ok(Some(member)) => {
                if let Some(group) = grouper.push(member) {
                    visit(group);
                }
            }
            Ok(None) if walk.is_ended() => {
                if let Some(group) = grouper.finish() {
                    visit(group);
                }
                return None;
            }
            Ok(None) => {
                let detail = "the tar ends without its end mark: it may be cut";
                break Error::new(Stage::Tar, Reason::Truncated, detail).at_offset(walk.input.position());
            }
            Err(error) => break error,
        }
    };
    match grouper.finish_cut(error.member()) {
        Ok(group) => {
            group.into_iter().for_each(visit);
            Some(error.in_source(object.location()))
        }
        Err(key) => Some(error.in_source(object.location()).in_member(key)),
    }
}

/// A local tar, of which only the neighbourhood of headers is read.
struct Positioned<'a> {
    object: &'a Object,
    at: u64,
    chunk: bytes::Bytes,
    chunk_start: u64,
}

impl<'a> Positioned<'a> {
    fn new(object: &'a Object) -> Self {
        Self { object, at: 0, chunk: bytes::Bytes::new(), chunk_start: 0 }
    }

    /// What is in memory from here on.
    fn ready(&self) -> &[u8] {
        let from = self.at.checked_sub(self.chunk_start).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.chunk.get(from..)).unwrap_or_default()
    }
}

impl Input for Positioned<'_> {
    fn position(&self) -> u64 {
        self.at
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = self.object.size().saturating_sub(self.at);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if self.ready().len() < wanted {
            let end = self.at + left.min(CHUNK.max(wanted as u64));
            self.chunk = self.object.read(self.at..end)?;
            self.chunk_start = self.at;
        }
        if let (Some(to), Some(from)) = (buffer.get_mut(..wanted), self.ready().get(..wanted)) {
            to.copy_from_slice(from);
        }
        self.at += wanted as u64;
        Ok(wanted)
    }

    fn skip(&mut self, count: u64) -> Result<bool> {
        let size = self.object.size();
        let end = self.at.checked_add(count).filter(|&end| end <= size);
        self.at = end.unwrap_or(size);
        Ok(end.is_some())
    }
}

/// A tar that goes by once.
struct Passing {
    reader: Box<dyn Read + Send>,
    at: u64,
}

impl Passing {
    fn lost(&self, error: &io::Error) -> Error {
        Error::io(Stage::Fetch, error).at_offset(self.at)
    }
}

impl Input for Passing {
    fn position(&self) -> u64 {
        self.at
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }

    fn skip(&mut self, count: u64) -> Result<bool> {
        let skipped = io::copy(&mut self.reader.by_ref().take(count), &mut io::sink());
        let skipped = skipped.map_err(|error| self.lost(&error))?;
        self.at += skipped;
        Ok(skipped == count)
    }
}
