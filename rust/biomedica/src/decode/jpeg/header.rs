//! The segments of a JPEG up to its first scan.

use super::super::turn::Turn;
use crate::error::{Error, Reason, Result, Stage};

/// One colour of the frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Component {
    pub id: u8,
    /// Blocks of this colour beside and above each other in one unit of the scan.
    pub sampling: [u32; 2],
    pub quantisation: u8,
    /// Which tables its first scan uses, for the first and for the other coefficients.
    pub dc: u8,
    pub ac: u8,
}

/// What stands before the first scan. Tables are kept as the bytes that define them.
#[derive(Debug, Clone, Default)]
pub struct Header<'a> {
    /// The marker of the frame, which says how it is coded.
    pub process: u8,
    pub precision: u8,
    pub size: [u32; 2],
    pub components: [Component; 4],
    pub count: usize,
    /// In zigzag order, for each of four tables.
    pub quantisation: [Option<[u16; 64]>; 4],
    /// Sixteen counts and the symbols: four tables for first, four for other coefficients.
    pub huffman: [[Option<&'a [u8]>; 4]; 2],
    pub restart: u32,
    pub jfif: bool,
    pub adobe: Option<u8>,
    turn: Turn,
    /// Components of the first scan, in the frame's order, and where its data begin.
    pub scan_count: usize,
    pub data: usize,
}

/// What the colours of a frame mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Grey,
    Rgb,
    YCbCr,
    Four,
}

pub fn corrupt(at: usize, detail: &str) -> Error {
    Error::new(Stage::Image, Reason::Corrupt, format!("JPEG: {detail}")).at_offset(at as u64)
}

pub fn truncated(at: usize) -> Error {
    Error::new(Stage::Image, Reason::Truncated, "JPEG: the data end before the image does").at_offset(at as u64)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// The next marker at or after `at`, with the place behind it. What stands before is skipped, as libjpeg does.
fn marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += memchr::memchr(0xff, bytes.get(at..)?)? + 1;
        match *bytes.get(at)? {
            0x00 => at += 1,
            0xff => {}
            code => return Some((code, at + 1)),
        }
    }
}

