//! The dataset on disk: parts that appear whole or not at all, the same bytes from the same inputs and options.
//!
//! A [`Plan`] cuts the lazy list of packages into parts, and [`Units`] these into units of work; a pipeline reads the
//! units; and [`Writer`] takes what they give, in order, and publishes part after part. Or each part is a [`Task`] for
//! whoever makes it, and the writer adopts what was made. What is done already is left out, so that a run that was
//! killed goes on where it was.

mod changes;
mod chunks;
mod compact;
mod copy;
pub(crate) mod file;
mod lock;
mod manifest;
mod options;
mod part;
mod place;
mod plan;
mod retry;
mod root;
mod rows;
mod samples;
mod shards;
mod store;
mod table;
mod task;
mod tombstone;
mod update;
mod verify;
mod write;

pub use changes::Changes;
pub use compact::{Compacted, compact};
pub use lock::Lock;
pub(crate) use manifest::DATASET;
pub use manifest::{Counts, DatasetRecord, FileRecord, PartEntry, PartRecord, SubsetCounts};
pub use options::{FORMAT, Options};
pub use place::Place;
pub use plan::{PartPlan, Plan, Units, Walked};
pub use retry::{Retried, retry};
pub use root::Root;
pub use task::{Task, write_part};
pub(crate) use tombstone::Tombstones;
pub use verify::{Problem, Report, verify};
pub use write::{Item, Missing, PartEvent, Progress, Summary, Writer, extract};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
