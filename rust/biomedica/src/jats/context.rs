//! What an element is part of: handed down from each element to those in it.

use super::float::NONE;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { flags!(@ 0u32; $($(#[$doc])* $name),+); };
    (@ $bit:expr; $(#[$doc:meta])* $name:ident $(, $($rest:tt)+)?) => {
        $(#[$doc])*
        pub const $name: u32 = 1 << ($bit);
        $(flags!(@ $bit + 1; $($rest)+);)?
    };
}

flags! {
    /// The article's own `article-meta`.
    META,
    /// The article's own `journal-meta`.
    JOURNAL,
    /// A `sub-article` or `response`.
    SUB,
    /// A front matter, where only abstracts have figures.
    NO_FIGURES,
    /// An abstract of any kind.
    ABSTRACT,
    /// A formula.
    FORMULA,
    /// A formula or `alternatives`: MathML and TeX in it say the same.
    FORMULA_SCOPE,
    /// MathML.
    MATH,
    /// A token of MathML.
    TOKEN,
    /// An annotation of MathML.
    ANNOTATION,
    /// `article-title` of the article itself.
    TITLE,
    /// A group of contributors that says they are authors.
    AUTHORS,
    /// A contributor who counts as an author.
    CONTRIB,
    /// The name of a collaboration.
    COLLAB,
    /// `article-categories`.
    CATEGORIES,
    /// A `pub-date` of the article itself.
    PUB_DATE,
    /// The licence of the article itself.
    LICENSE,
    /// A reference outside sub-articles.
    REF,
    /// A block other than a section.
    BLOCK,
    /// A citation in a reference.
    CITATION,
}

/// What an element is part of.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Any of the flags of this module.
    pub flags: u32,
    /// The nearest node around, or [`NONE`].
    pub node: u32,
    /// The node whose caption this is, or [`NONE`].
    pub caption_of: u32,
    /// The sub-article, 0 for the article itself.
    pub scope: u32,
    /// The `alternatives` around, or [`NONE`].
    pub alternatives: u32,
}

impl Context {
    /// Of the root.
    pub const ROOT: Self = Self { flags: 0, node: NONE, caption_of: NONE, scope: 0, alternatives: NONE };

    /// Whether any of these flags is set.
    #[inline]
    pub fn is(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    /// In the article's own `article-meta`, outside its floats and abstracts.
    #[inline]
    pub fn is_plain_meta(&self) -> bool {
        self.is(META) && self.node == NONE
    }
}
