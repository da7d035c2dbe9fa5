//! Files on disk, read by position.

mod pool;

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pool::Buffer;

use crate::error::{Error, Reason, Result, Stage};

const READ_BUFFER: usize = 1 << 20;

#[derive(Debug, Clone)]
pub(super) struct LocalFile {
    file: Arc<File>,
    location: Arc<str>,
    size: u64,
}

impl LocalFile {
    pub(super) fn open(location: &str) -> Result<Self> {
        let open = || {
            let file = File::open(Path::new(location))?;
            let size = file.metadata()?.len();
            Ok((file, size))
        };
        let (file, size) = open().map_err(|error| Error::io(Stage::Open, &error).in_source(location))?;
        Ok(Self { file: Arc::new(file), location: location.into(), size })
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let failed = |error: &std::io::Error| {
            Error::io(Stage::Fetch, error).in_source(self.location.as_ref()).at_offset(range.start)
        };
        // Before allocating: an index may lie about a shard.
        if range.start > range.end || range.end > self.size {
            let detail =
                format!("the file has {} bytes, bytes {} to {} were asked for", self.size, range.start, range.end);
            return Err(Error::new(Stage::Fetch, Reason::Truncated, detail).in_source(self.location.as_ref()));
        }
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut buffer = Buffer::new(length);
        self.file.read_exact_at(buffer.as_mut(), range.start).map_err(|error| failed(&error))?;
        Ok(buffer.freeze())
    }

    pub(super) fn reader(&self, offset: u64) -> Result<Box<dyn Read + Send>> {
        // A handle of its own: clones share one position.
        let open = || {
            let mut file = File::open(Path::new(self.location.as_ref()))?;
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        };
        let file = open().map_err(|error| Error::io(Stage::Open, &error).in_source(self.location.as_ref()))?;
        Ok(Box::new(BufReader::with_capacity(READ_BUFFER, file)))
    }
}
