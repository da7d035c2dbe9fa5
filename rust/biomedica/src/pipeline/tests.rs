//! Packages that lie in a store, whole and broken.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use bytes::Bytes;
use md5::{Digest, Md5};

use super::*;
use crate::package::{Kind, Package};
use crate::store;
use crate::store::tests::server::{Answer, Server, serve};

const REAL: &str = "../../../shared/data/packages";
const BUCKET: &str = "s3://pmc-oa-opendata";

/// Objects by their keys.
type Bucket = BTreeMap<String, Vec<u8>>;

/// Everything that the packages give, as text: `source` aside.
fn rows(packages: Vec<Package>, store: &StoreOptions, threads: usize) -> Vec<String> {
    let options = Options { threads, limits: Limits::default(), rules: Rules::of_size(21), store: store.clone() };
    let mut rows = Vec::new();
    for item in Reader::new(units(packages.into_iter().map(Ok)), options) {
        let ((), chunk) = item.unwrap();
        for article in &chunk.articles {
            rows.push(format!("{} {:?} {:?}", article.accession, article.jats.title, article.jats.license));
            for figure in &article.figures {
                let image = figure.image.as_ref().map(|image| (&image.file_name, &image.hash, image.bytes.len()));
                rows.push(format!("{} {} {:?} {image:?}", figure.image_id, figure.status, figure.jats.caption));
            }
        }
        for Failure { error, .. } in &chunk.failures {
            rows.push(format!("{} {} {:?}", error.stage(), error.reason(), error.member()));
        }
    }
    rows
}

fn file(name: &str) -> Vec<u8> {
    let mut gif = b"GIF89a".to_vec();
    gif.extend([100, 0, 100, 0]);
    gif.extend(name.as_bytes());
    gif
}

/// Adds an article to a bucket. `media` are the keys below it that its metadata names.
fn add(bucket: &mut Bucket, name: &str, xml: &[u8], media: &[(&str, Vec<u8>)]) {
    let url = |key: &str, bytes: &[u8]| {
        let digest = Md5::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        format!("{BUCKET}/{key}?md5={digest}")
    };
    let key = format!("{name}/{name}.xml");
    let urls: Vec<String> = media.iter().map(|(path, bytes)| url(&format!("{name}/{path}"), bytes)).collect();
    let metadata = serde_json::json!({"version": 1, "xml_url": url(&key, xml), "media_urls": urls});
    bucket.insert(key, xml.to_vec());
    bucket.insert(format!("metadata/{name}.json"), metadata.to_string().into_bytes());
    bucket.extend(media.iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes.clone())));
}

fn xml(figures: &[&str]) -> Vec<u8> {
    let figure = |href: &&str| format!("<fig><caption><p>Of {href}.</p></caption><graphic href='{href}'/></fig>");
    let figures: String = figures.iter().map(figure).collect();
    format!("<article><body><p>Text.</p>{figures}</body></article>").into_bytes()
}

/// `count` articles of two figures each, one of which gives only its stem.
fn bucket(count: usize) -> Bucket {
    let mut bucket = Bucket::new();
    for number in 1..=count {
        let (a, b) = (file(&format!("a{number}")), file(&format!("b{number}")));
        add(&mut bucket, &format!("PMC{number}.1"), &xml(&["a", "b.gif"]), &[("a.gif", a), ("b.gif", b)]);
    }
    bucket
}

fn articles(base: &str, bucket: &Bucket) -> Vec<Package> {
    let names: Vec<_> = bucket.keys().filter_map(|key| key.strip_prefix("metadata/")?.strip_suffix(".json")).collect();
    names.iter().map(|name| Package::new(format!("{base}/{name}"), Kind::Article, 0)).collect()
}

