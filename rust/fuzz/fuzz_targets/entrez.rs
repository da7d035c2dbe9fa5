//! Any bytes as an answer of E-utilities: no panic, no memory beyond the answer's size, every text collapsed.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir rust/fuzz entrez` from the repository root.

#![no_main]

use biomedica::entrez;
use biomedica::limits::Limits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { xml_bytes: 16 << 10, xml_depth: 64, ..Limits::default() };
    let answer = entrez::parse(bytes, &limits);
    assert!(answer.fault.is_none_or(|fault| !fault.to_string().is_empty()));
    for citation in &answer.citations {
        assert!(!citation.pmid.is_empty());
        let references = citation.references.iter().map(|reference| &reference.citation).filter(|text| !text.is_empty());
        for text in citation.mesh_terms.iter().chain(&citation.abstract_text).chain(references) {
            assert!(text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace)), "{text:?}");
        }
    }
});
