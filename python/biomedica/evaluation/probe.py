"""What features tell of classes to one who learns them: linear probes and few-shot classifiers.

A probe (Radford et al. 2021, arXiv 2103.00020, 3.2 and A.3) is a logistic regression with L2 on frozen features, fitted by
L-BFGS (`logistic`). Its strength is chosen by images that are held out of the training images, a fifth or each fifth in
turn, then all of them are fitted. Few-shot is the same with k images of each class.

Scores are logits, float32 [M, C], as `Predictions` wants them: of `classify`, their softmax is the probability of each
class, and the highest is what is predicted; of `multilabel`, the sigmoid of each is the probability of that class.

Labels are those of `Item.label`: class numbers, or a tuple of them for each image (`multilabel`); or arrays, int [N] or
bool [N, C]. With the same seed, the CPU and its number of threads give the same scores; what CUDA
gives may differ in the last digits.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from biomedica.evaluation.folds import draw, folds, held_out, lacking, members
from biomedica.exceptions import EvaluationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica.evaluation.logistic import Samples

    Floats: TypeAlias = NDArray[np.float32]
    Labels: TypeAlias = NDArray[np.int64] | NDArray[np.bool_]

__all__ = ["SHOTS", "STRENGTHS", "cross_few_shot", "cross_probe", "few_shot", "probe", "scarce"]

SHOTS = (1, 2, 4, 8, 16, 32)
"""Images of each class that are usual."""
STRENGTHS = tuple(float(10 ** (exponent / 8)) for exponent in range(-48, 49))
"""Of L2, 8 a decade from 1e-6 to 1e6: 1 / C of scikit-learn. Where nothing can be held out, the middle one is taken."""
FOLDS = 5
FEW = 1_000
"""Training images of which each fifth is held out in turn; of more, one is enough."""

AnyLabels: TypeAlias = ArrayLike | Sequence[tuple[int, ...]]
Groups: TypeAlias = Sequence[object]


def probe(
    train_features: "Floats",
    train_labels: AnyLabels,
    test_features: "Floats",
    classes: Sequence[str],
    *,
    groups: Groups | None = None,
    seed: int = 0,
    strengths: Sequence[float] = STRENGTHS,
    device: str = "cpu",
) -> "Floats":
    """Scores [M, C] of test images, of a linear classifier that was fitted to training images.

    The strength of L2 is that which gives held-out training images the highest likelihood; of `multilabel`, one for all
    classes.

    Args:
        train_features: Float32 [N, D], of unit length.
        train_labels: [N]; see above.
        test_features: Float32 [M, D].
        classes: Their names.
        groups: The patient, article or the like of each training image [N]: never held out in part.
        seed: Of what is held out.
        strengths: To choose from; one alone is taken as it is.
        device: `cpu` or `cuda`.

    Raises:
        EvaluationError: A class has no training image, or, of `multilabel`, all have it.
        ValueError: The shapes do not fit, a feature is not a number, or a label is no class.
    """
    labels = _labels(train_labels, train_features, classes, groups, strengths)
    _check(labels, classes)
    samples = _samples(train_features, labels, classes, device)
    rows = np.arange(len(labels))
    return _scores(samples, labels, rows, groups, strengths, seed, _tested(test_features, train_features, device))


def few_shot(
    train_features: "Floats",
    train_labels: AnyLabels,
    test_features: "Floats",
    classes: Sequence[str],
    k: int,
    *,
    repeats: int = 5,
    groups: Groups | None = None,
    seed: int = 0,
    strengths: Sequence[float] = STRENGTHS,
    device: str = "cpu",
) -> "list[Floats]":
    """Scores [M, C] of test images for each of several draws of k training images of each class.

    Nothing but the images that were drawn tells of the classes or of the strength of L2; of one image of each class, that
    is the middle one. `scarce` tells which classes have fewer than k images: these give all. Of `multilabel`, k that have
    a class and k that do not are drawn, for each class.

    Args:
        train_features: See `probe`.
        train_labels: See `probe`.
        test_features: See `probe`.
        classes: Their names.
        k: Images of each class; see `SHOTS`.
        repeats: Draws. The images of a draw are among those of the same draw with a larger k.
        groups: See `probe`.
        seed: Of the draws.
        strengths: To choose from.
        device: `cpu` or `cuda`.

    Raises:
        EvaluationError: See `probe`.
        ValueError: See `probe`; or k or repeats is less than 1.
    """
    labels = _labels(train_labels, train_features, classes, groups, strengths)
    _check(labels, classes)
    _check_draws(k, repeats)
    samples, tested = _samples(train_features, labels, classes, device), _tested(test_features, train_features, device)
    drawn = (draw(labels, len(classes), k, seed, repeat) for repeat in range(repeats))
    return [_scores(samples, labels, rows, groups, strengths, seed, tested) for rows in drawn]


def cross_probe(
    features: "Floats",
    labels: AnyLabels,
    classes: Sequence[str],
    *,
    groups: Groups | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    strengths: Sequence[float] = STRENGTHS,
    device: str = "cpu",
) -> "Floats":
    """Scores [N, C] of images, each of a probe that was fitted to the other folds, where no training images are named.

    Folds have their share of each class, and a group lies in one of them.

    Args:
        features: Float32 [N, D], of unit length.
        labels: [N]; see above.
        classes: Their names.
        groups: The patient, article or the like of each image [N].
        folds: How many.
        seed: Of the folds, and of what is held out.
        strengths: To choose from.
        device: `cpu` or `cuda`.

    Raises:
        EvaluationError: A class has no image, or all of them in one group or fold; of `multilabel`, or is missing nowhere
            outside one.
        ValueError: See `probe`; or there are less than two folds.
    """
    checked = _labels(labels, features, classes, groups, strengths)
    return _crossed(features, checked, classes, groups, folds, strengths, seed, device, None, 0)


def cross_few_shot(
    features: "Floats",
    labels: AnyLabels,
    classes: Sequence[str],
    k: int,
    *,
    repeats: int = 5,
    groups: Groups | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    strengths: Sequence[float] = STRENGTHS,
    device: str = "cpu",
) -> "list[Floats]":
    """`few_shot` where no training images are named: for each draw scores [N, C], of images drawn from the other folds.

    Args:
        features: See `cross_probe`.
        labels: See `cross_probe`.
        classes: Their names.
        k: Images of each class.
        repeats: Draws, each of all folds.
        groups: See `cross_probe`.
        folds: How many; the same in each draw.
        seed: Of folds and draws.
        strengths: To choose from.
        device: `cpu` or `cuda`.

    Raises:
        EvaluationError: See `cross_probe`.
        ValueError: See `cross_probe`; or k or repeats is less than 1.
    """
    checked = _labels(labels, features, classes, groups, strengths)
    _check_draws(k, repeats)
    return [
        _crossed(features, checked, classes, groups, folds, strengths, seed, device, k, repeat)
        for repeat in range(repeats)
    ]


def scarce(labels: AnyLabels, classes: Sequence[str], k: int) -> dict[str, int]:
    """Classes with fewer than k images, and how many they have."""
    counts = members(_numbered(labels, len(classes)), len(classes))
    return {name: int(count) for name, count in zip(classes, counts, strict=True) if count < k}


def _crossed(
    features: "Floats", labels: "Labels", classes: Sequence[str], groups: Groups | None, count: int,
    strengths: Sequence[float], seed: int, device: str, k: int | None, repeat: int,
) -> "Floats":  # fmt: skip
    if count < 2:  # noqa: PLR2004 - one fold has no other
        raise ValueError(f"folds is {count}, but must be 2 or more")
    _check(labels, classes)
    fold = folds(labels, groups, count, seed)
    found = np.full((len(labels), len(classes)), np.nan, np.float32)
    samples = _samples(features, labels, classes, device)
    for number in np.unique(fold):
        rows, tested = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        _check(labels[rows], classes, "outside of one fold; cross-validation needs images of two groups at least")
        if k is not None:
            rows = rows[draw(labels[rows], len(classes), k, seed, repeat)]
        found[tested] = _scores(samples, labels, rows, groups, strengths, seed, samples.only(tested))
    return found


def _scores(
    samples: "Samples", labels: "Labels", rows: "NDArray[np.int64]", groups: Groups | None,
    strengths: Sequence[float], seed: int, tested: "Samples",
) -> "Floats":  # fmt: skip
    """What a classifier that learned some of the images says of others."""
    from biomedica.evaluation.logistic import fit, threads_for

    own = None if groups is None else [groups[at] for at in rows]
    chosen = samples.only(rows)
    with threads_for(chosen):
        strength = _strength(samples, labels[rows], rows, own, strengths, seed)
        return fit(chosen, strength).scores(tested)


def _strength(
    samples: "Samples", labels: "Labels", rows: "NDArray[np.int64]", groups: Groups | None,
    strengths: Sequence[float], seed: int,
) -> float:  # fmt: skip
    """The strength of L2 for the images in these rows, which have these labels and groups."""
    from biomedica.evaluation.logistic import choose

    if len(strengths) > 1:
        held = held_out(labels, samples.classes, groups, FOLDS, seed)[: 1 if len(rows) > FEW else FOLDS]
        if held:
            return choose([(samples.only(rows[~one]), samples.only(rows[one])) for one in held], strengths)
    return sorted(strengths)[len(strengths) // 2]


def _samples(features: "Floats", labels: "Labels", classes: Sequence[str], device: str) -> "Samples":
    try:
        from biomedica.evaluation.logistic import Samples
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("probes need torch: pip install 'biomedica[evaluate]'", name=error.name) from error
    return Samples(features, labels, len(classes), device=device)


def _tested(features: "Floats", trained: "Floats", device: str) -> "Samples":
    if features.ndim != 2 or features.shape[1] != trained.shape[1]:  # noqa: PLR2004
        raise ValueError(f"test features {features.shape}: give [M, {trained.shape[1]}], as training features are")
    return _samples(_checked(features), np.zeros(len(features), np.int64), (), device)


def _labels(
    labels: AnyLabels, features: "Floats", classes: Sequence[str], groups: Groups | None, strengths: Sequence[float]
) -> "Labels":
    """Checked, with all else."""
    if not strengths or not all(0 < one < np.inf for one in strengths):
        raise ValueError("strengths must be one or more positive numbers")
    if features.ndim != 2 or not features.size:  # noqa: PLR2004
        raise ValueError(f"features {features.shape}: give [N, D] of one image at least")
    _checked(features)
    found = _numbered(labels, len(classes))
    for what, size in (("labels", len(found)), ("groups", len(features if groups is None else groups))):
        if size != len(features):
            raise ValueError(f"{size:,} {what} but {len(features):,} rows of features: give one of each an image")
    return found


def _numbered(labels: AnyLabels, classes: int) -> "Labels":
    """Class numbers [N], or whether an image has a class [N, C]."""
    if isinstance(labels, Sequence) and labels and isinstance(labels[0], tuple):
        flags = np.zeros((len(labels), classes), bool)
        for row, numbers in zip(flags, labels, strict=True):
            if any(not 0 <= number < classes for number in numbers):
                raise ValueError(f"a label is {numbers}, but the classes are 0..{classes - 1}")
            row[list(numbers)] = True
        return flags
    found = np.asarray(labels)
    if found.dtype == bool and found.shape[1:] == (classes,):
        return found
    if (
        found.ndim != 1
        or found.dtype.kind not in "iu"
        or not (len(found) and 0 <= found.min() <= found.max() < classes)
    ):
        raise ValueError(f"labels must be class numbers 0..{classes - 1} [N] or booleans [N, {classes}]")
    return found.astype(np.int64)


def _checked(features: "Floats") -> "Floats":
    if features.dtype != np.float32:
        raise ValueError(f"features are {features.dtype}, but must be float32")
    if len(bad := np.flatnonzero(~np.isfinite(features.sum(1)))):
        raise ValueError(f"row {bad[0]} of the features is not finite: leave out images that cannot be decoded")
    return features


def _check(labels: "Labels", classes: Sequence[str], where: str = "to learn it from") -> None:
    if without := lacking(labels, len(classes)):
        raise EvaluationError(f"the class {classes[without[0]]!r} has no training image {where}")
    if labels.ndim > 1 and (without := lacking(~labels, len(classes))):
        raise EvaluationError(f"the class {classes[without[0]]!r} is that of every training image {where}")


def _check_draws(k: int, repeats: int) -> None:
    if k < 1 or repeats < 1:
        raise ValueError(f"k is {k} and repeats {repeats}, but both must be 1 or more")
