"""Metrics of classification and of retrieval, in plain numpy.

Labels and predictions are class numbers from 0. A metric of classes is a function of three sums for each class (right,
true, predicted; see `class_sums`), so that `biomedica.evaluation.resample` can compute it for many draws at once. Those of
the order of scores are in `ordered`.
Ties count against the model in `hits` and in retrieval: one that gives everything the same score has recall 0, not 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Ranks",
    "accuracy",
    "balanced_accuracy",
    "calibration_error",
    "calibration_sums",
    "checked_classes",
    "checked_scores",
    "class_sums",
    "confusion",
    "hits",
    "macro_f1",
    "ranks",
    "recall",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
BINS = 15
"""Equal-width bins of the calibration error, as in Guo 2017."""
SAME = 1e-6
"""Scores of unit features that differ by less are ties: single precision tells no more."""


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: int) -> Integers:
    """How often each class [row] was taken for each [column]: [C, C].

    Raises:
        ValueError: The lengths differ, nothing is there, or a class number is not in 0..classes.
    """
    true, said = checked_classes(labels, predicted, classes)
    return np.bincount(true * classes + said, minlength=classes**2).reshape(classes, classes)


def class_sums(matrix: ArrayLike) -> Floats:
    """Right, true and predicted [..., 3, C] of confusion matrices [..., C, C]."""
    cells = np.asarray(matrix, np.float64)
    return np.stack([np.diagonal(cells, axis1=-2, axis2=-1), cells.sum(-1), cells.sum(-2)], -2)


def accuracy(sums: Floats) -> Floats:
    """Share that is right, of `class_sums` [..., 3, C]."""
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[..., 0, :].sum(-1) / sums[..., 1, :].sum(-1))


def balanced_accuracy(sums: Floats) -> Floats:
    """Mean over the classes that occur of the share that is right, of `class_sums` [..., 3, C]."""
    right, true, _ = np.moveaxis(sums, -2, 0)
    return _mean_where(right / np.maximum(true, 1), true > 0)


def macro_f1(sums: Floats) -> Floats:
    """Mean of F1 over the classes that occur or are predicted, of `class_sums` [..., 3, C]."""
    right, true, said = np.moveaxis(sums, -2, 0)
    both = true + said
    return _mean_where(2 * right / np.maximum(both, 1), both > 0)


def hits(labels: ArrayLike, scores: ArrayLike, k: int = 1) -> NDArray[np.bool_]:
    """Whether each sample's class is among the k of highest score: [N]; its mean is accuracy@k.

    A class of the same score stands before the right one.

    Args:
        labels: [N].
        scores: [N, C].
        k: How many count.

    Raises:
        ValueError: The shapes do not fit, or a score is not a number.
    """
    found = checked_scores(scores)
    true, _ = checked_classes(labels, labels, found.shape[1])
    if len(true) != len(found):
        raise ValueError(f"{len(true)} labels but {len(found)} rows of scores: give one row a sample")
    own = np.take_along_axis(found, true[:, None], 1)
    return np.asarray((found >= own).sum(1) <= k)


def calibration_sums(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> Floats:
    """For each sample its confidence less 1 if right, in the column of its bin, and 1 in the last column: [N, bins + 1].

    Bins are (0, 1/bins], ..., (1 - 1/bins, 1]; a confidence of 0 is in the first.

    Raises:
        ValueError: The lengths differ or a confidence is not in 0..1.
    """
    sure, hit = np.asarray(confidence, np.float64), np.asarray(right, bool)
    if sure.ndim != 1 or sure.shape != hit.shape or not len(sure):
        raise ValueError(f"confidence {sure.shape} and right {hit.shape}: give one of each a sample")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError("a confidence is not in 0..1: give probabilities, such as the softmax of the scores")
    rows = np.zeros((len(sure), bins + 1))
    column = np.clip(np.searchsorted(np.linspace(0, 1, bins + 1), sure) - 1, 0, bins - 1)
    rows[np.arange(len(sure)), column] = sure - hit
    rows[:, -1] = 1
    return rows


def calibration_error(sums: Floats) -> Floats:
    """Expected calibration error of the summed rows [..., bins + 1] of `calibration_sums`.

    Naeini, Cooper, Hauskrecht 2015; Guo, Pleiss, Sun, Weinberger 2017 (arXiv 1706.04599).
    """
    return np.asarray(np.abs(sums[..., :-1]).sum(-1) / sums[..., -1])


@dataclass(frozen=True)
class Ranks:
    """Place of the right answer among all, from 0."""

    image_to_text: Integers
    """[images]: the best-ranked of an image's captions counts."""
    text_to_image: Integers
    """[texts]"""


