//! A directory as a package: its files and those of sub-directories that hold no article of their own.

use std::ffi::OsString;
use std::fs;
use std::ops::ControlFlow::{self, Continue};
use std::path::Path;

use super::file::{File, Role, too_large};
use super::group::Groups;
use super::tar::MAX_DEPTH;
use super::{Report, stem};
use crate::error::{Error, Reason, Result, Stage};
use crate::limits::Limits;

/// One name in a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    /// A directory itself, not a link to one: those are not followed, so no walk goes in circles.
    pub(crate) is_directory: bool,
    is_link: bool,
}

impl Entry {
    fn role(&self) -> Role {
        if self.is_directory { Role::Unused } else { Role::of(&self.name.to_string_lossy()) }
    }

    /// Whether it may hold an article.
    pub(crate) fn is_xml(&self) -> bool {
        self.role().is_xml()
    }

    /// Whether it may be an article's image.
    pub(crate) fn is_image(&self) -> bool {
        self.role() == Role::Image
    }
}

/// The visible names in the directory at `path`, sorted by their bytes.
pub(crate) fn list(path: &Path) -> Result<Vec<Entry>> {
    let fail = |error: std::io::Error| Error::io(Stage::Open, &error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let bytes = name.as_encoded_bytes();
        if !bytes.starts_with(b".") && !bytes.ends_with(b".tmp") {
            let kind = entry.file_type().map_err(fail)?;
            entries.push(Entry { name, is_directory: kind.is_dir(), is_link: kind.is_symlink() });
        }
    }
    entries.sort_unstable_by(|a, b| a.name.as_encoded_bytes().cmp(b.name.as_encoded_bytes()));
    Ok(entries)
}

pub(super) fn read(top: &Path, limits: &Limits, report: &mut Report<'_>) -> ControlFlow<()> {
    let name = stem(top);
    let mut groups = Groups::new(&name, limits, Stage::Open);
    // Directories yet to be read, the next one last.
    let mut open = vec![(top.to_path_buf(), String::new(), 0)];
    while let Some((path, prefix, depth)) = open.pop() {
        let entries = match list(&path) {
            Ok(entries) => entries,
            Err(error) => {
                report.failure(if prefix.is_empty() { error } else { error.in_member(prefix) })?;
                continue;
            }
        };
        if depth > 0 && entries.iter().any(Entry::is_xml) {
            continue;
        }
        if depth > MAX_DEPTH {
            let error = Error::new(Stage::Open, Reason::TooDeep, format!("more than {MAX_DEPTH} directories deep"));
            report.failure(error.in_member(prefix))?;
            continue;
        }
        for entry in entries.iter().rev().filter(|entry| entry.is_directory) {
            open.push((path.join(&entry.name), join(&prefix, entry), depth + 1));
        }
        for entry in entries.iter().filter(|entry| entry.is_xml() || entry.is_image()) {
            match file(top, &path, entry, join(&prefix, entry), limits) {
                Ok(Some(file)) => groups.push(file, report)?,
                Ok(None) => {}
                Err(error) => {
                    groups.lost(&error);
                    report.failure(error)?;
                }
            }
        }
    }
    let is_whole = !report.has_failures();
    groups.finish(is_whole, report)?;
    Continue(())
}

fn join(prefix: &str, entry: &Entry) -> String {
    let name = entry.name.to_string_lossy();
    if prefix.is_empty() { name.into_owned() } else { format!("{prefix}/{name}") }
}

/// The file of `entry`, to be read when it is asked for; none for sockets, FIFOs and links to directories.
///
/// A link that leads out of the package at `top` is refused: a package unpacked from a hostile tar must not put files
/// of the machine into a dataset. The package itself may be a link, as in mirrors that are made of links.
fn file(top: &Path, directory: &Path, entry: &Entry, path: String, limits: &Limits) -> Result<Option<File>> {
    let at = directory.join(&entry.name);
    let metadata = match fs::metadata(&at) {
        Ok(metadata) => metadata,
        Err(error) => return Err(Error::io(Stage::Open, &error).in_member(path)),
    };
    let limit = entry.role().limit(limits);
    if !metadata.is_file() {
        Ok(None)
    } else if entry.is_link && !is_within(top, &at).map_err(|error| error.in_member(path.as_str()))? {
        let error = Error::new(Stage::Open, Reason::UnsupportedMember, "a symbolic link that leads out of the package");
        Err(error.in_member(path))
    } else if metadata.len() > limit {
        Err(too_large(Stage::Open, limit).in_member(path))
    } else {
        Ok(Some(File::on_disk(path, at, metadata.len())))
    }
}

/// Whether `path` is in the directory `top` once all links are followed.
fn is_within(top: &Path, path: &Path) -> Result<bool> {
    let real = |path: &Path| fs::canonicalize(path).map_err(|error| Error::io(Stage::Open, &error));
    Ok(real(path)?.starts_with(real(top)?))
}
