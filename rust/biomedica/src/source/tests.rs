//! Trees, globs and lists made in a temporary directory.

#![allow(clippy::unwrap_used)]

use super::*;

fn make(files: &[&str]) -> tempfile::TempDir {
    let top = tempfile::tempdir().unwrap();
    for path in files {
        let path = top.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "12345").unwrap();
    }
    top
}

/// `Kind path` of each package below `top`, or the reason and path of an error.
fn found(top: &Path, sources: &[&str]) -> Vec<String> {
    let sources: Vec<_> = sources.iter().map(|source| top.join(source)).collect();
    let relative = |path: &Path| path.strip_prefix(top).unwrap_or(path).to_string_lossy().into_owned();
    walk(&sources, &Selection::default(), &StoreOptions::default())
        .map(|item| match item {
            Ok(package) => format!("{:?} {}", package.kind, relative(&package.path)),
            Err(error) => format!("{} {}", error.reason(), relative(Path::new(error.source().unwrap_or_default()))),
        })
        .collect()
}

#[test]
fn a_tree_is_walked_in_the_order_of_its_paths() {
    let top = make(&[
        "t/b.tar.gz",
        "t/b/c.tar",
        "t/b-a/d.tgz",
        "t/a.TGZ",
        "t/PMC1/a.nxml",
        "t/PMC1/f.jpg",
        "t/PMC1/sub/g.jpg",
        "t/PMC1/sub/h.tar",
        "t/z/deep/er/e.tar.gz",
        "t/notes.txt",
        "t/.hidden/x.tar",
        "t/x.tar.tmp",
    ]);
    let expected = [
        "Directory t/PMC1",
        "Tar t/PMC1/sub/h.tar",
        "TarGz t/a.TGZ",
        "Tar t/b/c.tar",
        "TarGz t/b-a/d.tgz",
        "TarGz t/b.tar.gz",
        "TarGz t/z/deep/er/e.tar.gz",
    ];
    assert_eq!(found(top.path(), &["t"]), expected);
    let mut sorted: Vec<_> = expected.map(|line| PathBuf::from(line.split_once(' ').unwrap().1)).to_vec();
    sorted.sort();
    assert_eq!(sorted, expected.map(|line| PathBuf::from(line.split_once(' ').unwrap().1)));
}

#[test]
fn documents_alone_in_a_directory_stand_for_themselves() {
    let top =
        make(&["xml/b.xml", "xml/a.nxml", "xml/README.md", "one/a.xml", "with/a.xml", "with/b.xml", "with/c.png"]);
    assert_eq!(
        found(top.path(), &["xml", "one", "with"]),
        ["Xml xml/a.nxml", "Xml xml/b.xml", "Directory one", "Directory with"]
    );
}

#[test]
fn sizes_are_those_on_disk() {
    let top = make(&["t/a.tar", "t/b/a.xml", "t/b/c.png"]);
    let sizes: Vec<_> = walk(&[top.path().join("t")], &Selection::default(), &StoreOptions::default())
        .map(|package| package.unwrap().num_bytes)
        .collect();
    assert_eq!(sizes, [5, 10]);
}

#[test]
fn sources_keep_their_order_and_missing_ones_are_errors() {
    let top = make(&["b.tar", "a.xml", "c.bin"]);
    assert_eq!(
        found(top.path(), &["b.tar", "none", "a.xml", "c.bin", "none/*.tar"]),
        ["Tar b.tar", "not_found none", "Xml a.xml", "unsupported_format c.bin", "not_found none/*.tar"]
    );
}

#[test]
fn globs_are_sorted_and_pass_over_what_is_no_package() {
    let top = make(&["g/b.tar.gz", "g/a.tar.gz", "g/list.txt", "g/f.jpg", "g/PMC1/a.nxml", "g/.x.tar"]);
    assert_eq!(found(top.path(), &["g/*"]), ["Directory g/PMC1", "TarGz g/a.tar.gz", "TarGz g/b.tar.gz"]);
    assert_eq!(found(top.path(), &["g/[a"]), ["not_found g/[a"]);
}

#[test]
fn lists_name_paths_relative_to_themselves() {
    let top = make(&["l/p/b.tar", "l/p/a.tar", "l/c.tar.gz"]);
    fs::write(top.path().join("l/all.txt"), "# of today\np/b.tar\r\n\n  c.tar.gz\nnone.tar\np/*.tar\nall.txt").unwrap();
    assert_eq!(
        found(top.path(), &["l/all.txt"]),
        [
            "Tar l/p/b.tar",
            "TarGz l/c.tar.gz",
            "not_found l/none.tar",
            "Tar l/p/a.tar",
            "Tar l/p/b.tar",
            "unsupported_format l/all.txt"
        ]
    );
}

#[test]
fn a_list_with_an_endless_line_is_refused() {
    let top = make(&[]);
    fs::write(top.path().join("bad.list"), vec![b'x'; 100_000]).unwrap();
    assert_eq!(found(top.path(), &["bad.list"]), ["too_large bad.list"]);
}

#[test]
fn an_empty_tree_yields_nothing() {
    let top = make(&["t/readme.md"]);
    assert!(found(top.path(), &["t"]).is_empty());
}

#[cfg(unix)]
#[test]
fn a_file_without_a_telling_name_is_known_by_its_first_bytes() {
    let top = make(&[]);
    fs::write(top.path().join("gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    assert_eq!(found(top.path(), &["gz"]), ["TarGz gz"]);
}

#[cfg(unix)]
#[test]
fn loops_of_links_end_and_a_link_given_as_source_is_followed() {
    use std::os::unix::fs::symlink;
    let top = make(&["t/a.tar"]);
    symlink(top.path().join("t"), top.path().join("t/loop")).unwrap();
    symlink(top.path().join("t"), top.path().join("link")).unwrap();
    symlink(top.path().join("t/a.tar"), top.path().join("t/b.tar")).unwrap();
    assert_eq!(found(top.path(), &["t"]), ["Tar t/a.tar", "Tar t/b.tar"]);
    assert_eq!(found(top.path(), &["link"]), ["Tar link/a.tar", "Tar link/b.tar"]);
}
