"""What is drawn, and how: the numbers of a bootstrap's draws.

Units are drawn with replacement: samples, or whole groups (articles, patients) when samples of a group resemble each
other (Field and Welsh 2007, "Bootstrapping clustered data"); intervals that ignore groups are then too narrow.

A draw is a count for each unit. There are two forms of what is measured, `Sampled`:

- `Sums`: a metric that is a function of sums over samples. All draws of a block are one matrix product, counts x sums.
  Units with the same sums are counted together: their joint count is multinomial too, so this is the same bootstrap, and
  a table of right and wrong costs no more for 100,000 samples than for 100.
- `Weighted`: any other (areas under curves, medians), computed from how often each sample is in each draw.

Each draw, or block of draws, has its own random stream, of the seed and of its place: the same seed gives the same draws,
whatever the number of threads.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biomedica import _core
from biomedica.evaluation.metrics import checked_classes

__all__ = [
    "DRAWS",
    "Estimate",
    "Sampled",
    "Sums",
    "Weighted",
    "combined",
    "estimate",
    "estimates",
    "joined",
    "mean",
    "side_by_side",
]

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]

DRAWS = 10_000
CELLS = 4_000_000
"""Counts in memory at once for each thread: 32 MB of them."""
MOST_LEFT_OUT = 400_000_000
"""Samples times units up to which each unit is left out once to see what it makes; beyond, intervals are not corrected."""
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
        true, said = checked_classes(labels, predicted, classes)
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

    def of_all(self) -> float:
        """The metric of every sample once; not a number where it is not defined."""
        return float(self.metric(np.bincount(self.kind, minlength=len(self.kinds)) @ self.kinds))


@dataclass(frozen=True)
class Weighted:
    """A metric of how often each sample counts."""

    samples: int
    metric: Metric
    """Counts [..., N] to numbers [...]; not a number where it is not defined."""
    cells: int = 0
    """Numbers that it holds at once for a draw, where they are more than the samples."""

    def __len__(self) -> int:
        """Number of samples."""
        return self.samples

    def of_all(self) -> float:
        """The metric of every sample once; not a number where it is not defined."""
        return float(self.metric(np.ones(self.samples)))


Sampled: TypeAlias = Sums | Weighted
"""What a metric is computed of."""


def combined(parts: Sequence[Sampled], how: Metric) -> Sampled:
    """One number of several, each of the same samples in the same order.

    Args:
        parts: What each is computed of.
        how: The numbers [P, ...] to one [...].

    Raises:
        ValueError: There are none, or numbers of samples differ.
    """
    if not parts or len(set(map(len, parts))) > 1:
        sizes = " and ".join(f"{len(part):,}" for part in parts) or "no"
        raise ValueError(f"{sizes} samples: a comparison needs the same ones, in the same order")
    sums = [part for part in parts if isinstance(part, Sums)]
    if len(sums) < len(parts):
        metrics = [part.metric if isinstance(part, Weighted) else _of_counts(part) for part in parts]
        cells = max(part.cells if isinstance(part, Weighted) else 0 for part in parts)
        return Weighted(len(parts[0]), lambda counts: how(np.stack([metric(counts) for metric in metrics])), cells)
    kinds, kind = np.unique(np.stack([part.kind for part in sums], 1), axis=0, return_inverse=True)
    ends = np.cumsum([part.kinds.shape[1] for part in sums]).tolist()
    spans = [slice(end - part.kinds.shape[1], end) for end, part in zip(ends, sums, strict=True)]
    rows = np.concatenate([part.kinds[kinds[:, at]] for at, part in enumerate(sums)], 1)
    return Sums(
        rows, kind.reshape(-1).astype(np.int64),
        lambda found: how(np.stack([part.metric(found[..., span]) for part, span in zip(sums, spans, strict=True)])),
    )  # fmt: skip


def joined(parts: Sequence[Sampled]) -> Sampled:
    """The mean of several numbers of the same samples, such as those of models that were fitted to several choices of images.

    Raises:
        ValueError: See `combined`.
    """
    return combined(parts, lambda found: found.mean(0))


def side_by_side(parts: Sequence[Sampled]) -> list[Sampled]:
    """Numbers of several series of samples as numbers of one: the series one after the other, each for its own part.

    So metrics of tasks that share images can be of the same draws, with `estimates` and a group for each image.
    """
    size, begin, found = sum(map(len, parts)), 0, list[Sampled]()
    for part in parts:
        found.append(_among(part, slice(begin, begin + len(part)), size))
        begin += len(part)
    return found


def _among(part: Sampled, own: slice, size: int) -> Sampled:
    """As many samples as `size`, of which only its own count."""
    if isinstance(part, Weighted):
        return Weighted(size, lambda counts: part.metric(counts[..., own]), part.cells)
    # Those of others add nothing to its sums.
    kind = np.full(size, len(part.kinds))
    kind[own] = part.kind
    return Sums(np.concatenate([part.kinds, np.zeros((1, part.kinds.shape[1]))]), kind, part.metric)


def _of_counts(sums: Sums) -> Metric:
    return lambda counts: sums.metric(counts @ sums.kinds[sums.kind])


@dataclass(frozen=True)
class Estimate:
    """A number of all samples, the same of each draw, and of all but one unit."""

    value: float
    draws: Floats
    """[draws]"""
    without: Floats
    """The number when one unit is left out, for each kind of unit: [K]; empty where these are too many."""
    units: NDArray[np.int64]
    """How many units of each kind there are: [K]."""


def estimate(
    sampled: Sampled, groups: ArrayLike | None = None, draws: int = DRAWS, seed: int = 0, *, leave_out: bool = True
) -> Estimate:
    """The metric of all samples and of each draw.

    Args:
        sampled: What it is computed of.
        groups: The article or patient of each sample [N]; samples are drawn singly when left out.
        draws: How many.
        seed: From 0 to 2^64 - 1; the same seed gives the same draws.
        leave_out: Whether each unit is left out once too, as intervals of the method `bca` need it.

    Raises:
        ValueError: Lengths differ, there are fewer than two units or no draws, the seed is another, or the metric of all
            is not defined.
    """
    return estimates([sampled], groups, draws, seed, leave_out=leave_out)[0]


def estimates(
    parts: Sequence[Sampled],
    groups: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    *,
    leave_out: bool = True,
) -> list[Estimate]:
    """Several metrics of the same samples, of the same draws; see `estimate`.

    Raises:
        ValueError: There are none, or their numbers of samples differ; see `estimate`.
    """
    if draws < 1:
        raise ValueError("draws must be 1 or more")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed {seed} is not in 0..2^64 - 1")
    # Metrics of [..., P] numbers.
    if len(parts) == 1:
        metric = parts[0].metric
        whole: Sampled = replace(parts[0], metric=lambda sums: np.asarray(metric(sums))[..., None])
    else:
        whole = combined(parts, lambda found: np.moveaxis(found, 0, -1))
    group = None if groups is None else _numbered(groups, len(whole))
    with np.errstate(invalid="ignore", divide="ignore"):
        if isinstance(whole, Sums):
            value, drawn, without, units = _of_sums(whole, group, draws, seed, leave_out=leave_out)
        else:
            value, drawn, without, units = _of_weights(whole, group, draws, seed, leave_out=leave_out)
    if not np.isfinite(value).all():
        raise ValueError("the metric is not defined for these samples")
    return [Estimate(float(value[at]), drawn[:, at], without[:, at], units) for at in range(len(value))]


Found: TypeAlias = tuple[Floats, Floats, Floats, NDArray[np.int64]]
"""Of P metrics: their numbers [P], those of draws [draws, P] and without a unit [K, P], and units [K]."""


def _of_sums(sums: Sums, group: NDArray[np.int64] | None, draws: int, seed: int, *, leave_out: bool) -> Found:
    rows, units = _units(sums, group)
    total, whole = _checked(int(units.sum())), units @ rows
    value = sums.metric(whole)
    without = sums.metric(whole - rows) if leave_out else np.zeros((0, len(value)))
    if total > 4 * len(units):  # few kinds: one binomial each is less work than one number a unit
        step = max(1, CELLS // max(rows.shape))

        def block(begin: int) -> Floats:
            rng = np.random.Generator(np.random.SFC64([seed, begin]))
            return rng.multinomial(total, units / total, min(step, draws - begin)).astype(np.float64) @ rows

        with ThreadPoolExecutor(THREADS) as pool:  # numpy draws without Python's lock
            drawn = np.concatenate(list(pool.map(block, range(0, draws, step))))
    else:
        singly = np.ascontiguousarray(np.repeat(rows, units, axis=0))
        drawn, step = np.empty((draws, rows.shape[1])), max(1, 100 * CELLS // singly.size)
        for begin in range(0, draws, step):  # in steps, so that Ctrl-C is heard
            _core.draw_sums(singly, drawn[begin : begin + step], seed, first=begin)
    return value, sums.metric(drawn), without, units


def _of_weights(
    weighted: Weighted, group: NDArray[np.int64] | None, draws: int, seed: int, *, leave_out: bool
) -> Found:
    samples = len(weighted)
    total = _checked(samples if group is None else int(group.max(initial=-1)) + 1)

    def numbers(counts: Floats) -> Floats:
        return weighted.metric(counts if group is None else counts.take(group, 1))

    value: Floats = numbers(np.ones((1, total)))[0]
    step = max(1, CELLS // max(samples, weighted.cells))

    def block(begin: int) -> Floats:
        counts = np.empty((min(step, draws - begin), total))
        _core.draw_counts(counts, seed, first=begin, threads=1)
        return numbers(counts)

    def left_out(begin: int) -> Floats:
        counts = np.ones((min(step, total - begin), total))
        counts[np.arange(len(counts)), np.arange(begin, begin + len(counts))] = 0
        return numbers(counts)

    with ThreadPoolExecutor(THREADS) as pool:
        drawn = np.concatenate(list(pool.map(block, range(0, draws, step))))
        few = leave_out and samples * total <= MOST_LEFT_OUT
        begins = range(0, total, step) if few else ()
        without = np.concatenate([np.zeros((0, len(value))), *pool.map(left_out, begins)])
    return value, drawn, without, np.ones(total, np.int64)


def _numbered(groups: ArrayLike, samples: int) -> NDArray[np.int64]:
    """The number of each sample's group."""
    names = np.asarray(groups)
    if names.shape != (samples,):
        raise ValueError(f"groups {names.shape}: give one for each of {samples} samples")
    if any(name is None for name in names.tolist()):
        raise ValueError("a sample has no group: give it one of its own")
    return np.unique(names, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _units(sums: Sums, group: NDArray[np.int64] | None) -> tuple[Floats, NDArray[np.int64]]:
    """Different rows [K, S] of what is drawn, and how many units have each [K]."""
    if group is None:
        units = np.bincount(sums.kind, minlength=len(sums.kinds))
        return sums.kinds[units > 0], units[units > 0]
    rows = np.zeros((int(group.max(initial=-1)) + 1, sums.kinds.shape[1]))
    for begin in range(0, len(group), 65_536):  # the rows of all samples at once may not fit
        part = slice(begin, begin + 65_536)
        np.add.at(rows, group[part], sums.kinds[sums.kind[part]])
    kinds, units = np.unique(rows, axis=0, return_counts=True)
    return kinds, units


def _checked(units: int) -> int:
    if units < 2:  # noqa: PLR2004
        raise ValueError("an interval needs two samples at least, or two groups when there are groups")
    return units
