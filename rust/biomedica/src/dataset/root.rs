//! Where a dataset lies: a directory, or a prefix of a store.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;

use super::chunks::Chunks;
use super::file::{self, Output, at, step};
use crate::error::{Error, Reason, Result, Stage};
use crate::store::{self, Object, Pending, StoreOptions, Upload};

/// No record is larger.
const MAX_RECORD: u64 = 1 << 30;
/// Records that are fetched at once.
const AT_ONCE: usize = 32;

/// A directory, or a prefix of a store. Paths within it are relative and have `/`.
#[derive(Debug, Clone)]
pub struct Root {
    kind: Kind,
    /// How stores are spoken to: the one that it is in, and those that packages are read from.
    stores: StoreOptions,
}

#[derive(Debug, Clone)]
enum Kind {
    Directory(PathBuf),
    /// Without a slash at its end.
    Prefix(String),
}

impl Root {
    /// What a path or URL names. Nothing is looked at yet.
    pub fn new(location: impl AsRef<Path>, options: &StoreOptions) -> Self {
        // A path need not be UTF-8; a URL is.
        let path = location.as_ref();
        let kind = match path.to_str().map(|text| (text, store::local_path(text))) {
            Some((url, None)) => Kind::Prefix(url.trim_end_matches('/').to_owned()),
            Some((_, Some(path))) => Kind::Directory(path.into()),
            None => Kind::Directory(path.into()),
        };
        Self { kind, stores: options.clone() }
    }

    /// The path or URL of a file in it; of itself when `relative` is empty.
    pub(crate) fn location(&self, relative: &str) -> String {
        match &self.kind {
            Kind::Directory(root) if relative.is_empty() => root.to_string_lossy().into_owned(),
            Kind::Directory(root) => root.join(relative).to_string_lossy().into_owned(),
            Kind::Prefix(root) if relative.is_empty() => root.clone(),
            Kind::Prefix(root) => format!("{root}/{relative}"),
        }
    }

