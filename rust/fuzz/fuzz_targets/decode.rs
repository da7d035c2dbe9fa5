//! Any bytes as an image: no panic, and pixels within their bounds or an error that says something.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir rust/fuzz decode` from the repository root.

#![no_main]

use std::sync::LazyLock;

use biomedica::decode::{Decoder, Options};
use libfuzzer_sys::fuzz_target;

static DECODER: LazyLock<Decoder> = LazyLock::new(|| {
    let options = Options { size: 24, mean: [0.0; 3], std: [1.0; 3], ..Options::default() };
    Decoder::new(options, 1).expect("options within their bounds")
});

fuzz_target!(|bytes: &[u8]| {
    let mut out = vec![f32::NAN; DECODER.len()];
    let failed = DECODER.decode_batch(&[bytes], &[bytes.len() as u64], &mut out).expect("lengths that fit");
    assert!(failed.iter().all(|(_, error)| !error.to_string().is_empty()));
    assert!(out.iter().all(|value| (0.0..=1.0).contains(value)));
    let _ = DECODER.jpeg_view(bytes, 1);
});
