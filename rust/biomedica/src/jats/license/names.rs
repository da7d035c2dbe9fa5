//! Licences by the names and addresses that stand in running text.
//!
//! Text is looked at as words, whatever stands between them: `CC-BY-NC`, `CC BY NC`, `by-nc/4.0` and
//! `Attribution–NonCommercial` with any hyphen read alike. One pass, no allocation, linear in the text.

use std::borrow::Cow;
use std::ops::BitOrAssign;

/// The names of licences from the freest to the strictest; the place of each is its bit in `Codes`.
pub const CODES: [&str; 8] = ["CC0", "CC BY", "CC BY-SA", "CC BY-ND", "CC BY-NC", "CC BY-NC-SA", "CC BY-NC-ND", "TDM"];

/// Terms in one name, at most: a name that turns out to be none is read again from its second word.
const MAX_TERMS: usize = 8;

/// A set of licences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Codes(u8);

impl Codes {
    pub(super) const CC0: Self = Self(1);
    pub(super) const TDM: Self = Self(1 << 7);

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Without CC0 when another CC licence is there.
    pub(super) fn without_waiver(self) -> Self {
        let others = self.0 & !(Self::CC0.0 | Self::TDM.0);
        if others == 0 { self } else { Self(self.0 & !Self::CC0.0) }
    }

    pub(super) fn disagree(self) -> bool {
        self.0.count_ones() > 1
    }

    /// Whether `other` names something, and nothing of this set.
    pub(super) fn excludes(self, other: Self) -> bool {
        !other.is_empty() && self.0 & other.0 == 0
    }

    pub(super) fn strictest(self) -> Option<&'static str> {
        CODES.get(self.0.checked_ilog2()? as usize).copied()
    }
}

impl BitOrAssign for Codes {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What a CC licence asks for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Terms(u8);

impl Terms {
    const BY: Self = Self(1);
    const SA: Self = Self(2);
    const ND: Self = Self(4);
    const NC: Self = Self(8);

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn codes(self) -> Codes {
        let place = match (self.has(Self::NC), self.has(Self::ND), self.has(Self::SA)) {
            _ if self.is_empty() => return Codes::default(),
            (false, false, false) => 1,
            (false, false, true) => 2,
            (false, true, _) => 3,
            (true, false, false) => 4,
            (true, false, true) => 5,
            (true, true, _) => 6,
        };
        Codes(1 << place)
    }
}

/// Every licence that `text` names, in words or by an address.
pub(super) fn find(text: &str) -> Codes {
    let text = without_invisible(text);
    let mut found = Codes::default();
    let mut words = Words { text: &text, at: 0 };
    while let Some(word) = words.next() {
        // A name that was read is passed; else reading goes on with the next word.
        let mut ahead = words.clone();
        let codes = starting_at(word, &mut ahead);
        if !codes.is_empty() {
            found |= codes;
            words = ahead;
        }
    }
    found
}

/// The licence of abbreviations in one word, after `CC`: `byncnd`, `0`, `zero`.
pub(super) fn find_abbreviated(word: &str) -> Codes {
    match word {
        "0" | "zero" => Codes::CC0,
        _ => abbreviations(word).map_or(Codes::default(), Terms::codes),
    }
}

/// Soft hyphens and zero-width characters may stand within a word.
fn without_invisible(text: &str) -> Cow<'_, str> {
    const INVISIBLE: [char; 6] = ['\u{AD}', '\u{200B}', '\u{200C}', '\u{200D}', '\u{2060}', '\u{FEFF}'];
    if text.is_ascii() || !text.contains(INVISIBLE) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !INVISIBLE.contains(c)).collect())
}

/// A run of letters and digits with what stands before it.
#[derive(Clone, Copy)]
struct Word<'a> {
    gap: &'a str,
    text: &'a str,
}

impl Word<'_> {
    fn is(self, text: &str) -> bool {
        self.text.eq_ignore_ascii_case(text)
    }

    fn is_any(self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.is(text))
    }

    fn is_number(self) -> bool {
        self.text.bytes().all(|b| b.is_ascii_digit())
    }

    fn begins_sentence(self) -> bool {
        let mut after_dot = false;
        self.gap.chars().any(|c| std::mem::replace(&mut after_dot, c == '.') && c.is_whitespace() || c == ';')
    }

    /// Joined to the word before, as in `CC-BY` and `by_nc`.
    fn is_joined(self) -> bool {
        !self.gap.contains([' ', '\t', '\n', ',', '.', '(', ')'])
    }
}

