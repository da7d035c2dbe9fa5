//! The general entities that a document's internal DTD subset defines, and their expansion within bounds.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::memmem;

use super::{named, numeric};
use crate::error::{Error, Reason, Result, Stage};
use crate::limits::Limits;

/// Entities within entities, at most. Real documents have two or three; a loop never ends.
const MAX_DEPTH: usize = 32;

/// The general entities of an internal subset whose values stand in it.
///
/// Parameter entities, external ones and unparsed ones are left out, as nothing outside the document is ever read:
/// a reference to one stays as written. Of several definitions of a name the first counts.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    values: HashMap<String, String>,
}

impl Definitions {
    /// Reads a document type declaration: what stands between `<!DOCTYPE` and its `>`, or all of it.
    ///
    /// A declaration that is broken is passed over. Names and values of more than
    /// [`Limits::entity_bytes`] together are an error.
    pub fn parse(doctype: &str, limits: &Limits) -> Result<Self> {
        let mut definitions = Self::default();
        let mut room = limits.entity_bytes;
        let mut rest = internal_subset(doctype);
        while let Some(at) = memchr::memchr2(b'<', b']', rest.as_bytes()) {
            rest = rest.get(at..).unwrap_or("");
            if rest.starts_with(']') {
                break;
            }
            let (declaration, after) = declaration(rest);
            rest = after;
            let Some((name, value)) = general_entity(declaration) else { continue };
            if definitions.values.contains_key(name) {
                continue;
            }
            room = room
                .checked_sub(name.len() + value.len())
                .ok_or_else(|| bomb("the entities of the internal subset are too large"))?;
            definitions.values.insert(
                name.to_owned(),
                references(value, |body, text| match numeric(body) {
                    Some(c) => text.push(c),
                    None => write_reference(body, text),
                }),
            );
        }
        Ok(definitions)
    }

    /// Whether there is none: true for nearly every document.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The text that `&name;` stands for, when the internal subset defines it.
    ///
    /// Entities, characters and names of the DTDs within the value are replaced; markup within it is taken away and its
    /// text stays, since the text of an entity is all that is asked for here. `budget` is what all expansions of a
    /// document may cost together, in bytes of values read; it starts at [`Limits::entity_bytes`]. More than that, or
    /// an entity that holds itself, is an error.
    pub fn expand(&self, name: &str, budget: &mut usize) -> Result<Option<Cow<'_, str>>> {
        let Some(value) = self.values.get(name) else { return Ok(None) };
        if memchr::memchr2(b'&', b'<', value.as_bytes()).is_none() {
            spend(budget, value.len(), name)?;
            return Ok(Some(Cow::Borrowed(value)));
        }
        let mut text = String::new();
        self.write(name, value, budget, 1, &mut text)?;
        Ok(Some(Cow::Owned(text)))
    }

    fn write(&self, name: &str, value: &str, budget: &mut usize, depth: usize, text: &mut String) -> Result<()> {
        spend(budget, value.len(), name)?;
        if depth > MAX_DEPTH {
            return Err(bomb(format!("entity `{name}` is nested more than {MAX_DEPTH} deep, or holds itself")));
        }
        let mut rest = value;
        // Once some markup does not end, no later `<` is looked at again: that keeps the time linear.
        let mut may_be_markup = true;
        while let Some(at) = memchr::memchr2(b'&', b'<', rest.as_bytes()) {
            text.push_str(rest.get(..at).unwrap_or(""));
            rest = rest.get(at..).unwrap_or("");
            if rest.starts_with('<') {
                let split = if may_be_markup { markup(rest) } else { None };
                may_be_markup = split.is_some();
                let (kept, after) = split.unwrap_or(rest.split_at(1));
                text.push_str(kept);
                rest = after;
                continue;
            }
            let Some((body, after)) = reference(rest) else {
                text.push('&');
                rest = rest.get(1..).unwrap_or("");
                continue;
            };
            rest = after;
            if let Some(c) = numeric(body) {
                text.push(c);
            } else if let Some(value) = self.values.get(body) {
                self.write(body, value, budget, depth + 1, text)?;
            } else if let Some(known) = named(body) {
                text.push_str(known);
            } else {
                write_reference(body, text);
            }
        }
        text.push_str(rest);
        Ok(())
    }
}

