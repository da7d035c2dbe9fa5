//! Directories and lone files as packages.

use super::*;

fn make(files: &[(&str, &str)]) -> tempfile::TempDir {
    let top = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = top.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    top
}

#[test]
fn a_directory_is_an_article_with_the_images_at_and_below_it() {
    let top = make(&[
        ("PMC1.1/a.xml", "<a/>"),
        ("PMC1.1/f.jpg", "f"),
        ("PMC1.1/b/g.png", "g"),
        ("PMC1.1/a.pdf", "x"),
        ("PMC1.1/.hidden.png", "x"),
        ("PMC1.1/half.png.tmp", "x"),
        ("PMC1.1/other/c.nxml", "<c/>"),
        ("PMC1.1/other/c.png", "c"),
    ]);
    let items = read_package(&top.path().join("PMC1.1"), Kind::Directory);
    assert_eq!(lines(&items), ["PMC1.1: a.xml + f.jpg, b/g.png"]);
    let Item::Article { xml, others, .. } = &items[0] else { panic!("no article") };
    assert_eq!((xml.1.as_slice(), others[1].1.as_slice()), (b"<a/>".as_slice(), b"g".as_slice()));
}

#[test]
fn articles_of_one_directory_share_its_images() {
    let top = make(&[("d/1.nxml", "<a/>"), ("d/2.nxml", "<b/>"), ("d/f.jpg", "f"), ("d/e.nxml", "")]);
    let items = read_package(&top.path().join("d"), Kind::Directory);
    assert_eq!(lines(&items), ["1: 1.nxml + f.jpg", "2: 2.nxml + f.jpg", "xml empty e.nxml"]);
}

#[test]
fn a_directory_without_xml_says_so_and_one_that_is_not_there_too() {
    let top = make(&[("d/f.jpg", "f")]);
    assert_eq!(lines(&read_package(&top.path().join("d"), Kind::Directory)), ["open no_xml -"]);
    assert_eq!(lines(&read_package(&top.path().join("e"), Kind::Directory)), ["open not_found -"]);
}

#[test]
fn files_are_read_when_asked_for_and_within_their_limit() {
    let top = make(&[("d/1.nxml", "<a/>"), ("d/f.jpg", "1234")]);
    let package = Package::new(top.path().join("d"), Kind::Directory, 0);
    let limits = Limits { member_bytes: 4, ..Limits::default() };
    let mut files = Vec::new();
    read(&package, &limits, &mut Scratch::new(), &mut |item| {
        files.push(item.unwrap());
        Continue(())
    });
    let image = &files[0].others[0];
    assert_eq!((image.num_bytes(), image.base_name()), (4, "f.jpg"));
    fs::write(top.path().join("d/f.jpg"), "12345").unwrap();
    assert_eq!(image.read(&limits).unwrap_err().reason(), Reason::TooLarge);
    fs::remove_file(top.path().join("d/f.jpg")).unwrap();
    let error = image.read(&limits).unwrap_err();
    assert_eq!((error.reason(), error.member()), (Reason::NotFound, Some("f.jpg")));
}

#[test]
fn oversized_files_of_a_directory_are_failures() {
    let top = make(&[("d/1.nxml", "<a/>"), ("d/f.jpg", "12345"), ("e/2.nxml", "<b>12</b>")]);
    let limits = Limits { member_bytes: 4, xml_bytes: 8, ..Limits::default() };
    let read = |name: &str| {
        let package = Package::new(top.path().join(name), Kind::Directory, 0);
        let mut items = Vec::new();
        read(&package, &limits, &mut Scratch::new(), &mut |result| {
            items.push(item(result, &limits));
            Continue(())
        });
        lines(&items)
    };
    assert_eq!(read("d"), ["open too_large f.jpg", "d: 1.nxml"]);
    assert_eq!(read("e"), ["open too_large 2.nxml"]);
}

#[test]
fn a_lone_document_has_no_images() {
    let top = make(&[("d/1.nxml", "<a/>"), ("d/f.jpg", "f"), ("empty.xml", "")]);
    assert_eq!(lines(&read_package(&top.path().join("d/1.nxml"), Kind::Xml)), ["1: 1.nxml"]);
    assert_eq!(lines(&read_package(&top.path().join("empty.xml"), Kind::Xml)), ["xml empty -"]);
    assert_eq!(lines(&read_package(&top.path().join("none.xml"), Kind::Xml)), ["open not_found -"]);
    assert_eq!(lines(&read_package(&top.path().join("d"), Kind::Xml)), ["open unsupported_format -"]);
}

