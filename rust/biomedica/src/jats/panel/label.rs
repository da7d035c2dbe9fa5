//! What looks like the label of a panel: `(A)`, `A,`, `a)`, `B–D:`, `Panels C and D`, a bold letter.

use super::caption::{Caption, is_word};

/// Words before a label that is followed by what it labels.
pub const FUNCTION: [&str; 38] = [
    "about",
    "after",
    "among",
    "at",
    "before",
    "between",
    "by",
    "during",
    "following",
    "for",
    "from",
    "in",
    "into",
    "is",
    "are",
    "of",
    "on",
    "per",
    "than",
    "the",
    "to",
    "under",
    "upon",
    "using",
    "versus",
    "via",
    "vs",
    "was",
    "were",
    "when",
    "with",
    "within",
    "without",
    "constituting",
    "including",
    "against",
    "across",
    "over",
];
/// Words after a label that is the subject of its sentence, or that follows what it labels.
pub const VERBS: [&str; 28] = [
    "correspond",
    "corresponds",
    "depict",
    "depicts",
    "display",
    "displays",
    "give",
    "gives",
    "illustrate",
    "illustrates",
    "indicate",
    "indicates",
    "is",
    "are",
    "present",
    "presents",
    "represent",
    "represents",
    "show",
    "shows",
    "summarise",
    "summarises",
    "summarize",
    "summarizes",
    "was",
    "were",
    "and",
    "or",
];

/// A set of letters of one case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Letters {
    bits: u32,
    lower: bool,
}

impl Letters {
    /// The letters are lower case.
    pub fn is_lower(self) -> bool {
        self.lower
    }

    /// There is no letter.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// How many letters there are.
    pub fn len(self) -> u32 {
        self.bits.count_ones()
    }

    /// The place of the first letter in the alphabet.
    pub fn first(self) -> u32 {
        self.bits.trailing_zeros()
    }

    /// The place of the first letter that is missing.
    pub fn first_missing(self) -> u32 {
        self.bits.trailing_ones()
    }

    /// With others.
    pub fn with(self, others: Self) -> Self {
        Self { bits: self.bits | others.bits, lower: others.lower }
    }

    /// Without others.
    pub fn without(self, others: Self) -> Self {
        Self { bits: self.bits & !others.bits, ..self }
    }

    /// The letters between the last of these and the first of others; none when they are not before them.
    pub fn between(self, others: Self) -> Self {
        let next = 32 - self.bits.leading_zeros();
        let is_range = !self.is_empty() && !others.is_empty() && self.lower == others.lower && next <= others.first();
        let bits = if is_range { (next..others.first()).fold(0, |bits, place| bits | 1 << place) } else { 0 };
        Self { bits, ..others }
    }

    /// Each letter, in order.
    pub fn iter(self) -> impl Iterator<Item = char> {
        let first = if self.lower { b'a' } else { b'A' };
        (first..first + 26)
            .zip(0..)
            .filter(move |(_, place)| self.bits >> place & 1 == 1)
            .map(|(letter, _)| letter.into())
    }

    /// Adds a letter behind all others, with those between when it ends a range; false when it is not behind them.
    pub fn add(&mut self, letter: u8, is_range: bool) -> bool {
        let place = u32::from(letter.to_ascii_lowercase() - b'a');
        let next = 32 - self.bits.leading_zeros();
        let lower = letter.is_ascii_lowercase();
        if next > 0 && (lower != self.lower || place < next) {
            return false;
        }
        self.lower = lower;
        let from = if is_range { next } else { place };
        self.bits |= (from..=place).fold(0, |bits, place| bits | 1 << place);
        true
    }
}

/// What looks like the label of a panel.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Where the label begins, its parenthesis included.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What it names.
    pub letters: Letters,
    /// It stands where a sentence or a clause begins.
    pub leads: bool,
    /// It stands before what it labels, but within a sentence.
    pub has_stem: bool,
    /// Nothing but its place makes it a label.
    pub is_bare: bool,
}

/// All candidates of a caption, none within another.
pub fn candidates(caption: &Caption<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(place) = next_place(caption.text.as_bytes(), at) {
        at = place + 1;
        let Some(candidate) = may_begin(caption, place).then(|| candidate(caption, place)).flatten() else { continue };
        at = candidate.end;
        // Letters that mark groups of a statistic are no panels.
        let before = caption.between(0, candidate.start);
        let before = before.strip_suffix(' ').unwrap_or(before);
        if !before.ends_with("letter") && !before.ends_with("letters") {
            found.push(candidate);
        }
    }
    found
}

