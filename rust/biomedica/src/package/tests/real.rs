//! Real packages, where the checkout has them beside it.

use std::io::Read;

use super::*;

const DATA: &str = "../../../shared/data/packages";

#[test]
fn real_packages_give_all_their_members_both_ways() {
    let Ok(entries) = fs::read_dir(DATA) else {
        eprintln_skip();
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut names = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let items = read_both(&bytes);
        assert_eq!(items, read_package(&path, Kind::TarGz), "from disk and from memory");
        let [Item::Article { name, xml, others }] = items.as_slice() else { panic!("{path:?}: {:?}", lines(&items)) };
        let mut tar = Vec::new();
        flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut tar).unwrap();
        for (path, bytes) in others.iter().chain([xml]) {
            assert!(memchr::memmem::find(&tar, bytes).is_some(), "{path}");
        }
        names.push(format!("{name} {}", others.len()));
    }
    let expected = [
        "biorxiv-030213 38",
        "biorxiv-471796 16",
        "biorxiv-484463 4",
        "elife-00353 1",
        "elife-19405 2",
        "elife-32671 5",
    ];
    assert_eq!(names, expected);
}

#[allow(clippy::print_stderr)]
fn eprintln_skip() {
    eprintln!("skipped: no real packages in {DATA}");
}
