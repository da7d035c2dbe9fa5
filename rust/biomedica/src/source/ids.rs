//! The articles that a list of ids asks for.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::MAX_LINE;
use super::name::{Name, digits};
use crate::error::{Error, Reason, Result, Stage};
use crate::package::Metadata;

/// Ids of articles: PMC ids with or without a version, PMIDs and DOIs.
///
/// What was found is noted in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// By number and version; version 0 is whichever is chosen.
    articles: BTreeMap<(u64, u32), bool>,
    pmids: BTreeMap<u64, bool>,
    dois: BTreeMap<String, bool>,
}

/// What is asked of one article.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whichever version is chosen.
    pub(super) any: bool,
    /// These very versions.
    pub(super) versions: Vec<u32>,
}

impl Ids {
    /// Reads a file of ids, one a line: `PMC123`, `PMC123.2`, a PMID (`17284678`) or a DOI, also as a URL. `#` begins a
    /// comment. A line that is none of these is [`Reason::Malformed`].
    pub fn read(path: &Path) -> Result<Self> {
        let io = |error: &std::io::Error| Error::io(Stage::Open, error).at_path(path);
        let mut lines = BufReader::new(fs::File::open(path).map_err(|error| io(&error))?);
        let mut ids = Self::default();
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(|error| io(&error))?;
            if read == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.split('#').next().unwrap_or_default().trim().trim_start_matches('\u{feff}');
            if !text.is_empty() && !ids.add(text) {
                let shown: String = text.chars().take(80).collect();
                let detail = format!("line {number}: {shown:?} is no PMC id (PMC123, PMC123.2), PMID or DOI");
                return Err(Error::new(Stage::Open, Reason::Malformed, detail).at_path(path));
            }
        }
        if ids.len() == 0 {
            return Err(Error::new(Stage::Open, Reason::Empty, "no id in this list").at_path(path));
        }
        Ok(ids)
    }

    fn add(&mut self, text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        let doi = ["https://doi.org/", "http://dx.doi.org/", "https://dx.doi.org/", "http://doi.org/", "doi:"]
            .iter()
            .find_map(|prefix| lower.strip_prefix(prefix))
            .unwrap_or(&lower)
            .trim();
        if doi.starts_with("10.") && doi.contains('/') {
            self.dois.insert(doi.to_owned(), false);
        } else if let Some(pmid) = digits(text) {
            self.pmids.insert(pmid, false);
        } else if let Some(name) = Name::parse(&text.to_ascii_uppercase()) {
            self.articles.insert((name.number, name.version), false);
        } else if let Some(number) = lower.strip_prefix("pmc").and_then(digits) {
            self.articles.insert((number, 0), false);
        } else {
            return false;
        }
        true
    }

    fn len(&self) -> usize {
        self.articles.len() + self.pmids.len() + self.dois.len()
    }

    /// Whether only metadata tell which articles these are.
    pub(super) fn need_metadata(&self) -> bool {
        !self.pmids.is_empty() || !self.dois.is_empty()
    }

    /// Numbers of the articles that are asked for by number.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        let mut before = None;
        self.articles.keys().map(|(number, _)| *number).filter(move |number| before.replace(*number) != Some(*number))
    }

    /// What is asked of the article of this number.
    pub(super) fn asked(&self, number: u64) -> Asked {
        let versions = self.articles.range((number, 0)..=(number, u32::MAX)).map(|((_, version), _)| *version);
        let mut asked = Asked::default();
        for version in versions {
            if version == 0 { asked.any = true } else { asked.versions.push(version) }
        }
        asked
    }

    /// Notes that a version of an article is there.
    pub(super) fn note(&mut self, name: Name) {
        for version in [0, name.version] {
            if let Some(found) = self.articles.get_mut(&(name.number, version)) {
                *found = true;
            }
        }
    }

    /// Whether the article of these metadata is asked for by its PMID or DOI.
    pub(super) fn match_metadata(&mut self, metadata: &Metadata) -> bool {
        let pmid = metadata.pmid.as_deref().and_then(digits).and_then(|pmid| self.pmids.get_mut(&pmid));
        let doi = metadata.doi.as_deref().and_then(|doi| self.dois.get_mut(&doi.to_ascii_lowercase()));
        let found = [pmid, doi];
        let is_wanted = found.iter().any(Option::is_some);
        found.into_iter().flatten().for_each(|found| *found = true);
        is_wanted
    }

    /// An error for each that was not found.
    pub(super) fn missing(self) -> impl Iterator<Item = Error> {
        let article = |(number, version)| match version {
            0 => format!("PMC{number}"),
            version => Name { number, version }.to_string(),
        };
        let articles = self.articles.into_iter().map(move |(key, found)| (article(key), found));
        let pmids = self.pmids.into_iter().map(|(pmid, found)| (format!("PMID {pmid}"), found));
        let dois = self.dois.into_iter().map(|(doi, found)| (format!("DOI {doi}"), found));
        articles.chain(pmids).chain(dois).filter(|(_, found)| !found).map(|(id, _)| {
            Error::new(Stage::Open, Reason::NotFound, "asked for by its id, but in none of the sources").in_source(id)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Ids> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ids");
        fs::write(&path, text).unwrap();
        Ids::read(&path)
    }

    #[test]
    fn ids_are_known_by_their_form() {
        let ids =
            read("# wanted\nPMC12\n pmc7.3 \r\n\n17284678 # a PMID\nhttps://doi.org/10.1000/A b\nPMC12.4\n").unwrap();
        assert_eq!(ids.numbers().collect::<Vec<_>>(), [7, 12]);
        assert_eq!(ids.asked(7), Asked { any: false, versions: vec![3] });
        assert_eq!(ids.asked(12), Asked { any: true, versions: vec![4] });
        assert_eq!(ids.asked(13), Asked::default());
        let missing: Vec<_> = ids.missing().map(|error| error.source().unwrap().to_owned()).collect();
        assert_eq!(missing, ["PMC7.3", "PMC12", "PMC12.4", "PMID 17284678", "DOI 10.1000/a b"]);
    }

    #[test]
    fn what_was_found_is_not_missing() {
        let mut ids = read("PMC1\nPMC2.2\n5\n10.1/x\n").unwrap();
        ids.note(Name { number: 1, version: 9 });
        ids.note(Name { number: 2, version: 1 });
        assert!(ids.match_metadata(&Metadata { pmid: Some("5".into()), ..Metadata::default() }));
        assert!(ids.match_metadata(&Metadata { doi: Some("10.1/X".into()), ..Metadata::default() }));
        assert!(!ids.match_metadata(&Metadata { pmid: Some("6".into()), ..Metadata::default() }));
        let missing: Vec<_> = ids.missing().map(|error| error.source().unwrap().to_owned()).collect();
        assert_eq!(missing, ["PMC2.2"]);
    }

    #[test]
    fn a_line_that_is_no_id_is_named() {
        let error = read("PMC1\nPCM2\n").unwrap_err();
        assert_eq!(error.reason(), Reason::Malformed);
        assert!(error.detail().contains("line 2: \"PCM2\""), "{error}");
        assert_eq!(read("# none\n").unwrap_err().reason(), Reason::Empty);
    }
}
