//! Joins an article's document with its image files.

use std::collections::HashMap;
use std::mem;

use super::lookup::Lookup;
use super::{Article, Failure, Figure, Image, Rules, Status};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::{self, Format, extension};
use crate::jats::{self, CaptionSource, license, slug};
use crate::limits::Limits;
use crate::package::{File, Files, Metadata};

/// Reads the article of `files`, found in the package `source`, and the images of its figures.
///
/// Gives the article unless its document cannot be read, and a failure for each thing that could not be.
pub fn join(files: &Files, source: &str, limits: &Limits, rules: &Rules) -> (Option<Article>, Vec<Failure>) {
    let mut failures = Vec::new();
    let article = read(files, source, limits, rules, &mut failures).map_err(|(accession, error)| {
        failures.push(Failure { accession, error: error.in_member(files.xml.path()).in_source(source) });
    });
    (article.ok(), failures)
}

fn read(
    files: &Files,
    source: &str,
    limits: &Limits,
    rules: &Rules,
    failures: &mut Vec<Failure>,
) -> Result<Article, (Option<String>, Error)> {
    let xml = files.xml.read(limits).map_err(|error| (None, error))?;
    let mut jats = jats::parse(&xml, limits).map_err(|error| (None, error))?;
    let (named, version) = name_and_version(&files.name);
    let metadata = files.metadata.as_deref();
    if let Some(metadata) = metadata {
        merge(&mut jats, metadata);
    }
    let accession = jats.accession.take().unwrap_or(named);
    let refusal = rules.refusal(&jats);
    let mut images = Images {
        lookup: Lookup::new(&files.others),
        files: &files.others,
        known: HashMap::new(),
        limits,
        budget: limits.article_bytes,
    };
    let mut figures = Vec::with_capacity(jats.figures.len());
    for (number, jats) in (1..).zip(mem::take(&mut jats.figures)) {
        let (image, mut status) = images.of(&jats, rules.min_size, &mut |error| {
            let error = error.in_source(source);
            failures.push(Failure { accession: Some(accession.clone()), error });
        });
        if images.budget == 0 {
            let detail = format!("images of more than {} bytes", limits.article_bytes);
            let error = Error::new(Stage::Image, Reason::TooLarge, detail);
            return Err((Some(accession), error));
        }
        let has_caption = !matches!(jats.caption_source, CaptionSource::Label | CaptionSource::None);
        if status == Status::Ok && !has_caption {
            status = Status::NoCaption;
        }
        // What is no pair anyway keeps its own reason.
        if status == Status::Ok {
            status = refusal.unwrap_or(status);
        }
        figures.push(Figure { image_id: image_id(&accession, number), jats, image, status });
    }
    Ok(Article {
        accession,
        version: metadata.and_then(|metadata| metadata.version).or(version),
        version_reason: files.version_reason,
        is_manuscript: metadata.and_then(|metadata| metadata.is_manuscript),
        source: source.to_owned(),
        jats,
        figures,
    })
}

/// Adds what the bucket says: to the evidence for a licence and of a retraction; else only what the document lacks.
fn merge(jats: &mut jats::Article, metadata: &Metadata) {
    if let Some(code) = &metadata.license_code {
        jats.evidence.codes.push(code.clone());
        jats.license = license::judge(&jats.evidence);
    }
    jats.is_retracted |= metadata.is_retracted;
    let gaps = [
        (&mut jats.pmid, &metadata.pmid),
        (&mut jats.doi, &metadata.doi),
        (&mut jats.title, &metadata.title),
        (&mut jats.citation, &metadata.citation),
    ];
    for (ours, theirs) in gaps {
        if ours.is_none() {
            ours.clone_from(theirs);
        }
    }
    if jats.accession.as_deref().is_none_or(|accession| !accession.starts_with("PMC")) {
        jats.accession = metadata.pmcid.as_deref().and_then(slug::pmc).or(jats.accession.take());
    }
}

/// The article of a document on its own: no figure has an image.
pub fn without_images(mut jats: jats::Article) -> Article {
    let accession = jats.accession.take().unwrap_or_default();
    let figure = |(number, jats): (usize, jats::Figure)| Figure {
        image_id: image_id(&accession, number),
        jats,
        image: None,
        status: Status::NoImage,
    };
    let figures = (1..).zip(mem::take(&mut jats.figures)).map(figure).collect();
    let source = String::new();
    Article { accession, version: None, version_reason: None, is_manuscript: None, source, jats, figures }
}

fn image_id(accession: &str, number: usize) -> String {
    format!("{accession}_{number:04}")
}

/// The accession that a package's name gives, and the version in a name such as `PMC11370360.2`.
fn name_and_version(name: &str) -> (String, Option<u32>) {
    let version = name.rsplit_once('.').and_then(|(_, version)| version.parse().ok());
    match slug::pmc(name) {
        Some(accession) => (accession, version),
        None => (Some(slug::slug(name)).filter(|slug| !slug.is_empty()).unwrap_or_else(|| "article".to_owned()), None),
    }
}

struct Images<'f> {
    lookup: Lookup<'f>,
    files: &'f [File],
    /// What was read of each file already: figures may share one.
    known: HashMap<usize, (Option<Image>, Status)>,
    limits: &'f Limits,
    /// Bytes that the images of the figures may still hold together.
    budget: u64,
}

impl Images<'_> {
    /// The image of a figure, and whether it can be used.
    fn of(&mut self, figure: &jats::Figure, min_size: u32, fail: &mut dyn FnMut(Error)) -> (Option<Image>, Status) {
        let Some(index) = figure.hrefs.iter().find_map(|href| self.lookup.find(href)) else {
            return (None, Status::NoImage);
        };
        let Some(file) = self.files.get(index) else { return (None, Status::NoImage) };
        let limits = self.limits;
        let (image, status) = self.known.entry(index).or_insert_with(|| match read_image(file, limits) {
            Ok(image) => {
                let status = judge(&image, min_size);
                (Some(image), status)
            }
            Err(error) => {
                fail(error.in_member(file.path()));
                (None, Status::UnreadableImage)
            }
        });
        let cost = image.as_ref().map_or(0, |image| image.bytes.len() as u64);
        self.budget = self.budget.saturating_sub(cost);
        (image.clone(), *status)
    }
}

fn read_image(file: &File, limits: &Limits) -> Result<Image> {
    let bytes = file.read(limits)?;
    if bytes.is_empty() {
        return Err(Error::new(Stage::Image, Reason::Empty, "an empty file"));
    }
    let probe = image::probe(&bytes);
    Ok(Image {
        file_name: file.base_name().to_owned(),
        format: probe.format,
        size: probe.size,
        hash: image::sha256(&bytes),
        bytes,
    })
}

fn judge(image: &Image, min_size: u32) -> Status {
    match (image.format, image.size) {
        (Some(_), Some([width, height])) if width.min(height) < min_size => Status::TooSmall,
        (Some(_), Some(_)) => Status::Ok,
        (Some(_), None) => Status::UnreadableImage,
        (None, _) if claims_known_format(&image.file_name) => Status::UnreadableImage,
        (None, _) => Status::UnsupportedFormat,
    }
}

/// Whether a name promises a format that can be read, so that bytes of another kind are damage.
fn claims_known_format(name: &str) -> bool {
    extension::split(name).1.is_some_and(|extension| {
        let extension = extension.to_ascii_lowercase();
        matches!(extension.as_str(), "jpeg" | "tiff") || Format::ALL.iter().any(|known| known.extension() == extension)
    })
}
