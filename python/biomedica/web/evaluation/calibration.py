"""How sure a model is and how often it is right: a reliability diagram (Guo 2017, arXiv 1706.04599)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biomedica.evaluation.metrics import BINS
from biomedica.evaluation.scores import confidence

if TYPE_CHECKING:
    from biomedica.evaluation.predictions import Predictions

__all__ = ["SIDE", "Reliability", "reliability"]

SIDE = 150.0


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of like confidence."""

    text: str
    x: float
    y: float
    width: float
    height: float
    """Share that is right."""
    share: float
    """Of all predictions, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """The diagram, drawn; a model that is right as often as it says has its bars end on the diagonal."""

    text: str
    bins: list[Bin]
    sure: float
    """Mean confidence."""
    right: float
    """Share that is right."""


def reliability(predictions: "Predictions") -> Reliability:
    """Draw it, in the bins of the calibration error.

    Args:
        predictions: Of `classify` or `choice`.
    """
    sure = np.minimum(confidence(predictions), 1)
    right = predictions.numbers("label") == predictions.numbers("predicted")
    places = np.clip(np.searchsorted(np.linspace(0, 1, BINS + 1), sure) - 1, 0, BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    hits = np.bincount(places, right, BINS)
    wide, bins = SIDE / BINS, list[Bin]()
    for at in np.flatnonzero(counts).tolist():
        share = hits[at] / counts[at]
        text = f"confidence {at / BINS:.2f} to {(at + 1) / BINS:.2f}: {share:.0%} of {counts[at]:,} right"
        height = round(SIDE * share, 2)
        bins.append(
            Bin(text, round(at * wide, 2), SIDE - height, round(wide, 2), height, float(counts[at] / len(sure)))
        )
    text = "; ".join(one.text for one in bins)
    return Reliability(text, bins, float(sure.mean()), float(right.mean()))
