//! The panels that a reference to a figure names: `Fig. 2b`, `Figs 1A and 2C–E`, `Figure 3` with `(A, B)` behind it.
//!
//! Letters count where they follow the figure's number, or where they are all that the reference says. Behind the
//! reference the text goes on to be about something else: there a letter counts when it touches the number, or when what
//! follows it shows that it is no word of the sentence. Places (`Fig. 4, left`, `Fig. 2 (upper panel)`) are read in the same
//! way, and count where the figure's own panels are told by such places.

use super::label::{FUNCTION, Letters, VERBS, after, is_dash, joined, panel_word};
use super::place::Places;
use crate::jats::article::Panel;

/// More of a reference than this is not looked at.
const MAX_BYTES: usize = 256;

/// Panels by their letters, in upper and in lower case, and by their places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Named {
    upper: Letters,
    lower: Letters,
    places: Places,
}

impl Named {
    fn of(group: &Group<'_>) -> Self {
        let (letters, none) = (group.letters, Letters::default());
        let (upper, lower) = if letters.is_lower() { (none, letters) } else { (letters, none) };
        Self { upper, lower, places: group.places }
    }

    /// Those of one, and others.
    pub fn with(self, others: Self) -> Self {
        let both = |own: Letters, other: Letters| if other.is_empty() { own } else { own.with(other) };
        let places = self.places.with(others.places);
        Self { upper: both(self.upper, others.upper), lower: both(self.lower, others.lower), places }
    }

    /// The letters between the last of these and the first of others; none when they are not before them.
    pub fn between(self, others: Self) -> Self {
        let places = Places::default();
        Self { upper: self.upper.between(others.upper), lower: self.lower.between(others.lower), places }
    }

    /// Their labels, `A, B`, as the figure's own panels have them: a letter in its case, a place with its words.
    pub fn labels(self, panels: &[Panel]) -> String {
        let is_label = |label: char| panels.iter().any(|panel| panel.label.chars().eq([label]));
        let mut labels: Vec<char> = self.upper.iter().chain(self.lower.iter()).collect();
        for label in &mut labels {
            let other =
                if label.is_ascii_lowercase() { label.to_ascii_uppercase() } else { label.to_ascii_lowercase() };
            if !is_label(*label) && is_label(other) {
                *label = other;
            }
        }
        labels.sort_unstable();
        labels.dedup();
        let placed = panels.iter().filter(|panel| self.places.name(&panel.label)).map(|panel| panel.label.clone());
        labels.into_iter().map(String::from).chain(placed).collect::<Vec<_>>().join(", ")
    }
}

/// What a reference says of one figure.
#[derive(Debug, Clone, Copy)]
struct Group<'a> {
    number: &'a str,
    letters: Letters,
    places: Places,
}

/// What a reference says.
#[derive(Debug, Clone, Default)]
pub struct Reference<'a> {
    groups: Vec<Group<'a>>,
    /// Where the last of its letters ends.
    pub end: usize,
}

impl<'a> Reference<'a> {
    /// The reference that stands from `start` to `end` of a text that is its own only up to the next one.
    pub fn new(text: &'a str, start: usize, end: usize) -> Self {
        let mut found = Self { groups: Vec::new(), end };
        let mut at = start;
        let limit = end.min(start.saturating_add(MAX_BYTES));
        while let Some(begin) = (at..limit).find(|at| is_digit(text, *at)) {
            let stop = (begin..limit).find(|at| !is_digit(text, *at)).unwrap_or(limit);
            let number = text.get(begin..stop).unwrap_or_default();
            let list = List { text, number, end };
            let listed = list.behind_number(stop);
            let places = if listed.is_none() { list.places(stop).unwrap_or_default() } else { Places::default() };
            let (letters, stop) = listed.unwrap_or((Letters::default(), stop));
            found.groups.push(Group { number, letters, places });
            found.end = found.end.max(stop);
            at = stop;
        }
        if found.groups.is_empty() && start < end {
            let list = List { text, number: "", end };
            let begin = after(text, start, " ").unwrap_or(start);
            let begin = begin + text.get(begin..).map_or(0, panel_word);
            if let Some((letters, stop)) = list.read(begin).filter(|(_, stop)| *stop >= end) {
                found.groups.push(Group { number: "", letters, places: Places::default() });
                found.end = stop;
            }
        }
        found
    }

    /// The panels that it names of the figure with this label.
    pub fn of(&self, label: Option<&str>) -> Named {
        let number = label.and_then(last_number);
        let is_own = |group: &&Group<'_>| Some(group.number) == number || self.groups.len() == 1;
        let own = self.groups.iter().filter(is_own).map(Named::of);
        own.fold(Named::default(), Named::with)
    }
}

