//! Panels whose labels stand before what is said of them.

use super::caption::Caption;
use super::label::{Candidate, Letters};
use super::{Panel, joined};

/// What a sentence opens with that is said of all panels, if no other panel has such a sentence of its own.
const CLOSINGS: [&str; 49] = [
    "abbreviations",
    "all data",
    "all error",
    "all experiments",
    "all images",
    "all results",
    "all scale",
    "all values",
    "asterisk",
    "additional data",
    "bar =",
    "bar:",
    "bar, ",
    "bars =",
    "bars:",
    "bars, ",
    "bars represent",
    "box ",
    "boxes ",
    "data are",
    "data represent",
    "data shown",
    "data were",
    "each experiment",
    "error bar",
    "experiments were",
    "for better visibility",
    "images are",
    "mean ±",
    "means ±",
    "results are",
    "results represent",
    "scale bar",
    "see also",
    "see text",
    "see the text",
    "statistical",
    "the data",
    "the error bar",
    "the scale bar",
    "values are",
    "values represent",
    "p values",
    "p<",
    "p <",
    "*",
    "†",
    "n =",
    "n=",
];

/// What is said of some panels.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    letters: Letters,
    /// Where it begins: with its label, or with the sentence around that.
    start: usize,
    label: (usize, usize),
    /// The beginning of a sentence that goes on with several labels.
    stem: (usize, usize),
    /// The label is a word of the sentence.
    keeps_label: bool,
    /// The segment of several panels that this one says more about.
    base: Option<usize>,
}

impl Segment {
    /// What is said of a place.
    pub fn of_place(start: usize, end: usize) -> Self {
        let letters = Letters::default();
        Self { letters, start, label: (start, end), stem: (0, 0), keeps_label: false, base: None }
    }

    /// Where what is said begins, behind the label and its punctuation.
    fn body(&self, caption: &Caption<'_>) -> usize {
        caption.text.len() - unlabelled(caption.from(self.label.1)).len()
    }
}

/// The panels; none when there are not at least two.
pub fn split(caption: &Caption<'_>, found: &[Candidate], first: Candidate) -> Vec<Panel> {
    let same: Vec<_> = found.iter().filter(|one| one.letters.is_lower() == first.letters.is_lower()).collect();
    let led_later = led_later(&same);
    let mut segments: Vec<Segment> = Vec::new();
    let mut seen = Letters::default();
    // The last segment of several panels while no other follows, and which of them more was said about.
    let mut group: Option<(usize, Letters)> = None;
    let mut is_plain = false;
    let mut tail = None;
    for (one, led_later) in same.into_iter().zip(led_later) {
        let expected = seen.first_missing();
        // A label that was forgotten does not end the list.
        let mut is_next =
            one.letters.first() == expected || !seen.is_empty() && one.leads && one.letters.first() == expected + 1;
        is_next &= one.leads || one.has_stem || led_later >> one.letters.first() & 1 == 0;
        is_next &= is_plain || !one.is_bare;
        if is_next {
            tail = None;
            let letters = one.letters.without(seen);
            seen = one.letters.with(seen);
            group = (one.letters.len() > 1).then_some((segments.len(), letters));
            segments.push(Segment { letters, ..begin(caption, &segments, one) });
            is_plain = !caption.from(one.start).starts_with('(');
        } else if one.leads && !one.is_bare && !segments.is_empty() {
            match &mut group {
                Some((base, left)) if one.letters.without(*left).is_empty() => {
                    *left = left.without(one.letters);
                    segments.push(Segment { base: Some(*base), ..begin(caption, &segments, one) });
                }
                _ if one.letters.without(seen).is_empty() => tail = tail.or(Some(one.start)),
                _ => {}
            }
        }
    }
    if seen.len() < 2 {
        return Vec::new();
    }
    let texts = texts(caption, &segments, tail);
    let mut panels = Vec::new();
    for (index, (segment, text)) in segments.iter().zip(texts).enumerate() {
        let said = segments.iter().filter(|other| other.base == Some(index));
        let letters = said.fold(segment.letters, |left, other| left.without(other.letters));
        panels.extend(letters.iter().map(|letter| Panel { label: letter.into(), text: text.clone() }));
    }
    panels.sort_by(|one, other| one.label.cmp(&other.label));
    panels
}

/// For each candidate the first letters, as bits, of those behind it that stand before what they label.
fn led_later(found: &[&Candidate]) -> Vec<u32> {
    let mut later = vec![0; found.len()];
    let mut bits = 0;
    for (one, later) in found.iter().zip(&mut later).rev() {
        *later = bits;
        if one.leads || one.has_stem {
            bits |= 1 << one.letters.first();
        }
    }
    later
}

