//! Image files: what their headers say, without decoding them.

pub mod extension;
mod hash;
mod probe;

pub use hash::{hex, sha256};
pub use probe::{Probe, probe, sniff};

use crate::error::words;

words! {
    /// An image format known by its magic bytes.
    Format {
        /// JPEG.
        Jpeg = "jpeg",
        /// PNG.
        Png = "png",
        /// GIF.
        Gif = "gif",
        /// TIFF, also `BigTIFF`.
        Tiff = "tiff",
        /// WebP.
        Webp = "webp",
        /// Windows bitmap.
        Bmp = "bmp",
    }
}

impl Format {
    /// The file extension of this format, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Tiff => "tif",
            other => other.as_str(),
        }
    }
}
