//! Draws with replacement; see the stub.

use biomedica::pipeline;
use biomedica::resample::{self, Draws, Ranking};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::buffer::{Lent, buffer, output, written};

/// How often each unit is in each draw, into `out`.
#[pyfunction]
#[pyo3(signature = (out, seed, *, first=0, threads=None))]
pub fn draw_counts(
    py: Python<'_>,
    out: &Bound<'_, PyAny>,
    seed: u64,
    first: u64,
    threads: Option<usize>,
) -> PyResult<()> {
    let (rows, units) = shape(out)?;
    let out = output::<f64>(out, "float64", &[rows, units], &[])?;
    check(units)?;
    let (draws, out) = (Draws { seed, first, threads: pipeline::threads(threads) }, written(&out));
    py.detach(|| resample::counts(units, draws, out));
    Ok(())
}

/// The sum of `rows` over each draw, into `out`.
#[pyfunction]
#[pyo3(signature = (rows, out, seed, *, first=0, threads=None))]
pub fn draw_sums(
    py: Python<'_>,
    rows: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
    seed: u64,
    first: u64,
    threads: Option<usize>,
) -> PyResult<()> {
    let (units, columns) = shape(rows)?;
    let rows = buffer::<f64>(rows, "rows must be float64")?;
    let (draws, width) = shape(out)?;
    let out = output::<f64>(out, "float64", &[draws, columns], &[])?;
    check(units)?;
    if width == 0 {
        return Err(PyValueError::new_err("rows have no columns"));
    }
    let lent = Lent::new(&rows);
    let (draws, rows, out) = (Draws { seed, first, threads: pipeline::threads(threads) }, lent.as_ref(), written(&out));
    py.detach(|| resample::sums(rows, columns, draws, out));
    Ok(())
}

/// A metric of the order of each class's scores, for samples that count as often as `counts` say, into `out`.
#[pyfunction]
pub fn weighted_areas(
    py: Python<'_>,
    counts: &Bound<'_, PyAny>,
    order: &Bound<'_, PyAny>,
    positive: &Bound<'_, PyAny>,
    last: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
    precision: bool,
) -> PyResult<()> {
    let ((draws, samples), (classes, _)) = (shape(counts)?, shape(order)?);
    for matrix in [order, positive, last] {
        if shape(matrix)? != (classes, samples) {
            return Err(PyValueError::new_err(format!(
                "order, positive and last must have shape ({classes}, {samples})"
            )));
        }
    }
    let out = output::<f64>(out, "float64", &[draws, classes], &[])?;
    let counts = buffer::<f64>(counts, "counts must be float64")?;
    let order = buffer::<u32>(order, "order must be uint32")?;
    let (positive, last) =
        (buffer::<u8>(positive, "positive must be uint8")?, buffer::<u8>(last, "last must be uint8")?);
    let (counts, order, positive, last) =
        (Lent::new(&counts), Lent::new(&order), Lent::new(&positive), Lent::new(&last));
    let (counts, order, positive, last) = (counts.as_ref(), order.as_ref(), positive.as_ref(), last.as_ref());
    if samples == 0 || order.iter().any(|&sample| sample as usize >= samples) {
        return Err(PyValueError::new_err(format!("order has a sample that is not below {samples}")));
    }
    let out = written(&out);
    py.detach(|| {
        for (weights, row) in counts.chunks(samples).zip(out.chunks_mut(classes.max(1))) {
            for (class, value) in row.iter_mut().enumerate() {
                let span = class * samples..(class + 1) * samples;
                let ranking =
                    Ranking { order: &order[span.clone()], positive: &positive[span.clone()], last: &last[span] };
                *value = if precision { ranking.precision(weights) } else { ranking.area(weights) };
            }
        }
    });
    Ok(())
}

/// Rows and columns of a matrix.
fn shape(matrix: &Bound<'_, PyAny>) -> PyResult<(usize, usize)> {
    matrix.getattr("shape")?.extract().map_err(|_| PyValueError::new_err("a matrix of two dimensions is wanted"))
}

fn check(units: usize) -> PyResult<()> {
    if units == 0 || u32::try_from(units).is_err() {
        return Err(PyValueError::new_err(format!("there are {units} units to draw from; 1 to {} may be", u32::MAX)));
    }
    Ok(())
}
