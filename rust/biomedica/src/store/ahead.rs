//! A remote object in sequence: while one piece is read, the next is on its way.

use std::io::{self, Read};

use bytes::{Buf, Bytes};

use super::net::Pending;
use super::remote::{ObjectDigest, Remote};
use crate::error::Error;

/// Large enough that a request's latency is small beside it; two of them are what a reader holds.
const PIECE: u64 = 4 << 20;

pub(super) struct ReadAhead {
    remote: Remote,
    piece: Bytes,
    next: Option<Pending<Bytes>>,
    /// Where the piece after `next` begins.
    offset: u64,
    digest: ObjectDigest,
}

impl ReadAhead {
    pub(super) fn new(remote: Remote, offset: u64) -> Self {
        let digest = remote.digest(offset);
        Self { remote, piece: Bytes::new(), next: None, offset, digest }
    }

    fn request(&mut self) -> Result<(), Error> {
        let end = self.remote.size().min(self.offset.saturating_add(PIECE));
        if self.offset < end {
            self.next = Some(self.remote.start(self.offset..end)?);
            self.offset = end;
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), Error> {
        if self.next.is_none() {
            self.request()?;
        }
        if let Some(pending) = self.next.take() {
            self.piece = pending.wait(self.remote.stop())?;
            self.digest.update(&self.piece);
            let end = self.offset;
            self.request()?;
            if self.next.is_none() {
                self.digest.check(end)?;
            }
        }
        Ok(())
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            self.advance()?;
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
