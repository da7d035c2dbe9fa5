"""What a model took for what: a matrix of shares, or the pairs most often confused where there are many classes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biomedica.evaluation.metrics import confusion

if TYPE_CHECKING:
    from biomedica.evaluation.predictions import Predictions

__all__ = ["Confused", "Matrix", "confused"]

MOST_CLASSES = 30
MOST_PAIRS = 20
SHADES = 10
"""Classes `s0` to `s10` of the style."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How often a class was taken for another."""

    count: int
    text: str
    """Its share of the row in per cent; nothing for 0."""
    shade: int
    is_right: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows are right classes, columns what was predicted."""

    classes: tuple[str, ...]
    images: list[int]
    """Of each row."""
    rows: list[list[Cell]]


@dataclass(frozen=True, slots=True)
class Confused:
    """A class that was taken for another."""

    right: str
    said: str
    count: int
    share: float
    """Of the images of the right class."""


def confused(predictions: "Predictions") -> Matrix | list[Confused]:
    """The matrix, or of more than thirty classes the pairs most often confused, the most frequent first.

    Args:
        predictions: Of `classify`; all repeats of `few-shot-K` count.

    Raises:
        ValueError: There are none, or a class number is not one of the classes.
    """
    classes = predictions.about.classes
    if len(classes) > MOST_CLASSES:
        return _pairs(predictions)
    counts = confusion(predictions.numbers("label"), predictions.numbers("predicted"), len(classes))
    totals = counts.sum(1)
    rows = []
    for at, row in enumerate(counts.tolist()):
        total = max(int(totals[at]), 1)
        cells = [
            Cell(count, f"{100 * count / total:.0f}" if count else "", round(SHADES * count / total), at == column)
            for column, count in enumerate(row)
        ]
        rows.append(cells)
    return Matrix(classes, totals.tolist(), rows)


def _pairs(predictions: "Predictions") -> list[Confused]:
    # Not by the whole matrix: of ten thousand classes it would be a hundred million cells.
    classes, labels, said = predictions.about.classes, predictions.numbers("label"), predictions.numbers("predicted")
    if not len(labels) or min(labels.min(), said.min()) < 0 or max(labels.max(), said.max()) >= len(classes):
        raise ValueError("a class number is not one of the classes")
    totals = np.bincount(labels, minlength=len(classes))
    wrong = labels != said
    pairs, counts = np.unique(labels[wrong] * len(classes) + said[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_PAIRS]
    return [
        Confused(classes[pair // len(classes)], classes[pair % len(classes)], count, count / int(totals[pair // len(classes)]))
        for pair, count in zip(pairs[order].tolist(), counts[order].tolist(), strict=True)
    ]  # fmt: skip
