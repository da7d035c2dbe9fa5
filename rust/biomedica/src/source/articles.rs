//! The articles of the cloud layout: below a bucket or prefix of a store, or in a mirror directory.
//!
//! What is known of all versions is brought into order first, from the inventory or from a listing of the metadata. Then
//! articles are chosen one by one; only where there is a choice that metadata decide are they asked for, some ahead.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use md5::{Digest, Md5};

use super::ids::{Asked, Ids};
use super::name::Name;
use super::sort::{Record, Sorted, Sorter};
use super::versions::{Versions, choose};
use super::{Selection, inventory};
use crate::error::{Error, Reason, Result, Stage};
use crate::package::{Kind, MAX_METADATA, Metadata, Package, VersionReason, metadata_of};
use crate::store::{self, Fetched, Listing, Pending, StoreOptions};

/// Up to so many articles are asked for one by one; for more, all are listed.
const MAX_ASKED: usize = 1000;
/// Listings and metadata that are under way at a time.
const AHEAD: usize = 32;

/// Which of the articles at a place.
#[derive(Debug, Clone)]
pub(super) enum Scope {
    All,
    /// Those of the inventory whose manifest this is.
    Manifest(String),
    /// Those whose names begin so.
    Prefix(String),
    /// One article.
    Article(u64),
}

pub(super) struct Articles {
    /// Path or URL of what `metadata/` lies in, without a slash at its end.
    base: String,
    scope: Scope,
    versions: Versions,
    since: Option<i64>,
    store: StoreOptions,
    records: Option<Sorted>,
    /// A record that belongs to the next article.
    next: Option<Record>,
    groups: VecDeque<Group>,
    ready: VecDeque<Result<Package>>,
    ended: bool,
}

/// The versions of one article, in the order of their numbers.
struct Group {
    records: Vec<Record>,
    asked: Option<Asked>,
    /// Their metadata, where they decide.
    metadata: Vec<Result<Pending<Fetched>>>,
}

impl Articles {
    pub(super) fn new(base: String, scope: Scope, selection: &Selection, store: &StoreOptions) -> Self {
        Self {
            base,
            scope,
            versions: selection.versions,
            since: selection.since,
            store: store.clone(),
            records: None,
            next: None,
            groups: VecDeque::new(),
            ready: VecDeque::new(),
            ended: false,
        }
    }

