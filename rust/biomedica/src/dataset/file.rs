//! Files that appear whole or not at all, hashed as they are written.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result, Stage};
use crate::image::hex;
use crate::store::Upload;

/// Small writes gather up to this; what is larger goes to the file as it is.
const BUFFER: usize = 256 << 10;
const DIRECT: usize = 32 << 10;
/// The disk begins to write when so much is waiting: what is left for [`Sealed::wait`] to wait for is about as much.
const SYNC_BYTES: u64 = 32 << 20;
const PREFIX: &str = ".tmp-";

/// A thread that waits for the disk.
type Syncing = JoinHandle<io::Result<()>>;

/// A file that nobody sees yet. Dropped before [`Self::seal`] and [`Sealed::publish`], it is removed.
#[derive(Debug)]
pub(super) struct Output {
    target: Target,
    buffer: Vec<u8>,
    hasher: Sha256,
    num_bytes: u64,
}

/// A finished file that has not its own name yet. The disk writes it in the background, as it does others: waiting for
/// several at once takes hardly longer than for one. So does a store with the pieces of an object.
#[derive(Debug)]
pub(super) struct Sealed {
    target: Target,
    pub num_bytes: u64,
    pub sha256: String,
}

#[derive(Debug)]
enum Target {
    Disk(OnDisk),
    Store(Box<Upload>),
}

/// A file under a temporary name beside its own.
#[derive(Debug)]
struct OnDisk {
    file: File,
    /// Bytes since the disk was last told to write.
    unsynced: u64,
    syncing: Option<Syncing>,
    names: Names,
}

#[derive(Debug)]
struct Names {
    temporary: PathBuf,
    own: PathBuf,
    published: bool,
}

impl Drop for Names {
    fn drop(&mut self) {
        if !self.published {
            // Best effort: what stays is swept away when the next run begins.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// The name that the file at `path` has until it is whole: one that no other writer has, lest two that make the same part
/// write into each other's files.
fn temporary(path: &Path) -> PathBuf {
    let own = RandomState::new().build_hasher().finish();
    let mut name = std::ffi::OsString::from(format!("{PREFIX}{own:016x}-"));
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Whether a file of this name was left by a run that was killed.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX)
}

impl OnDisk {
    /// Has the disk write in the background, as the hours of a large run are too good to wait for it at their end.
    fn sync_soon(&mut self) -> io::Result<()> {
        if self.unsynced >= SYNC_BYTES && self.syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            wait(&mut self.syncing)?;
            self.syncing = Some(sync(self.file.try_clone()?)?);
            self.unsynced = 0;
        }
        Ok(())
    }

    fn seal(&mut self) -> io::Result<()> {
        wait(&mut self.syncing)?;
        step()?;
        self.syncing = Some(sync(self.file.try_clone()?)?);
        Ok(())
    }
}

impl Target {
    fn location(&self) -> String {
        match self {
            Self::Disk(disk) => disk.names.own.to_string_lossy().into_owned(),
            Self::Store(upload) => upload.shown().to_owned(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Disk(disk) => disk.file.write_all(bytes),
            Self::Store(upload) => Ok(upload.write(bytes)?),
        }
    }
}

impl Output {
    /// A file on disk.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let names = Names { temporary: temporary(path), own: path.to_owned(), published: false };
        let file = at(path, step().and_then(|()| File::create(&names.temporary)))?;
        Ok(Self::new(Target::Disk(OnDisk { file, unsynced: 0, syncing: None, names })))
    }

    /// An object of a store.
    pub(super) fn upload(upload: Upload) -> Result<Self> {
        at(Path::new(upload.shown()), step())?;
        Ok(Self::new(Target::Store(Box::new(upload))))
    }

    fn new(target: Target) -> Self {
        Self { target, buffer: Vec::with_capacity(BUFFER), hasher: Sha256::new(), num_bytes: 0 }
    }

    /// The path or URL that it will have.
    pub(super) fn location(&self) -> String {
        self.target.location()
    }

    /// Writes what is buffered; disk or store are told to take all.
    pub(super) fn seal(mut self) -> Result<Sealed> {
        let drained = self.drain();
        let done = drained.and_then(|()| match &mut self.target {
            Target::Disk(disk) => disk.seal(),
            Target::Store(upload) => step().and_then(|()| Ok(upload.flush()?)),
        });
        at(Path::new(&self.target.location()), done)?;
        Ok(Sealed { num_bytes: self.num_bytes, sha256: hex(&self.hasher.finalize().into()), target: self.target })
    }

