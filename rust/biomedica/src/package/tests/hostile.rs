//! Broken and hostile archives: each gives its failure and keeps what was whole.

use super::build::{Tar, article, gzip, noise};
use super::*;

const PMC1: &str = "PMC1: PMC1/a.nxml + PMC1/f1.jpg, PMC1/f1.gif, PMC1/pone.g001";

fn offset(item: &Item) -> Option<u64> {
    match item {
        Item::Failure { offset, .. } => *offset,
        Item::Article { .. } => None,
    }
}

#[test]
fn names_under_either_extension_are_read_as_what_they_are() {
    let tar = article("PMC1");
    for (bytes, kind) in [(tar.clone().end(), Kind::TarGz), (tar.gz(), Kind::Tar)] {
        assert_eq!(lines(&read_with(&bytes, kind, &Limits::default(), &mut Scratch::new())), [PMC1]);
    }
}

#[test]
fn a_gzip_of_several_members_is_read_through() {
    let tar = article("PMC1").end();
    let (a, b) = tar.split_at(1500);
    assert_eq!(lines(&read_both(&[gzip(a), gzip(b)].concat())), [PMC1]);
    assert_eq!(lines(&read_both(&[gzip(a), gzip(b), gzip(b"")].concat())), [PMC1]);
    assert_eq!(lines(&read_both(&[gzip(b""), gzip(&tar)].concat())), [PMC1]);
}

#[test]
fn a_tar_after_a_tar_is_read_too_even_if_it_is_the_same() {
    let (one, two) = (article("PMC1").end(), Tar::default().file("PMC2/b.nxml", "<b/>").end());
    assert_eq!(lines(&read_both(&[gzip(&one), gzip(&two)].concat())), [PMC1, "PMC2: PMC2/b.nxml"]);
    let same = read_both(&[gzip(&two), gzip(&two)].concat());
    assert_eq!(lines(&same), ["b: PMC2/b.nxml", "b: PMC2/b.nxml"]);
}

#[test]
fn zeros_after_a_gzip_are_padding_and_other_bytes_are_told() {
    let gz = article("PMC1").gz();
    assert_eq!(lines(&read_both(&[gz.as_slice(), &[0; 700]].concat())), [PMC1]);
    let items = read_both(&[gz.as_slice(), b"garbage!!"].concat());
    assert_eq!(lines(&items), ["inflate corrupt -", PMC1]);
    assert_eq!(offset(&items[0]), Some(gz.len() as u64));
}

#[test]
fn a_truncated_gzip_keeps_whole_members_and_names_the_byte() {
    let gz = article("PMC1").gz();
    let cut = gz.len() - 1500;
    let items = read_both(&gz[..cut]);
    assert_eq!(lines(&items), ["inflate truncated PMC1/paper.pdf", "PMC1: PMC1/a.nxml + PMC1/f1.jpg, PMC1/f1.gif"]);
    assert_eq!(offset(&items[0]), Some(cut as u64));
    let headless = read_both(&gz[..5]);
    assert_eq!(lines(&headless), ["inflate truncated -"]);
}

#[test]
fn a_wrong_checksum_or_size_is_told_and_the_members_are_kept() {
    let gz = article("PMC1").gz();
    for at in [8, 4] {
        let mut wrong = gz.clone();
        let at = wrong.len() - at;
        wrong[at] ^= 1;
        assert_eq!(lines(&read_both(&wrong)), ["inflate corrupt -", PMC1]);
    }
}

#[test]
fn corrupt_deflate_data_is_told() {
    let mut gz = article("PMC1").gz();
    let middle = gz.len() / 2;
    gz[middle..middle + 40].fill(0xff);
    let items = read_both(&gz);
    assert!(lines(&items).iter().any(|line| line.contains("corrupt")), "{:?}", lines(&items));
}

#[test]
fn other_formats_are_named() {
    for bytes in [b"PK\x03\x04....".as_slice(), b"BZh9....", b"\xfd7zXZ\0..", b"\x28\xb5\x2f\xfd.."] {
        assert_eq!(lines(&read_both(bytes)), ["open unsupported_format -"]);
    }
    assert_eq!(lines(&read_both(&[b'x'; 600])), ["tar corrupt -"]);
    assert_eq!(lines(&read_both(b"")), ["open empty -"]);
    assert_eq!(lines(&read_both(&gzip(b"<article/>"))), ["tar truncated -"]);
}

#[test]
fn a_zip_bomb_stops_at_its_ratio() {
    let tar = Tar::default().file("a/1.nxml", "<a/>").file("a/zero.png", vec![0; 40 << 20]);
    let items = read_both(&gzip(&tar.end()));
    assert_eq!(lines(&items), ["inflate bomb a/zero.png", "a: a/1.nxml"]);
}

