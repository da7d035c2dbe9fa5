//! What one JATS document says, before any file of its package is looked at.

use super::license::Evidence;
use crate::error::words;

/// The article of one JATS document, by the columns it will fill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Article {
    /// `PMC…`, or the DOI's slug; none when the document gives neither.
    pub accession: Option<String>,
    /// PubMed's number.
    pub pmid: Option<String>,
    /// The digital object identifier as written.
    pub doi: Option<String>,
    /// Title without notes and references.
    pub title: Option<String>,
    /// Full title of the journal.
    pub journal: Option<String>,
    /// ISO 8601 date with the precision given.
    pub date: Option<String>,
    /// The `article-type` attribute as written.
    pub article_type: Option<String>,
    /// The `xml:lang` attribute as written.
    pub language: Option<String>,
    /// `Given Surname Suffix` or the collaboration's name.
    pub authors: Vec<String>,
    /// The abstract in one line.
    pub abstract_text: Option<String>,
    /// Each keyword once.
    pub keywords: Vec<String>,
    /// Each subject once.
    pub subjects: Vec<String>,
    /// What the article may be used for.
    pub license: License,
    /// What that rests on, so that it can be judged again with what others say.
    pub evidence: Evidence,
    /// `Journal. Year;volume(issue):pages`.
    pub citation: Option<String>,
    /// The reference list, outside sub-articles.
    pub references: Vec<Reference>,
    /// PMIDs of the references, each once.
    pub reference_ids: Vec<String>,
    /// One paragraph a line, section titles on lines of their own.
    pub text: String,
    /// The article says that it was retracted.
    pub is_retracted: bool,
    /// Every figure in document order.
    pub figures: Vec<Figure>,
}

/// Licence of an article, with the evidence it rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct License {
    /// `CC0`, `CC BY`, …, `TDM`; none when nothing certain is said.
    pub code: Option<&'static str>,
    /// The first licence URL, as written.
    pub url: Option<String>,
    /// Text of `license`, else of `copyright-statement`.
    pub text: Option<String>,
    /// Pieces of evidence name different licences.
    pub conflict: bool,
    /// What the cloud bucket's metadata names by itself.
    pub in_metadata: Option<&'static str>,
    /// What the addresses name.
    pub in_urls: Option<&'static str>,
    /// What the text names.
    pub in_text: Option<&'static str>,
}

/// One entry of the reference list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// The `id` attribute of `ref`.
    pub id: Option<String>,
    /// Its PMID.
    pub pmid: Option<String>,
    /// Its DOI.
    pub doi: Option<String>,
    /// The citation in one line.
    pub citation: String,
}

/// One graphic of an article with what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figure {
    /// Names of the image to look for, the preferred one first; empty when no graphic has an href.
    pub hrefs: Vec<String>,
    /// The element's id, else the graphic's, else its group's.
    pub id: Option<String>,
    /// What the element is.
    pub kind: FigureKind,
    /// `Figure 1`, as written.
    pub label: Option<String>,
    /// Title, then paragraphs; the label's text when [`CaptionSource::Label`].
    pub caption: Option<String>,
    /// Where the caption stands.
    pub caption_source: CaptionSource,
    /// Caption of the enclosing group.
    pub group_caption: Option<String>,
    /// The paragraphs that mention the figure, in document order.
    pub context: Vec<String>,
    /// The panels that each of these names, `A, B`; empty where it names none.
    pub context_panels: Vec<String>,
    /// What the caption says of each panel, where it tells of at least two.
    pub panels: Vec<Panel>,
    /// The figure belongs to a `sub-article` or `response`.
    pub in_sub_article: bool,
}

/// One panel of a figure, by its caption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Panel {
    /// `A`, `b`, `Left panel`: as the caption has it.
    pub label: String,
    /// What the caption says of it and of all panels.
    pub text: String,
}

words! {
    /// What a figure is, by the element around its graphic.
    #[derive(Default)]
    FigureKind {
        /// `fig` and `fig-group`.
        Fig = "fig",
        /// `table-wrap` and `table-wrap-group`.
        Table = "table",
        /// `chem-struct-wrap`.
        Chem = "chem",
        /// `boxed-text`.
        Box = "box",
        /// The picture that stands for the article.
        GraphicalAbstract = "graphical-abstract",
        /// Everything else.
        #[default]
        Other = "other",
    }
}

words! {
    /// Where a figure's caption was found.
    #[derive(Default)]
    CaptionSource {
        /// At the graphic or its element.
        Own = "own",
        /// At a `fig-group` or `table-wrap-group`.
        Group = "group",
        /// At any other ancestor.
        Parent = "parent",
        /// No caption: the label stands in.
        Label = "label",
        /// Neither caption nor label.
        #[default]
        None = "none",
    }
}

words! {
    /// What an article's licence allows, as the shards are divided.
    #[derive(Default)]
    Subset {
        /// CC0, CC BY, CC BY-SA, CC BY-ND.
        Commercial = "commercial",
        /// The CC BY-NC family.
        Noncommercial = "noncommercial",
        /// Everything else.
        #[default]
        Other = "other",
    }
}

impl License {
    /// The subset that this licence belongs to.
    pub fn subset(&self) -> Subset {
        match self.code {
            Some("CC0" | "CC BY" | "CC BY-SA" | "CC BY-ND") => Subset::Commercial,
            Some("CC BY-NC" | "CC BY-NC-SA" | "CC BY-NC-ND") => Subset::Noncommercial,
            _ => Subset::Other,
        }
    }
}
