//! Names for articles that are safe in file names, tar members and sample keys.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The longest slug, in bytes.
const MAX_LEN: usize = 64;
/// Bytes of the hash that a cut slug ends in, written as hex.
const HASH_BYTES: usize = 4;
/// More digits than any accession has.
const MAX_DIGITS: usize = 18;

/// `text` in lower case, with each run of other than ASCII letters and digits as one `-`.
///
/// A slug of more than 64 bytes is cut and ends in a hash of the whole, so that different ones stay different.
/// Text without a single ASCII letter or digit gives the empty string.
pub fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len().min(2 * MAX_LEN));
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(word);
    }
    slug.make_ascii_lowercase();
    if slug.len() > MAX_LEN {
        let hash = Sha256::digest(slug.as_bytes());
        slug.truncate(MAX_LEN - 2 * HASH_BYTES - 1);
        slug.truncate(slug.trim_end_matches('-').len());
        slug.push('-');
        for byte in hash.iter().take(HASH_BYTES) {
            // Writing to a String cannot fail.
            let _ = write!(slug, "{byte:02x}");
        }
    }
    slug
}

/// The PMC accession that `text` is: `PMC` and digits, whatever the case, `PMC` put before bare digits and a version
/// suffix (`.1`) dropped. None for anything else.
pub fn pmc(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = match text.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case("pmc") => text.get(3..)?,
        _ => text,
    };
    let digits = match digits.split_once('.') {
        Some((digits, version)) if is_digits(version) => digits,
        _ => digits,
    };
    is_digits(digits).then(|| format!("PMC{digits}"))
}

fn is_digits(text: &str) -> bool {
    (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_of_other_characters_become_one_dash() {
        assert_eq!(slug("10.1371/journal.pone.0046493"), "10-1371-journal-pone-0046493");
        assert_eq!(slug("  10.1002/(SICI)1097—X "), "10-1002-sici-1097-x");
        assert_eq!(slug("é/…"), "");
    }

    #[test]
    fn long_slugs_are_cut_and_stay_distinct() {
        let (a, b) = (slug(&format!("{}1", "x".repeat(80))), slug(&format!("{}2", "x".repeat(80))));
        assert_eq!((a.len(), b.len()), (64, 64));
        assert_ne!(a, b);
        insta::assert_snapshot!(a, @"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-c7bba8fb");
        assert_eq!(slug(&"x".repeat(64)), "x".repeat(64));
        assert!(!slug(&format!("{} {}", "x".repeat(54), "y".repeat(30))).contains("--"));
    }

    #[test]
    fn pmc_takes_an_accession_in_every_spelling() {
        for text in ["123", "PMC123", "pmc123", " PMC123\n", "PMC123.1", "123.12"] {
            assert_eq!(pmc(text).as_deref(), Some("PMC123"), "{text}");
        }
    }

    #[test]
    fn pmc_refuses_everything_else() {
        for text in ["", "PMC", "PMC12a", "PMC 123", "PMC1.", "PMC1.a", ".1", "NIHMS123", "PMC-1", "１２", "PMCé"] {
            assert_eq!(pmc(text), None, "{text}");
        }
        assert_eq!(pmc(&"1".repeat(1000)), None);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_bounded_clean_slug(text in ".{0,200}") {
            let slug = slug(&text);
            prop_assert!(slug.len() <= MAX_LEN);
            prop_assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!slug.starts_with('-') && !slug.ends_with('-') && !slug.contains("--"));
            let _ = pmc(&text);
        }
    }
}
