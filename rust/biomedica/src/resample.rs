//! Draws with replacement, for bootstrap intervals (Efron 1979, "Bootstrap methods: another look at the jackknife"), and
//! metrics of the order of scores for samples that count several times.
//!
//! Draw `d` of a seed is the same numbers whatever is asked for beside it and however many threads are at work: each has a
//! generator of its own. A draw is as many picks as there are units.

use std::thread;

use fastrand::Rng;

use crate::random::STEP;

/// Which draws are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Another seed gives other draws.
    pub seed: u64,
    /// The number of the first one.
    pub first: u64,
    /// Threads to work with.
    pub threads: usize,
}

/// How often each of `units` is in each draw, into rows of `out`; as many draws as `out` has rows.
///
/// # Panics
///
/// If `units` is 0 or above `u32::MAX`, or `out` is no whole number of rows.
pub fn counts(units: usize, draws: Draws, out: &mut [f64]) {
    each(draws, units, units, out, |row, picks| {
        row.fill(0.0);
        for unit in picks {
            row[unit] += 1.0;
        }
    });
}

/// The sum over each draw of `rows`, one for each unit and of `columns` numbers, into rows of `out`.
///
/// # Panics
///
/// If there are no rows or more than `u32::MAX`, or `rows` or `out` is no whole number of rows.
pub fn sums(rows: &[f64], columns: usize, draws: Draws, out: &mut [f64]) {
    assert!(columns > 0 && rows.len().is_multiple_of(columns), "rows are whole");
    let units = rows.len() / columns;
    let sparse = Sparse::new(rows, columns);
    if 2 * sparse.values.len() < rows.len() {
        each(draws, units, columns, out, |sum, picks| {
            sum.fill(0.0);
            for unit in picks {
                for &(column, value) in sparse.row(unit) {
                    sum[column as usize] += value;
                }
            }
        });
        return;
    }
    each(draws, units, columns, out, |sum, picks| match sum {
        // Numbers in registers instead of memory.
        [sum] => *sum = picks.map(|unit| rows[unit]).sum(),
        [first, second] => {
            let (mut one, mut other) = (0.0, 0.0);
            for unit in picks {
                one += rows[2 * unit];
                other += rows[2 * unit + 1];
            }
            (*first, *second) = (one, other);
        }
        _ => {
            sum.fill(0.0);
            for unit in picks {
                for (sum, value) in sum.iter_mut().zip(&rows[unit * columns..(unit + 1) * columns]) {
                    *sum += value;
                }
            }
        }
    });
}

/// Rows without their zeros: those of a histogram are hardly anything else.
struct Sparse {
    ends: Vec<usize>,
    values: Vec<(u32, f64)>,
}

impl Sparse {
    fn new(rows: &[f64], columns: usize) -> Self {
        let (mut ends, mut values) = (vec![0], Vec::new());
        for row in rows.chunks(columns) {
            values.extend(row.iter().zip(0u32..).filter(|(value, _)| **value != 0.0).map(|(&value, at)| (at, value)));
            ends.push(values.len());
        }
        Self { ends, values }
    }

    fn row(&self, unit: usize) -> &[(u32, f64)] {
        &self.values[self.ends[unit]..self.ends[unit + 1]]
    }
}

/// A class's samples by falling score.
#[derive(Clone, Copy, Debug)]
pub struct Ranking<'a> {
    /// The sample at each place.
    pub order: &'a [u32],
    /// Whether it is of the class.
    pub positive: &'a [u8],
    /// Whether it is the last of its score.
    pub last: &'a [u8],
}

impl Ranking<'_> {
    /// The area under the ROC curve when samples count as often as `weights` say; a tie counts half. NaN where one side has
    /// no sample.
    #[must_use]
    pub fn area(&self, weights: &[f64]) -> f64 {
        let (mut area, mut above, mut below) = (0.0, 0.0, 0.0);
        self.by_score(weights, |hits, misses| {
            area += misses * (above + hits / 2.0);
            above += hits;
            below += misses;
        });
        area / (above * below)
    }

    /// The average precision in the same sense: precision at each score times the share of positives that it adds.
    #[must_use]
    pub fn precision(&self, weights: &[f64]) -> f64 {
        let (mut sum, mut found, mut seen) = (0.0, 0.0, 0.0);
        self.by_score(weights, |hits, misses| {
            found += hits;
            seen += hits + misses;
            if hits > 0.0 {
                sum += hits * found / seen;
            }
        });
        sum / found
    }

    /// Calls `take` with the weight of positives and negatives of each score.
    fn by_score(&self, weights: &[f64], mut take: impl FnMut(f64, f64)) {
        let (mut hits, mut misses) = (0.0, 0.0);
        for ((&sample, &positive), &last) in self.order.iter().zip(self.positive).zip(self.last) {
            let weight = weights[sample as usize];
            if positive == 0 {
                misses += weight;
            } else {
                hits += weight;
            }
            if last != 0 {
                take(hits, misses);
                (hits, misses) = (0.0, 0.0);
            }
        }
    }
}

/// The units of one draw, as many as there are.
struct Picks {
    random: Rng,
    units: u32,
    left: u32,
}

