#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss, clippy::float_cmp)]

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage};
use proptest::prelude::*;

use super::*;

fn options(size: u32, train: bool) -> Options {
    Options { size, train, mean: [0.0; 3], std: [1.0; 3], ..Options::default() }
}

/// Hills of colour.
fn hills(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |period: f64, phase: f64| {
            let value = (f64::from(x) / period + phase).sin() + (f64::from(y) / (period * 1.3) - phase).cos();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let sample = (128.0 + 60.0 * value) as u8;
            sample
        };
        Rgb([wave(17.0, 0.0), wave(23.0, 1.0), wave(31.0, 2.0)])
    })
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    if format == ImageFormat::Jpeg {
        JpegEncoder::new_with_quality(&mut bytes, 92).encode_image(image).unwrap();
    } else {
        image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    }
    bytes
}

fn decoded(bytes: &[u8], options: &Options) -> Result<Vec<f32>> {
    let decoder = Decoder::new(options.clone(), 1)?;
    let mut out = vec![f32::NAN; decoder.len()];
    match decoder.decode_batch(&[bytes], &[7], &mut out)?.pop() {
        Some((_, error)) => {
            assert!(out.iter().all(|&value| value == 0.0));
            Err(error)
        }
        None => Ok(out),
    }
}

/// What the other road makes of a JPEG.
fn whole(bytes: &[u8], options: &Options) -> Vec<f32> {
    let picture = pixels::decode(bytes, Format::Jpeg).unwrap();
    let view = view(picture.turn.size(picture.size), 7, options);
    let mut out = vec![0.0; 3 * (options.size * options.size) as usize];
    Scratch::default().paint.rgb(&picture, &view, options, &mut out).unwrap();
    out
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32 * 255.0
}

/// `bytes` with an EXIF segment that says `orientation`.
fn turned(bytes: &[u8], orientation: u8) -> Vec<u8> {
    let mut segment = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    segment.extend([orientation, 0, 0, 0, 0, 0, 0]);
    [&bytes[..2], &segment, &bytes[2..]].concat()
}

#[test]
fn both_roads_agree_at_every_size_of_block() {
    let (colour, grey) = (DynamicImage::from(hills(333, 250)), DynamicImage::from(hills(333, 250)).into_luma8());
    for image in [colour, grey.into()] {
        let bytes = encoded(&image, ImageFormat::Jpeg);
        // From blocks of one sample to blocks that are blown up.
        for size in [20, 32, 48, 64, 90, 120, 150, 180, 224, 300] {
            for train in [true, false] {
                let options = options(size, train);
                let difference = difference(&decoded(&bytes, &options).unwrap(), &whole(&bytes, &options));
                assert!(difference < 1.0, "{size} {train}: {difference}");
            }
        }
    }
}

#[test]
fn an_orientation_is_applied_by_both_roads() {
    let image = hills(120, 80);
    let bytes = encoded(&image.clone().into(), ImageFormat::Jpeg);
    let options = Options { fit: Fit::Squash, ..options(40, false) };
    for orientation in 1..=8 {
        let mut upright = DynamicImage::from(image.clone());
        upright.apply_orientation(image::metadata::Orientation::from_exif(orientation).unwrap());
        let expected = decoded(&encoded(&upright, ImageFormat::Png), &options).unwrap();
        let bytes = turned(&bytes, orientation);
        assert!(difference(&decoded(&bytes, &options).unwrap(), &expected) < 1.5, "{orientation}");
        assert!(difference(&whole(&bytes, &options), &expected) < 1.5, "{orientation}");
    }
}

#[test]
fn formats_without_loss_give_the_same_pixels() {
    let image = DynamicImage::from(hills(90, 70));
    let expected = decoded(&encoded(&image, ImageFormat::Png), &options(64, true)).unwrap();
    for format in [ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        assert_eq!(decoded(&encoded(&image, format), &options(64, true)).unwrap(), expected, "{format:?}");
    }
}

#[test]
fn wide_images_that_are_blown_up_have_pixels_everywhere() {
    for (width, height) in (8..60).flat_map(|width| [(width, 8), (width, 5), (width, 23)]) {
        let image = encoded(&hills(width, height).into(), ImageFormat::Png);
        for options in [options(24, false), Options { bilinear: true, ..options(24, false) }] {
            let out = decoded(&image, &options).unwrap();
            assert!(out.iter().all(|value| (0.0..=1.0).contains(value)), "{width}x{height}");
        }
    }
}

#[test]
fn a_single_pixel_fills_the_output() {
    let image = DynamicImage::from(RgbImage::from_pixel(1, 1, Rgb([255, 0, 51])));
    for format in [ImageFormat::Png, ImageFormat::Gif, ImageFormat::Jpeg] {
        for train in [true, false] {
            let out = decoded(&encoded(&image, format), &options(3, train)).unwrap();
            for (channel, expected) in out.chunks(9).zip([1.0, 0.0, 0.2]) {
                assert!(channel.iter().all(|value| (value - expected).abs() < 0.03), "{format:?} {channel:?}");
            }
        }
    }
}

