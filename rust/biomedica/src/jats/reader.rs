//! One pass over the events of a document, with no tree of it: text goes to [`Frames`], floats to [`Floats`],
//! references to figures to [`Mentions`], the rest to [`Front`].

use std::borrow::Cow;

use quick_xml::events::attributes::Attributes;

use super::article::{Article, Reference};
use super::context::{self as ctx, Context};
use super::entity::{self, Definitions};
use super::float::Floats;
use super::formula::{self, Formula};
use super::frame::{Frames, Role};
use super::front::{Field, Front, PubId, unique};
use super::mention::Mentions;
use super::scan::{Element, attribute};
use super::tag::Tag;
use crate::error::{Error, Reason, Result, Stage};
use crate::limits::Limits;

/// What has to be done at the end of an element.
pub(super) mod ends {
    pub const FRAME: u8 = 1;
    pub const NODE: u8 = 1 << 1;
    pub const XREF: u8 = 1 << 2;
    pub const FORMULA: u8 = 1 << 3;
    pub const CONTRIB: u8 = 1 << 4;
}

/// An element that was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub tag: Tag,
    pub context: Context,
    pub ends: u8,
    /// Number of the reference to end, with [`ends::XREF`].
    pub xref: usize,
}

pub(super) struct Reader<'l> {
    limits: &'l Limits,
    pub open: Vec<Open>,
    pub frames: Frames,
    pub front: Front,
    pub floats: Floats,
    pub mentions: Mentions,
    pub formulas: Vec<Formula>,
    pub references: Vec<Reference>,
    pub reference_ids: Vec<String>,
    /// Sub-articles and `alternatives` begun so far.
    pub scopes: u32,
    pub alternatives: u32,
    body: String,
    pub definitions: Definitions,
    entity_budget: usize,
    /// Elements around the article.
    outer: usize,
    /// The last event was the end of an element.
    follows_end: bool,
    pub is_done: bool,
}