#[test]
fn a_package_that_expands_beyond_its_limit_stops() {
    let limits = Limits { package_bytes: 4096, ..Limits::default() };
    let items = read_limited(&article("PMC1").gz(), &limits);
    assert_eq!(lines(&items), ["inflate too_large PMC1/f1.jpg", "PMC1: PMC1/a.nxml"]);
}

#[test]
fn a_gzip_that_lies_about_its_size_is_told() {
    for size in [0u32, 1, 1 << 20, u32::MAX] {
        let mut gz = article("PMC1").gz();
        let at = gz.len() - 4;
        gz[at..].copy_from_slice(&size.to_le_bytes());
        assert_eq!(lines(&read_both(&gz)), ["inflate corrupt -", PMC1]);
    }
}

#[test]
fn links_devices_and_sparse_files_are_rows_and_the_rest_is_read() {
    let mut map = [0; 512];
    map[504] = 0;
    let tar = Tar::default()
        .file("a/1.nxml", "<a/>")
        .header("a/hard", b'1', 0)
        .header("a/soft.pdf", b'2', 0)
        .header("a/char", b'3', 0)
        .header("a/block", b'4', 0)
        .header("a/fifo", b'6', 0)
        .edited("a/sparse.tif", b'S', 600, |block| block[482] = 1)
        .data(&map)
        .data(&[1; 600])
        .pax(b'x', &[("GNU.sparse.major", b"1")])
        .file("a/pax.tif", "map")
        .header("a/odd", b'Z', 0)
        .file("a/f.png", "f");
    let names = ["hard", "soft.pdf", "char", "block", "fifo", "sparse.tif", "pax.tif", "odd"];
    let mut expected: Vec<_> = names.iter().map(|name| format!("tar unsupported_member a/{name}")).collect();
    expected.push("a: a/1.nxml + a/f.png".to_owned());
    assert_eq!(lines(&read_both(&tar.gz())), expected);
}

#[test]
fn paths_that_lead_out_are_refused() {
    let deep = "d/".repeat(70) + "f.png";
    let tar = Tar::default()
        .file("/etc/f.png", "f")
        .file("a/../../f.png", "f")
        .file("..", "f")
        .file("a/..b/ok..png", "f")
        .file("a/1.nxml", "<a/>")
        .gnu_name(deep.as_bytes())
        .file("short", "f")
        .gnu_name(&[b'x'; 5000])
        .file("short", "f")
        .file("./", "");
    let long = "x".repeat(4096);
    let expected = [
        "tar unsafe_path /etc/f.png",
        "tar unsafe_path a/../../f.png",
        "tar unsafe_path ..",
        &format!("tar too_deep {deep}"),
        &format!("tar too_large {long}"),
        "a: a/1.nxml + a/..b/ok..png",
    ];
    assert_eq!(lines(&read_both(&tar.gz())), expected);
}

#[test]
fn long_names_come_from_gnu_pax_and_the_ustar_prefix() {
    let (gnu, pax) = ("g/".repeat(55) + "g.nxml", format!("p/{}.nxml", "p".repeat(300)));
    let tar = Tar::default()
        .gnu_name(gnu.as_bytes())
        .header("././@LongLink", b'K', 3)
        .data(b"ab\0")
        .file("cut", "<g/>")
        .pax(b'g', &[("comment", b"for all")])
        .pax(b'x', &[("path", pax.as_bytes()), ("size", b"4")])
        .header("cut", b'0', 0)
        .data(b"<p/>")
        .edited("u.nxml", b'0', 4, |block| block[345..351].copy_from_slice(b"some/u"))
        .data(b"<u/>");
    let items = read_both(&tar.gz());
    assert_eq!(lines(&items), [format!("g: {gnu}"), format!("p: {pax}"), "u: some/u/u.nxml".to_owned()]);
    let Item::Article { xml, .. } = &items[1] else { panic!("no article") };
    assert_eq!(xml.1, b"<p/>");
}

#[test]
fn a_long_name_that_is_cut_after_a_slash_is_no_directory() {
    let name = "d/".repeat(60) + "1.nxml";
    let tar = Tar::default().gnu_name(name.as_bytes()).file("d/".repeat(50), "<a/>");
    assert_eq!(lines(&read_both(&tar.gz())), [format!("d: {name}")]);
}

