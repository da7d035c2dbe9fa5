//! Headers built by hand, one for each form that `probe` knows, and bytes of any kind.

use proptest::prelude::*;

use super::*;

fn jpeg_with(segments: &[u8], marker: u8, width: u16, height: u16) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend_from_slice(segments);
    bytes.extend_from_slice(&[0xff, marker, 0, 11, 8]);
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&[1, 1, 0x11, 0]);
    bytes
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes
}

fn gif(width: u16, height: u16) -> Vec<u8> {
    [b"GIF89a".as_slice(), &width.to_le_bytes(), &height.to_le_bytes(), &[0; 3]].concat()
}

/// A TIFF of one directory with an unrelated tag, the width as `SHORT` and the height as `LONG`.
fn tiff(little: bool, big: bool, width: u16, height: u32) -> Vec<u8> {
    let mut bytes = if little { b"II".to_vec() } else { b"MM".to_vec() };
    let mut put = |value: u64, width: usize| {
        if little {
            bytes.extend_from_slice(&value.to_le_bytes()[..width]);
        } else {
            bytes.extend_from_slice(&value.to_be_bytes()[8 - width..]);
        }
    };
    let (wide, count) = if big { (8, 8) } else { (4, 2) };
    put(if big { 43 } else { 42 }, 2);
    if big {
        put(8, 2);
        put(0, 2);
    }
    put(if big { 16 } else { 8 }, wide);
    put(3, count);
    for (tag, kind, size, value) in [(254, 4, 4, 0), (256, 3, 2, u64::from(width)), (257, 4, 4, u64::from(height))] {
        put(tag, 2);
        put(kind, 2);
        put(1, wide);
        put(value, size);
        put(0, wide - size);
    }
    bytes
}

fn webp(chunk: &[u8], body: &[u8]) -> Vec<u8> {
    [b"RIFF\0\0\0\0WEBP".as_slice(), chunk, &[0; 4], body].concat()
}

fn bmp(header: u32, fields: &[u8]) -> Vec<u8> {
    [b"BM".as_slice(), &[0; 12], &header.to_le_bytes(), fields].concat()
}

fn valid() -> Vec<(Vec<u8>, Format, [u32; 2])> {
    let lossy = webp(b"VP8 ", &[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x41, 0xf0, 0x80]);
    let bits = (319u32 + (239 << 14)).to_le_bytes();
    let lossless = webp(b"VP8L", &[0x2f, bits[0], bits[1], bits[2], bits[3]]);
    let extended = webp(b"VP8X", &[0, 0, 0, 0, 0x3f, 0x01, 0x00, 0xef, 0x00, 0x00]);
    let top_down = [320i32.to_le_bytes(), (-240i32).to_le_bytes()].concat();
    let core = [320u16.to_le_bytes(), 240u16.to_le_bytes(), [1, 0], [24, 0]].concat();
    let mut all = vec![
        (jpeg_with(&[], 0xc0, 320, 240), Format::Jpeg),
        // A table, fill bytes, an APP segment, and a progressive frame.
        (jpeg_with(&[0xff, 0xc4, 0, 4, 0xff, 0xc0, 0xff, 0xff, 0xff, 0xe1, 0, 3, 7], 0xc2, 320, 240), Format::Jpeg),
        (png(320, 240), Format::Png),
        (gif(320, 240), Format::Gif),
        (lossy, Format::Webp),
        (lossless, Format::Webp),
        (extended, Format::Webp),
        (bmp(40, &top_down), Format::Bmp),
        (bmp(12, &core), Format::Bmp),
    ];
    for (little, big) in [(true, false), (false, false), (true, true), (false, true)] {
        all.push((tiff(little, big, 320, 240), Format::Tiff));
    }
    all.into_iter().map(|(bytes, format)| (bytes, format, [320, 240])).collect()
}

#[test]
fn every_format_gives_its_size() {
    for (index, (bytes, format, size)) in valid().into_iter().enumerate() {
        assert_eq!(probe(&bytes), Probe { format: Some(format), size: Some(size) }, "header {index}");
    }
}

#[test]
fn a_header_cut_off_keeps_its_format_and_has_no_size() {
    for (bytes, format, _) in valid() {
        let cut = probe(&bytes[..bytes.len() - 5]);
        assert_eq!(cut, Probe { format: Some(format), size: None });
    }
}

#[test]
fn a_side_of_zero_is_no_size() {
    assert_eq!(probe(&gif(0, 9)).size, None);
    assert_eq!(probe(&jpeg_with(&[], 0xc1, 9, 0)).size, None);
}

#[test]
fn a_png_side_beyond_31_bits_is_no_size() {
    assert_eq!(probe(&png(1 << 31, 9)).size, None);
}

#[test]
fn other_bytes_have_no_format() {
    for bytes in [b"".as_slice(), b"BM", b"BMJ Open is a journal", b"%PDF-1.7", b"<svg/>", b"\xff\xd8"] {
        assert_eq!(probe(bytes), Probe::default(), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_probed_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        probe(&bytes);
    }

    #[test]
    fn mutated_headers_are_probed_without_panic(
        which in 0usize..13, flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>(),
    ) {
        let (mut bytes, ..) = valid().swap_remove(which);
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        probe(&bytes);
        probe(&bytes[..cut.index(bytes.len())]);
    }
}
