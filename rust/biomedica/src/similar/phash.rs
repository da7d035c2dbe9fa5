//! A perceptual hash of 64 bits: the signs of an image's lowest frequencies.
//!
//! The image becomes 32 by 32 grey pixels, whatever its sides are, and these a discrete cosine transform, of which the
//! 8 by 8 lowest frequencies count. That is pHash's way (Zauner, "Implementation and benchmarking of perceptual image
//! hash functions", 2010) but for the bits: a bit is the sign of its frequency rather than which side of their median it
//! is on. So the hashes of an image that is mirrored or turned follow from its own: mirroring negates the odd
//! frequencies of one direction, swapping the axes swaps the bits. One hash is kept, eight are compared.
//!
//! Bit `8 * v + u` is of the frequency with `u` half waves across and `v` down. Bit 0 would be the mean and is never set.

use std::sync::LazyLock;

use super::{luma, squares};
use crate::decode::Decoder;
use crate::error::{Error, Result};

/// Pixels a side that are transformed.
pub(super) const SIDE: usize = 32;
/// Frequencies each way that are kept.
const KEPT: usize = 8;
/// How much a frequency must weigh to be more than noise, as a coefficient of the orthonormal transform of 0 to 255.
/// What quality 30 of JPEG adds is half of it.
const AUDIBLE: i64 = 2;
/// Fewer of the 63 frequencies than this say too little: blank pages and bare stripes would all be alike.
const LEAST: usize = 12;
/// The bits that mirroring left to right turns over, those of odd frequencies across; and top to bottom.
const ACROSS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const DOWN: u64 = 0xff00_ff00_ff00_ff00;
/// Cosines are whole numbers, so that the sums of an image and those of its mirror are the same to the bit.
const ONE: f64 = 4096.0;

/// `[frequency][pixel]`.
static COSINES: LazyLock<[[i32; SIDE]; KEPT]> = LazyLock::new(|| {
    let mut cosines = [[0; SIDE]; KEPT];
    for (frequency, row) in (0_u32..).zip(&mut cosines) {
        for (pixel, cosine) in (0_u32..).zip(row) {
            let angle = f64::from((2 * pixel + 1) * frequency) * std::f64::consts::PI / 64.0;
            #[allow(clippy::cast_possible_truncation)] // at most 4096
            let whole = (angle.cos() * ONE).round() as i32;
            *cosine = whole;
        }
    }
    cosines
});

/// The hash of 32 by 32 grey pixels, row by row; none when they are too even to have one.
pub fn of_grey(grey: &[u8; SIDE * SIDE]) -> Option<u64> {
    let cosines = &*COSINES;
    let mut across = [[0_i32; KEPT]; SIDE];
    for (sums, row) in across.iter_mut().zip(grey.chunks_exact(SIDE)) {
        for (sum, wave) in sums.iter_mut().zip(cosines) {
            *sum = row.iter().zip(wave).map(|(&pixel, &cosine)| i32::from(pixel) * cosine).sum();
        }
    }
    let (mut hash, mut heard) = (0, 0);
    for (v, wave) in cosines.iter().enumerate() {
        for u in 0..KEPT {
            let sum: i64 = across.iter().zip(wave).map(|(sums, &cosine)| i64::from(sums[u]) * i64::from(cosine)).sum();
            if (u, v) == (0, 0) {
                continue;
            }
            hash |= u64::from(sum > 0) << (KEPT * v + u);
            // The norm of a wave of 32 pixels is 4; that of frequency 0, which is even, is taken as the same.
            heard += usize::from(sum.abs() >= AUDIBLE << 28);
        }
    }
    (heard >= LEAST && hash != 0).then_some(hash)
}

/// The hashes of the image as it is, mirrored, and turned: all that its own hash says. The first is `hash` itself.
///
/// # Examples
///
/// ```
/// let [own, mirrored, ..] = biomedica::similar::phash::variants(0b0110);
/// assert_eq!((own, mirrored & 0xf), (0b0110, 0b1100));
/// ```
pub fn variants(hash: u64) -> [u64; 8] {
    let swapped = transposed(hash);
    let both = ACROSS ^ DOWN;
    [hash, hash ^ ACROSS, hash ^ DOWN, hash ^ both, swapped, swapped ^ ACROSS, swapped ^ DOWN, swapped ^ both]
}

