//! The article's own front matter, field by field.

use std::collections::HashSet;

use super::article::{Article, License};
use super::date::{self, PubDate};
use super::license::{self, Evidence};
use super::slug;

/// A piece of text with a meaning of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `article-id` with its `pub-id-type`.
    ArticleId(String),
    /// `article-title` of the article itself.
    Title,
    /// `journal-title`.
    JournalTitle,
    /// `abbrev-journal-title`, or `journal-id` of NLM's title abbreviations: what stands in for the title.
    JournalAbbreviation,
    /// `kwd`.
    Keyword,
    /// `title` of a `kwd-group`.
    KeywordTitle,
    /// `subject`.
    Subject,
    /// `year` of a `pub-date`.
    Year,
    /// `month` of a `pub-date`.
    Month,
    /// `day` of a `pub-date`.
    Day,
    /// `surname`.
    Surname,
    /// `given-names`, or initials in their place.
    GivenNames,
    /// `suffix`.
    Suffix,
    /// A name that is not divided, or what divides it.
    StringName,
    /// `collab`.
    Collab,
    /// `volume`, which with the next four makes the citation.
    Volume,
    /// `issue`.
    Issue,
    /// `fpage`.
    Fpage,
    /// `lpage`.
    Lpage,
    /// `elocation-id`.
    ElocationId,
    /// `license`.
    License,
    /// `ali:license_ref` with its `content-type`.
    LicenseRef(Option<String>),
    /// `copyright-statement`.
    Copyright,
    /// `pub-id` of a reference.
    PubId(PubId),
}

/// What a `pub-id` is, by its `pub-id-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PubId {
    /// `pmid`.
    Pmid,
    /// `doi`.
    Doi,
    /// Anything else.
    Other,
}

impl PubId {
    /// Of this `pub-id-type`.
    pub fn of(kind: Option<&str>) -> Self {
        match kind {
            Some("pmid") => Self::Pmid,
            Some("doi") => Self::Doi,
            _ => Self::Other,
        }
    }
}

impl Field {
    /// Whether the field's text is also part of the text around it.
    pub fn is_inline(&self) -> bool {
        matches!(self, Self::PubId(_) | Self::Surname | Self::GivenNames | Self::Suffix)
    }
}

#[derive(Debug, Default)]
struct Contrib {
    surname: Option<String>,
    given_names: Option<String>,
    suffix: Option<String>,
    whole: Option<String>,
    collab: Option<String>,
}

/// What was read of the front so far.
#[derive(Debug, Default)]
pub struct Front {
    /// The `article-type` attribute.
    pub article_type: Option<String>,
    /// The `xml:lang` attribute.
    pub language: Option<String>,
    /// A related article is the notice of this one's retraction.
    pub is_retracted: bool,
    /// The dates so far; fields of a date go to the last.
    pub dates: Vec<PubDate>,
    /// What is known of the licence.
    pub evidence: Evidence,
    pmc: Option<String>,
    pmid: Option<String>,
    doi: Option<String>,
    title: Option<String>,
    journal: Option<String>,
    journal_abbreviation: Option<String>,
    keywords: Vec<String>,
    /// The keywords that come are abbreviations.
    are_abbreviations: bool,
    subjects: Vec<String>,
    authors: Vec<String>,
    contrib: Contrib,
    volume: Option<String>,
    issue: Option<String>,
    fpage: Option<String>,
    lpage: Option<String>,
    elocation_id: Option<String>,
    abstract_text: Option<(u8, String)>,
}

impl Front {
    /// Takes a field's text; the first of a field that occurs once wins.
    pub fn take(&mut self, field: Field, text: &str) {
        if text.is_empty() {
            return;
        }
        let once = |slot: &mut Option<String>| {
            slot.get_or_insert_with(|| text.to_owned());
        };
        match field {
            Field::ArticleId(kind) => match kind.as_str() {
                "pmc" | "pmcid" => once(&mut self.pmc),
                "pmid" => once(&mut self.pmid),
                "doi" => once(&mut self.doi),
                _ => {}
            },
            Field::Title => once(&mut self.title),
            Field::JournalTitle => once(&mut self.journal),
            Field::JournalAbbreviation => once(&mut self.journal_abbreviation),
            Field::Keyword if self.are_abbreviations => {}
            Field::Keyword => self.keywords.push(text.to_owned()),
            Field::KeywordTitle => self.are_abbreviations |= is_abbreviations(text),
            Field::Subject => self.subjects.push(text.to_owned()),
            Field::Year => self.date(|date| &mut date.year, text),
            Field::Month => self.date(|date| &mut date.month, text),
            Field::Day => self.date(|date| &mut date.day, text),
            Field::Surname => once(&mut self.contrib.surname),
            Field::GivenNames => once(&mut self.contrib.given_names),
            Field::Suffix => once(&mut self.contrib.suffix),
            Field::StringName => once(&mut self.contrib.whole),
            Field::Collab => once(&mut self.contrib.collab),
            Field::Volume => once(&mut self.volume),
            Field::Issue => once(&mut self.issue),
            Field::Fpage => once(&mut self.fpage),
            Field::Lpage => once(&mut self.lpage),
            Field::ElocationId => once(&mut self.elocation_id),
            Field::License => append(&mut self.evidence.license_text, text),
            Field::LicenseRef(kind) => self.evidence.refs.push((text.to_owned(), kind)),
            Field::Copyright => append(&mut self.evidence.copyright_text, text),
            Field::PubId(_) => {}
        }
    }

