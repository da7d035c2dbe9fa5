//! Gzip: whole in one go where that is sound, else as a stream that knows how far it came.

use std::io::{self, BufRead, Read};

use arrow_buffer::Buffer;
use flate2::bufread::GzDecoder;
use libdeflater::{Decompressor, crc32};

use super::pool::Pool;
use crate::error::{Error, Reason, Stage};
use crate::limits::Limits;

/// Length of the checksum and size behind the compressed data.
const TRAILER: usize = 8;
/// `deflate` cannot expand further than this.
const MAX_DEFLATE_RATIO: usize = 1032;

pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Inflates a gzip that is one sound member and nothing else, to at most `limit` bytes.
///
/// None for all others, which [`Gunzip`] then reads to the point where they break. The size in the trailer is exact or
/// the gzip is none of ours, so no second attempt with a larger buffer could succeed.
pub(super) fn whole(
    gzip: &[u8],
    limit: u64,
    limits: &Limits,
    decompressor: &mut Decompressor,
    pool: &Pool,
) -> Option<Buffer> {
    let (body, trailer) = gzip.split_at_checked(gzip.len().checked_sub(TRAILER)?)?;
    let (checksum, size) = trailer.split_first_chunk()?;
    let size = u32::from_le_bytes(*size.first_chunk()?);
    let len = usize::try_from(size).ok()?;
    let fits = u64::from(size) <= limit && len / MAX_DEFLATE_RATIO <= gzip.len();
    if !fits || beyond(u64::from(size), gzip.len() as u64, limits).is_some() {
        return None;
    }
    let data = body.get(header_len(body)?..)?;
    let buffer =
        pool.fill(len, |out| decompressor.deflate_decompress(data, out).ok().filter(|&filled| filled == len))?;
    // The checksum in the last bytes is that of what came out, so the member ends there...
    if crc32(&buffer) != u32::from_le_bytes(*checksum) {
        return None;
    }
    // ...unless it ended earlier, with the same trailer: a second member of the same contents.
    (memchr::memmem::find(gzip, trailer)? == body.len()).then_some(buffer)
}

/// Length of a gzip member's header.
fn header_len(gzip: &[u8]) -> Option<usize> {
    const CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let [0x1f, 0x8b, 8, flags] = gzip.first_chunk()? else { return None };
    if flags & 0xe0 != 0 {
        return None;
    }
    let mut at = 10;
    if flags & EXTRA != 0 {
        at += 2 + usize::from(u16::from_le_bytes(*gzip.get(at..)?.first_chunk()?));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            at += memchr::memchr(0, gzip.get(at..)?)? + 1;
        }
    }
    Some(if flags & CHECKSUM != 0 { at + 2 } else { at })
}

/// Why so many bytes out of so few are too many, if they are.
fn beyond(produced: u64, compressed: u64, limits: &Limits) -> Option<Error> {
    let (reason, detail) = if produced > limits.package_bytes {
        (Reason::TooLarge, format!("expands beyond the limit of {} bytes", limits.package_bytes))
    } else if produced > Limits::RATIO_FLOOR && produced / limits.expansion_ratio.max(1) > compressed {
        (Reason::Bomb, format!("expands more than {} times", limits.expansion_ratio))
    } else {
        return None;
    };
    Some(Error::new(Stage::Inflate, reason, detail))
}

/// A gzip stream of one or more members. Its errors are [`Error`]s within, at their byte of the compressed file.
pub(super) struct Gunzip<'a, R> {
    decoder: GzDecoder<Counted<R>>,
    ended: bool,
    produced: u64,
    /// Size of the whole compressed file.
    compressed: u64,
    limits: &'a Limits,
}

impl<'a, R: BufRead> Gunzip<'a, R> {
    pub(super) fn new(reader: R, compressed: u64, limits: &'a Limits) -> Self {
        let decoder = GzDecoder::new(Counted { reader: Some(reader), at: 0 });
        Self { decoder, ended: false, produced: 0, compressed, limits }
    }

    /// Moves to the next member; false when there is none. Zeros behind a member are padding.
    fn next_member(&mut self) -> io::Result<bool> {
        let input = self.decoder.get_mut();
        loop {
            let bytes = input.fill_buf()?;
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            let next = bytes.get(zeros).copied();
            let is_end = bytes.is_empty();
            input.consume(zeros);
            match next {
                Some(0x1f) => break,
                Some(_) => return Err(fault(input.at, Reason::Corrupt, "what follows the gzip data is no gzip")),
                None if is_end => return Ok(false),
                None => {}
            }
        }
        // Resetting takes the reader anew; the decoder's tables are used again.
        let input = std::mem::replace(input, Counted { reader: None, at: 0 });
        self.decoder.reset(input);
        Ok(true)
    }

    fn step(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.decoder.read(into).map_err(|error| self.explain(error))?;
            if read == 0 && self.next_member()? {
                continue;
            }
            self.produced += read as u64;
            let at = self.decoder.get_ref().at;
            return match beyond(self.produced, self.compressed, self.limits) {
                Some(error) => Err(io::Error::other(error.at_offset(at))),
                None => Ok(read),
            };
        }
    }

    fn explain(&self, error: io::Error) -> io::Error {
        let at = self.decoder.get_ref().at;
        match error.kind() {
            io::ErrorKind::UnexpectedEof => fault(at, Reason::Truncated, "the gzip data ends in the middle"),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                fault(at, Reason::Corrupt, &format!("not sound gzip data: {error}"))
            }
            _ => error,
        }
    }
}

impl<R: BufRead> Read for Gunzip<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ended || into.is_empty() {
            return Ok(0);
        }
        let result = self.step(into);
        self.ended = !matches!(result, Ok(1..));
        result
    }
}

fn fault(at: u64, reason: Reason, detail: &str) -> io::Error {
    io::Error::other(Error::new(Stage::Inflate, reason, detail).at_offset(at))
}

/// A reader that counts what was taken from it.
struct Counted<R> {
    reader: Option<R>,
    at: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.as_mut().map_or(Ok(0), |reader| reader.read(into))?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.as_mut().map_or(Ok(&[]), BufRead::fill_buf)
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount as u64;
        if let Some(reader) = &mut self.reader {
            reader.consume(amount);
        }
    }
}
