//! How fast articles of a bucket are read, beside plain requests for the same objects: `bucket ENDPOINT ARTICLES ROUNDS`.
//!
//! The server at ENDPOINT is `benches/harness/bucket_server.py`. Prints seconds of both in each round, and the most memory
//! that reading took.

#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::time::Instant;

use biomedica::article::Rules;
use biomedica::error::{Error, Reason, Result, Stage};
use biomedica::limits::Limits;
use biomedica::package::{Kind, Package};
use biomedica::pipeline::{Options, Reader, units};
use biomedica::store::StoreOptions;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::aws::AmazonS3Builder;

const BUCKET: &str = "pmc-oa-opendata";
const IMAGES: usize = 4;
/// Plain requests at once.
const AT_ONCE: usize = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, articles, rounds] = arguments.as_slice() else {
        println!("usage: bucket ENDPOINT ARTICLES ROUNDS");
        return ExitCode::from(2);
    };
    let (Ok(articles), Ok(rounds)) = (articles.parse(), rounds.parse()) else { return ExitCode::from(2) };
    let mut peak = None;
    for _ in 0..rounds {
        let start = Instant::now();
        let ours = read(endpoint, articles);
        let ours = ours.map(|figures| (figures, start.elapsed().as_secs_f64()));
        peak = peak.or_else(peak_kib);
        let start = Instant::now();
        let plain = get(endpoint, articles).map(|bytes| (bytes, start.elapsed().as_secs_f64()));
        match (ours, plain) {
            (Ok((figures, ours)), Ok((bytes, plain))) if figures == articles * IMAGES => {
                println!("read {ours:.3} s, plain {plain:.3} s, {:.2}; {bytes} bytes; peak {peak:?} KiB", plain / ours);
            }
            (ours, plain) => {
                println!("failed: {ours:?} {plain:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Reads all articles; gives how many images there were.
fn read(endpoint: &str, articles: usize) -> Result<usize> {
    let config = vec![("aws_endpoint".into(), endpoint.into()), ("aws_allow_http".into(), "true".into())];
    let store = StoreOptions { config, ..StoreOptions::default() };
    let options = Options { threads: 2, limits: Limits::default(), rules: Rules::of_size(21), store };
    let package = |number| Ok(Package::new(format!("s3://{BUCKET}/PMC{number}.1"), Kind::Article, 0));
    let mut images = 0;
    for item in Reader::new(units((1..=articles).map(package)), options) {
        let ((), chunk) = item?;
        images += chunk.articles.iter().flat_map(|a| &a.figures).filter(|figure| figure.image.is_some()).count();
    }
    Ok(images)
}

/// Asks for all objects and does nothing with them; gives their bytes.
fn get(endpoint: &str, articles: usize) -> Result<usize> {
    let failed = |error: &dyn std::error::Error| Error::new(Stage::Fetch, Reason::Io, error.to_string());
    let builder = AmazonS3Builder::new().with_bucket_name(BUCKET).with_endpoint(endpoint).with_allow_http(true);
    let store = builder.with_skip_signature(true).build().map_err(|error| failed(&error))?;
    let keys = (1..=articles).flat_map(|number| {
        let name = format!("PMC{number}.1");
        let images = (0..IMAGES).map({
            let name = name.clone();
            move |image| format!("{name}/f{image}.gif")
        });
        [format!("metadata/{name}.json"), format!("{name}/{name}.xml")].into_iter().chain(images)
    });
    let all = async {
        let one = async |key: String| Ok::<_, object_store::Error>(store.get(&key.into()).await?.bytes().await?.len());
        stream::iter(keys).map(one).buffer_unordered(AT_ONCE).try_fold(0, async |sum, len| Ok(sum + len)).await
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| failed(&error))?.block_on(all).map_err(|error| failed(&error))
}

/// The most memory that this process has had.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
}
