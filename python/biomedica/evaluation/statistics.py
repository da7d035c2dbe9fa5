"""How sure a number is: bootstrap intervals, paired comparisons, correction for many tests, averages over tasks.

Units are drawn with replacement: samples, or whole groups (articles, patients) when samples of a group resemble each
other (Field and Welsh 2007, "Bootstrapping clustered data"); intervals that ignore groups are then too narrow.

A draw is a count for each unit. A metric is a function of sums over samples (`Sums`), so all draws of a block are one
matrix product, counts x sums. Units with the same sums are counted together: their joint count is multinomial too, so
this is the same bootstrap, and a table of right and wrong costs no more for 100,000 samples than for 100.

A block of draws has its own random stream, of the seed and of its place: the same seed gives the same draws, whatever
the number of threads. Sums of values that are not whole may differ in the last digit where the algebra library does.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Comparison", "Estimate", "Interval", "Sums", "average", "compare", "estimate", "holm", "interval", "mean"]

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]
Method = Literal["bca", "percentile"]

DRAWS = 10_000
CELLS = 4_000_000
"""Counts in memory at once for each thread: 32 MB of them."""
THREADS = min(4, os.cpu_count() or 1)


def mean(sums: Floats) -> Floats:
    """The mean, of sums [..., 2] of values and of ones (see `Sums.of_values`)."""
    return np.asarray(sums[..., 0] / sums[..., 1])


@dataclass(frozen=True)
class Sums:
    """What each sample adds to the sums that a metric is a function of."""

    kinds: Floats
    """Each different row once: [K, S]."""
    kind: NDArray[np.int64]
    """Which row each sample has: [N]."""
    metric: Metric
    """Sums [..., S] to numbers [...]."""

    @classmethod
    def of(cls, rows: ArrayLike, metric: Metric) -> "Sums":
        """Of a row [S] for each sample: [N, S].

        Raises:
            ValueError: `rows` is empty, has another shape, or a number is not finite.
        """
        found = np.asarray(rows, np.float64)
        if found.ndim != 2 or not len(found):  # noqa: PLR2004
            raise ValueError(f"rows {found.shape}: give [samples, sums], one sample at least")
        if not np.isfinite(found).all():
            raise ValueError(f"a value of sample {int((~np.isfinite(found)).any(1).argmax())} is not finite")
        kinds, kind = np.unique(found, axis=0, return_inverse=True)
        return cls(kinds, kind.reshape(-1).astype(np.int64), metric)

    @classmethod
    def of_values(cls, values: ArrayLike) -> "Sums":
        """The mean of a value for each sample [N]: hits (accuracy@k), recall of ranks, any score."""
        column = np.asarray(values, np.float64)
        if column.ndim != 1:
            raise ValueError(f"values {column.shape}: give one a sample")
        return cls.of(np.stack([column, np.ones(len(column))], 1), mean)

    @classmethod
    def of_classes(cls, labels: ArrayLike, predicted: ArrayLike, classes: int, metric: Metric) -> "Sums":
        """A metric of `class_sums` (accuracy, balanced_accuracy, macro_f1) of class numbers [N].

        Raises:
            ValueError: The lengths differ, nothing is there, or a class number is not in 0..classes.
        """
        true, said = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
        if true.ndim != 1 or true.shape != said.shape or not len(true):
            raise ValueError(f"labels {true.shape} and predictions {said.shape}: give one of each a sample")
        if min(true.min(), said.min()) < 0 or max(true.max(), said.max()) >= classes:
            raise ValueError(f"a label or prediction is not a class number in 0..{classes - 1}")
        cells, kind = np.unique(true * classes + said, return_inverse=True)
        one = np.zeros((len(cells), 3, classes))
        at = np.arange(len(cells))
        one[at, 0, cells // classes] = cells // classes == cells % classes
        one[at, 1, cells // classes] = one[at, 2, cells % classes] = 1
        return cls(
            one.reshape(len(cells), -1),
            kind.astype(np.int64),
            lambda sums: metric(sums.reshape(*sums.shape[:-1], 3, classes)),
        )

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.kind)


@dataclass(frozen=True)
class Estimate:
    """A number of all samples, the same of each draw, and of all but one unit."""

    value: float
    draws: Floats
    """[draws]"""
    without: Floats
    """The number when one unit is left out, for each kind of unit: [K]."""
    units: NDArray[np.int64]
    """How many units of each kind there are: [K]."""


@dataclass(frozen=True)
class Interval:
    """A number and where it may lie."""

    value: float
    low: float
    high: float
    level: float
    method: Method
    units: int
    """Samples or groups that were drawn."""
    draws: int
    seed: int


@dataclass(frozen=True)
class Comparison:
    """First less second, on the same draws."""

    difference: Interval
    p: float
    """Two-sided."""


def estimate(sums: Sums, groups: ArrayLike | None = None, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The metric of all samples and of each draw.

    Args:
        sums: What each sample adds.
        groups: The article or patient of each sample [N]; samples are drawn singly when left out.
        draws: How many.
        seed: The same seed gives the same draws.

    Raises:
        ValueError: Lengths differ, there are fewer than two units or no draws, or the metric of all is not defined.
    """
    if draws < 1:
        raise ValueError("draws must be 1 or more")
    rows, units = _units(sums, groups)
    total = int(units.sum())
    if total < 2:  # noqa: PLR2004
        raise ValueError("an interval needs two samples at least, or two groups when there are groups")
    whole = units @ rows
    value = float(sums.metric(whole))
    if not np.isfinite(value):
        raise ValueError("the metric is not defined for these samples")
    with np.errstate(invalid="ignore", divide="ignore"):
        without = sums.metric(whole - rows)
    step = max(1, CELLS // max(rows.shape))

    def block(begin: int) -> Floats:
        rng = np.random.Generator(np.random.SFC64([seed, begin]))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums.metric(_counts(rng, units, min(step, draws - begin)) @ rows))

    begins = range(0, draws, step)
    if len(begins) == 1:
        found = block(0)
    else:
        with ThreadPoolExecutor(THREADS) as pool:  # numpy draws and counts without Python's lock
            found = np.concatenate(list(pool.map(block, begins)))
    return Estimate(value, found, without, units)


