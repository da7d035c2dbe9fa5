"""Who learns and who is tested: folds, and few images of each class.

Labels are class numbers [N], or, where an image may have several classes, whether it has each: bool [N, C].
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Labels = NDArray[np.int64] | NDArray[np.bool_]

__all__ = ["draw", "folds", "held_out", "lacking", "members"]

Kind = tuple[tuple[int, ...], tuple[int, ...]]
"""What a group has: columns, and how many images in each."""


def members(labels: "Labels", classes: int) -> "NDArray[np.int64]":
    """Images of each class [C]."""
    if labels.ndim == 1:
        return np.bincount(labels, minlength=classes)
    found: Integers = labels.sum(0, dtype=np.int64)
    return found


def folds(
    labels: "Labels", groups: Sequence[object] | None = None, count: int = 5, seed: int = 0
) -> "NDArray[np.int64]":
    """The fold of each image [N], such that groups stay whole and each fold has its share of each class and of images.

    Groups that have the same in them are dealt out evenly, in an order drawn by the seed; what remains of them, and groups
    that are like no other, go from the largest to the smallest to the fold that has least of what is in them.

    Args:
        labels: [N] or [N, C]; see above.
        groups: The group of each image [N]; one of None is a group of its own, as are all when not given.
        count: Folds; with fewer groups than that, some are empty.
        seed: Of the order.
    """
    unit = _units(groups, len(labels))
    classes = int(labels.max()) + 1 if labels.ndim == 1 else labels.shape[1]
    totals = np.append(members(labels, classes), len(labels)).astype(np.float64)
    kinds = _kinds(unit, labels, classes)
    random = np.random.default_rng(seed)
    load = np.zeros((count, classes + 1))
    fold_of_unit = np.empty(int(unit.max()) + 1, np.int64)
    for columns, counts in sorted(kinds, key=lambda kind: (-kind[1][-1], kind)):
        alike = random.permutation(kinds[columns, counts])
        at, has = np.array(columns), np.array(counts, np.float64)
        even, weight = len(alike) // count, has / totals[at] ** 2
        fold_of_unit[alike[: even * count]] = np.tile(np.arange(count), even)
        load[:, at] += even * has
        for one in alike[even * count :]:
            fold = int(np.lexsort((load[:, -1], (load[:, at] * weight).sum(1)))[0])
            fold_of_unit[one] = fold
            load[fold, at] += has
    return fold_of_unit[unit]


def held_out(
    labels: "Labels", classes: int, groups: Sequence[object] | None = None, count: int = 5, seed: int = 0
) -> "list[NDArray[np.bool_]]":
    """For each fold which images it holds out [N], but for groups without which a class could not be learned.

    A fold of which nothing is left is left out: with one image of each class, there is none.

    Args:
        labels: [N] or [N, C]; see above.
        classes: How many there are.
        groups: As in `folds`.
        count: Folds.
        seed: Of the folds.
    """
    unit, fold = _units(groups, len(labels)), folds(labels, groups, count, seed)
    found = []
    for number in range(count):
        held = fold == number
        missed = [labels == one if labels.ndim == 1 else labels[:, one] for one in lacking(labels[~held], classes)]
        if labels.ndim > 1:
            missed += [~labels[:, one] for one in lacking(~labels[~held], classes)]
        for images in missed:
            held &= ~np.isin(unit, unit[images])
        if held.any():
            found.append(held)
    return found


def lacking(labels: "Labels", classes: int) -> list[int]:
    """Classes without an image."""
    none: list[int] = np.flatnonzero(members(labels, classes) == 0).tolist()
    return none


def draw(labels: "Labels", classes: int, k: int, seed: int = 0, repeat: int = 0) -> "Integers":
    """Places of k images of each class, in ascending order, drawn without replacement.

    Those of a smaller k are among those of a larger one of the same repeat. A class with fewer images gives all of them.
    Where an image may have several classes, they are k that have a class and k that do not, for each class; an image may
    stand for several classes.

    Args:
        labels: [N] or [N, C]; see above.
        classes: How many there are.
        k: Images of a class.
        seed: Of the draws.
        repeat: Another gives another draw.
    """
    random = np.random.default_rng([seed, repeat])
    if labels.ndim == 1:
        sides = [np.flatnonzero(labels == number) for number in range(classes)]
    else:
        sides = [np.flatnonzero(labels[:, number] == has) for number in range(classes) for has in (True, False)]
    return np.unique(np.concatenate([random.permutation(side)[:k] for side in sides]))


def _units(groups: Sequence[object] | None, size: int) -> "Integers":
    """The number of each image's group, from 0."""
    if groups is None:
        return np.arange(size)
    numbers: dict[object, int] = {}
    named = (("image", at) if group is None else ("group", group) for at, group in enumerate(groups))
    return np.array([numbers.setdefault(name, len(numbers)) for name in named], np.int64)


def _kinds(unit: "Integers", labels: "Labels", classes: int) -> "dict[Kind, list[int]]":
    """Groups by what is in them; the last column, beyond the classes, counts images."""
    width = classes + 1
    rows, columns = (np.arange(len(labels)), labels) if labels.ndim == 1 else np.nonzero(labels)
    cells, counts = np.unique(
        np.concatenate([unit[rows] * width + columns, unit * width + classes]), return_counts=True
    )
    ends = np.flatnonzero(cells % width == classes) + 1
    found: dict[Kind, list[int]] = {}
    at, has, begin = (cells % width).tolist(), counts.tolist(), 0
    for number, end in enumerate(ends.tolist()):
        found.setdefault((tuple(at[begin:end]), tuple(has[begin:end])), []).append(number)
        begin = end
    return found
