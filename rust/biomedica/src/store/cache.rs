//! Whole objects kept on disk, shared by several processes.
//!
//! A file's name is the digest of URL, `ETag` and size, so that another state of an object is another file. It is
//! fetched as `NAME.part` under an exclusive lock of that very file, with its whole size set aside at once, and renamed
//! when it is whole: what a killed process leaves is a `.part` that nobody holds, which the next one takes over or
//! eviction removes. `.lock` is held while room is made, so that the limit holds for all processes together.
//!
//! A file's mtime is when it was last used. What was used in the last minute stays; where no room can be made so, the
//! object is read by range as without a cache. That keeps a cache that is smaller than the data from fetching whole
//! files for every sample. A file that is removed while someone reads it stays readable to them, as Linux has it.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::ahead::ReadAhead;
use super::local::LocalFile;
use super::net::stopped;
use super::remote::Remote;
use crate::error::{Error, Reason, Result, Stage};

const PART: &str = "part";
/// A file's stamp is renewed when it is older than this.
const STAMP_EVERY: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(50);

/// Where objects are kept, and how much of them.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// A directory, made when it is missing. Processes on one machine share it; nothing else may lie there.
    pub dir: PathBuf,
    /// Bytes that all files there may have together. Objects that are larger are not kept.
    pub max_bytes: u64,
    /// A file used within this time is not removed to make room.
    pub keep: Duration,
}

impl CacheOptions {
    /// A cache of at most `max_bytes` in `dir`.
    pub fn new(dir: impl Into<PathBuf>, max_bytes: u64) -> Self {
        Self { dir: dir.into(), max_bytes, keep: Duration::from_mins(1) }
    }
}

/// An object that is fetched whole when it is first read.
#[derive(Debug)]
pub(super) struct Cached {
    remote: Remote,
    options: CacheOptions,
    path: PathBuf,
}

/// What to do while another process fetches the object.
#[derive(Clone, Copy, PartialEq)]
enum Meanwhile {
    Wait,
    GoOn,
}

