//! A table as a Parquet file.

use std::io;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::file::{Output, Sealed};
use super::manifest::FileRecord;
use super::place::Place;
use crate::error::{Error, Reason, Result, Stage};
use crate::tables::{Builder, Table};

/// Rows go to the writer in batches whose ends depend on the rows alone: Parquet cuts its pages by them.
const BATCH_ROWS: usize = 1024;
const BATCH_BYTES: usize = 16 << 20;
/// Rows and bytes in a row group at most: what a reader must hold, and what is held here until it is written.
const GROUP_ROWS: usize = 16 << 10;
const GROUP_BYTES: usize = 32 << 20;
/// Columns whose values are all different and long: a dictionary of them costs time and is given up in the end.
const PLAIN: &[&str] = &["article_text", "article_abstract", "caption", "image_hash", "image_id"];

/// A Parquet file that takes rows.
#[derive(Debug)]
pub(super) struct TableFile<T: Table> {
    path: String,
    builder: Builder<T>,
    writer: ArrowWriter<Output>,
    rows: u64,
}

impl<T: Table> TableFile<T> {
    pub(super) fn create(place: &Place, path: String) -> Result<Self> {
        let output = place.root().output(&path)?;
        let location = output.location();
        let options = ArrowWriterOptions::new().with_properties(properties());
        let writer =
            ArrowWriter::try_new_with_options(output, T::schema(), options).map_err(|e| error(&e, &location))?;
        Ok(Self { path, builder: Builder::with_capacity(BATCH_ROWS), writer, rows: 0 })
    }

    pub(super) fn push(&mut self, row: T::Row<'_>) -> Result<()> {
        self.builder.append(row)?;
        self.rows += 1;
        if self.builder.rows() >= BATCH_ROWS || self.builder.bytes() >= BATCH_BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// Adds rows as another file of this table has them.
    pub(super) fn extend(&mut self, rows: &RecordBatch) -> Result<()> {
        self.rows += rows.num_rows() as u64;
        self.writer.write(rows).map_err(|e| error(&e, &self.writer.inner().location()))
    }

    fn write(&mut self) -> Result<()> {
        let batch = self.builder.finish()?;
        self.writer.write(&batch).map_err(|e| error(&e, &self.writer.inner().location()))
    }

    /// Writes what is left, and the footer.
    pub(super) fn finish(mut self) -> Result<(FileRecord, Sealed)> {
        self.write()?;
        let own = self.writer.inner().location();
        let sealed = self.writer.into_inner().map_err(|e| error(&e, &own))?.seal()?;
        Ok((FileRecord::new(&self.path, &sealed, self.rows, None), sealed))
    }
}

fn properties() -> WriterProperties {
    // Level 1: on 134 real articles, level 3 takes 1.4 times as long and saves a tenth of the size. All of Parquet is one
    // or two hundredths of reading the packages.
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let builder = WriterProperties::builder()
        .set_created_by(concat!("biomedica ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES));
    PLAIN.iter().fold(builder, |b, name| b.set_column_dictionary_enabled(ColumnPath::from(*name), false)).build()
}

/// The error of the disk beneath, where there is one: a full disk must be called so.
fn error(error: &ParquetError, location: &str) -> Error {
    let io = match error {
        ParquetError::External(source) => source.downcast_ref::<io::Error>(),
        _ => None,
    };
    io.map_or_else(
        || Error::new(Stage::Write, Reason::Internal, format!("cannot write Parquet: {error}")),
        |e| Error::io(Stage::Write, e),
    )
    .in_source(location)
}