/// The last number of a label.
fn last_number(label: &str) -> Option<&str> {
    label.split(|c: char| !c.is_ascii_digit()).rfind(|number| !number.is_empty())
}

fn is_digit(text: &str, at: usize) -> bool {
    text.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
}

/// Where letters are read.
struct List<'a> {
    text: &'a str,
    /// The number that each letter may repeat.
    number: &'a str,
    /// Where the reference ends.
    end: usize,
}

impl List<'_> {
    /// The letters behind the number, and where they end.
    fn behind_number(&self, at: usize) -> Option<(Letters, usize)> {
        if let Some(found) = self.read(at) {
            return Some(found);
        }
        let comma = after(self.text, at, ",").unwrap_or(at);
        let begin = after(self.text, comma, " ").unwrap_or(comma);
        let word = panel_word(self.text.get(begin..)?);
        let dash = self.text.get(at..)?.chars().next().filter(|c| is_dash(*c)).map(|dash| at + dash.len_utf8());
        let begin = dash.unwrap_or(begin + word);
        let (letters, end) = self.read(begin)?;
        (word > 0 || begin < self.end || self.goes_on(end)).then_some((letters, end))
    }

    /// The places behind the number.
    fn places(&self, at: usize) -> Option<Places> {
        let mut begins = [", ", ",", " (", "(", " "].into_iter().filter_map(|join| after(self.text, at, join));
        let (places, end, has_noun) = begins.find_map(|begin| Places::read(self.text, begin))?;
        (has_noun || end <= self.end || self.goes_on(end)).then_some(places)
    }

    /// The list that begins at a place.
    fn read(&self, at: usize) -> Option<(Letters, usize)> {
        let mut letters = Letters::default();
        let mut is_open = false;
        let mut at = self.item(at, false, &mut letters, &mut is_open)?;
        while let Some(next) = joined(self.text, at).chain(self.spelled(at)).find_map(|(next, is_range)| {
            let begin = after(self.text, next, self.number).unwrap_or(next);
            let (mut more, mut opened) = (letters, is_open);
            let end = self.item(begin, is_range, &mut more, &mut opened)?;
            (next < self.end || self.goes_on(end)).then_some((end, more, opened))
        }) {
            (at, letters, is_open) = next;
        }
        (!is_open).then_some((letters, at))
    }

    /// Takes a letter, with what marks it as a part of its panel: `A`, `(b)`, `Cii`, `2D1`, `E'`.
    fn item(&self, at: usize, is_range: bool, letters: &mut Letters, is_open: &mut bool) -> Option<usize> {
        let before = self.text.get(..at)?.chars().next_back();
        let inner = after(self.text, at, "(").filter(|_| !*is_open);
        *is_open |= inner.is_some();
        let at = inner.unwrap_or(at);
        let letter = *self.text.as_bytes().get(at).filter(|byte| byte.is_ascii_alphabetic())?;
        let rest = self.text.get(at + 1..)?;
        // A word by itself may be of any letters: `six` is no panel.
        let is_word = before == Some(' ') && letter.is_ascii_lowercase();
        let is_behind_number = before.is_some_and(|c| c.is_ascii_digit());
        let roman = rest.trim_start_matches(|c| !is_word && matches!(c, 'i' | 'v' | 'x'));
        let digits = rest.trim_start_matches(|c: char| is_behind_number && c.is_ascii_digit());
        let primed = [digits, roman].map(|rest| rest.trim_start_matches(['\'', '’', '′', '″']));
        let ends = |rest: &&str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let end = self.text.len() - primed.into_iter().find(ends)?.len();
        if !letters.add(letter, is_range) {
            return None;
        }
        let closed = after(self.text, end, ")").filter(|_| *is_open);
        *is_open &= closed.is_none();
        Some(closed.unwrap_or(end))
    }

    /// A range in words.
    fn spelled(&self, at: usize) -> impl Iterator<Item = (usize, bool)> {
        [" to ", " through "].into_iter().filter_map(move |word| Some((after(self.text, at, word)?, true)))
    }

    /// Whether what follows a letter shows that it is a label: punctuation, a verb, a preposition, one more letter.
    fn goes_on(&self, at: usize) -> bool {
        let Some(rest) = self.text.get(at..) else { return false };
        let word = rest
            .strip_prefix(' ')
            .map(|rest| rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default());
        rest.is_empty()
            || rest.starts_with(['.', ',', ';', ':', ')', ']', '/', '&'])
            || rest.starts_with(is_dash)
            || rest.starts_with(" (")
            || rest.starts_with(" [")
            || word.is_some_and(|word| VERBS.contains(&word) || FUNCTION.contains(&word) && word != "the")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The panels that `[…]` in a text names of a figure.
    fn named(text: &str, label: &str) -> String {
        let (start, end) = (text.find('[').unwrap(), text.find(']').unwrap() - 1);
        let text = text.replacen('[', "", 1).replacen(']', "", 1);
        Reference::new(&text, start, end).of(Some(label)).labels(&[])
    }

    #[test]
    fn letters_within_a_reference_are_panels() {
        for (text, panels) in [
            ("[Fig. 2b] shows", "b"),
            ("([Figure 2B–D])", "B, C, D"),
            ("[2a,c]", "a, c"),
            ("[Fig. 2 B,D,F–G]", "B, D, F, G"),
            ("[Fig. 2A and 2B]", "A, B"),
            ("[Figs. 2A–2C and 2E–2F]", "A, B, C, E, F"),
            ("[Figure 2A, 2C, and 2D]", "A, C, D"),
            ("[Fig. 2(a)]", "a"),
            ("[Fig. 2(a, b)] and", "a, b"),
            ("[Fig. 2(a) to (c)]", "a, b, c"),
            ("[Fig. 2Bii]", "B"),
            ("[Fig. 2A1]", "A"),
            ("[B]", "B"),
            ("in[ panels B–D]", "B, C, D"),
            ("[Figs. 1A and 2C]", "C"),
            ("[Fig. 2]", ""),
            ("[Figs. 2–4]", ""),
            ("[Fig. 2-step3]", ""),
            ("[Fig. 2A and S1]", "A"),
            ("[see there]", ""),
        ] {
            assert_eq!(named(text, "Figure 2."), panels, "{text}");
        }
    }

    #[test]
    fn letters_behind_a_reference_are_panels_where_they_can_be_no_words() {
        for (text, panels) in [
            ("[Figure 2]A)", "A"),
            ("([Fig. 2]b,c)", "b, c"),
            ("[Fig. 2]A–C show", "A, B, C"),
            ("[Fig. 2] (A, B).", "A, B"),
            ("([Fig. 2], panels A and B, Table", "A, B"),
            ("[Fig. 2]-A)", "A"),
            ("([Fig. 2], C)", "C"),
            ("[Fig. 2A] and C)", "A, C"),
            ("[Fig. 2A] and B for", "A, B"),
            ("[Fig. 2A] and B cells", "A"),
            ("[Fig. 2], a striking", ""),
            ("[Fig. 2] a striking", ""),
            ("[Fig. 2] (a) the cat", ""),
            ("[Fig. 2]; (C) the dog", ""),
            ("[Fig. 2]. A dog", ""),
            ("[Fig. 2]-step 3", ""),
            ("[Fig. 2] s", "s"),
        ] {
            assert_eq!(named(text, "Figure 2"), panels, "{text}");
        }
    }

    #[test]
    fn labels_have_the_case_of_the_caption() {
        let panels: Vec<Panel> = ["a", "b"].map(|label| Panel { label: label.to_owned(), text: String::new() }).into();
        assert_eq!(Reference::new("2A–C", 0, 6).of(None).labels(&panels), "C, a, b");
    }

    /// The panels that a text behind `Fig. 4` names of a figure whose panels have these labels.
    fn placed(behind: &str, labels: &[&str]) -> String {
        let panels: Vec<_> =
            labels.iter().map(|label| Panel { label: (*label).to_owned(), text: String::new() }).collect();
        Reference::new(&format!("Fig. 4{behind}"), 0, "Fig. 4".len()).of(Some("Figure 4")).labels(&panels)
    }

    #[test]
    fn places_behind_a_reference_are_the_panels_of_the_caption() {
        for (behind, panels) in [
            (", left)", "Left panel"),
            (" (right panel) and", "right"),
            (" right)", "right"),
            (", left and right panels of", "Left panel, right"),
            ("(Left).", "Left panel"),
            (", left ventricle", ""),
            (", left and right ventricles", ""),
            (") left of it", ""),
            (", top)", ""),
        ] {
            assert_eq!(placed(behind, &["Left panel", "right"]), panels, "{behind}");
        }
        for (behind, panels) in [
            (", top)", "Upper"),
            (", bottom)", "Bottom, left, Bottom right"),
            (", lower right)", "Bottom right"),
            (" (bottom, left)", "Bottom, left"),
            (", top, bottom-right)", "Upper, Bottom right"),
        ] {
            assert_eq!(placed(behind, &["Upper", "Bottom, left", "Bottom right"]), panels, "{behind}");
        }
        assert_eq!(placed(", left)", &["A", "B"]), "", "a figure with letters has no such panel");
        assert_eq!(placed("A, left)", &["A", "B"]), "A");
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[Fig. 12AaBbcéx,(&)–and ]{0,40}", start in 0..40usize, length in 0..40usize) {
            let reference = Reference::new(&text, start, start + length);
            prop_assert!(reference.end >= start + length);
            reference.of(Some("Figure 1")).labels(&[]);
        }
    }
}
