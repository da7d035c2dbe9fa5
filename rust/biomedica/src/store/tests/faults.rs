//! Servers that are overloaded, gone, or break off.

use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::*;
use crate::store::request::retry_after;

fn impatient(seconds: u64) -> StoreOptions {
    StoreOptions { retry_timeout: Duration::from_secs(seconds), ..StoreOptions::default() }
}

#[test]
fn too_many_requests_are_followed_by_the_pause_that_is_asked_for() {
    let data = bytes(100);
    let server = Server::new(move |number, request| match number {
        0 => Answer::new(429).header("Retry-After", "1"),
        1 => Answer::new(503),
        _ => serve(&data, "1", request),
    });
    let start = Instant::now();
    let object = open(&server).unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(object.size(), 100);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_pause_is_seconds_or_a_date() {
    let of = |text: &'static str| {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        let now = chrono::DateTime::parse_from_rfc2822("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        retry_after(&headers, now.into())
    };
    assert_eq!(of("17"), Some(Duration::from_secs(17)));
    assert_eq!(of("Wed, 21 Oct 2015 07:28:30 GMT"), Some(Duration::from_secs(31)));
    assert_eq!(of("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(of("soon"), None);
}

#[test]
fn a_body_that_breaks_off_is_resumed_at_its_next_byte() {
    let data = bytes(100_000);
    let whole = data.clone();
    let server = Server::new(move |number, request| {
        let cut = if number % 2 == 1 { Some(30_000) } else { None };
        let answer = serve(&data, "1", request);
        Answer { cut: cut.filter(|&cut| cut < answer.body.len()), ..answer }
    });
    let object = open(&server).unwrap();
    assert_eq!(object.read(0..100_000).unwrap(), whole);
    assert!(server.requests()[2].contains("range: bytes=30000-99999"));
}

#[test]
fn a_server_that_is_gone_for_a_while_does_no_harm() {
    let data = bytes(5000);
    let whole = data.clone();
    let server = Server::of(data.clone());
    let address = server.address();
    let object = open(&server).unwrap();
    drop(server);
    let back = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        Server::at(address, move |_, request| serve(&data, "1", request))
    });
    assert_eq!(object.read(0..5000).unwrap(), whole);
    drop(back.join().unwrap());
}

#[test]
fn a_server_that_stays_gone_is_an_error_that_names_url_and_byte() {
    let server = Server::of(bytes(5000));
    let object = Object::open(&server.url("a.tar"), &impatient(1)).unwrap();
    let url = server.url("a.tar");
    drop(server);
    let error = object.read(1000..5000).unwrap_err();
    assert_eq!((error.reason(), error.offset()), (Reason::Io, Some(1000)));
    assert_eq!(error.source(), Some(url.as_str()));
}

#[test]
fn an_answer_that_stays_bad_is_an_error_in_time() {
    let server = Server::new(|_, _| Answer::new(503));
    let start = Instant::now();
    let error = Object::open(&server.url("a.tar"), &impatient(1)).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(error.reason(), Reason::Io);
    assert!(error.to_string().contains("the server answered 503"), "{error}");
    let late = Server::new(|_, _| Answer::new(429).header("Retry-After", "3600"));
    assert!(Object::open(&late.url("a.tar"), &impatient(5)).is_err());
    assert_eq!(late.requests().len(), 1, "no use to wait for what comes too late");
}

#[test]
fn what_may_not_be_read_says_what_is_needed() {
    for status in [401, 403] {
        let server = Server::new(move |_, _| Answer::new(status));
        let error = open(&server).unwrap_err();
        assert_eq!(error.reason(), Reason::PermissionDenied);
        assert!(error.to_string().contains("token"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_server_that_ignores_ranges_is_refused_without_a_cache() {
    let server = Server::new(|_, _| Answer { body: bytes(100), ..Answer::new(200) });
    let error = open(&server).unwrap_err();
    assert_eq!(error.reason(), Reason::UnsupportedFormat);
    assert!(error.to_string().contains("ignores Range"), "{error}");
}

#[test]
fn an_object_that_changes_is_a_mismatch() {
    for (length, etag) in [(100, "2"), (101, "1"), (1, "1")] {
        let server = Server::new(move |number, request| match number {
            0 => serve(&bytes(100), "1", request),
            _ => serve(&bytes(length), etag, request),
        });
        let error = open(&server).unwrap().read(10..90).unwrap_err();
        assert_eq!(error.reason(), Reason::Mismatch, "{error}");
    }
}

#[test]
fn who_waits_for_a_server_can_be_stopped() {
    let options = StoreOptions::default();
    let server = Server::of(bytes(100));
    let (url, object) = (server.url("a"), Object::open(&server.url("a"), &options).unwrap());
    drop(server);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let open = scope.spawn(|| Object::open(&url, &options).unwrap_err().reason());
        let read = scope.spawn(|| object.read(0..10).unwrap_err().reason());
        std::thread::sleep(Duration::from_millis(300));
        options.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!((open.join().unwrap(), read.join().unwrap()), (Reason::Interrupted, Reason::Interrupted));
    });
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn redirects_without_end_are_an_error() {
    let server = Server::new(|_, _| Answer::new(302).header("Location", "/again"));
    let error = open(&server).unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
}
