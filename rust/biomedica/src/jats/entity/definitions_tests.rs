//! What the definitions of an internal subset expand to, and what they refuse.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn parse(subset: &str) -> Definitions {
    let doctype = format!(" article PUBLIC \"-//[NLM]//'DTD\" 'x[.dtd' [\n{subset}\n]");
    Definitions::parse(&doctype, &Limits::default()).unwrap()
}

fn expand(subset: &str, name: &str) -> Option<String> {
    let mut budget = 1 << 16;
    parse(subset).expand(name, &mut budget).unwrap().map(Cow::into_owned)
}

fn refusal(subset: &str, name: &str) -> Error {
    parse(subset).expand(name, &mut (1 << 20)).unwrap_err()
}

/// The billion laughs: each entity holds the one before it ten times.
fn laughs(first: &str) -> String {
    let mut subset = format!("<!ENTITY e0 '{first}'>");
    for level in 1..10 {
        let ten = format!("&e{};", level - 1).repeat(10);
        write!(subset, "<!ENTITY e{level} '{ten}'>").unwrap();
    }
    subset
}

#[test]
fn a_literal_value_is_lent() {
    let definitions = parse("<!ENTITY journal \"J. Biol. 'X'\">");
    let text = definitions.expand("journal", &mut 100).unwrap();
    assert!(matches!(text, Some(Cow::Borrowed("J. Biol. 'X'"))), "{text:?}");
    assert!(!definitions.is_empty());
}

#[test]
fn a_document_type_without_a_subset_defines_nothing() {
    for doctype in ["", " article", " article SYSTEM \"a[<!ENTITY x 'y'>]\"", " article SYSTEM 'a", " article ["] {
        assert!(Definitions::parse(doctype, &Limits::default()).unwrap().is_empty(), "{doctype}");
    }
}

#[test]
fn values_are_expanded_through_each_other() {
    let subset = "<!ENTITY a 'A&#160;&b;&alpha;&amp;&unknown;'> <!ENTITY b \"[&#x42;]\">";
    assert_eq!(expand(subset, "a").as_deref(), Some("A\u{A0}[B]α&&unknown;"));
}

#[test]
fn character_references_are_replaced_once_at_definition() {
    assert_eq!(expand("<!ENTITY lt '&#38;#60;b&#38;#62;'>", "lt").as_deref(), Some("<b>"));
    assert_eq!(expand("<!ENTITY x '&#38;amp;lt;'>", "x").as_deref(), Some("&lt;"));
    assert_eq!(expand("<!ENTITY x '&#0; & &; &a b; &'>", "x").as_deref(), Some("&#0; & &; &a b; &"));
}

#[test]
fn markup_in_a_value_is_taken_away_and_its_text_stays() {
    let subset = "<!ENTITY co2 'CO<sub x=\"&gt;>\">2</sub><!-- no --><?pi no?><![CDATA[ <&amp;> ]]><br/>'>";
    assert_eq!(expand(subset, "co2").as_deref(), Some("CO2 <&amp;> "));
    assert_eq!(expand("<!ENTITY x 'a &#60; b <'>", "x").as_deref(), Some("a < b <"));
}

#[test]
fn the_first_definition_counts() {
    assert_eq!(expand("<!ENTITY a 'one'><!ENTITY a 'two'>", "a").as_deref(), Some("one"));
}

#[test]
fn what_is_not_in_the_document_stays_unknown() {
    let subset = "<!ENTITY % p 'x'> %p; <!ENTITY e SYSTEM 'file:///etc/passwd'> <!ENTITY f PUBLIC '-//X' 'y'>
        <!ENTITY g SYSTEM 'g.gif' NDATA gif> <!NOTATION gif SYSTEM 'x'> <!ELEMENT a (b)> <!ATTLIST a b CDATA '>'>
        <!ENTITY last 'ok'>";
    for name in ["p", "%", "e", "f", "g", "gif", "a"] {
        assert_eq!(expand(subset, name), None, "{name}");
    }
    assert_eq!(expand(subset, "last").as_deref(), Some("ok"));
}

