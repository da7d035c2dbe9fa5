//! Parquet from wherever objects are read.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use crate::error::Result;
use crate::store::Object;

/// A table of a store is fetched whole when it is no larger: a request for each of its pages would take longer.
const MAX_WHOLE: u64 = 64 << 20;
/// What is read at once of a sequence: mostly a page's header, which is small.
const PIECE: u64 = 16 << 10;

/// A file or object as Parquet's reader asks for it.
#[derive(Debug, Clone)]
pub(crate) enum Chunks {
    Whole(Bytes),
    Ranged(Object),
}

impl Chunks {
    pub(super) fn open(object: Object) -> Result<Self> {
        let is_whole = !object.is_local() && object.size() <= MAX_WHOLE;
        Ok(if is_whole { Self::Whole(object.read(0..object.size())?) } else { Self::Ranged(object) })
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Ranged(object) => object.size(),
        }
    }
}

impl ChunkReader for Chunks {
    type T = Sequence;

    fn get_read(&self, start: u64) -> ParquetResult<Sequence> {
        Ok(Sequence { chunks: self.clone(), at: start, piece: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::Whole(bytes) => bytes.get_bytes(start, length),
            Self::Ranged(object) => {
                let end = start.saturating_add(length as u64);
                object.read(start..end).map_err(|error| ParquetError::External(Box::new(io::Error::from(error))))
            }
        }
    }
}

/// Bytes from one place on.
#[derive(Debug)]
pub(crate) struct Sequence {
    chunks: Chunks,
    at: u64,
    piece: Bytes,
}

impl Read for Sequence {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            let end = self.chunks.len().min(self.at.saturating_add(PIECE));
            let length = usize::try_from(end.saturating_sub(self.at)).unwrap_or(0);
            self.piece = self.chunks.get_bytes(self.at, length).map_err(io::Error::other)?;
            self.at = end;
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
