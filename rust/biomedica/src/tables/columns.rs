//! The columns of each table.

use super::value::{PANEL, REFERENCE};
use super::{Column, Kind, Pointer, Table, Value};
use crate::article::{Article, Failure, Figure, Image};
use crate::entrez::Citation;
use crate::error::{Error, words};
use crate::image::Format;
use crate::jats::last_segment;
use crate::package::{Package, VersionReason};

/// The articles table: one row an article.
#[derive(Debug)]
pub struct Articles;
/// The figures table: one row a figure, paired or not.
#[derive(Debug)]
pub struct Figures;
/// The failures table: one row for each thing that could not be read.
#[derive(Debug)]
pub struct Failures;
/// The enrichment table: one row a PMID that PubMed was asked for.
#[derive(Debug)]
pub struct Citations;

/// The packages table: one row a package that was looked at, whatever it gave; and one for each place where none could be
/// found.
#[derive(Debug)]
pub struct Packages;
/// The tombstones table: one row an article that a part holds and the dataset has no more.
#[derive(Debug)]
pub struct Tombstones;

/// What a row of the packages table is made of.
#[derive(Debug, Clone, Copy)]
pub enum PackageRow<'a> {
    /// A package.
    Found(&'a Package),
    /// The walk failed here; nothing tells whether this has changed.
    Failed(&'a Error),
}

/// A row of the tombstones table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tombstone {
    /// The part that holds it.
    pub part: u32,
    /// The package that it is from.
    pub package: String,
    /// The article; none for a package that gave none.
    pub accession: Option<String>,
    /// Why it is dead.
    pub reason: Gone,
}

words! {
    /// Why a dataset has an article no more.
    Gone {
        /// Its package has changed, and has been read again.
        Changed = "changed",
        /// Its package is no more.
        Withdrawn = "withdrawn",
    }
}

/// What a row of the figures table is made of.
#[derive(Debug, Clone, Copy)]
pub struct FigureRow<'a> {
    /// The article that the figure belongs to.
    pub article: &'a Article,
    /// The figure.
    pub figure: &'a Figure,
    /// Where its bytes are, when it is in a shard.
    pub pointer: Option<&'a Pointer>,
}

impl<'a> FigureRow<'a> {
    fn image(&self, get: impl FnOnce(&'a Image) -> Value<'a>) -> Value<'a> {
        self.figure.image.as_ref().map_or(Value::Null, get)
    }

    /// The file's name; where there is no file, the name that was looked for.
    fn file_name(&self) -> Value<'a> {
        match &self.figure.image {
            Some(image) => Value::Text(&image.file_name),
            None => self.figure.jats.hrefs.first().map_or(Value::Null, |href| Value::Owned(last_segment(href))),
        }
    }
}

macro_rules! columns {
    ($($name:literal: $kind:expr, $get:expr;)+) => { &[$(Column { name: $name, kind: $kind, get: $get },)+] };
}

impl Table for Figures {
    type Row<'a> = FigureRow<'a>;
    const COLUMNS: &'static [Column<Self>] = columns! {
        "image_id": Kind::Text, |r| Value::Text(&r.figure.image_id);
        "article_accession_id": Kind::Text, |r| Value::Text(&r.article.accession);
        "image_figure_id": Kind::Text, |r| Value::text(r.figure.jats.id.as_deref());
        "image_kind": Kind::Text, |r| Value::Text(r.figure.jats.kind.as_str());
        "image_label": Kind::Text, |r| Value::text(r.figure.jats.label.as_deref());
        "image_file_name": Kind::Text, |r| r.file_name();
        "image_format": Kind::Text, |r| r.image(|image| Value::text(image.format.map(Format::as_str)));
        "image_size": Kind::Ints, |r| r.image(|i| i.size.as_ref().map_or(Value::Null, |size| Value::Ints(size)));
        "image_num_bytes": Kind::Int64, |r| r.image(|image| Value::int(Some(image.bytes.len())));
        "image_hash": Kind::Text, |r| r.image(|image| Value::Hex(&image.hash));
        "caption": Kind::Text, |r| Value::text(r.figure.jats.caption.as_deref());
        "caption_source": Kind::Text, |r| Value::Text(r.figure.jats.caption_source.as_str());
        "group_caption": Kind::Text, |r| Value::text(r.figure.jats.group_caption.as_deref());
        "image_context": Kind::Texts, |r| Value::Texts(&r.figure.jats.context);
        "image_context_panels": Kind::Texts, |r| Value::Texts(&r.figure.jats.context_panels);
        "image_panels": Kind::Records(PANEL), |r| Value::panels(&r.figure.jats.panels);
        "in_sub_article": Kind::Bool, |r| Value::Bool(r.figure.jats.in_sub_article);
        "status": Kind::Text, |r| Value::Text(r.figure.status.as_str());
        "subset": Kind::Text, |r| Value::Text(r.article.jats.license.subset().as_str());
        "shard": Kind::Text, |r| Value::text(r.pointer.map(|p| &*p.shard));
        "shard_offset": Kind::Int64, |r| Value::int(r.pointer.map(|p| p.offset));
        "shard_length": Kind::Int64, |r| Value::int(r.pointer.map(|p| p.length));
    };
}

