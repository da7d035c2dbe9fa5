//! Decoded pixels, whole or in planes, to the output: resized, turned, converted to RGB and normalised.
//!
//! Only what is left after resizing is turned and converted, which is a fraction of what was decoded.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // places within images, which are bounded

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::pixels::Picture;
use super::turn::{Rect, Turn};
use super::view::{Options, View};
use crate::error::{Error, Reason, Result, Stage};

/// Pixels beside the window that a filter may look at where the image is blown up, and one more.
const REACH: u32 = 3;

/// What painting one image leaves for the next.
#[derive(Default)]
pub struct Scratch {
    resizer: Resizer,
    /// Resized, in one piece or in planes.
    resized: [Vec<u8>; 3],
    /// One row of the output, a channel each.
    rows: [Vec<u8>; 3],
}

/// A plane of one colour, and which part of it is seen.
pub struct Plane<'a> {
    pub samples: &'a [u8],
    /// Width and height of `samples`.
    pub size: [u32; 2],
    /// How much of that is of the image; blocks reach over its edges.
    pub valid: [u32; 2],
    /// What is resized, in samples of this plane.
    pub window: Rect,
}

/// What three channels mean; a single one is grey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Rgb,
    YCbCr,
}

impl Scratch {
    /// Paints a picture that was decoded whole.
    pub fn rgb(&mut self, picture: &Picture, view: &View, options: &Options, out: &mut [f32]) -> Result<()> {
        let size = picture.size.map(f64::from);
        let turn = picture.turn;
        let window = turn.stored(view.window, turn.size(size));
        let target = turn.size([view.place[2], view.place[3]]);
        let plane = Plane { samples: &picture.rgb, size: picture.size, valid: picture.size, window };
        resize::<U8x3>(&mut self.resizer, &plane, view.looks_around, target, options, &mut self.resized[0])?;
        let [all, ..] = &self.resized;
        let channels = [0, 1, 2].map(|channel| all.get(channel..).unwrap_or_default());
        finish(channels, 3, Colour::Rgb, target, turn, view, options, &mut self.rows, out);
        Ok(())
    }

    /// Paints one plane (grey) or three.
    pub fn planes(
        &mut self,
        planes: &[Plane<'_>],
        colour: Colour,
        turn: Turn,
        view: &View,
        options: &Options,
        out: &mut [f32],
    ) -> Result<()> {
        let target = turn.size([view.place[2], view.place[3]]);
        for (plane, resized) in planes.iter().zip(&mut self.resized) {
            resize::<U8>(&mut self.resizer, plane, view.looks_around, target, options, resized)?;
        }
        let [first, second, third] = &self.resized;
        let (channels, colour) = match planes.len() {
            1 => ([&first[..], first, first], Colour::Rgb),
            _ => ([&first[..], second, third], colour),
        };
        finish(channels, 1, colour, target, turn, view, options, &mut self.rows, out);
        Ok(())
    }
}

/// Resizes the window of `plane` to `target`.
fn resize<P: PixelTrait>(
    resizer: &mut Resizer,
    plane: &Plane<'_>,
    looks_around: bool,
    target: [u32; 2],
    options: &Options,
    pixels: &mut Vec<u8>,
) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Stage::Image, Reason::Internal, format!("an image cannot be resized: {error}"))
    };
    pixels.resize(target[0] as usize * target[1] as usize * size_of::<P>(), 0);
    let [width, height] = plane.size;
    let source = TypedImageRef::<P>::from_buffer(width, height, plane.samples).map_err(|error| failed(&error))?;
    let mut result = TypedImage::<P>::from_buffer(target[0], target[1], pixels).map_err(|error| failed(&error))?;
    let clip = |start: f64, len: f64, whole: u32| {
        let end = (start + len).min(f64::from(whole));
        let start = start.max(0.0);
        // What is seen in whole pixels, at least one.
        let (first, last) = if looks_around { (0, whole) } else { (start.floor() as u32, end.ceil() as u32) };
        let first = first.min(whole - 1);
        let start = start - f64::from(first);
        let count = last.clamp(first + 1, whole) - first;
        (first, count, start, (end - f64::from(first) - start).min(f64::from(count) - start))
    };
    let (left, columns, x, wide) = clip(plane.window.left, plane.window.width, plane.valid[0]);
    let (top, rows, y, high) = clip(plane.window.top, plane.window.height, plane.valid[1]);
    let filter = if options.bilinear { FilterType::Bilinear } else { FilterType::CatmullRom };
    let crop =
        |x, y, wide, high| ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).crop(x, y, wide, high);
    if wide >= f64::from(target[0]) {
        let seen = TypedCroppedImage::from_ref(&source, left, top, columns, rows).map_err(|error| failed(&error))?;
        return resizer.resize_typed(&seen, &mut result, &crop(x, y, wide, high)).map_err(|error| failed(&error));
    }
    // `fast_image_resize` 6.1 keeps between its two passes what the first and the last column of the output look at. Of columns
    // that are blown up others may look farther to the left or right, as weights of zero are left out at the ends: so rows and
    // columns apart, in its order, of the columns that are looked at.
    let before = (x.floor() as u32).saturating_sub(REACH);
    let after = ((x + wide).ceil() as u32).saturating_add(REACH).min(columns);
    let seen = TypedCroppedImage::from_ref(&source, left + before, top, after - before, rows);
    let seen = seen.map_err(|error| failed(&error))?;
    let (count, x) = (after - before, x - f64::from(before));
    let mut upright = TypedImage::<P>::new(count, target[1]);
    let whole = crop(0.0, y, f64::from(count), high);
    resizer.resize_typed(&seen, &mut upright, &whole).map_err(|error| failed(&error))?;
    let across = crop(x, 0.0, wide, f64::from(target[1]));
    resizer.resize_typed(&upright, &mut result, &across).map_err(|error| failed(&error))
}

