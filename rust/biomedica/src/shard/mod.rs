//! WebDataset tars: a writer whose output depends on nothing but what goes in.

mod tar;

pub use tar::{BLOCK, Tar};
