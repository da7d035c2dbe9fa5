"""How far experts agree beyond chance: Krippendorff's alpha and Fleiss' kappa, with bootstrap intervals over clusters.

All take, of each unit (a cluster), how often each value was given, so that experts may be any number and differ from
unit to unit; units with fewer than two values say nothing of agreement. A statistic takes weights [B, U], how often
each of U units counts in each of B samples of them, and gives B values; NaN where there is nothing but one value, for
which chance alone would agree as well.

Sources: K. Krippendorff, *Content Analysis*, 4th ed. (2019), ch. 12, for alpha. J. L. Fleiss, "Measuring nominal scale
agreement among many raters", Psychological Bulletin 76 (1971) 378; for unequal numbers of raters K. L. Gwet, *Handbook
of Inter-Rater Reliability*, 4th ed. (2014), ch. 3: chance is that of the mean over units of each unit's shares, which
is Fleiss' own where the numbers are equal. R. J. Passonneau, "Measuring agreement on set-valued items (MASI)", LREC
2006, for the distance of sets. H. De Vries et al., "Using pooled kappa to summarize interrater agreement across many
items", Field Methods 20 (2008) 272, for kappa over many concepts.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimate", "alpha", "bootstrap", "counted", "kappa", "masi", "pooled_kappa"]

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]
CHUNK = 100
"""Samples of the bootstrap at a time."""
PAIR = 2
"""Values that a unit must have to say something of agreement."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, float | None]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        if self.value is None:
            return "not defined"
        return f"{self.value:.3f}" + (f" ({self.low:.3f} to {self.high:.3f})" if self.low is not None else "")


def counted(values: Sequence[Sequence[object]]) -> tuple[Floats, list[object]]:
    """How often each value was given of each unit [U, K], and the K values in the order in which they first come."""
    numbers: dict[object, int] = {}
    for of_unit in values:
        for value in of_unit:
            numbers.setdefault(value, len(numbers))
    counts = np.zeros((len(values), len(numbers)))
    for unit, of_unit in enumerate(values):
        for value in of_unit:
            counts[unit, numbers[value]] += 1
    return counts, list(numbers)


def masi(sets: Sequence[frozenset[str]]) -> Floats:
    """Passonneau's distance between each two sets [K, K]: one minus Jaccard's index times a factor for how they differ.

    The factor is 1 for equal sets, 2/3 where one holds the other, 1/3 where they overlap, 0 where they are disjoint. Two
    empty sets are equal, and an empty set is disjoint from every other.
    """
    words = {word: number for number, word in enumerate(sorted(frozenset().union(*sets)))}
    marks = np.zeros((len(sets), len(words)))
    for row, names in enumerate(sets):
        marks[row, [words[name] for name in names]] = 1
    common = marks @ marks.T
    sizes = marks.sum(axis=1)
    smaller, larger = np.minimum.outer(sizes, sizes), np.maximum.outer(sizes, sizes)
    union = sizes[:, None] + sizes[None, :] - common
    equal = common == larger
    factor = np.select([equal, (common == smaller) & (smaller > 0), common > 0], [1.0, 2 / 3, 1 / 3], 0.0)
    jaccard = np.where(equal, 1.0, common / np.maximum(union, 1))
    distances: Floats = 1 - jaccard * factor
    return distances


def alpha(counts: Floats, weights: Floats, distance: Floats | None = None) -> Floats:
    """Krippendorff's alpha: one minus the disagreement within units over that between any two values.

    Args:
        counts: Of each unit, how often each value was given, [U, K].
        weights: How often each unit counts, [B, U].
        distance: Between each two values, [K, K]; equal or not when not given (nominal).
    """
    between = 1 - np.eye(counts.shape[1]) if distance is None else distance
    sizes = counts.sum(axis=1)
    pairable = sizes >= PAIR
    counts, sizes, weights = counts[pairable], sizes[pairable], weights[:, pairable]
    within = np.einsum("uk,uk->u", counts @ between, counts) / (sizes - 1)
    total = weights @ sizes
    values = weights @ counts
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = weights @ within / total
        expected = np.einsum("bk,bk->b", values @ between, values) / (total * (total - 1))
        found: Floats = np.where(expected > 0, 1 - observed / expected, np.nan)
    return found


def kappa(counts: Floats, weights: Floats) -> Floats:
    """Fleiss' kappa of nominal values, with Gwet's chance where units have unequal numbers of values.

    Args:
        counts: Of each unit, how often each value was given, [U, K].
        weights: How often each unit counts, [B, U].
    """
    observed, chance = _shares(counts[:, :, None], weights)
    return _above(observed[:, 0], chance[:, 0])


def pooled_kappa(marks: Floats, raters: Floats, weights: Floats) -> Floats:
    """Kappa over many concepts that each expert gives or does not: of the mean agreement and the mean chance.

    Args:
        marks: Of each unit, how many experts gave each concept, [U, C].
        raters: Experts of each unit, [U].
        weights: How often each unit counts, [B, U].
    """
    if not marks.shape[1]:
        return np.full(len(weights), np.nan)
    observed, chance = _shares(np.stack([marks, raters[:, None] - marks], axis=1), weights)
    return _above(observed.mean(axis=1), chance.mean(axis=1))


def bootstrap(
    statistic: Statistic, units: int, *, samples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """A statistic of the units as they are, with the percentile interval of samples of them drawn with replacement.

    Samples in which the statistic is not defined are left out of the interval.
    """
    value = float(statistic(np.ones((1, units)))[0]) if units else np.nan
    if not np.isfinite(value):
        return Estimate(None, None, None)
    random = np.random.default_rng(seed)
    even = np.full(units, 1 / units)
    drawn = [
        statistic(random.multinomial(units, even, size=min(CHUNK, samples - start)).astype(np.float64))
        for start in range(0, samples, CHUNK)
    ]
    found = np.concatenate([np.empty(0), *drawn])
    found = found[np.isfinite(found)]
    if units < PAIR or not len(found):
        return Estimate(value, None, None)
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high))


def _shares(counts: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Of counts [U, K, C]: agreement of two values of a unit, and that of two values by chance, each [B, C]."""
    sizes = counts.sum(axis=1)
    pairable, given = sizes >= PAIR, sizes > 0
    pairs = np.maximum(sizes * (sizes - 1), 1)
    agreeing = np.where(pairable, (np.square(counts).sum(axis=1) - sizes) / pairs, 0)
    shares = counts / np.maximum(sizes, 1)[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = weights @ agreeing / (weights @ pairable)
        mean = np.einsum("bu,ukc->bkc", weights, shares, optimize=True) / (weights @ given)[:, None, :]
    return observed, np.square(mean).sum(axis=1)


def _above(observed: Floats, chance: Floats) -> Floats:
    """Agreement above chance, as a share of what there could be; rounding must not make a chance of one less."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(chance < 1 - 1e-12, (observed - chance) / (1 - chance), np.nan)
    return found
