//! Packages in a store, fetched ahead of who reads them.
//!
//! An archive is one object. A cloud article is its metadata, then its document and those of its images that a figure can
//! need, several at once. Nothing here waits in a thread; how much memory it takes is bounded by a [`Claim`].

use std::collections::HashSet;
use std::iter;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow_buffer::Buffer;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;

use super::file::{self, File, Role};
use super::metadata::MAX_METADATA;
use super::room::Claim;
use super::{Files, Kind, Metadata, Package, Report, Scratch, Sink, archive, cloud, file_name, lone, stem};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::extension;
use crate::limits::Limits;
use crate::store::{self, Object, Pending, StoreOptions};

/// Packages and objects of an article that are fetched at once.
const AT_ONCE: usize = 8;

/// A package as it came from its store.
#[derive(Debug)]
pub struct Fetched {
    content: Result<Content>,
    /// What went wrong with a part of it.
    failures: Vec<Error>,
}

#[derive(Debug)]
enum Content {
    Bytes(Bytes),
    /// An archive that is too large to be held: it is streamed.
    Large,
    Article(Files),
}

/// What came of some packages, in their order: none for those that lie on disk. Holds its room until it is dropped.
#[derive(Debug)]
pub struct Arrived {
    /// The packages.
    pub packages: Vec<Option<Fetched>>,
    _claim: Claim,
}

impl Fetched {
    /// A package of which nothing came.
    pub fn lost(error: Error) -> Self {
        Self { content: Err(error), failures: Vec::new() }
    }
}

/// Begins to fetch those of `packages` that lie in a store.
pub fn fetch(packages: &[Package], limits: Limits, options: &StoreOptions, claim: Claim) -> Result<Pending<Arrived>> {
    let packages = packages.to_vec();
    let options = options.clone();
    Pending::start(async move {
        let ask = Ask { options: &options, limits: &limits, claim: &claim };
        let one = async |package: Package| if package.is_remote() { Some(ask.package(&package).await) } else { None };
        let packages = stream::iter(packages).map(one).buffered(AT_ONCE).collect().await;
        Ok(Arrived { packages, _claim: claim })
    })
}

/// Reads a package that was fetched: pushes the files of each article and each failure into `sink`, until that breaks
/// off. A large archive is streamed from its store, by `options`.
pub fn read_fetched(
    package: &Package,
    fetched: Fetched,
    limits: &Limits,
    options: &StoreOptions,
    scratch: &mut Scratch,
    sink: Sink<'_>,
) {
    let source = package.source();
    let mut report = Report::new(source.clone().into_owned(), sink);
    report.version_reason = package.version_reason;
    if read(package, Path::new(&*source), fetched, limits, options, scratch, &mut report).is_continue() {
        report.finish();
    }
}

fn read(
    package: &Package,
    path: &Path,
    fetched: Fetched,
    limits: &Limits,
    options: &StoreOptions,
    scratch: &mut Scratch,
    report: &mut Report<'_>,
) -> ControlFlow<()> {
    for failure in fetched.failures {
        report.failure(failure)?;
    }
    match fetched.content {
        Err(error) => report.failure(error),
        Ok(Content::Bytes(bytes)) if package.kind == Kind::Xml => {
            lone(File::in_memory(file_name(path), Buffer::from(bytes)), limits, report)
        }
        Ok(Content::Bytes(bytes)) => archive::read_bytes(Buffer::from(bytes), &stem(path), limits, scratch, report),
        Ok(Content::Large) => {
            let location = package.path.to_string_lossy();
            let opened = Object::open(&location, options).and_then(|object| Ok((object.reader(0)?, object.size())));
            match opened {
                Ok((reader, num_bytes)) => archive::stream(reader, num_bytes, &stem(path), limits, report),
                Err(error) => report.failure(error),
            }
        }
        Ok(Content::Article(files)) => {
            report.metadata = files.metadata;
            report.article(files.name, files.xml, files.others)
        }
    }
}

/// How objects are asked for.
#[derive(Clone, Copy)]
struct Ask<'a> {
    options: &'a StoreOptions,
    limits: &'a Limits,
    claim: &'a Claim,
}

