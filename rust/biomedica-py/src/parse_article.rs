//! `parse_article`: one document to a dictionary.

use biomedica::article::{self, Article};
use biomedica::jats;
use biomedica::limits::Limits;
use biomedica::tables::{Articles, FigureRow, Figures, Table, Value};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::error::Result;

/// Read one JATS document; see the stub for the whole documentation.
#[pyfunction]
pub fn parse_article<'py>(py: Python<'py>, xml: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyDict>> {
    let bytes = xml.as_bytes();
    let article = py.detach(|| jats::parse(bytes, &Limits::default())).map_err(crate::error::CoreError::from)?;
    let has_accession = article.accession.is_some();
    Ok(dictionary(py, &article::without_images(article), has_accession)?)
}

fn dictionary<'py>(py: Python<'py>, article: &Article, has_accession: bool) -> Result<Bound<'py, PyDict>> {
    let nameless = |name: &str| !has_accession && matches!(name, "article_accession_id" | "image_id");
    let keys = KEYS.get_or_init(py, || (keys::<Articles>(py), keys::<Figures>(py)));
    let all = row::<Articles>(py, &keys.0, article, |name| nameless(name) || name == "source")?;
    let figures = PyList::empty(py);
    for figure in &article.figures {
        figures.append(row::<Figures>(py, &keys.1, FigureRow { article, figure, pointer: None }, nameless)?)?;
    }
    all.set_item("figures", figures)?;
    Ok(all)
}

/// Names of columns as Python strings.
type Keys = Vec<Py<PyString>>;

/// Those of articles and of figures, made once.
static KEYS: PyOnceLock<(Keys, Keys)> = PyOnceLock::new();

fn keys<T: Table>(py: Python<'_>) -> Keys {
    T::COLUMNS.iter().map(|column| PyString::intern(py, column.name).unbind()).collect()
}

/// One row as a dictionary, null where `is_null` says that a column is not known.
fn row<'py, T: Table>(
    py: Python<'py>,
    keys: &[Py<PyString>],
    row: T::Row<'_>,
    is_null: impl Fn(&str) -> bool,
) -> Result<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (key, column) in keys.iter().zip(T::COLUMNS) {
        let value = if is_null(column.name) { Value::Null } else { (column.get)(&row) };
        all.set_item(key, object(py, &value)?)?;
    }
    Ok(all)
}

fn object<'py>(py: Python<'py>, value: &Value<'_>) -> Result<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Owned(text) => PyString::new(py, text).into_any(),
        Value::Hex(hash) => PyString::new(py, &biomedica::image::hex(hash)).into_any(),
        Value::Bool(value) => value.into_pyobject(py).map_err(PyErr::from)?.to_owned().into_any(),
        Value::Int(value) => value.into_pyobject(py).map_err(PyErr::from)?.into_any(),
        Value::Ints(list) => list.into_pyobject(py)?.into_any(),
        Value::Texts(list) => list.into_pyobject(py)?.into_any(),
        Value::References(list) => {
            let all = PyList::empty(py);
            for reference in *list {
                let one = PyDict::new(py);
                one.set_item(intern!(py, "id"), reference.id.as_deref())?;
                one.set_item(intern!(py, "pmid"), reference.pmid.as_deref())?;
                one.set_item(intern!(py, "doi"), reference.doi.as_deref())?;
                one.set_item(intern!(py, "citation"), &reference.citation)?;
                all.append(one)?;
            }
            all.into_any()
        }
        Value::Panels(list) => {
            let all = PyList::empty(py);
            for panel in *list {
                let one = PyDict::new(py);
                one.set_item(intern!(py, "label"), &panel.label)?;
                one.set_item(intern!(py, "text"), &panel.text)?;
                all.append(one)?;
            }
            all.into_any()
        }
    })
}
