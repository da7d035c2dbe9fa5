//! One scan: from its bytes to planes of samples.

use super::Component;
use super::header::{Header, truncated};
use super::huffman::{self, Bits, Block, Table};
use super::idct::Transform;
use crate::error::Result;

/// What decoding one JPEG leaves for the next.
pub struct Scratch {
    /// The scan's data without stuffing and markers.
    data: Vec<u8>,
    /// Where each run of units ends there; a run starts where the one before ends.
    ends: Vec<usize>,
    planes: [Vec<u8>; 3],
    tables: [[Table; 2]; 3],
    quantisation: [[f32; 128]; 3],
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            ends: Vec::new(),
            planes: Default::default(),
            tables: Default::default(),
            quantisation: [[0.0; 128]; 3],
        }
    }
}

/// Decodes the first scan of `bytes`, which has all colours, to a plane for each of `components`; `most` is the highest
/// sampling. Gives `None` when a table is missing or is none.
pub fn decode<'s>(
    bytes: &[u8],
    header: &Header<'_>,
    components: &[Component],
    most: [u32; 2],
    scratch: &'s mut Scratch,
) -> Result<Option<&'s [Vec<u8>; 3]>> {
    if tables(header, scratch).is_none() {
        return Ok(None);
    }
    let is_closed = unstuff(bytes.get(header.data..).unwrap_or_default(), &mut scratch.data, &mut scratch.ends);
    let units = [0, 1].map(|axis| header.size()[axis].div_ceil(8 * most[axis]));
    // No block is shorter than two bits: fewer cannot be whole, and nothing is allocated for what they promise.
    let blocks: u64 = components.iter().map(|c| u64::from(c.sampling[0] * c.sampling[1])).sum();
    if blocks * u64::from(units[0]) * u64::from(units[1]) > 4 * scratch.data.len() as u64 {
        return Err(truncated(bytes.len()));
    }
    for (plane, component) in scratch.planes.iter_mut().zip(components) {
        let side = |[_, count]: [u32; 2]| (count * component.size) as usize;
        plane.resize(side(component.columns) * side(component.rows), 0);
    }
    // What nobody will see need not be read, if it is sure that it is there.
    let rows = if is_closed {
        let last = components.iter().map(|c| (c.rows[0] + c.rows[1]).div_ceil(c.sampling[1]));
        last.max().unwrap_or(0).min(units[1])
    } else {
        units[1]
    };
    let scan = Scan { components, units: [units[0], rows], restart: header.restart };
    scan.read(scratch).map_err(|error| error.at_offset(header.data as u64))?;
    Ok(Some(&scratch.planes))
}

fn tables(header: &Header<'_>, scratch: &mut Scratch) -> Option<()> {
    let parts = scratch.tables.iter_mut().zip(&mut scratch.quantisation);
    for ((tables, quantisation), component) in parts.zip(&header.components).take(header.count) {
        let [dc, ac] = tables;
        dc.set(header.huffman[0][usize::from(component.dc & 3)]?, true)?;
        ac.set(header.huffman[1][usize::from(component.ac & 3)]?, false)?;
        let values = header.quantisation[usize::from(component.quantisation & 3)]?;
        for (factor, value) in quantisation.iter_mut().zip(values) {
            *factor = value.into();
        }
    }
    Some(())
}

/// Copies a scan's data without the zeros that follow each 0xff, and without the restart markers, whose places go to
/// `ends`. Gives whether another marker closes the scan.
fn unstuff(scan: &[u8], data: &mut Vec<u8>, ends: &mut Vec<usize>) -> bool {
    data.clear();
    ends.clear();
    let mut rest = scan;
    let is_closed = loop {
        let Some(at) = memchr::memchr(0xff, rest) else {
            data.extend_from_slice(rest);
            break false;
        };
        let (before, from) = rest.split_at(at);
        data.extend_from_slice(before);
        match from {
            [_, 0x00, after @ ..] => {
                data.push(0xff);
                rest = after;
            }
            // Fill bytes before a marker.
            [_, 0xff, ..] => rest = from.get(1..).unwrap_or_default(),
            [_, 0xd0..=0xd7, after @ ..] => {
                ends.push(data.len());
                rest = after;
            }
            [_, _, ..] => break true,
            _ => break false,
        }
    };
    ends.push(data.len());
    // So that the last bits can be read in words.
    data.extend_from_slice(&[0; 8]);
    is_closed
}

struct Scan<'a> {
    components: &'a [Component],
    /// Columns and rows of units that are read.
    units: [u32; 2],
    /// Units of a run; 0 when all are one run.
    restart: u32,
}

impl Scan<'_> {
    /// Reads the scan with what the processor has: the result is the same to the bit.
    fn read(&self, scratch: &mut Scratch) -> Result<()> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2") {
            // SAFETY: the processor was just asked for all that the function is compiled for. It has no unsafe code
            // itself: its registers of twice the width and its shifts make a whole image 1.15 times as fast.
            #[allow(unsafe_code)]
            return unsafe { self.read_wide(scratch) };
        }
        self.read_with(scratch)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi2")]
    fn read_wide(&self, scratch: &mut Scratch) -> Result<()> {
        self.read_with(scratch)
    }

    #[inline(always)]
    fn read_with(&self, scratch: &mut Scratch) -> Result<()> {
        let Scratch { data, ends, planes, tables, quantisation } = scratch;
        let transform = Transform::new();
        let mut block: Block = [0.0; 128];
        let mut first = [0; 3];
        let mut ends = ends.iter().copied();
        let mut end = ends.next().unwrap_or(0);
        let mut bits = Bits::new(data, 0);
        let mut left = self.restart;
        for unit_row in 0..self.units[1] {
            for unit in 0..self.units[0] {
                if self.restart != 0 {
                    if left == 0 {
                        if bits.position() > end {
                            return Err(truncated(end));
                        }
                        bits = Bits::new(data, end);
                        end = ends.next().ok_or_else(|| truncated(end))?;
                        first = [0; 3];
                        left = self.restart;
                    }
                    left -= 1;
                }
                for (index, component) in self.components.iter().enumerate() {
                    let tables = [&tables[index][0], &tables[index][1]];
                    for row in 0..component.sampling[1] {
                        // Those before the first one wrap, and are beyond the last.
                        let row = (unit_row * component.sampling[1] + row).wrapping_sub(component.rows[0]);
                        for column in 0..component.sampling[0] {
                            let column = (unit * component.sampling[0] + column).wrapping_sub(component.columns[0]);
                            if row >= component.rows[1] || column >= component.columns[1] {
                                huffman::pass(&mut bits, tables, &mut first[index])?;
                                continue;
                            }
                            // Of a block that becomes one sample only the mean is seen.
                            let last = if component.size == 1 {
                                huffman::pass(&mut bits, tables, &mut first[index])?;
                                #[allow(clippy::cast_precision_loss)] // a product of 16 bits each, read back as 8
                                let mean = first[index] as f32 * quantisation[index][0];
                                block[0] = mean;
                                0
                            } else {
                                huffman::read(&mut bits, tables, &quantisation[index], &mut first[index], &mut block)?
                            };
                            let size = component.size as usize;
                            let stride = component.columns[1] as usize * size;
                            let start = row as usize * size * stride + column as usize * size;
                            let out = planes[index].get_mut(start..).unwrap_or_default();
                            transform.write(size, &mut block, last, out, stride);
                        }
                    }
                }
            }
            if bits.position() > end {
                return Err(truncated(end));
            }
        }
        Ok(())
    }
}
