//! Lists of sources: a file on disk or an object of a store, one source a line.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Buf;

use super::remote::without_query;
use super::{MAX_LINE, as_url, from_bytes};
use crate::error::{Error, Reason, Result, Stage};
use crate::store::{self, Object, StoreOptions};

/// Lists in a store up to this size come in one request; larger ones are read piece by piece.
const WHOLE: u64 = 16 << 20;
/// Bytes of a list in a store: forty million lines of a hundred bytes.
const MAX_REMOTE: u64 = 4 << 30;

/// Whether a name is that of a list.
pub(super) fn is_list(name: &Path) -> bool {
    name.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("txt") || ext.eq_ignore_ascii_case("list"))
}

/// A list that is being read, a line at a time.
pub(super) struct List {
    lines: Box<dyn BufRead + Send>,
    beside: Beside,
    ended: bool,
}

/// Where a list lies.
enum Beside {
    File(PathBuf),
    /// The URL without its query.
    Url(String),
}

impl List {
    pub(super) fn on_disk(path: PathBuf) -> Result<Self> {
        let file = fs::File::open(&path).map_err(|error| Error::io(Stage::Open, &error).at_path(&path))?;
        Ok(Self { lines: Box::new(BufReader::new(file)), beside: Beside::File(path), ended: false })
    }

    /// A list that is not there, or may not be read, is an error of [`Stage::Open`], as of a file; one that a store does not
    /// give leaves the sources unknown, and is one of [`Stage::Fetch`].
    pub(super) fn in_store(url: &str, options: &StoreOptions) -> Result<Self> {
        let whole = store::fetch(url, options, WHOLE).and_then(|pending| pending.wait(&options.stop));
        let lines: Result<Box<dyn BufRead + Send>> = match whole {
            Ok(list) => Ok(Box::new(list.bytes.reader())),
            Err(error) if error.reason() == Reason::TooLarge => Object::open(url, options).and_then(|list| {
                if list.size() > MAX_REMOTE {
                    let detail = format!("a list of {} bytes; at most {MAX_REMOTE} are read", list.size());
                    return Err(Error::new(Stage::Open, Reason::TooLarge, detail).in_source(without_query(url)));
                }
                Ok(Box::new(BufReader::new(list.reader(0)?)) as _)
            }),
            Err(error) => Err(error),
        };
        let lines = lines.map_err(|error| match error.reason() {
            Reason::Io | Reason::Interrupted => error,
            _ => error.in_stage(Stage::Open),
        })?;
        Ok(Self { lines, beside: Beside::Url(without_query(url).to_owned()), ended: false })
    }

    /// The next source that it names.
    pub(super) fn next(&mut self) -> Option<Result<PathBuf>> {
        loop {
            let mut line = Vec::new();
            let read = if self.ended { Ok(0) } else { self.lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) };
            if let Err(error) = read {
                self.ended = true;
                return Some(Err(self.failed(Error::io(Stage::Open, &error))));
            }
            if line.is_empty() {
                return None;
            }
            if line.len() as u64 == MAX_LINE {
                self.ended = true;
                let error = Error::new(Stage::Open, Reason::TooLarge, "a line of this list is longer than 64 KiB");
                return Some(Err(self.failed(error)));
            }
            let line = line.trim_ascii();
            if !line.is_empty() && !line.starts_with(b"#") {
                return Some(self.named(line));
            }
        }
    }

    fn named(&self, line: &[u8]) -> Result<PathBuf> {
        let named = match &self.beside {
            Beside::File(list) => {
                let path = from_bytes(line);
                if as_url(&path).is_some() { path } else { list.parent().unwrap_or(Path::new("")).join(path) }
            }
            Beside::Url(list) => {
                let text = std::str::from_utf8(line).map_err(|_| {
                    let detail = format!("a line that is not UTF-8: {}", String::from_utf8_lossy(line));
                    self.failed(Error::new(Stage::Open, Reason::UnsupportedFormat, detail))
                })?;
                let named = if as_url(Path::new(text)).is_some() { Some(text.to_owned()) } else { beside(list, text) };
                named.map(PathBuf::from).ok_or_else(|| {
                    let detail = format!(
                        "{text:?}: a list in a store names URLs, and paths beside itself; no files of this machine"
                    );
                    self.failed(Error::new(Stage::Open, Reason::UnsafePath, detail))
                })?
            }
        };
        let name = as_url(&named).map_or(named.as_path(), |url| Path::new(without_query(url)));
        if is_list(name) {
            // A list of lists could name itself.
            let error = Error::new(Stage::Open, Reason::UnsupportedFormat, "a list within a list");
            return Err(error.at_path(name));
        }
        Ok(named)
    }

    fn failed(&self, error: Error) -> Error {
        match &self.beside {
            Beside::File(path) => error.at_path(path),
            Beside::Url(url) => error.in_source(url.as_str()),
        }
    }
}

/// The URL of `path` beside the one of a list; none for what does not lie in the list's bucket or host.
fn beside(list: &str, path: &str) -> Option<String> {
    let (scheme, rest) = list.split_once("://")?;
    if path.starts_with('/') || path.contains("://") {
        return None;
    }
    let query = path.find('?').filter(|_| scheme.starts_with("http")).unwrap_or(path.len());
    let (path, query) = path.split_at(query);
    let mut parts: Vec<&str> = rest.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.len() > 1 => {
                parts.pop();
            }
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(format!("{scheme}://{}{query}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_in_a_store_names_lies_beside_it() {
        for (list, path, expected) in [
            ("s3://b/l/all.txt", "p/PMC1.tar.gz", Some("s3://b/l/p/PMC1.tar.gz")),
            ("s3://b/l/all.txt", "./PMC1.1/", Some("s3://b/l/PMC1.1")),
            ("s3://b/l/all.txt", "../PMC1*", Some("s3://b/PMC1*")),
            ("s3://b/all.txt", "what?.tar", Some("s3://b/what?.tar")),
            ("https://h:8080/l/all.txt", "a.tar?s=x/../y", Some("https://h:8080/l/a.tar?s=x/../y")),
            ("s3://b/l/all.txt", "../../other/a.tar", None),
            ("s3://b/l/all.txt", "/etc/a.tar", None),
            ("s3://b/l/all.txt", "file:///etc/a.tar", None),
        ] {
            assert_eq!(beside(list, path).as_deref(), expected, "{path} of {list}");
        }
    }
}
