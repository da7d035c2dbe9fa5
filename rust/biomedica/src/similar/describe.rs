//! A descriptor of an image's colours and textures, made by hand: what clusters are made of where no model's weights are.
//!
//! The image becomes 128 by 128 pixels, and these five histograms. Each is brought to a sum of one, of which the square
//! roots are taken (Hellinger's distance, as Arandjelović and Zisserman, "Three things everyone should know to improve
//! object retrieval", 2012), and all five weigh the same; so a descriptor has length 1 (less without edges), and the product
//! of two is from 0 to 1.
//!
//! | numbers | of what |
//! |---|---|
//! | 0..32 | colours: 8 greys by lightness, then 12 hues, dark and light, by saturation |
//! | 32..64 | lightness: 8 steps in each quarter of the image |
//! | 64..104 | edges: 8 directions in each quarter, weighed by contrast (Dalal and Triggs 2005), then 8 steps of contrast |
//! | 104..184 | textures: rotation-invariant uniform local binary patterns (Ojala et al. 2002) at 1 and 3 pixels, 10 each in each quarter |
//! | 184..212 | frequencies: 7 octave-like bands of 8 by 8 cosine transforms in each quarter |

use std::f32::consts::PI;
use std::ops::Range;
use std::sync::LazyLock;

use super::{luma, squares};
use crate::decode::Decoder;
use crate::error::{Error, Result};

/// Numbers of a descriptor.
pub const LENGTH: usize = 212;

const SIDE: usize = 128;
const COLOURS: Range<usize> = 0..32;
const TONES: Range<usize> = 32..64;
const EDGES: Range<usize> = 64..104;
const PATTERNS: Range<usize> = 104..184;
const BANDS: Range<usize> = 184..212;

/// Directions of edges, steps of lightness and of contrast.
const STEPS: usize = 8;
const HUES: usize = 12;
/// Kinds of local patterns: up to eight neighbours in one run that are lighter, and all others.
const KINDS: usize = 10;
const RADII: [usize; 2] = [1, 3];
/// A neighbour is lighter when it is by more than grain, of 255.
const GRAIN: f32 = 4.0;
/// Contrasts below this, of 255 over two pixels, are no edges.
const EVEN: f32 = 4.0;
/// Waves in 8 by 8 pixels that are lower than half a step of 255 are none.
const SILENT: f32 = 16.0;

/// Describes encoded images, on as many threads as it is told.
pub struct Describer(Decoder);

impl Describer {
    /// A describer with `threads` workers.
    pub fn new(threads: usize) -> Result<Self> {
        #[allow(clippy::cast_possible_truncation)] // 128
        squares(SIDE as u32, threads).map(Self)
    }

    /// The descriptor of each image into its [`LENGTH`] numbers of `out`; zeros for those that cannot be decoded, whose
    /// places and errors it gives.
    pub fn describe<B: AsRef<[u8]> + Sync>(&self, images: &[B], out: &mut [f32]) -> Vec<(usize, Error)> {
        out.fill(0.0);
        self.0.each(images, out.chunks_exact_mut(LENGTH), describe)
    }
}

/// Describes 128 by 128 pixels in three planes from 0 to 1.
fn describe(pixels: &[f32], out: &mut [f32]) {
    let grey: Vec<f32> = luma(pixels).collect();
    colours(pixels, &mut out[COLOURS]);
    tones(&grey, &mut out[TONES]);
    edges(&grey, &mut out[EDGES]);
    patterns(&grey, &mut out[PATTERNS]);
    bands(&grey, &mut out[BANDS]);
    for part in [COLOURS, TONES, EDGES, PATTERNS, BANDS] {
        let part = &mut out[part];
        let sum: f32 = part.iter().sum();
        if sum > 0.0 {
            for value in part {
                *value = (*value / (5.0 * sum)).sqrt();
            }
        }
    }
}

/// The quarter of the image that a pixel lies in.
fn quarter(x: usize, y: usize) -> usize {
    2 * (2 * y / SIDE) + 2 * x / SIDE
}

/// Adds `weight` to the two of `steps` that `place` lies between; `is_round` when the last step is beside the first.
fn spread(steps: &mut [f32], place: f32, weight: f32, is_round: bool) {
    let count = steps.len();
    let low = place.floor();
    let upper = (place - low) * weight;
    #[allow(clippy::cast_possible_truncation)] // a few steps
    let low = low as isize;
    for (step, share) in [(low, weight - upper), (low + 1, upper)] {
        let step = if is_round { step.rem_euclid(count.cast_signed()) } else { step.clamp(0, count.cast_signed() - 1) };
        steps[step.unsigned_abs()] += share;
    }
}

