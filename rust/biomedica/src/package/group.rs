//! Which files of a package belong to which article.
//!
//! An article is a `.nxml`, or a `.xml` in a directory without `.nxml`. Its other files are those at or below its
//! directory, but not at or below another article's. A package that is held as a whole is divided at its end, so the
//! order of its members does not matter. A tarball of many articles cannot be held: from [`HELD_BYTES`] on the
//! articles whose directories the tar has left are handed over. Both ways of reading a tar come through here with
//! the same members, hence with the same result.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow::{self, Continue};
use std::sync::Arc;

use super::Report;
use super::file::{File, Role, base_name, directory, too_large};
use crate::error::{Error, Reason, Stage};
use crate::limits::Limits;

/// Bytes of members that are held before articles are handed over.
const HELD_BYTES: u64 = 32 << 20;

pub(super) struct Groups<'a> {
    /// Names an article at the top of the package.
    package: &'a str,
    limits: &'a Limits,
    stage: Stage,
    files: Vec<File>,
    held_bytes: u64,
    /// Held bytes at which to look again for what can be handed over.
    look_at: u64,
    /// Directories of several articles, of which some were handed over already, and whether a `.nxml` was among them.
    shared: HashMap<String, bool>,
    saw_article: bool,
}

/// A directory with articles.
#[derive(Default)]
struct Directory {
    path: String,
    nxml: usize,
    xml: usize,
    others: usize,
    /// Held by its files.
    bytes: u64,
    /// Where its last article stands.
    last: usize,
}

/// What to hand over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hand {
    Nothing,
    /// All articles but the last, whose directory is still being read.
    AllButLast,
    Everything,
}

impl<'a> Groups<'a> {
    pub(super) fn new(package: &'a str, limits: &'a Limits, stage: Stage) -> Self {
        let (files, shared) = (Vec::new(), HashMap::new());
        Self { package, limits, stage, files, held_bytes: 0, look_at: HELD_BYTES, shared, saw_article: false }
    }

    /// Adds a file, and hands over what is complete when too much is held.
    pub(super) fn push(&mut self, file: File, report: &mut Report<'_>) -> ControlFlow<()> {
        self.held_bytes += file.held_bytes();
        self.files.push(file);
        if self.held_bytes < self.look_at {
            return Continue(());
        }
        let here = self.files.last().map(|file| directory(file.path()).to_owned()).unwrap_or_default();
        self.hand_over(report, |directory| {
            if !is_within(&here, &directory.path) {
                Hand::Everything
            } else if directory.others == 0 {
                Hand::AllButLast
            } else {
                Hand::Nothing
            }
        })?;
        if self.held_bytes > self.limits.article_bytes.max(HELD_BYTES) {
            self.drop_held(&here, report)?;
        }
        // A quarter more before the next look keeps the work in proportion to what is read.
        self.look_at = (self.held_bytes + HELD_BYTES / 4).max(HELD_BYTES);
        Continue(())
    }

    /// Notes a file that could not be read: an article all the same, if its name says so.
    pub(super) fn lost(&mut self, error: &Error) {
        self.saw_article |= error.member().is_some_and(|path| Role::of(path).is_xml());
    }

    /// Hands over all that is left. `is_whole` says that there were no faults that could have hidden an article.
    pub(super) fn finish(mut self, is_whole: bool, report: &mut Report<'_>) -> ControlFlow<()> {
        self.hand_over(report, |_| Hand::Everything)?;
        if self.saw_article || !is_whole {
            return Continue(());
        }
        report.failure(Error::new(self.stage, Reason::NoXml, "no .nxml and no .xml in this package"))
    }

    /// Gives up on what is held: first what belongs to no article, then all.
    fn drop_held(&mut self, here: &str, report: &mut Report<'_>) -> ControlFlow<()> {
        let articles: HashSet<String> = self
            .files
            .iter()
            .filter(|file| Role::of(file.path()).is_xml())
            .map(|file| directory(file.path()).to_owned())
            .collect();
        self.files.retain(|file| ancestors(directory(file.path())).any(|path| articles.contains(path)));
        self.held_bytes = self.files.iter().map(File::held_bytes).sum();
        if self.held_bytes > self.limits.article_bytes.max(HELD_BYTES) {
            self.saw_article |= !articles.is_empty();
            self.files.clear();
            self.held_bytes = 0;
        }
        let detail = format!("files that belong together exceed the limit of {} bytes", self.limits.article_bytes);
        report.failure(Error::new(self.stage, Reason::TooLarge, detail).in_member(here))
    }

