//! Frequencies of a block to its samples, at any of eight sizes.
//!
//! A block of 8x8 becomes one of `n` by `n` by leaving out all but its `n` lowest frequencies each way, which is the
//! best small image of it that there is: no detail is lost that fits into the smaller one. Two products with a matrix
//! of cosines do it; most rows and columns of frequencies are zero and cost nothing.

use std::sync::LazyLock;

use super::huffman::{Block, NATURAL};

/// `[frequency][sample]`.
type Basis = [[f32; 8]; 8];

/// For each size less one.
static BASES: LazyLock<[Basis; 8]> = LazyLock::new(|| {
    let mut bases = [[[0.0; 8]; 8]; 8];
    for (size, basis) in (1_u8..).zip(&mut bases) {
        for (frequency, row) in (0_u8..size).zip(basis) {
            for (sample, value) in (0_u8..size).zip(row) {
                let angle =
                    f64::from(2 * sample + 1) * f64::from(frequency) * std::f64::consts::PI / f64::from(2 * size);
                #[allow(clippy::cast_possible_truncation)] // to the precision that is worked in
                let cosine = angle.cos() as f32;
                *value = if frequency == 0 { 0.125_f32.sqrt() } else { 0.5 * cosine };
            }
        }
    }
    bases
});

/// For each place in the zigzag, how many rows and columns hold all frequencies up to it.
static EXTENT: [[u8; 2]; 64] = {
    let mut extent = [[1; 2]; 64];
    let (mut at, mut rows, mut columns) = (0, 1, 1);
    while at < 64 {
        let (row, column) = (NATURAL[at] / 8 + 1, NATURAL[at] % 8 + 1);
        if row > rows {
            rows = row;
        }
        if column > columns {
            columns = column;
        }
        extent[at] = [rows, columns];
        at += 1;
    }
    extent
};

/// Makes samples of blocks.
#[derive(Clone, Copy)]
pub struct Transform(&'static [Basis; 8]);

impl Transform {
    pub fn new() -> Self {
        Self(&BASES)
    }

    /// Writes `block` as `size` by `size` samples to `out`, whose rows are `stride` apart, and makes it zero.
    /// `last` is the place in the zigzag of its last frequency.
    #[inline(always)]
    pub fn write(self, size: usize, block: &mut Block, last: usize, out: &mut [u8], stride: usize) {
        if last == 0 {
            let [sample] = samples([block[0] * 0.125 + 128.0]);
            for row in out.chunks_mut(stride).take(size) {
                if let Some(row) = row.get_mut(..size) {
                    row.fill(sample);
                }
            }
            block[0] = 0.0;
            return;
        }
        match size {
            2 => self.transform::<2, 4>(block, last, out, stride),
            3 => self.transform::<3, 4>(block, last, out, stride),
            4 => self.transform::<4, 4>(block, last, out, stride),
            5 => self.transform::<5, 8>(block, last, out, stride),
            6 => self.transform::<6, 8>(block, last, out, stride),
            7 => self.transform::<7, 8>(block, last, out, stride),
            _ => self.transform::<8, 8>(block, last, out, stride),
        }
        block[..64].fill(0.0);
    }

    /// `LANES` at a time, of which `SIZE` are wanted.
    #[inline(always)]
    fn transform<const SIZE: usize, const LANES: usize>(
        self,
        block: &Block,
        last: usize,
        out: &mut [u8],
        stride: usize,
    ) {
        let basis = &self.0[SIZE - 1];
        let [rows, columns] = EXTENT[last & 63].map(|extent| usize::from(extent).min(SIZE));
        let mut half = [[0.0_f32; LANES]; SIZE];
        for (half, block) in half.iter_mut().zip(block.chunks_exact(8)).take(rows) {
            for (&frequency, basis) in block.iter().zip(basis).take(columns) {
                for (sum, &wave) in half.iter_mut().zip(basis) {
                    *sum += frequency * wave;
                }
            }
        }
        for (y, out) in out.chunks_mut(stride).take(SIZE).enumerate() {
            let mut sums = [128.0_f32; LANES];
            for (half, basis) in half.iter().zip(basis).take(rows) {
                for (sum, &half) in sums.iter_mut().zip(half) {
                    *sum += half * basis[y];
                }
            }
            if let (Some(out), Some(row)) = (out.get_mut(..SIZE), samples(sums).get(..SIZE)) {
                out.copy_from_slice(row);
            }
        }
    }
}

/// Rounded to whole samples. A float between 2^23 and 2^24 has no fraction: adding 2^23 rounds, and leaves the number in
/// the lowest bits.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // the lowest eight bits are meant
fn samples<const N: usize>(values: [f32; N]) -> [u8; N] {
    values.map(|value| (value.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8)
}