    fn drain(&mut self) -> io::Result<()> {
        self.target.write_all(&self.buffer)?;
        self.hasher.update(&self.buffer);
        self.buffer.clear();
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER || bytes.len() >= DIRECT {
            step()?;
            self.drain()?;
        }
        if bytes.len() >= DIRECT {
            // Images are not copied: from the package's buffer to the kernel.
            self.target.write_all(bytes)?;
            self.hasher.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.num_bytes += bytes.len() as u64;
        if let Target::Disk(disk) = &mut self.target {
            disk.unsynced += bytes.len() as u64;
            disk.sync_soon()?;
        }
        Ok(bytes.len())
    }

    /// Does nothing: Parquet's writer flushes after each page, and only [`Output::seal`] promises anything.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sealed {
    /// Waits until the disk has the file, or the store its pieces.
    pub(super) fn wait(&mut self) -> Result<()> {
        match &mut self.target {
            Target::Disk(disk) => at(&disk.names.own, wait(&mut disk.syncing)),
            Target::Store(upload) => upload.wait(),
        }
    }

    /// Gives the file its own name, once all of it is there. Whoever calls it syncs the directory afterwards.
    pub(super) fn publish(mut self) -> Result<()> {
        self.wait()?;
        match self.target {
            Target::Disk(mut disk) => {
                let names = &mut disk.names;
                at(&names.own, step().and_then(|()| fs::rename(&names.temporary, &names.own)))?;
                names.published = true;
                Ok(())
            }
            Target::Store(upload) => {
                at(Path::new(upload.shown()), step())?;
                upload.complete()
            }
        }
    }
}

/// Writes a whole small file at once, and its directory entry.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut output = Output::create(path)?;
    at(path, output.write_all(bytes))?;
    output.seal()?.publish()?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Waits until the disk has the directory's entries.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    #[cfg(unix)]
    at(path, step().and_then(|()| File::open(path)).and_then(|directory| sync_now(&directory)))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Removes a file; one that is not there is fine.
pub(super) fn remove(path: &Path) -> Result<()> {
    match step().and_then(|()| fs::remove_file(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => at(path, other),
    }
}

/// The error of writing at `path`.
pub(super) fn at<T>(path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|e| Error::io(Stage::Write, &e).at_path(path))
}

/// Has the disk write a file, in a thread of its own.
fn sync(file: File) -> io::Result<Syncing> {
    thread::Builder::new().spawn(move || sync_now(&file))
}

/// Waits for the background; an error of the disk is told to whoever asks first, so it must not be lost here.
fn wait(syncing: &mut Option<Syncing>) -> io::Result<()> {
    match syncing.take() {
        Some(thread) => thread.join().unwrap_or_else(|_| Err(io::Error::other("syncing panicked"))),
        None => Ok(()),
    }
}

/// Waits for the disk; not in the tests, which end runs thousands of times but never cut the power.
fn sync_now(file: &File) -> io::Result<()> {
    if cfg!(test) { Ok(()) } else { file.sync_all() }
}

/// Where the tests end a run: every change of the disk passes here first.
#[cfg(not(test))]
#[inline]
#[allow(clippy::unnecessary_wraps)]
pub(super) fn step() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use faults::step;

#[cfg(test)]
pub(super) mod faults {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// The `n`-th change of the disk from now on this thread, and each after it, fails; none for never.
    pub(in crate::dataset) fn fail_after(n: Option<u32>) {
        LEFT.set(n);
    }

    pub(in crate::dataset) fn step() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(n) => {
                LEFT.set(Some(n - 1));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_published_and_its_hash_is_of_all_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut output = Output::create(&path).unwrap();
        let mut expected = Vec::new();
        for n in [1, 10, DIRECT - 1, DIRECT, 3, BUFFER + 7, 5, BUFFER - 1, 1] {
            let bytes = vec![u8::try_from(n % 251).unwrap(); n];
            output.write_all(&bytes).unwrap();
            expected.extend(bytes);
        }
        let sealed = output.seal().unwrap();
        assert!(!path.exists());
        assert_eq!(sealed.num_bytes, expected.len() as u64);
        assert_eq!(sealed.sha256, hex(&Sha256::digest(&expected).into()));
        sealed.publish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), expected);
    }

    #[test]
    fn a_file_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = Output::create(&dir.path().join("a")).unwrap();
        output.write_all(b"x").unwrap();
        drop(output);
        drop(Output::create(&dir.path().join("b")).unwrap().seal().unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_error_names_the_file_that_was_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none/a");
        let error = Output::create(&path).unwrap_err();
        assert_eq!(error.source(), path.to_str());
        assert_eq!(error.stage(), Stage::Write);
    }
}