#[test]
fn what_longest_leaves_is_black() {
    let image = DynamicImage::from(RgbImage::from_pixel(40, 10, Rgb([255; 3])));
    let options = Options { fit: Fit::Longest, ..options(8, false) };
    let out = decoded(&encoded(&image, ImageFormat::Png), &options).unwrap();
    let rows: Vec<f32> = out.chunks(8).take(8).map(|row| row[0]).collect();
    assert_eq!(rows, [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_flip_mirrors() {
    let bytes = encoded(&hills(64, 64).into(), ImageFormat::Jpeg);
    let plain = Options { scale: [1.0, 1.0], ratio: [1.0, 1.0], ..options(32, true) };
    let flipping = Options { flip: true, ..plain.clone() };
    let decoder = Decoder::new(flipping, 1).unwrap();
    let expected = decoded(&bytes, &plain).unwrap();
    let mirrored: Vec<f32> = expected.chunks(32).flat_map(|row| row.iter().rev()).copied().collect();
    let mut seen = [false; 2];
    for seed in 0..20 {
        let mut out = vec![0.0; decoder.len()];
        assert!(decoder.decode_batch(&[&bytes], &[seed], &mut out).unwrap().is_empty());
        seen[usize::from(out == mirrored)] = true;
        assert!(out == mirrored || out == expected);
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn a_jpeg_that_ends_early_is_truncated() {
    let bytes = encoded(&hills(160, 120).into(), ImageFormat::Jpeg);
    for len in [bytes.len() / 2, bytes.len() - 40, 700, 300, 20] {
        let error = decoded(&bytes[..len], &options(32, true)).unwrap_err();
        assert_eq!(error.reason(), Reason::Truncated, "{len}: {error}");
    }
    // Only the marker at the end is missing.
    decoded(&bytes[..bytes.len() - 2], &options(32, true)).unwrap();
}

#[test]
fn a_size_beyond_the_limit_is_refused_before_anything_is_allocated() {
    let mut bytes = encoded(&GrayImage::new(8, 8).into(), ImageFormat::Jpeg);
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].fill(0xff);
    assert_eq!(decoded(&bytes, &options(32, true)).unwrap_err().reason(), Reason::TooLarge);
    // Within the limit, but far more than its few bytes can hold.
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x20, 0, 0x20, 0]);
    assert_eq!(decoded(&bytes, &options(32, true)).unwrap_err().reason(), Reason::Truncated);
    let mut png = encoded(&GrayImage::new(8, 8).into(), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    assert!(decoded(&png, &options(32, true)).is_err());
}

#[test]
fn bytes_that_are_no_image_say_so() {
    assert_eq!(decoded(b"", &options(32, true)).unwrap_err().reason(), Reason::Empty);
    assert_eq!(decoded(b"<html>", &options(32, true)).unwrap_err().reason(), Reason::UnsupportedFormat);
}

#[test]
fn one_bad_image_leaves_the_others_alone_on_any_number_of_threads() {
    let good = encoded(&hills(80, 60).into(), ImageFormat::Jpeg);
    let images: Vec<&[u8]> = (0..20).map(|index| if index % 7 == 3 { &good[..99] } else { &good[..] }).collect();
    let seeds: Vec<u64> = (0..20).collect();
    let batch = |threads| {
        let decoder = Decoder::new(options(16, true), threads).unwrap();
        let mut out = vec![0.5; 20 * decoder.len()];
        let failed = decoder.decode_batch(&images, &seeds, &mut out).unwrap();
        assert_eq!(failed.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [3, 10, 17]);
        // A second batch meets the buffers of the first.
        let mut again = vec![0.5; 20 * decoder.len()];
        decoder.decode_batch(&images, &seeds, &mut again).unwrap();
        assert_eq!(out, again);
        out
    };
    assert_eq!(batch(1), batch(3));
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let decoder = Decoder::new(options(16, true), 1).unwrap();
    assert!(decoder.decode_batch(&[b"x"], &[1, 2], &mut vec![0.0; decoder.len()]).is_err());
    assert!(decoder.decode_batch(&[b"x"], &[1], &mut [0.0; 5]).is_err());
}

fn some_image() -> impl Strategy<Value = Vec<u8>> {
    let formats =
        [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Bmp];
    (1_u32..60, 1_u32..60, proptest::sample::select(formats.to_vec()))
        .prop_map(|(width, height, format)| encoded(&hills(width, height).into(), format))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_give_pixels_or_an_error(bytes: Vec<u8>, format in 0..6_usize) {
        let magic: [&[u8]; 6] = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II\x2a\0", b"RIFF\0\0\0\0WEBP", b"BM"];
        let _ = decoded(&[magic[format], &bytes].concat(), &options(16, true));
    }

    #[test]
    fn a_damaged_image_gives_finite_pixels_or_an_error(
        image in some_image(),
        damage: Vec<(prop::sample::Index, u8)>,
        end: Option<prop::sample::Index>,
        train: bool,
    ) {
        let mut image = image;
        for (index, byte) in damage.iter().take(8) {
            let at = index.index(image.len());
            image[at] = *byte;
        }
        image.truncate(end.map_or(image.len(), |end| end.index(image.len())));
        if let Ok(out) = decoded(&image, &options(24, train)) {
            prop_assert!(out.iter().all(|value| (0.0..=1.0).contains(value)));
        }
    }
}
