//! From a document's bytes to its article: by our own scanner where the document is an ordinary one, else by quick-xml.

use quick_xml::Reader as Events;
use quick_xml::events::{BytesStart, Event};

use super::article::Article;
use super::encoding;
use super::entity::Definitions;
use super::reader::Reader;
use super::scan::{Element, Token, Tokens};
use crate::error::{Error, Reason, Result, Stage};
use crate::limits::Limits;

/// Reads the first `article` of a document.
///
/// # Errors
/// [`Stage::Xml`] when the document cannot be read to the article's end, with the byte offset in the decoded text;
/// [`Stage::Figure`] when its figures refer to each other beyond the limits.
pub fn parse(xml: &[u8], limits: &Limits) -> Result<Article> {
    let text = encoding::decode(xml, limits)?;
    ordinary(&text, limits).unwrap_or_else(|| unusual(&text, limits))
}

/// Reads any document as [`parse`] reads one that is not ordinary: slower, with the same result. Tests compare the two.
#[doc(hidden)]
pub fn parse_with_quick_xml(xml: &[u8], limits: &Limits) -> Result<Article> {
    unusual(&encoding::decode(xml, limits)?, limits)
}

/// Reads an ordinary document; none when it is not one, or when anything is wrong with it.
fn ordinary(text: &str, limits: &Limits) -> Option<Result<Article>> {
    let mut reader = Reader::new(limits);
    for token in Tokens::of(text) {
        match token {
            Token::Text(text) => reader.text(text),
            Token::Start(element) => reader.start(element).ok()?,
            Token::End => reader.end(),
            Token::Empty(element) => {
                reader.start(element).ok()?;
                reader.end();
            }
            Token::Reference(name) => reader.reference(name).ok()?,
            Token::Aside => {}
        }
        if reader.is_done {
            return Some(reader.finish());
        }
    }
    None
}

/// Reads a document whatever is in it, and says where it is wrong.
#[cold]
fn unusual(text: &str, limits: &Limits) -> Result<Article> {
    let mut events = Events::from_str(text);
    events.config_mut().allow_dangling_amp = true;
    let mut reader = Reader::new(limits);
    loop {
        let event = events.read_event().map_err(|error| malformed(&error, events.error_position()))?;
        let offset = events.buffer_position();
        match event {
            Event::Text(text) => reader.text(&text),
            Event::Start(tag) => reader.start(element(&tag)).map_err(|error| error.at_offset(offset))?,
            Event::End(_) => reader.end(),
            Event::Empty(tag) => {
                reader.start(element(&tag)).map_err(|error| error.at_offset(offset))?;
                reader.end();
            }
            Event::GeneralRef(name) => reader.reference(&name).map_err(|error| error.at_offset(offset))?,
            Event::CData(text) => reader.text(&text),
            Event::DocType(doctype) => {
                reader.definitions = Definitions::parse(&doctype, limits).map_err(|error| error.at_offset(offset))?;
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof => return Err(reader.ended_early(offset)),
        }
        if reader.is_done {
            return reader.finish();
        }
    }
}

fn element<'e>(tag: &'e BytesStart<'_>) -> Element<'e> {
    Element { name: tag.name().0, attributes: tag.attributes_raw() }
}

/// What quick-xml says of a document that is not well-formed.
#[cold]
pub(crate) fn malformed(error: &quick_xml::Error, offset: u64) -> Error {
    let reason = match error {
        quick_xml::Error::Syntax(_) => Reason::Truncated,
        _ => Reason::Malformed,
    };
    Error::new(Stage::Xml, reason, error.to_string()).at_offset(offset)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORDINARY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS 1.3//EN" "JATS-journalpublishing1.dtd">
<article article-type='research' xml:lang="en"><!-- > --><?pi "x"?><body><p>a &lt; <![CDATA[<b>]]>
<xref rid="f1" ref-type="fig"/></p><fig id="f1" ><graphic xlink:href="a&amp;b>.jpg" /></fig></body></article> "#;

    #[test]
    fn an_ordinary_document_needs_no_other_reader() {
        let limits = Limits::default();
        assert_eq!(ordinary(ORDINARY, &limits).unwrap().unwrap(), unusual(ORDINARY, &limits).unwrap());
    }

    /// A few elements around which an article may end or not.
    fn content() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a",
            " b\n",
            "é",
            "&amp;",
            "&#65;",
            "&x;",
            "<graphic xlink:href='a.jpg' />",
            "<xref rid=\"f\">1</xref>",
            "<xref rid = 'f'/>",
            "<!-- > -->",
            "<?x > ?>",
            "<![CDATA[<p>]]>",
            "<label>1</label>",
            "<tex-math>$x$</tex-math>",
            "<pub-id pub-id-type=\"pmid\">1</pub-id>",
            "</p>",
            "<p>",
            "<p x>",
            "&",
            "<",
            "<year>2001</year >",
        ]);
        let names = ["p", "fig", "caption", "ref-list", "ref", "mixed-citation", "sec", "sub-article", "alternatives"];
        leaf.prop_map(str::to_owned).prop_recursive(4, 48, 8, move |inner| {
            (prop::sample::select(names.to_vec()), prop::collection::vec(inner, 0..8))
                .prop_map(|(name, inner)| format!("<{name} id='f'>{}</{name}>", inner.concat()))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn both_readers_agree(inner in prop::collection::vec(content(), 0..6)) {
            let limits = Limits::default();
            let xml = format!("<article><body>{}</body></article>", inner.concat());
            let article = parse(xml.as_bytes(), &limits).map_err(|error| error.to_string());
            prop_assert_eq!(article, unusual(&xml, &limits).map_err(|error| error.to_string()));
        }
    }
}