#[test]
fn comments_and_instructions_in_the_subset_are_passed_over() {
    let subset = "<!-- <!ENTITY a 'no'> ' ] --> <?x <!ENTITY a 'no'> \" ?> <!ENTITY a 'yes'>";
    assert_eq!(expand(subset, "a").as_deref(), Some("yes"));
}

#[test]
fn broken_declarations_are_passed_over() {
    let subset = "<!ENTITY> <!ENTITY a> <!ENTITYb 'x'> <!ENTITY c x> <!ENTITY d 'ok'> <!ENTITY f 'open";
    for name in ["", "a", "b", "c", "f"] {
        assert_eq!(expand(subset, name), None, "{name}");
    }
    assert_eq!(expand(subset, "d").as_deref(), Some("ok"));
}

#[test]
fn definitions_after_the_subset_do_not_count() {
    assert_eq!(expand("] <!ENTITY a 'no'>", "a"), None);
}

#[test]
fn an_entity_that_holds_itself_is_a_bomb() {
    assert_eq!(refusal("<!ENTITY a '&b;'><!ENTITY b 'x&a;'>", "a").reason(), Reason::EntityBomb);
    insta::assert_snapshot!(refusal("<!ENTITY a '&a;'>", "a"), @"entity_bomb: entity `a` is nested more than 32 deep, or holds itself");
}

#[test]
fn a_billion_laughs_are_a_bomb_even_when_they_are_empty() {
    insta::assert_snapshot!(refusal(&laughs("lol"), "e9"), @"entity_bomb: entity `e0` expands beyond the limit");
    assert_eq!(refusal(&laughs(""), "e9").reason(), Reason::EntityBomb);
}

#[test]
fn the_budget_is_that_of_the_whole_document() {
    let definitions = parse("<!ENTITY a '12345'>");
    let mut budget = 12;
    assert!(definitions.expand("a", &mut budget).is_ok());
    assert!(definitions.expand("a", &mut budget).is_ok());
    assert!(definitions.expand("a", &mut budget).is_err());
    assert_eq!(budget, 2);
}

#[test]
fn a_value_full_of_starts_takes_linear_time() {
    for start in ["&", "<", "<a", "<!--", "<a'", "&a"] {
        let value = start.repeat((1 << 19) / start.len());
        let quote = if value.contains('\'') { '"' } else { '\'' };
        let subset = format!("<!ENTITY x {quote}{value}{quote}>");
        assert_eq!(parse(&subset).expand("x", &mut (1 << 20)).unwrap().as_deref(), Some(value.as_str()), "{start}");
    }
}

#[test]
fn a_subset_of_huge_values_is_a_bomb() {
    let limits = Limits { entity_bytes: 8, ..Limits::default() };
    let parse = |subset: &str| Definitions::parse(subset, &limits).err().map(|e| e.reason());
    assert_eq!(parse("[<!ENTITY a '123'><!ENTITY b '123'>]"), None);
    assert_eq!(parse("[<!ENTITY a '123'><!ENTITY b '1234'>]"), Some(Reason::EntityBomb));
}

proptest! {
    #[test]
    fn any_subset_expands_within_its_budget(
        subset in r#"\[(<!ENTITY [ab%] ?['"]([&;#<>'"]|&[ab];|<!--|\PC){0,12}['"]>|[<>\]!?-]|\PC){0,6}"#,
    ) {
        if let Ok(definitions) = Definitions::parse(&subset, &Limits::default()) {
            for name in ["a", "b"] {
                let mut budget = 4096;
                if let Ok(Some(text)) = definitions.expand(name, &mut budget) {
                    prop_assert!(text.len() <= 4096);
                }
            }
        }
    }
}
