//! Any bytes as a package: no panic, at least one item, and the same items whether read whole or streamed.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir rust/fuzz package` from the repository root. The first
//! byte picks whether the rest is an archive as it stands or the contents of a gzip.

#![no_main]

use std::ops::ControlFlow;

use arrow_buffer::Buffer;
use biomedica::image::probe;
use biomedica::limits::Limits;
use biomedica::package::{File, Kind, Scratch, read_bytes};
use libfuzzer_sys::fuzz_target;

/// Small enough that the fuzzer reaches them.
const LIMITS: Limits = Limits {
    xml_bytes: 2048,
    member_bytes: 4096,
    article_bytes: 8192,
    package_bytes: 1 << 20,
    expansion_ratio: 1000,
    xml_depth: 64,
    entity_bytes: 1024,
};

/// An article's names and bytes, or a failure's words.
type Item = Result<(String, Vec<(String, Vec<u8>)>), String>;

fn read(bytes: &[u8], kind: Kind, scratch: &mut Scratch) -> Vec<Item> {
    let mut items = Vec::new();
    read_bytes("fuzz.tar.gz", Buffer::from(bytes), kind, &LIMITS, scratch, &mut |item| {
        items.push(item.map_err(|error| error.to_string()).map(|files| {
            let all = files.others.iter().chain([&files.xml]);
            let read = |file: &File| (file.path().to_owned(), file.read(&LIMITS).expect("it is in memory").to_vec());
            (files.name.clone(), all.map(read).collect())
        }));
        ControlFlow::Continue(())
    });
    items
}

fn is_gzip_damage(item: &Item) -> bool {
    item.as_ref().is_err_and(|error| error.contains("not sound gzip data"))
}

/// `bytes` as a gzip without compression, so that the fuzzer's changes reach the tar inside.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(0xffff).peekable();
    if bytes.is_empty() {
        gzip.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).expect("a chunk's length");
        gzip.push(u8::from(blocks.peek().is_none()));
        gzip.extend_from_slice(&len.to_le_bytes());
        gzip.extend_from_slice(&(!len).to_le_bytes());
        gzip.extend_from_slice(block);
    }
    gzip.extend_from_slice(&crc32(bytes).to_le_bytes());
    gzip.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
    gzip
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1))))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let archive = if first & 1 == 0 { bytes.to_vec() } else { stored(bytes) };
    let whole = read(&archive, Kind::TarGz, &mut Scratch::new());
    let streamed = read(&archive, Kind::TarGz, &mut Scratch::with_whole_buffer(0));
    assert!(!whole.is_empty(), "a package gives at least one item");
    // The two inflaters do not agree on where every damaged stream ends (zlib-rs 0.6.8 stops early in one whose last
    // blocks hold nothing), so damage that only one of them reports is no finding. What they read must be the same.
    let [whole, streamed] = [whole, streamed].map(|items| items.into_iter().filter(|item| !is_gzip_damage(item)));
    assert!(whole.eq(streamed), "whole and streamed differ");
    probe(bytes);
});
