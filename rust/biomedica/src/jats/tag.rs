//! The element names that mean something to the reader, looked up by local name.

macro_rules! tags {
    ($($variant:ident = $($name:literal)|+,)+) => {
        /// An element by its local name; names of NLM 2.x stand for their successors.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Tag { $($variant,)+ Other }

        const NAMES: &[(&str, Tag)] = &[$($(($name, Tag::$variant),)+)+];
    };
}

tags! {
    Abstract = "abstract",
    Aff = "aff",
    Alternatives = "alternatives",
    AltText = "alt-text",
    Annotation = "annotation" | "annotation-xml",
    Anonymous = "anonymous",
    Article = "article",
    ArticleCategories = "article-categories",
    ArticleId = "article-id",
    ArticleMeta = "article-meta",
    ArticleTitle = "article-title",
    Attrib = "attrib",
    Back = "back",
    Body = "body",
    Bold = "bold",
    BoxedText = "boxed-text",
    Break = "break",
    Caption = "caption",
    ChemStructWrap = "chem-struct-wrap" | "chem-struct-wrapper",
    Citation = "mixed-citation" | "element-citation" | "citation" | "nlm-citation",
    CitationAlternatives = "citation-alternatives",
    Code = "code",
    Collab = "collab",
    Contrib = "contrib",
    ContribGroup = "contrib-group",
    CopyrightStatement = "copyright-statement",
    Day = "day",
    Def = "def",
    DefItem = "def-item",
    DefList = "def-list",
    DispFormula = "disp-formula",
    DispQuote = "disp-quote",
    ElocationId = "elocation-id",
    Fig = "fig",
    FigGroup = "fig-group",
    FloatsGroup = "floats-group" | "floats-wrap",
    Fn = "fn",
    Formatting = "italic" | "sub" | "sup" | "sc" | "underline" | "monospace" | "overline" | "roman" | "sans-serif"
        | "strike" | "styled-content" | "named-content",
    Fpage = "fpage",
    Front = "front",
    FrontStub = "front-stub",
    GivenNames = "given-names",
    Graphic = "graphic",
    Hr = "hr",
    InlineFormula = "inline-formula",
    AbbrevJournalTitle = "abbrev-journal-title",
    JournalId = "journal-id",
    JournalMeta = "journal-meta",
    JournalTitle = "journal-title",
    Keyword = "kwd",
    KeywordGroup = "kwd-group",
    Label = "label",
    License = "license",
    LicenseP = "license-p",
    LicenseRef = "license_ref",
    List = "list",
    ListItem = "list-item",
    LongDesc = "long-desc",
    Lpage = "lpage",
    Math = "math",
    MathToken = "mi" | "mn" | "mo" | "mtext" | "ms",
    Media = "media",
    Month = "month",
    ObjectId = "object-id",
    P = "p",
    Permissions = "permissions",
    Preformat = "preformat",
    PubDate = "pub-date",
    PubId = "pub-id",
    Ref = "ref",
    RelatedArticle = "related-article",
    Response = "response",
    Sec = "sec",
    Speech = "speech",
    Statement = "statement",
    StringName = "string-name",
    SubArticle = "sub-article",
    Subject = "subject",
    Subtitle = "subtitle",
    Suffix = "suffix",
    SupplementaryMaterial = "supplementary-material",
    Surname = "surname",
    Table = "table",
    TableWrap = "table-wrap",
    TableWrapGroup = "table-wrap-group",
    Td = "td",
    Term = "term",
    TexMath = "tex-math",
    Th = "th",
    Title = "title",
    TitleGroup = "title-group",
    Tr = "tr",
    TransAbstract = "trans-abstract",
    VerseLine = "verse-line",
    Volume = "volume",
    Issue = "issue",
    Xref = "xref",
    Year = "year",
}

/// Open addressing over a fixed table: one multiplication and nearly always one comparison a lookup.
const SLOTS: usize = 1024;
const TABLE: [u8; SLOTS] = table();
const FREE: u8 = u8::MAX;

#[allow(clippy::cast_possible_truncation)] // of a length, which only mixes
const fn hash(name: &[u8]) -> usize {
    let len = name.len();
    let key = (len as u32) ^ (name[0] as u32) << 6 ^ (name[len - 1] as u32) << 12 ^ (name[len / 2] as u32) << 18;
    (key.wrapping_mul(0x9E37_79B1) >> 22) as usize
}

const fn table() -> [u8; SLOTS] {
    let mut table = [FREE; SLOTS];
    let mut index = 0;
    while index < NAMES.len() {
        let mut slot = hash(NAMES[index].0.as_bytes());
        while table[slot] != FREE {
            slot = (slot + 1) % SLOTS;
        }
        #[allow(clippy::cast_possible_truncation)] // fewer than 255 names
        {
            table[slot] = index as u8;
        }
        index += 1;
    }
    table
}

impl Tag {
    /// The tag of an element name, its prefix left aside.
    #[inline]
    pub fn of(name: &str) -> Self {
        let name = name.as_bytes();
        let local = match memchr::memchr(b':', name) {
            Some(colon) => name.get(colon + 1..).unwrap_or_default(),
            None => name,
        };
        if local.is_empty() {
            return Self::Other;
        }
        let mut slot = hash(local);
        loop {
            let Some((known, tag)) = NAMES.get(usize::from(TABLE[slot])) else { return Self::Other };
            if known.as_bytes() == local {
                return *tag;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// Elements whose text is parted from the text around them by a space.
    #[inline]
    pub fn is_block(self) -> bool {
        use Tag::{
            Break, Caption, Code, Def, DefItem, DefList, DispFormula, DispQuote, Hr, Label, LicenseP, List, ListItem,
            P, Preformat, Sec, Speech, Statement, Table, Td, Term, Th, Title, Tr, VerseLine,
        };
        matches!(
            self,
            P | Title
                | Label
                | List
                | ListItem
                | DefList
                | DefItem
                | Term
                | Def
                | DispFormula
                | DispQuote
                | Statement
                | Speech
                | VerseLine
                | Preformat
                | Code
                | Table
                | Tr
                | Td
                | Th
                | Sec
                | Caption
                | Break
                | Hr
                | LicenseP
        )
    }

    /// Elements that can be what a graphic belongs to.
    #[inline]
    pub fn is_figure_element(self) -> bool {
        matches!(
            self,
            Self::Fig | Self::TableWrap | Self::ChemStructWrap | Self::BoxedText | Self::SupplementaryMaterial
        ) || self.is_group()
    }

    /// Elements that hold several figures.
    #[inline]
    pub fn is_group(self) -> bool {
        matches!(self, Self::FigGroup | Self::TableWrapGroup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_with_and_without_a_prefix() {
        for (name, tag) in NAMES {
            assert_eq!(Tag::of(name), *tag, "{name}");
            assert_eq!(Tag::of(&format!("x:{name}")), *tag, "{name}");
        }
    }

    #[test]
    fn other_names_are_other() {
        for name in ["", ":", "x:", "source", "P", "figs", "é", "article-metadata"] {
            assert_eq!(Tag::of(name), Tag::Other, "{name}");
        }
    }
}