impl<'a> Header<'a> {
    /// Reads the segments of `bytes` up to and with the start of its first scan.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut header = Self::default();
        let mut at = 2;
        loop {
            let (code, start) = marker(bytes, at).ok_or_else(|| truncated(bytes.len()))?;
            if matches!(code, 0x01 | 0xd0..=0xd8) {
                at = start;
                continue;
            }
            if code == 0xd9 {
                return Err(corrupt(start, "the end of the image before any of its data"));
            }
            let len = usize::from(be16(bytes, start).ok_or_else(|| truncated(bytes.len()))?);
            let end = start + len.max(2);
            let body = bytes.get(start + 2..end).ok_or_else(|| truncated(bytes.len()))?;
            let read = match code {
                0xc4 => header.huffman(body),
                0xc0..=0xcf if !matches!(code, 0xc8 | 0xcc) => header.frame(code, body),
                0xda => header.scan(body),
                0xdb => header.quantisation(body),
                0xdd => be16(body, 0).map(|interval| header.restart = interval.into()),
                0xe0 => {
                    header.jfif |= body.starts_with(b"JFIF\0");
                    Some(())
                }
                0xe1 => {
                    if let (Some(tiff), true) = (body.strip_prefix(b"Exif\0\0"), header.turn == Turn::default()) {
                        header.turn = exif(tiff);
                    }
                    Some(())
                }
                0xee => {
                    if body.starts_with(b"Adobe") {
                        header.adobe = body.get(11).copied();
                    }
                    Some(())
                }
                _ => Some(()),
            };
            read.ok_or_else(|| corrupt(start, &format!("segment {code:#x} does not follow its form")))?;
            at = end;
            if code == 0xda {
                header.data = end;
                return Ok(header);
            }
        }
    }

    /// Width and height as stored.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// How the image wants to be looked at.
    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// Whether any decoder can be expected to read it: sequential or progressive, of 8 bits, grey or three colours.
    pub fn is_common(&self) -> bool {
        matches!(self.process, 0xc0..=0xc2) && self.precision == 8 && matches!(self.count, 1 | 3)
    }

    /// What its colours mean, by libjpeg's rules.
    pub fn model(&self) -> Option<Model> {
        let ids = [0, 1, 2].map(|index| self.components[index].id);
        match (self.count, self.adobe) {
            (1, _) => Some(Model::Grey),
            (3, _) if self.jfif => Some(Model::YCbCr),
            (3, Some(0)) => Some(Model::Rgb),
            (3, None) if ids == *b"RGB" => Some(Model::Rgb),
            (3, _) => Some(Model::YCbCr),
            (4, _) => Some(Model::Four),
            _ => None,
        }
    }

    /// Fails when `bytes` end before the marker that ends the image.
    pub fn check_whole(&self, bytes: &[u8]) -> Result<()> {
        let mut at = self.data;
        while let Some((code, start)) = marker(bytes, at) {
            match code {
                0xd9 => return Ok(()),
                0x01 | 0xd0..=0xd8 => at = start,
                _ => at = start + usize::from(be16(bytes, start).unwrap_or(0)),
            }
        }
        Err(truncated(bytes.len()))
    }

    fn frame(&mut self, code: u8, body: &[u8]) -> Option<()> {
        if self.count != 0 {
            return None;
        }
        let (&[precision, h0, h1, w0, w1, count], rest) = body.split_first_chunk::<6>()?;
        let count = usize::from(count);
        if !(1..=4).contains(&count) || rest.len() < 3 * count {
            return None;
        }
        for (component, bytes) in self.components.iter_mut().zip(rest.chunks_exact(3)).take(count) {
            let &[id, sampling, quantisation] = bytes.first_chunk::<3>()?;
            let sampling = [u32::from(sampling >> 4), u32::from(sampling & 15)];
            if sampling.iter().any(|factor| !(1..=4).contains(factor)) || quantisation > 3 {
                return None;
            }
            *component = Component { id, sampling, quantisation, dc: 0, ac: 0 };
        }
        self.process = code;
        self.precision = precision;
        self.size = [u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1])].map(u32::from);
        self.count = count;
        Some(())
    }

    fn quantisation(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = body.split_first() {
            let table = self.quantisation.get_mut(usize::from(kind & 15))?;
            let wide = kind >> 4 != 0;
            let (values, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            let mut parsed = [0; 64];
            for (index, value) in parsed.iter_mut().enumerate() {
                *value = if wide { be16(values, 2 * index)? } else { u16::from(*values.get(index)?) };
            }
            *table = Some(parsed);
            body = rest;
        }
        Some(())
    }

    fn huffman(&mut self, mut body: &'a [u8]) -> Option<()> {
        while let Some((&kind, rest)) = body.split_first() {
            let table = self.huffman.get_mut(usize::from(kind >> 4))?.get_mut(usize::from(kind & 15))?;
            let symbols: usize = rest.get(..16)?.iter().map(|&count| usize::from(count)).sum();
            let (definition, rest) = rest.split_at_checked(16 + symbols)?;
            *table = Some(definition);
            body = rest;
        }
        Some(())
    }

    fn scan(&mut self, body: &[u8]) -> Option<()> {
        let (&count, rest) = body.split_first()?;
        if self.count == 0 || count == 0 || usize::from(count) > self.count {
            return None;
        }
        let mut next = 0;
        for bytes in rest.chunks_exact(2).take(usize::from(count)) {
            let &[id, tables] = bytes.first_chunk::<2>()?;
            // The order of a scan is that of the frame.
            let found = self.components.get(next..self.count)?.iter().position(|component| component.id == id)?;
            let component = self.components.get_mut(next + found)?;
            (component.dc, component.ac) = (tables >> 4, tables & 15);
            if component.dc > 3 || component.ac > 3 {
                return None;
            }
            next += found + 1;
            self.scan_count += 1;
        }
        (self.scan_count == usize::from(count)).then_some(())
    }
}

/// The orientation in the first directory of `tiff`.
fn exif(tiff: &[u8]) -> Turn {
    let orientation = || {
        let little = tiff.starts_with(b"II");
        let number = |at: usize, len: usize| {
            let field = tiff.get(at..at.checked_add(len)?)?;
            let shift = |number: u32, &byte: &u8| number << 8 | u32::from(byte);
            Some(if little { field.iter().rev().fold(0, shift) } else { field.iter().fold(0, shift) })
        };
        let directory = usize::try_from(number(4, 4)?).ok()?;
        let count = number(directory, 2)? as usize;
        (0..count).find_map(|index| {
            let entry = directory + 2 + 12 * index;
            (number(entry, 2)? == 274).then(|| number(entry + 8, 2))?
        })
    };
    Turn::from_exif(orientation().and_then(|value| u16::try_from(value).ok()).unwrap_or(1))
}
