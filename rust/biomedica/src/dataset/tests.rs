//! Whole runs over hand-made chunks.

mod damage;
mod make;
mod runs;
mod shards;
