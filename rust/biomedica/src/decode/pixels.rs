//! Whole images to RGB, whatever their format: JPEG by `zune-jpeg`, the others by `image`.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder, ImageError};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::turn::Turn;
use super::{MAX_PIXELS, check_size, jpeg};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::Format;

/// A decoded image.
pub struct Picture {
    /// Red, green and blue of each pixel, row by row.
    pub rgb: Vec<u8>,
    /// Width and height as stored.
    pub size: [u32; 2],
    /// How it wants to be looked at.
    pub turn: Turn,
}

/// Decodes `bytes`, which begin as `format` does.
pub fn decode(bytes: &[u8], format: Format) -> Result<Picture> {
    let cursor = Cursor::new(bytes);
    match format {
        Format::Jpeg => jpeg(bytes),
        Format::Png => PngDecoder::new(cursor).and_then(read).map_err(|e| wrong(&e))?,
        Format::Gif => GifDecoder::new(cursor).and_then(read).map_err(|e| wrong(&e))?,
        Format::Tiff => TiffDecoder::new(cursor).and_then(read).map_err(|e| wrong(&e))?,
        Format::Webp => WebPDecoder::new(cursor).and_then(read).map_err(|e| wrong(&e))?,
        Format::Bmp => BmpDecoder::new(cursor).and_then(read).map_err(|e| wrong(&e))?,
    }
}

/// What `decoder` gives, its alpha dropped. The inner result is of what is refused here, the outer of what it cannot.
fn read(mut decoder: impl ImageDecoder) -> image::ImageResult<Result<Picture>> {
    let (width, height) = decoder.dimensions();
    if let Err(error) = check_size([width, height]) {
        return Ok(Err(error));
    }
    let mut limits = image::Limits::default();
    // Eight bytes a pixel are the widest colour; as much again for what a decoder needs itself.
    limits.max_alloc = Some(16 * MAX_PIXELS);
    decoder.set_limits(limits)?;
    // An orientation that cannot be read turns nothing.
    let orientation = decoder.orientation().map_or(1, image::metadata::Orientation::to_exif);
    let rgb = DynamicImage::from_decoder(decoder)?.into_rgb8().into_raw();
    Ok(Ok(Picture { rgb, size: [width, height], turn: Turn::from_exif(orientation.into()) }))
}

fn wrong(error: &ImageError) -> Error {
    let reason = match error {
        ImageError::Unsupported(_) => Reason::UnsupportedFormat,
        ImageError::Limits(_) => Reason::TooLarge,
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Reason::Truncated,
        _ => Reason::Corrupt,
    };
    Error::new(Stage::Image, reason, error.to_string())
}

fn jpeg(bytes: &[u8]) -> Result<Picture> {
    let header = jpeg::Header::read(bytes)?;
    let size = header.size();
    check_size(size)?;
    header.check_whole(bytes)?;
    let options = DecoderOptions::new_fast()
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let rgb = decoder.decode().map_err(|error| {
        let reason = match error {
            DecodeErrors::Unsupported(_) => Reason::UnsupportedFormat,
            DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => Reason::Truncated,
            _ => Reason::Corrupt,
        };
        Error::new(Stage::Image, reason, format!("JPEG: {error}"))
    })?;
    Ok(Picture { rgb, size, turn: header.turn() })
}
