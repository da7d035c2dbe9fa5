//! Encoded images to the pixels a model is fed with: `float32`, channels first, cropped, resized and normalised.
//!
//! Two roads lead to the same pixels. Ordinary JPEGs (`jpeg`) are decoded at a fraction of their size, straight from
//! their frequencies, and their colour planes are resized one by one; everything else is decoded whole (`pixels`).
//! Which part of an image becomes which pixels is decided once for both, in [`view`].
//!
//! What differs from `open_clip`'s own transform on purpose: an image is turned as its EXIF orientation says; 16-bit
//! grey is scaled rather than clipped; a JPEG whose data ends early is an error rather than an image with a grey end.

mod jpeg;
mod paint;
mod pixels;
mod turn;
mod view;

use std::sync::{Mutex, PoisonError};
use std::thread;

pub use view::{Fit, Options, View, view};

use crate::error::{Error, Reason, Result, Stage};
use crate::image::Format;

/// The most pixels that an image may say it has. An RGB image of this size takes 400 MB while it is decoded.
pub const MAX_PIXELS: u64 = 1 << 27;

/// What one image is decoded with and kept for the next, so that images cost no allocation.
#[derive(Default)]
struct Scratch {
    jpeg: jpeg::Scratch,
    paint: paint::Scratch,
    /// One image's output, where nobody else has room for it.
    pixels: Vec<f32>,
}

/// Decodes batches of images, on as many threads as it is told, always to the same pixels.
///
/// # Examples
///
/// ```
/// use biomedica::decode::{Decoder, Options};
///
/// let decoder = Decoder::new(Options { size: 2, train: false, ..Options::default() }, 1)?;
/// let mut out = vec![0.0; decoder.len()];
/// // One red pixel, as a BMP.
/// let bmp = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0\
///     \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\0";
/// assert!(decoder.decode_batch(&[bmp], &[0], &mut out)?.is_empty());
/// assert!(out[0] > 1.9 && out[4] < -1.7);
/// # Ok::<(), biomedica::error::Error>(())
/// ```
pub struct Decoder {
    options: Options,
    threads: usize,
    /// Buffers of workers that are not at work. Threads are started for each batch: that costs some ten microseconds
    /// of the milliseconds that an image takes, and lets them borrow what they work on.
    scratch: Mutex<Vec<Scratch>>,
}

impl Decoder {
    /// A decoder for `options` with `threads` workers (at least one).
    pub fn new(options: Options, threads: usize) -> Result<Self> {
        options.check()?;
        Ok(Self { options, threads: threads.max(1), scratch: Mutex::default() })
    }

