//! Articles in JATS XML and its NLM predecessors.

mod article;
mod context;
pub mod date;
pub mod encoding;
mod enter;
pub mod entity;
mod float;
mod formula;
mod frame;
mod front;
pub mod license;
mod mention;
mod parse;
mod reader;
mod scan;
pub mod slug;
mod tag;
pub(crate) mod text;

pub use article::{Article, CaptionSource, Figure, FigureKind, License, Reference, Subset};
pub use float::last_segment;
pub(crate) use parse::malformed;
pub use parse::{parse, parse_with_quick_xml};