impl Table for Articles {
    type Row<'a> = &'a Article;
    const COLUMNS: &'static [Column<Self>] = columns! {
        "article_accession_id": Kind::Text, |a| Value::Text(&a.accession);
        "article_version": Kind::Int32, |a| Value::int(a.version);
        "version_reason": Kind::Text, |a| Value::text(a.version_reason.map(VersionReason::as_str));
        "is_manuscript": Kind::Bool, |a| a.is_manuscript.map_or(Value::Null, Value::Bool);
        "article_pmid": Kind::Text, |a| Value::text(a.jats.pmid.as_deref());
        "article_doi": Kind::Text, |a| Value::text(a.jats.doi.as_deref());
        "article_title": Kind::Text, |a| Value::text(a.jats.title.as_deref());
        "article_journal": Kind::Text, |a| Value::text(a.jats.journal.as_deref());
        "article_date": Kind::Text, |a| Value::text(a.jats.date.as_deref());
        "article_type": Kind::Text, |a| Value::text(a.jats.article_type.as_deref());
        "article_language": Kind::Text, |a| Value::text(a.jats.language.as_deref());
        "article_authors": Kind::Texts, |a| Value::Texts(&a.jats.authors);
        "article_abstract": Kind::Text, |a| Value::text(a.jats.abstract_text.as_deref());
        "article_keywords": Kind::Texts, |a| Value::Texts(&a.jats.keywords);
        "article_subject": Kind::Texts, |a| Value::Texts(&a.jats.subjects);
        "article_mesh_terms": Kind::Texts, |_| Value::Null;
        "article_license": Kind::Text, |a| Value::text(a.jats.license.code);
        "article_license_url": Kind::Text, |a| Value::text(a.jats.license.url.as_deref());
        "article_license_text": Kind::Text, |a| Value::text(a.jats.license.text.as_deref());
        "license_in_metadata": Kind::Text, |a| Value::text(a.jats.license.in_metadata);
        "license_in_urls": Kind::Text, |a| Value::text(a.jats.license.in_urls);
        "license_in_text": Kind::Text, |a| Value::text(a.jats.license.in_text);
        "license_conflict": Kind::Bool, |a| Value::Bool(a.jats.license.conflict);
        "subset": Kind::Text, |a| Value::Text(a.jats.license.subset().as_str());
        "article_citation": Kind::Text, |a| Value::text(a.jats.citation.as_deref());
        "article_reference_count": Kind::Int32, |a| Value::int(Some(a.jats.references.len()));
        "article_reference_ids": Kind::Texts, |a| Value::Texts(&a.jats.reference_ids);
        "article_reference_list": Kind::Records(REFERENCE), |a| Value::References(&a.jats.references);
        "article_text": Kind::Text, |a| Value::text(Some(a.jats.text.as_str()).filter(|text| !text.is_empty()));
        "article_figure_count": Kind::Int32, |a| Value::int(Some(a.figures.len()));
        "is_retracted": Kind::Bool, |a| Value::Bool(a.jats.is_retracted);
        "source": Kind::Text, |a| Value::Text(&a.source);
    };
}

impl Table for Packages {
    type Row<'a> = PackageRow<'a>;
    const COLUMNS: &'static [Column<Self>] = columns! {
        "package": Kind::Text, |r| match r {
            PackageRow::Found(package) => Value::Owned(package.source().into_owned()),
            PackageRow::Failed(error) => Value::text(error.source()),
        };
        "fingerprint": Kind::Text, |r| match r {
            PackageRow::Found(package) => Value::Owned(package.fingerprint().into_owned()),
            PackageRow::Failed(_) => Value::Null,
        };
        "num_bytes": Kind::Int64, |r| match r {
            PackageRow::Found(package) => Value::int(Some(package.num_bytes)),
            PackageRow::Failed(_) => Value::Null,
        };
        "kind": Kind::Text, |r| match r {
            PackageRow::Found(package) => Value::Text(package.kind.as_str()),
            PackageRow::Failed(_) => Value::Null,
        };
        "version_reason": Kind::Text, |r| match r {
            PackageRow::Found(package) => Value::text(package.version_reason.map(VersionReason::as_str)),
            PackageRow::Failed(_) => Value::Null,
        };
    };
}

impl Table for Tombstones {
    type Row<'a> = &'a Tombstone;
    const COLUMNS: &'static [Column<Self>] = columns! {
        "part": Kind::Int32, |t| Value::int(Some(t.part));
        "article_accession_id": Kind::Text, |t| Value::text(t.accession.as_deref());
        "package": Kind::Text, |t| Value::Text(&t.package);
        "reason": Kind::Text, |t| Value::Text(t.reason.as_str());
    };
}

impl Table for Failures {
    type Row<'a> = &'a Failure;
    const COLUMNS: &'static [Column<Self>] = columns! {
        "source": Kind::Text, |f| Value::text(f.error.source());
        "article_accession_id": Kind::Text, |f| Value::text(f.accession.as_deref());
        "member": Kind::Text, |f| Value::text(f.error.member());
        "stage": Kind::Text, |f| Value::Text(f.error.stage().as_str());
        "reason": Kind::Text, |f| Value::Text(f.error.reason().as_str());
        "detail": Kind::Text, |f| Value::Owned(f.error.detail());
    };
}

impl Table for Citations {
    type Row<'a> = &'a Citation;
    const COLUMNS: &'static [Column<Self>] = columns! {
        "article_pmid": Kind::Text, |c| Value::Text(&c.pmid);
        "status": Kind::Text, |c| Value::Text(c.status.as_str());
        "article_mesh_terms": Kind::Texts, |c| Value::Texts(&c.mesh_terms);
        "article_abstract": Kind::Text, |c| Value::text(c.abstract_text.as_deref());
        "article_reference_list": Kind::Records(REFERENCE), |c| Value::References(&c.references);
        "detail": Kind::Text, |_| Value::Null;
    };
}
