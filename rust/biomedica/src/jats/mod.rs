//! Articles in JATS XML and its NLM predecessors.

mod article;

pub use article::{Article, CaptionSource, Figure, FigureKind, License, Reference, Subset};