#[allow(clippy::cast_precision_loss)] // a few steps
fn colours(pixels: &[f32], out: &mut [f32]) {
    let plane = SIDE * SIDE;
    let (greys, hues) = out.split_at_mut(STEPS);
    let (dark, light) = hues.split_at_mut(HUES);
    for at in 0..plane {
        let [r, g, b] = [0, 1, 2].map(|channel| pixels[channel * plane + at]);
        let (most, least) = (r.max(g).max(b), r.min(g).min(b));
        let range = most - least;
        // Grey to the eye as well when it is nearly black.
        let saturation = if most > 0.0 { range / most.max(0.25) } else { 0.0 };
        let colourful = (saturation * 3.0).min(1.0);
        spread(greys, most * STEPS as f32 - 0.5, 1.0 - colourful, false);
        if colourful > 0.0 {
            let sixth = if most <= r {
                (g - b) / range
            } else if most <= g {
                2.0 + (b - r) / range
            } else {
                4.0 + (r - g) / range
            };
            let hues = if most < 0.6 { &mut *dark } else { &mut *light };
            spread(hues, sixth * HUES as f32 / 6.0, colourful, true);
        }
    }
}

#[allow(clippy::cast_precision_loss)] // a few steps
fn tones(grey: &[f32], out: &mut [f32]) {
    for (y, row) in grey.chunks_exact(SIDE).enumerate() {
        for (x, luma) in row.iter().enumerate() {
            let steps = &mut out[STEPS * quarter(x, y)..][..STEPS];
            spread(steps, luma / 255.0 * STEPS as f32 - 0.5, 1.0, false);
        }
    }
}

#[allow(clippy::cast_precision_loss)] // a few steps
fn edges(grey: &[f32], out: &mut [f32]) {
    let (directions, contrasts) = out.split_at_mut(4 * STEPS);
    for y in 1..SIDE - 1 {
        for x in 1..SIDE - 1 {
            let at = SIDE * y + x;
            let (dx, dy) = (grey[at + 1] - grey[at - 1], grey[at + SIDE] - grey[at - SIDE]);
            let contrast = dx.hypot(dy);
            // Where nothing is, much is even: by logarithms, so that drawings and photographs differ by more than that.
            let step = (contrast / EVEN + 1.0).log2();
            spread(contrasts, step, 1.0 / (SIDE * SIDE) as f32, false);
            if contrast >= EVEN {
                // A direction is that of its opposite.
                let turn = dy.atan2(dx).rem_euclid(PI) / PI * STEPS as f32;
                spread(&mut directions[STEPS * quarter(x, y)..][..STEPS], turn, contrast, true);
            }
        }
    }
    // As much of directions as of contrasts, however much there is of either.
    let sum: f32 = directions.iter().sum();
    if sum > 0.0 {
        for value in directions {
            *value /= sum;
        }
    }
}

fn patterns(grey: &[f32], out: &mut [f32]) {
    let farthest = RADII[1];
    for y in farthest..SIDE - farthest {
        for x in farthest..SIDE - farthest {
            let at = SIDE * y + x;
            let centre = grey[at] + GRAIN;
            for (number, radius) in RADII.into_iter().enumerate() {
                let down = SIDE * radius;
                let around = [
                    at - down - radius,
                    at - down,
                    at - down + radius,
                    at + radius,
                    at + down + radius,
                    at + down,
                    at + down - radius,
                    at - radius,
                ];
                let lighter = around.iter().fold(0_u8, |bits, &at| bits << 1 | u8::from(grey[at] > centre));
                let changes = (lighter ^ lighter.rotate_left(1)).count_ones();
                let kind = if changes <= 2 { lighter.count_ones() as usize } else { KINDS - 1 };
                out[KINDS * (RADII.len() * quarter(x, y) + number) + kind] += 1.0;
            }
        }
    }
}

