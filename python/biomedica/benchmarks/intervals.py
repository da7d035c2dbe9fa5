"""The case `intervals`: bootstrap intervals of many predictions, beside scipy with the metrics of numpy and scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score

from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Contender, Measured, Row, beside, interleaved, timed
from biomedica.evaluation import metrics, ordered
from biomedica.evaluation.resample import Sampled, Sums
from biomedica.evaluation.statistics import interval

IMAGES, DRAWS = 100_000, 10_000
CLASSES, AN_ARTICLE = 10, 5
RIGHT = 0.7
FEW, FEWER = 200, 20
"""Draws of scipy, whose rate does not depend on how many there are: so few that it is done in a second or two."""


def intervals(_: Corpus, rounds: int) -> Measured:
    """95% intervals, percentile, with all cores: draws a second."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, IMAGES)
    predicted = np.where(rng.random(IMAGES) < RIGHT, labels, rng.integers(0, CLASSES, IMAGES))
    articles = np.sort(rng.integers(0, IMAGES // AN_ARTICLE, IMAGES))
    sure, right, first = rng.random(IMAGES), labels == predicted, labels == 0
    of_article = np.split(np.arange(IMAGES), np.flatnonzero(np.diff(articles)) + 1)

    def of_classes() -> Sampled:
        return Sums.of_classes(labels, predicted, CLASSES, metrics.macro_f1)

    def macro_f1(chosen: NDArray[np.int64]) -> float:
        rows = np.concatenate([of_article[number] for number in chosen])
        return float(f1_score(labels[rows], predicted[rows], average="macro"))

    def calibration(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
        return float(metrics.calibration_error(metrics.calibration_sums(sure, right).sum(0)))

    kinds = {
        "accuracy": (ours(lambda: Sums.of_values(right)), theirs((right,), np.mean, FEW)),
        "a mean": (ours(lambda: Sums.of_values(sure)), theirs((sure,), np.mean, FEW)),
        "macro-F1": (
            ours(of_classes),
            theirs((labels, predicted), lambda a, b: f1_score(a, b, average="macro"), FEWER),
        ),
        "macro-F1 by article": (ours(of_classes, articles), theirs((np.arange(len(of_article)),), macro_f1, FEWER)),
        "AUROC": (
            ours(lambda: ordered.auroc(first[:, None], sure[:, None])),
            theirs((first, sure), roc_auc_score, FEWER),
        ),
        "calibration error": (
            ours(lambda: Sums.of(metrics.calibration_sums(sure, right), metrics.calibration_error)),
            theirs((sure, right), calibration, FEWER),
        ),
    }
    rows, raw = list[Row](), dict[str, list[float]]()
    for what, contenders in kinds.items():
        measured = interleaved(list(contenders), rounds)
        case = f"interval of {what}, {IMAGES:,} images"
        rows.append(beside(measured, case, "scipy.stats.bootstrap", 1, "draws/s", theirs="scipy"))
        raw |= {f"{name}, {what}": found for name, found in measured.items()}
    return rows, raw


def ours(sampled: Callable[[], Sampled], groups: NDArray[np.int64] | None = None) -> Contender:
    """Seconds a draw."""
    return timed("biomedica", lambda: interval(sampled(), groups=groups, draws=DRAWS, method="percentile"), DRAWS)


def theirs(data: tuple[NDArray[Any], ...], metric: Callable[..., Any], draws: int) -> Contender:
    """Seconds a draw."""
    options = {"paired": True, "vectorized": False, "method": "percentile"}
    return timed("scipy", lambda: stats.bootstrap(data, metric, n_resamples=draws, **options), draws)