/// Takes a bare `A` for a label where it opens a sentence and a `B` behind it does too: `A The cells. B Their walls.`
///
/// In "A cell divides. B cells do not." the sentences go on, and another `A` shows that labels look otherwise.
pub fn mark_bare(caption: &Caption<'_>, found: &mut [Candidate]) {
    let opens = |one: &Candidate| {
        let rest = caption.from(one.end).strip_prefix(' ');
        one.leads && !one.letters.is_lower() && rest.is_some_and(|rest| rest.starts_with(char::is_uppercase))
    };
    let is_first = |one: &Candidate| !one.letters.is_lower() && one.letters.first() == 0;
    if found.iter().any(|one| is_first(one) && !one.is_bare) {
        return;
    }
    let Some(at) = found.iter().position(|one| is_first(one) && opens(one)) else { return };
    let (before, behind) = found.split_at_mut(at + 1);
    let is_second = |one: &Candidate| opens(one) && one.letters.first() == 1;
    if let Some(first) = before.last_mut().filter(|_| behind.iter().any(is_second)) {
        first.is_bare = false;
    }
}

/// The first place from `at` on that is worth to look closer: a parenthesis, the last letter of a run of letters and
/// digits, a `pa`. Nearly no byte is, and this looks at each.
fn next_place(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?;
    let is_place = |pair: &[u8; 2]| {
        let [first, second] = *pair;
        first == b'('
            || first.is_ascii_alphabetic()
                && (!second.is_ascii_alphanumeric() || second == b'a' && first | 0x20 == b'p')
    };
    let found = bytes.array_windows().position(is_place);
    let last = || bytes.last().filter(|last| last.is_ascii_alphabetic()).map(|_| bytes.len() - 1);
    found.or_else(last).map(|place| at + place)
}

/// Whether a place of those is a parenthesis, a letter by itself, or the beginning of `Panel`.
fn may_begin(caption: &Caption<'_>, at: usize) -> bool {
    let bytes = caption.text.as_bytes();
    if bytes.get(at) == Some(&b'(') {
        return true;
    }
    let runs_on = at.checked_sub(1).and_then(|last| bytes.get(last)).is_some_and(u8::is_ascii_alphanumeric);
    if runs_on && !caption.ends_bold(at) {
        return false;
    }
    let ends = bytes.get(at + 1).is_none_or(|next| !next.is_ascii_alphanumeric());
    ends || caption.from(at).get(1..5) == Some("anel")
}

fn candidate(caption: &Caption<'_>, at: usize) -> Option<Candidate> {
    let before = caption.before(at);
    if !before.is_apart {
        return None;
    }
    let is_clause = before.is_clause;
    let is_joined =
        before.text.ends_with(',') || ["and", "or"].iter().any(|word| word.eq_ignore_ascii_case(before.word));
    let is_word = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(before.word));
    let has_stem = before.text.ends_with(':') || is_joined || is_word(&FUNCTION);
    let whole = Candidate {
        start: at,
        end: at,
        letters: Letters::default(),
        leads: is_clause,
        has_stem: false,
        is_bare: false,
    };

    if let Some((letters, end)) = parenthesised(caption.text, at) {
        let after = caption.from(end);
        let ends =
            after.trim_matches(' ').is_empty() || after.starts_with(['.', ',', ';', ')']) || after.starts_with(" (");
        let trails = !is_clause && (ends || is_before_verb(after));
        return Some(Candidate { end, letters, has_stem: has_stem && !trails, ..whole });
    }
    if let Some((letters, end, is_marked)) = bold(caption, at) {
        if before.text.ends_with('(') {
            return None;
        }
        let trails = !is_clause && (!is_marked || is_before_verb(caption.from(end)));
        return Some(Candidate { end, letters, has_stem: !is_clause && !trails, ..whole });
    }
    let rest = caption.from(at);
    if (is_clause || has_stem)
        && !is_in_parentheses(before.text)
        && let Some(letter) = item(caption.text, at).filter(|_| rest.get(1..2) == Some(")"))
    {
        let mut letters = Letters::default();
        letters.add(letter, false);
        return Some(Candidate { end: at + 2, letters, has_stem, ..whole });
    }
    if !is_clause && !is_joined {
        return None;
    }
    let begin = at + panel_word(rest);
    let (letters, end) = list(caption.text, begin)?;
    let mut after = caption.from(end).chars();
    let (mark, space, following) = (after.next(), after.next(), after.next());
    let is_marked = matches!(mark, Some('.' | ':' | ',')) && matches!(space, Some(' ') | None);
    let is_single = letters.len() == 1;
    if !is_clause {
        // Behind a comma or "and", a full stop or a colon alone makes a label.
        let begins = following.is_some_and(|c| c.is_alphanumeric() && !c.is_lowercase());
        let is_label = is_single && space == Some(' ') && (mark == Some(':') || mark == Some('.') && begins);
        return is_label.then_some(Candidate { end, letters, has_stem: true, ..whole });
    }
    if is_marked {
        // A lower-case word goes on with a name such as "C. elegans".
        let is_name = mark == Some('.') && is_single && following.is_some_and(char::is_lowercase);
        return (!is_name).then_some(Candidate { end, letters, ..whole });
    }
    let is_named = begin > at;
    let is_label = mark == Some(' ') && (is_named || !is_single || !letters.is_lower());
    is_label.then_some(Candidate { end, letters, is_bare: !is_named && is_single, ..whole })
}