    /// Begins a group of keywords of this type.
    pub fn begin_keywords(&mut self, kind: &str) {
        self.are_abbreviations = is_abbreviations(kind);
    }

    fn date(&mut self, slot: impl Fn(&mut PubDate) -> &mut Option<String>, text: &str) {
        if let Some(date) = self.dates.last_mut() {
            slot(date).get_or_insert_with(|| text.to_owned());
        }
    }

    /// Takes an abstract; the one of lowest rank wins, of equals the first.
    pub fn take_abstract(&mut self, rank: u8, text: &str) {
        if !text.is_empty() && self.abstract_text.as_ref().is_none_or(|(best, _)| rank < *best) {
            self.abstract_text = Some((rank, text.to_owned()));
        }
    }

    /// Ends a contributor who counts as an author.
    pub fn end_contrib(&mut self) {
        let contrib = std::mem::take(&mut self.contrib);
        let parts = [contrib.given_names, contrib.surname.clone(), contrib.suffix];
        let name = match contrib.surname {
            Some(_) => Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" ")),
            None => contrib.whole.or(contrib.collab).or_else(|| parts.into_iter().flatten().next()),
        };
        self.authors.extend(name);
    }

    fn citation(&self, date: Option<&str>) -> Option<String> {
        let year = date.and_then(|date| date.get(..4));
        let issue = self.issue.as_ref().map(|issue| format!("({issue})"));
        let volume = [self.volume.clone(), issue].into_iter().flatten().collect::<String>();
        let mut place = [year.unwrap_or_default(), &volume]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(";");
        let pages = match (&self.fpage, &self.lpage) {
            (Some(first), Some(last)) if first != last => Some(format!("{first}-{last}")),
            (Some(first), _) => Some(first.clone()),
            _ => self.elocation_id.clone(),
        };
        if let Some(pages) = pages {
            place.push(':');
            place.push_str(&pages);
        }
        match &self.journal {
            Some(journal) if place.is_empty() => Some(journal.clone()),
            Some(journal) => Some(format!("{journal}. {place}")),
            // Pages of nothing are no citation.
            None => year.map(|_| place),
        }
    }

    /// The article by what its front says.
    pub fn finish(mut self) -> Article {
        self.journal = self.journal.take().or(self.journal_abbreviation.take());
        let date = date::choose(&self.dates);
        let license: License = license::judge(&self.evidence);
        Article {
            accession: self
                .pmc
                .as_deref()
                .and_then(slug::pmc)
                .or_else(|| self.doi.as_deref().map(slug::slug).filter(|slug| !slug.is_empty())),
            citation: self.citation(date.as_deref()),
            is_retracted: self.is_retracted
                || self.article_type.as_deref().is_some_and(|kind| kind.starts_with("retracted")),
            pmid: self.pmid,
            doi: self.doi,
            title: self.title,
            journal: self.journal,
            date,
            article_type: self.article_type,
            language: self.language,
            authors: self.authors,
            abstract_text: self.abstract_text.map(|(_, text)| text),
            keywords: unique(self.keywords),
            subjects: unique(self.subjects),
            license,
            evidence: self.evidence,
            ..Article::default()
        }
    }
}

fn is_abbreviations(text: &str) -> bool {
    text.to_ascii_lowercase().contains("abbr")
}

/// How good an abstract of this type is as the abstract; none for the kinds that are something else.
pub fn abstract_rank(abstract_type: Option<&str>) -> Option<u8> {
    const OTHER: [&str; 5] = ["toc", "teaser", "summary", "key-points", "executive-summary"];
    match abstract_type {
        None => Some(0),
        Some(kind) if kind.to_ascii_lowercase().contains("graphical") => None,
        Some(kind) if OTHER.iter().any(|other| kind.eq_ignore_ascii_case(other)) => None,
        Some(_) => Some(1),
    }
}

/// The list with each text once, where it stood first.
pub fn unique(list: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    list.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

fn append(whole: &mut String, text: &str) {
    if !whole.is_empty() {
        whole.push(' ');
    }
    whole.push_str(text);
}
