//! The entropy code: bits, tables, and one block of coefficients.

use super::header::corrupt;
use crate::error::Result;

/// Bits that one look into a table decides on. Nine symbols of ten have their code and value within them.
const AHEAD: u32 = 10;

/// Looks between two refills.
const RUN: u32 = 56 / AHEAD;

/// The natural place of each coefficient, by its place in the zigzag; what would lie past the block is put behind it.
pub const NATURAL: [u8; 128] = {
    let mut natural = [64; 128];
    let (mut at, mut row, mut column, mut up) = (0, 0_u8, 0_u8, true);
    while at < 64 {
        natural[at] = row * 8 + column;
        match (up, row, column) {
            (true, _, 7) => (row, up) = (row + 1, false),
            (true, 0, _) => (column, up) = (column + 1, false),
            (true, ..) => (row, column) = (row - 1, column + 1),
            (false, 7, _) => (column, up) = (column + 1, true),
            (false, _, 0) => (row, up) = (row + 1, true),
            (false, ..) => (row, column) = (row + 1, column - 1),
        }
        at += 1;
    }
    natural
};

/// A Huffman table, ready to decode code and value at one look.
pub struct Table {
    /// For each prefix: length of code and value together (0 when they are longer), steps to the next coefficient,
    /// value: 5, 11 and 16 bits.
    ahead: Box<[u32; 1 << AHEAD]>,
    /// For each length of codes, the first one, set flush left in 16 bits, that is longer.
    limits: [u32; 17],
    /// For each length, what leads from a code to its symbol.
    offsets: [u32; 17],
    symbols: [u8; 256],
    /// What it was made of: most images have the same tables as the one before.
    definition: Vec<u8>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            ahead: Box::new([0; 1 << AHEAD]),
            limits: [0; 17],
            offsets: [0; 17],
            symbols: [0; 256],
            definition: Vec::new(),
        }
    }
}

/// Steps that lead out of any block: the symbol that ends one.
const END: u32 = 64;

/// Steps to the place behind the coefficient that `symbol` is followed by.
fn steps(symbol: u8) -> u32 {
    match symbol {
        // Sixteen zeros.
        0xf0 => 16,
        symbol if symbol.trailing_zeros() >= 4 => END,
        symbol => u32::from(symbol >> 4) + 1,
    }
}

/// The value that `size` bits stand for.
fn extend(bits: u32, size: u32) -> i32 {
    let bits = bits.cast_signed();
    if size == 0 || bits >> (size - 1) != 0 { bits } else { bits - (1 << size) + 1 }
}

impl Table {
    /// Makes this the table that `definition` describes: sixteen counts and the symbols. `None` when it cannot be one.
    pub fn set(&mut self, definition: &[u8], is_first: bool) -> Option<()> {
        if self.definition == definition {
            return Some(());
        }
        self.definition.clear();
        let (counts, symbols) = definition.split_first_chunk::<16>()?;
        // A value has at most 15 bits, and the first coefficient no zeros before it.
        if symbols.len() > 256 || (is_first && symbols.iter().any(|&symbol| symbol > 15)) {
            return None;
        }
        self.symbols.get_mut(..symbols.len())?.copy_from_slice(symbols);
        self.ahead.fill(0);
        let (mut code, mut index) = (0_u32, 0_u32);
        for (length, &count) in (1_u32..).zip(counts) {
            self.offsets[length as usize] = index.wrapping_sub(code);
            for _ in 0..count {
                self.fill(code, length, *symbols.get(index as usize)?)?;
                code += 1;
                index += 1;
            }
            if code > 1 << length {
                return None;
            }
            self.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        self.definition.extend_from_slice(definition);
        Some(())
    }

    /// Enters all prefixes of `code` that hold its value too.
    fn fill(&mut self, code: u32, length: u32, symbol: u8) -> Option<()> {
        let size = u32::from(symbol & 15);
        let total = length + size;
        if total > AHEAD {
            return Some(());
        }
        let spare = AHEAD - total;
        for bits in 0..1_u32 << size {
            let value = u32::from(i16::try_from(extend(bits, size)).ok()?.cast_unsigned());
            let first = (code << size | bits) << spare;
            let entry = value << 16 | steps(symbol) << 5 | total;
            self.ahead.get_mut(first as usize..(first + (1 << spare)) as usize)?.fill(entry);
        }
        Some(())
    }

    /// Steps and value at the front of `bits`, of which there are at least [`AHEAD`].
    #[inline(always)]
    fn next(&self, bits: &mut Bits<'_>) -> Option<(u32, i32)> {
        let entry = self.ahead[bits.peek(AHEAD) as usize];
        if entry.trailing_zeros() >= 5 {
            return self.long(bits);
        }
        bits.skip(entry & 31);
        Some((entry >> 5 & 0x7ff, entry.cast_signed() >> 16))
    }

    /// As `next`, for what is longer than one look.
    #[cold]
    #[inline(never)]
    fn long(&self, bits: &mut Bits<'_>) -> Option<(u32, i32)> {
        bits.refill();
        let ahead = bits.peek(16);
        let length = (1..=16).find(|&length| ahead < self.limits[length])?;
        let index = (ahead >> (16 - length)).wrapping_add(self.offsets[length]);
        let symbol = *self.symbols.get(index as usize)?;
        #[allow(clippy::cast_possible_truncation)] // at most 16
        bits.skip(length as u32);
        let size = u32::from(symbol & 15);
        // Two shifts, since one by all 64 bits is none.
        let value = extend(bits.peek(size + 1) >> 1, size);
        bits.skip(size);
        bits.refill();
        Some((steps(symbol), value))
    }
}

/// Bits from the front of bytes, and zeros for ever after them.
pub struct Bits<'a> {
    data: &'a [u8],
    /// Of the first byte that is not whole in `buffer`.
    at: usize,
    /// The next bits, flush left.
    buffer: u64,
    /// How many there are for sure.
    count: u32,
}

