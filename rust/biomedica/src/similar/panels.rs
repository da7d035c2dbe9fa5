//! Hashes of the panels of a compound figure, to find an image that is one of them.
//!
//! The image becomes 384 by 384 grey pixels, which are cut along even lines: its margins are taken off, then it is split at
//! its widest gutters, across or down, and each piece likewise (recursive X-Y cut; Nagy and Seth, "Hierarchical
//! representation of optically scanned documents", 1984). Every piece on the way is hashed ([`phash`]), as a panel
//! may have gutters of its own: a plot, or a row of small multiples. Pieces of less than an eighth of a side are letters
//! and axes rather than panels.

use std::collections::VecDeque;
use std::ops::Range;

use super::{luma, phash, squares};
use crate::decode::Decoder;
use crate::error::{Error, Result};

/// Pixels a side that are cut.
const SIDE: usize = 384;
/// How far pixels of an even line lie apart, of 255: what JPEG leaves beside an edge.
const EVEN: u8 = 24;
/// Lines of the narrowest gutter.
const GUTTER: usize = 2;
/// Pixels of the shorter side of a panel.
const LEAST: usize = SIDE / 8;
/// Up to so many pieces in a row are taken together in all ways, as letters and axes are cut off panels too.
const GROUPED: usize = 5;
/// Hashes of an image at most, the image without its margins among them. The largest pieces come first.
pub const MOST: usize = 32;

/// Darkest and lightest pixel of a line.
type Line = (u8, u8);

/// A run of even lines.
#[derive(Debug)]
struct Gap {
    lines: Range<usize>,
    /// How light it is.
    level: u8,
}

/// A piece of an image: its columns and its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece([Range<usize>; 2]);

/// Hashes the panels of encoded images, on as many threads as it is told.
pub struct Panels(Decoder);

impl Panels {
    /// One with `threads` workers.
    pub fn new(threads: usize) -> Result<Self> {
        #[allow(clippy::cast_possible_truncation)] // 384
        squares(SIDE as u32, threads).map(Self)
    }

    /// The hashes of each image into its place in `out`: that of the image without its margins (0 where it has none
    /// of these, or nothing else), then those of its panels, if it has any. Gives the places and errors of images that cannot be decoded.
    pub fn hash<B: AsRef<[u8]> + Sync>(&self, images: &[B], out: &mut [Vec<u64>]) -> Vec<(usize, Error)> {
        out.iter_mut().for_each(Vec::clear);
        self.0.each(images, out.iter_mut(), |pixels, slot| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 255
            let grey: Vec<u8> = luma(pixels).map(|luma| luma.round() as u8).collect();
            *slot = hashes(&grey);
        })
    }
}

/// The hashes of all pieces, the whole first.
fn hashes(grey: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    for piece in pieces(grey) {
        let is_all = piece == Piece([0..SIDE, 0..SIDE]);
        let hash = if is_all { 0 } else { phash::of_grey(&shrunk(grey, &piece)).unwrap_or(0) };
        if found.is_empty() || (hash != 0 && !found.contains(&hash)) {
            found.push(hash);
        }
    }
    found
}

