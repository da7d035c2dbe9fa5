//! The tables as Arrow record batches: articles, figures, failures, the packages that they come from, and what PubMed says
//! of articles.
//!
//! Each table is one list of [`Column`]s: a name, a type, and a function from a row to its [`Value`]. The Arrow schema,
//! the array builders and the JSON beside each image in a shard all follow from that list, so that they cannot differ.
//!
//! Types are those that every reader knows. Lists are plain `List`, `image_size` too: null fixed-size lists are read
//! back from Parquet wrongly or not at all by several readers. Strings are `Utf8`. All columns are nullable, because a
//! `not null` in one file and none in the next keeps pyarrow from reading both as one dataset; what is never null is
//! the documentation's word.

mod builder;
mod columns;
mod images;
mod value;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};

use crate::article::{Article, Failure, Figure};
use crate::entrez::Citation;
use crate::error::{Error, Reason, Result, Stage};

pub use builder::Builder;
pub use columns::{
    Articles, Citations, Failures, FigureRow, Figures, Gone, PackageRow, Packages, Tombstone, Tombstones,
};
pub use value::{Kind, Value, write_json};

/// Where the bytes of an image lie: `length` bytes from `offset` of the file `shard`, a path within the dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The shard's path, with `/`, relative to the dataset.
    pub shard: Arc<str>,
    /// First byte of the image.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// One column of a table.
#[derive(Debug)]
pub struct Column<T: Table + ?Sized> {
    /// Its name, as the published BIOMEDICA dataset has it.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its value in a row.
    pub get: for<'a, 'b> fn(&'a T::Row<'b>) -> Value<'a>,
}

/// A table: its columns and what it takes for a row.
pub trait Table: 'static {
    /// What one row is made of.
    type Row<'a>: Copy;
    /// The columns, in order.
    const COLUMNS: &'static [Column<Self>];

    /// The Arrow schema of the columns.
    fn schema() -> SchemaRef {
        Arc::new(Schema::new(fields::<Self>()))
    }
}

fn fields<T: Table + ?Sized>() -> Vec<Field> {
    T::COLUMNS.iter().map(|c| Field::new(c.name, c.kind.data_type(), true)).collect()
}

/// Schema of the articles table: one row an article.
pub fn articles_schema() -> SchemaRef {
    Articles::schema()
}

/// Schema of the figures table: one row a figure, paired or not; with `bytes`, a last column `image_bytes`.
pub fn figures_schema(bytes: bool) -> SchemaRef {
    let mut fields = fields::<Figures>();
    if bytes {
        fields.push(Field::new("image_bytes", DataType::BinaryView, true));
    }
    Arc::new(Schema::new(Fields::from(fields)))
}

/// Schema of the failures table: one row for each thing that could not be read.
pub fn failures_schema() -> SchemaRef {
    Failures::schema()
}

/// Schema of the packages table: one row a package, and one for each place where none could be found.
pub fn packages_schema() -> SchemaRef {
    Packages::schema()
}

/// Schema of the tombstones table: one row an article that a part holds and the dataset has no more.
pub fn tombstones_schema() -> SchemaRef {
    Tombstones::schema()
}

/// The articles, in order.
pub fn articles(articles: &[Article]) -> Result<RecordBatch> {
    batch::<Articles>(articles.len(), articles.iter())
}

/// The figures of the articles, in order. `pointers` has one entry a figure, none where it is in no shard. With
/// `bytes`, the images' bytes are views into the packages' own buffers: nothing is copied.
pub fn figures(articles: &[Article], bytes: bool, pointers: Option<&[Option<Pointer>]>) -> Result<RecordBatch> {
    let rows = articles.iter().map(|a| a.figures.len()).sum();
    let pairs = articles.iter().flat_map(|article| article.figures.iter().map(move |figure| (article, figure)));
    let pointer = |i: usize| pointers.and_then(|p| p.get(i)).and_then(Option::as_ref);
    let batch = batch::<Figures>(
        rows,
        pairs.enumerate().map(|(i, (article, figure))| FigureRow { article, figure, pointer: pointer(i) }),
    )?;
    if !bytes {
        return Ok(batch);
    }
    let (_, mut columns, _) = batch.into_parts();
    columns.push(images::column(articles.iter().flat_map(|a| &a.figures).map(image_bytes))?);
    RecordBatch::try_new(figures_schema(true), columns).map_err(|e| internal(&e))
}

fn image_bytes(figure: &Figure) -> Option<&arrow_buffer::Buffer> {
    figure.image.as_ref().map(|image| &image.bytes)
}

/// The failures, in order.
pub fn failures(failures: &[Failure]) -> Result<RecordBatch> {
    batch::<Failures>(failures.len(), failures.iter())
}

/// What PubMed says of articles, in order. `detail` is for those who have more to say of a PMID.
pub fn citations(citations: &[Citation]) -> Result<RecordBatch> {
    batch::<Citations>(citations.len(), citations.iter())
}

fn batch<'a, T: Table>(capacity: usize, rows: impl Iterator<Item = T::Row<'a>>) -> Result<RecordBatch> {
    let mut builder = Builder::<T>::with_capacity(capacity);
    for row in rows {
        builder.append(row)?;
    }
    builder.finish()
}

fn internal(error: &dyn std::fmt::Display) -> Error {
    Error::new(Stage::Write, Reason::Internal, format!("cannot build a table: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