    fn hand_over(&mut self, report: &mut Report<'_>, decide: impl Fn(&Directory) -> Hand) -> ControlFlow<()> {
        let mut directories = self.directories();
        let owners = self.owners(&mut directories);
        let hands: Vec<Hand> = directories.iter().map(decide).collect();

        let mut articles = Vec::new();
        let mut others: Vec<Vec<File>> = directories.iter().map(|_| Vec::new()).collect();
        let mut kept = Vec::new();
        for (at, (file, owner)) in std::mem::take(&mut self.files).into_iter().zip(owners).enumerate() {
            let Some((index, directory, hand)) =
                owner.and_then(|index| Some((index, directories.get(index)?, *hands.get(index)?)))
            else {
                kept.push(file);
                continue;
            };
            let role = Role::of(file.path());
            let stays = hand == Hand::Nothing || (hand == Hand::AllButLast && at == directory.last);
            if stays {
                kept.push(file);
            } else if role == Role::Nxml || (role == Role::Xml && directory.nxml == 0) {
                articles.push((index, file));
            } else if let Some(others) = others.get_mut(index).filter(|_| !role.is_xml()) {
                others.push(file);
            }
        }
        self.held_bytes = kept.iter().map(File::held_bytes).sum();
        self.files = kept;

        let others: Vec<Arc<[File]>> = others.into_iter().map(Arc::from).collect();
        for (index, xml) in articles {
            if let (Some(directory), Some(others)) = (directories.get(index), others.get(index)) {
                self.emit(directory, xml, others, report)?;
            }
        }
        for (directory, hand) in directories.into_iter().zip(hands) {
            if hand == Hand::AllButLast {
                self.shared.insert(directory.path, directory.nxml > 0);
            }
        }
        Continue(())
    }

    /// The directories that hold articles.
    fn directories(&self) -> Vec<Directory> {
        let mut found: Vec<Directory> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (at, file) in self.files.iter().enumerate() {
            let role = Role::of(file.path());
            if !role.is_xml() {
                continue;
            }
            let path = directory(file.path());
            let place = *places.entry(path).or_insert(found.len());
            if place == found.len() {
                let nxml = usize::from(self.shared.get(path) == Some(&true));
                found.push(Directory { path: path.to_owned(), nxml, ..Directory::default() });
            }
            if let Some(directory) = found.get_mut(place) {
                *(if role == Role::Nxml { &mut directory.nxml } else { &mut directory.xml }) += 1;
                directory.last = at;
            }
        }
        found
    }

    /// For each file the directory that it belongs to: the nearest of those around it.
    fn owners(&self, directories: &mut [Directory]) -> Vec<Option<usize>> {
        let places: HashMap<String, usize> =
            directories.iter().enumerate().map(|(place, directory)| (directory.path.clone(), place)).collect();
        let mut last: Option<(&str, Option<usize>)> = None;
        let mut owners = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let path = directory(file.path());
            let owner = match last {
                Some((same, owner)) if same == path => owner,
                _ => ancestors(path).find_map(|path| places.get(path).copied()),
            };
            last = Some((path, owner));
            if let Some(directory) = owner.and_then(|owner| directories.get_mut(owner)) {
                directory.others += usize::from(!Role::of(file.path()).is_xml());
                directory.bytes += file.held_bytes();
            }
            owners.push(owner);
        }
        owners
    }

    fn emit(
        &mut self,
        directory: &Directory,
        xml: File,
        others: &Arc<[File]>,
        report: &mut Report<'_>,
    ) -> ControlFlow<()> {
        self.saw_article = true;
        if xml.num_bytes() == 0 {
            return report.failure(Error::new(Stage::Xml, Reason::Empty, "an empty file").in_member(xml.path()));
        }
        let limit = self.limits.article_bytes;
        if directory.others > 0 && directory.bytes > limit {
            return report.failure(too_large(self.stage, limit).in_member(xml.path()));
        }
        let articles = if directory.nxml > 0 { directory.nxml } else { directory.xml };
        let name = if articles > 1 || self.shared.contains_key(&directory.path) {
            let name = xml.base_name();
            name.rsplit_once('.').map_or(name, |(stem, _)| stem)
        } else if directory.path.is_empty() {
            self.package
        } else {
            base_name(&directory.path)
        };
        report.article(name.to_owned(), xml, Arc::clone(others))
    }
}

/// `path`, then each directory around it up to the top.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| (!path.is_empty()).then(|| directory(path)))
}

fn is_within(path: &str, directory: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
