//! The cache on disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;

fn cached(dir: &Path, max_bytes: u64, keep: Duration) -> StoreOptions {
    let cache = CacheOptions { keep, ..CacheOptions::new(dir, max_bytes) };
    StoreOptions { cache: Some(cache), ..StoreOptions::default() }
}

fn total(dir: &Path) -> u64 {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

fn only_file(dir: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.extension().is_none() && !path.ends_with(".lock")).unwrap()
}

#[test]
fn an_object_is_fetched_once_and_then_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let data = bytes(100_000);
    let server = Server::of(data.clone());
    let options = cached(dir.path(), 1 << 20, Duration::ZERO);
    let object = Object::open(&server.url("a"), &options).unwrap();
    assert_eq!(object.read(5..10).unwrap(), &data[5..10]);
    let mut all = Vec::new();
    object.reader(0).unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all, data);
    assert_eq!(server.requests().len(), 2, "one to open, one for the whole");
    let again = Object::open(&server.url("a"), &options).unwrap();
    assert_eq!(again.read(0..100_000).unwrap(), data);
    assert_eq!(server.requests().len(), 3);
    assert!(!again.is_local(), "whether it is a file depends on where it lies alone");
}

#[test]
fn a_server_that_ignores_ranges_is_handled_with_a_cache() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(|number, _| Answer {
        body: bytes(50_000),
        // The first time the whole of it is fetched, it breaks off.
        cut: (number == 2).then_some(20_000),
        ..Answer::new(200)
    });
    let object = Object::open(&server.url("a"), &cached(dir.path(), 1 << 20, Duration::ZERO)).unwrap();
    assert_eq!(object.read(10_000..50_000).unwrap(), &bytes(50_000)[10_000..]);
}

#[test]
fn the_longest_unused_file_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(bytes(1000));
    let options = cached(dir.path(), 2500, Duration::ZERO);
    for name in ["a", "b", "c", "d"] {
        Object::open(&server.url(name), &options).unwrap().read(0..10).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert!(total(dir.path()) <= 2500);
    }
    let before = server.requests().len();
    let read = |name: &str| Object::open(&server.url(name), &options).unwrap().read(0..10).unwrap();
    read("c");
    read("d");
    assert_eq!(server.requests().len(), before + 2, "c and d are there");
    read("a");
    assert_eq!(server.requests().len(), before + 4, "a is not");
}

#[test]
fn what_is_in_use_stays_and_what_has_no_room_is_read_by_range() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::of(bytes(1000));
    let options = cached(dir.path(), 1500, Duration::from_mins(1));
    Object::open(&server.url("a"), &options).unwrap().read(0..10).unwrap();
    let other = Object::open(&server.url("b"), &options).unwrap();
    assert_eq!(other.read(990..1000).unwrap(), &bytes(1000)[990..]);
    assert!(server.requests().last().unwrap().contains("range: bytes=990-999"));
    assert_eq!(total(dir.path()), 1000);
    let large = Object::open(&server.url("c"), &cached(dir.path(), 999, Duration::ZERO)).unwrap();
    assert_eq!(large.read(0..1000).unwrap(), bytes(1000));
}

#[test]
fn a_short_file_and_what_a_killed_process_left_are_fetched_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = bytes(1000);
    let server = Server::of(data.clone());
    let options = cached(dir.path(), 1900, Duration::from_mins(1));
    let object = Object::open(&server.url("a"), &options).unwrap();
    object.read(0..10).unwrap();
    let file = only_file(dir.path());
    fs::write(&file, b"short").unwrap();
    fs::write(file.with_extension("part"), bytes(700)).unwrap();
    fs::write(dir.path().join("0123.part"), bytes(1500)).unwrap();
    assert_eq!(object.read(0..1000).unwrap(), data);
    assert_eq!(fs::read(&file).unwrap(), data);
    assert_eq!(total(dir.path()), 1000, "nobody holds the parts");
}

#[test]
fn a_changed_object_is_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let options = cached(dir.path(), 1 << 20, Duration::ZERO);
    let server = Server::new(|number, request| match number {
        0 | 1 => serve(b"old", "1", request),
        _ => serve(b"new", "2", request),
    });
    for expected in ["old", "new"] {
        assert_eq!(Object::open(&server.url("a"), &options).unwrap().read(0..3).unwrap(), expected);
    }
}

#[test]
fn many_readers_at_once_fetch_the_whole_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = bytes(2_000_000);
    let server = Server::of(data.clone());
    let options = cached(dir.path(), 1 << 30, Duration::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut all = Vec::new();
                let object = Object::open(&server.url("a"), &options).unwrap();
                object.reader(0).unwrap().read_to_end(&mut all).unwrap();
                assert!(all == data);
            });
        }
    });
    let whole = server.requests().iter().filter(|request| request.contains("range: bytes=0-1999999")).count();
    assert_eq!(whole, 1);
    assert_eq!(total(dir.path()), 2_000_000);
}
