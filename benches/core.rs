//! Criterion benches of the core on inputs made here, so that they run anywhere: `cargo bench -p biomedica`.
#![allow(missing_docs)]

use std::hint::black_box;

use biomedica::limits::Limits;
use biomedica::{image, jats};
use criterion::{BatchSize, Criterion, Throughput};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parse(&mut criterion);
    images(&mut criterion);
    criterion.final_summary();
}

/// An article of the size and mixture of a real one.
fn article() -> String {
    let paragraph = "<p>Cells were stained with <italic>anti-tubulin</italic> (1:500) and imaged at 37&#160;°C \
        <xref ref-type=\"bibr\" rid=\"b1\">[1]</xref>, as <xref ref-type=\"fig\" rid=\"f1\">Figure 1</xref> shows.</p>\n";
    let figure = |number: usize| {
        format!(
            "<fig id=\"f{number}\"><label>Figure {number}</label><caption><title>Stained cells.</title>{paragraph}</caption>\
             <graphic xlink:href=\"article.g{number:03}\"/></fig>"
        )
    };
    let reference = "<ref id=\"b1\"><mixed-citation><name><surname>Doe</surname> <given-names>J</given-names></name> \
        <article-title>On cells</article-title>. <source>Cell</source> <year>2001</year>;<volume>3</volume>:<fpage>1</fpage>. \
        <pub-id pub-id-type=\"pmid\">11111111</pub-id></mixed-citation></ref>\n";
    format!(
        "<article><front><article-meta><title-group><article-title>Cells</article-title></title-group></article-meta></front>\
         <body><sec><title>Results</title>{}{}</sec></body><back><ref-list>{}</ref-list></back></article>",
        paragraph.repeat(200),
        (1..9).map(figure).collect::<String>(),
        reference.repeat(60)
    )
}

fn parse(criterion: &mut Criterion) {
    let xml = article();
    let mut group = criterion.benchmark_group("jats");
    group.throughput(Throughput::Bytes(xml.len() as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter_batched(
            || xml.as_bytes(),
            |xml| black_box(jats::parse(xml, &Limits::default()).is_ok()),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn images(criterion: &mut Criterion) {
    let bytes = vec![0x5a; 1 << 20];
    let mut group = criterion.benchmark_group("image");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("sha256", |bencher| bencher.iter(|| image::sha256(black_box(&bytes))));
    group.finish();
    let gif = b"GIF89a\x40\x01\xf0\x00\x00\x00\x00";
    criterion.bench_function("image/probe", |bencher| bencher.iter(|| image::probe(black_box(gif))));
}