/// The bucket as a directory.
fn mirror(bucket: &Bucket) -> tempfile::TempDir {
    let top = tempfile::tempdir().unwrap();
    for (key, bytes) in bucket {
        let path = top.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    top
}

fn in_memory(bucket: &Bucket) -> StoreOptions {
    let options = StoreOptions::in_memory("pmc-oa-opendata");
    for (key, bytes) in bucket {
        store::put(&format!("{BUCKET}/{key}"), Bytes::from(bytes.clone()), &options).unwrap();
    }
    options
}

/// A server of the bucket that answers as `spoil` makes of each sound answer, by the number of times that the object was
/// asked for.
fn server(bucket: Bucket, spoil: impl Fn(&str, usize, Answer) -> Answer + Send + Sync + 'static) -> Server {
    let asked = Mutex::new(BTreeMap::<String, usize>::new());
    Server::new(move |_, request| {
        let key = request.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
        let Some(bytes) = bucket.get(&key) else { return Answer::new(404) };
        let times = {
            let mut asked = asked.lock().unwrap();
            let times = asked.entry(key.clone()).or_default();
            *times += 1;
            *times - 1
        };
        spoil(&key, times, serve(bytes, &key, request))
    })
}

#[test]
fn real_articles_are_the_same_from_a_package_a_bucket_and_its_mirror() {
    let Ok(entries) = fs::read_dir(REAL) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut bucket = Bucket::new();
    for (number, path) in (1..).zip(&paths) {
        let limits = Limits::default();
        let package = Package::new(path, Kind::TarGz, 0);
        package::read(&package, &limits, &mut Scratch::new(), &mut |files| {
            let files = files.unwrap();
            let media: Vec<_> =
                files.others.iter().map(|file| (file.base_name(), file.read(&limits).unwrap().to_vec())).collect();
            add(&mut bucket, &format!("PMC{number}.1"), &files.xml.read(&limits).unwrap(), &media);
            ControlFlow::Continue(())
        });
    }
    let packages = paths.iter().map(|path| Package::new(path, Kind::TarGz, 0)).collect();
    // One has no identifier of its own: its name is that of its package.
    let named = |row: String| row.replace("elife-32671", "PMC6");
    let expected: Vec<String> = rows(packages, &StoreOptions::default(), 1).into_iter().map(named).collect();
    assert!(expected.iter().filter(|row| row.contains(" ok ")).count() > 20);
    for threads in [1, 3] {
        assert_eq!(rows(articles(BUCKET, &bucket), &in_memory(&bucket), threads), expected);
    }
    let mirror = mirror(&bucket);
    assert_eq!(rows(articles(&mirror.path().to_string_lossy(), &bucket), &StoreOptions::default(), 2), expected);
}

#[test]
fn faults_of_the_server_change_no_row() {
    let bucket = bucket(40);
    let mirror = mirror(&bucket);
    let packages = articles(&mirror.path().to_string_lossy(), &bucket);
    let expected = rows(packages, &StoreOptions::default(), 1);
    assert_eq!(expected.len(), 120);
    let spoil = |key: &str, times: usize, answer: Answer| match (
        key.len() + key.bytes().map(usize::from).sum::<usize>(),
        times,
    ) {
        (n, 0) if n % 5 == 0 => Answer::new(503).header("Retry-After", "0"),
        (n, 0) if n % 5 == 1 => Answer { cut: Some(answer.body.len() / 2), ..answer },
        (n, 0) if n % 5 == 2 && key.ends_with("gif") => {
            let body = answer.body.iter().map(|byte| !byte).collect();
            Answer { body, ..answer }
        }
        (n, 0) if n % 5 == 3 => Answer { cut: Some(0), ..answer },
        _ => answer,
    };
    let server = server(bucket.clone(), spoil);
    let packages = articles(server.url("").trim_end_matches('/'), &bucket);
    assert_eq!(rows(packages, &StoreOptions::default(), 2), expected);
    assert!(server.requests().len() > bucket.len() + 60, "there were faults");
}

#[test]
fn what_is_gone_is_a_failure_where_it_is_needed() {
    let mut bucket = Bucket::new();
    let media = || [("a.gif", file("a")), ("unused.gif", file("u")), ("movie.mp4", vec![0])];
    for name in ["PMC1.1", "PMC2.1", "PMC3.1", "PMC4.1", "PMC5.1"] {
        add(&mut bucket, name, &xml(&["a"]), &media());
    }
    let packages = articles(BUCKET, &bucket);
    for key in ["PMC1.1/a.gif", "PMC2.1/unused.gif", "PMC3.1/PMC3.1.xml", "metadata/PMC4.1.json", "PMC5.1/movie.mp4"] {
        bucket.remove(key).unwrap();
    }
    let rows = rows(packages, &in_memory(&bucket), 1);
    let short: Vec<String> = rows.iter().map(|row| row.chars().take(34).collect()).collect();
    insta::assert_snapshot!(short.join("\n"), @r#"
    PMC1 None License { code: None, ur
    PMC1_0001 unreadable_image Some("O
    PMC2 None License { code: None, ur
    PMC2_0001 ok Some("Of a.") Some(("
    fetch not_found Some("a.gif")
    fetch not_found Some("PMC3.1.xml")
    fetch not_found Some("metadata/PMC
    PMC5 None License { code: None, ur
    PMC5_0001 ok Some("Of a.") Some(("
    "#);
}

#[test]
fn a_file_that_lies_elsewhere_is_refused() {
    let mut bucket = bucket(1);
    let elsewhere = ["PMC2.1/a.gif", "PMC1.1/../PMC2.1/a.gif", "PMC1.1//a.gif", "a.gif", "PMC1.1"];
    let urls: Vec<String> = elsewhere.iter().map(|key| format!("{BUCKET}/{key}")).collect();
    let metadata = serde_json::json!({"media_urls": urls, "xml_url": "s3://b/PMC9.1/PMC9.1.xml"});
    bucket.insert("metadata/PMC1.1.json".into(), metadata.to_string().into_bytes());
    let rows = rows(articles(BUCKET, &bucket), &in_memory(&bucket), 1);
    let refused = rows.iter().filter(|row| row.starts_with("fetch unsafe_path")).count();
    assert_eq!((refused, rows.len()), (6, 9), "{rows:?}");
}

#[test]
fn a_thumbnail_and_what_is_no_image_are_not_fetched() {
    let mut bucket = Bucket::new();
    let media =
        [("a.gif", file("a")), ("a.jpg", file("b")), ("b.gif", file("c")), ("c.pdf", vec![1]), ("d.mp4", vec![2])];
    add(&mut bucket, "PMC1.1", &xml(&["a", "b"]), &media);
    let server = server(bucket.clone(), |_, _, answer| answer);
    assert_eq!(rows(articles(server.url("").trim_end_matches('/'), &bucket), &StoreOptions::default(), 1).len(), 3);
    let asked: HashSet<String> =
        server.requests().iter().map(|request| request.split(' ').nth(1).unwrap().to_owned()).collect();
    let expected = ["/metadata/PMC1.1.json", "/PMC1.1/PMC1.1.xml", "/PMC1.1/a.jpg", "/PMC1.1/b.gif"];
    assert_eq!(asked, expected.map(str::to_owned).into());
}

#[test]
fn archives_are_read_from_a_store_whole_or_as_they_come() {
    let Ok(bytes) = fs::read(Path::new(REAL).join("elife-32671.tar.gz")) else { return };
    let local = Package::new(Path::new(REAL).join("elife-32671.tar.gz"), Kind::TarGz, 0);
    let expected = rows(vec![local], &StoreOptions::default(), 1);
    let server = Server::of(bytes);
    for num_bytes in [0, Limits::WHOLE_BUFFER + 1] {
        let package = Package::new(server.url("elife-32671.tar.gz?token=secret"), Kind::TarGz, num_bytes);
        assert_eq!(rows(vec![package], &StoreOptions::default(), 1), expected);
    }
    let gone = Package::new(format!("{BUCKET}/none.tar.gz"), Kind::TarGz, 1);
    assert_eq!(rows(vec![gone], &in_memory(&Bucket::new()), 1), ["fetch not_found None"]);
}

#[test]
fn what_is_fetched_ahead_waits_for_room() {
    let bucket = bucket(2);
    let (store, packages) = (in_memory(&bucket), articles(BUCKET, &bucket));
    let room = Room::new(1);
    let begin = |number| package::fetch(&packages, Limits::default(), &store, room.claim(number)).unwrap();
    let never = store.stop.as_ref();
    let first = begin(0).wait(never).unwrap();
    let mut second = begin(1);
    thread::sleep(Duration::from_millis(50));
    assert!(second.poll().is_none() && room.held() > 1);
    drop(first);
    room.set_front(1);
    assert_eq!(second.wait(never).unwrap().packages.len(), 2);
    assert_eq!(room.held(), 0);
}
