//! Where a tar's bytes come from: a buffer that holds all of them, or a reader.

use std::io::{self, Read};

use arrow_buffer::Buffer;

use super::header::BLOCK;
use crate::error::{Error, Result, Stage};

/// The bytes of a tar, in order.
pub(super) trait Source {
    /// How many bytes came before.
    fn position(&self) -> u64;

    /// Reads a header; gives how much of it there was.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<usize>;

    /// The next `len` bytes, or `lost` when there are fewer.
    fn take(&mut self, len: u64, lost: Error) -> Result<Buffer>;

    /// Passes over `len` bytes, or gives `lost` when there are fewer.
    fn skip(&mut self, len: u64, lost: Error) -> Result<()>;

    /// Passes over what fills the last block of a member of `len` bytes; at the end of a tar it may be missing.
    fn pad(&mut self, len: u64) -> Result<()>;

    /// Reads to the end.
    fn drain(&mut self) -> Result<()>;
}

fn padding(len: u64) -> u64 {
    len.wrapping_neg() % BLOCK as u64
}

/// A tar in memory. Members are slices of it.
pub(super) struct Whole {
    tar: Buffer,
    at: usize,
}

impl Whole {
    pub(super) fn new(tar: Buffer) -> Self {
        Self { tar, at: 0 }
    }

    /// Moves on by at most `len`; gives from where and how far.
    fn advance(&mut self, len: u64) -> (usize, usize) {
        let from = self.at;
        let left = self.tar.len() - from;
        let len = usize::try_from(len).map_or(left, |len| len.min(left));
        self.at += len;
        (from, len)
    }
}

impl Source for Whole {
    fn position(&self) -> u64 {
        self.at as u64
    }

    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<usize> {
        let (from, len) = self.advance(BLOCK as u64);
        if let (Some(block), Some(bytes)) = (block.get_mut(..len), self.tar.get(from..from + len)) {
            block.copy_from_slice(bytes);
        }
        Ok(len)
    }

    fn take(&mut self, len: u64, lost: Error) -> Result<Buffer> {
        let (from, there) = self.advance(len);
        if there as u64 == len { Ok(self.tar.slice_with_length(from, there)) } else { Err(lost) }
    }

    fn skip(&mut self, len: u64, lost: Error) -> Result<()> {
        if self.advance(len).1 as u64 == len { Ok(()) } else { Err(lost) }
    }

    fn pad(&mut self, len: u64) -> Result<()> {
        self.advance(padding(len));
        Ok(())
    }

    fn drain(&mut self) -> Result<()> {
        self.at = self.tar.len();
        Ok(())
    }
}

/// A tar that streams in. Each member gets a buffer of its own, so that memory is bounded by what is kept.
pub(super) struct Stream<R> {
    reader: R,
    at: u64,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, at: 0 }
    }

    fn pass_over(&mut self, len: u64) -> Result<u64> {
        let passed = io::copy(&mut self.reader.by_ref().take(len), &mut io::sink()).map_err(unwrap)?;
        self.at += passed;
        Ok(passed)
    }
}

/// The error that a reader of this crate wrapped to get it through `io::Read`, else one for what the system said.
pub(super) fn unwrap(error: io::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(|error| Error::io(Stage::Open, &error))
}

impl<R: Read> Source for Stream<R> {
    fn position(&self) -> u64 {
        self.at
    }

    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unwrap(error)),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }

    fn take(&mut self, len: u64, lost: Error) -> Result<Buffer> {
        /// A size is only a claim: no more than this is set aside for it before the bytes are there.
        const BELIEVED: u64 = 4 << 20;
        let mut bytes = Vec::with_capacity(usize::try_from(len.min(BELIEVED)).unwrap_or(0));
        let read = self.reader.by_ref().take(len).read_to_end(&mut bytes).map_err(unwrap)?;
        self.at += read as u64;
        if read as u64 == len { Ok(Buffer::from_vec(bytes)) } else { Err(lost) }
    }

    fn skip(&mut self, len: u64, lost: Error) -> Result<()> {
        if self.pass_over(len)? == len { Ok(()) } else { Err(lost) }
    }

    fn pad(&mut self, len: u64) -> Result<()> {
        self.pass_over(padding(len)).map(|_| ())
    }

    fn drain(&mut self) -> Result<()> {
        self.pass_over(u64::MAX).map(|_| ())
    }
}
