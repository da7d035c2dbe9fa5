//! A tar or tar.gz as a package, in memory or from disk, whichever its size asks for.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow::{self, Continue};
use std::path::Path;

use arrow_buffer::Buffer;

use super::group::Groups;
use super::inflate::{self, Gunzip, is_gzip};
use super::stream::{Source, Stream, Whole, unwrap};
use super::{Report, Scratch, tar};
use crate::error::{Error, Reason, Result, Stage};
use crate::limits::Limits;

/// How much of a large file is read at a time.
const READ_AHEAD: usize = 256 << 10;

/// Reads the archive at `path`; `name` names an article at its top.
pub(super) fn read(
    path: &Path,
    name: &str,
    limits: &Limits,
    scratch: &mut Scratch,
    report: &mut Report<'_>,
) -> ControlFlow<()> {
    match open(path, scratch) {
        Ok(Opened::Bytes(bytes)) => read_bytes(bytes, name, limits, scratch, report),
        Ok(Opened::File(file, num_bytes)) => stream(file, num_bytes, name, limits, report),
        Err(error) => report.failure(error),
    }
}

/// Reads an archive of `num_bytes` as it comes, member by member.
pub(super) fn stream(
    reader: impl Read,
    num_bytes: u64,
    name: &str,
    limits: &Limits,
    report: &mut Report<'_>,
) -> ControlFlow<()> {
    let mut reader = BufReader::with_capacity(READ_AHEAD, reader);
    match reader.fill_buf() {
        Ok(head) if is_gzip(head) => {
            members(&mut Stream::new(Gunzip::new(reader, num_bytes, limits)), name, limits, report)
        }
        Ok(head) => match other_format(head) {
            Some(error) => report.failure(error),
            None => members(&mut Stream::new(reader), name, limits, report),
        },
        Err(error) => report.failure(unwrap(error)),
    }
}

/// Reads an archive in memory.
pub(super) fn read_bytes(
    bytes: Buffer,
    name: &str,
    limits: &Limits,
    scratch: &mut Scratch,
    report: &mut Report<'_>,
) -> ControlFlow<()> {
    if bytes.is_empty() {
        return report.failure(empty());
    }
    if let Some(error) = other_format(&bytes) {
        return report.failure(error);
    }
    let whole_buffer = scratch.whole_buffer;
    if !is_gzip(&bytes) {
        return if whole_buffer > 0 {
            members(&mut Whole::new(bytes), name, limits, report)
        } else {
            members(&mut Stream::new(&*bytes), name, limits, report)
        };
    }
    match inflate::whole(&bytes, whole_buffer, limits, &mut scratch.decompressor, &scratch.pool) {
        Some(tar) => {
            drop(bytes);
            members(&mut Whole::new(tar), name, limits, report)
        }
        None => members(&mut Stream::new(Gunzip::new(&*bytes, bytes.len() as u64, limits)), name, limits, report),
    }
}

enum Opened {
    /// An ordinary package, read whole.
    Bytes(Buffer),
    /// A large one, to be streamed, with its size.
    File(fs::File, u64),
}

fn open(path: &Path, scratch: &Scratch) -> Result<Opened> {
    let fail = |error: std::io::Error| Error::io(Stage::Open, &error);
    // Opening a FIFO would wait for its writer.
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(Error::new(Stage::Open, Reason::UnsupportedFormat, "not a file"));
    }
    let mut file = fs::File::open(path).map_err(fail)?;
    let num_bytes = file.metadata().map_err(fail)?.len();
    if num_bytes > scratch.whole_buffer {
        return Ok(Opened::File(file, num_bytes));
    }
    let len = usize::try_from(num_bytes).unwrap_or(0);
    let mut failed = None;
    let bytes = scratch.pool.fill(len, |mut bytes| {
        let mut filled = 0;
        while !bytes.is_empty() {
            match file.read(bytes) {
                Ok(0) => break,
                Ok(read) => {
                    filled += read;
                    bytes = bytes.get_mut(read..)?;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failed = Some(error);
                    return None;
                }
            }
        }
        Some(filled)
    });
    match (bytes, failed) {
        (Some(bytes), _) => Ok(Opened::Bytes(bytes)),
        (None, Some(error)) => Err(fail(error)),
        (None, None) => Err(empty()),
    }
}

fn empty() -> Error {
    Error::new(Stage::Open, Reason::Empty, "an empty file")
}

/// Names what a file is that is neither gzip nor tar.
fn other_format(head: &[u8]) -> Option<Error> {
    let format = match head {
        [b'P', b'K', 3 | 5, ..] => "zip",
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "bzip2",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "xz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        _ => return None,
    };
    // A tar may begin with any letters; only its header's checksum is certain.
    let is_tar = head.first_chunk().is_some_and(|block| super::header::Header::parse(block).is_ok());
    (!is_tar).then(|| Error::new(Stage::Open, Reason::UnsupportedFormat, format!("{format}; only gzip can be read")))
}

fn members<S: Source>(source: &mut S, name: &str, limits: &Limits, report: &mut Report<'_>) -> ControlFlow<()> {
    let mut groups = Groups::new(name, limits, Stage::Tar);
    let end = tar::read(source, limits, &mut |member| match member {
        Ok(file) => groups.push(file, report),
        Err(error) => {
            groups.lost(&error);
            report.failure(error)
        }
    });
    let is_whole = match end {
        Ok(step) => {
            step?;
            true
        }
        Err(fault) => {
            report.failure(fault)?;
            false
        }
    };
    groups.finish(is_whole, report)?;
    Continue(())
}
