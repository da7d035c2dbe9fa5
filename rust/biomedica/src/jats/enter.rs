//! What the beginning of each element means.

use std::borrow::Cow;

use super::article::Reference;
use super::context as ctx;
use super::date::PubDate;
use super::float::{Graphic, NONE, Node, last_segment, marks_thumbnail};
use super::formula::Formula;
use super::frame::Role;
use super::front::{Field, PubId, abstract_rank};
use super::markup::Markup;
use super::reader::{Open, Reader, ends};
use super::scan::Element;
use super::tag::Tag;
use crate::error::Result;
use crate::image::extension;

impl Reader<'_> {
    /// Reads the beginning of an element that has a meaning.
    pub(super) fn enter(&mut self, parent: &Open, open: &mut Open, element: Element<'_>) -> Result<()> {
        match open.tag {
            Tag::P => {
                let context = &open.context;
                let place = self.mentions.begin(context.node, context.caption_of, context.scope);
                let is_of_caption = context.caption_of != NONE;
                self.frame(open, Role::Paragraph(place));
                if is_of_caption {
                    self.marks.begin_block(self.frames.depth(), 0);
                }
            }
            Tag::Title if open.context.caption_of != NONE => {
                // The space before the title is not there yet.
                let at = self.frames.len();
                self.marks.begin_block(self.frames.depth(), if at == 0 { 0 } else { at + 1 });
            }
            Tag::Bold if open.context.caption_of != NONE => self.enter_bold(open),
            Tag::Xref => self.enter_xref(open, element)?,
            Tag::Label if parent.ends & ends::NODE != 0 => self.frame(open, Role::Label(open.context.node)),
            Tag::Label if parent.tag == Tag::Ref => self.frame(open, Role::Muted),
            Tag::Label if parent.tag == Tag::Sec && matches!(self.frames.role(), Role::Body) => {
                self.frame(open, Role::Muted);
            }
            Tag::Title if parent.tag == Tag::Abstract => self.frame(open, Role::Muted),
            Tag::Caption if parent.ends & ends::NODE != 0 => {
                open.context.caption_of = open.context.node;
                self.frame(open, Role::Caption(open.context.node));
            }
            Tag::Graphic | Tag::Media => self.enter_graphic(parent, open, element)?,
            tag if tag.is_figure_element() => self.enter_float(open, element)?,
            Tag::Fn | Tag::AltText | Tag::LongDesc | Tag::ObjectId | Tag::Attrib | Tag::Permissions => {
                self.frame(open, Role::Muted);
            }
            Tag::DispFormula | Tag::InlineFormula => {
                open.context.flags |= ctx::FORMULA;
                self.formula(open);
            }
            Tag::Alternatives => {
                self.alternatives += 1;
                open.context.alternatives = self.alternatives;
                if !open.context.is(ctx::FORMULA_SCOPE) {
                    self.formula(open);
                }
            }
            Tag::Math => open.context.flags |= ctx::MATH,
            Tag::MathToken if open.context.is(ctx::MATH) => open.context.flags |= ctx::TOKEN,
            Tag::Annotation if open.context.is(ctx::MATH) => open.context.flags |= ctx::ANNOTATION,
            Tag::TexMath => self.frame(open, Role::Tex),
            Tag::Ref | Tag::Citation | Tag::PubId => {
                self.enter_reference(parent, open, element)?;
            }
            Tag::Abstract | Tag::TransAbstract => self.enter_abstract(parent, open, element)?,
            Tag::SubArticle | Tag::Response => {
                self.scopes += 1;
                open.context = ctx::Context { flags: ctx::SUB, scope: self.scopes, ..ctx::Context::ROOT };
                self.frame(open, Role::Muted);
            }
            Tag::Front | Tag::FrontStub => open.context.flags |= ctx::NO_FIGURES,
            Tag::Body if parent.tag == Tag::Article => self.frame(open, Role::Body),
            Tag::FloatsGroup => self.frame(open, Role::Muted),
            Tag::ArticleMeta if !open.context.is(ctx::SUB) && parent.tag == Tag::Front => {
                open.context.flags |= ctx::META;
            }
            Tag::JournalMeta if !open.context.is(ctx::SUB) && parent.tag == Tag::Front => {
                open.context.flags |= ctx::JOURNAL;
            }
            Tag::JournalTitle if open.context.is(ctx::JOURNAL) => self.field(open, Field::JournalTitle),
            Tag::AbbrevJournalTitle if open.context.is(ctx::JOURNAL) => self.field(open, Field::JournalAbbreviation),
            Tag::JournalId if open.context.is(ctx::JOURNAL) => self.enter_journal_id(open, element)?,
            _ if open.context.is(ctx::META) => self.enter_meta(parent, open, element)?,
            _ => {}
        }
        Ok(())
    }

    fn frame(&mut self, open: &mut Open, role: Role) {
        self.frames.open(role);
        open.ends |= ends::FRAME;
    }

    fn field(&mut self, open: &mut Open, field: Field) {
        self.frame(open, Role::Field(field));
    }

    fn formula(&mut self, open: &mut Open) {
        open.context.flags |= ctx::FORMULA_SCOPE;
        self.formulas.push(Formula::default());
        open.ends |= ends::FORMULA;
    }

    fn enter_bold(&mut self, open: &mut Open) {
        open.number = self.marks.begin_bold(self.frames.depth(), self.frames.len());
        open.ends |= ends::BOLD;
    }

    fn enter_xref(&mut self, open: &mut Open, element: Element<'_>) -> Result<()> {
        if open.context.is(ctx::TITLE | ctx::COLLAB) {
            self.frame(open, Role::Muted);
        } else if matches!(self.frames.role(), Role::Paragraph(_))
            && let Some(rids) = self.attribute(element, "rid")?
        {
            open.number = self.mentions.begin_xref(&rids, self.frames.len());
            open.ends |= ends::XREF;
        }
        Ok(())
    }

    fn node(&mut self, open: &mut Open, id: Option<String>, is_graphical: bool) {
        let number = u32::try_from(self.floats.nodes.len()).unwrap_or(NONE);
        let context = &mut open.context;
        self.floats.nodes.push(Node {
            tag: open.tag,
            parent: context.node,
            scope: context.scope,
            id,
            label: None,
            caption: None,
            markup: Markup::default(),
            is_graphical,
        });
        context.node = number;
        context.caption_of = NONE;
        context.alternatives = NONE;
        open.ends |= ends::NODE;
    }

    fn enter_float(&mut self, open: &mut Open, element: Element<'_>) -> Result<()> {
        let id = self.attribute(element, "id")?.map(Cow::into_owned);
        let is_graphical = self.says_graphical(element, &["fig-type", "content-type"])?;
        self.node(open, id, is_graphical);
        self.frame(open, Role::Muted);
        Ok(())
    }

    fn says_graphical(&mut self, element: Element<'_>, names: &[&str]) -> Result<bool> {
        for name in names {
            if let Some(value) = self.attribute(element, name)?
                && value.to_ascii_lowercase().contains("graphical")
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn enter_graphic(&mut self, parent: &Open, open: &mut Open, element: Element<'_>) -> Result<()> {
        let id = self.attribute(element, "id")?.map(Cow::into_owned);
        let href = self.attribute(element, "href")?.map(Cow::into_owned);
        let is_image = match self.attribute(element, "mimetype")? {
            _ if open.tag == Tag::Graphic => true,
            Some(mimetype) => mimetype.to_ascii_lowercase().starts_with("image"),
            None => href.as_deref().is_some_and(|href| extension::split(&last_segment(href)).1.is_some()),
        };
        let alternatives = open.context.alternatives;
        let is_figure = is_image
            && !open.context.is(ctx::FORMULA)
            && (!open.context.is(ctx::NO_FIGURES) || open.context.is(ctx::ABSTRACT));
        let is_graphical = self.says_graphical(element, &["content-type"])?;
        self.node(open, id, is_graphical);
        self.frame(open, Role::Muted);
        if is_figure {
            let mut is_thumbnail = href.as_deref().is_some_and(marks_thumbnail);
            for name in ["specific-use", "content-type"] {
                is_thumbnail |= self.attribute(element, name)?.is_some_and(|value| marks_thumbnail(&value));
            }
            let alternatives = if parent.tag == Tag::Alternatives { alternatives } else { NONE };
            self.floats.graphics.push(Graphic { node: open.context.node, href, is_thumbnail, alternatives });
        }
        Ok(())
    }

    fn enter_reference(&mut self, parent: &Open, open: &mut Open, element: Element<'_>) -> Result<()> {
        match open.tag {
            Tag::Ref if open.context.is(ctx::SUB | ctx::REF) => {}
            Tag::Ref => {
                let id = self.attribute(element, "id")?.map(Cow::into_owned);
                self.references.push(Reference { id, ..Reference::default() });
                open.context.flags |= ctx::REF;
                self.frame(open, Role::Reference);
            }
            Tag::PubId if open.context.is(ctx::REF) => {
                let kind = self.attribute(element, "pub-id-type")?;
                self.field(open, Field::PubId(PubId::of(kind.as_deref())));
            }
            // Of the forms that `citation-alternatives` gives, the first is enough.
            Tag::Citation if parent.tag == Tag::CitationAlternatives && self.frames.len() > 0 => {
                self.frame(open, Role::Muted);
            }
            Tag::Citation if open.context.is(ctx::REF) => {
                self.frames.part(false);
                open.context.flags |= ctx::CITATION;
            }
            _ => {}
        }
        Ok(())
    }

    fn enter_abstract(&mut self, parent: &Open, open: &mut Open, element: Element<'_>) -> Result<()> {
        let kind = self.attribute(element, "abstract-type")?;
        let content = self.attribute(element, "content-type")?;
        let is_graphical = [&kind, &content].into_iter().flatten().any(|kind| {
            let kind = kind.to_ascii_lowercase();
            let is_toc = kind.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == "toc");
            is_toc || kind.contains("graphical") || kind.contains("visual")
        });
        let is_own = open.tag == Tag::Abstract && open.context.is(ctx::META) && parent.tag == Tag::ArticleMeta;
        let rank = if is_own { abstract_rank(kind.as_deref()) } else { None };
        open.context.flags |= ctx::ABSTRACT;
        open.tag = Tag::Abstract;
        let id = self.attribute(element, "id")?.map(Cow::into_owned);
        self.node(open, id, is_graphical);
        self.frame(open, Role::Abstract { node: open.context.node, rank });
        Ok(())
    }

    fn enter_meta(&mut self, parent: &Open, open: &mut Open, element: Element<'_>) -> Result<()> {
        let is_direct = parent.tag == Tag::ArticleMeta;
        let field = match open.tag {
            Tag::ArticleId if is_direct => {
                Field::ArticleId(self.attribute(element, "pub-id-type")?.unwrap_or_default().into_owned())
            }
            Tag::ArticleTitle if parent.tag == Tag::TitleGroup => {
                open.context.flags |= ctx::TITLE;
                Field::Title
            }
            Tag::Subtitle if open.context.is(ctx::TITLE) => {
                self.frame(open, Role::Muted);
                return Ok(());
            }
            Tag::ArticleCategories => {
                open.context.flags |= ctx::CATEGORIES;
                return Ok(());
            }
            Tag::Subject if open.context.is(ctx::CATEGORIES) => Field::Subject,
            Tag::KeywordGroup => {
                let kind = self.attribute(element, "kwd-group-type")?.unwrap_or_default();
                self.front.begin_keywords(&kind);
                return Ok(());
            }
            Tag::Title if parent.tag == Tag::KeywordGroup => Field::KeywordTitle,
            Tag::Keyword => Field::Keyword,
            Tag::RelatedArticle => {
                let kind = self.attribute(element, "related-article-type")?;
                self.front.is_retracted |= kind.as_deref() == Some("retraction-forward");
                return Ok(());
            }
            Tag::Volume if is_direct => Field::Volume,
            Tag::Issue if is_direct => Field::Issue,
            Tag::Fpage if is_direct => Field::Fpage,
            Tag::Lpage if is_direct => Field::Lpage,
            Tag::ElocationId if is_direct => Field::ElocationId,
            Tag::PubDate if is_direct => return self.enter_date(open, element),
            Tag::Year if open.context.is(ctx::PUB_DATE) => Field::Year,
            Tag::Month if open.context.is(ctx::PUB_DATE) => Field::Month,
            Tag::Day if open.context.is(ctx::PUB_DATE) => Field::Day,
            Tag::License | Tag::LicenseRef | Tag::CopyrightStatement => {
                return self.enter_license(open, element);
            }
            _ => return self.enter_contrib(open, element),
        };
        self.field(open, field);
        Ok(())
    }

    fn enter_journal_id(&mut self, open: &mut Open, element: Element<'_>) -> Result<()> {
        // Old PLOS articles have no title but NLM's abbreviation of it.
        if self.attribute(element, "journal-id-type")?.as_deref() == Some("nlm-ta") {
            self.field(open, Field::JournalAbbreviation);
        }
        Ok(())
    }

    fn enter_date(&mut self, open: &mut Open, element: Element<'_>) -> Result<()> {
        let date = PubDate {
            pub_type: self.attribute(element, "pub-type")?.map(Cow::into_owned),
            date_type: self.attribute(element, "date-type")?.map(Cow::into_owned),
            publication_format: self.attribute(element, "publication-format")?.map(Cow::into_owned),
            iso: self.attribute(element, "iso-8601-date")?.map(Cow::into_owned),
            ..PubDate::default()
        };
        self.front.dates.push(date);
        open.context.flags |= ctx::PUB_DATE;
        Ok(())
    }

    fn enter_license(&mut self, open: &mut Open, element: Element<'_>) -> Result<()> {
        if !open.context.is_plain_meta() {
            return Ok(());
        }
        match open.tag {
            Tag::LicenseRef => {
                let kind = self.attribute(element, "content-type")?.map(Cow::into_owned);
                self.field(open, Field::LicenseRef(kind));
            }
            Tag::CopyrightStatement => self.field(open, Field::Copyright),
            Tag::License => {
                let href = self.attribute(element, "href")?;
                self.front.evidence.hrefs.extend(href.map(Cow::into_owned));
                open.context.flags |= ctx::LICENSE;
                self.field(open, Field::License);
            }
            _ => {}
        }
        Ok(())
    }

    fn enter_contrib(&mut self, open: &mut Open, element: Element<'_>) -> Result<()> {
        if open.context.is(ctx::COLLAB) {
            if matches!(open.tag, Tag::ContribGroup | Tag::Aff) {
                self.frame(open, Role::Muted);
            }
            return Ok(());
        }
        if open.tag == Tag::ContribGroup {
            let kind = self.attribute(element, "content-type")?.unwrap_or_default();
            if kind.to_ascii_lowercase().starts_with("author") {
                open.context.flags |= ctx::AUTHORS;
            }
            return Ok(());
        }
        if open.tag == Tag::Contrib {
            let kind = self.attribute(element, "contrib-type")?;
            let is_person = kind.as_deref() == Some("person") && open.context.is(ctx::AUTHORS);
            if is_person || kind.is_none_or(|kind| kind.eq_ignore_ascii_case("author")) {
                open.context.flags |= ctx::CONTRIB;
                open.ends |= ends::CONTRIB;
            }
            return Ok(());
        }
        if !open.context.is(ctx::CONTRIB) {
            return Ok(());
        }
        match open.tag {
            Tag::Surname => self.field(open, Field::Surname),
            Tag::GivenNames => self.field(open, Field::GivenNames),
            Tag::Suffix => self.field(open, Field::Suffix),
            Tag::StringName | Tag::Anonymous => self.field(open, Field::StringName),
            Tag::Collab => {
                open.context.flags |= ctx::COLLAB;
                self.field(open, Field::Collab);
            }
            _ => {}
        }
        Ok(())
    }
}