    /// What it was made for.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The number of workers.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Numbers that one image becomes: three channels of `size` by `size`.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        3 * self.options.size as usize * self.options.size as usize
    }

    /// Decode each image into its slot of `out`; `seeds` decide the crops, one an image.
    ///
    /// Gives the places and errors of images that cannot be decoded, in their order; their slots are zero.
    /// It fails only when the lengths do not fit together.
    pub fn decode_batch<B: AsRef<[u8]> + Sync>(
        &self,
        images: &[B],
        seeds: &[u64],
        out: &mut [f32],
    ) -> Result<Vec<(usize, Error)>> {
        if seeds.len() != images.len() || images.len().checked_mul(self.len()) != Some(out.len()) {
            let detail = format!(
                "{} images need as many seeds and {} numbers each, there are {} seeds and {} numbers",
                images.len(),
                self.len(),
                seeds.len(),
                out.len()
            );
            return Err(Error::new(Stage::Image, Reason::Mismatch, detail));
        }
        let slots = seeds.iter().zip(out.chunks_exact_mut(self.len()));
        Ok(self.work(images, slots, |image, (&seed, slot), scratch| {
            self.decode(image, seed, slot, scratch).inspect_err(|_| slot.fill(0.0))
        }))
    }

    /// Decode each image and hand its pixels to `each`, on all threads, with what `slots` has for it.
    ///
    /// Gives the places and errors of images that cannot be decoded, in their order; their slots are not handed over.
    /// Every crop is that of seed 0.
    pub fn each<B: AsRef<[u8]> + Sync, S: Send>(
        &self,
        images: &[B],
        slots: impl Iterator<Item = S> + Send,
        each: impl Fn(&[f32], S) + Sync,
    ) -> Vec<(usize, Error)> {
        self.work(images, slots, |image, slot, scratch| {
            let mut pixels = std::mem::take(&mut scratch.pixels);
            pixels.resize(self.len(), 0.0);
            let decoded = self.decode(image, 0, &mut pixels, scratch);
            if decoded.is_ok() {
                each(&pixels, slot);
            }
            scratch.pixels = pixels;
            decoded
        })
    }

    /// Does `work` to each image and its slot, on all threads; gives what fails.
    fn work<B: AsRef<[u8]> + Sync, S: Send>(
        &self,
        images: &[B],
        slots: impl Iterator<Item = S> + Send,
        work: impl Fn(&[u8], S, &mut Scratch) -> Result<()> + Sync,
    ) -> Vec<(usize, Error)> {
        let (waiting, failed) = (Mutex::new(images.iter().zip(slots).enumerate()), Mutex::new(Vec::new()));
        let worker = || {
            let mut scratch = lock(&self.scratch).pop().unwrap_or_default();
            loop {
                let next = lock(&waiting).next();
                let Some((index, (image, slot))) = next else { break };
                if let Err(error) = work(image.as_ref(), slot, &mut scratch) {
                    lock(&failed).push((index, error));
                }
            }
            lock(&self.scratch).push(scratch);
        };
        thread::scope(|scope| {
            for _ in 1..self.threads.min(images.len()) {
                scope.spawn(worker);
            }
            worker();
        });
        let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.sort_unstable_by_key(|(index, _)| *index);
        failed
    }

    /// What of `bytes` becomes the output, if they are a JPEG as any decoder reads it: grey or of three colours of 8 bits,
    /// coded by Huffman, and there to its end. Others are better left to this one.
    pub fn jpeg_view(&self, bytes: &[u8], seed: u64) -> Option<View> {
        let is_jpeg = crate::image::sniff(bytes) == Some(Format::Jpeg);
        let header = is_jpeg.then(|| jpeg::Header::read(bytes).ok())?.filter(jpeg::Header::is_common)?;
        let size = header.size();
        check_size(size).and_then(|()| header.check_whole(bytes)).ok()?;
        Some(view(header.turn().size(size), seed, &self.options))
    }

    fn decode(&self, bytes: &[u8], seed: u64, out: &mut [f32], scratch: &mut Scratch) -> Result<()> {
        let format = sniff(bytes)?;
        if format == Format::Jpeg
            && jpeg::decode(bytes, seed, &self.options, out, &mut scratch.jpeg, &mut scratch.paint)?
        {
            return Ok(());
        }
        let picture = pixels::decode(bytes, format)?;
        let turn = picture.turn;
        let view = view(turn.size(picture.size), seed, &self.options);
        scratch.paint.rgb(&picture, &view, &self.options, out)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The format that the magic bytes tell; names and types given elsewhere are not asked.
fn sniff(bytes: &[u8]) -> Result<Format> {
    if bytes.is_empty() {
        return Err(Error::new(Stage::Image, Reason::Empty, "an image without a single byte"));
    }
    crate::image::sniff(bytes)
        .ok_or_else(|| Error::new(Stage::Image, Reason::UnsupportedFormat, "not a JPEG, PNG, GIF, TIFF, WebP or BMP"))
}

/// Holds what a header says to [`MAX_PIXELS`], before anything is allocated for it.
fn check_size(size: [u32; 2]) -> Result<()> {
    let [width, height] = size.map(u64::from);
    if width == 0 || height == 0 {
        return Err(Error::new(Stage::Image, Reason::Corrupt, "an image without pixels"));
    }
    if width * height > MAX_PIXELS {
        let detail = format!("{width}x{height} pixels, more than the limit of {MAX_PIXELS}");
        return Err(Error::new(Stage::Image, Reason::TooLarge, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
