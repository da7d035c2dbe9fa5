//! Whole runs over hand-made chunks.

mod compact;
mod damage;
mod make;
mod remote;
mod runs;
mod shards;
mod tasks;
mod updates;
