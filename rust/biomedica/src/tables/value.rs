//! One cell of a table, its type, and its JSON.

use arrow_schema::{DataType, Field, Fields};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{Table, internal};
use crate::error::Result;
use crate::image::hex;
use crate::jats::{Panel, Reference};

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `Utf8`.
    Text,
    /// `Boolean`.
    Bool,
    /// `Int32`.
    Int32,
    /// `Int64`.
    Int64,
    /// `List<Int32>`.
    Ints,
    /// `List<Utf8>`.
    Texts,
    /// `List<Struct>` of strings of these names.
    Records(&'static [&'static str]),
}

/// Fields of `article_reference_list`, in the order in which [`Value::References`] fills them.
pub(super) const REFERENCE: &[&str] = &["id", "pmid", "doi", "citation"];
/// Fields of `image_panels`, in the order in which [`Value::Panels`] fills them.
pub(super) const PANEL: &[&str] = &["label", "text"];

impl Kind {
    /// The Arrow type.
    pub fn data_type(self) -> DataType {
        let list = |item| DataType::List(Field::new_list_field(item, true).into());
        match self {
            Self::Text => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Ints => list(DataType::Int32),
            Self::Texts => list(DataType::Utf8),
            Self::Records(names) => list(DataType::Struct(record_fields(names))),
        }
    }
}

pub(super) fn record_fields(names: &[&str]) -> Fields {
    names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
}

/// One cell.
#[derive(Debug)]
pub enum Value<'a> {
    /// Nothing known.
    Null,
    /// Text.
    Text(&'a str),
    /// Text made for this cell.
    Owned(String),
    /// A hash, written as lower-case hex.
    Hex(&'a [u8; 32]),
    /// True or false.
    Bool(bool),
    /// A number; what its column's type cannot hold becomes null.
    Int(i64),
    /// Numbers.
    Ints(&'a [u32]),
    /// Texts.
    Texts(&'a [String]),
    /// References.
    References(&'a [Reference]),
    /// Panels.
    Panels(&'a [Panel]),
}

impl<'a> Value<'a> {
    /// The text, or null.
    pub fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    /// The panels, or null when there are none.
    pub fn panels(panels: &'a [Panel]) -> Self {
        if panels.is_empty() { Self::Null } else { Self::Panels(panels) }
    }

    /// The number, or null; also null beyond `i64`.
    pub fn int(number: Option<impl TryInto<i64>>) -> Self {
        number.and_then(|n| n.try_into().ok()).map_or(Self::Null, Self::Int)
    }

    /// Nothing to say: null or an empty list.
    fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Ints(list) => list.is_empty(),
            Self::Texts(list) => list.is_empty(),
            Self::References(list) => list.is_empty(),
            Self::Panels(list) => list.is_empty(),
            _ => false,
        }
    }

    /// Bytes of text in the cell.
    pub(super) fn num_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Owned(text) => text.len(),
            Self::Hex(_) => 64,
            Self::Texts(list) => list.iter().map(String::len).sum(),
            Self::References(list) => list.iter().flat_map(reference_fields).flatten().map(str::len).sum(),
            Self::Panels(list) => list.iter().map(|panel| panel.label.len() + panel.text.len()).sum(),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Ints(_) => 0,
        }
    }
}

/// The values of one reference, in the order of [`REFERENCE`].
pub(super) fn reference_fields(reference: &Reference) -> [Option<&str>; 4] {
    [reference.id.as_deref(), reference.pmid.as_deref(), reference.doi.as_deref(), Some(&reference.citation)]
}

/// The values of one panel, in the order of [`PANEL`].
pub(super) fn panel_fields(panel: &Panel) -> [Option<&str>; 2] {
    [Some(&panel.label), Some(&panel.text)]
}

/// One record: its fields that have a value.
struct RecordJson<'a, const N: usize>(&'static [&'static str], [Option<&'a str>; N]);

impl<const N: usize> Serialize for RecordJson<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Record", N)?;
        for (name, value) in self.0.iter().zip(self.1) {
            match value {
                Some(value) => object.serialize_field(name, value)?,
                None => object.skip_field(name)?,
            }
        }
        object.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Owned(text) => serializer.serialize_str(text),
            Self::Hex(hash) => serializer.serialize_str(&hex(hash)),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Ints(list) => serializer.collect_seq(*list),
            Self::Texts(list) => serializer.collect_seq(*list),
            Self::References(list) => {
                serializer.collect_seq(list.iter().map(|one| RecordJson(REFERENCE, reference_fields(one))))
            }
            Self::Panels(list) => serializer.collect_seq(list.iter().map(|one| RecordJson(PANEL, panel_fields(one)))),
        }
    }
}

/// Appends `"name":value` of every column that `keep` wants to `out`, compact, separated by commas, and after a comma
/// when `out` has members already.
///
/// A null or an empty list has no member. Hugging Face `datasets` takes the types of that JSON from a tar's first five
/// samples: a column that is null or empty in all of them gets the type null, and the first value after them ends
/// the load with an error. A column without a member is simply not there.
pub fn write_json<T: Table>(out: &mut Vec<u8>, row: T::Row<'_>, keep: impl Fn(&str) -> bool) -> Result<()> {
    for column in T::COLUMNS.iter().filter(|column| keep(column.name)) {
        let value = (column.get)(&row);
        if value.is_empty() {
            continue;
        }
        if !matches!(out.last(), None | Some(b'{')) {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(column.name.as_bytes());
        out.extend_from_slice(b"\":");
        serde_json::to_writer(&mut *out, &value).map_err(|e| internal(&e))?;
    }
    Ok(())
}
