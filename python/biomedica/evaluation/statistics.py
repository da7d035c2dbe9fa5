"""How sure a number is: bootstrap intervals, paired comparisons, correction for many tests, averages over tasks.

What is drawn and how is in `resample`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biomedica.evaluation.resample import DRAWS, Estimate, Sampled, Sums, Weighted, combined, estimate

__all__ = ["Comparison", "Interval", "average", "compare", "difference", "holm", "interval", "interval_of", "p_value"]

Floats = NDArray[np.float64]
Method = Literal["bca", "percentile"]


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


def interval(
    values: Sampled | ArrayLike,
    *,
    groups: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> Interval:
    """Where a metric may lie.

    Args:
        values: What it is computed of, or values [N] whose mean is meant.
        groups: The article or patient of each sample [N].
        draws: How many.
        seed: The same seed gives the same interval.
        level: Share of intervals that hold the true number.
        method: See `interval_of`.

    Raises:
        ValueError: See `estimate`; or `level` is not between 0 and 1, or `method` is another.
    """
    sampled = values if isinstance(values, Sums | Weighted) else Sums.of_values(values)
    return interval_of(estimate(sampled, groups, draws, seed), seed=seed, level=level, method=method)


def interval_of(found: Estimate, *, seed: int = 0, level: float = 0.95, method: Method = "bca") -> Interval:
    """The interval of an estimate.

    Args:
        found: The estimate.
        seed: Of its draws; written into the interval.
        level: Share of intervals that hold the true number.
        method: `bca`, corrected for bias and skew (Efron 1987, "Better bootstrap confidence intervals"), or
            `percentile`, which also stands in where units were too many to be left out one by one or the metric is not
            defined without any of them, and for averages.

    Raises:
        ValueError: `level` is not between 0 and 1, `method` is another, or the metric is defined for no draw.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    if method not in {"bca", "percentile"}:
        raise ValueError(f"method {method!r}: it is bca or percentile")
    defined = found.draws[np.isfinite(found.draws)]
    if not len(defined):
        raise ValueError("the metric is defined for no draw: there are too few samples")
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if not np.isfinite(found.without).any():
        method = "percentile"
    if method == "bca":
        tails = _bca(found, defined, tails)
    low, high = np.quantile(defined, tails)
    units = int(found.units.sum())
    return Interval(found.value, float(low), float(high), level, method, units, len(found.draws), seed)


def difference(first: Sampled, second: Sampled) -> Sampled:
    """First less second.

    Raises:
        ValueError: The two have not the same samples.
    """
    return combined([first, second], lambda found: found[0] - found[1])


def compare(
    first: Sampled,
    second: Sampled,
    *,
    groups: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
    method: Method = "bca",
) -> Comparison:
    """Two models on the same samples, by the same draws.

    Raises:
        ValueError: The two have not the same samples; see `interval`.
    """
    found = estimate(difference(first, second), groups, draws, seed)
    return Comparison(interval_of(found, seed=seed, level=level, method=method), p_value(found))


def p_value(found: Estimate) -> float:
    """How unlikely so large a difference is if there is none, two-sided.

    The share of draws whose difference is as far from the difference found as that is from 0 (Davison and Hinkley 1997,
    "Bootstrap Methods and their Application", section 4.4), the finding counted as a draw, so never 0.
    """
    defined = found.draws[np.isfinite(found.draws)]
    far = np.abs(defined - found.value) >= abs(found.value) - 1e-12
    return float((1 + far.sum()) / (1 + len(defined)))


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


def average(tasks: Mapping[str, Estimate], domains: Mapping[str, str]) -> dict[str, Estimate]:
    """Mean over the tasks of each domain, and `""`: the mean over all tasks; each task counts the same.

    Draw i of a mean is the mean of draws i of its tasks. Give tasks that share no samples seeds of their own, and those that
    do the same draws (`resample.estimates`), else intervals of their mean are too narrow.

    Args:
        tasks: Estimates of the same number of draws, by name: of a metric, or of a difference of two models.
        domains: Domain of each task.

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
    return {
        domain: Estimate(
            float(np.mean([tasks[name].value for name in names])),
            np.mean([tasks[name].draws for name in names], axis=0),
            np.zeros(0),
            np.array([tasks[name].units.sum() for name in names]),
        )
        for domain, names in members.items()
    }


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
