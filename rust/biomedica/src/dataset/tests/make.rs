//! Packages, articles and runs made by code.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow_buffer::Buffer;
use sha2::{Digest, Sha256};

use crate::article::{Article, Chunk, Failure, Figure, Image, Status};
use crate::dataset::{Options, Root, Summary, Units, Writer};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::Format;
use crate::jats;
use crate::package::{self, Package};
use crate::store::StoreOptions;

/// A package by its number; what it holds follows from it.
#[derive(Debug, Clone, Copy)]
pub struct Fake {
    pub number: u32,
    pub kind: Kind,
    /// Another state has another size and other images.
    pub state: u8,
}

/// What a package gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// An article, licence and images by its number.
    Article,
    /// The same article as the package before.
    Again,
    /// A failure.
    Broken,
    /// Nothing, which must not happen.
    Silent,
}

impl Fake {
    pub fn path(self) -> String {
        format!("in/PMC{:04}.tar.gz", self.number)
    }

    /// As a package that says what it is by its name and its size.
    fn package(self) -> Package {
        let num_bytes = 1000 + u64::from(self.number) + 100_000 * u64::from(self.state);
        Package::new(self.path(), package::Kind::TarGz, num_bytes)
    }
}

pub fn packages(n: u32) -> Vec<Fake> {
    (0..n).map(|number| Fake { number, kind: Kind::Article, state: 0 }).collect()
}

fn figure(accession: &str, i: u32, seed: u32, state: u8) -> Figure {
    let format =
        [Format::Jpeg, Format::Jpeg, Format::Jpeg, Format::Png, Format::Tiff][(seed as usize + i as usize) % 5];
    let size = 10_000 * (seed % 7) + 100 * i + 3 + u32::from(state);
    let bytes: Vec<u8> = (0..size).map(|k| u8::try_from((k * 31 + seed * 7 + i) % 256).unwrap()).collect();
    let (status, image) = match (seed + i) % 6 {
        4 => (Status::NoImage, false),
        5 => (Status::NoCaption, true),
        _ => (Status::Ok, true),
    };
    Figure {
        image_id: format!("{accession}_{i:04}"),
        jats: jats::Figure {
            label: (i > 1).then(|| format!("Figure {i}")),
            caption: (status != Status::NoCaption).then(|| format!("Caption {i} of {accession}: β-cells.")),
            context: (0..i).map(|k| format!("Mention {k} of {accession}.")).collect(),
            ..jats::Figure::default()
        },
        image: image.then(|| Image {
            file_name: format!("f{i}.{}", format.extension()),
            format: Some(format),
            size: Some([100 + i, 200]),
            hash: Sha256::digest(&bytes).into(),
            bytes: Buffer::from_vec(bytes),
        }),
        status,
    }
}

pub fn article(package: Fake) -> Article {
    let seed = package.number - u32::from(package.kind == Kind::Again);
    let accession = format!("PMC{seed}");
    Article {
        version_reason: None,
        is_manuscript: None,
        version: None,
        source: package.path(),
        jats: jats::Article {
            title: Some(format!("Article {seed}")),
            license: jats::License {
                code: [Some("CC BY"), Some("CC BY-NC"), None][seed as usize % 3],
                ..Default::default()
            },
            text: format!("Text of {seed}. ").repeat(50),
            ..jats::Article::default()
        },
        figures: (1..=seed % 5).map(|i| figure(&accession, i, seed, package.state)).collect(),
        accession,
    }
}

/// What a reader would give for a unit.
pub fn read(packages: &[Fake]) -> Chunk {
    let mut chunk = Chunk::default();
    for &package in packages {
        match package.kind {
            Kind::Article | Kind::Again => chunk.articles.push(article(package)),
            Kind::Broken => chunk.failures.push(Failure {
                accession: None,
                error: Error::new(Stage::Inflate, Reason::Corrupt, "bad block").in_source(package.path()),
            }),
            Kind::Silent => {}
        }
    }
    chunk
}

pub fn options() -> Options {
    Options { part_size: 20, samples_per_shard: 8, ..Options::default() }
}

/// A run of `packages` into `root`.
pub fn run(root: &Path, packages: &[Fake], options: &Options) -> Result<Summary> {
    run_until(root, packages, options, usize::MAX)
}

/// A run that its caller stops after so many chunks.
pub fn run_until(root: &Path, packages: &[Fake], options: &Options, chunks: usize) -> Result<Summary> {
    run_with(root, packages, options, chunks, |packages| vec![read(packages)])
}

/// A run whose reader gives the chunks of `give` for the packages of a unit.
pub fn run_with(
    root: &Path,
    packages: &[Fake],
    options: &Options,
    chunks: usize,
    give: fn(&[Fake]) -> Vec<Chunk>,
) -> Result<Summary> {
    write(&local(root), packages, options, chunks, give)
}

/// The dataset in a directory.
pub fn local(root: &Path) -> Root {
    Root::new(root.to_str().unwrap(), &StoreOptions::default())
}

/// A run into a directory or a store.
pub fn write(
    root: &Root,
    packages: &[Fake],
    options: &Options,
    chunks: usize,
    give: fn(&[Fake]) -> Vec<Chunk>,
) -> Result<Summary> {
    let writer = Writer::open(root, options)?;
    let plan = writer.plan(packages.iter().map(|fake| Ok(fake.package())), true);
    let walked = plan.walked();
    let mut results = Units::new(plan).flat_map(|unit| match unit {
        Ok(unit) => {
            let same = |package: &Package| *packages.iter().find(|fake| fake.package() == *package).unwrap();
            let fakes: Vec<Fake> = unit.packages.iter().map(same).collect();
            give(&fakes).into_iter().map(|chunk| Ok((unit.tag.clone(), chunk))).collect()
        }
        Err(error) => vec![Err(error)],
    });
    let mut seen = 0;
    writer.write(&walked, &mut |_| Some(results.next()), &mut |_| {
        seen += 1;
        if seen >= chunks { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

/// Every file of a directory with the hash of its bytes.
pub fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, crate::image::hex(&Sha256::digest(fs::read(&path).unwrap()).into()));
            }
        }
    }
    files
}

const DOCUMENT: &str = "<article><front><article-meta><article-id pub-id-type='pmc'>NUMBER</article-id></article-meta>\
    </front><body><fig><caption><p>A cell.</p></caption><graphic href='a.jpg'/></fig></body></article>";

/// 45 documents that stand for themselves, one of which cannot be read.
pub fn sources(root: &Path) -> PathBuf {
    let sources = root.join("in");
    fs::create_dir_all(&sources).unwrap();
    for number in 100..145 {
        fs::write(sources.join(format!("PMC{number}.xml")), DOCUMENT.replace("NUMBER", &number.to_string())).unwrap();
    }
    fs::write(sources.join("PMC120.xml"), "<article>").unwrap();
    sources
}