/// Turns, converts and normalises `channels`, whose pixels are `stride` bytes apart.
#[allow(clippy::too_many_arguments)]
fn finish(
    channels: [&[u8]; 3],
    stride: usize,
    colour: Colour,
    target: [u32; 2],
    turn: Turn,
    view: &View,
    options: &Options,
    rows: &mut [Vec<u8>; 3],
    out: &mut [f32],
) {
    let size = options.size as usize;
    let turn = Turn { flip_x: turn.flip_x ^ view.flip, ..turn };
    let scale = options.std.map(|std| 1.0 / (255.0 * std));
    let shift = [0, 1, 2].map(|channel| -options.mean[channel] / options.std[channel]);
    let (red, rest) = out.split_at_mut(size * size);
    let (green, blue) = rest.split_at_mut(size * size);
    let [left, top, width, height] = view.place.map(|side| side as usize);
    let mut planes = [red, green, blue];
    if [width, height] != [size, size] {
        for (plane, black) in planes.iter_mut().zip(shift) {
            plane.fill(black);
        }
    }
    for y in 0..height {
        let (start, step) = turn.row(y, target.map(|side| side as usize));
        let at = (top + y) * size + left;
        let [r, g, b] = &mut planes;
        let out = [&mut r[at..at + width], &mut g[at..at + width], &mut b[at..at + width]];
        if step == 1 && stride == 1 {
            convert(channels.map(|samples| &samples[start..start + width]), colour, scale, shift, out);
            continue;
        }
        for (row, samples) in rows.iter_mut().zip(channels) {
            row.clear();
            row.extend((0..width).map(|x| samples[start.wrapping_add_signed(step * x.cast_signed()) * stride]));
        }
        let [first, second, third] = &*rows;
        convert([first, second, third], colour, scale, shift, out);
    }
}

/// One row of three channels to normalised RGB.
fn convert(row: [&[u8]; 3], colour: Colour, scale: [f32; 3], shift: [f32; 3], out: [&mut [f32]; 3]) {
    if colour == Colour::Rgb {
        for (channel, (samples, out)) in row.into_iter().zip(out).enumerate() {
            for (out, &sample) in out.iter_mut().zip(samples) {
                *out = f32::from(sample) * scale[channel] + shift[channel];
            }
        }
        return;
    }
    let [luma, blue, red] = row;
    let [out_red, out_green, out_blue] = out;
    let samples = luma.iter().zip(blue).zip(red);
    let out = out_red.iter_mut().zip(out_green).zip(out_blue);
    for (((&y, &cb), &cr), ((r, g), b)) in samples.zip(out) {
        let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
        let rgb = [y + 1.402 * cr, y - 0.344_136_3 * cb - 0.714_136_3 * cr, y + 1.772 * cb];
        let [new_r, new_g, new_b] = rgb.map(|value| value.clamp(0.0, 255.0));
        *r = new_r * scale[0] + shift[0];
        *g = new_g * scale[1] + shift[1];
        *b = new_b * scale[2] + shift[2];
    }
}
