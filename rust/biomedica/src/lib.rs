//! Read biomedical articles and write image-caption datasets.
//!
//! The modules form a stair; each knows only those before it:
//! [`error`] and [`limits`], [`image`] and [`jats`] and [`shard`], [`package`] and [`source`], [`article`],
//! [`tables`], [`pipeline`], [`dataset`].

pub mod article;
pub mod dataset;
pub mod error;
pub mod image;
pub mod jats;
pub mod limits;
pub mod package;
pub mod pipeline;
pub mod shard;
pub mod source;
pub mod tables;
