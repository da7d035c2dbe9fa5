use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;

use super::value::{PANEL, REFERENCE};
use super::*;
use crate::article::{Image, Status};
use crate::error::{Error, Reason, Stage};
use crate::image::Format;
use crate::jats::{self, CaptionSource, FigureKind, License, Panel, Reference};

/// An article with one full figure and one bare one; every cell that can be filled is.
fn article() -> Article {
    let package = Buffer::from(&b"0123456789 the package's own bytes, images within"[..]);
    let jats = jats::Figure {
        id: Some("f1".into()),
        kind: FigureKind::Fig,
        label: Some("Figure 1".into()),
        caption: Some("Cells \"stained\"\nblue.".into()),
        caption_source: CaptionSource::Own,
        group_caption: Some("All cells.".into()),
        context: vec!["See Figure 1.".into()],
        panels: vec![
            Panel { label: "A".into(), text: "One.".into() },
            Panel { label: "B".into(), text: "Two.".into() },
        ],
        ..jats::Figure::default()
    };
    let image = Image {
        file_name: "f1.jpg".into(),
        format: Some(Format::Jpeg),
        size: Some([640, 480]),
        hash: [0xab; 32],
        bytes: package.slice_with_length(11, 20),
    };
    let full = Figure { image_id: "PMC1_0001".into(), jats, image: Some(image), status: Status::Ok };
    let bare =
        Figure { image_id: "PMC1_0002".into(), jats: jats::Figure::default(), image: None, status: Status::NoImage };
    Article {
        accession: "PMC1".into(),
        version_reason: None,
        is_manuscript: None,
        version: Some(2),
        source: "PMC1.tar.gz".into(),
        jats: jats::Article {
            title: Some("On cells".into()),
            authors: vec!["Ada Byron".into(), "The Cell Group".into()],
            license: License { code: Some("CC BY"), ..License::default() },
            references: vec![
                Reference { id: Some("r1".into()), pmid: None, doi: None, citation: "One.".into() },
                Reference { id: None, pmid: Some("7".into()), doi: Some("10.1/x".into()), citation: "Two.".into() },
            ],
            text: "Cells\nare small.".into(),
            ..jats::Article::default()
        },
        figures: vec![full, bare],
    }
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> Vec<Option<&'a str>> {
    batch.column_by_name(name).unwrap().as_string::<i32>().iter().collect()
}

/// Whether a value may stand in a column.
fn fits(kind: Kind, value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Text(_) | Value::Owned(_) | Value::Hex(_) => kind == Kind::Text,
        Value::Bool(_) => kind == Kind::Bool,
        Value::Int(_) => matches!(kind, Kind::Int32 | Kind::Int64),
        Value::Ints(_) => kind == Kind::Ints,
        Value::Texts(_) => kind == Kind::Texts,
        Value::References(_) => kind == Kind::Records(REFERENCE),
        Value::Panels(_) => kind == Kind::Records(PANEL),
    }
}

#[test]
fn every_value_is_of_its_columns_type() {
    let article = article();
    let pointer = Pointer { shard: "shards/x.tar".into(), offset: 1, length: 2 };
    let figure = FigureRow { article: &article, figure: &article.figures[0], pointer: Some(&pointer) };
    for column in Figures::COLUMNS {
        let value = (column.get)(&figure);
        assert!(fits(column.kind, &value), "{}", column.name);
        assert!(!matches!(value, Value::Null), "{} of the full figure", column.name);
    }
    for column in Articles::COLUMNS {
        assert!(fits(column.kind, &(column.get)(&&article)), "{}", column.name);
    }
    let failure = Failure { accession: None, error: Error::new(Stage::Tar, Reason::Corrupt, "x") };
    for column in Failures::COLUMNS {
        assert!(fits(column.kind, &(column.get)(&&failure)), "{}", column.name);
    }
}

