//! A caption and what can be asked of places in it.

use std::ops::Range;

use crate::jats::markup::Markup;

/// Words before a full stop that ends no sentence.
const ABBREVIATED: [&str; 27] = [
    "e.g", "i.e", "vs", "cf", "fig", "Fig", "figs", "Figs", "al", "approx", "ref", "Ref", "refs", "Refs", "no", "No",
    "nov", "sp", "spp", "subsp", "var", "ca", "eq", "Eq", "eqs", "Eqs", "resp",
];

/// A caption with its places.
#[derive(Debug)]
pub struct Caption<'a> {
    /// The whole of it.
    pub text: &'a str,
    /// Bold stretches that are not empty, by their beginnings; no space at their ends.
    bold: Vec<Range<usize>>,
    bold_ends: Vec<usize>,
    breaks: Vec<usize>,
    /// Where sentences begin, but for the first.
    pub sentences: Vec<usize>,
}

/// What stands before a place.
#[derive(Debug)]
pub struct Before<'a> {
    /// The text without space, and without quotes that close a sentence.
    pub text: &'a str,
    /// A sentence or a clause begins here.
    pub is_clause: bool,
    /// No word runs on from before into the place.
    pub is_apart: bool,
    /// The last word, in any case.
    pub word: &'a str,
}

impl<'a> Caption<'a> {
    /// The caption of this text and markup.
    pub fn new(text: &'a str, markup: &Markup) -> Self {
        let inside = |range: &Range<usize>| {
            let bold = text.get(range.clone())?;
            let start = range.start + bold.len() - bold.trim_start_matches(' ').len();
            let end = range.start + bold.trim_end_matches(' ').len();
            (start < end).then_some(start..end)
        };
        let bold: Vec<_> = markup.bold.iter().filter_map(inside).collect();
        let mut bold_ends: Vec<_> = bold.iter().map(|range| range.end).collect();
        bold_ends.sort_unstable();
        let mut breaks = markup.breaks.clone();
        breaks.retain(|at| (1..text.len()).contains(at) && text.is_char_boundary(*at));
        let mut sentences: Vec<_> = sentences(text).chain(breaks.iter().copied()).collect();
        sentences.sort_unstable();
        sentences.dedup();
        Self { text, bold, bold_ends, breaks, sentences }
    }

    /// The text from a place on.
    pub fn from(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    /// The text of a stretch.
    pub fn between(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// End of the bold stretch that begins at a place.
    pub fn bold_end(&self, at: usize) -> Option<usize> {
        let after = self.bold.partition_point(|range| range.start <= at);
        let last = self.bold.get(after.checked_sub(1)?)?;
        (last.start == at).then_some(last.end)
    }

    /// Whether a bold stretch ends at a place.
    pub fn ends_bold(&self, at: usize) -> bool {
        self.bold_ends.binary_search(&at).is_ok()
    }

    /// The last beginning of a sentence in a stretch, its end included.
    pub fn sentence_in(&self, start: usize, end: usize) -> Option<usize> {
        let after = self.sentences.partition_point(|at| *at <= end);
        self.sentences.get(after.checked_sub(1)?).copied().filter(|at| *at >= start)
    }

    /// The first beginning of a sentence behind a place.
    pub fn sentence_after(&self, at: usize) -> Option<usize> {
        self.sentences.get(self.sentences.partition_point(|sentence| *sentence <= at)).copied()
    }

    /// The first beginning of a paragraph behind a place.
    pub fn break_after(&self, at: usize) -> Option<usize> {
        self.breaks.get(self.breaks.partition_point(|one| *one <= at)).copied()
    }

    /// What stands before a place.
    pub fn before(&self, at: usize) -> Before<'a> {
        let whole = self.between(0, at);
        let text = closed(whole.trim_end_matches(' '));
        let next = self.breaks.partition_point(|one| *one <= text.len());
        let is_start = text.is_empty() || self.breaks.get(next).is_some_and(|one| *one <= at);
        let touches = whole.chars().next_back().is_some_and(|c| c != ' ');
        let ends_bold = touches && self.ends_bold(at);
        let is_stop = text.ends_with(['.', ';', '?', '!', ':']) && !is_abbreviated(text);
        let runs_on = whole.chars().next_back().is_some_and(is_word);
        let bare = whole.strip_suffix(' ').unwrap_or(whole);
        let word = bare.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        Before {
            text,
            is_clause: is_start || ends_bold || is_stop,
            is_apart: is_start || ends_bold || !runs_on,
            word: bare.get(word.len()..).unwrap_or_default(),
        }
    }
}

/// Whether a character is part of a word.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '\'' | '’')
}

/// Without the quotes that close a sentence behind its full stop.
fn closed(text: &str) -> &str {
    let inner = text.trim_end_matches(['"', '\'', '”', '’']);
    if inner.ends_with(['.', '?', '!']) { inner } else { text }
}

/// Whether the full stop at the end of a text is that of an abbreviation.
fn is_abbreviated(text: &str) -> bool {
    let Some(text) = text.strip_suffix('.') else { return false };
    ABBREVIATED
        .iter()
        .any(|word| text.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with([' ', '('])))
}

/// Where sentences begin behind a full stop and a space.
fn sentences(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices(['.', '?', '!']).filter_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let closed = rest.trim_start_matches(['"', '\'', '”', '’', ')', ']']);
        let next = closed.strip_prefix(' ')?;
        let begins = next.starts_with(|c: char| !c.is_ascii_lowercase() && c != ' ');
        (begins && !is_abbreviated(text.get(..=at)?)).then_some(text.len() - next.len())
    })
}
