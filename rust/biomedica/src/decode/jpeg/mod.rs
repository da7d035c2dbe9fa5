//! Ordinary JPEGs to planes of the size that is needed.
//!
//! Ordinary is: sequential, Huffman-coded, 8 bits, grey or three colours in one scan. All others are `zune-jpeg`'s.
//! Each colour is decoded at the smallest of eight sizes that leaves [`MARGIN`] over the output; colours that are stored
//! at half the size are not blown up first. Blocks that are not seen are read but not transformed, rows after the last
//! one that is seen are not read at all.

// What is compiled for wider registers is only what is inlined there; and the bits must stay in registers.
#![allow(clippy::inline_always)]

mod header;
mod huffman;
mod idct;
mod scan;

pub use header::Header;
use header::Model;
pub use scan::Scratch;

use super::check_size;
use super::paint::{self, Colour, Plane};
use super::turn::Rect;
use super::view::{Options, view};
use crate::error::Result;

/// How much larger than the output a plane is decoded, at least. The interpolation that brings it to its size needs
/// some detail to choose from: with none, edges would be as sharp as the frequencies that were left, and ring.
const MARGIN: f64 = 1.25;

/// The same for blocks of fewer than four samples a side, which are hardly more than means: thin lines show it.
const SMALL_MARGIN: f64 = 1.75;

/// The first marker of a sequential frame, baseline; the next is the same with more tables.
const SEQUENTIAL: std::ops::RangeInclusive<u8> = 0xc0..=0xc1;

/// How one colour is decoded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Component {
    /// Samples a side that a block becomes.
    pub size: u32,
    /// Blocks beside and above each other in a unit of the scan.
    pub sampling: [u32; 2],
    /// Columns and rows of blocks that are kept: first and count.
    pub columns: [u32; 2],
    pub rows: [u32; 2],
}

/// Decodes an ordinary JPEG. Gives false, having done nothing, for those that are not.
pub fn decode(
    bytes: &[u8],
    seed: u64,
    options: &Options,
    out: &mut [f32],
    scratch: &mut Scratch,
    paint: &mut paint::Scratch,
) -> Result<bool> {
    let header = Header::read(bytes)?;
    let size = header.size();
    check_size(size)?;
    let (Some(colour), true) = (colour(&header), is_ordinary(&header)) else { return Ok(false) };
    let turn = header.turn();
    let view = view(turn.size(size), seed, options);
    let window = turn.stored(view.window, turn.size(size).map(f64::from));
    let target = turn.size([view.place[2], view.place[3]]).map(f64::from);

    let sampled = sampling(&header);
    let most = [0, 1].map(|axis| sampled.iter().map(|sampling| sampling[axis]).max().unwrap_or(1));
    let mut components = [Component::default(); 3];
    let mut windows = [window; 3];
    let mut valid = [[0; 2]; 3];
    for index in 0..header.count {
        let sampling = sampled[index];
        let share = [0, 1].map(|axis| f64::from(sampling[axis]) / f64::from(most[axis]));
        let block = block_size([window.width * share[0], window.height * share[1]], target);
        let scale = share.map(|share| share * f64::from(block) / 8.0);
        let around = if view.looks_around { reach(&window, target) } else { [0.0; 2] };
        let [columns, rows] = [0, 1].map(|axis| {
            let (start, length) = [(window.left, window.width), (window.top, window.height)][axis];
            let blocks = f64::from(size[axis]) * share[axis] / 8.0;
            range(
                (start - around[axis]) * share[axis] / 8.0,
                (start + length + around[axis]) * share[axis] / 8.0,
                blocks,
            )
        });
        components[index] = Component { size: block, sampling, columns, rows };
        windows[index] = Rect {
            left: window.left * scale[0] - f64::from(columns[0] * block),
            top: window.top * scale[1] - f64::from(rows[0] * block),
            width: window.width * scale[0],
            height: window.height * scale[1],
        };
        valid[index] = [0, 1].map(|axis| {
            let [first, count] = [columns, rows][axis];
            (up(f64::from(size[axis]) * scale[axis]) - first * block).min(count * block)
        });
    }
    let components = &components[..header.count];
    let Some(planes) = scan::decode(bytes, &header, components, most, scratch)? else { return Ok(false) };
    let planes: [Plane<'_>; 3] = std::array::from_fn(|index| {
        let component = components.get(index).copied().unwrap_or_default();
        let size = [component.columns[1] * component.size, component.rows[1] * component.size];
        Plane { samples: &planes[index], size, valid: valid[index], window: windows[index] }
    });
    paint.planes(&planes[..header.count], colour, turn, &view, options, out)?;
    Ok(true)
}

fn colour(header: &Header<'_>) -> Option<Colour> {
    match header.model()? {
        Model::Grey | Model::Rgb => Some(Colour::Rgb),
        Model::YCbCr => Some(Colour::YCbCr),
        Model::Four => None,
    }
}

fn is_ordinary(header: &Header<'_>) -> bool {
    let sampled = sampling(header);
    let most = [0, 1].map(|axis| sampled.iter().map(|sampling| sampling[axis]).max().unwrap_or(1));
    SEQUENTIAL.contains(&header.process)
        && header.precision == 8
        && header.scan_count == header.count
        && sampled.iter().take(header.count).all(|sampling| most[0] % sampling[0] == 0 && most[1] % sampling[1] == 0)
}

/// How often each colour is sampled. A scan of one colour has units of one block, whatever its frame says.
fn sampling(header: &Header<'_>) -> [[u32; 2]; 3] {
    if header.count == 1 {
        return [[1; 2]; 3];
    }
    [0, 1, 2].map(|index| header.components[index].sampling)
}

/// The fewest samples a side for blocks whose plane still has [`MARGIN`] over `target`.
fn block_size(window: [f64; 2], target: [f64; 2]) -> u32 {
    let enough = |size: &u32| {
        let margin = if *size < 4 { SMALL_MARGIN } else { MARGIN };
        (0..2).all(|axis| window[axis] * f64::from(*size) / 8.0 >= margin * target[axis])
    };
    (1..8).find(enough).unwrap_or(8)
}

/// How far around a window the interpolation looks, in pixels.
fn reach(window: &Rect, target: [f64; 2]) -> [f64; 2] {
    [window.width / target[0], window.height / target[1]].map(|scale| 2.0 * scale.max(1.0) + 8.0)
}

/// First and count of the blocks from `start` to `end`, of `blocks` that there are: at least one.
fn range(start: f64, end: f64, blocks: f64) -> [u32; 2] {
    let all = up(blocks).max(1);
    let first = up(start.floor()).min(all - 1);
    [first, up(end).clamp(first + 1, all) - first]
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a float becomes the nearest number there is
fn up(value: f64) -> u32 {
    value.ceil() as u32
}