#[test]
fn the_schemas_are_the_published_columns() {
    let show = |schema: SchemaRef| {
        schema.fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(show(figures_schema(true)), @r#"
    image_id: Utf8
    article_accession_id: Utf8
    image_figure_id: Utf8
    image_kind: Utf8
    image_label: Utf8
    image_file_name: Utf8
    image_format: Utf8
    image_size: List(Int32)
    image_num_bytes: Int64
    image_hash: Utf8
    caption: Utf8
    caption_source: Utf8
    group_caption: Utf8
    image_context: List(Utf8)
    image_context_panels: List(Utf8)
    image_panels: List(Struct("label": Utf8, "text": Utf8))
    in_sub_article: Boolean
    status: Utf8
    subset: Utf8
    shard: Utf8
    shard_offset: Int64
    shard_length: Int64
    image_bytes: BinaryView
    "#);
    insta::assert_snapshot!(show(articles_schema()), @r#"
    article_accession_id: Utf8
    article_version: Int32
    version_reason: Utf8
    is_manuscript: Boolean
    article_pmid: Utf8
    article_doi: Utf8
    article_title: Utf8
    article_journal: Utf8
    article_date: Utf8
    article_type: Utf8
    article_language: Utf8
    article_authors: List(Utf8)
    article_abstract: Utf8
    article_keywords: List(Utf8)
    article_subject: List(Utf8)
    article_mesh_terms: List(Utf8)
    article_license: Utf8
    article_license_url: Utf8
    article_license_text: Utf8
    license_in_metadata: Utf8
    license_in_urls: Utf8
    license_in_text: Utf8
    license_conflict: Boolean
    subset: Utf8
    article_citation: Utf8
    article_reference_count: Int32
    article_reference_ids: List(Utf8)
    article_reference_list: List(Struct("id": Utf8, "pmid": Utf8, "doi": Utf8, "citation": Utf8))
    article_text: Utf8
    article_figure_count: Int32
    is_retracted: Boolean
    source: Utf8
    "#);
    insta::assert_snapshot!(show(failures_schema()), @"
    source: Utf8
    article_accession_id: Utf8
    member: Utf8
    stage: Utf8
    reason: Utf8
    detail: Utf8
    ");
}

#[test]
fn a_figure_without_anything_is_a_row_of_nulls_with_its_status() {
    let pointer = Pointer { shard: "shards/commercial/000000-0000.tar".into(), offset: 512, length: 20 };
    let batch = figures(&[article()], false, Some(&[Some(pointer), None])).unwrap();
    assert_eq!(text(&batch, "status"), [Some("ok"), Some("no_image")]);
    assert_eq!(text(&batch, "caption"), [Some("Cells \"stained\"\nblue."), None]);
    assert_eq!(text(&batch, "image_hash")[0].unwrap(), "ab".repeat(32));
    assert_eq!(text(&batch, "shard"), [Some("shards/commercial/000000-0000.tar"), None]);
    assert!(batch.column_by_name("image_size").unwrap().is_null(1));
    let context = batch.column_by_name("image_context").unwrap().as_list::<i32>();
    assert_eq!((context.value_length(0), context.value_length(1), context.null_count()), (1, 0, 0));
}

#[test]
fn image_bytes_lie_in_the_packages_buffer() {
    let article = article();
    let bytes = article.figures[0].image.as_ref().unwrap().bytes.clone();
    let batch = figures(std::slice::from_ref(&article), true, None).unwrap();
    assert_eq!(batch.schema(), figures_schema(true));
    let column = batch.column_by_name("image_bytes").unwrap().as_binary_view();
    assert_eq!(column.value(0).as_ptr(), bytes.as_ptr());
    assert_eq!(column.value(0), bytes.as_slice());
    assert!(column.is_null(1));
}

#[test]
fn an_image_of_a_few_bytes_is_kept_whole_too() {
    let mut article = article();
    article.figures[0].image.as_mut().unwrap().bytes = Buffer::from(&b"GIF89a"[..]);
    let batch = figures(&[article], true, None).unwrap();
    assert_eq!(batch.column_by_name("image_bytes").unwrap().as_binary_view().value(0), b"GIF89a");
}

#[test]
fn references_are_records_in_order() {
    let batch = articles(&[article()]).unwrap();
    let list = batch.column_by_name("article_reference_list").unwrap().as_list::<i32>().value(0);
    let records = list.as_struct();
    let column = |name| records.column_by_name(name).unwrap().as_string::<i32>().iter().collect::<Vec<_>>();
    assert_eq!(column("id"), [Some("r1"), None]);
    assert_eq!(column("doi"), [None, Some("10.1/x")]);
    assert_eq!(column("citation"), [Some("One."), Some("Two.")]);
}

#[test]
fn tables_without_rows_have_their_schema() {
    assert_eq!(articles(&[]).unwrap().schema(), articles_schema());
    assert_eq!(figures(&[], true, None).unwrap().schema(), figures_schema(true));
    assert_eq!(failures(&[]).unwrap().schema(), failures_schema());
}

#[test]
fn a_failure_keeps_place_and_reason() {
    let error = Error::new(Stage::Tar, Reason::Truncated, "cut off").at_offset(512).in_member("a.jpg").in_source("P");
    let batch = failures(&[Failure { accession: Some("PMC1".into()), error }]).unwrap();
    let row: Vec<_> = batch.schema().fields().iter().map(|f| text(&batch, f.name())[0].unwrap().to_owned()).collect();
    assert_eq!(row, ["P", "PMC1", "a.jpg", "tar", "truncated", "at byte 512: cut off"]);
}

#[test]
fn json_is_compact_ordered_and_without_nulls_and_empty_lists() {
    let article = article();
    let mut out = vec![b'{'];
    let row = FigureRow { article: &article, figure: &article.figures[1], pointer: None };
    write_json::<Figures>(&mut out, row, |_| true).unwrap();
    write_json::<Articles>(&mut out, &article, |name| name != "subset" && name != "article_text").unwrap();
    out.push(b'}');
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"{"image_id":"PMC1_0002","article_accession_id":"PMC1","image_kind":"other","caption_source":"none","in_sub_article":false,"status":"no_image","subset":"commercial","article_accession_id":"PMC1","article_version":2,"article_title":"On cells","article_authors":["Ada Byron","The Cell Group"],"article_license":"CC BY","license_conflict":false,"article_reference_count":2,"article_reference_list":[{"id":"r1","citation":"One."},{"pmid":"7","doi":"10.1/x","citation":"Two."}],"article_figure_count":2,"is_retracted":false,"source":"PMC1.tar.gz"}"#);
}

#[test]
fn json_escapes_what_it_must() {
    let article = article();
    let mut out = Vec::new();
    let row = FigureRow { article: &article, figure: &article.figures[0], pointer: None };
    write_json::<Figures>(&mut out, row, |name| name == "caption").unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), r#""caption":"Cells \"stained\"\nblue.""#);
}
