//! Which files belong to which article.

use super::build::{Tar, article, noise};
use super::*;

#[test]
fn a_pmc_package_is_one_article_without_what_cannot_be_an_image() {
    let items = read_both(&article("PMC1").gz());
    assert_eq!(lines(&items), ["PMC1: PMC1/a.nxml + PMC1/f1.jpg, PMC1/f1.gif, PMC1/pone.g001"]);
    let Item::Article { xml, others, .. } = &items[0] else { panic!("no article") };
    assert_eq!(xml.1, b"<article/>");
    assert_eq!(others[0].1, noise(3000, 1));
}

#[test]
fn a_tar_of_many_articles_keeps_their_files_apart_whatever_the_order() {
    let tar = Tar::default()
        .file("oa/PMC1/1.jpg", "1")
        .file("oa/PMC2/2.jpg", "2")
        .file("oa/PMC2/2.nxml", "<b/>")
        .file("oa/PMC1/sub/3.jpg", "3")
        .file("oa/PMC1/1.nxml", "<a/>");
    let expected = ["PMC2: oa/PMC2/2.nxml + oa/PMC2/2.jpg", "PMC1: oa/PMC1/1.nxml + oa/PMC1/1.jpg, oa/PMC1/sub/3.jpg"];
    assert_eq!(lines(&read_both(&tar.gz())), expected);
}

#[test]
fn an_article_below_another_keeps_its_own_files() {
    let tar = Tar::default()
        .file("a/1.nxml", "<a/>")
        .file("a/1.jpg", "1")
        .file("a/b/2.nxml", "<b/>")
        .file("a/b/2.jpg", "2")
        .file("a/c/3.jpg", "3");
    assert_eq!(lines(&read_both(&tar.gz())), ["a: a/1.nxml + a/1.jpg, a/c/3.jpg", "b: a/b/2.nxml + a/b/2.jpg"]);
}

#[test]
fn an_xml_beside_an_nxml_is_a_supplement() {
    let tar = Tar::default().file("a/s.xml", "<s/>").file("a/1.nxml", "<a/>").file("b/2.XML", "<b/>");
    assert_eq!(lines(&read_both(&tar.gz())), ["a: a/1.nxml", "b: b/2.XML"]);
}

#[test]
fn two_articles_of_one_directory_share_its_images_and_go_by_their_own_names() {
    let tar = Tar::default().file("d/1.nxml", "<a/>").file("d/2.nxml", "<b/>").file("d/f.png", "f");
    assert_eq!(lines(&read_both(&tar.gz())), ["1: d/1.nxml + d/f.png", "2: d/2.nxml + d/f.png"]);
}

#[test]
fn an_article_at_the_top_goes_by_the_packages_name() {
    let tar = Tar::default().file("./main.nxml", "<a/>").file("./img//f.png", "f");
    assert_eq!(lines(&read_both(&tar.gz())), ["pack: main.nxml + img/f.png"]);
}

#[test]
fn files_outside_of_all_articles_are_unused() {
    let tar = Tar::default().file("x/f.png", "f").file("a/1.nxml", "<a/>").file("ab/g.png", "g");
    assert_eq!(lines(&read_both(&tar.gz())), ["a: a/1.nxml"]);
}

#[test]
fn a_package_without_xml_says_so() {
    assert_eq!(lines(&read_both(&Tar::default().file("a/f.png", "f").gz())), ["tar no_xml -"]);
    assert_eq!(lines(&read_both(&Tar::default().gz())), ["tar no_xml -"]);
}

#[test]
fn leftovers_of_archivers_are_passed_over() {
    let tar = Tar::default()
        .file("a/._1.nxml", "x")
        .file("__MACOSX/a/1.nxml", "x")
        .file("PaxHeaders.12/1.nxml", "x")
        .file("a/.DS_Store", "x")
        .header("pax_global_header", b'g', 0)
        .file("a/1.nxml", "<a/>");
    assert_eq!(lines(&read_both(&tar.gz())), ["a: a/1.nxml"]);
}

#[test]
fn a_tarball_larger_than_what_is_held_streams_its_articles_out() {
    let mut tar = Tar::default();
    for index in 0..40 {
        tar = tar
            .file(format!("PMC{index}/f.jpg"), noise(2 << 20, index))
            .file(format!("PMC{index}/a.nxml"), "<a/>")
            .file(format!("PMC{index}/g.jpg"), "g");
    }
    let tar = tar.end();
    let items = read_both(&tar);
    let expected: Vec<_> = (0..40).map(|i| format!("PMC{i}: PMC{i}/a.nxml + PMC{i}/f.jpg, PMC{i}/g.jpg")).collect();
    assert_eq!(lines(&items), expected);

    // Handed over along the way, not at the end: stopping early leaves the rest unread.
    let mut count = 0;
    let (limits, mut scratch) = (Limits::default(), Scratch::with_whole_buffer(0));
    read_bytes("x", Buffer::from(&tar[..tar.len() / 2]), Kind::Tar, &limits, &mut scratch, &mut |item| {
        count += usize::from(item.is_ok());
        if count == 3 { ControlFlow::Break(()) } else { Continue(()) }
    });
    assert_eq!(count, 3);
}

#[test]
fn a_flat_directory_of_documents_streams_out_and_names_each_by_its_file() {
    let body = noise(1 << 20, 7);
    let tar = (0..100).fold(Tar::default(), |tar, index| tar.file(format!("all/PMC{index:03}.xml"), &body));
    let expected: Vec<_> = (0..100).map(|i| format!("PMC{i:03}: all/PMC{i:03}.xml")).collect();
    assert_eq!(lines(&read_both(&tar.end())), expected);
}

#[test]
fn supplements_stay_supplements_when_a_flat_directory_streams_out() {
    let tar = Tar::default()
        .file("all/1.nxml", noise(20 << 20, 1))
        .file("all/2.nxml", noise(20 << 20, 2))
        .file("all/s.xml", noise(20 << 20, 3));
    assert_eq!(lines(&read_both(&tar.end())), ["1: all/1.nxml", "2: all/2.nxml"]);
}

#[test]
fn an_article_beyond_its_limit_is_a_failure_and_the_next_is_read() {
    let limits = Limits { article_bytes: 4000, ..Limits::default() };
    let tar = article("PMC1").file("PMC1/big.png", noise(2000, 9)).file("PMC2/b.nxml", "<b/>");
    assert_eq!(lines(&read_limited(&tar.gz(), &limits)), ["tar too_large PMC1/a.nxml", "PMC2: PMC2/b.nxml"]);
}

#[test]
fn files_that_no_document_claims_are_not_held_without_bound() {
    let limits = Limits { article_bytes: 1 << 20, ..Limits::default() };
    let mut tar = Tar::default();
    for index in 0..40 {
        tar = tar.file(format!("images/{index}.jpg"), noise(1 << 20, index));
    }
    let tar = tar.file("PMC2/b.nxml", "<b/>").file("PMC2/b.jpg", "b");
    assert_eq!(lines(&read_limited(&tar.end(), &limits)), ["tar too_large images", "PMC2: PMC2/b.nxml + PMC2/b.jpg"]);
}
