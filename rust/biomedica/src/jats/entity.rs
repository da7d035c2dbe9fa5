//! Entity references: numeric ones, the names that the JATS DTDs define, and those of a document's internal subset.
//!
//! No DTD is read. The names of the XHTML and ISO sets stand in a table with the values of HTML 5, which differ from
//! those of older DTDs only in look-alikes (`&lang;` is U+27E8, `&phi;` the plain letter).

mod definitions;
mod names;

use std::borrow::Cow;

use crate::error::Result;

pub use definitions::Definitions;

/// The text of a name that the JATS DTDs define (`nbsp`, `alpha`, `b.alpha`, XML's own five), without `&` and `;`.
pub fn named(name: &str) -> Option<&'static str> {
    let at = names::NAMES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    names::NAMES.get(at).map(|(_, text)| *text)
}

/// The character of a numeric reference, given what stands between `&` and `;` (`#160`, `#xA0`).
///
/// None when it is no such reference or the character is not allowed in XML: then the reference stays as written.
pub fn numeric(body: &str) -> Option<char> {
    let digits = body.strip_prefix('#')?;
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    // from_str_radix takes a sign, XML does not.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let c = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
    let allowed = matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    allowed.then_some(c)
}

/// An attribute's value with its references replaced by what `resolve` gives for their names.
pub fn unescape(value: &str, mut resolve: impl FnMut(&str) -> Result<Cow<'static, str>>) -> Result<Cow<'_, str>> {
    if !value.contains('&') {
        return Ok(Cow::Borrowed(value));
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        if let Some((name, after)) = after.split_once(';').filter(|(name, _)| !name.is_empty() && !name.contains('&')) {
            text.push_str(&resolve(name)?);
            rest = after;
        } else {
            text.push('&');
            rest = after;
        }
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// The text of a reference where there are no definitions but XML's and the DTDs'; one that is not known stays as written.
pub fn resolve(name: &str) -> Cow<'static, str> {
    if let Some(character) = numeric(name) {
        return Cow::Owned(character.to_string());
    }
    named(name).map_or_else(|| Cow::Owned(format!("&{name};")), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_is_sorted_and_every_name_is_found() {
        assert!(names::NAMES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(names::NAMES.iter().all(|(name, text)| named(name) == Some(*text) && !text.is_empty()));
        assert!(names::NAMES.len() > 2200);
    }

    #[test]
    fn names_of_every_set_of_the_dtds_are_known() {
        for (name, text) in [
            ("amp", "&"),
            ("lt", "<"),
            ("gt", ">"),
            ("quot", "\""),
            ("apos", "'"),
            ("nbsp", "\u{A0}"),
            ("eacute", "é"),
            ("scaron", "š"),
            ("gcedil", "ģ"),
            ("frac12", "½"),
            ("ndash", "–"),
            ("hairsp", "\u{200A}"),
            ("Aring", "Å"),
            ("agr", "α"),
            ("OHgr", "Ω"),
            ("aacgr", "ά"),
            ("idiagr", "ΐ"),
            ("epsi", "ε"),
            ("epsis", "ϵ"),
            ("phis", "ϕ"),
            ("thetas", "θ"),
            ("b.alpha", "𝛂"),
            ("b.Omega", "𝛀"),
            ("b.sigmav", "𝛓"),
            ("b.piv", "𝛡"),
            ("b.gammad", "ϝ"),
            ("die", "¨"),
            ("Dot", "¨"),
            ("YAcy", "Я"),
            ("djcy", "ђ"),
            ("boxhd", "┬"),
            ("rarr2", "⇉"),
            ("plusmn", "±"),
            ("nleqq", "≦̸"),
            ("ang90", "∟"),
            ("LeftRightArrow", "↔"),
            ("ThickSpace", "\u{205F}\u{200A}"),
            ("Afr", "𝔄"),
            ("bopf", "𝕓"),
            ("ascr", "𝒶"),
        ] {
            assert_eq!(named(name), Some(text), "{name}");
        }
    }

    #[test]
    fn names_are_exact() {
        for name in ["", "foo", "Alph", "alpha;", "&alpha", "NBSP", " amp", "b.", "#160"] {
            assert_eq!(named(name), None, "{name}");
        }
    }

    #[test]
    fn numeric_references_give_characters_of_xml_only() {
        for (body, c) in [("#160", '\u{A0}'), ("#xA0", '\u{A0}'), ("#x1d6C2", '𝛂'), ("#9", '\t'), ("#0065", 'A')] {
            assert_eq!(numeric(body), Some(c), "{body}");
        }
        for body in [
            "#0",
            "#1",
            "#x1F",
            "#xD800",
            "#xFFFE",
            "#x110000",
            "#99999999999",
            "#",
            "#x",
            "#XA0",
            "#+65",
            "#x+41",
            "#6 5",
            "#A",
            "65",
            "#é",
        ] {
            assert_eq!(numeric(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_reference_or_none(text in "#?x?.{0,12}") {
            let _ = (named(&text), numeric(&text));
        }
    }
}