    pub(super) fn next(&mut self, ids: &mut Option<Ids>) -> Option<Result<Package>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.ended && self.groups.is_empty() {
                return None;
            }
            if let Err(error) = self.advance(ids) {
                self.ended = true;
                self.groups.clear();
                return Some(Err(error.in_source(self.base.clone())));
            }
        }
    }

    fn advance(&mut self, ids: &mut Option<Ids>) -> Result<()> {
        if self.records.is_none() {
            let mut sorter = Sorter::new();
            let complaints = self.enumerate(ids.as_ref(), &mut sorter)?;
            self.ready.extend(complaints.into_iter().map(Err));
            let mut records = sorter.finish()?;
            self.next = records.next().transpose()?;
            self.records = Some(records);
            if self.next.is_none() && ids.is_none() && self.ready.is_empty() {
                self.ready.push_back(Err(self.nothing()));
            }
        }
        while !self.ended && self.groups.iter().map(|group| group.metadata.len().max(1)).sum::<usize>() < AHEAD {
            match self.gather()? {
                Some(records) => self.groups.extend(self.group(records, ids.as_ref())),
                None => self.ended = true,
            }
        }
        match self.groups.pop_front() {
            Some(group) => self.choose(group, ids),
            None => Ok(()),
        }
    }

    fn nothing(&self) -> Error {
        let wanted = match &self.scope {
            Scope::All | Scope::Manifest(_) => "PMC….json".to_owned(),
            Scope::Prefix(prefix) => format!("{prefix}….json"),
            Scope::Article(number) => format!("PMC{number}.….json"),
        };
        let detail = format!("no article here: nothing is named metadata/{wanted}");
        Error::new(Stage::Open, Reason::NotFound, detail).in_source(self.base.clone())
    }

    /// All versions that may be wanted, in any order.
    fn enumerate(&self, ids: Option<&Ids>, sorter: &mut Sorter) -> Result<Vec<Error>> {
        let store = &self.store;
        if store::local_path(&self.base).is_some() {
            return match &self.scope {
                Scope::Manifest(manifest) => inventory::read(manifest, &self.base, store, sorter),
                _ => self.list_directory(sorter),
            };
        }
        match (&self.scope, ids) {
            (Scope::Manifest(manifest), _) => return inventory::read(manifest, &self.base, store, sorter),
            (Scope::Prefix(prefix), _) => self.list_from(std::iter::once(prefix.clone()), sorter)?,
            (Scope::Article(number), _) => self.list_from(std::iter::once(format!("PMC{number}.")), sorter)?,
            (Scope::All, Some(ids)) if !ids.need_metadata() && ids.numbers().count() <= MAX_ASKED => {
                self.list_from(ids.numbers().map(|number| format!("PMC{number}.")), sorter)?;
            }
            (Scope::All, _) => match inventory::newest(&self.base, store)? {
                Some(manifest) => return inventory::read(&manifest, &self.base, store, sorter),
                None => self.list_from(std::iter::once(String::new()), sorter)?,
            },
        }
        Ok(Vec::new())
    }

    /// Lists the metadata of all versions whose names begin as one of `prefixes`.
    fn list_from(&self, prefixes: impl Iterator<Item = String>, sorter: &mut Sorter) -> Result<()> {
        let folder = format!("{}/metadata", self.base);
        let begin = |prefix: String| -> Result<(String, Listing)> {
            let listing = store::list_from(&folder, &prefix, &self.store)?;
            Ok((format!("{folder}/{prefix}"), listing))
        };
        let mut prefixes = prefixes.map(begin);
        let mut under_way: VecDeque<_> = prefixes.by_ref().take(AHEAD).collect::<Result<_>>()?;
        while let Some((prefix, listing)) = under_way.pop_front() {
            for entry in listing {
                let entry = entry?;
                if !entry.location.starts_with(&prefix) {
                    break;
                }
                if let Some(name) = Name::of_metadata(&entry.location) {
                    let etag = entry.state().map(Into::into);
                    sorter.push(Record { name, modified: entry.modified.timestamp(), etag })?;
                }
                self.may_go_on()?;
            }
            under_way.extend(prefixes.next().transpose()?);
        }
        Ok(())
    }

    /// The versions whose metadata lie in a mirror, and those whose files do without metadata: reading one says so.
    fn list_directory(&self, sorter: &mut Sorter) -> Result<Vec<Error>> {
        let base = Path::new(&self.base);
        self.list_names(&base.join("metadata"), sorter, |file, _| Name::parse(file.strip_suffix(".json")?))?;
        self.list_names(base, sorter, |file, path| {
            let has_metadata = || fs::symlink_metadata(base.join(metadata_of(file))).is_ok();
            Name::parse(file).filter(|_| !has_metadata() && path.is_dir())
        })?;
        Ok(Vec::new())
    }

    fn list_names(
        &self,
        folder: &Path,
        sorter: &mut Sorter,
        parse: impl Fn(&str, &Path) -> Option<Name>,
    ) -> Result<()> {
        let io = |error: &std::io::Error| Error::io(Stage::Open, error).at_path(folder);
        for entry in fs::read_dir(folder).map_err(|error| io(&error))? {
            let entry = entry.map_err(|error| io(&error))?;
            let file = entry.file_name();
            let name = file.to_str().and_then(|file| parse(file, &entry.path()));
            let is_wanted = |name: &Name| match &self.scope {
                Scope::Prefix(prefix) => name.to_string().starts_with(prefix),
                Scope::Article(number) => name.number == *number,
                Scope::All | Scope::Manifest(_) => true,
            };
            let Some(name) = name.filter(is_wanted) else { continue };
            let modified = match self.since {
                Some(_) => DateTime::<Utc>::from(
                    entry.metadata().and_then(|metadata| metadata.modified()).map_err(|error| io(&error))?,
                )
                .timestamp(),
                None => 0,
            };
            sorter.push(Record { name, modified, etag: None })?;
            self.may_go_on()?;
        }
        Ok(())
    }

    fn may_go_on(&self) -> Result<()> {
        if self.store.stop.load(Ordering::Relaxed) {
            return Err(Error::new(Stage::Fetch, Reason::Interrupted, "stopped"));
        }
        Ok(())
    }

    /// The records of the next article.
    fn gather(&mut self) -> Result<Option<Vec<Record>>> {
        self.may_go_on()?;
        let Some(first) = self.next.take() else { return Ok(None) };
        let number = first.name.number;
        let mut group = vec![first];
        let records = self.records.as_mut().into_iter().flatten();
        for record in records {
            let record = record?;
            if record.name.number != number {
                self.next = Some(record);
                break;
            }
            group.push(record);
        }
        Ok(Some(group))
    }

    /// Begins to ask for the metadata of an article where they decide; none when it is not wanted.
    fn group(&self, records: Vec<Record>, ids: Option<&Ids>) -> Option<Group> {
        let number = records.first()?.name.number;
        let asked = ids.map(|ids| ids.asked(number));
        let is_open = |asked: &Asked| !asked.any && ids.is_some_and(Ids::need_metadata);
        let is_wanted = asked.as_ref().is_none_or(|asked| asked.any || !asked.versions.is_empty() || is_open(asked));
        if !is_wanted {
            return None;
        }
        let must_choose =
            records.len() > 1 && self.versions == Versions::Best && asked.as_ref().is_none_or(|asked| asked.any);
        let metadata = if must_choose || asked.as_ref().is_some_and(is_open) {
            let fetch = |record: &Record| store::fetch(&self.metadata_of(record.name), &self.store, MAX_METADATA);
            records.iter().map(fetch).collect()
        } else {
            Vec::new()
        };
        Some(Group { records, asked, metadata })
    }

    fn metadata_of(&self, name: Name) -> String {
        format!("{}/{}", self.base, metadata_of(&name.to_string()))
    }

    /// Takes of an article the versions that are wanted.
    fn choose(&mut self, group: Group, ids: &mut Option<Ids>) -> Result<()> {
        let Group { records, asked, metadata } = group;
        let mut known = Vec::new();
        for (record, pending) in records.iter().zip(metadata) {
            let json = pending.and_then(|pending| pending.wait(&self.store.stop));
            match json.and_then(|json| Metadata::parse(&json.bytes)) {
                Ok(metadata) => known.push(Some(metadata)),
                Err(error) if error.reason() == Reason::Interrupted => return Err(error),
                Err(error) => {
                    // Of the article itself it may be told again; that another version was chosen for it, only here.
                    let at = self.metadata_of(record.name);
                    self.ready.push_back(Err(error.in_stage(Stage::Open).in_source(at)));
                    known.push(None);
                }
            }
        }
        let mut asked = asked.unwrap_or(Asked { any: true, versions: Vec::new() });
        if let Some(ids) = ids {
            for metadata in known.iter().flatten() {
                asked.any |= ids.match_metadata(metadata);
            }
            for record in &records {
                ids.note(record.name);
            }
        }
        known.resize(records.len(), None);
        let all = asked.any && self.versions == Versions::All;
        let chosen = asked.any.then(|| choose(self.versions, &known)).flatten();
        for (index, record) in records.into_iter().enumerate() {
            let reason = match chosen {
                _ if all || asked.versions.contains(&record.name.version) => VersionReason::Asked,
                Some((place, reason)) if place == index => reason,
                _ => continue,
            };
            if self.since.is_none_or(|since| record.modified >= since) {
                let package = package(&self.base, record, reason);
                self.ready.push_back(Ok(package));
            }
        }
        Ok(())
    }
}