impl<'l> Reader<'l> {
    pub fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            open: Vec::new(),
            frames: Frames::default(),
            front: Front::default(),
            floats: Floats::default(),
            mentions: Mentions::default(),
            formulas: Vec::new(),
            references: Vec::new(),
            reference_ids: Vec::new(),
            scopes: 0,
            alternatives: 0,
            body: String::new(),
            definitions: Definitions::default(),
            entity_budget: limits.entity_bytes,
            outer: 0,
            follows_end: false,
            is_done: false,
        }
    }

    #[inline]
    pub fn start(&mut self, element: Element<'_>) -> Result<()> {
        let tag = Tag::of(element.name);
        if self.open.len() + self.outer >= self.limits.xml_depth {
            let detail = format!("elements nested deeper than {}", self.limits.xml_depth);
            return Err(Error::new(Stage::Xml, Reason::TooDeep, detail));
        }
        let Some(&parent) = self.open.last() else {
            return self.before_article(tag, element);
        };
        let mut open = Open { tag, context: parent.context, ends: 0, xref: 0 };
        // Parts of a citation that follow each other with no punctuation between them are still parts.
        if parent.context.is(ctx::CITATION) && self.follows_end && tag != Tag::Formatting {
            self.frames.part(false);
        }
        self.follows_end = false;
        if parent.context.is(ctx::LICENSE) {
            let href = self.attribute(element, "href")?;
            self.front.evidence.hrefs.extend(href.map(Cow::into_owned));
        }
        if tag != Tag::Other {
            if tag.is_block() {
                self.frames.part(is_top(&parent.context));
                if tag != Tag::Sec {
                    open.context.flags |= ctx::BLOCK;
                }
            }
            self.enter(&parent, &mut open, element)?;
        }
        self.open.push(open);
        Ok(())
    }

    #[cold]
    fn before_article(&mut self, tag: Tag, element: Element<'_>) -> Result<()> {
        if tag != Tag::Article {
            self.outer += 1;
            return Ok(());
        }
        self.front.article_type = self.attribute(element, "article-type")?.map(Cow::into_owned);
        self.front.language = self.attribute(element, "lang")?.map(Cow::into_owned);
        self.frames.open(Role::Muted);
        self.open.push(Open { tag, context: Context::ROOT, ends: 0, xref: 0 });
        Ok(())
    }

    #[inline]
    pub fn end(&mut self) {
        let Some(open) = self.open.pop() else {
            self.outer = self.outer.saturating_sub(1);
            return;
        };
        let is_top = self.open.last().is_some_and(|parent| is_top(&parent.context));
        if open.ends != 0 {
            self.leave(&open, is_top);
        }
        if open.tag.is_block() {
            self.frames.part(is_top);
        }
        self.follows_end = true;
        if self.open.is_empty() {
            self.is_done = true;
        }
    }

    fn leave(&mut self, open: &Open, is_top: bool) {
        if open.ends & ends::XREF != 0 {
            self.mentions.end_xref(open.xref, self.frames.len());
        }
        if open.ends & ends::FORMULA != 0 {
            self.formulas.pop();
        }
        if open.ends & ends::FRAME != 0 {
            self.close_frame(is_top);
        }
        if open.ends & ends::CONTRIB != 0 {
            self.front.end_contrib();
        }
    }

    fn close_frame(&mut self, is_top: bool) {
        let Some((role, text)) = self.frames.close() else { return };
        match role {
            Role::Muted => {}
            Role::Paragraph(place) => {
                self.mentions.end(place, &text);
                if let Role::Abstract { node, .. } = *self.frames.role() {
                    self.lend(node, &text);
                }
                self.frames.part(is_top);
                if let Some(around) = self.frames.text() {
                    around.push_collapsed(&text);
                }
            }
            Role::Body => {
                self.body = text;
                return;
            }
            Role::Caption(node) => {
                if let Some(node) = self.floats.nodes.get_mut(node as usize).filter(|_| !text.is_empty()) {
                    node.caption.get_or_insert_with(|| text.clone());
                }
            }
            Role::Label(node) => {
                if let Some(node) = self.floats.nodes.get_mut(node as usize).filter(|_| !text.is_empty()) {
                    node.label.get_or_insert_with(|| text.clone());
                }
            }
            Role::Abstract { rank, .. } => {
                if let Some(rank) = rank {
                    self.front.take_abstract(rank, &text);
                }
            }
            Role::Reference => {
                if let Some(reference) = self.references.last_mut() {
                    reference.citation.push_str(&text);
                }
            }
            Role::Tex => self.end_tex(formula::tex(&text)),
            Role::Field(field) => {
                if let Some(around) = self.frames.text().filter(|_| field.is_inline()) {
                    around.push_collapsed(&text);
                }
                self.end_field(field, &text);
            }
        }
        self.frames.recycle(text);
    }

    /// Adds a paragraph of an abstract to what it lends to a graphical abstract in it.
    fn lend(&mut self, node: u32, paragraph: &str) {
        let Some(node) = self.floats.nodes.get_mut(node as usize).filter(|_| !paragraph.is_empty()) else { return };
        let caption = node.caption.get_or_insert_default();
        if !caption.is_empty() {
            caption.push(' ');
        }
        caption.push_str(paragraph);
    }

    fn end_field(&mut self, field: Field, text: &str) {
        let Field::PubId(kind) = &field else { return self.front.take(field, text) };
        let Some(reference) = self.references.last_mut().filter(|_| !text.is_empty()) else { return };
        match kind {
            PubId::Pmid => {
                self.reference_ids.push(text.to_owned());
                reference.pmid.get_or_insert_with(|| text.to_owned());
            }
            PubId::Doi => {
                reference.doi.get_or_insert_with(|| text.to_owned());
            }
            PubId::Other => {}
        }
    }

    fn end_tex(&mut self, tex: &str) {
        let has_math = self.formulas.last().is_some_and(|formula| formula.has_math);
        if let Some(text) = self.frames.text().filter(|_| !has_math) {
            let start = text.mark();
            text.push(tex);
            if let Some(formula) = self.formulas.last_mut() {
                formula.tex.get_or_insert((start, text.mark()));
            }
        }
    }

    #[inline]
    pub fn text(&mut self, text: &str) {
        let Some(open) = self.open.last() else { return };
        self.follows_end = false;
        if open.tag == Tag::Alternatives {
            // There is no text between the forms of one thing.
            return;
        }
        if open.context.is(ctx::MATH) {
            return self.math_text(text);
        }
        if let Some(frame) = self.frames.text() {
            frame.push(text);
        }
    }

    /// Text of MathML is that of its tokens; the TeX that said the same goes.
    fn math_text(&mut self, text: &str) {
        let context = self.open.last().map_or(Context::ROOT, |open| open.context);
        if !context.is(ctx::TOKEN) || context.is(ctx::ANNOTATION) {
            return;
        }
        let Some(frame) = self.frames.text() else { return };
        if let Some(formula) = self.formulas.last_mut().filter(|_| !text.trim().is_empty()) {
            formula.has_math = true;
            if let Some((from, to)) = formula.tex.take() {
                frame.remove(from, to);
            }
        }
        frame.push(text);
    }

    #[inline]
    pub fn reference(&mut self, name: &str) -> Result<()> {
        if !self.open.is_empty() {
            let text = self.resolve(name)?;
            self.text(&text);
        }
        Ok(())
    }

    /// The text of a reference; one that is not known stays as written.
    fn resolve(&mut self, name: &str) -> Result<Cow<'static, str>> {
        if name.starts_with('#') {
            if let Some(character) = entity::numeric(name) {
                return Ok(Cow::Owned(character.to_string()));
            }
        } else if let Some(text) = self.definitions.expand(name, &mut self.entity_budget)? {
            return Ok(Cow::Owned(text.into_owned()));
        } else if let Some(text) = entity::named(name) {
            return Ok(Cow::Borrowed(text));
        }
        Ok(Cow::Owned(format!("&{name};")))
    }

    /// The value of the attribute of this name, trimmed; none when it is absent or empty.
    ///
    /// Only `href` and `lang` are known by local name: HighWire puts its own `hwp:id` beside `id`.
    pub fn attribute<'e>(&mut self, element: Element<'e>, name: &str) -> Result<Option<Cow<'e, str>>> {
        let mut rest = element.attributes;
        while let Some((key, value, after)) = attribute(rest) {
            if is_called(key, name) {
                return self.value(value);
            }
            rest = after;
        }
        for attribute in Attributes::new(rest, 0).with_checks(false) {
            let attribute = attribute.map_err(|error| Error::new(Stage::Xml, Reason::Malformed, error.to_string()))?;
            if is_called(attribute.key.0, name) {
                return Ok(self.value(&attribute.value)?.map(|value| Cow::Owned(value.into_owned())));
            }
        }
        Ok(None)
    }

    /// An attribute's value without its references, trimmed; none when it is empty.
    fn value<'v>(&mut self, value: &'v str) -> Result<Option<Cow<'v, str>>> {
        let value = match entity::unescape(value, |name| self.resolve(name))? {
            Cow::Borrowed(value) => Cow::Borrowed(value.trim()),
            Cow::Owned(value) => Cow::Owned(value.trim().to_owned()),
        };
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    #[cold]
    pub fn ended_early(&self, offset: u64) -> Error {
        let error = if self.open.is_empty() && self.outer == 0 {
            Error::new(Stage::Xml, Reason::NoArticle, "no <article> element in the document")
        } else {
            let open = self.open.len() + self.outer;
            Error::new(Stage::Xml, Reason::Truncated, format!("the document ends with {open} elements open"))
        };
        error.at_offset(offset)
    }

    pub fn finish(self) -> Result<Article> {
        let figures = self.floats.figures(&self.mentions, self.limits.xml_bytes)?;
        Ok(Article {
            references: self.references,
            reference_ids: unique(self.reference_ids),
            text: self.body,
            figures,
            ..self.front.finish()
        })
    }
}

/// Whether an attribute of this key is what is meant by a name: by its local name where that is `href` or `lang`.
#[inline]
fn is_called(key: &str, name: &str) -> bool {
    let is_local = || key.rsplit_once(':').is_some_and(|(_, local)| local == name) && matches!(name, "href" | "lang");
    key == name || is_local()
}

/// Whether a block that stands in this context is one of the outermost of the body, a line of its own.
#[inline]
fn is_top(context: &Context) -> bool {
    !context.is(ctx::BLOCK)
}
