//! What images look like: a hash that copies share ([`phash`]), which images are near others ([`find()`]), groups of them
//! ([`group()`]), hashes of an image's panels ([`panels`]), and a descriptor of colours and textures ([`describe`]).

pub mod describe;
mod find;
mod group;
pub mod panels;
pub mod phash;
mod search;

pub use find::{Found, find};
pub use group::{Groups, group};
pub use search::{MAX_THRESHOLD, Search};

use crate::decode::{Decoder, Fit, Options};
use crate::error::Result;

/// Decodes whole images to squares of `size` pixels, their sides squashed, with channels from 0 to 1.
///
/// Squashed, for a turned or mirrored image must give the turned or mirrored square.
fn squares(size: u32, threads: usize) -> Result<Decoder> {
    let (mean, std) = ([0.0; 3], [1.0; 3]);
    Decoder::new(
        Options { size, train: false, fit: Fit::Squash, bilinear: true, mean, std, ..Options::default() },
        threads,
    )
}

/// The luma (ITU-R BT.601) of pixels in three planes, from 0 to 255.
fn luma(pixels: &[f32]) -> impl Iterator<Item = f32> {
    let plane = pixels.len() / 3;
    let (red, rest) = pixels.split_at(plane);
    let (green, blue) = rest.split_at(plane);
    red.iter().zip(green).zip(blue).map(|((r, g), b)| 255.0 * (0.299 * r + 0.587 * g + 0.114 * b))
}
