"""From predictions to numbers with intervals.

| kind | metrics |
|---|---|
| `classify` | `accuracy`, `accuracy@5` (of more than five classes), `balanced_accuracy`, `macro_f1`, `auroc`, `calibration_error` |
| `choice` | `accuracy`, `calibration_error` |
| `multilabel` | `auroc`, `average_precision` |
| `retrieval` | `recall@K`, the mean of both ways; `image_to_text_recall@K`, `text_to_image_recall@K`, and `..._median_rank` |

K is 1, 5, 10, 50 and 100, as far as there are so many images. Images of one group are drawn as one; the captions of an image
are drawn with it.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from biomedica.evaluation import metrics, ordered, statistics
from biomedica.evaluation.record import Score
from biomedica.evaluation.resample import DRAWS, Sampled, Sums, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica.evaluation.predictions import Predictions

    Floats = NDArray[np.float64]

__all__ = [
    "chance",
    "confidence",
    "is_defined",
    "metrics_of",
    "sampled",
    "score",
    "scores",
    "softmax",
    "task_seed",
    "value",
]

KS = (1, 5, 10, 50, 100)
TOP = 5
_OF_SUMS: dict[str, Callable[["Floats"], "Floats"]] = {
    "accuracy": metrics.accuracy,
    "balanced_accuracy": metrics.balanced_accuracy,
    "macro_f1": metrics.macro_f1,
}


def metrics_of(predictions: "Predictions") -> list[str]:
    """The metrics that these predictions have."""
    about = predictions.about
    if about.kind == "classify":
        top = [f"accuracy@{TOP}"] if len(about.classes) > TOP else []
        return ["accuracy", *top, "balanced_accuracy", "macro_f1", "auroc", "calibration_error"]
    if about.kind == "choice":
        return ["accuracy", "calibration_error"]
    if about.kind == "multilabel":
        return ["auroc", "average_precision"]
    ways = ("image_to_text", "text_to_image")
    ks = [k for k in KS if k == 1 or k < len(predictions)]
    recalls = [f"{way}recall@{k}" for way in ("", *(f"{way}_" for way in ways)) for k in ks]
    return [*recalls, *(f"{way}_median_rank" for way in ways)]


def sampled(predictions: "Predictions", metric: str) -> Sampled:
    """What a metric is computed of, for intervals and comparisons; of `few-shot-K` the mean over its repeats.

    Raises:
        ValueError: These predictions do not have the metric, or it cannot be computed of them.
    """
    return _mean(_parts(predictions, metric))


def _parts(predictions: "Predictions", metric: str) -> list[Sampled]:
    """Of each choice of training images."""
    if metric not in (known := metrics_of(predictions)):
        raise ValueError(f"{metric!r} is no metric of {predictions.about.kind}: {', '.join(known)}")
    return [_sampled(one, metric) for one in predictions.repeats()]


def _mean(parts: list[Sampled]) -> Sampled:
    return parts[0] if len(parts) == 1 else joined(parts)


def _sampled(predictions: "Predictions", metric: str) -> Sampled:
    kind = predictions.about.kind
    if metric == "calibration_error":
        sure = np.minimum(confidence(predictions), 1)
        return Sums.of(metrics.calibration_sums(sure, _right(predictions)), metrics.calibration_error)
    if kind == "choice":
        return Sums.of_values(_right(predictions))
    if kind == "multilabel":
        of_order = ordered.auroc if metric == "auroc" else ordered.average_precision
        return of_order(predictions.has(), predictions.scores())
    return _of_ranks(predictions, metric) if kind == "retrieval" else _of_classes(predictions, metric)


def _of_classes(predictions: "Predictions", metric: str) -> Sampled:
    labels, classes = predictions.numbers("label"), len(predictions.about.classes)
    if metric == "auroc":
        return ordered.auroc(labels[:, None] == np.arange(classes), softmax(predictions.scores()))
    if metric == f"accuracy@{TOP}":
        return Sums.of_values(metrics.hits(labels, predictions.scores(), TOP))
    return Sums.of_classes(labels, predictions.numbers("predicted"), classes, _OF_SUMS[metric])


def _of_ranks(predictions: "Predictions", metric: str) -> Sampled:
    way, is_recall, k = metric.partition("recall@")
    return _recall(predictions, way, int(k)) if is_recall else _median_rank(predictions, metric.partition("_median")[0])


def is_defined(predictions: "Predictions", metric: str) -> bool:
    """Whether there is a metric of all rows: an area needs images of each class, and others."""
    return metric not in {"auroc", "average_precision"} or _every_class(predictions)


def value(predictions: "Predictions", metric: str) -> float | None:
    """A metric of all rows; None where it is not defined for them."""
    number = sampled(predictions, metric).of_all() if is_defined(predictions, metric) else np.nan
    return number if np.isfinite(number) else None


def score(
    predictions: "Predictions",
    metric: str,
    *,
    is_primary: bool = False,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Score | None:
    """A metric with its interval; None where it is not defined."""
    if not is_defined(predictions, metric):
        return None
    parts = _parts(predictions, metric)
    measured, about = _mean(parts), predictions.about
    if not np.isfinite(number := measured.of_all()):
        return None
    made = Score(
        model=about.model, task=about.task, method=about.method, metric=metric, value=number, is_primary=is_primary,
        deviation=float(np.std([part.of_all() for part in parts], ddof=1)) if len(parts) > 1 else None,
    )  # fmt: skip
    try:
        found = statistics.interval(
            measured, groups=predictions.groups(), draws=draws, seed=task_seed(about.task, seed), level=level
        )
    except ValueError:  # one image or group alone: there is no interval
        return made
    return replace(made, low=found.low, high=found.high, interval=found.method, units=found.units)


def scores(
    predictions: "Predictions", primary: str, *, draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> list[Score]:
    """All metrics of predictions, with intervals.

    Args:
        predictions: Of a model at a task.
        primary: The metric that the task is judged by.
        draws: Of the bootstrap.
        level: Share of intervals that hold the true number.
        seed: The same seed gives the same intervals.
    """
    found = (
        score(predictions, metric, is_primary=metric == primary, draws=draws, level=level, seed=seed)
        for metric in metrics_of(predictions)
    )
    return [one for one in found if one is not None]


def chance(predictions: "Predictions", metric: str) -> float | None:
    """What guessing is expected to reach; None where that is not known."""
    kind = predictions.about.kind
    if metric in {"accuracy", "balanced_accuracy"}:
        counts = predictions.table["scores"].combine_chunks().value_lengths().to_numpy()
        return float(np.mean(1 / counts))
    if metric == "auroc":
        return 0.5
    if metric == "average_precision":
        return float(predictions.has().mean())
    if kind == "retrieval" and "recall@" in metric:
        return int(metric.rpartition("@")[2]) / len(predictions)
    return None


def task_seed(task: str, seed: int) -> int:
    """Another seed for each task, so that what is drawn of one tells nothing of another."""
    return int.from_bytes(sha256(f"{seed} {task}".encode()).digest()[:4], "little")


def softmax(logits: "NDArray[np.floating[Any]]") -> "Floats":
    """Probabilities [N, C] of scores."""
    powers = np.exp(logits - logits.max(1, keepdims=True), dtype=np.float64)
    made: Floats = powers / powers.sum(1, keepdims=True)
    return made


def confidence(predictions: "Predictions") -> "Floats":
    """The probability of what was predicted [N], of `classify` and `choice`."""
    column = predictions.table["scores"].combine_chunks()
    lengths = column.value_lengths().to_numpy()
    rows = np.repeat(np.arange(len(lengths)), lengths)
    logits = column.values.to_numpy().astype(np.float64)
    highest = np.full(len(lengths), -np.inf)
    np.maximum.at(highest, rows, logits)
    total = np.bincount(rows, np.exp(logits - highest[rows]), len(lengths))
    chosen = logits[column.offsets.to_numpy()[:-1] - column.offsets[0].as_py() + predictions.numbers("predicted")]
    made: Floats = np.exp(chosen - highest) / total
    return made


def _right(predictions: "Predictions") -> "NDArray[np.bool_]":
    found: NDArray[np.bool_] = predictions.numbers("label") == predictions.numbers("predicted")
    return found


def _every_class(predictions: "Predictions") -> bool:
    """Whether each class has an image, and one that is not of it."""
    if predictions.about.kind == "multilabel":
        images = predictions.has().sum(0)
    else:
        images = np.bincount(predictions.numbers("label"), minlength=len(predictions.about.classes))
    return bool(((images > 0) & (images < len(predictions.table))).all())


def _median_rank(predictions: "Predictions", way: str) -> Sampled:
    column, samples = predictions.table[way].combine_chunks(), len(predictions)
    if way == "image_to_text":
        return ordered.median_rank(column.to_numpy(), np.arange(samples), samples)
    owner = np.repeat(np.arange(samples), column.value_lengths().to_numpy())
    return ordered.median_rank(column.values.to_numpy(), owner, samples)


def _recall(predictions: "Predictions", way: str, k: int) -> Sampled:
    """An image is a row: whether it finds a caption, how many of its captions find it, how many it has, and one."""
    column = predictions.table["text_to_image"].combine_chunks()
    captions = column.value_lengths().to_numpy()
    rows = np.repeat(np.arange(len(captions)), captions)
    texts = np.bincount(rows, column.values.to_numpy() < k, len(captions))
    images = predictions.numbers("image_to_text") < k
    of_way = {
        "image_to_text_": lambda sums: sums[..., 0] / sums[..., 3],
        "text_to_image_": lambda sums: sums[..., 1] / sums[..., 2],
        "": lambda sums: (sums[..., 0] / sums[..., 3] + sums[..., 1] / sums[..., 2]) / 2,
    }
    return Sums.of(np.stack([images, texts, captions, np.ones(len(captions))], 1), of_way[way])