/// In how many bits two hashes differ at least, whichever way their images are turned or mirrored.
pub fn distance(one: u64, other: u64) -> u32 {
    variants(one).into_iter().map(|one| (one ^ other).count_ones()).min().unwrap_or(0)
}

/// Swaps rows and columns of 8 by 8 bits (Warren, "Hacker's Delight", 7-3).
fn transposed(mut bits: u64) -> u64 {
    for (shift, mask) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)] {
        let moved = (bits ^ bits >> shift) & mask;
        bits ^= moved ^ moved << shift;
    }
    bits
}

/// Hashes encoded images, on as many threads as it is told.
pub struct Hasher(Decoder);

impl Hasher {
    /// A hasher with `threads` workers.
    pub fn new(threads: usize) -> Result<Self> {
        #[allow(clippy::cast_possible_truncation)] // 32
        squares(SIDE as u32, threads).map(Self)
    }

    /// The hash of each image into its place in `out`, 0 where it has none; gives the places and errors of images that
    /// cannot be decoded.
    pub fn hash<B: AsRef<[u8]> + Sync>(&self, images: &[B], out: &mut [u64]) -> Vec<(usize, Error)> {
        out.fill(0);
        self.0.each(images, out.iter_mut(), |pixels, slot| {
            let mut grey = [0; SIDE * SIDE];
            for (grey, luma) in grey.iter_mut().zip(luma(pixels)) {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 255
                let whole = luma.round() as u8;
                *grey = whole;
            }
            *slot = of_grey(&grey).unwrap_or(0);
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Grey = [u8; SIDE * SIDE];

    fn turned(grey: &Grey, from: impl Fn(usize, usize) -> (usize, usize)) -> Grey {
        std::array::from_fn(|at| {
            let (x, y) = from(at % SIDE, at / SIDE);
            grey[SIDE * y + x]
        })
    }

    fn noise() -> impl Strategy<Value = Grey> {
        prop::collection::vec(any::<u8>(), SIDE * SIDE).prop_map(|pixels| std::array::from_fn(|at| pixels[at]))
    }

    proptest! {
        #[test]
        fn the_variants_are_the_hashes_of_turned_and_mirrored_pixels(grey in noise()) {
            const LAST: usize = SIDE - 1;
            let ways: [Grey; 8] = [
                grey,
                turned(&grey, |x, y| (LAST - x, y)),
                turned(&grey, |x, y| (x, LAST - y)),
                turned(&grey, |x, y| (LAST - x, LAST - y)),
                turned(&grey, |x, y| (y, x)),
                // Mirrored after the axes are swapped.
                turned(&grey, |x, y| (y, LAST - x)),
                turned(&grey, |x, y| (LAST - y, x)),
                turned(&grey, |x, y| (LAST - y, LAST - x)),
            ];
            let hash = of_grey(&grey);
            prop_assume!(hash.is_some());
            let hash = hash.unwrap_or_default();
            let expected = ways.map(|way| of_grey(&way).unwrap_or_default());
            prop_assert_eq!(variants(hash), expected);
            for way in expected {
                prop_assert_eq!(distance(hash, way), 0);
            }
        }

        #[test]
        fn distances_are_symmetric(one in any::<u64>(), other in any::<u64>()) {
            let (one, other) = (one & !1, other & !1);
            prop_assert_eq!(distance(one, other), distance(other, one));
            prop_assert_eq!(transposed(transposed(one)), one);
        }
    }

    #[test]
    fn even_images_have_no_hash() {
        assert_eq!(of_grey(&[255; SIDE * SIDE]), None);
        let stripes = std::array::from_fn(|at| if at / SIDE % 8 < 4 { 255 } else { 0 });
        assert_eq!(of_grey(&stripes), None);
        let grain = std::array::from_fn(|at| if at % 7 == 0 { 129 } else { 128 });
        assert_eq!(of_grey(&grain), None);
    }
}
