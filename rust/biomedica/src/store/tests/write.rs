//! Objects that appear whole.

use std::sync::Mutex;
use std::time::Duration;

use super::*;

fn memory() -> StoreOptions {
    StoreOptions::in_memory("lab")
}

fn read(key: &str, options: &StoreOptions) -> Result<Bytes> {
    fetch(&format!("s3://lab/{key}"), options, u64::MAX)?.wait(&options.stop).map(|fetched| fetched.bytes)
}

#[test]
fn an_object_appears_when_it_is_complete_whatever_its_size() {
    let options = memory();
    for size in [0, 1, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 40_000_000] {
        let data = bytes(size);
        let mut upload = Upload::new("s3://lab/a", &options).unwrap();
        for piece in data.chunks(3_333_333) {
            upload.write(piece).unwrap();
        }
        assert!(read("a", &options).is_err(), "nothing is there yet");
        upload.complete().unwrap();
        assert_eq!(read("a", &options).unwrap(), data);
        delete("s3://lab/a", &options).unwrap();
    }
    delete("s3://lab/a", &options).unwrap();
}

#[test]
fn what_waits_to_be_completed_is_with_the_store_already_and_not_in_memory() {
    let answer = |body: &str| Answer { body: body.into(), ..Answer::new(200) };
    for (size, before, after) in [(1000, (0, 0), (1, 0)), (100_000, (1, 1), (1, 2))] {
        let server = pieces(vec![answer(DONE)]);
        let of = |verb: &str| server.requests().iter().filter(|request| request.starts_with(verb)).count();
        let mut upload = Upload::new("s3://lab/a", &at(&server)).unwrap();
        upload.write(&bytes(size)).unwrap();
        upload.flush().unwrap();
        upload.wait().unwrap();
        assert_eq!((of("PUT"), of("POST")), before);
        upload.complete().unwrap();
        assert_eq!((of("PUT"), of("POST")), after);
    }
}

#[test]
fn an_upload_that_is_dropped_leaves_nothing() {
    let options = memory();
    let mut upload = Upload::new("s3://lab/a", &options).unwrap();
    upload.write(&bytes(20_000_000)).unwrap();
    drop(upload);
    assert_eq!(list("s3://lab", &options).unwrap().count(), 0);
}

#[test]
fn what_was_put_is_listed_below_its_prefix_alone() {
    let options = memory();
    for key in ["a/1", "a/b/2", "ab/3", "c"] {
        put(&format!("s3://lab/{key}"), Bytes::from_static(b"x"), &options).unwrap();
    }
    let found: Vec<String> = list("s3://lab/a/", &options).unwrap().map(|entry| entry.unwrap().location).collect();
    assert_eq!(found, ["s3://lab/a/1", "s3://lab/a/b/2"]);
    assert_eq!(list("s3://lab", &options).unwrap().count(), 4);
}

#[test]
fn a_condition_lets_one_of_two_writers_through() {
    let options = memory();
    let put_if = |bytes: &'static str, over: Option<&Version>| {
        super::put_if("s3://lab/a", Bytes::from_static(bytes.as_bytes()), over, &options).unwrap()
    };
    let first = put_if("1", None).unwrap();
    assert!(put_if("2", None).is_none(), "there is one already");
    let second = put_if("3", Some(&first)).unwrap();
    assert!(put_if("4", Some(&first)).is_none(), "it is another one by now");
    assert!(put_if("5", Some(&second)).is_some());
    assert_eq!(read("a", &options).unwrap(), "5");
}

#[test]
fn http_and_files_take_no_uploads() {
    for location in ["https://host/a", "http://host/a"] {
        let error = Upload::new(location, &StoreOptions::default()).unwrap_err();
        assert_eq!(error.reason(), Reason::UnsupportedFormat);
        assert!(error.to_string().contains("s3://"), "{error}");
    }
}

/// Options by which S3 is this server, and uploads are quick to give up.
fn at(server: &Server) -> StoreOptions {
    let config = vec![("aws_endpoint".to_owned(), server.url("").trim_end_matches('/').to_owned())];
    StoreOptions { config, retry_timeout: Duration::from_secs(2), ..StoreOptions::default() }
}

#[test]
fn a_store_that_is_full_or_closed_is_called_so_at_once() {
    for (status, reason) in [(507, Reason::DiskFull), (403, Reason::PermissionDenied)] {
        let server = Server::new(move |_, _| Answer::new(status));
        let error = put("s3://lab/a", Bytes::from_static(b"x"), &at(&server)).unwrap_err();
        assert_eq!((error.reason(), error.source()), (reason, Some("s3://lab/a")), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

const BEGUN: &str = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
const DONE: &str = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
const LATER: &str = "<Error><Code>InternalError</Code><Message>We failed. Please try again.</Message></Error>";

/// A server that takes the pieces of an upload and answers to their joining, try by try, as it is told.
fn pieces(joins: Vec<Answer>) -> Server {
    let joins = Mutex::new(joins.into_iter());
    Server::new(move |number, request| match request.lines().next().unwrap() {
        line if line.starts_with("POST") && line.contains("uploads") => {
            Answer { body: BEGUN.into(), ..Answer::new(200) }
        }
        line if line.starts_with("POST") => joins.lock().unwrap().next().unwrap(),
        line if line.starts_with("DELETE") => Answer::new(204),
        line if line.starts_with("HEAD") => {
            Answer::new(200).header("ETag", "e").header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        }
        _ => Answer::new(200).header("ETag", &format!("\"{number}\"")),
    })
}

fn upload(server: &Server) -> Result<()> {
    let mut upload = Upload::new("s3://lab/a", &at(server))?;
    upload.write(&bytes(17 << 20))?;
    upload.complete()
}

#[test]
fn an_error_that_comes_after_all_seemed_well_is_answered_by_another_try() {
    let answer = |body: &str| Answer { body: body.into(), ..Answer::new(200) };
    let server = pieces(vec![answer(LATER), answer(DONE)]);
    upload(&server).unwrap();
    let of = |verb: &str| server.requests().iter().filter(|request| request.starts_with(verb)).count();
    assert_eq!((of("PUT"), of("POST"), of("DELETE")), (3, 3, 0));
}

#[test]
fn an_upload_that_cannot_be_joined_is_given_up() {
    let server = pieces(vec![Answer::new(403)]);
    assert_eq!(upload(&server).unwrap_err().reason(), Reason::PermissionDenied);
    assert!(server.requests().last().unwrap().starts_with("DELETE"));
}
