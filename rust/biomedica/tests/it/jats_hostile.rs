use std::fmt::Write as _;

use biomedica::error::{Reason, Stage};
use biomedica::jats;
use biomedica::limits::Limits;
use proptest::prelude::*;

fn fails(xml: &[u8]) -> (Stage, Reason) {
    let error = jats::parse(xml, &Limits::default()).unwrap_err();
    assert!(error.to_string().len() < 400, "{error}");
    (error.stage(), error.reason())
}

#[test]
fn documents_that_are_no_article_say_why() {
    assert_eq!(fails(b"").1, Reason::Empty);
    assert_eq!(fails(b"<html></html>").1, Reason::NoArticle);
    assert_eq!(fails(b"plain text").1, Reason::NoArticle);
    assert_eq!(fails(b"<article><body>").1, Reason::Truncated);
    assert_eq!(fails(b"<article><body><p").1, Reason::Truncated);
    assert_eq!(fails(b"<article><b></i></article>").1, Reason::Malformed);
    assert_eq!(fails(b"<article><p>\xff</p></article>").1, Reason::BadEncoding);
    assert_eq!(fails(b"<?xml version='1.0' encoding='klingon'?><article/>").1, Reason::BadEncoding);
}

#[test]
fn nesting_beyond_the_limit_is_refused_on_each_side_of_it() {
    let nested = |depth: usize| format!("<article>{}{}</article>", "<p>".repeat(depth), "</p>".repeat(depth));
    let limit = Limits::default().xml_depth;
    assert!(jats::parse(nested(limit - 1).as_bytes(), &Limits::default()).is_ok());
    assert_eq!(fails(nested(limit).as_bytes()).1, Reason::TooDeep);
    assert_eq!(fails("<x>".repeat(100_000).as_bytes()).1, Reason::TooDeep);
}

#[test]
fn entity_bombs_are_refused() {
    let mut xml = String::from("<!DOCTYPE article [<!ENTITY a0 'aaaaaaaaaa'>");
    for level in 1..9 {
        let inner = format!("&a{};", level - 1).repeat(10);
        write!(xml, "<!ENTITY a{level} '{inner}'>").unwrap();
    }
    xml.push_str("]><article><body><p>&a8;</p></body></article>");
    assert_eq!(fails(xml.as_bytes()).1, Reason::EntityBomb);
}

#[test]
fn mentions_that_multiply_are_refused() {
    let figure = "<graphic href='a'/>".repeat(2000);
    let paragraph = format!("<p>{}<xref rid='g'/></p>", "long ".repeat(2000));
    let xml = format!("<article><body>{}<fig-group id='g'>{figure}</fig-group></body></article>", paragraph.repeat(20));
    assert_eq!(fails(xml.as_bytes()), (Stage::Figure, Reason::TooLarge));
}

#[test]
fn references_to_duplicated_ids_are_bounded() {
    let figures = "<fig id='f'><graphic href='a'/></fig>".repeat(5000);
    let paragraphs = format!("<p>{}</p>", "<xref rid='f'/>-".repeat(5000));
    let xml = format!("<article><body>{paragraphs}{figures}</body></article>");
    assert_eq!(fails(xml.as_bytes()), (Stage::Figure, Reason::TooLarge));
}

#[test]
fn deep_floats_are_read() {
    let depth = 600;
    let xml = format!(
        "<article><body>{}<graphic href='a'/>{}</body></article>",
        "<fig-group id='g'><p>".repeat(depth),
        "</p></fig-group>".repeat(depth)
    );
    assert_eq!(jats::parse(xml.as_bytes(), &Limits::default()).unwrap().figures.len(), 1);
}

/// Markup out of pieces that mean something, nested as it comes.
fn markup() -> impl Strategy<Value = String> {
    let names = [
        "p",
        "fig",
        "fig-group",
        "graphic",
        "caption",
        "label",
        "title",
        "xref",
        "alternatives",
        "disp-formula",
        "math",
        "mi",
        "tex-math",
        "abstract",
        "sub-article",
        "front",
        "article-meta",
        "body",
        "ref",
        "mixed-citation",
        "element-citation",
        "pub-id",
        "contrib",
        "collab",
        "license",
        "fn",
        "media",
        "table-wrap",
        "boxed-text",
        "sec",
    ];
    let leaf = prop_oneof![Just(" text ".to_owned()), Just("&alpha;&#x;&x".to_owned()), "[a-z \u{a0}<&]{0,5}"];
    leaf.prop_recursive(8, 64, 5, move |inner| {
        (prop::sample::select(names.to_vec()), prop::collection::vec(inner, 0..5), 0..4_u8).prop_map(
            |(name, children, id)| {
                format!(
                    "<{name} id='i{id}' rid='i{id} i1' href='h{id}.jpg' mimetype='image'>{}</{name}>",
                    children.concat()
                )
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_an_article_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = jats::parse(&bytes, &Limits::default());
    }

    #[test]
    fn any_markup_gives_an_article_or_an_error(xml in markup()) {
        let _ = jats::parse(format!("<article>{xml}</article>").as_bytes(), &Limits::default());
    }
}
