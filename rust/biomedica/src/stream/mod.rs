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
mod order;
mod plan;
mod random;
mod sample;
mod scan;
mod turns;

pub use catalog::{Catalog, Opened, Opening, Selection, Shard};
pub use epochs::{Bad, Next, Options, State, Stats, Stream};
pub use order::{Deal, Recipe, Remainder};
pub use sample::Sample;
