//! Tests of the crate as its users call it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod jats_figures;
mod jats_front;
mod jats_hostile;
mod jats_mentions;
mod jats_text;
mod pipeline;

/// Documents of the least that a test needs.
mod document {
    use biomedica::jats::{self, Article, Figure};
    use biomedica::limits::Limits;

    pub fn parse(xml: &str) -> Article {
        jats::parse(xml.as_bytes(), &Limits::default()).unwrap()
    }

    /// The article with this body.
    pub fn body(body: &str) -> Article {
        parse(&format!("<article><front/><body>{body}</body></article>"))
    }

    /// The article with this in its `article-meta`.
    pub fn meta(meta: &str) -> Article {
        parse(&format!("<article><front><article-meta>{meta}</article-meta></front></article>"))
    }

    /// The figures of the article with this body.
    pub fn figures(xml: &str) -> Vec<Figure> {
        body(xml).figures
    }

    /// The caption of the figure with this in its caption's paragraph.
    pub fn caption(text: &str) -> String {
        let xml = format!("<fig><caption><p>{text}</p></caption><graphic href='a'/></fig>");
        figures(&xml).remove(0).caption.unwrap()
    }
}
