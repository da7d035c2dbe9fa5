//! Shards, which are tars as `webdataset` reads them: a writer whose output depends on nothing but what goes in.

mod tar;

pub use tar::{BLOCK, Tar, header_bytes};