/// `(A)`, `(B, C)`, `(D)–(F)`, `Panel (G)`, `(panel H)`, and where it ends.
fn parenthesised(text: &str, at: usize) -> Option<(Letters, usize)> {
    let mut letters = Letters::default();
    let mut at = at + panel_word(text.get(at..)?);
    at = after(text, at, "(")?;
    at = after(text, at, " ").unwrap_or(at);
    at += panel_word(text.get(at..)?);
    at = take_list(text, at, &mut letters)?;
    at = after(text, at, " ").unwrap_or(at);
    at = after(text, at, ")")?;
    loop {
        let next = joined(text, at).find_map(|(next, is_range)| {
            let inner = after(text, next, "(")?;
            let end = after(text, inner + 1, ")")?;
            Some((item(text, inner)?, end, is_range))
        });
        let Some((letter, end, is_range)) = next else { return Some((letters, at)) };
        if !letters.add(letter, is_range) {
            return None;
        }
        at = end;
    }
}

/// A bold stretch that is a list of letters: they, its end, and whether punctuation marks it as a label.
fn bold(caption: &Caption<'_>, at: usize) -> Option<(Letters, usize, bool)> {
    let end = caption.bold_end(at)?;
    let inside = caption.between(at, end);
    let core = inside.trim_matches(['(', ')', '.', ':', ',', ';', ' ']);
    let (letters, length) = list(core, 0)?;
    if length < core.len() {
        return None;
    }
    let end = after(caption.text, end, ")").unwrap_or(end);
    let is_marked = inside.ends_with(['.', ',', ':', ')']) || caption.from(end).starts_with(['.', ',', ':']);
    Some((letters, end, is_marked && !inside.starts_with('(')))
}

/// A list of letters as far as they ascend, and where it ends.
fn list(text: &str, at: usize) -> Option<(Letters, usize)> {
    let mut letters = Letters::default();
    letters.add(item(text, at)?, false);
    let mut at = at + 1;
    while let Some((letter, next, is_range)) = following(text, at) {
        if !letters.add(letter, is_range) {
            break;
        }
        at = next;
    }
    Some((letters, at))
}

/// A list of letters that ascend to its end.
fn take_list(text: &str, at: usize, letters: &mut Letters) -> Option<usize> {
    letters.add(item(text, at)?, false);
    let mut at = at + 1;
    while let Some((letter, next, is_range)) = following(text, at) {
        if !letters.add(letter, is_range) {
            return None;
        }
        at = next;
    }
    Some(at)
}

/// The next letter of a list, its end, and whether a dash makes a range of it.
fn following(text: &str, at: usize) -> Option<(u8, usize, bool)> {
    joined(text, at).find_map(|(next, is_range)| Some((item(text, next)?, next + 1, is_range)))
}

/// Where the next letter of a list can stand: behind each reading of what joins it.
pub fn joined(text: &str, at: usize) -> impl Iterator<Item = (usize, bool)> {
    let spaced = |at: usize| after(text, at, " ").unwrap_or(at);
    let begin = spaced(at);
    let comma = after(text, begin, ",").map(spaced);
    let comma_and = comma.and_then(|at| after(text, at, "and "));
    let and = after(text, at, " and ");
    let ampersand = after(text, begin, "&").map(spaced);
    let slash = after(text, at, "/");
    let dash = text.get(begin..).and_then(|rest| rest.chars().next()).filter(|c| is_dash(*c));
    let dash = dash.map(|dash| (spaced(begin + dash.len_utf8()), true));
    [comma_and, comma, and, ampersand, slash].into_iter().flatten().map(|at| (at, false)).chain(dash)
}

pub fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '~')
}

/// The letter at a place, if it stands by itself.
fn item(text: &str, at: usize) -> Option<u8> {
    let letter = *text.as_bytes().get(at).filter(|byte| byte.is_ascii_alphabetic())?;
    let before = text.get(..at)?.chars().next_back();
    let after = text.get(at + 1..)?.chars().next();
    (!before.is_some_and(is_word) && !after.is_some_and(is_word)).then_some(letter)
}

/// Behind `what`, if it stands at a place.
pub fn after(text: &str, at: usize, what: &str) -> Option<usize> {
    text.get(at..)?.starts_with(what).then_some(at + what.len())
}

/// Whether a parenthesis is open at the end of a text.
fn is_in_parentheses(text: &str) -> bool {
    text.rfind(['(', ')']).and_then(|last| text.get(last..)).is_some_and(|last| last.starts_with('('))
}

/// Length of a `Panel ` or `Panels ` at the beginning.
pub fn panel_word(text: &str) -> usize {
    ["Panel ", "Panels ", "panel ", "panels "].iter().find(|word| text.starts_with(**word)).map_or(0, |word| word.len())
}

/// Whether a verb follows, of which the label is the subject, or an `and` that joins what was labelled.
fn is_before_verb(after: &str) -> bool {
    let Some(rest) = after.strip_prefix(' ') else { return false };
    let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') && VERBS.contains(&word)
}
