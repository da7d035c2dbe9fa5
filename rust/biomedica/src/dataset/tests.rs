//! Whole runs over hand-made chunks.

mod compact;
mod damage;
mod make;
mod remote;
mod retry;
mod runs;
mod shards;
mod tasks;
mod updates;
