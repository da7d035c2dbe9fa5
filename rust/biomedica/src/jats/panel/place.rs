//! Panels that are told by their place: `Left:`, `Upper panel`, `(Bottom, left)`.

use super::caption::{Caption, is_word};
use super::label::after;

const PLACES: [&str; 9] = ["upper", "lower", "top", "bottom", "left", "right", "middle", "center", "centre"];
/// A bit for each place that these words mean.
const BITS: [u32; 9] = [1, 2, 1, 2, 4, 8, 16, 16, 16];
const UPRIGHT: u32 = 1 | 2;
const LEVEL: u32 = 4 | 8;
const NOUNS: [&str; 12] =
    ["panel", "panels", "row", "rows", "column", "columns", "image", "images", "graph", "graphs", "plot", "plots"];
/// Places in one caption beyond this many are left aside, as there are no more letters either.
const MOST: usize = 26;

/// What tells a place.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where it begins, its parenthesis included.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its words as written.
    pub label: &'a str,
}

/// The places of a caption, each once.
pub fn places<'a>(caption: &Caption<'a>) -> Vec<Place<'a>> {
    let mut found: Vec<Place<'a>> = Vec::new();
    let mut at = 0;
    while at < caption.text.len() {
        let Some((place, is_marked)) = may_begin(caption.text, at).then(|| place(caption.text, at)).flatten() else {
            at += 1;
            continue;
        };
        at = place.end;
        let before = caption.before(place.start);
        let is_open = caption.from(place.start).starts_with('(');
        let is_capital = place.label.starts_with(|c: char| c.is_ascii_uppercase());
        let is_label = is_open || is_marked && (is_capital || before.text.ends_with([';', ':']));
        let is_new = || !found.iter().any(|other| other.label.eq_ignore_ascii_case(place.label));
        if before.is_clause && is_label && is_new() {
            found.push(place);
            if found.len() == MOST {
                break;
            }
        }
    }
    found
}

/// The places that a mention names: `left`, `top and bottom panels`, `upper left`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Places {
    /// Bit `n` is set where the words of one place have the bits of `n`.
    sets: u32,
}

impl Places {
    /// Those at this point of a text, their end, and whether a noun says that they are panels.
    pub fn read(text: &str, at: usize) -> Option<(Self, usize, bool)> {
        let (mut set, mut end) = bit(text, at)?;
        let mut sets = 0;
        while let Some((join, next, stop)) =
            [", and ", ", ", " and ", " or ", " & ", "/", "-", " "].iter().find_map(|join| {
                let (next, stop) = bit(text, after(text, end, join)?)?;
                Some((*join, next, stop))
            })
        {
            let both = set | next;
            let is_crossing = both.count_ones() == 2 && both & UPRIGHT != 0 && both & LEVEL != 0;
            if matches!(join, "-" | " ") || join == ", " && is_crossing {
                set = both;
            } else {
                sets |= 1 << set;
                set = next;
            }
            end = stop;
        }
        let noun = after(text, end, " ").and_then(|at| word(text, at, &NOUNS));
        Some((Self { sets: sets | 1 << set }, noun.unwrap_or(end), noun.is_some()))
    }

    /// With others.
    pub fn with(self, others: Self) -> Self {
        Self { sets: self.sets | others.sets }
    }

    /// Whether a panel of this label is among them: `bottom` names `Bottom row` and `Bottom, left`.
    pub fn name(self, label: &str) -> bool {
        let words = label.split(|c: char| !c.is_ascii_alphabetic());
        let own = words.filter_map(|word| bit(word, 0)).fold(0, |own, (bit, _)| own | bit);
        (1..u32::BITS).any(|set| self.sets >> set & 1 == 1 && own & set == set)
    }
}

/// What the word at this point of a text means, and where it ends.
fn bit(text: &str, at: usize) -> Option<(u32, usize)> {
    let end = word(text, at, &PLACES)?;
    let word = text.get(at..end)?;
    let place = PLACES.iter().position(|place| place.eq_ignore_ascii_case(word))?;
    Some((*BITS.get(place)?, end))
}

/// Whether a place can begin with this byte, by the first letters of [`PLACES`]; nearly none does, and each is asked.
#[inline]
fn may_begin(text: &str, at: usize) -> bool {
    let begins = |byte: u8| matches!(byte | 0x20, b'u' | b'l' | b't' | b'b' | b'r' | b'm' | b'c');
    let byte = |at: usize| text.as_bytes().get(at).copied();
    let is_apart = !at.checked_sub(1).and_then(byte).is_some_and(|byte| byte.is_ascii_alphanumeric());
    match byte(at) {
        Some(b'(') => byte(at + 1).is_some_and(begins),
        Some(first) => begins(first) && is_apart,
        None => false,
    }
}

/// The place at this point of the text, and whether a noun or punctuation marks it as a label.
fn place(text: &str, start: usize) -> Option<(Place<'_>, bool)> {
    let begin = if text.get(start..)?.starts_with('(') { start + 1 } else { start };
    if text.get(..begin)?.ends_with(is_word) {
        return None;
    }
    let mut end = word(text, begin, &PLACES)?;
    while let Some(next) = [" , ", " ,", ", ", ",", " and ", "-", " "].iter().find_map(|join| {
        let rest = text.get(end..)?.strip_prefix(join)?;
        word(text, text.len() - rest.len(), &PLACES)
    }) {
        end = next;
    }
    let noun = text.get(end..)?.starts_with(' ').then(|| word(text, end + 1, &NOUNS)).flatten();
    let end = noun.unwrap_or(end);
    let label = text.get(begin..end)?;
    let close = if begin > start { end + usize::from(text.get(end..)?.starts_with(')')) } else { end };
    if begin > start && close == end {
        return None;
    }
    let rest = text.get(close..)?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let mark =
        rest.strip_prefix([':', ',', '.']).filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
    let end = mark.map_or(close, |rest| text.len() - rest.len());
    Some((Place { start, end, label }, noun.is_some() || mark.is_some()))
}

/// End of the one of these words that stands at a place, in any case.
fn word(text: &str, at: usize, words: &[&str]) -> Option<usize> {
    let rest = text.get(at..)?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let word = rest.get(..end)?;
    words.iter().any(|known| known.eq_ignore_ascii_case(word)).then_some(at + end)
}
