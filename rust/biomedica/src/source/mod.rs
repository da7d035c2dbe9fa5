//! Sources: where packages are found.
//!
//! [`walk`] goes through paths, directory trees, globs and list files lazily, one directory's names at a time, so a
//! mirror of millions of packages needs no more memory than its largest directory. The order is that of the names'
//! bytes, part by part of the path, the same on every machine.

mod articles;
mod ids;
mod inventory;
mod lists;
mod name;
mod remote;
mod select;
mod sort;
mod survey;
mod versions;

use std::collections::VecDeque;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Reason, Result, Stage};
use crate::package::{Entry, Kind, Package, VersionReason, list};
use crate::store::{self, Listing, StoreOptions};
use articles::{Articles, Scope};
use lists::{List, is_list};
use remote::{Asked, Found};

pub use ids::Ids;
pub use select::{Sample, Selection};
pub use survey::Survey;
pub use versions::Versions;

/// Bytes of one line of a list.
const MAX_LINE: u64 = 64 << 10;
/// Packages of which a store is asked at a time.
const AHEAD: usize = 32;

/// Finds the packages of `sources`, source by source.
///
/// A source is a file, a directory, a glob, or a list (`.txt` or `.list`, on disk or in a store: one path, glob or URL a
/// line, relative to the list, `#` begins a comment). What cannot be opened is an error item, and the walk goes on; what is
/// no package is passed over, unless it was named itself. A directory with XML is
/// a package, with its sub-directories that have none; tar files in a tree are packages. Hidden names and `.tmp` are
/// passed over, links to directories within a tree too; links to tar files and to documents that stand for themselves
/// are followed.
///
/// A directory, or a URL of a bucket or prefix, with `metadata/PMCn.v.json` is one of the cloud layout: its articles come
/// in the order of their numbers. A URL may also be that of a package, of `…/PMCn.v`, of all versions `…/PMCn`, of those
/// that begin so, `…/PMC110*`, or of an inventory's `manifest.json`; other prefixes are listed for tar files and
/// documents. Of a package that is named itself the store is asked what tells this state of it from others. An error of [`Stage::Fetch`] is that of a list of packages, of which the rest is not known.
///
/// Of `selection` this heeds what is about articles; [`Selection::of`] does the rest.
pub fn walk(sources: &[PathBuf], selection: &Selection, store: &StoreOptions) -> Walk {
    let work = sources.iter().rev().map(|path| Work::Source(path.clone())).collect();
    Walk {
        work,
        met: VecDeque::new(),
        ids: selection.ids.clone(),
        missing: None,
        selection: selection.clone(),
        store: store.clone(),
    }
}

/// Fails when there is nothing at one of the sources, before any work is begun.
pub fn check(sources: &[PathBuf], store: &StoreOptions) -> Result<()> {
    for path in sources {
        if let Some(url) = as_url(path) {
            reach(url, store)?;
            continue;
        }
        if is_pattern(path) {
            continue;
        }
        fs::metadata(path).map_err(|error| Error::io(Stage::Open, &error).at_path(path))?;
    }
    Ok(())
}

/// Fails when a URL names nothing that can be read, or nothing lies below it. Whether an object that is named itself is
/// there shows when it is read.
fn reach(url: &str, options: &StoreOptions) -> Result<()> {
    match remote::find(url, options)? {
        Found::Objects(prefix) => match store::list(&prefix, options)?.next() {
            Some(first) => first.map(drop),
            None => Err(nothing_below(&prefix)),
        },
        Found::Package(_) | Found::Articles(..) | Found::List(_) => Ok(()),
    }
}

fn nothing_below(prefix: &str) -> Error {
    Error::new(Stage::Open, Reason::NotFound, "no package lies below this prefix").in_source(prefix)
}

/// The packages of some sources; see [`walk`].
pub struct Walk {
    /// What is yet to be done, the next thing last.
    work: Vec<Work>,
    /// What was found and not handed out: of some of it a store is being asked.
    met: VecDeque<Met>,
    /// What is asked for by its id, with what was found of it.
    ids: Option<Ids>,
    /// At the end, what was not.
    missing: Option<Box<dyn Iterator<Item = Error> + Send>>,
    selection: Selection,
    store: StoreOptions,
}

enum Work {
    Source(PathBuf),
    Glob {
        pattern: PathBuf,
        paths: glob::Paths,
        has_matched: bool,
    },
    List(List),
    Directory(PathBuf),
    /// Names of one directory, the next one last.
    Names {
        directory: PathBuf,
        names: Vec<Entry>,
    },
    /// Objects below a prefix of a store.
    Objects {
        prefix: String,
        listing: Listing,
        has_matched: bool,
    },
    Articles(Box<Articles>),
}

enum Met {
    Known(Result<Package>),
    Asked(Asked),
}

impl Iterator for Walk {
    type Item = Result<Package>;