#[derive(Clone)]
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<Word<'a>> {
        self.clone().next()
    }

    /// Takes the next word if `wanted` says so.
    fn take_if(&mut self, wanted: impl FnOnce(Word<'a>) -> bool) -> bool {
        let mut ahead = self.clone();
        let taken = ahead.next().is_some_and(wanted);
        if taken {
            *self = ahead;
        }
        taken
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let rest = self.text.get(self.at..)?;
        let gap = rest.find(char::is_alphanumeric)?;
        let (gap, rest) = rest.split_at(gap);
        let (text, _) = rest.split_at(rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len()));
        self.at += gap.len() + text.len();
        Some(Word { gap, text })
    }
}

/// The licence of a name that starts with `word`, if one does; `words` is what follows, left behind the name.
fn starting_at(word: Word<'_>, words: &mut Words<'_>) -> Codes {
    match word.text.as_bytes().first().map(u8::to_ascii_lowercase) {
        Some(b'c') if word.is("creativecommons") => match words.clone().next() {
            Some(org) if org.is("org") && org.gap == "." => address(words),
            _ => named(words),
        },
        Some(b'c') if word.is("creative") => {
            if words.take_if(|next| next.is_any(&["commons", "common"])) {
                named(words)
            } else {
                Codes::default()
            }
        }
        Some(b'c') if word.is("cc") => named(words),
        Some(b'c') if word.is_any(&["cc0", "cczero"]) => Codes::CC0,
        Some(b'c') => match word.text.get(..2).and(word.text.get(2..)).and_then(abbreviations) {
            Some(terms) if word.text.get(..2).is_some_and(|cc| cc.eq_ignore_ascii_case("cc")) => {
                more(terms, words).codes()
            }
            _ => Codes::default(),
        },
        Some(b'a') if word.is("attribution") => bare_attribution(words),
        Some(b'b') if word.is("by") && words.peek().is_some_and(Word::is_joined) => {
            let terms = more(Terms::BY, words);
            if terms == Terms::BY { Codes::default() } else { terms.codes() }
        }
        Some(b't') if word.gap.ends_with('/') && word.is_any(&["tdm", "tdmrep"]) => Codes::TDM,
        _ => Codes::default(),
    }
}

/// What follows `creativecommons` in an address.
fn address(words: &mut Words<'_>) -> Codes {
    const PATHS: [&str; 5] = ["licenses", "licences", "license", "licence", "l"];
    words.take_if(|word| word.is("org"));
    let by_path = words.take_if(|word| word.is_any(&PATHS));
    if words.take_if(|word| word.is("publicdomain")) {
        return if words.take_if(|word| word.is("zero")) { Codes::CC0 } else { Codes::default() };
    }
    if by_path && words.take_if(|word| word.is_any(&["zero", "cc0"])) {
        return Codes::CC0;
    }
    let mut terms = Terms::default();
    while let Some(word) = words.peek() {
        let joined = if terms.is_empty() { word.gap == "/" || by_path } else { !word.gap.contains(['.', ',', ')']) };
        let Some(part) = abbreviations(word.text).filter(|_| joined) else { break };
        terms = terms.and(part);
        words.next();
    }
    // Version 1.0 had licences without attribution (`nc-sa/1.0`), which are none of the known ones.
    if terms.has(Terms::BY) { terms.codes() } else { Codes::default() }
}

/// What follows `Creative Commons` or `CC`, at most a few words on.
fn named(words: &mut Words<'_>) -> Codes {
    const FILLERS: [&str; 11] = [
        "license",
        "licence",
        "licenses",
        "licences",
        "cc",
        "deed",
        "version",
        "v",
        "international",
        "unported",
        "universal",
    ];
    for _ in 0..6 {
        let Some(word) = words.peek().filter(|word| !word.begins_sentence()) else { break };
        if word.is_any(&["cc0", "zero", "cczero"]) || (word.text == "0" && word.gap != ".") {
            words.next();
            return Codes::CC0;
        }
        if word.is("public") {
            words.next();
            let dedicated =
                words.take_if(|word| word.is("domain")) && words.take_if(|word| word.is_any(&["dedication", "waiver"]));
            return if dedicated { Codes::CC0 } else { Codes::default() };
        }
        if !word.is_number() && !word.is_any(&FILLERS) {
            return more(Terms::default(), words).codes();
        }
        words.next();
    }
    Codes::default()
}

