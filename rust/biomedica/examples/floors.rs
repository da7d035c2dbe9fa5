//! What reading costs at the least, and what it costs here, on the same files in one thread: seconds as JSON.
//!
//! `cargo run --release --example floors -- PATH…` takes documents (`.xml`, `.nxml`) and packages (`.tar.gz`). Files are
//! read before any clock runs. The benchmark harness calls it between the turns of the other contenders.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::hint::black_box;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arrow_buffer::Buffer;
use biomedica::article::Rules;
use biomedica::error::{Error, Result};
use biomedica::limits::Limits;
use biomedica::package::{Kind, Scratch, read_bytes};
use biomedica::pipeline::{Options, Reader, units};
use biomedica::source::{self, Selection};
use biomedica::store::StoreOptions;
use biomedica::{image, jats, tables};
use libdeflater::Decompressor;
use quick_xml::events::Event;

fn main() -> ExitCode {
    match measure(&std::env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("floors: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(paths: &[PathBuf]) -> Result<String> {
    let mut files = Files::default();
    for path in paths {
        files.load(path)?;
    }
    let (xml_events, _) = clock(|| files.documents.iter().map(|xml| events(xml)).sum::<usize>());
    let (parse, _) =
        clock(|| files.documents.iter().filter_map(|xml| jats::parse(xml, &Limits::default()).ok()).count());
    let (sha256, _) = clock(|| files.images.iter().map(|image| usize::from(image::sha256(image)[0])).sum::<usize>());
    let mut inflater = Decompressor::new();
    let mut room = vec![0; files.packages.iter().map(|(_, size)| *size).max().unwrap_or(0)];
    let (inflate, _) = clock(|| {
        let inflate = |(package, _): &(Vec<u8>, usize)| inflater.gzip_decompress(package, &mut room).unwrap_or(0);
        files.packages.iter().map(inflate).sum::<usize>()
    });
    let options =
        Options { threads: 1, limits: Limits::default(), rules: Rules::of_size(21), store: StoreOptions::default() };
    let (arrow, rows) = clock(|| -> Result<usize> {
        let mut rows = 0;
        for item in Reader::new(units(source::walk(paths, &Selection::default(), &StoreOptions::default())), options) {
            let ((), chunk) = item?;
            rows += tables::articles(&chunk.articles)?.num_rows();
            rows += tables::figures(&chunk.articles, true, None)?.num_rows();
            rows += tables::failures(&chunk.failures)?.num_rows();
        }
        Ok(rows)
    });
    rows?;
    let report = [
        ("xml_events_s", xml_events),
        ("parse_s", parse),
        ("sha256_s", sha256),
        ("inflate_s", inflate),
        ("packages_to_arrow_s", arrow),
    ];
    let fields: Vec<_> = report.iter().map(|(name, time)| format!("\"{name}\": {}", time.as_secs_f64())).collect();
    Ok(format!("{{{}}}", fields.join(", ")))
}

fn clock<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed(), result)
}

/// The events and attributes of a document, and nothing done with them.
fn events(xml: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(xml) else { return 0 };
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().allow_dangling_amp = true;
    let mut count = 0;
    loop {
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                count += element.attributes().with_checks(false).flatten().count();
            }
            Ok(Event::Eof) | Err(_) => return count,
            Ok(_) => count += 1,
        }
    }
}

/// What the floors work on: documents, images, and packages with their expanded size.
#[derive(Default)]
struct Files {
    documents: Vec<Buffer>,
    images: Vec<Buffer>,
    packages: Vec<(Vec<u8>, usize)>,
}

impl Files {
    fn load(&mut self, path: &std::path::Path) -> Result<()> {
        let bytes =
            std::fs::read(path).map_err(|error| Error::io(biomedica::error::Stage::Open, &error).at_path(path))?;
        let kind = Kind::of_file(path).unwrap_or(Kind::Xml);
        if kind == Kind::TarGz {
            let size = bytes.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
            self.packages.push((bytes.clone(), usize::try_from(size).unwrap_or(0)));
        }
        let limits = Limits::default();
        read_bytes(&path.to_string_lossy(), Buffer::from(bytes), kind, &limits, &mut Scratch::new(), &mut |files| {
            if let Ok(files) = files {
                self.documents.extend(files.xml.read(&limits).ok());
                self.images.extend(files.others.iter().filter_map(|file| file.read(&limits).ok()));
            }
            std::ops::ControlFlow::Continue(())
        });
        Ok(())
    }
}
