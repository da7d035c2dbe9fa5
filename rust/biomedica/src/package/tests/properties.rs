//! Any bytes give articles or failures, and damage never goes unsaid.

use std::collections::HashMap;

use proptest::prelude::*;

use super::build::{Tar, article, gzip};
use super::*;

fn all(items: &[Item]) -> HashMap<String, Vec<u8>> {
    let mut files = HashMap::new();
    for item in items {
        if let Item::Article { xml, others, .. } = item {
            files.extend(others.iter().chain([xml]).cloned());
        }
    }
    files
}

fn has_failed(items: &[Item]) -> bool {
    items.iter().any(|item| matches!(item, Item::Failure { .. }))
}

fn two_articles() -> Tar {
    article("PMC1").file("PMC2/b.nxml", "<b/>").file("PMC2/b.png", [7; 900])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_give_an_article_or_a_failure(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for bytes in [bytes.clone(), gzip(&bytes)] {
            prop_assert!(!read_both(&bytes).is_empty());
        }
        for kind in [Kind::Xml, Kind::Directory] {
            prop_assert!(!read_with(&bytes, kind, &Limits::default(), &mut Scratch::new()).is_empty());
        }
    }

    #[test]
    fn a_cut_package_gives_some_of_its_members_and_a_failure(cut in any::<prop::sample::Index>()) {
        let gz = two_articles().gz();
        let whole = all(&read_both(&gz));
        let items = read_both(&gz[..cut.index(gz.len())]);
        prop_assert!(has_failed(&items));
        for (path, bytes) in all(&items) {
            prop_assert_eq!(whole.get(&path), Some(&bytes), "{}", path);
        }
    }

    #[test]
    fn a_flipped_package_gives_its_members_or_a_failure(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut gz = two_articles().gz();
        let whole = all(&read_both(&gz));
        let at = at.index(gz.len());
        gz[at] ^= flip;
        let items = read_both(&gz);
        prop_assert!(has_failed(&items) || all(&items) == whole);
    }

    #[test]
    fn a_flipped_tar_is_read_without_panic(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut tar = two_articles().pax(b'x', &[("path", b"PMC3/c.nxml")]).file("c", "<c/>").end();
        for (at, byte) in flips {
            let at = at.index(tar.len());
            tar[at] = byte;
        }
        prop_assert!(!read_both(&tar).is_empty());
    }
}