/// The segment that a label begins.
fn begin(caption: &Caption<'_>, segments: &[Segment], one: &Candidate) -> Segment {
    let last = segments.last();
    let from = last.map_or(0, |last| last.body(caption) + 1);
    let sentence = caption.sentence_in(from, one.start).or(if last.is_none() { Some(0) } else { None });
    let segment =
        Segment { letters: one.letters, label: (one.start, one.end), ..Segment::of_place(one.start, one.end) };
    let stem = last.filter(|_| sentence.is_none()).map_or((0, 0), |last| last.stem);
    let Some(sentence) = sentence else { return Segment { stem, ..segment } };
    if one.leads && !caption.between(0, one.start).trim_end_matches(' ').ends_with(':') {
        return segment;
    }
    if one.leads || one.has_stem {
        return Segment { start: sentence, stem: (sentence, one.start), ..segment };
    }
    let mut after = caption.from(one.end).chars();
    let begins = after.next() == Some(' ')
        && after.next().is_some_and(|c| c.is_ascii_uppercase())
        && after.next().is_some_and(|c| c.is_ascii_lowercase());
    if begins && last.is_some() { segment } else { Segment { start: sentence, keeps_label: true, ..segment } }
}

/// The text of each segment: what stands before all, what is said of the panel, what stands after all.
pub fn texts(caption: &Caption<'_>, segments: &[Segment], tail: Option<usize>) -> Vec<String> {
    let lead = caption.between(0, segments.first().map_or(0, |first| first.start));
    let end = end(caption, segments, tail.unwrap_or(caption.text.len()));
    let stops = segments.iter().skip(1).map(|segment| segment.start).chain([end]);
    let own = |segment: &Segment, stop| {
        let start = if segment.keeps_label { segment.start } else { segment.label.1 };
        trimmed(caption.between(start, stop))
    };
    let owns: Vec<&str> = segments.iter().zip(stops).map(|(segment, stop)| own(segment, stop)).collect();
    let stem = |segment: &Segment| caption.between(segment.stem.0, segment.stem.1);
    let text = |(segment, own): (&Segment, &&str)| {
        let base = segment.base.and_then(|base| Some((stem(segments.get(base)?), *owns.get(base)?)));
        let (base_stem, base_own) = base.unwrap_or_default();
        joined([lead, base_stem, base_own, stem(segment), own, caption.from(end)])
    };
    segments.iter().zip(&owns).map(text).collect()
}

/// Where the text of the last panel ends and what is said of all begins, at `end` at the latest.
fn end(caption: &Caption<'_>, segments: &[Segment], mut end: usize) -> usize {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return end };
    let body = last.body(caption);
    // A paragraph after the one of the last label is of no panel.
    end = caption.break_after(body).map_or(end, |at| at.min(end));
    if caption.sentence_in(first.body(caption) + 1, last.label.0).is_none() {
        // All labels stand in one sentence: the next is of all panels.
        end = caption.sentence_after(body).map_or(end, |at| at.min(end));
    }
    let closing = |at: &usize| CLOSINGS.iter().position(|closing| begins(caption.from(*at), closing));
    let others = caption.sentences.iter().filter(|at| (first.start + 1..last.start).contains(at));
    let known = others.filter_map(closing).fold(0_u64, |known, closing| known | 1 << closing);
    let closes = |at: &usize| {
        defines_abbreviations(caption.from(*at)) || closing(at).is_some_and(|closing| known >> closing & 1 == 0)
    };
    let behind = caption.sentences.iter().copied().filter(|at| *at > body && *at < end);
    behind.into_iter().find(closes).unwrap_or(end)
}

fn begins(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
}

/// Whether a sentence is a list of abbreviations: `LN, lymph node; HPV, human papillomavirus.`
fn defines_abbreviations(text: &str) -> bool {
    let next = after_term(text).and_then(|rest| rest.get(rest.find([';', '.'])?..)?.strip_prefix("; "));
    next.is_some_and(|next| after_term(next).is_some())
}

/// What follows a short word and the comma, colon or equals sign that explains it.
fn after_term(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let (term, rest) = text.split_at(text.find(|c| !is_part(c))?);
    let rest = rest.strip_prefix(' ').unwrap_or(rest).strip_prefix([',', ':', '='])?.strip_prefix(' ')?;
    (1..=12).contains(&term.chars().take(13).count()).then_some(rest)
}

/// Without what joins a text to its label and to the next panel.
fn trimmed(text: &str) -> &str {
    let mut text = unlabelled(text);
    loop {
        let shorter = text.trim_end_matches([' ', ',', ';']);
        let bare = shorter.strip_suffix("and").or_else(|| shorter.strip_suffix("or"));
        let shorter = bare.filter(|bare| bare.is_empty() || bare.ends_with(' ')).unwrap_or(shorter);
        // A space before "and" goes with it.
        let shorter = shorter.strip_suffix(' ').unwrap_or(shorter);
        if shorter == text {
            return text;
        }
        text = shorter;
    }
}

/// Without the punctuation of a label.
fn unlabelled(text: &str) -> &str {
    text.trim_start_matches([' ', '.', ':', ',', ';', ')'])
}