impl Ask<'_> {
    async fn package(&self, package: &Package) -> Fetched {
        let mut failures = Vec::new();
        let content = match package.kind {
            Kind::TarGz | Kind::Tar if package.num_bytes > Limits::WHOLE_BUFFER => Ok(Content::Large),
            Kind::TarGz | Kind::Tar => match self.get(&package.path.to_string_lossy(), Limits::WHOLE_BUFFER).await {
                Err(error) if error.reason() == Reason::TooLarge => Ok(Content::Large),
                found => found.map(Content::Bytes),
            },
            Kind::Xml => self.get(&package.path.to_string_lossy(), self.limits.xml_bytes).await.map(Content::Bytes),
            Kind::Article => self.article(&package.source(), &mut failures).await.map(Content::Article),
            Kind::Directory => {
                let detail = "a prefix of a store is no package of its own; name its archives or cloud articles";
                Err(Error::new(Stage::Open, Reason::UnsupportedFormat, detail))
            }
        };
        Fetched { content, failures }
    }

    async fn get(&self, location: &str, max_bytes: u64) -> Result<Bytes> {
        self.claim.admit(0).await;
        let admit = |size| self.claim.admit(size);
        Ok(store::get_when(location, self.options, max_bytes, admit).await?.bytes)
    }

    /// The article at the URL `source`, `…/PMCn.v`.
    async fn article(&self, source: &str, failures: &mut Vec<Error>) -> Result<Files> {
        let source = source.trim_end_matches('/');
        let (base, name) = source.rsplit_once('/').unwrap_or(("", source));
        let member = cloud::member(name);
        let metadata = match self.get(&format!("{base}/{member}"), MAX_METADATA).await {
            Ok(json) => Metadata::parse(&json),
            Err(error) => Err(error),
        };
        let metadata = metadata.map_err(|error| error.as_member(source, member))?;
        let (xml, images) = wanted(&metadata, name, failures);
        let file = async |(path, md5): Wanted| {
            let max_bytes = Role::of(&path).limit(self.limits);
            match self.get(&format!("{source}/{}{md5}", escaped(source, &path)), max_bytes).await {
                Ok(bytes) => File::in_memory(path, Buffer::from(bytes)),
                Err(error) => File::lost(path.as_str(), error.as_member(source, path.as_str())),
            }
        };
        let mut coming = stream::iter(iter::once(xml).chain(images)).map(file).buffered(AT_ONCE);
        let (mut xml, mut others, mut num_bytes) = (None, Vec::new(), 0);
        while let Some(file) = coming.next().await {
            num_bytes += file.num_bytes();
            if num_bytes > self.limits.article_bytes {
                return Err(file::too_large(Stage::Fetch, self.limits.article_bytes));
            }
            if xml.is_some() {
                others.push(file);
                continue;
            }
            // A document that is lost is the failure of its article, and no more of its files are asked for.
            if file.read(self.limits)?.is_empty() {
                return Err(Error::new(Stage::Xml, Reason::Empty, "an empty file").as_member(source, file.path()));
            }
            xml = Some(file);
        }
        let Some(xml) = xml else {
            return Err(Error::new(Stage::Fetch, Reason::Internal, "no document was asked for"));
        };
        // As in a directory, so that a mirror gives the same.
        others.sort_by(|a, b| a.path().cmp(b.path()));
        let (name, metadata) = (name.to_owned(), Some(Arc::new(metadata)));
        Ok(Files { name, xml, others: others.into(), metadata, version_reason: None })
    }
}

/// A file of an article: its path there, and what its URL says of its digest.
type Wanted = (String, String);

/// The document of the article `name`, and those of its files that a figure can need. A key that is not the article's is
/// a failure.
fn wanted(metadata: &Metadata, name: &str, failures: &mut Vec<Error>) -> (Wanted, Vec<Wanted>) {
    let mut take = |url: &String| {
        let found = member(url, name);
        if found.is_none() {
            let detail = "a file of the metadata that does not lie with its article";
            failures.push(Error::new(Stage::Fetch, Reason::UnsafePath, detail).in_member(url));
        }
        found
    };
    let xml = metadata.xml_url.as_ref().and_then(&mut take);
    let xml = xml.unwrap_or_else(|| (format!("{name}.xml"), String::new()));
    let is_image = |url: &&String| Role::of(url.split_once('?').map_or(url.as_str(), |(path, _)| path)) == Role::Image;
    let mut images: Vec<Wanted> = metadata.media_urls.iter().filter(is_image).filter_map(take).collect();
    // A `.gif` beside a `.jpg` is its thumbnail: no figure needs it.
    let full: HashSet<String> = images.iter().filter_map(|(path, _)| stem_of(path, &["jpg", "jpeg"])).collect();
    images.retain(|(path, _)| stem_of(path, &["gif"]).is_none_or(|stem| !full.contains(&stem)));
    (xml, images)
}

/// A path without its extension, if that is one of `extensions`.
fn stem_of(path: &str, extensions: &[&str]) -> Option<String> {
    let (stem, extension) = extension::split(path);
    let extension = extension?;
    extensions.iter().any(|known| extension.eq_ignore_ascii_case(known)).then(|| stem.to_owned())
}

/// The path in the article `name` of the object at `url`, and the query behind it.
///
/// The bucket that a URL names does not count: the files of a mirror lie beside its metadata.
fn member(url: &str, name: &str) -> Option<Wanted> {
    let key = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url,
    };
    let (path, query) = key.find('?').map_or((key, ""), |at| key.split_at(at));
    let path = path.strip_prefix(name)?.strip_prefix('/')?;
    let is_safe = !path.contains('\\') && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    is_safe.then(|| (path.to_owned(), query.to_owned()))
}

/// A path as a URL below `base` has it: keys of buckets are written as they are.
fn escaped(base: &str, path: &str) -> String {
    if base.starts_with("http") { path.replace('%', "%25").replace('#', "%23") } else { path.to_owned() }
}