/// The image without its margins, then what it falls into, level by level.
fn pieces(grey: &[u8]) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([(Piece([0..SIDE, 0..SIDE]), None, true)]);
    while let Some((piece, ground, is_cut)) = waiting.pop_front() {
        let Some((piece, lines)) = trimmed(grey, piece, ground) else { continue };
        if is_cut {
            let gaps = lines.each_ref().map(|lines| gaps(lines));
            let is_framed = gaps.iter().zip(&lines).any(|(gaps, lines)| margins(gaps, lines.len()) != (0..lines.len()));
            if is_framed {
                // What is within a margin of another colour, such as the dark around an organ, is a piece too.
                waiting.push_back((piece.clone(), None, true));
            } else {
                waiting.extend(split(&piece, &gaps));
            }
        }
        if !found.contains(&piece) {
            found.push(piece);
        }
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// A piece without margins of one colour, and its lines; none when too little is left of it.
///
/// `ground` is the colour; when there is none, that of the first margin.
fn trimmed(grey: &[u8], Piece(mut sides): Piece, mut ground: Option<u8>) -> Option<(Piece, [Vec<Line>; 2])> {
    loop {
        if sides.iter().any(|side| side.len() < LEAST) {
            return None;
        }
        let lines = lines(grey, &sides);
        let mut is_trimmed = false;
        for (side, lines) in sides.iter_mut().zip(&lines) {
            let is_ground = |gap: &Gap| ground.is_none_or(|ground| gap.level.abs_diff(ground) <= EVEN);
            let gaps: Vec<Gap> = gaps(lines).into_iter().filter(is_ground).collect();
            let kept = margins(&gaps, lines.len());
            if kept != (0..lines.len()) {
                let edge = if kept.start > 0 { gaps.first() } else { gaps.last() };
                ground = ground.or(edge.map(|gap| gap.level));
                *side = side.start + kept.start..side.start + kept.end.max(kept.start);
                is_trimmed = true;
            }
        }
        if !is_trimmed {
            return Some((Piece(sides), lines));
        }
    }
}

/// What is left of so many lines without the gaps at their ends; where these are of two colours, without the wider one.
fn margins(gaps: &[Gap], lines: usize) -> Range<usize> {
    let mut first = gaps.first().filter(|gap| gap.lines.start == 0);
    let mut last = gaps.last().filter(|gap| gap.lines.end == lines);
    if let (Some(one), Some(other)) = (first, last)
        && one.level.abs_diff(other.level) > EVEN
    {
        if one.lines.len() < other.lines.len() {
            first = None;
        } else {
            last = None;
        }
    }
    first.map_or(0, |gap| gap.lines.end)..last.map_or(lines, |gap| gap.lines.start)
}

/// The pieces between the widest gutters of a piece, all in one direction, and neighbours of these together; with the
/// colour of the gutters, and whether they are cut further. None when there is no gutter.
fn split(piece: &Piece, gaps: &[Vec<Gap>; 2]) -> Vec<(Piece, Option<u8>, bool)> {
    let widest = gaps.each_ref().map(|gaps| gaps.iter().max_by_key(|gap| gap.lines.len()));
    let [across, down] = widest.map(|gap| gap.map_or(0, |gap| gap.lines.len()));
    let direction = usize::from(down > across);
    let Some(widest) = widest[direction].filter(|gap| gap.lines.len() >= GUTTER) else { return Vec::new() };
    let side = &piece.0[direction];
    let is_gutter = |gap: &&Gap| gap.lines.len() >= GUTTER && 2 * gap.lines.len() > widest.lines.len();
    let gutters: Vec<_> = gaps[direction].iter().filter(is_gutter).map(|gap| &gap.lines).collect();
    let starts: Vec<usize> = std::iter::once(0).chain(gutters.iter().map(|gutter| gutter.end)).collect();
    let stops: Vec<usize> = gutters.iter().map(|gutter| gutter.start).chain([side.len()]).collect();
    let count = starts.len();
    let mut found = Vec::new();
    for together in (1..count).rev().filter(|&together| together == 1 || count <= GROUPED || together + 1 == count) {
        for (start, stop) in starts.iter().zip(stops.iter().skip(together - 1)) {
            let mut sides = piece.0.clone();
            sides[direction] = side.start + start..side.start + stop;
            found.push((Piece(sides), Some(widest.level), together == 1));
        }
    }
    found
}

/// The lines of a piece: its columns, its rows.
fn lines(grey: &[u8], [columns, rows]: &[Range<usize>; 2]) -> [Vec<Line>; 2] {
    let none = (u8::MAX, u8::MIN);
    let mut down = vec![none; columns.len()];
    let mut across = Vec::with_capacity(rows.len());
    for row in grey.chunks_exact(SIDE).take(rows.end).skip(rows.start) {
        let mut line = none;
        for (&pixel, column) in row.get(columns.clone()).unwrap_or_default().iter().zip(&mut down) {
            line = (line.0.min(pixel), line.1.max(pixel));
            *column = (column.0.min(pixel), column.1.max(pixel));
        }
        across.push(line);
    }
    [down, across]
}

/// Runs of lines that are all even and alike.
fn gaps(lines: &[Line]) -> Vec<Gap> {
    let mut found: Vec<Gap> = Vec::new();
    let mut run = (u8::MAX, u8::MIN);
    for (at, &(dark, light)) in lines.iter().enumerate() {
        if light.saturating_sub(dark) > EVEN {
            continue;
        }
        let joined = (run.0.min(dark), run.1.max(light));
        if let Some(last) = found.last_mut().filter(|last| last.lines.end == at && joined.1 - joined.0 <= EVEN) {
            last.lines.end = at + 1;
            run = joined;
        } else {
            found.push(Gap { lines: at..at + 1, level: light });
            run = (dark, light);
        }
    }
    found
}

/// A piece as 32 by 32 pixels, each the mean of what it covers.
fn shrunk(grey: &[u8], Piece([columns, rows]): &Piece) -> [u8; phash::SIDE * phash::SIDE] {
    let mut sums = [0.0_f32; phash::SIDE * phash::SIDE];
    let across = shares(columns);
    for (row, cell_y, share_y) in shares(rows) {
        let Some(row) = grey.get(SIDE * row..SIDE * (row + 1)) else { continue };
        for &(column, cell_x, share_x) in &across {
            sums[phash::SIDE * cell_y + cell_x] += share_y * share_x * f32::from(row[column]);
        }
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 255
    sums.map(|sum| sum.round() as u8)
}

/// Which share of which of the 32 cells each line of a side is.
#[allow(clippy::cast_precision_loss)] // at most 384
fn shares(side: &Range<usize>) -> Vec<(usize, usize, f32)> {
    let (length, cells) = (side.len(), phash::SIDE);
    let mut found = Vec::with_capacity(2 * length);
    for (at, line) in side.clone().enumerate() {
        // In units of a cell's share of a line, so that all is whole: a line is `cells` long, a cell `length`.
        let (start, end) = (at * cells, (at + 1) * cells);
        for cell in start / length..=(end - 1) / length {
            let overlap = end.min((cell + 1) * length) - start.max(cell * length);
            found.push((line, cell, overlap as f32 / length as f32));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// White, with noise of a seed in each rectangle of left, top, right, bottom.
    fn drawn(rectangles: &[[usize; 4]]) -> Vec<u8> {
        let mut grey = vec![255; SIDE * SIDE];
        for (seed, &[left, top, right, bottom]) in rectangles.iter().enumerate() {
            for (y, x) in (top..bottom).flat_map(|y| (left..right).map(move |x| (y, x))) {
                // Blotches of 12 pixels, which survive being shrunk.
                let blotch = (y - top) / 12 * 7919 + (x - left) / 12 * 104_729 + seed * 1_299_709;
                grey[SIDE * y + x] = u8::try_from((blotch * blotch / 7) % 200).unwrap_or(0);
            }
        }
        grey
    }

    fn found(grey: &[u8]) -> Vec<[usize; 4]> {
        pieces(grey).iter().map(|Piece([x, y])| [x.start, y.start, x.end, y.end]).collect()
    }

    #[test]
    fn a_figure_is_cut_into_rows_and_these_into_panels() {
        let panels = [[20, 20, 180, 180], [200, 20, 360, 180], [20, 210, 120, 360], [130, 210, 360, 360]];
        let found = found(&drawn(&panels));
        assert_eq!(found[0], [20, 20, 360, 360]);
        assert!(found.contains(&[20, 20, 360, 180]) && found.contains(&[20, 210, 360, 360]), "{found:?}");
        assert!(panels.iter().all(|panel| found.contains(panel)), "{found:?}");
        assert_eq!(found.len(), 7);
    }

    #[test]
    fn a_letter_beside_a_panel_and_a_frame_around_it_are_no_part_of_it() {
        let mut grey = drawn(&[[40, 40, 340, 180], [4, 10, 20, 30], [40, 220, 340, 370]]);
        for at in 0..340 {
            for (x, y) in [(20 + at, 200), (20 + at, 380), (20, 200 + at), (359, 200 + at)] {
                if y <= 380 {
                    grey[SIDE * y + x] = 0;
                }
            }
        }
        let found = found(&grey);
        assert!(found.contains(&[40, 40, 340, 180]) && found.contains(&[40, 220, 340, 370]), "{found:?}");
    }

    #[test]
    fn an_image_without_gutters_is_one_piece_and_an_even_one_none() {
        assert_eq!(found(&drawn(&[[0, 0, SIDE, SIDE]])), [[0, 0, SIDE, SIDE]]);
        assert!(hashes(&vec![200; SIDE * SIDE]).is_empty());
        let sheet: Vec<[usize; 4]> =
            (0..49).map(|n| [n % 7 * 54, n / 7 * 54, n % 7 * 54 + 50, n / 7 * 54 + 50]).collect();
        assert_eq!(found(&drawn(&sheet)).len(), MOST);
    }

    #[test]
    fn a_panel_has_the_hash_that_it_has_alone() {
        let whole = drawn(&[[20, 30, 148, 158], [200, 30, 328, 158]]);
        let hashes = hashes(&whole);
        assert_eq!(hashes.len(), 3);
        // The same pixels, each four by four, with nothing around them.
        let cell = |x: usize, y: usize| {
            let sum: u32 = (0..16).map(|n| u32::from(whole[SIDE * (30 + 4 * y + n / 4) + 200 + 4 * x + n % 4])).sum();
            u8::try_from((sum + 8) / 16).unwrap_or(0)
        };
        let alone = std::array::from_fn(|at| cell(at % phash::SIDE, at / phash::SIDE));
        assert_eq!(phash::of_grey(&alone), hashes.last().copied());
    }

    #[test]
    fn shares_of_each_cell_make_one() {
        for length in [48, 100, 383, 384] {
            let mut cells = [0.0; phash::SIDE];
            for (_, cell, share) in shares(&(0..length)) {
                cells[cell] += share;
            }
            assert!(cells.iter().all(|sum| (sum - 1.0_f32).abs() < 1e-5), "{length}");
        }
    }
}
