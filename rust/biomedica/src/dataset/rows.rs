//! Rows of a dataset's tables, read again: some columns, batch by batch.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch, StringArray};
use parquet::arrow::ProjectionMask;

use super::root::Root;
use crate::error::{Error, Reason, Result, Stage};

/// One batch of a table.
#[derive(Debug)]
pub(super) struct Rows {
    batch: RecordBatch,
    location: String,
}

/// The batches of a table, of these columns; of all when none are named.
pub(super) fn rows(root: &Root, path: &str, columns: &[&str]) -> Result<impl Iterator<Item = Result<Rows>>> {
    let location = root.location(path);
    let builder = root.table(path)?;
    let mask = match columns {
        [] => ProjectionMask::all(),
        names => ProjectionMask::columns(builder.parquet_schema(), names.iter().copied()),
    };
    let reader = builder.with_projection(mask).build().map_err(|e| corrupt(&location, e.to_string()))?;
    Ok(reader.map(move |batch| match batch {
        Ok(batch) => Ok(Rows { batch, location: location.clone() }),
        Err(error) => Err(corrupt(&location, error.to_string())),
    }))
}

fn corrupt(location: &str, detail: String) -> Error {
    Error::new(Stage::Open, Reason::Corrupt, detail).in_source(location)
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// All columns.
    pub(super) fn columns(&self) -> &[ArrayRef] {
        self.batch.columns()
    }

    /// The same rows with other columns in the place of those of their names.
    pub(super) fn with(&self, columns: &HashMap<&str, ArrayRef>) -> Result<Self> {
        let schema = self.batch.schema();
        let each = schema.fields().iter().zip(self.batch.columns());
        let all =
            each.map(|(field, column)| Arc::clone(columns.get(field.name().as_str()).unwrap_or(column))).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), all).map_err(|e| self.wrong(&e.to_string()))?;
        Ok(Self { batch, location: self.location.clone() })
    }

    /// The error of rows that no table of a dataset has.
    #[cold]
    pub(super) fn wrong(&self, what: &str) -> Error {
        corrupt(&self.location, format!("{what}; verify the dataset"))
    }

    /// A column of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Texts<'_>> {
        let column = self.batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        column.map(Texts).ok_or_else(|| self.no_column(name))
    }

    /// A column of 64-bit numbers.
    pub(super) fn longs(&self, name: &str) -> Result<Numbers<'_, Int64Type>> {
        self.numbers(name)
    }

    /// A column of 32-bit numbers.
    pub(super) fn ints(&self, name: &str) -> Result<Numbers<'_, Int32Type>> {
        self.numbers(name)
    }

    fn numbers<T: ArrowPrimitiveType>(&self, name: &str) -> Result<Numbers<'_, T>> {
        let column = self.batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<T>());
        column.map(Numbers).ok_or_else(|| self.no_column(name))
    }

    #[cold]
    fn no_column(&self, name: &str) -> Error {
        corrupt(&self.location, format!("the column {name} is missing or of another type"))
    }
}

/// A column of texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a>(&'a StringArray);

impl<'a> Texts<'a> {
    /// The text of a row; none for null.
    pub(super) fn get(self, row: usize) -> Option<&'a str> {
        (row < self.0.len() && self.0.is_valid(row)).then(|| self.0.value(row))
    }
}

/// A column of numbers.
#[derive(Debug)]
pub(super) struct Numbers<'a, T: ArrowPrimitiveType>(&'a PrimitiveArray<T>);

impl<T: ArrowPrimitiveType> Numbers<'_, T> {
    /// The number of a row; none for null, and for one that is negative.
    pub(super) fn get<N: TryFrom<T::Native>>(&self, row: usize) -> Option<N> {
        (row < self.0.len() && self.0.is_valid(row)).then(|| N::try_from(self.0.value(row)).ok()).flatten()
    }
}