def interval(
    values: Sums | ArrayLike,
    *,
    groups: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> Interval:
    """Where a metric may lie.

    Args:
        values: `Sums` of a metric, or values [N] whose mean is meant.
        groups: The article or patient of each sample [N].
        draws: How many.
        seed: The same seed gives the same interval.
        level: Share of intervals that hold the true number.
        method: `bca`, corrected for bias and skew (Efron 1987, "Better bootstrap confidence intervals"), or
            `percentile`.

    Raises:
        ValueError: See `estimate`; or `level` is not between 0 and 1, or `method` is another.
    """
    sums = values if isinstance(values, Sums) else Sums.of_values(values)
    return _interval(estimate(sums, groups, draws, seed), seed, level, method)


def compare(
    first: Sums,
    second: Sums,
    *,
    groups: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> Comparison:
    """Two models on the same samples, by the same draws.

    p is the share of draws whose difference is as far from the difference found as that is from 0 (Davison and Hinkley
    1997, section 4.4), the finding counted as a draw, so never 0.

    Raises:
        ValueError: The two have not the same samples; see `interval`.
    """
    found = estimate(_difference(first, second), groups, draws, seed)
    far = np.abs(found.draws - found.value) >= abs(found.value) - 1e-12
    return Comparison(_interval(found, seed, level, method), float((1 + far.sum()) / (1 + len(far))))


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm 1979, "A simple sequentially rejective multiple test procedure").

    Raises:
        ValueError: A p-value is not in 0..1.
    """
    values = np.asarray(p, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a p-value is not in 0..1")
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1)
    return [float(value) for value in corrected]


def average(
    tasks: Mapping[str, Estimate], domains: Mapping[str, str], *, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Mean over the tasks of each domain, and `""`: the mean over all tasks. Percentile intervals.

    Draw i of a mean is the mean of draws i of its tasks. Give each task its own seed when tasks share no samples; tasks
    that share samples need estimates of joint rows.

    Args:
        tasks: Estimates of the same number of draws, by name.
        domains: Domain of each task.
        seed: Written into the intervals.
        level: Share of intervals that hold the true number.

    Raises:
        ValueError: There are no tasks, numbers of draws differ, or a task has no domain.
    """
    if not tasks or len({len(found.draws) for found in tasks.values()}) != 1:
        raise ValueError("an average needs one task at least, and the same number of draws for each")
    if missing := sorted(set(tasks) - set(domains)):
        raise ValueError(f"no domain is given for {', '.join(missing)}")
    if "" in domains.values():
        raise ValueError("a domain needs a name: the empty one stands for all tasks")
    members = {"": list(tasks)}
    for task in tasks:
        members.setdefault(domains[task], []).append(task)
    means = {}
    for domain, names in members.items():
        value = float(np.mean([tasks[name].value for name in names]))
        found = np.mean([tasks[name].draws for name in names], axis=0)
        units = np.array([tasks[name].units.sum() for name in names])
        means[domain] = _interval(Estimate(value, found, np.zeros(0), units), seed, level, "percentile")
    return means


def _units(sums: Sums, groups: ArrayLike | None) -> tuple[Floats, NDArray[np.int64]]:
    """Different rows [K, S] of what is drawn, and how many units have each [K]."""
    if groups is None:
        units = np.bincount(sums.kind, minlength=len(sums.kinds))
        return sums.kinds[units > 0], units[units > 0]
    names = np.asarray(groups)
    if names.shape != (len(sums),):
        raise ValueError(f"groups {names.shape}: give one for each of {len(sums)} samples")
    if any(name is None for name in names.tolist()):
        raise ValueError("a sample has no group: give it one of its own")
    of, group = np.unique(names, return_inverse=True)
    rows = np.zeros((len(of), sums.kinds.shape[1]))
    for begin in range(0, len(group), 65_536):  # the rows of all samples at once may not fit
        part = slice(begin, begin + 65_536)
        np.add.at(rows, group[part], sums.kinds[sums.kind[part]])
    kinds, units = np.unique(rows, axis=0, return_counts=True)
    return kinds, units


def _counts(rng: np.random.Generator, units: NDArray[np.int64], draws: int) -> Floats:
    """How often each kind of unit is in each draw: [draws, K]."""
    total, kinds = int(units.sum()), len(units)
    if total > 4 * kinds:  # few kinds: one binomial each is less work than one number a unit
        return rng.multinomial(total, units / total, draws).astype(np.float64)
    of = np.repeat(np.arange(kinds), units) if total > kinds else None
    found = np.empty((draws, kinds))
    for row in found:
        picks = rng.integers(0, total, total)
        row[:] = np.bincount(picks if of is None else of[picks], minlength=kinds)
    return found


def _interval(found: Estimate, seed: int, level: float, method: Method) -> Interval:
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    defined = found.draws[np.isfinite(found.draws)]
    if not len(defined):
        raise ValueError("the metric is defined for no draw: there are too few samples")
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "bca":
        tails = _bca(found, defined, tails)
    elif method != "percentile":
        raise ValueError(f"method {method!r}: it is bca or percentile")
    low, high = np.quantile(defined, tails)
    units = int(found.units.sum())
    return Interval(found.value, float(low), float(high), level, method, units, len(found.draws), seed)


def _bca(found: Estimate, draws: Floats, tails: Floats) -> Floats:
    """Quantiles to read off instead of `tails`: Efron 1987, with the acceleration of the jackknife."""
    normal = NormalDist()
    same = np.abs(draws - found.value) <= 1e-12  # noqa: PLR2004 - draws of a discrete metric equal it often; half are below
    below = float(((draws < found.value) & ~same).mean() + same.mean() / 2)
    if not 0 < below < 1:
        return tails
    bias = normal.inv_cdf(below)
    defined = np.isfinite(found.without)
    units, without = found.units[defined], found.without[defined]
    away = np.average(without, weights=units) - without
    spread = float((units * away**2).sum())
    skew = float((units * away**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    moved = [bias + normal.inv_cdf(float(tail)) for tail in tails]
    return np.array([normal.cdf(bias + z / (1 - skew * z)) if skew * z < 1 else tails[i] for i, z in enumerate(moved)])


def _difference(first: Sums, second: Sums) -> Sums:
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} samples: a comparison needs the same ones, in the same order")
    pairs, kind = np.unique(first.kind * len(second.kinds) + second.kind, return_inverse=True)
    one, other = np.divmod(pairs, len(second.kinds))
    at = first.kinds.shape[1]
    return Sums(
        np.concatenate([first.kinds[one], second.kinds[other]], 1),
        kind.astype(np.int64),
        lambda sums: first.metric(sums[..., :at]) - second.metric(sums[..., at:]),
    )
