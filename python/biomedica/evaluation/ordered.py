"""Metrics of the order of scores, for how often each sample counts: areas under curves, average precision, medians.

Each is a function of counts [..., N], so that a bootstrap computes it for a block of draws at once (`resample.Weighted`).
Scores are sorted once; a draw is then one pass over them. Of several classes the mean is taken over those that have samples of
either side in a draw.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biomedica import _core
from biomedica.evaluation.metrics import checked_scores
from biomedica.evaluation.resample import Weighted

__all__ = ["auroc", "average_precision", "median_rank"]

Floats = NDArray[np.float64]


def auroc(positive: ArrayLike, scores: ArrayLike) -> Weighted:
    """Mean area under the ROC curve, one class against the rest; a tie counts half (Mann and Whitney 1947).

    Args:
        positive: Whether each sample has each class [N, C].
        scores: [N, C].

    Raises:
        ValueError: The shapes do not fit, or a score is not a number.
    """
    return _by_class(positive, scores, precision=False)


def average_precision(positive: ArrayLike, scores: ArrayLike) -> Weighted:
    """Mean over classes of the average precision: precision at each score times the share of positives that it adds.

    As scikit-learn has it (no interpolation; Manning, Raghavan and Schuetze 2008, "Introduction to Information Retrieval",
    8.4). Samples of one score are taken together.

    Args:
        positive: Whether each sample has each class [N, C].
        scores: [N, C].

    Raises:
        ValueError: See `auroc`.
    """
    return _by_class(positive, scores, precision=True)


def median_rank(ranks: ArrayLike, owner: ArrayLike, samples: int) -> Weighted:
    """Median place, counted from 1, of ranks counted from 0.

    Args:
        ranks: [R]
        owner: The sample that each belongs to [R]; it counts as often as that does.
        samples: How many there are.

    Raises:
        ValueError: A rank is not a number, or has no sample.
    """
    found, of = np.asarray(ranks, np.float64), np.asarray(owner, np.int64)
    if found.ndim != 1 or of.shape != found.shape or not len(of) or of.min() < 0 or of.max() >= samples:
        raise ValueError(
            f"ranks {found.shape} and owner {of.shape}: give the number of one of {samples} samples for each rank"
        )
    if np.isnan(found).any():
        raise ValueError(f"rank {int(np.isnan(found).argmax())} is not a number")
    order = np.argsort(found, kind="stable")
    found, of = found[order], of[order]

    def metric(counts: Floats) -> Floats:
        running = np.cumsum(counts.take(of, -1), -1)
        total = running[..., -1:]
        # the two in the middle; one and the same where the number is odd
        middle = [(running > place).argmax(-1) for place in ((total - 1) // 2, total // 2)]
        return np.where(total[..., 0] > 0, (found[middle[0]] + found[middle[1]]) / 2 + 1, np.nan)

    return Weighted(samples, metric, len(found))


def _by_class(positive: ArrayLike, scores: ArrayLike, *, precision: bool) -> Weighted:
    """The mean over classes of a metric of the order of their scores."""
    found, has = checked_scores(scores), np.asarray(positive, bool)
    if has.shape != found.shape or not found.size:
        raise ValueError(f"labels {has.shape} and scores {found.shape}: give [samples, classes] of both")
    order = np.argsort(-found.T, axis=1, kind="stable").astype(np.uint32)
    falling = np.take_along_axis(found.T, order, 1)
    last = np.ones(order.shape, np.uint8)
    last[:, :-1] = falling[:, 1:] != falling[:, :-1]
    of_class = np.ascontiguousarray(np.take_along_axis(has.T, order, 1), np.uint8)

    def metric(counts: Floats) -> Floats:
        weights = np.ascontiguousarray(counts.reshape(-1, counts.shape[-1]), np.float64)
        values = np.empty((len(weights), len(order)))
        _core.weighted_areas(weights, order, of_class, last, values, precision)
        defined = np.isfinite(values)
        classes = defined.sum(1)
        means = np.where(classes > 0, np.where(defined, values, 0).sum(1) / np.maximum(classes, 1), np.nan)
        made: Floats = means.reshape(counts.shape[:-1])
        return made

    return Weighted(len(found), metric)