/// Charges at least one byte, so that empty entities within empty entities come to an end too.
fn spend(budget: &mut usize, bytes: usize, name: &str) -> Result<()> {
    *budget =
        budget.checked_sub(bytes.max(1)).ok_or_else(|| bomb(format!("entity `{name}` expands beyond the limit")))?;
    Ok(())
}

#[cold]
fn bomb(detail: impl Into<String>) -> Error {
    Error::new(Stage::Xml, Reason::EntityBomb, detail)
}

/// What follows the `[` of the declaration, outside its quoted identifiers.
fn internal_subset(doctype: &str) -> &str {
    let mut rest = doctype;
    while let Some(at) = memchr::memchr3(b'[', b'"', b'\'', rest.as_bytes()) {
        let quote = rest.as_bytes().get(at).copied();
        rest = rest.get(at + 1..).unwrap_or("");
        match quote {
            Some(b'[') => return rest,
            Some(quote) => match memchr::memchr(quote, rest.as_bytes()) {
                Some(end) => rest = rest.get(end + 1..).unwrap_or(""),
                None => break,
            },
            None => break,
        }
    }
    ""
}

/// Splits what starts with `<` after its declaration, comment or processing instruction.
fn declaration(text: &str) -> (&str, &str) {
    for (start, end) in [("<!--", "-->"), ("<?", "?>")] {
        if text.starts_with(start) {
            return split_after(text, start.len(), end);
        }
    }
    tag(text)
}

/// Splits what starts with `<` after the `>` that stands outside quotes.
fn tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return text.split_at(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    (text, "")
}

/// Splits `text` after the first `end` at or behind `from`; all of it when there is none.
fn split_after<'a>(text: &'a str, from: usize, end: &str) -> (&'a str, &'a str) {
    let body = text.get(from..).unwrap_or("");
    match memmem::find(body.as_bytes(), end.as_bytes()) {
        Some(at) => text.split_at(from + at + end.len()),
        None => (text, ""),
    }
}

/// Name and literal value of a general entity's declaration.
fn general_entity(declaration: &str) -> Option<(&str, &str)> {
    let rest = declaration.strip_prefix("<!ENTITY")?;
    let body = rest.trim_ascii_start();
    if body.len() == rest.len() {
        return None;
    }
    let (name, rest) = body.split_at(body.find(|c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '>'))?);
    // A lone `%` marks a parameter entity. After the name of an external entity comes SYSTEM or PUBLIC, not a quote.
    if name.is_empty() || name.starts_with('%') {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, _) = rest.get(1..)?.split_once(quote)?;
    Some((name, value))
}

/// What stands between `&` and `;` at the start of `text`, and what follows.
fn reference(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('&')?;
    let end = memchr::memchr3(b';', b'&', b'<', text.as_bytes())?;
    let (body, after) = (text.get(..end)?, text.get(end..)?.strip_prefix(';')?);
    let is_name = !body.is_empty() && !body.contains(char::is_whitespace);
    is_name.then_some((body, after))
}

fn write_reference(body: &str, text: &mut String) {
    text.push('&');
    text.push_str(body);
    text.push(';');
}

/// `text` with each reference replaced by what `write` makes of it.
fn references(text: &str, write: impl Fn(&str, &mut String)) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        written.push_str(rest.get(..at).unwrap_or(""));
        rest = rest.get(at..).unwrap_or("");
        if let Some((body, after)) = reference(rest) {
            write(body, &mut written);
            rest = after;
        } else {
            written.push('&');
            rest = rest.get(1..).unwrap_or("");
        }
    }
    written.push_str(rest);
    written
}

/// Splits what starts with `<` into the text that it keeps and what follows the markup; none when that does not end.
fn markup(text: &str) -> Option<(&str, &str)> {
    const CDATA: &str = "<![CDATA[";
    if let Some(section) = text.strip_prefix(CDATA) {
        return section.split_once("]]>");
    }
    // A `<` that starts no markup is a character.
    if !text.get(1..)?.starts_with(|c: char| matches!(c, '/' | '!' | '?' | '_' | ':') || c.is_alphabetic()) {
        return Some(text.split_at(1));
    }
    let (markup, after) = declaration(text);
    markup.ends_with('>').then_some(("", after))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "definitions_tests.rs"]
mod tests;