impl<'a> Bits<'a> {
    /// The bits of `data` from byte `at`. The last eight bytes may be left out: data are padded.
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, buffer: 0, count: 0 }
    }

    /// The byte in which the next bit lies.
    pub fn position(&self) -> usize {
        (self.at * 8 - self.count as usize).div_ceil(8)
    }

    /// Sees to it that there are at least 56 bits: [`RUN`] looks, or a code and its value.
    #[inline(always)]
    fn refill(&mut self) {
        let word = self.data.get(self.at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u64::from_be_bytes(*b));
        self.buffer |= word >> self.count;
        let bytes = (63 - self.count) >> 3;
        self.at += bytes as usize;
        self.count += bytes * 8;
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // `count` is at most 16
    fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (64 - count)) as u32
    }

    #[inline(always)]
    fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }
}

/// Coefficients of one block in natural order, dequantised, with room for what lies past its end.
pub type Block = [f32; 128];

/// Reads one block into `block`, which is zero: gives the place in the zigzag after which there are only zeros.
#[inline(always)]
#[allow(clippy::cast_precision_loss)] // products of 16 bits each, read back as 8
pub fn read(
    bits: &mut Bits<'_>,
    [dc, ac]: [&Table; 2],
    quantisation: &[f32; 128],
    first: &mut i32,
    block: &mut Block,
) -> Result<usize> {
    let broken = || corrupt(0, "a code that is not in its table");
    bits.refill();
    let (_, difference) = dc.next(bits).ok_or_else(broken)?;
    *first = first.wrapping_add(difference);
    block[0] = *first as f32 * quantisation[0];
    let (mut at, mut last) = (1, 0);
    'block: loop {
        bits.refill();
        for _ in 0..RUN {
            if at >= 64 {
                break 'block;
            }
            let (steps, value) = ac.next(bits).ok_or_else(broken)?;
            last = at - 1;
            // Out of a block it leads at most as far as there is room.
            at += steps as usize;
            let place = (at - 1) & 127;
            block[usize::from(NATURAL[place] & 127)] = value as f32 * quantisation[place];
        }
    }
    Ok(if at == 64 { 63 } else { last })
}

/// Passes over one block.
#[inline(always)]
pub fn pass(bits: &mut Bits<'_>, [dc, ac]: [&Table; 2], first: &mut i32) -> Result<()> {
    let broken = || corrupt(0, "a code that is not in its table");
    bits.refill();
    let (_, difference) = dc.next(bits).ok_or_else(broken)?;
    *first = first.wrapping_add(difference);
    let mut at = 1;
    while at < 64 {
        bits.refill();
        at += ac.next(bits).ok_or_else(broken)?.0;
    }
    Ok(())
}
