//! What is in the shards and the tables.

use std::fs::{self, File};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::make::{Kind, options, packages, run};
use crate::dataset::{DatasetRecord, Options, PartRecord, manifest};
use crate::image::hex;
use crate::tables::{articles_schema, failures_schema, figures_schema, packages_schema};

fn table(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

/// Names and bytes.
type Members = Vec<(String, Vec<u8>)>;

/// A tar's members, read by the format's own rules.
fn members(path: &Path) -> Members {
    let bytes = fs::read(path).unwrap();
    let mut members = Vec::new();
    let mut at = 0;
    while bytes[at] != 0 {
        let header = &bytes[at..at + 512];
        let text = |from: usize, to: usize| {
            let field = &header[from..to];
            String::from_utf8(field[..field.iter().position(|&b| b == 0).unwrap_or(field.len())].to_vec()).unwrap()
        };
        let size = usize::from_str_radix(&text(124, 136), 8).unwrap();
        members.push((text(0, 100), bytes[at + 512..at + 512 + size].to_vec()));
        at += 512 + size.next_multiple_of(512);
    }
    members
}

fn shards(root: &Path) -> Vec<(manifest::FileRecord, Members)> {
    let dataset: DatasetRecord = manifest::read(&root.join("dataset.json")).unwrap();
    let parts = dataset.parts.iter().map(|entry| manifest::read::<PartRecord>(&root.join(&entry.path)).unwrap());
    let files = parts.flat_map(|part| part.files).filter(|file| file.path.starts_with("shards/"));
    files.map(|file| (file.clone(), members(&root.join(&file.path)))).collect()
}

#[test]
fn shards_roll_and_hold_samples_of_one_subset_and_one_format() {
    let dir = tempfile::tempdir().unwrap();
    let summary = run(dir.path(), &packages(50), &options()).unwrap();
    let shards = shards(dir.path());
    let mut samples = 0;
    for (file, members) in &shards {
        assert_eq!(members.len() as u64, 3 * file.rows);
        assert!((1..=8).contains(&file.rows));
        samples += file.rows;
        let first = &members[0].0;
        for sample in members.chunks(3) {
            let [(image, _), (text, caption), (json, metadata)] = sample else { panic!("three members a sample") };
            let (key, extension) = image.split_once('.').unwrap();
            assert_eq!((text.as_str(), json.as_str()), (&*format!("{key}.txt"), &*format!("{key}.json")));
            assert_eq!(extension, first.split_once('.').unwrap().1, "one format in {}", file.path);
            let metadata: Value = serde_json::from_slice(metadata).unwrap();
            assert_eq!(metadata["image_id"], key);
            assert_eq!(metadata["caption"], String::from_utf8(caption.clone()).unwrap());
            assert_eq!(metadata["shard"], file.path);
            assert_eq!(metadata["article_title"].as_str().unwrap(), format!("Article {}", &key[3..key.len() - 5]));
            assert!(file.path.contains(metadata["subset"].as_str().unwrap()));
            assert!(metadata.get("article_text").is_none());
        }
    }
    assert_eq!(samples, summary.counts.pairs);
    assert!(shards.iter().any(|(file, _)| file.path.ends_with("-0001.tar")), "some subset rolled over");
}

#[test]
fn article_text_is_in_the_samples_when_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(5), &Options { article_text: true, ..options() }).unwrap();
    let (_, members) = shards(dir.path()).remove(0);
    let metadata: Value = serde_json::from_slice(&members[2].1).unwrap();
    assert!(metadata["article_text"].as_str().unwrap().starts_with("Text of"));
}

#[test]
fn every_pointer_leads_to_its_image_and_only_pairs_have_one() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(50), &options()).unwrap();
    let mut pairs = 0;
    for part in 0..3 {
        for batch in table(&dir.path().join(format!("figures/{part:06}.parquet"))) {
            let text = |name| batch.column_by_name(name).unwrap().as_string::<i32>();
            let int = |name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                assert_eq!(text("status").value(row) == "ok", text("shard").is_valid(row));
                if text("shard").is_valid(row) {
                    let shard = fs::read(dir.path().join(text("shard").value(row))).unwrap();
                    let from = usize::try_from(int("shard_offset").value(row)).unwrap();
                    let to = from + usize::try_from(int("shard_length").value(row)).unwrap();
                    assert_eq!(hex(&Sha256::digest(&shard[from..to]).into()), text("image_hash").value(row));
                    pairs += 1;
                }
            }
        }
    }
    assert!(pairs > 20);
}

#[test]
fn tables_read_back_with_their_schema_even_when_they_are_empty() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(1), &options()).unwrap();
    for (name, schema) in [
        ("articles", articles_schema()),
        ("figures", figures_schema(false)),
        ("failures", failures_schema()),
        ("packages", packages_schema()),
    ] {
        let file = File::open(dir.path().join(format!("{name}/000000.parquet"))).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(builder.schema().fields(), schema.fields(), "{name}");
    }
    assert_eq!(table(&dir.path().join("articles/000000.parquet"))[0].num_rows(), 1);
}

#[test]
fn every_package_has_a_row_whatever_it_gave() {
    let dir = tempfile::tempdir().unwrap();
    let mut packages = packages(25);
    packages[3].kind = Kind::Broken;
    packages[4].kind = Kind::Again;
    packages[21].kind = Kind::Silent;
    run(dir.path(), &packages, &options()).unwrap();
    let mut rows = Vec::new();
    for part in 0..2 {
        for batch in table(&dir.path().join(format!("packages/{part:06}.parquet"))) {
            let text = |name| batch.column_by_name(name).unwrap().as_string::<i32>();
            let sizes = batch.column_by_name("num_bytes").unwrap().as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                assert_eq!(text("fingerprint").value(row), sizes.value(row).to_string());
                rows.push((text("package").value(row).to_owned(), sizes.value(row)));
            }
        }
    }
    let expected: Vec<_> = packages.iter().map(|p| (p.path(), 1000 + i64::from(p.number))).collect();
    assert_eq!(rows, expected);
}

#[test]
fn row_groups_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &packages(50), &Options { part_size: 50, ..options() }).unwrap();
    let file = File::open(dir.path().join("figures/000000.parquet")).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let metadata = builder.metadata();
    assert_eq!(metadata.file_metadata().created_by(), Some(concat!("biomedica ", env!("CARGO_PKG_VERSION"))));
    assert!(metadata.row_groups().iter().all(|group| group.num_rows() <= 16 << 10));
    assert!(metadata.row_group(0).column(0).statistics().is_some());
}