    /// The directory, when it is one.
    pub(super) fn directory(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Directory(root) => Some(root),
            Kind::Prefix(_) => None,
        }
    }

    /// How a store is spoken to, when it is in one.
    pub(super) fn options(&self) -> Option<&StoreOptions> {
        matches!(self.kind, Kind::Prefix(_)).then_some(&self.stores)
    }

    /// How stores are spoken to, wherever it is.
    pub(super) fn stores(&self) -> &StoreOptions {
        &self.stores
    }

    /// Makes a directory. Stores have none.
    pub(super) fn make(&self, directory: &str) -> Result<()> {
        let Some(root) = self.directory() else { return Ok(()) };
        let path = if directory.is_empty() { root.to_owned() } else { root.join(directory) };
        at(&path, fs::create_dir_all(&path))
    }

    /// A file that is to be written there.
    pub(super) fn output(&self, relative: &str) -> Result<Output> {
        match &self.kind {
            Kind::Directory(root) => Output::create(&root.join(relative)),
            Kind::Prefix(_) => Output::upload(Upload::new(&self.location(relative), &self.stores)?),
        }
    }

    /// Writes a whole small file at once, in the place of one that may be there.
    pub(super) fn replace(&self, relative: &str, bytes: Vec<u8>) -> Result<()> {
        match &self.kind {
            Kind::Directory(root) => file::replace(&root.join(relative), &bytes),
            Kind::Prefix(_) => {
                let options = &self.stores;
                let location = self.location(relative);
                at(Path::new(&location), step())?;
                store::put(&location, bytes.into(), options)
            }
        }
    }

    /// Removes a file; one that is not there is fine.
    pub(super) fn remove(&self, relative: &str) -> Result<()> {
        match &self.kind {
            Kind::Directory(root) => file::remove(&root.join(relative)),
            Kind::Prefix(_) => {
                let options = &self.stores;
                let location = self.location(relative);
                at(Path::new(&location), step())?;
                store::delete(&location, options)
            }
        }
    }

    /// Waits until the disk has a directory's entries. What a store has said that it has, it has.
    pub(super) fn sync(&self, directory: &str) -> Result<()> {
        self.directory().map_or(Ok(()), |root| file::sync_directory(&root.join(directory)))
    }

    /// A file in it, opened.
    pub(crate) fn object(&self, relative: &str) -> Result<Object> {
        let options = self.options().cloned().unwrap_or_default();
        Object::open(&self.location(relative), &options)
    }

    /// A Parquet file in it.
    pub(crate) fn table(&self, relative: &str) -> Result<ParquetRecordBatchReaderBuilder<Chunks>> {
        let chunks = Chunks::open(self.object(relative)?)?;
        ParquetRecordBatchReaderBuilder::try_new(chunks).map_err(|error| {
            Error::new(Stage::Open, Reason::Corrupt, error.to_string()).in_source(self.location(relative))
        })
    }

    /// All of a small file; none when it is not there.
    pub(crate) fn read(&self, relative: &str) -> Result<Option<Bytes>> {
        let read = match &self.kind {
            Kind::Directory(root) => {
                let path = root.join(relative);
                at(&path, fs::read(&path)).map(Bytes::from)
            }
            Kind::Prefix(_) => store::fetch(&self.location(relative), &self.stores, MAX_RECORD)
                .and_then(|pending| pending.wait(&self.stores.stop))
                .map(|fetched| fetched.bytes),
        };
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.reason() == Reason::NotFound => Ok(None),
            Err(error) => Err(error.in_stage(Stage::Write)),
        }
    }

    /// The size of a file; none when it is not there.
    pub(super) fn size(&self, relative: &str) -> Result<Option<u64>> {
        match self.object(relative) {
            Ok(object) => Ok(Some(object.size())),
            Err(error) if error.reason() == Reason::NotFound => Ok(None),
            Err(error) => Err(error.in_stage(Stage::Write)),
        }
    }

    /// The record in a JSON file.
    pub(crate) fn record<T: for<'de> Deserialize<'de>>(&self, relative: &str) -> Result<T> {
        let bytes = self.read(relative)?.ok_or_else(|| self.missing(relative))?;
        self.parse(relative, &bytes)
    }

    /// The records in many JSON files, in their order; from a store, many at once.
    pub(crate) fn records<'a, T: for<'de> Deserialize<'de>>(
        &'a self,
        relatives: &'a [String],
    ) -> impl Iterator<Item = Result<T>> + 'a {
        let mut under_way = std::collections::VecDeque::new();
        let mut rest = relatives.iter();
        std::iter::from_fn(move || {
            let Some(options) = self.options() else { return rest.next().map(|relative| self.record(relative)) };
            while under_way.len() < AT_ONCE {
                let Some(relative) = rest.next() else { break };
                under_way.push_back((relative, store::fetch(&self.location(relative), options, MAX_RECORD)));
            }
            let (relative, pending) = under_way.pop_front()?;
            let fetched = pending.and_then(|pending: Pending<_>| pending.wait(&options.stop));
            Some(fetched.map_err(|e| e.in_stage(Stage::Write)).and_then(|fetched| self.parse(relative, &fetched.bytes)))
        })
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self, relative: &str, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(bytes).map_err(|error| {
            let detail = format!("not a record of a dataset: {error}");
            Error::new(Stage::Write, Reason::Corrupt, detail).in_source(self.location(relative))
        })
    }

    #[cold]
    fn missing(&self, relative: &str) -> Error {
        Error::new(Stage::Write, Reason::NotFound, "there is no such file").in_source(self.location(relative))
    }

    /// Calls `f` with the name of every file in a directory, and of every directory where it is on disk.
    pub(super) fn each_file(&self, directory: &str, mut f: impl FnMut(&str) -> Result<()>) -> Result<()> {
        match &self.kind {
            Kind::Directory(root) => {
                let directory = root.join(directory);
                for entry in at(&directory, fs::read_dir(&directory))? {
                    if let Some(name) = at(&directory, entry)?.file_name().to_str() {
                        f(name)?;
                    }
                }
            }
            Kind::Prefix(_) => {
                let options = &self.stores;
                let prefix = format!("{}/", self.location(directory));
                for entry in store::list(&prefix, options)? {
                    let entry = entry.map_err(|error| error.in_stage(Stage::Write))?;
                    if let Some(name) = entry.location.strip_prefix(&prefix).filter(|name| !name.contains('/')) {
                        f(name)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Calls `f` with the first segment of every path below it.
    pub(super) fn each_name(&self, mut f: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let Kind::Prefix(root) = &self.kind else { return self.each_file("", f) };
        let options = &self.stores;
        let prefix = format!("{root}/");
        for entry in store::list(root, options)? {
            let entry = entry.map_err(|error| error.in_stage(Stage::Write))?;
            let below = entry.location.strip_prefix(&prefix).and_then(|rest| rest.split('/').next());
            below.map_or(Ok(()), &mut f)?;
        }
        Ok(())
    }

    /// A way to look up the sizes of files: on disk one by one, in a store all at once.
    pub(super) fn sizes(&self) -> Result<Sizes<'_>> {
        match &self.kind {
            Kind::Directory(root) => Ok(Sizes::Directory(root)),
            Kind::Prefix(root) => {
                let prefix = format!("{root}/");
                let mut sizes = HashMap::new();
                for entry in store::list(root, &self.stores)? {
                    let entry = entry.map_err(|error| error.in_stage(Stage::Write))?;
                    if let Some(relative) = entry.location.strip_prefix(&prefix) {
                        sizes.insert(relative.to_owned(), entry.num_bytes);
                    }
                }
                Ok(Sizes::Prefix(sizes))
            }
        }
    }
}

/// Sizes of the files of a root.
pub(super) enum Sizes<'a> {
    Directory(&'a Path),
    Prefix(HashMap<String, u64>),
}

impl Sizes<'_> {
    /// The size of a file; none when it is not there.
    pub(super) fn get(&self, relative: &str) -> Option<u64> {
        match self {
            Self::Directory(root) => fs::metadata(root.join(relative)).ok().map(|meta| meta.len()),
            Self::Prefix(sizes) => sizes.get(relative).copied(),
        }
    }
}
