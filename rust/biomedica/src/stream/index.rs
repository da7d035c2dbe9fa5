//! The index file of a shard, in the text format of DALI's `wds2idx` 1.2, so that each reads what the other wrote.
//!
//! `v1.2 <samples>`, then a line for each sample with `<extension> <offset> <size> <name>` for each of its members. The
//! format parts its words by spaces, so white space in a name or an extension is written as `_`; only the tar has the
//! name as it is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::catalog::each;
use super::group::{Component, Group, split};
use super::members::padded;
use super::scan::scan;
use crate::dataset::file;
use crate::error::{Error, Reason, Result, Stage};
use crate::package::header::BLOCK;
use crate::store::{self, Object, StoreOptions, Upload};

/// What may lie between two samples and belong to the second: headers that carry long names.
const MAX_GAP: u64 = 64 << 10;

/// What [`write()`] did for a shard.
#[derive(Debug)]
pub struct Indexed {
    /// Whole samples of the shard; none when its index was there already.
    pub samples: Option<u64>,
    /// What is wrong with the shard after them.
    pub problem: Option<Error>,
}

/// Where the index of the shard at `location` lies: `a.tar` has `a.idx` beside it, whatever a URL's query says.
pub fn location(location: &str) -> String {
    let query = location.find('?').filter(|_| location.contains("://")).unwrap_or(location.len());
    let (path, query) = location.split_at(query);
    format!("{}.idx{query}", path.strip_suffix(".tar").unwrap_or(path))
}

/// Whether the local shard at `location` has an index that is not older than it.
pub(super) fn is_fresh(shard: &str) -> bool {
    let modified = |path: &str| fs::metadata(Path::new(path)).and_then(|meta| meta.modified()).ok();
    modified(&location(shard)).zip(modified(shard)).is_some_and(|(index, shard)| index >= shard)
}