#[test]
fn old_and_binary_headers_are_read() {
    let binary = |block: &mut [u8; 512]| {
        block[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
        block[257..265].fill(0);
    };
    let tar = Tar::default().edited("v7/1.nxml", 0, 0, binary).data(b"<a/>").header("v7/dir/", 0, 0);
    assert_eq!(lines(&read_both(&tar.gz())), ["v7: v7/1.nxml"]);
}

#[test]
fn names_that_are_not_utf8_are_kept_as_far_as_they_go() {
    let tar = Tar::default().file(b"a/\xff\xfe.nxml", "<a/>").file(b"a/f\xe9.png", "f");
    assert_eq!(lines(&read_both(&tar.gz())), ["a: a/\u{fffd}\u{fffd}.nxml + a/f\u{fffd}.png"]);
}

#[test]
fn oversized_members_are_skipped() {
    let limits = Limits { member_bytes: 1000, xml_bytes: 20, ..Limits::default() };
    let tar = article("PMC1").file("PMC2/b.nxml", [b' '; 21]).file("PMC3/c.nxml", "<c/>");
    let expected = [
        "tar too_large PMC1/f1.jpg",
        "tar too_large PMC2/b.nxml",
        "PMC1: PMC1/a.nxml + PMC1/f1.gif, PMC1/pone.g001",
        "PMC3: PMC3/c.nxml",
    ];
    assert_eq!(lines(&read_limited(&tar.gz(), &limits)), expected);
    let only = Tar::default().file("a/b.nxml", [b' '; 21]);
    assert_eq!(lines(&read_limited(&only.gz(), &limits)), ["tar too_large a/b.nxml"]);
}

#[test]
fn a_size_beyond_the_end_is_truncation() {
    let sized = |size| Tar::default().file("a/1.nxml", "<a/>").header("a/f.png", b'0', size).data(b"abc").end();
    for tar in [sized(1 << 20), gzip(&sized(1 << 20))] {
        let items = read_both(&tar);
        assert_eq!(lines(&items), ["tar truncated a/f.png", "a: a/1.nxml"]);
        assert_eq!(offset(&items[0]), Some(1024));
    }
    let huge = lines(&read_both(&sized(1 << 62)));
    assert_eq!(huge, ["tar too_large a/f.png", "tar truncated a/f.png", "a: a/1.nxml"]);
}

#[test]
fn a_tar_may_lack_its_end() {
    let tar = article("PMC1");
    assert_eq!(lines(&read_both(&tar.0)), [PMC1]);
    // Even the padding of its last member.
    let tar = Tar::default().file("a/1.nxml", "<a/>");
    assert_eq!(lines(&read_both(&tar.0[..516])), ["a: a/1.nxml"]);
    assert_eq!(lines(&read_both(&tar.0[..515])), ["tar truncated a/1.nxml"]);
    assert_eq!(lines(&read_both(&tar.0[..300])), ["tar truncated -"]);
}

#[test]
fn a_broken_header_ends_the_tar_and_what_came_before_is_kept() {
    let mut tar = article("PMC1").file("PMC2/b.nxml", "<b/>").end();
    let at = tar.windows(11).position(|name| name == b"PMC2/b.nxml").unwrap();
    tar[at + 3] = b'9';
    let items = read_both(&gzip(&tar));
    assert_eq!(lines(&items), ["tar corrupt -", PMC1]);
    assert_eq!(offset(&items[0]), Some(at as u64));
}

#[test]
fn what_follows_the_end_of_a_tar_and_is_no_tar_is_none_of_ours() {
    let tar = [article("PMC1").end(), vec![b'x'; 700]].concat();
    assert_eq!(lines(&read_both(&gzip(&tar))), [PMC1]);
}

#[test]
fn broken_meta_headers_are_failures_of_the_member_they_describe() {
    let tar = Tar::default()
        .header("x", b'x', 4)
        .data(b"junk")
        .file("a/f.png", "f")
        .header("x", b'L', 2 << 20)
        .data(&noise(2 << 20, 1))
        .file("a/g.png", "g")
        .file("a/1.nxml", "<a/>");
    let expected = ["tar corrupt a/f.png", "tar too_large a/g.png", "a: a/1.nxml"];
    assert_eq!(lines(&read_both(&tar.gz())), expected);
}

#[test]
fn an_empty_document_is_a_failure() {
    let tar = Tar::default().file("a/1.nxml", "").file("b/2.nxml", "<b/>");
    assert_eq!(lines(&read_both(&tar.gz())), ["xml empty a/1.nxml", "b: b/2.nxml"]);
}

#[test]
fn failures_of_one_package_are_listed_up_to_a_bound_and_the_rest_counted() {
    let tar = (0..MAX_FAILURES + 7).fold(Tar::default(), |tar, i| tar.header(format!("a/{i}"), b'2', 0));
    let items = read_both(&tar.file("a/1.nxml", "<a/>").gz());
    assert_eq!(items.len(), MAX_FAILURES + 2);
    let Some(Item::Failure { detail, .. }) = items.last() else { panic!("no failure") };
    assert_eq!(detail, "7 further failures in this package are not listed");
}

#[test]
fn a_sink_that_breaks_off_gets_nothing_more() {
    let tar = Tar::default().file("a/1.nxml", "<a/>").file("b/2.nxml", "<b/>").header("c", b'2', 0);
    let mut count = 0;
    let (limits, mut scratch) = (Limits::default(), Scratch::new());
    read_bytes("x", Buffer::from(tar.gz().as_slice()), Kind::TarGz, &limits, &mut scratch, &mut |_| {
        count += 1;
        ControlFlow::Break(())
    });
    assert_eq!(count, 1);
}
