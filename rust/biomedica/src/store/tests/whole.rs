//! Whole objects, their digests, and listings.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

use super::*;

fn md5(data: &[u8]) -> String {
    Md5::digest(data).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn wait(pending: Result<Pending<Fetched>>) -> Result<Bytes> {
    pending?.wait(&AtomicBool::new(false)).map(|fetched| fetched.bytes)
}

fn whole(location: &str) -> Result<Bytes> {
    wait(fetch(location, &StoreOptions::default(), 1 << 20))
}

#[test]
fn a_whole_object_comes_in_one_request_with_its_etag() {
    let data = bytes(100_000);
    let server = Server::of(data.clone());
    let mut pending = fetch(&server.url("a.xml"), &StoreOptions::default(), 100_000).unwrap();
    let fetched = loop {
        match pending.poll() {
            Some(result) => break result.unwrap(),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    assert_eq!((fetched.bytes.as_ref(), fetched.etag.as_deref()), (data.as_slice(), Some("\"1\"")));
    assert_eq!(server.requests().len(), 1);
    assert_eq!(whole(&Server::of(Vec::new()).url("empty")).unwrap(), "");
}

#[test]
fn a_file_is_fetched_like_an_object() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"abc").unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(whole(path).unwrap(), "abc");
    assert_eq!(wait(fetch(path, &StoreOptions::default(), 2)).unwrap_err().reason(), Reason::TooLarge);
    assert_eq!(whole("/none/at/all").unwrap_err().reason(), Reason::NotFound);
}

#[test]
fn what_is_too_large_is_not_read() {
    let server = Server::of(bytes(2000));
    let error = wait(fetch(&server.url("a"), &StoreOptions::default(), 1999)).unwrap_err();
    assert_eq!(error.reason(), Reason::TooLarge);
    assert!(error.to_string().contains("2000 bytes"), "{error}");
}

#[test]
fn a_whole_object_that_breaks_off_is_resumed_whether_or_not_ranges_are_heeded() {
    for heeds in [true, false] {
        let data = bytes(100_000);
        let expected = data.clone();
        let server = Server::new(move |number, request| {
            let answer = if heeds {
                serve(&data, "1", request)
            } else {
                Answer { body: data.clone(), ..Answer::new(200).header("ETag", "\"1\"") }
            };
            Answer { cut: (number == 0).then_some(30_000), ..answer }
        });
        assert_eq!(whole(&server.url("a")).unwrap(), expected);
        assert!(server.requests()[1].contains("range: bytes=30000-99999"));
    }
}

#[test]
fn a_digest_is_checked_and_not_sent() {
    let data = bytes(5000);
    let server = Server::of(data.clone());
    let right = format!("{}?md5={}", server.url("a.jpg"), md5(&data));
    assert_eq!(whole(&right).unwrap(), data);
    assert!(server.requests().iter().all(|request| !request.contains("md5")));
    // What is no digest is a part of the URL.
    whole(&server.url("a.jpg?md5=12")).unwrap();
    assert!(server.requests().last().unwrap().contains("md5=12"));
    let object = Object::open(&right, &StoreOptions::default()).unwrap();
    assert_eq!(object.read(0..5000).unwrap(), data);
    let mut all = Vec::new();
    object.reader(0).unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all, data);
}

