//! Rows to arrays.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Int32Builder, Int64Builder, ListBuilder, StringBuilder, StructBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};

use super::value::{panel_fields, record_fields, reference_fields};
use super::{Kind, Table, Value, internal};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::hex;

/// Text beyond which 32-bit offsets overflow, with one row's largest cell to spare.
const MAX_BYTES: usize = i32::MAX as usize;
/// Bytes of text to expect in a cell: a title, a name, a caption's share.
const CELL_BYTES: usize = 48;

/// Gathers rows of one table into a record batch.
#[derive(Debug)]
pub struct Builder<T: Table> {
    cells: Vec<Cells>,
    rows: usize,
    bytes: usize,
    table: PhantomData<T>,
}

impl<T: Table> Builder<T> {
    /// A builder with room for `rows`.
    pub fn with_capacity(rows: usize) -> Self {
        let cells = T::COLUMNS.iter().map(|column| Cells::new(column.kind, rows)).collect();
        Self { cells, rows: 0, bytes: 0, table: PhantomData }
    }

    /// Rows appended since the last [`Self::finish`].
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of text appended since the last [`Self::finish`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a row. Fails beyond 2 GiB of text, which 32-bit offsets cannot hold; the builder is of no use then.
    pub fn append(&mut self, row: T::Row<'_>) -> Result<()> {
        for (column, cells) in T::COLUMNS.iter().zip(&mut self.cells) {
            let value = (column.get)(&row);
            self.bytes = self.bytes.saturating_add(value.num_bytes());
            if self.bytes > MAX_BYTES {
                return Err(Error::new(
                    Stage::Write,
                    Reason::TooLarge,
                    format!("more than 2 GiB of text in one batch, column {}", column.name),
                ));
            }
            cells.append(value);
        }
        self.rows += 1;
        Ok(())
    }

    /// The batch of all rows since the last call.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.cells.iter_mut().map(Cells::finish).collect();
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new(T::schema(), arrays).map_err(|e| internal(&e))
    }
}

#[derive(Debug)]
enum Cells {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Ints(ListBuilder<Int32Builder>),
    Texts(ListBuilder<StringBuilder>),
    Records(ListBuilder<StructBuilder>),
}

impl Cells {
    fn new(kind: Kind, rows: usize) -> Self {
        let text = || StringBuilder::with_capacity(rows, rows * CELL_BYTES);
        match kind {
            Kind::Text => Self::Text(text()),
            Kind::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
            Kind::Int32 => Self::Int32(Int32Builder::with_capacity(rows)),
            Kind::Int64 => Self::Int64(Int64Builder::with_capacity(rows)),
            Kind::Ints => Self::Ints(ListBuilder::with_capacity(Int32Builder::with_capacity(2 * rows), rows)),
            Kind::Texts => Self::Texts(ListBuilder::with_capacity(text(), rows)),
            Kind::Records(names) => {
                let columns = names.iter().map(|_| Box::new(StringBuilder::new()) as Box<dyn ArrayBuilder>).collect();
                Self::Records(ListBuilder::with_capacity(StructBuilder::new(record_fields(names), columns), rows))
            }
        }
    }

    /// Appends the value; one of another type than the column's becomes null, which the tests keep from happening.
    fn append(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::Text(cells), Value::Text(text)) => cells.append_value(text),
            (Self::Text(cells), Value::Owned(text)) => cells.append_value(text),
            (Self::Text(cells), Value::Hex(hash)) => cells.append_value(hex(hash)),
            (Self::Text(cells), _) => cells.append_null(),
            (Self::Bool(cells), Value::Bool(value)) => cells.append_value(value),
            (Self::Bool(cells), _) => cells.append_null(),
            (Self::Int32(cells), Value::Int(value)) => cells.append_option(i32::try_from(value).ok()),
            (Self::Int32(cells), _) => cells.append_null(),
            (Self::Int64(cells), Value::Int(value)) => cells.append_value(value),
            (Self::Int64(cells), _) => cells.append_null(),
            (Self::Ints(cells), Value::Ints(list)) => {
                cells.append_value(list.iter().map(|&n| i32::try_from(n).ok()));
            }
            (Self::Ints(cells), _) => cells.append_null(),
            (Self::Texts(cells), Value::Texts(list)) => cells.append_value(list.iter().map(Some)),
            (Self::Texts(cells), _) => cells.append_null(),
            (Self::Records(cells), Value::References(list)) => {
                append_records(cells, list.iter().map(reference_fields));
            }
            (Self::Records(cells), Value::Panels(list)) => append_records(cells, list.iter().map(panel_fields)),
            (Self::Records(cells), _) => cells.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(cells) => Arc::new(cells.finish()),
            Self::Bool(cells) => Arc::new(cells.finish()),
            Self::Int32(cells) => Arc::new(cells.finish()),
            Self::Int64(cells) => Arc::new(cells.finish()),
            Self::Ints(cells) => Arc::new(cells.finish()),
            Self::Texts(cells) => Arc::new(cells.finish()),
            Self::Records(cells) => Arc::new(cells.finish()),
        }
    }
}

fn append_records<'a, const N: usize>(
    cells: &mut ListBuilder<StructBuilder>,
    records: impl Iterator<Item = [Option<&'a str>; N]>,
) {
    for record in records {
        let fields = cells.values();
        for (i, value) in record.into_iter().enumerate() {
            if let Some(field) = fields.field_builder::<StringBuilder>(i) {
                field.append_option(value);
            }
        }
        fields.append(true);
    }
    cells.append(true);
}
