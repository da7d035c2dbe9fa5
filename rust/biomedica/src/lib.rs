//! Read biomedical articles and write image-caption datasets.
//!
//! The modules form a stair; each knows only those before it:
//! [`error`] and [`limits`], [`resample`] and [`text_hash`], [`store`], [`image`] and [`jats`] and [`entrez`] and [`shard`] and [`decode`],
//! [`similar`], [`package`] and [`source`], [`article`], [`tables`], [`pipeline`], [`dataset`], [`stream`].

pub mod article;
pub mod dataset;
pub mod decode;
pub mod entrez;
pub mod error;
pub mod image;
pub mod jats;
pub mod limits;
pub mod package;
pub mod pipeline;
mod random;
pub mod resample;
pub mod shard;
pub mod similar;
pub mod source;
pub mod store;
pub mod stream;
pub mod tables;
pub mod text_hash;