    fn next(&mut self) -> Option<Self::Item> {
        while !matches!(self.met.front(), Some(Met::Known(_))) && self.met.len() < AHEAD {
            match self.find() {
                Some(Ok(package)) if package.is_remote() && package.etag.is_none() => {
                    self.met.push_back(Met::Asked(Asked::of(package, &self.store)));
                }
                Some(found) => self.met.push_back(Met::Known(found)),
                None => break,
            }
        }
        match self.met.pop_front()? {
            Met::Known(found) => Some(found),
            Met::Asked(asked) => Some(asked.wait(&self.store.stop)),
        }
    }
}

impl Walk {
    fn find(&mut self) -> Option<Result<Package>> {
        loop {
            let Some(work) = self.work.pop() else { return self.not_found().map(Err) };
            let found = match work {
                Work::Source(path) => self.source(&path),
                Work::Glob { pattern, paths, has_matched } => self.glob(pattern, paths, has_matched),
                Work::List(list) => self.line(list),
                Work::Directory(path) => self.directory(path),
                Work::Names { directory, names } => self.name(directory, names),
                Work::Objects { prefix, listing, has_matched } => self.object(prefix, listing, has_matched),
                Work::Articles(articles) => self.article(articles),
            };
            match found {
                Some(Ok(package)) if !self.is_wanted(&package) => {}
                None => {}
                found => return found,
            }
        }
    }

