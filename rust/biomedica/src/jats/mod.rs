//! Articles in JATS XML and its NLM predecessors.

mod article;
pub mod date;
pub mod encoding;
pub mod entity;
pub mod license;
pub mod slug;

pub use article::{Article, CaptionSource, Figure, FigureKind, License, Reference, Subset};