def ranks(
    images: NDArray[np.floating[Any]],
    texts: NDArray[np.floating[Any]],
    image_of_text: ArrayLike | None = None,
    block: int = 4096,
    put: Callable[[Any], Any] = np.asarray,
) -> Ranks:
    """Retrieval both ways by dot product, in blocks: memory grows with the block, not with images x texts.

    An image's rank is that of its best caption among the captions of other images; a caption's is that of its image
    among other images. Scores within 1e-6 are ties, and a tie stands before the right one.

    Args:
        images: Unit features [I, D].
        texts: Unit features [T, D].
        image_of_text: Which image each text belongs to [T]; text i to image i when left out.
        block: Rows and columns compared at once.
        put: Takes a block of features to where it is multiplied, such as `lambda rows: torch.from_numpy(rows).to("cuda")`.

    Raises:
        ValueError: The shapes do not fit, a feature is not a number, or an image has no text.
    """
    if images.ndim != 2 or texts.ndim != 2 or images.shape[1] != texts.shape[1]:  # noqa: PLR2004
        raise ValueError(f"features {images.shape} and {texts.shape}: give [images, D] and [texts, D]")
    owner = np.arange(len(texts)) if image_of_text is None else np.asarray(image_of_text, np.int64)
    if owner.shape != (len(texts),) or not len(owner) or owner.min() < 0 or owner.max() >= len(images):
        raise ValueError(f"image_of_text needs one number of the {len(images)} images for each of {len(texts)} texts")
    captions = np.bincount(owner, minlength=len(images))
    if not captions.all():
        raise ValueError(f"image {int(captions.argmin())} has no text: leave such images out")
    score = np.empty(len(texts), np.result_type(images, texts))
    for begin in range(0, len(texts), block):
        part = slice(begin, begin + block)
        score[part] = np.einsum("nd,nd->n", images[owner[part]], texts[part])
    if not np.isfinite(score).all():
        raise ValueError(f"the features of text {int(np.isfinite(score).argmin())} or of its image are not finite")
    best = np.full(len(images), -np.inf, score.dtype)
    np.maximum.at(best, owner, score)
    to_text, to_image = np.zeros(len(images), np.int64), np.zeros(len(texts), np.int64)
    for row in range(0, len(images), block):
        rows = slice(row, row + block)
        mine, lowest = put(images[rows]), put(best[rows, None] - SAME)
        for begin in range(0, len(texts), block):
            columns = slice(begin, begin + block)
            found = mine @ put(texts[columns]).T
            own = np.flatnonzero((owner[columns] >= row) & (owner[columns] < row + block))
            found[owner[columns][own] - row, own] = -np.inf  # what belongs together does not compete
            if bool((found != found).any()):  # noqa: PLR0124 - not a number
                raise ValueError(f"a feature of images {row}.. or of texts {begin}.. is not a number")
            to_text[rows] += _counted((found >= lowest).sum(1))
            to_image[columns] += _counted((found >= put(score[None, columns] - SAME)).sum(0))
    return Ranks(to_text, to_image)


def recall(rank: ArrayLike, ks: Sequence[int] = (1, 5, 10, 50, 100)) -> dict[int, float]:
    """Share of ranks, counted from 0, below each k."""
    return {k: float(np.mean(np.asarray(rank) < k)) for k in ks}


def checked_classes(labels: ArrayLike, predicted: ArrayLike, classes: int) -> tuple[Integers, Integers]:
    """Labels and predictions [N] as class numbers.

    Raises:
        ValueError: The lengths differ, nothing is there, or one is not a whole number in 0..classes.
    """
    true, said = np.asarray(labels), np.asarray(predicted)
    if true.ndim != 1 or true.shape != said.shape or not len(true):
        raise ValueError(f"labels {true.shape} and predictions {said.shape}: give one of each a sample")
    for name, numbers in (("label", true), ("prediction", said)):
        if numbers.dtype.kind not in "iub" or numbers.min() < 0 or numbers.max() >= classes:
            raise ValueError(f"a {name} is not a class number in 0..{classes - 1}")
    return true.astype(np.int64), said.astype(np.int64)


def _counted(numbers: Any) -> Integers:  # noqa: ANN401 - an array, or a tensor of any device
    return np.asarray(numbers.cpu() if hasattr(numbers, "cpu") else numbers, np.int64)


def checked_scores(scores: ArrayLike) -> Floats:
    """Scores [N, C] as numbers.

    Raises:
        ValueError: They have another shape, or one is not a number.
    """
    found = np.asarray(scores, np.float64)
    if found.ndim != 2:  # noqa: PLR2004
        raise ValueError(f"scores {found.shape}: give [samples, classes]")
    if np.isnan(found).any():
        raise ValueError(f"a score of sample {int(np.isnan(found).any(1).argmax())} is not a number")
    return found


def _mean_where(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray((values * counted).sum(-1) / counted.sum(-1))
