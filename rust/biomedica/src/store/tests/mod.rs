//! Objects from a small server on loopback that misbehaves as it is told.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod cache;
mod faults;
pub(crate) mod server;
mod whole;
mod write;

use std::io::Read;

use super::*;
use crate::error::Reason;
use server::{Answer, Server, serve};

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
}

fn open(server: &Server) -> Result<Object> {
    Object::open(&server.url("shard.tar"), &StoreOptions::default())
}

#[test]
fn an_object_is_read_by_range_and_in_sequence() {
    let data = bytes(9_000_000);
    let server = Server::of(data.clone());
    let object = open(&server).unwrap();
    assert_eq!(object.size(), data.len() as u64);
    assert!(!object.is_local());
    assert_eq!(object.read(10..1_000_010).unwrap(), &data[10..1_000_010]);
    assert_eq!(object.read(5..5).unwrap(), "");
    let mut all = Vec::new();
    object.reader(123).unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all, &data[123..]);
    let mut none = Vec::new();
    object.reader(data.len() as u64 + 5).unwrap().read_to_end(&mut none).unwrap();
    assert_eq!(none, b"");
}

#[test]
fn an_empty_object_has_no_bytes() {
    let object = open(&Server::of(Vec::new())).unwrap();
    assert_eq!((object.size(), object.read(0..0).unwrap().len()), (0, 0));
}

#[test]
fn a_range_beyond_the_end_is_truncated_without_a_request() {
    let server = Server::of(bytes(100));
    let object = open(&server).unwrap();
    let before = server.requests().len();
    let error = object.read(50..u64::MAX).unwrap_err();
    assert_eq!(error.reason(), Reason::Truncated);
    assert_eq!(server.requests().len(), before);
}

#[test]
fn a_file_url_is_a_local_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"abc").unwrap();
    let object = Object::open(&format!("file://{}", file.path().display()), &StoreOptions::default()).unwrap();
    assert!(object.is_local());
    assert_eq!(object.read(1..3).unwrap(), "bc");
}

#[test]
fn reading_works_within_another_runtime() {
    let server = Server::of(bytes(100));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let length = runtime.block_on(async { open(&server).unwrap().read(0..100).unwrap().len() });
    assert_eq!(length, 100);
}

#[test]
fn headers_go_to_their_host_alone_and_a_redirect_is_remembered() {
    let cdn = Server::of(bytes(1000));
    let target = cdn.url("blob?signature=1");
    let hub = Server::new(move |_, _| Answer::new(302).header("Location", &target));
    let header = |prefix: String, name: &str| Header { prefix, name: name.into(), value: "s3cret".into() };
    let headers =
        vec![header(hub.url(""), "Authorization"), header(String::new(), "X-Key"), header("https://".into(), "X-No")];
    let options = StoreOptions { headers, ..StoreOptions::default() };
    let object = Object::open(&hub.url("shard.tar"), &options).unwrap();
    object.read(0..10).unwrap();
    object.read(10..20).unwrap();
    let asked = hub.requests();
    assert_eq!(asked.len(), 1, "the redirect is remembered");
    assert!(asked[0].contains("authorization: s3cret") && asked[0].contains("x-key: s3cret"));
    assert!(!asked[0].contains("x-no"));
    let asked = cdn.requests();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| !request.contains("s3cret") && request.contains("range: bytes=")));
}

#[test]
fn a_redirect_that_expired_is_asked_for_again() {
    let data = bytes(100);
    let cdn = Server::new(move |number, request| match number {
        1 => Answer::new(403),
        _ => serve(&data, "1", request),
    });
    let target = cdn.url("blob");
    let hub = Server::new(move |_, _| Answer::new(302).header("Location", &target));
    let object = open(&hub).unwrap();
    assert_eq!(object.read(0..100).unwrap().len(), 100);
    assert_eq!(hub.requests().len(), 2);
}

#[test]
fn a_query_is_sent_but_shown_to_nobody() {
    let server = Server::new(|_, _| Answer::new(404));
    let url = server.url("a.tar?X-Amz-Signature=s3cret");
    let error = Object::open(&url, &StoreOptions::default()).unwrap_err();
    assert!(server.requests()[0].contains("s3cret"));
    assert_eq!(error.reason(), Reason::NotFound);
    let text = error.to_string();
    assert!(text.contains("/a.tar: not_found: the server answered 404") && !text.contains("s3cret"), "{text}");
}

#[test]
fn unknown_schemes_and_broken_urls_are_refused() {
    for location in ["ftp://host/a.tar", "s3://", "http://", "s3://bucket", "az:///a", "s3://bucket/a//b/../c"] {
        let error = Object::open(location, &StoreOptions::default()).unwrap_err();
        assert_eq!(error.reason(), Reason::UnsupportedFormat, "{location}: {error}");
    }
}
