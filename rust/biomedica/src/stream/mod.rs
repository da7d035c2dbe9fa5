//! Samples of shards in a seeded order that resumes at any place.
//!
//! A [`Catalog`] knows where each sample of its shards lies; a [`Recipe`] and a seed say in which order an epoch has them,
//! as a pure function; a [`Stream`] fetches them in that order with threads that read ahead. Its [`State`] is a few numbers.

mod catalog;
mod epochs;
mod fetch;
mod figures;
mod group;
pub mod index;
mod members;
mod objects;
mod options;
mod order;
mod plan;
mod random;
mod sample;
mod scan;
mod selection;
mod sequence;
mod shards;
mod turns;

pub use catalog::{Catalog, Opened, Opening, Shard};
pub use epochs::Stream;
pub use options::{Bad, Next, Options, State, Stats};
pub use order::{Deal, Recipe, Remainder};
pub use sample::Sample;
pub use selection::{Selection, Wanted};
pub use sequence::Cursor;