#[test]
fn garbled_bytes_are_asked_for_again() {
    let data = bytes(5000);
    let good = data.clone();
    let server = Server::new(move |number, request| match number {
        0 | 1 => serve(&bytes(4999).into_iter().chain([0]).collect::<Vec<_>>(), "1", request),
        _ => serve(&good, "1", request),
    });
    assert_eq!(whole(&format!("{}?md5={}", server.url("a"), md5(&data))).unwrap(), data);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn bytes_that_stay_other_than_their_digest_are_corrupt() {
    let server = Server::of(bytes(5000));
    let wrong = format!("{}?md5={}", server.url("a"), md5(b"other"));
    let error = whole(&wrong).unwrap_err();
    assert_eq!(error.reason(), Reason::Corrupt);
    assert_eq!(error.source(), Some(server.url("a").as_str()));
    let object = Object::open(&wrong, &StoreOptions::default()).unwrap();
    assert_eq!(object.read(0..4999).unwrap().len(), 4999, "a part of it cannot be checked");
    let mut all = Vec::new();
    let error = object.reader(0).unwrap().read_to_end(&mut all).unwrap_err();
    assert!(error.to_string().contains("MD5"), "{error}");
}

#[test]
fn a_request_that_stalls_ends_in_time_and_is_repeated() {
    let data = bytes(5000);
    let expected = data.clone();
    let server = Server::new(move |number, request| {
        let answer = serve(&data, "1", request);
        match number {
            // Before the answer, then in the middle of its body.
            0 => Answer { stall: Some(0), ..answer },
            1 => Answer { stall: Some(2000), ..answer },
            _ => answer,
        }
    });
    let options = StoreOptions { request_timeout: Duration::from_millis(300), ..StoreOptions::default() };
    let start = Instant::now();
    assert_eq!(wait(fetch(&server.url("a"), &options, 1 << 20)).unwrap(), expected);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(server.requests()[2].contains("range: bytes=2000-4999"));
}

const PAGES: [&str; 2] = [
    "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>\
     <Contents><Key>in/a 1.xml</Key><Size>3</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
     <ETag>&quot;e&quot;</ETag></Contents></ListBucketResult>",
    "<ListBucketResult><IsTruncated>false</IsTruncated>\
     <Contents><Key>in/b/c.xml</Key><Size>4</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
     <ETag>&quot;f&quot;</ETag></Contents></ListBucketResult>",
];

fn s3(server: &Server) -> StoreOptions {
    let config = vec![("AWS_ENDPOINT_URL".to_owned(), server.url("").trim_end_matches('/').to_owned())];
    StoreOptions { config, retry_timeout: Duration::from_secs(1), ..StoreOptions::default() }
}

#[test]
fn a_prefix_is_listed_over_all_its_pages() {
    let server = Server::new(|_, request| {
        let page = PAGES[usize::from(request.contains("continuation-token=t"))];
        Answer { body: page.into(), ..Answer::new(200) }
    });
    let found: Vec<Entry> = list("s3://lab/in/", &s3(&server)).unwrap().map(Result::unwrap).collect();
    let names: Vec<_> = found.iter().map(|entry| (entry.location.as_str(), entry.num_bytes)).collect();
    assert_eq!(names, [("s3://lab/in/a 1.xml", 3), ("s3://lab/in/b/c.xml", 4)]);
    assert_eq!(found[0].etag.as_deref(), Some("\"e\""));
    assert!(server.requests()[0].contains("prefix=in%2F"), "{}", server.requests()[0]);
}

#[test]
fn a_listing_that_is_refused_is_an_error_and_ends() {
    let server = Server::new(|_, _| Answer::new(403));
    let mut listing = list("s3://lab/in", &s3(&server)).unwrap();
    assert_eq!(listing.next().unwrap().unwrap_err().reason(), Reason::PermissionDenied);
    assert!(listing.next().is_none());
    assert_eq!(list("https://host/in", &StoreOptions::default()).unwrap_err().reason(), Reason::UnsupportedFormat);
}

#[test]
fn options_stand_above_the_environment_and_slips_are_refused() {
    let server = Server::of(bytes(10));
    assert_eq!(wait(fetch("s3://lab/a", &s3(&server), 10)).unwrap().len(), 10);
    let with = |name: &str, value: &str| StoreOptions {
        config: vec![(name.to_owned(), value.to_owned())],
        ..StoreOptions::default()
    };
    for (name, value, what) in [
        ("aws_acces_key_id", "x", "no store knows"),
        ("timeout", "3s", "has no effect"),
        ("endpoint", "http://minio.example:9000", "AWS_ALLOW_HTTP"),
    ] {
        let error = Object::open("s3://lab/a", &with(name, value)).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
    let error = Object::open("az://lab/a", &with("google_service_account_key", "{}")).unwrap_err();
    assert!(error.to_string().to_lowercase().contains("account"), "{error}");
}

#[test]
fn google_and_azure_are_asked_in_their_own_way() {
    let data = bytes(1000);
    let server = Server::new(move |_, request| match request.lines().next().unwrap() {
        line if line.starts_with("PUT") => Answer::new(201).header("ETag", "\"2\""),
        _ => serve(&data, "1", request).header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
    });
    let at = |names: &[(&str, &str)]| {
        let url = server.url("").trim_end_matches('/').to_owned();
        let config = names.iter().map(|(name, value)| ((*name).to_owned(), value.replace("URL", &url))).collect();
        StoreOptions { config, ..StoreOptions::default() }
    };
    let google = at(&[("google_base_url", "URL"), ("google_bearer_token", "t")]);
    let azure = at(&[("azure_endpoint", "URL"), ("account_name", "lab"), ("account_key", "c2VjcmV0")]);
    for (location, options, path, mark) in [
        ("gs://bucket/a b", &google, "/bucket/a%20b", "authorization: bearer t"),
        ("az://container/a b", &azure, "/container/a%20b", "authorization: sharedkey lab:"),
    ] {
        assert_eq!(wait(fetch(location, options, 1000)).unwrap().len(), 1000);
        let object = Object::open(location, options).unwrap();
        assert_eq!(object.read(10..20).unwrap().len(), 10);
        put(location, Bytes::from_static(b"x"), options).unwrap();
        let requests = server.requests();
        for (verb, request) in ["GET", "GET", "GET", "PUT"].iter().zip(&requests[requests.len() - 4..]) {
            assert!(request.starts_with(&format!("{verb} {path}")), "{request}");
            assert!(request.contains(mark), "{request}");
        }
    }
}
