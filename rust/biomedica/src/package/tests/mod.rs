//! Packages made by code, read whole and streamed.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod build;
mod directories;
mod grouping;
mod hostile;
mod properties;
mod real;

use std::ops::ControlFlow::Continue;

use arrow_buffer::Buffer;

use super::*;

/// What a package gave, in order and readable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Article { name: String, xml: (String, Vec<u8>), others: Vec<(String, Vec<u8>)> },
    Failure { stage: Stage, reason: Reason, member: Option<String>, offset: Option<u64>, detail: String },
}

impl Item {
    /// `name: xml + other, other`, or `stage reason member`.
    fn line(&self) -> String {
        match self {
            Self::Article { name, xml, others } => {
                let others: Vec<_> = others.iter().map(|(path, _)| path.as_str()).collect();
                format!("{name}: {} + {}", xml.0, others.join(", ")).trim_end_matches([' ', '+']).to_owned()
            }
            Self::Failure { stage, reason, member, .. } => {
                format!("{stage} {reason} {}", member.as_deref().unwrap_or("-"))
            }
        }
    }
}

fn lines(items: &[Item]) -> Vec<String> {
    items.iter().map(Item::line).collect()
}

fn item(result: Result<Files>, limits: &Limits) -> Item {
    match result {
        Ok(files) => {
            let read = |file: &File| (file.path().to_owned(), file.read(limits).unwrap().to_vec());
            Item::Article { name: files.name, xml: read(&files.xml), others: files.others.iter().map(read).collect() }
        }
        Err(error) => {
            assert!(error.source().is_some(), "a failure names its source: {error}");
            let (stage, reason, offset) = (error.stage(), error.reason(), error.offset());
            Item::Failure { stage, reason, member: error.member().map(str::to_owned), offset, detail: error.detail() }
        }
    }
}

fn read_with(bytes: &[u8], kind: Kind, limits: &Limits, scratch: &mut Scratch) -> Vec<Item> {
    let mut items = Vec::new();
    read_bytes("pack.tar.gz", Buffer::from(bytes), kind, limits, scratch, &mut |result| {
        items.push(item(result, limits));
        Continue(())
    });
    items
}

/// Reads an archive both ways, which must agree.
fn read_limited(bytes: &[u8], limits: &Limits) -> Vec<Item> {
    let whole = read_with(bytes, Kind::TarGz, limits, &mut Scratch::new());
    let streamed = read_with(bytes, Kind::TarGz, limits, &mut Scratch::with_whole_buffer(0));
    assert_eq!(whole, streamed, "whole and streamed differ");
    whole
}

fn read_both(bytes: &[u8]) -> Vec<Item> {
    read_limited(bytes, &Limits::default())
}

fn read_package(path: &Path, kind: Kind) -> Vec<Item> {
    let limits = Limits::default();
    let mut items = Vec::new();
    let package = Package::new(path.to_owned(), kind, 0);
    read(&package, &limits, &mut Scratch::new(), &mut |result| {
        items.push(item(result, &limits));
        Continue(())
    });
    items
}