/// The same of a shard in a store.
fn is_fresh_there(shard: &str, options: &StoreOptions) -> Result<bool> {
    let location = location(shard);
    let (index, shard) = (store::look(&location, options)?, store::look(shard, options)?);
    match index.wait(&options.stop) {
        Ok(index) => Ok(index.modified >= shard.wait(&options.stop)?.modified),
        Err(error) if error.reason() == Reason::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the index of a shard beside it, whole or not at all. One that is there and not older stays, unless `force`.
///
/// Of a shard on disk only the headers are read; one in a store is read from front to back, once.
pub fn write(shard: &str, force: bool, options: &StoreOptions) -> Result<Indexed> {
    let location = location(shard);
    // What cannot be written is told before anything is read.
    let upload = if store::local_path(shard).is_none() { Some(Upload::new(&location, options)?) } else { None };
    let is_there = || if upload.is_some() { is_fresh_there(shard, options) } else { Ok(is_fresh(shard)) };
    if !force && is_there()? {
        return Ok(Indexed { samples: None, problem: None });
    }
    let object = Object::open(shard, options)?;
    let mut lines = String::new();
    let mut samples = 0_u64;
    let problem = scan(&object, &mut |group| {
        samples += 1;
        line(&mut lines, &group);
    });
    let problem = match problem {
        // Not the shard is wrong but the way to it: its other samples may be as good.
        Some(lost) if lost.stage() == Stage::Fetch => return Err(lost),
        problem => problem,
    };
    if samples == 0 {
        let nothing = || Error::new(Stage::Tar, Reason::Empty, "the tar has no sample").in_source(shard);
        return Err(problem.unwrap_or_else(nothing));
    }
    let text = format!("v1.2 {samples}\n{lines}");
    match upload {
        Some(mut upload) => upload.write(text.as_bytes()).and_then(|()| upload.complete())?,
        None => file::replace(Path::new(store::local_path(&location).unwrap_or(&location)), text.as_bytes())?,
    }
    Ok(Indexed { samples: Some(samples), problem })
}

/// Writes the indexes of several shards with threads; `done` hears of each that is through. What could not be indexed is
/// an error in its place.
pub fn write_all(
    shards: &[String],
    force: bool,
    threads: usize,
    options: &StoreOptions,
    stop: &(dyn Fn() -> bool + Sync),
    done: &(dyn Fn(&Result<Indexed>) + Sync),
) -> Result<Vec<Result<Indexed>>> {
    each(shards, threads, stop, |shard| {
        let result = write(shard, force, options);
        done(&result);
        result
    })
}

fn line(lines: &mut String, group: &Group) {
    for (component, n) in group.components.iter().zip(0..) {
        let between = if n == 0 { "" } else { " " };
        let (extension, name) = (word(&component.extension), word(&component.name));
        // Writing to a string does not fail.
        let _ = write!(lines, "{between}{extension} {} {} {name}", component.data, component.size);
    }
    lines.push('\n');
}

fn word(text: &str) -> String {
    let word: String = text.chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
    if word.is_empty() { "_".into() } else { word }
}

/// Hands the samples of an index to `visit`; an error names the line.
pub(super) fn read(text: &str, visit: &mut dyn FnMut(Group)) -> Result<()> {
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [version, count] = head.as_slice() else { return Err(corrupt(1)) };
    let width = match *version {
        "v1.1" => 3,
        "v1.2" => 4,
        other => {
            let detail = format!("an index of version {other:?}; v1.1 and v1.2 are known");
            return Err(Error::new(Stage::Open, Reason::UnsupportedFormat, detail));
        }
    };
    let count: u64 = count.parse().map_err(|_| corrupt(1))?;
    let mut end = 0;
    let mut found = 0;
    for (line, number) in lines.zip(2..) {
        let group = sample(line, width, end).ok_or_else(|| corrupt(number))?;
        end = group.end;
        found += 1;
        visit(group);
    }
    if found == count {
        Ok(())
    } else {
        let detail = format!("the index has {found} samples, but says {count}");
        Err(Error::new(Stage::Open, Reason::Truncated, detail))
    }
}

fn corrupt(line: u64) -> Error {
    Error::new(Stage::Open, Reason::Corrupt, format!("line {line} of the index is none"))
}

/// The sample of one line; the one before it ends at `before`.
fn sample(line: &str, width: usize, before: u64) -> Option<Group> {
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() || !words.len().is_multiple_of(width) {
        return None;
    }
    let mut components = Vec::with_capacity(words.len() / width);
    for words in words.chunks_exact(width) {
        let (data, size): (u64, u64) = (words.get(1)?.parse().ok()?, words.get(2)?.parse().ok()?);
        if !data.is_multiple_of(BLOCK as u64) || data < BLOCK as u64 {
            return None;
        }
        data.checked_add(size)?;
        let (extension, name) =
            ((*words.first()?).to_owned(), words.get(3).map_or_else(String::new, ToString::to_string));
        components.push(Component { extension, name, data, size });
    }
    let first = components.iter().map(|c| c.data).min()?;
    let end = components.iter().map(|c| c.data.saturating_add(padded(c.size))).max()?;
    let header = first - BLOCK as u64;
    let start = if before <= header && header - before <= MAX_GAP { before } else { header };
    let key = components.first().and_then(|c| split(&c.name)).map_or_else(String::new, |(key, _)| key.to_owned());
    Some(Group { key, start, end, components })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Group>> {
        let mut groups = Vec::new();
        read(text, &mut |group| groups.push(group))?;
        Ok(groups)
    }

    #[test]
    fn an_index_lies_beside_its_shard() {
        assert_eq!(location("a/b-0001.tar"), "a/b-0001.idx");
        assert_eq!(location("a/what?.tar"), "a/what?.idx");
        assert_eq!(location("https://h/b.tar?sig=x.tar"), "https://h/b.idx?sig=x.tar");
        assert_eq!(location("plain"), "plain.idx");
    }

    #[test]
    fn samples_begin_where_the_one_before_ends() {
        let groups = all("v1.2 2\njpg 512 700 a/x.jpg txt 2048 3 a/x.txt\njpg 4096 1 a/y.jpg\n").unwrap();
        assert_eq!((groups[0].key.as_str(), groups[0].start, groups[0].end), ("a/x", 0, 2560));
        // The header is at 3584; what is before it may be its long name.
        assert_eq!((groups[1].key.as_str(), groups[1].start, groups[1].end), ("a/y", 2560, 4608));
        let far = all("v1.1 1\njpg 1024000 1\n").unwrap();
        assert_eq!((far[0].start, far[0].end), (1_023_488, 1_024_512));
    }

    #[test]
    fn what_is_no_index_is_refused_with_its_line() {
        for text in [
            "",
            "v1.2",
            "v1.2 x\n",
            "v1.2 1\n\n",
            "v1.2 1\njpg 512 1\n",
            "v1.2 1\njpg 513 1 a.jpg\n",
            "v1.2 1\njpg 0 1 a.jpg\n",
            "v1.2 2\njpg 512 1 a.jpg\n",
            "v1.2 1\njpg 512 18446744073709551615 a.jpg\n",
            "v9 1\njpg 512 1 a.jpg\n",
            "v1.2 1\njpg -512 1 a.jpg\n",
        ] {
            assert!(all(text).is_err(), "{text:?}");
        }
        insta::assert_snapshot!(all("v1.2 1\njpg 512 x a.jpg\n").unwrap_err(), @"corrupt: line 2 of the index is none");
    }
}