impl Picks {
    fn of(seed: u64, draw: u64, units: u32) -> Self {
        // The seeds of two draws are near each other as numbers; what a generator of each gives first is not.
        let seed = Rng::with_seed(seed.wrapping_add(draw.wrapping_mul(STEP))).u64(..);
        Self { random: Rng::with_seed(seed), units, left: units }
    }
}

impl Iterator for Picks {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        Some(self.random.u32(..self.units) as usize)
    }
}

/// Calls `make` for each row of `out`, of `width` numbers, with the picks of its draw.
fn each(draws: Draws, units: usize, width: usize, out: &mut [f64], make: impl Fn(&mut [f64], Picks) + Sync) {
    assert!(width > 0 && out.len().is_multiple_of(width), "out is whole");
    let Ok(units @ 1..) = u32::try_from(units) else {
        panic!("there are {units} units to draw from; 1 to {} may be", u32::MAX);
    };
    let rows = out.len() / width;
    let share = rows.div_ceil(draws.threads.max(1)).max(1);
    let make = &make;
    thread::scope(|scope| {
        for (part, chunk) in out.chunks_mut(share * width).enumerate() {
            let begin = draws.first.wrapping_add((part * share) as u64);
            scope.spawn(move || {
                for (row, draw) in chunk.chunks_mut(width).zip(0..) {
                    make(row, Picks::of(draws.seed, begin.wrapping_add(draw), units));
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(first: u64, threads: usize) -> Draws {
        Draws { seed: 7, first, threads }
    }

    #[test]
    fn a_draw_is_the_same_whatever_is_drawn_beside_it() {
        let mut whole = vec![0.0; 10 * 31];
        counts(31, draws(0, 1), &mut whole);
        let mut part = vec![1.0; 4 * 31];
        counts(31, draws(5, 3), &mut part);
        assert_eq!(part, whole[5 * 31..9 * 31]);
    }

    #[test]
    fn a_draw_has_as_many_picks_as_there_are_units() {
        let mut out = vec![0.0; 100 * 13];
        counts(13, draws(0, 2), &mut out);
        assert!(out.chunks(13).all(|row| (row.iter().sum::<f64>() - 13.0).abs() < 1e-9));
    }

    #[test]
    fn sums_are_those_of_the_counts() {
        let dense: Vec<f64> = (0..60).map(|number| f64::from(number * number % 17)).collect();
        let sparse: Vec<f64> = (0..60).map(|number| f64::from(u8::from(number % 7 == 0))).collect();
        for (columns, rows) in [(1, &dense), (2, &dense), (3, &dense), (2, &sparse), (6, &sparse)] {
            let units = rows.len() / columns;
            let (mut counted, mut summed) = (vec![0.0; 50 * units], vec![9.0; 50 * columns]);
            counts(units, draws(3, 1), &mut counted);
            sums(rows, columns, draws(3, 2), &mut summed);
            for (row, sum) in counted.chunks(units).zip(summed.chunks(columns)) {
                for (column, sum) in sum.iter().enumerate() {
                    let expected: f64 =
                        row.iter().zip(rows.chunks(columns)).map(|(count, row)| count * row[column]).sum();
                    assert!((sum - expected).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn areas_are_those_of_pairs() {
        // Scores 3 3 2 1 1 1, by falling score already.
        let ranking = Ranking { order: &[0, 1, 2, 3, 4, 5], positive: &[1, 0, 1, 0, 1, 0], last: &[0, 1, 1, 0, 0, 1] };
        let scores = [3, 3, 2, 1, 1, 1];
        let weights = [1.0, 2.0, 0.0, 1.0, 3.0, 1.0];
        let (mut won, mut pairs) = (0.0, 0.0);
        for yes in [0, 2, 4] {
            for no in [1, 3, 5] {
                let weight = weights[yes] * weights[no];
                pairs += weight;
                won += weight
                    * match scores[yes].cmp(&scores[no]) {
                        std::cmp::Ordering::Less => 0.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Greater => 1.0,
                    };
            }
        }
        assert!((ranking.area(&weights) - won / pairs).abs() < 1e-12);
        // Precision 1/3 at score 3 adds 1 of 4 positives, 4/8 at score 1 adds the other 3.
        assert!((ranking.precision(&weights) - (1.0 / 3.0 / 4.0 + 0.5 * 3.0 / 4.0)).abs() < 1e-12);
        assert!(ranking.area(&[0.0; 6]).is_nan());
    }

    #[test]
    fn counts_have_the_mean_and_variance_of_the_multinomial() {
        let (units, rows) = (20, 20_000);
        let mut out = vec![0.0; units * rows];
        counts(units, draws(0, 2), &mut out);
        #[allow(clippy::cast_precision_loss)]
        let (n, k) = (rows as f64, units as f64);
        for unit in 0..units {
            let mean = out.chunks(units).map(|row| row[unit]).sum::<f64>() / n;
            let variance = out.chunks(units).map(|row| (row[unit] - mean).powi(2)).sum::<f64>() / n;
            assert!((mean - 1.0).abs() < 0.04, "{mean}");
            assert!((variance - (1.0 - 1.0 / k)).abs() < 0.06, "{variance}");
        }
    }
}
