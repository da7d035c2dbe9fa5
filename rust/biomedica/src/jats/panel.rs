//! The panels of a figure, from its caption: what is said of (A), of (B) and (C), of the upper row.
//!
//! A label is known by where it stands, by its punctuation, by being bold and by its turn in the alphabet: never a letter
//! that is part of a word, a name, a unit or a reference. The text of a panel keeps what is common to all: what stands
//! before the first label, the stem of a sentence that goes on with several labels, and closing remarks about scale bars,
//! abbreviations and the like. `tests/oracle/panels.py` has the same rules as patterns.

mod caption;
mod label;
mod leading;
mod place;
mod reference;

use super::article::Panel;
use super::markup::Markup;
use caption::Caption;
use label::{Candidate, Letters, candidates, mark_bare};
use leading::Segment;
pub use reference::{Named, Reference};

/// The panels that a caption tells of, by their labels; none when there are not at least two.
pub fn split(text: &str, markup: &Markup) -> Vec<Panel> {
    let caption = Caption::new(text, markup);
    let mut found = candidates(&caption);
    mark_bare(&caption, &mut found);
    let is_first = |one: &&Candidate| one.letters.first() == 0;
    let first = found.iter().filter(is_first).find(|one| (one.leads || one.has_stem) && !one.is_bare);
    let leading = first.map(|first| leading::split(&caption, &found, *first)).unwrap_or_default();
    if !leading.is_empty() {
        return leading;
    }
    let trailing = found.iter().filter(is_first).find(|one| !one.is_bare);
    let trailing = trailing.map(|first| split_trailing(&caption, &found, first)).unwrap_or_default();
    if trailing.is_empty() { split_places(&caption) } else { trailing }
}

/// Panels by their places, in the order of the caption.
fn split_places(caption: &Caption<'_>) -> Vec<Panel> {
    let places = place::places(caption);
    if places.len() < 2 {
        return Vec::new();
    }
    let segments: Vec<_> = places.iter().map(|place| Segment::of_place(place.start, place.end)).collect();
    let texts = leading::texts(caption, &segments, None);
    let panel = |(place, text): (&place::Place<'_>, String)| Panel { label: place.label.to_owned(), text };
    places.iter().zip(texts).map(panel).collect()
}

/// What is said of some panels before their labels.
struct Span {
    letters: Letters,
    start: usize,
    end: usize,
    /// Where its last label ends.
    label_end: usize,
}

/// Panels whose labels stand after what is said of them: each has the sentences that end with its own.
fn split_trailing(caption: &Caption<'_>, found: &[Candidate], first: &Candidate) -> Vec<Panel> {
    let mut seen = Letters::default();
    let mut spans: Vec<Span> = Vec::new();
    for one in found.iter().filter(|one| !one.is_bare && one.letters.is_lower() == first.letters.is_lower()) {
        if one.letters.first() != seen.first_missing() {
            continue;
        }
        let letters = one.letters.without(seen);
        seen = one.letters.with(seen);
        let end = caption.sentence_after(one.end.saturating_sub(1)).unwrap_or(caption.text.len());
        let begin = caption.sentence_in(0, one.start).unwrap_or(0);
        match spans.last_mut() {
            None => spans.push(Span { letters, start: begin, end, label_end: one.end }),
            Some(last) if last.end == end => {
                last.letters = last.letters.with(letters);
                last.label_end = one.end;
            }
            Some(last) => {
                if !ends_sentence(caption, last.label_end) {
                    // What follows a label within a sentence is still said of it.
                    last.end = begin.max(last.end);
                }
                let start = last.end;
                spans.push(Span { letters, start, end, label_end: one.end });
            }
        }
    }
    let (Some(first), Some(last), true) = (spans.first(), spans.last(), seen.len() > 1) else { return Vec::new() };
    let lead = caption.between(0, first.start);
    let tail = caption.from(last.end);
    let mut panels: Vec<Panel> = Vec::new();
    for span in &spans {
        let text = joined([lead, caption.between(span.start, span.end), tail]);
        panels.extend(span.letters.iter().map(|letter| Panel { label: letter.into(), text: text.clone() }));
    }
    panels.sort_by(|one, other| one.label.cmp(&other.label));
    panels
}

/// Whether a label is the last word of its sentence.
fn ends_sentence(caption: &Caption<'_>, end: usize) -> bool {
    let rest = caption.from(end);
    rest.is_empty() || rest.starts_with(['.', '?', '!', ')'])
}

/// The texts that are not empty, parted by a space.
fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for text in texts.into_iter().map(|text| text.trim_matches(' ')).filter(|text| !text.is_empty()) {
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(text);
    }
    all
}

#[cfg(test)]
mod tests;
