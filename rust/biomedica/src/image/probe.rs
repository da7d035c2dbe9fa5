//! Format and pixel size from an image's header, without decoding it.
//!
//! Every reader below takes bytes that anyone may have written: it looks only where `get` finds something.

use super::Format;

/// What an image's header says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Probe {
    /// Format by its magic bytes; none when they are of no known format.
    pub format: Option<Format>,
    /// Width and height in pixels; none when the header is broken, cut off or has a zero.
    pub size: Option<[u32; 2]>,
}

/// Looks at the header of `bytes`.
pub fn probe(bytes: &[u8]) -> Probe {
    let Some(format) = sniff(bytes) else { return Probe::default() };
    let size = match format {
        Format::Jpeg => jpeg(bytes),
        Format::Png => png(bytes),
        Format::Gif => gif(bytes),
        Format::Tiff => tiff(bytes),
        Format::Webp => webp(bytes),
        Format::Bmp => bmp(bytes),
    };
    Probe { format: Some(format), size: size.filter(|&[width, height]| width > 0 && height > 0) }
}

/// The format that the magic bytes of `bytes` tell.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::Webp),
        // Two letters prove little; the size of the second header has a few known values.
        [b'B', b'M', ..] => matches!(le32(bytes, 14)?, 12 | 16..=124).then_some(Format::Bmp),
        _ => None,
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(|b| u32::from(u16::from_le_bytes(b)))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(|b| u32::from(u16::from_be_bytes(b)))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// Walks the segments to the first start of frame. Each step moves forward, so the walk ends.
fn jpeg(bytes: &[u8]) -> Option<[u32; 2]> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        // Any number of fill bytes may stand before a marker.
        at += bytes.get(at..)?.iter().position(|&b| b != 0xff)?;
        let marker = *bytes.get(at)?;
        at += 1;
        match marker {
            // DHT, JPG and DAC share the range of the frame headers.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some([be16(bytes, at + 5)?, be16(bytes, at + 3)?]);
            }
            // Markers that stand alone.
            0x01 | 0xd0..=0xd8 => {}
            // End of image or start of scan before any frame: no size will follow.
            0xd9 | 0xda | 0x00 => return None,
            _ => {
                let len = be16(bytes, at)? as usize;
                if len < 2 {
                    return None;
                }
                at += len;
            }
        }
    }
}

fn png(bytes: &[u8]) -> Option<[u32; 2]> {
    let is_header = bytes.get(12..16)? == b"IHDR";
    let side = |at| be32(bytes, at).filter(|&side| i32::try_from(side).is_ok());
    is_header.then_some([side(16)?, side(20)?])
}

fn gif(bytes: &[u8]) -> Option<[u32; 2]> {
    Some([le16(bytes, 6)?, le16(bytes, 8)?])
}

fn bmp(bytes: &[u8]) -> Option<[u32; 2]> {
    if le32(bytes, 14)? == 12 {
        return Some([le16(bytes, 18)?, le16(bytes, 20)?]);
    }
    let side = |at| array(bytes, at).map(i32::from_le_bytes);
    // A negative height means that the rows run from the top.
    Some([u32::try_from(side(18)?).ok()?, side(22)?.unsigned_abs()])
}

fn webp(bytes: &[u8]) -> Option<[u32; 2]> {
    match bytes.get(12..16)? {
        b"VP8 " => {
            let is_key_frame = bytes.get(23..26)? == [0x9d, 0x01, 0x2a];
            is_key_frame.then_some([le16(bytes, 26)? & 0x3fff, le16(bytes, 28)? & 0x3fff])
        }
        b"VP8L" => {
            let bits = le32(bytes, 21)?;
            (*bytes.get(20)? == 0x2f).then_some([(bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1])
        }
        // 24 bits each, less one; the byte before is shifted out.
        b"VP8X" => Some([(le32(bytes, 23)? >> 8) + 1, (le32(bytes, 26)? >> 8) + 1]),
        _ => None,
    }
}

/// Reads numbers of a TIFF, whose first two bytes say in which order.
struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl Tiff<'_> {
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        let field = self.bytes.get(at..at.checked_add(width)?)?;
        let shift = |number, &byte| number << 8 | u64::from(byte);
        Some(if self.little { field.iter().rev().fold(0, shift) } else { field.iter().fold(0, shift) })
    }

    fn offset(&self, at: usize, width: usize) -> Option<usize> {
        usize::try_from(self.number(at, width)?).ok()
    }
}

/// Width and height of the first image directory. `BigTIFF` has the same fields, wider.
fn tiff(bytes: &[u8]) -> Option<[u32; 2]> {
    let tiff = Tiff { bytes, little: *bytes.first()? == b'I' };
    let big = tiff.number(2, 2)? == 43;
    let (directory, count_width, entry_width, value_at) =
        if big { (tiff.offset(8, 8)?, 8, 20, 12) } else { (tiff.offset(4, 4)?, 2, 12, 8) };
    let count = tiff.offset(directory, count_width)?;
    let (mut width, mut height) = (None, None);
    for index in 0..count {
        let entry = index.checked_mul(entry_width)?.checked_add(directory)?.checked_add(count_width)?;
        let tag = tiff.number(entry, 2)?;
        let side = if tag == 256 {
            &mut width
        } else if tag == 257 {
            &mut height
        } else {
            continue;
        };
        let value_width = match tiff.number(entry + 2, 2)? {
            1 => 1,
            3 => 2,
            4 => 4,
            16 if big => 8,
            _ => return None,
        };
        *side = Some(u32::try_from(tiff.number(entry + value_at, value_width)?).ok()?);
        if let (Some(width), Some(height)) = (width, height) {
            return Some([width, height]);
        }
    }
    None
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