impl Cached {
    pub(super) fn new(remote: Remote, options: &CacheOptions) -> Self {
        let mut name = String::new();
        for byte in Sha256::digest(remote.identity()) {
            let _ = write!(name, "{byte:02x}");
        }
        Self { path: options.dir.join(name), remote, options: options.clone() }
    }

    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// One range. While another thread or process fetches the whole, it comes over the network.
    pub(super) fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let meanwhile = if self.remote.must_have_ranges().is_ok() { Meanwhile::GoOn } else { Meanwhile::Wait };
        match self.file(meanwhile)? {
            Some(file) => file.read(range).map_err(|error| self.remote.failed(error)),
            None => self.remote.read(range),
        }
    }

    /// All from `offset`, which is worth waiting for.
    pub(super) fn reader(&self, offset: u64) -> Result<Box<dyn Read + Send>> {
        match self.file(Meanwhile::Wait)?.map(|file| file.reader(offset)) {
            Some(Ok(reader)) => Ok(reader),
            // Evicted a moment ago, before the reader's own handle was open.
            Some(Err(error)) if error.reason() != Reason::NotFound => Err(error),
            _ => {
                self.remote.must_have_ranges()?;
                Ok(Box::new(ReadAhead::new(self.remote.clone(), offset)))
            }
        }
    }

    /// The file in the cache, fetched if need be; none when it is not to be had there (now).
    fn file(&self, meanwhile: Meanwhile) -> Result<Option<LocalFile>> {
        if let Some(file) = self.existing() {
            return Ok(Some(file));
        }
        if self.remote.size() > self.options.max_bytes {
            return Ok(None);
        }
        fs::create_dir_all(&self.options.dir).map_err(|error| self.broken(&error))?;
        let Some(part) = self.claim(meanwhile)? else { return Ok(None) };
        // Another one was faster.
        if let Some(file) = self.existing() {
            remove(&self.part_path());
            return Ok(Some(file));
        }
        if !self.reserve(&part)? {
            remove(&self.part_path());
            return Ok(None);
        }
        let result = self.fill(&part);
        if result.is_err() {
            remove(&self.part_path());
        }
        match result {
            Ok(()) => Ok(self.existing()),
            // Others fill this disk too; reading goes on without it.
            Err(error) if error.reason() == Reason::DiskFull => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The whole file, if it is there: one of another size is not.
    fn existing(&self) -> Option<LocalFile> {
        let file = LocalFile::open(self.path.to_str()?).ok()?;
        if file.size() != self.remote.size() {
            remove(&self.path);
            return None;
        }
        if age(&self.path).is_some_and(|age| age > STAMP_EVERY) {
            // A cache that cannot be written to still serves.
            let _ = File::options().append(true).open(&self.path).and_then(|file| file.set_modified(SystemTime::now()));
        }
        Some(file)
    }

    fn part_path(&self) -> PathBuf {
        self.path.with_extension(PART)
    }

    /// The locked `.part`: who holds it fetches. None when another one does, and this one is not to wait.
    fn claim(&self, meanwhile: Meanwhile) -> Result<Option<File>> {
        let path = self.part_path();
        loop {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(|error| self.broken(&error))?;
            match file.try_lock() {
                // Renamed or removed since it was opened: the lock is on a file that has another name now.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if meanwhile == Meanwhile::GoOn => return Ok(None),
                Err(TryLockError::WouldBlock) if self.remote.stop().load(Ordering::Relaxed) => return Err(stopped()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(WAIT),
                Err(TryLockError::Error(error)) => return Err(self.broken(&error)),
            }
        }
    }

    /// Sets the file's whole size aside, after removing what was not used for long.
    fn reserve(&self, part: &File) -> Result<bool> {
        let reserve = || -> io::Result<bool> {
            let lock =
                OpenOptions::new().write(true).create(true).truncate(false).open(self.options.dir.join(".lock"))?;
            lock.lock()?;
            if !make_room(&self.options, self.remote.size(), &self.part_path())? {
                return Ok(false);
            }
            part.set_len(0)?;
            part.set_len(self.remote.size())?;
            Ok(true)
        };
        reserve().map_err(|error| self.broken(&error))
    }

    fn fill(&self, part: &File) -> Result<()> {
        let mut writer = part.try_clone().map_err(|error| self.broken(&error))?;
        self.remote.download(move |piece| writer.write_all(piece).map_err(|error| Error::io(Stage::Write, &error)))?;
        // Synced before it has its name: after a crash there is no file of the right size with other bytes.
        let publish = || part.sync_data().and_then(|()| fs::rename(self.part_path(), &self.path));
        publish().map_err(|error| self.broken(&error))
    }

    #[cold]
    fn broken(&self, error: &io::Error) -> Error {
        Error::io(Stage::Write, error).in_source(format!("the cache {}", self.options.dir.display()))
    }
}

/// Removes the files that were used longest ago until `size` more bytes fit; `false` when they cannot.
fn make_room(options: &CacheOptions, size: u64, own: &Path) -> io::Result<bool> {
    let mut total = size;
    let mut files = Vec::new();
    for entry in fs::read_dir(&options.dir)? {
        let path = entry?.path();
        // Gone since it was listed, or not ours to read.
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if path == own || !meta.is_file() {
            continue;
        }
        if path.extension().is_some_and(|extension| extension == PART) && is_abandoned(&path) {
            remove(&path);
            continue;
        }
        total = total.saturating_add(meta.len());
        let is_whole = path.extension().is_none() && path.file_name().is_some_and(|name| name != ".lock");
        if is_whole {
            files.push((meta.modified()?, meta.len(), path));
        }
    }
    files.sort();
    for (used, length, path) in files {
        let age = SystemTime::now().duration_since(used).unwrap_or_default();
        if total <= options.max_bytes || age < options.keep {
            break;
        }
        remove(&path);
        total -= length;
    }
    Ok(total <= options.max_bytes)
}

/// Whether the process that fetched it is gone.
fn is_abandoned(path: &Path) -> bool {
    File::options().write(true).open(path).is_ok_and(|file| file.try_lock().is_ok())
}

fn is_at(file: &File, path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let (own, there) = (file.metadata()?, fs::metadata(path)?);
        Ok(own.ino() == there.ino() && own.dev() == there.dev())
    };
    same().unwrap_or(false)
}

fn age(path: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(fs::metadata(path).ok()?.modified().ok()?).ok()
}

/// Removes a file; one that is gone already, or cannot be removed, costs room at worst.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}