#[test]
fn archives_on_disk_fail_with_their_reason() {
    let top = make(&[("empty.tar.gz", "")]);
    assert_eq!(lines(&read_package(&top.path().join("empty.tar.gz"), Kind::TarGz)), ["open empty -"]);
    assert_eq!(lines(&read_package(&top.path().join("none.tar.gz"), Kind::TarGz)), ["open not_found -"]);
    assert_eq!(lines(&read_package(top.path(), Kind::Tar)), ["open unsupported_format -"]);
}

#[test]
fn large_archives_stream_from_disk() {
    let top = tempfile::tempdir().unwrap();
    let tar = build::article("PMC1");
    for (name, bytes) in [("a.tar.gz", tar.clone().gz()), ("a.tar", tar.end())] {
        let path = top.path().join(name);
        fs::write(&path, bytes).unwrap();
        let package = Package::new(path, Kind::TarGz, 0);
        let limits = Limits::default();
        let mut items = Vec::new();
        read(&package, &limits, &mut Scratch::with_whole_buffer(100), &mut |result| {
            items.push(item(result, &limits));
            Continue(())
        });
        assert_eq!(lines(&items), ["PMC1: PMC1/a.nxml + PMC1/f1.jpg, PMC1/f1.gif, PMC1/pone.g001"]);
    }
}

#[cfg(unix)]
#[test]
fn links_within_a_package_are_read_and_links_to_directories_are_not_followed() {
    use std::os::unix::fs::symlink;
    let top = make(&[("d/1.nxml", "<a/>"), ("d/full/f.jpg", "f")]);
    symlink("full/f.jpg", top.path().join("d/g.jpg")).unwrap();
    symlink(top.path().join("d/full/../full/f.jpg"), top.path().join("d/h.jpg")).unwrap();
    symlink(top.path().join("d/full"), top.path().join("d/linked")).unwrap();
    symlink(top.path(), top.path().join("d/loop")).unwrap();
    symlink(top.path().join("nowhere"), top.path().join("d/dangling.png")).unwrap();
    let items = read_package(&top.path().join("d"), Kind::Directory);
    assert_eq!(lines(&items), ["open not_found dangling.png", "d: 1.nxml + g.jpg, h.jpg, full/f.jpg"]);
}

#[cfg(unix)]
#[test]
fn links_out_of_a_package_are_rows_and_the_rest_is_read() {
    use std::os::unix::fs::symlink;
    let top = make(&[("d/1.nxml", "<a/>"), ("d/f.jpg", "f"), ("d/s/x", ""), ("else/f.jpg", "f"), ("dd/f.jpg", "f")]);
    symlink(top.path().join("else/f.jpg"), top.path().join("d/g.jpg")).unwrap();
    symlink("../../else/f.jpg", top.path().join("d/s/h.jpg")).unwrap();
    symlink("../dd/f.jpg", top.path().join("d/i.jpg")).unwrap();
    symlink("g.jpg", top.path().join("d/j.jpg")).unwrap();
    let items = read_package(&top.path().join("d"), Kind::Directory);
    let rows = ["g.jpg", "i.jpg", "j.jpg", "s/h.jpg"].map(|member| format!("open unsupported_member {member}"));
    assert_eq!(lines(&items), [&rows[..], &["d: 1.nxml + f.jpg, s/x".to_owned()]].concat());
}

#[cfg(unix)]
#[test]
fn a_document_behind_a_link_out_of_its_package_is_not_read() {
    use std::os::unix::fs::symlink;
    let top = make(&[("d/f.jpg", "f"), ("else/1.nxml", "<a/>")]);
    symlink(top.path().join("else/1.nxml"), top.path().join("d/1.nxml")).unwrap();
    let items = read_package(&top.path().join("d"), Kind::Directory);
    assert_eq!(lines(&items)[0], "open unsupported_member 1.nxml");
    assert!(lines(&items).iter().all(|line| !line.starts_with("d:")), "{items:?}");
}

#[cfg(unix)]
#[test]
fn a_package_may_itself_be_a_link() {
    use std::os::unix::fs::symlink;
    let top = make(&[("real/1.nxml", "<a/>"), ("real/f.jpg", "f")]);
    symlink("f.jpg", top.path().join("real/g.jpg")).unwrap();
    symlink(top.path().join("real"), top.path().join("d")).unwrap();
    let items = read_package(&top.path().join("d"), Kind::Directory);
    assert_eq!(lines(&items), ["d: 1.nxml + f.jpg, g.jpg"]);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_a_failure_with_its_path() {
    use std::os::unix::fs::PermissionsExt;
    let top = make(&[("d/1.nxml", "<a/>"), ("d/closed/f.jpg", "f")]);
    let closed = top.path().join("d/closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let items = read_package(&top.path().join("d"), Kind::Directory);
    // The superuser may read everything.
    if fs::read_dir(&closed).is_err() {
        assert_eq!(lines(&items), ["open permission_denied closed", "d: 1.nxml"]);
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}