/// `Attribution` without `Creative Commons` before it: a licence when its name goes on.
fn bare_attribution(words: &mut Words<'_>) -> Codes {
    let comma = words.peek().is_some_and(|word| word.gap.contains(','));
    let terms = if comma { Terms::BY } else { more(Terms::BY, words) };
    if terms != Terms::BY {
        return terms.codes();
    }
    let mut versioned = false;
    while words.take_if(Word::is_number) {
        versioned = true;
    }
    let titled = versioned && words.take_if(|word| word.is_any(&["international", "unported", "generic"]));
    if titled { Terms::BY.codes() } else { Codes::default() }
}

/// `terms` with those that follow, in words or abbreviations.
fn more(mut terms: Terms, words: &mut Words<'_>) -> Terms {
    for _ in 0..MAX_TERMS {
        let Some(word) = words.peek().filter(|word| !word.begins_sentence()) else { break };
        let mut ahead = words.clone();
        ahead.next();
        let term = if let Some(part) = abbreviations(word.text) {
            // "CC by the authors" is no licence.
            let alone = terms.is_empty() && part == Terms::BY;
            if alone && !word.text.starts_with('B') && !word.is_joined() && !goes_on(&ahead) {
                None
            } else {
                Some(part)
            }
        } else {
            spelled_out(word, &mut ahead, terms)
        };
        let Some(term) = term else { break };
        terms = terms.and(term);
        *words = ahead;
    }
    terms
}

/// Whether a lower-case `by` is followed by what follows a licence's name.
fn goes_on(words: &Words<'_>) -> bool {
    words.peek().is_none_or(|next| {
        next.is_number() || abbreviations(next.text).is_some() || next.is_any(&["license", "licence", "licensed"])
    })
}

/// A term in words, of which `word` is the first; `words` is left behind it.
fn spelled_out(word: Word<'_>, words: &mut Words<'_>, before: Terms) -> Option<Terms> {
    const COMMERCIAL: [&str; 3] = ["commercial", "commerical", "commericial"];
    const DERIVATIVES: [&str; 7] =
        ["derivatives", "derivative", "derivs", "deriv", "derivates", "derivate", "derivations"];
    const NON_COMMERCIAL: [&str; 2] = ["noncommercial", "noncommerical"];
    const NO_DERIVATIVES: [&str; 8] = [
        "noderivatives",
        "noderivative",
        "noderivs",
        "noderiv",
        "noderivates",
        "noderivate",
        "nonderivatives",
        "nonderivative",
    ];
    const USE: [&str; 6] = ["use", "uses", "usage", "purpose", "purposes", "reuse"];
    if word.is("attribution") || word.is("attributions") {
        return Some(Terms::BY);
    }
    if word.is("sharealike") || word.is("share") && words.take_if(|next| next.is("alike")) {
        return Some(Terms::SA);
    }
    let no = word.is_any(&["non", "no", "not"]);
    if word.is_any(&NON_COMMERCIAL) || no && words.take_if(|next| next.is_any(&COMMERCIAL)) {
        // "Creative Commons licence, non-commercial use only": a condition, not a name.
        let condition = words.peek().is_some_and(|next| next.is_any(&USE));
        let named = !condition || before.has(Terms::BY) && !word.gap.contains(',');
        return named.then_some(Terms::NC);
    }
    if word.is_any(&NO_DERIVATIVES) || no && words.take_if(|next| next.is_any(&DERIVATIVES)) {
        words.take_if(|next| next.is_any(&["works", "work"]));
        return Some(Terms::ND);
    }
    None
}

/// The terms of a word made of abbreviations only, such as `by`, `byncnd` or `BY4`.
fn abbreviations(word: &str) -> Option<Terms> {
    let mut rest = word.trim_end_matches(|c: char| c.is_ascii_digit()).as_bytes();
    let mut terms = Terms::default();
    while let Some((pair, after)) = rest.split_at_checked(2) {
        let term = match [pair.first()?.to_ascii_lowercase(), pair.get(1)?.to_ascii_lowercase()] {
            [b'b', b'y'] => Terms::BY,
            [b's', b'a'] => Terms::SA,
            [b'n', b'd'] => Terms::ND,
            [b'n', b'c'] => Terms::NC,
            _ => return None,
        };
        terms = terms.and(term);
        rest = after;
    }
    (rest.is_empty() && !terms.is_empty()).then_some(terms)
}