fn package(base: &str, record: Record, reason: VersionReason) -> Package {
    let path = format!("{base}/{}", record.name);
    let package = match store::local_path(&path) {
        Some(path) => on_disk(Path::new(path)),
        None => Package::new(path, Kind::Article, 0),
    };
    let etag = record.etag.map(Into::into).or(package.etag);
    Package { etag, version_reason: Some(reason), ..package }
}

/// The article in the directory at `path` of a mirror, which its metadata tell apart from other states of it. As in the
/// bucket that is their MD5, so that a mirror and the bucket say the same.
pub(super) fn on_disk(path: &Path) -> Package {
    let files = fs::read_dir(path).into_iter().flatten().flatten();
    let sizes = files.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file);
    let mut package = Package::new(path, Kind::Article, sizes.map(|metadata| metadata.len()).sum());
    // What cannot be read now will be told when the article is read.
    package.etag = metadata_path(path).and_then(|metadata| {
        let is_small = fs::metadata(&metadata).is_ok_and(|metadata| metadata.len() <= MAX_METADATA);
        let json = is_small.then(|| fs::read(metadata).ok()).flatten()?;
        Some(Md5::digest(json).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    });
    package
}

/// Whether the directory at `path` is that of an article: its metadata are there, or others' beside which they should be.
pub(super) fn is_article(path: &Path) -> bool {
    let is_mirrored = || path.parent().is_some_and(is_mirror);
    metadata_path(path).is_some_and(|metadata| metadata.is_file() || is_mirrored())
}

/// Where the metadata of the directory at `path` lie, if it is one of the layout's.
fn metadata_path(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str().filter(|name| Name::parse(name).is_some())?;
    Some(path.parent()?.join(metadata_of(name)))
}

/// Whether a directory with these sub-directories is a mirror of the bucket.
pub(super) fn is_mirror(path: &Path) -> bool {
    let is_metadata = |file: &str| file.strip_suffix(".json").and_then(Name::parse).is_some();
    let files = fs::read_dir(path.join("metadata")).into_iter().flatten().flatten();
    files.take(100).any(|entry| entry.file_name().to_str().is_some_and(is_metadata))
}