fn bands(grey: &[f32], out: &mut [f32]) {
    static WAVES: LazyLock<[[f32; 8]; 8]> = LazyLock::new(|| {
        let mut waves = [[0.0; 8]; 8];
        for (frequency, wave) in (0_u8..).zip(&mut waves) {
            for (pixel, value) in (0_u8..).zip(wave) {
                *value = (f32::from(2 * pixel + 1) * f32::from(frequency) * PI / 16.0).cos();
            }
        }
        waves
    });
    let waves = &*WAVES;
    for y in (0..SIDE).step_by(8) {
        for x in (0..SIDE).step_by(8) {
            let mut across = [[0.0_f32; 8]; 8];
            for (row, sums) in across.iter_mut().enumerate() {
                let pixels = &grey[SIDE * (y + row) + x..][..8];
                for (sum, wave) in sums.iter_mut().zip(waves) {
                    *sum = pixels.iter().zip(wave).map(|(pixel, wave)| pixel * wave).sum();
                }
            }
            let steps = &mut out[7 * quarter(x, y)..][..7];
            for (v, wave) in waves.iter().enumerate() {
                for u in 0..8 {
                    if u.max(v) > 0 {
                        let sum: f32 = across.iter().zip(wave).map(|(sums, wave)| sums[u] * wave).sum();
                        steps[u.max(v) - 1] += if sum.abs() < SILENT { 0.0 } else { sum.abs() };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(pixel: impl Fn(usize, usize) -> [f32; 3]) -> Vec<f32> {
        let mut pixels = vec![0.0; 3 * SIDE * SIDE];
        for y in 0..SIDE {
            for x in 0..SIDE {
                for (channel, value) in pixel(x, y).into_iter().enumerate() {
                    pixels[channel * SIDE * SIDE + SIDE * y + x] = value;
                }
            }
        }
        pixels
    }

    fn described(pixel: impl Fn(usize, usize) -> [f32; 3]) -> Vec<f32> {
        let mut out = vec![0.0; LENGTH];
        describe(&picture(pixel), &mut out);
        out
    }

    fn product(one: &[f32], other: &[f32]) -> f32 {
        one.iter().zip(other).map(|(one, other)| one * other).sum()
    }

    /// The step of a part that has most.
    fn most(part: &[f32]) -> usize {
        (0..part.len()).max_by(|&one, &other| part[one].total_cmp(&part[other])).unwrap_or(0)
    }

    #[test]
    fn a_descriptor_has_length_one() {
        let grain = |x: usize, y: usize| if (x * 7 + y * 13) % 11 < 4 { 0.9 } else { 0.2 };
        let described = described(|x, y| [grain(x, y), grain(y, x), 0.5]);
        assert!((product(&described, &described) - 1.0).abs() < 1e-4);
        assert!(described.iter().all(|value| value.is_finite() && *value >= 0.0));
    }

    #[test]
    fn colours_are_told_by_hue_and_greys_by_lightness() {
        let red = described(|_, _| [0.8, 0.0, 0.0]);
        assert_eq!(most(&red[COLOURS]), STEPS + HUES);
        let dark_green = described(|_, _| [0.0, 0.4, 0.0]);
        assert_eq!(most(&dark_green[COLOURS]), STEPS + 4);
        let white = described(|_, _| [1.0; 3]);
        assert_eq!(most(&white[COLOURS]), STEPS - 1);
        assert!(product(&red[COLOURS], &white[COLOURS]).abs() < 1e-6);
    }

    #[test]
    fn edges_are_told_by_direction_and_quarter() {
        let stripes = |at: usize| [if (at / 4).is_multiple_of(2) { 0.0 } else { 1.0 }; 3];
        // Upright stripes change across, lying ones down.
        assert_eq!(most(&described(|x, _| stripes(x))[EDGES][..STEPS]), 0);
        assert_eq!(most(&described(|_, y| stripes(y))[EDGES][..STEPS]), STEPS / 2);
        let corner = described(|x, y| if x > 64 && y > 64 { stripes(x) } else { [0.0; 3] });
        assert_eq!(most(&corner[EDGES][..4 * STEPS]) / STEPS, 3);
    }

    #[test]
    fn textures_and_frequencies_are_told_apart() {
        let fine = described(|x, y| [if (x + y) % 2 == 0 { 0.3 } else { 0.7 }; 3]);
        let wave = |at: usize| (f32::from(u8::try_from(at).unwrap_or(0)) / 12.0).sin();
        let coarse = described(|x, y| [0.5 + 0.2 * wave(x) * wave(y); 3]);
        assert_eq!(most(&fine[BANDS][..7]), 6);
        assert_eq!(most(&coarse[BANDS][..7]), 0);
        assert!(described(|_, _| [0.5; 3])[BANDS].iter().all(|&value| value == 0.0));
        assert!(product(&fine[PATTERNS], &coarse[PATTERNS]) < 0.15);
    }
}
