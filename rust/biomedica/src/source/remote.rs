//! Sources behind a URL: what one names, before anything of it is read.

use std::sync::atomic::AtomicBool;

use reqwest::Url;

use super::articles::Scope;
use super::name::{Name, digits};
use super::{inventory, is_list};
use crate::error::{Error, Reason, Result, Stage};
use crate::package::{Kind, Package, VersionReason, metadata_of};
use crate::store::{self, Entry, Pending, StoreOptions};

/// What a URL names.
#[derive(Debug)]
pub(super) enum Found {
    Package(Package),
    /// Articles of the cloud layout below a base.
    Articles(String, Scope),
    /// All packages below a prefix.
    Objects(String),
    /// What the list at this URL names.
    List(String),
}

/// A package of which its store is being asked what tells this state of it from others.
pub(super) struct Asked {
    package: Package,
    answer: Result<Pending<Entry>>,
}

impl Asked {
    pub(super) fn of(package: Package, options: &StoreOptions) -> Self {
        let source = package.source();
        let answer = match source.rsplit_once('/').filter(|_| package.kind == Kind::Article) {
            Some((base, name)) => store::look(&format!("{base}/{}", metadata_of(name)), options),
            None => store::look(&package.path.to_string_lossy(), options),
        };
        Self { package, answer }
    }

    /// The package as it is now. One that is not there stays as it was named: reading it says so. Of one that its store does
    /// not tell of it is not known whether it changed, and it must not be taken for another.
    pub(super) fn wait(self, stop: &AtomicBool) -> Result<Package> {
        let Self { package, answer } = self;
        match answer.and_then(|pending| pending.wait(stop)) {
            Ok(entry) => {
                // Of an article these are its metadata, which are no measure of it.
                let num_bytes = if package.kind == Kind::Article { 0 } else { entry.num_bytes };
                Ok(Package { num_bytes, etag: entry.state(), ..package })
            }
            Err(error) if error.reason() == Reason::NotFound => Ok(package),
            Err(error) if error.reason() == Reason::Interrupted => Err(error),
            Err(error) => Err(Error::new(Stage::Open, error.reason(), error.detail()).in_source(package.source())),
        }
    }
}

/// Tells what `url` names: by its name, else by what lies below it.
pub(super) fn find(url: &str, options: &StoreOptions) -> Result<Found> {
    let refuse = |reason, detail: &str| Err(Error::new(Stage::Open, reason, detail).in_source(without_query(url)));
    let url = as_s3(url).unwrap_or_else(|| url.to_owned());
    let plain = without_query(&url).trim_end_matches('/');
    let name = plain.rsplit('/').next().unwrap_or_default();
    store::must_be_known(&url)?;
    let base = || plain.rsplit_once('/').map_or("", |(base, _)| base).to_owned();
    if name.contains(['*', '?', '[']) {
        let prefix = name.strip_suffix('*').unwrap_or_default();
        let is_plain =
            prefix.strip_prefix("PMC").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        if !is_plain {
            let detail = "of patterns in a store only those of articles are known, such as s3://bucket/PMC110*";
            return refuse(Reason::UnsupportedFormat, detail);
        }
        return Ok(Found::Articles(base(), Scope::Prefix(prefix.to_owned())));
    }
    if Name::parse(name).is_some() {
        let package = Package::new(plain, Kind::Article, 0);
        return Ok(Found::Package(Package { version_reason: Some(VersionReason::Asked), ..package }));
    }
    if let Some(kind) = Kind::of_file(name.as_ref()) {
        return Ok(Found::Package(Package::new(url, kind, 0)));
    }
    if is_list(name.as_ref()) {
        return Ok(Found::List(url));
    }
    if plain.starts_with("http://") || plain.starts_with("https://") {
        let detail = "what lies behind http cannot be listed: name packages (….tar.gz, ….tar, ….xml, …/PMC123.1), or a bucket as s3://, gs:// or az://";
        return refuse(Reason::UnsupportedFormat, detail);
    }
    if inventory::is_manifest(plain) {
        return Ok(Found::Articles(inventory::base(plain)?, Scope::Manifest(plain.to_owned())));
    }
    if let Some(number) = name.strip_prefix("PMC").and_then(digits) {
        return Ok(Found::Articles(base(), Scope::Article(number)));
    }
    if has(&format!("{plain}/metadata"), options, |key| Name::of_metadata(key).is_some())?
        || has(&format!("{plain}/{}", inventory::FOLDER), options, |_| true)?
    {
        return Ok(Found::Articles(plain.to_owned(), Scope::All));
    }
    Ok(Found::Objects(plain.to_owned()))
}

/// Whether one of the first objects below a prefix is as it should be.
fn has(prefix: &str, options: &StoreOptions, is_right: impl Fn(&str) -> bool) -> Result<bool> {
    for entry in store::list(prefix, options)?.take(10) {
        if is_right(&entry?.location) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `s3://bucket/key` for what is the same behind https. The bucket can be listed only so.
fn as_s3(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok().filter(|url| url.scheme() == "https" && url.query().is_none())?;
    let host = parsed.host_str()?.strip_suffix(".amazonaws.com")?;
    let path = parsed.path();
    let is_service = |host: &str| host == "s3" || host.starts_with("s3.") || host.starts_with("s3-");
    if is_service(host) {
        return Some(format!("s3:/{path}"));
    }
    let (bucket, _) = host
        .match_indices('.')
        .map(|(at, _)| host.split_at(at))
        .rfind(|(_, rest)| is_service(rest.trim_start_matches('.')))?;
    Some(format!("s3://{bucket}{path}"))
}

/// A URL as it may be shown.
pub(super) fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(object, _)| object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_behind_https_is_one_of_s3() {
        for (url, expected) in [
            ("https://pmc-oa-opendata.s3.amazonaws.com", Some("s3://pmc-oa-opendata/")),
            ("https://pmc-oa-opendata.s3.us-east-1.amazonaws.com/PMC1.1/", Some("s3://pmc-oa-opendata/PMC1.1/")),
            ("https://a.b.s3-eu-west-1.amazonaws.com/x", Some("s3://a.b/x")),
            ("https://s3.amazonaws.com/bucket/x", Some("s3://bucket/x")),
            ("https://pmc-oa-opendata.s3.amazonaws.com/x.tar.gz?X-Amz-Signature=1", None),
            ("https://example.org/PMC1.1", None),
            ("https://ec2.amazonaws.com/", None),
            ("http://pmc-oa-opendata.s3.amazonaws.com", None),
        ] {
            assert_eq!(as_s3(url).as_deref(), expected, "{url}");
        }
    }
}