    fn source(&mut self, path: &Path) -> Option<Result<Package>> {
        if let Some(url) = as_url(path) {
            return self.url(url);
        }
        // `file://` and a path.
        let path = path.to_str().and_then(store::local_path).map_or_else(|| path.to_path_buf(), PathBuf::from);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_pattern(&path) => {
                return self.pattern(path);
            }
            Err(error) => return Some(Err(Error::io(Stage::Open, &error).at_path(&path))),
        };
        if metadata.is_dir() {
            self.work.push(Work::Directory(path));
            return None;
        }
        if is_list(&path) {
            return self.begin(List::on_disk(path).map(Work::List));
        }
        if let Some(manifest) = path.to_str().filter(|path| inventory::is_manifest(path)) {
            let work = inventory::base(manifest).map(|base| self.articles(base, Scope::Manifest(manifest.to_owned())));
            return self.begin(work);
        }
        let Some(kind) = Kind::of_file(&path).or_else(|| sniff(&path)) else {
            let detail = "not a tar.gz, tar, nxml, xml, list or manifest.json";
            let error = Error::new(Stage::Open, Reason::UnsupportedFormat, detail);
            return Some(Err(error.at_path(&path)));
        };
        Some(Ok(Package::new(path, kind, metadata.len())))
    }

    fn url(&mut self, url: &str) -> Option<Result<Package>> {
        let work = match remote::find(url, &self.store) {
            Ok(Found::Package(package)) => return Some(Ok(package)),
            Ok(Found::Articles(base, scope)) => Ok(self.articles(base, scope)),
            Ok(Found::List(url)) => List::in_store(&url, &self.store).map(Work::List),
            Ok(Found::Objects(prefix)) => {
                store::list(&prefix, &self.store).map(|listing| Work::Objects { prefix, listing, has_matched: false })
            }
            Err(error) => Err(error),
        };
        self.begin(work)
    }

    fn begin(&mut self, work: Result<Work>) -> Option<Result<Package>> {
        match work {
            Ok(work) => {
                self.work.push(work);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn articles(&self, base: String, scope: Scope) -> Work {
        Work::Articles(Box::new(Articles::new(base, scope, &self.selection, &self.store)))
    }

    fn article(&mut self, mut articles: Box<Articles>) -> Option<Result<Package>> {
        let found = articles.next(&mut self.ids)?;
        self.work.push(Work::Articles(articles));
        Some(found)
    }

    fn object(&mut self, prefix: String, mut listing: Listing, has_matched: bool) -> Option<Result<Package>> {
        let entry = match listing.next() {
            Some(Ok(entry)) => entry,
            Some(Err(error)) => return Some(Err(error)),
            None => return (!has_matched).then(|| Err(nothing_below(&prefix))),
        };
        let kind = Kind::of_file(Path::new(&entry.location));
        self.work.push(Work::Objects { prefix, listing, has_matched: has_matched || kind.is_some() });
        let etag = entry.state();
        Some(Ok(Package { etag, ..Package::new(entry.location, kind?, entry.num_bytes) }))
    }

    /// Whether a package is asked for; those of the cloud layout were chosen before, unless they were named themselves.
    fn is_wanted(&mut self, package: &Package) -> bool {
        let Some(ids) = &mut self.ids else { return true };
        if package.kind == Kind::Article {
            return true;
        }
        let source = package.source();
        let stem = source.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        let Some(number) = stem.strip_prefix("PMC").and_then(name::digits) else { return false };
        ids.note(name::Name { number, version: 0 });
        ids.asked(number).any
    }

    /// What was asked for and is in none of the sources.
    fn not_found(&mut self) -> Option<Error> {
        if let Some(ids) = self.ids.take() {
            self.missing = Some(Box::new(ids.missing().fuse()));
        }
        self.missing.as_mut()?.next()
    }

    fn pattern(&mut self, path: PathBuf) -> Option<Result<Package>> {
        let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
        match glob::glob_with(&path.to_string_lossy(), options) {
            Ok(paths) => {
                self.work.push(Work::Glob { pattern: path, paths, has_matched: false });
                None
            }
            Err(error) => {
                let error = Error::new(Stage::Open, Reason::NotFound, format!("not a pattern: {error}"));
                Some(Err(error.at_path(&path)))
            }
        }
    }

    fn glob(&mut self, pattern: PathBuf, mut paths: glob::Paths, has_matched: bool) -> Option<Result<Package>> {
        let Some(next) = paths.next() else {
            let error = || Error::new(Stage::Open, Reason::NotFound, "nothing matches this pattern").at_path(&pattern);
            return (!has_matched).then(|| Err(error()));
        };
        self.work.push(Work::Glob { pattern, paths, has_matched: true });
        match next {
            Ok(path) if path.is_dir() => {
                self.work.push(Work::Directory(path));
                None
            }
            // As in a directory, what is no package is passed over.
            Ok(path) => {
                let kind = Kind::of_file(&path)?;
                let num_bytes = size(&path);
                Some(Ok(Package::new(path, kind, num_bytes)))
            }
            Err(error) => Some(Err(Error::io(Stage::Open, error.error()).at_path(error.path()))),
        }
    }

    fn line(&mut self, mut list: List) -> Option<Result<Package>> {
        let named = list.next()?;
        self.work.push(Work::List(list));
        self.begin(named.map(Work::Source))
    }

    /// Opens a directory: gives the package that it is, if it is one, and leaves its names to be looked at.
    fn directory(&mut self, path: PathBuf) -> Option<Result<Package>> {
        if articles::is_article(&path) {
            let package = articles::on_disk(&path);
            return Some(Ok(Package { version_reason: Some(VersionReason::Asked), ..package }));
        }
        if articles::is_mirror(&path)
            && let Some(base) = path.to_str()
        {
            let work = self.articles(base.trim_end_matches('/').to_owned(), Scope::All);
            self.work.push(work);
            return None;
        }
        let entries = match list(&path) {
            Ok(entries) => entries,
            Err(error) => return Some(Err(error.at_path(&path))),
        };
        let documents = entries.iter().filter(|entry| entry.is_xml()).count();
        let has_others = entries.iter().any(|entry| entry.is_directory || entry.is_image());
        // Many documents and nothing that could be their images: each stands for itself, so that threads can share
        // them.
        let are_lone = documents > 1 && !has_others;
        let package = (documents > 0 && !are_lone).then(|| {
            let sizes = entries.iter().filter(|entry| !entry.is_directory).map(|entry| size(&path.join(&entry.name)));
            Ok(Package::new(path.clone(), Kind::Directory, sizes.sum()))
        });
        let is_wanted = |entry: &Entry| match Kind::of_file(Path::new(&entry.name)) {
            _ if entry.is_directory => true,
            Some(Kind::Xml) => are_lone,
            kind => kind.is_some(),
        };
        let names = entries.into_iter().rev().filter(is_wanted).collect();
        self.work.push(Work::Names { directory: path, names });
        package
    }

    fn name(&mut self, directory: PathBuf, mut names: Vec<Entry>) -> Option<Result<Package>> {
        let entry = names.pop()?;
        let path = directory.join(&entry.name);
        self.work.push(Work::Names { directory, names });
        if entry.is_directory {
            self.work.push(Work::Directory(path));
            return None;
        }
        let kind = Kind::of_file(&path)?;
        let num_bytes = size(&path);
        Some(Ok(Package::new(path, kind, num_bytes)))
    }
}

/// The URL of a store that a source is, if it is none of this machine.
fn as_url(path: &Path) -> Option<&str> {
    path.to_str().filter(|url| store::local_path(url).is_none())
}

/// Size of a file, 0 when it cannot be told: reading it will say why.
fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// The kind of a file whose name says nothing, by its first bytes.
fn sniff(path: &Path) -> Option<Kind> {
    let mut head = Vec::new();
    // Opening a FIFO would wait for its writer.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    fs::File::open(path).ok()?.take(512).read_to_end(&mut head).ok()?;
    if head.starts_with(&[0x1f, 0x8b]) {
        Some(Kind::TarGz)
    } else {
        (head.get(257..262)? == b"ustar").then_some(Kind::Tar)
    }
}

#[cfg(unix)]
fn from_bytes(line: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(line).into()
}

#[cfg(not(unix))]
fn from_bytes(line: &[u8]) -> PathBuf {
    String::from_utf8_lossy(line).into_owned().into()
}

#[cfg(test)]
mod tests;
