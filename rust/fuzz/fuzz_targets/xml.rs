//! Any bytes as a document: no panic, of what is read every text is collapsed, and both ways to read it agree.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir rust/fuzz xml` from the repository root.

#![no_main]

use biomedica::error::Error;
use biomedica::jats;
use biomedica::limits::Limits;
use libfuzzer_sys::fuzz_target;

/// Small enough that the fuzzer reaches them.
const LIMITS: Limits = Limits {
    xml_bytes: 16 << 10,
    member_bytes: 4096,
    article_bytes: 8192,
    package_bytes: 1 << 20,
    expansion_ratio: 1000,
    xml_depth: 64,
    entity_bytes: 1024,
};

fn is_collapsed(text: &str) -> bool {
    !text.is_empty() && text.split(' ').all(|word| !word.is_empty() && !word.contains(char::is_whitespace))
}

fuzz_target!(|bytes: &[u8]| {
    let article = jats::parse(bytes, &LIMITS);
    match (&article, jats::parse_with_quick_xml(bytes, &LIMITS)) {
        (Ok(found), Ok(expected)) => assert_eq!(*found, expected),
        (found, expected) => {
            assert_eq!(found.as_ref().err().map(Error::to_string), expected.err().map(|e| e.to_string()))
        }
    }
    let article = match article {
        Ok(article) => article,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for figure in &article.figures {
        let texts = [&figure.label, &figure.caption, &figure.group_caption];
        for text in texts.into_iter().flatten().chain(&figure.context) {
            assert!(is_collapsed(text), "{text:?}");
        }
    }
    let lists = [&article.authors, &article.keywords, &article.subjects, &article.reference_ids];
    for text in lists.into_iter().flatten().chain(&article.title).chain(&article.abstract_text) {
        assert!(is_collapsed(text), "{text:?}");
    }
    assert!(article.text.is_empty() || article.text.lines().all(is_collapsed), "{:?}", article.text);
    if let Some(accession) = &article.accession {
        assert!(!accession.is_empty() && accession.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    }
});
