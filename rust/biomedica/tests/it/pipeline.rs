use std::path::PathBuf;
use std::time::Duration;

use biomedica::article::Rules;
use biomedica::error::{Error, Reason, Stage};
use biomedica::limits::Limits;
use biomedica::package::{Kind, Package};
use biomedica::pipeline::{Options, Reader, Unit};
use biomedica::store::StoreOptions;

fn options(threads: usize) -> Options {
    Options { threads, limits: Limits::default(), rules: Rules::of_size(21), store: StoreOptions::default() }
}

fn packages(directory: &std::path::Path, count: usize) -> Vec<Package> {
    (0..count)
        .map(|number| {
            let path = directory.join(format!("a{number:03}.xml"));
            let xml =
                format!("<article><body>{}<fig><graphic href='a'/></fig></body></article>", "<p>x</p>".repeat(number));
            std::fs::write(&path, &xml).unwrap();
            Package::new(path, Kind::Xml, xml.len() as u64)
        })
        .collect()
}

fn units(packages: &[Package], each: usize) -> Vec<Result<Unit<usize>, Error>> {
    packages.chunks(each).enumerate().map(|(tag, run)| Ok(Unit { tag, packages: run.to_vec() })).collect()
}

fn trace(units: Vec<Result<Unit<usize>, Error>>, threads: usize) -> Vec<String> {
    Reader::new(units.into_iter(), options(threads))
        .map(|item| match item {
            Ok((tag, chunk)) => {
                let articles: Vec<_> = chunk.articles.iter().map(|article| article.accession.as_str()).collect();
                let failures: Vec<_> = chunk.failures.iter().map(|failure| failure.error.reason().as_str()).collect();
                format!("{tag}: {} {}", articles.join(","), failures.join(","))
            }
            Err(error) => format!("error {}", error.reason()),
        })
        .collect()
}

#[test]
fn chunks_and_errors_come_in_the_order_of_the_input_whatever_the_threads() {
    let directory = tempfile::tempdir().unwrap();
    let packages = packages(directory.path(), 200);
    let input = || {
        let mut input = units(&packages, 7);
        input.insert(3, Err(Error::new(Stage::Open, Reason::NotFound, "gone")));
        input.push(Ok(Unit { tag: 99, packages: Vec::new() }));
        input
    };
    let one = trace(input(), 1);
    assert_eq!(one.iter().filter(|line| line.starts_with("error")).count(), 1);
    assert_eq!(one.last().unwrap(), "99:  ");
    for threads in [2, 3, 8] {
        assert_eq!(trace(input(), threads), one, "{threads} threads");
    }
}

#[test]
fn a_missing_package_is_a_failure_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut packages = packages(directory.path(), 3);
    packages.insert(1, Package::new(PathBuf::from("/nowhere/x.tar.gz"), Kind::TarGz, 1));
    assert_eq!(trace(units(&packages, 4), 2), ["0: a000,a001,a002 not_found"]);
}

#[test]
fn a_large_package_is_read_by_several_workers_in_its_own_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bulk.tar");
    let mut tar = Vec::new();
    for number in 0..500 {
        let xml = format!("<article><body><p>{number}</p>{}</body></article>", " ".repeat(4000));
        let mut header = [0_u8; 512];
        let name = format!("bulk/PMC{number}.xml");
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", xml.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(xml.as_bytes());
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    std::fs::write(&path, &tar).unwrap();
    let package = Package::new(path, Kind::Tar, tar.len() as u64);
    let read = |threads| trace(vec![Ok(Unit { tag: 0, packages: vec![package.clone()] })], threads);
    let one = read(1);
    assert!(one.len() > 1);
    assert_eq!(one.join(",").matches("PMC").count(), 500);
    assert_eq!(read(4), one);
}

#[test]
fn dropping_the_reader_stops_the_workers() {
    let directory = tempfile::tempdir().unwrap();
    let packages = packages(directory.path(), 100);
    let endless = (0..).map(move |tag| Ok(Unit { tag, packages: packages.clone() }));
    let mut reader = Reader::new(endless, options(3));
    assert!(reader.next().is_some());
    drop(reader);
}

#[test]
fn waiting_ends_when_the_time_is_up() {
    let slow = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(300));
        Ok(Unit { tag: 0, packages: Vec::new() })
    });
    let mut reader = Reader::new(slow.take(1), options(1));
    assert!(reader.next_within(Duration::from_millis(1)).is_none());
    assert!(reader.next().is_some());
    assert!(reader.next().is_none());
}

#[test]
fn what_is_read_ahead_is_bounded() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let pulled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&pulled);
    let units = (0..1000).map(move |tag| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(Unit { tag, packages: Vec::new() })
    });
    let mut reader = Reader::new(units, options(2));
    assert!(reader.next().is_some());
    std::thread::sleep(Duration::from_millis(100));
    assert!(pulled.load(Ordering::SeqCst) < 10, "{pulled:?}");
}

#[test]
fn a_panic_of_the_input_is_an_error_of_the_run() {
    let units = (0..3).map(|tag| {
        assert!(tag != 1, "broken input");
        Ok(Unit { tag, packages: Vec::new() })
    });
    let items: Vec<_> = Reader::new(units, options(2)).map(|item| item.map_err(|error| error.reason())).collect();
    assert!(items.iter().any(|item| matches!(item, Err(Reason::Internal))));
    assert_eq!(items.iter().filter(|item| item.is_ok()).count(), 2);
}

#[test]
fn units_keep_packages_and_errors_in_their_places() {
    let package = || Ok(Package::new(PathBuf::from("a"), Kind::Xml, 1));
    let error = || Err(Error::new(Stage::Open, Reason::NotFound, "gone"));
    let mut input = vec![error(), error(), package(), error(), package()];
    input.extend((0..17).map(|_| package()));
    input.push(error());
    let found: Vec<_> =
        biomedica::pipeline::units(input.into_iter()).map(|unit| unit.ok().map(|unit| unit.packages.len())).collect();
    assert_eq!(found, [None, None, Some(1), None, Some(16), Some(2), None]);
}
