"""Forest plots: numbers with their intervals, a row for each task or domain, a marker for each model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biomedica.evaluation.tables import Number, number
from biomedica.web.evaluation.scale import covering, marker

if TYPE_CHECKING:
    from biomedica.evaluation.record import Average, Score

__all__ = ["Forest", "Row", "forest"]

WIDTH, LABELS, RIGHT = 720, 230, 18
TOP, BOTTOM = 6, 24
BETWEEN = 13
"""From one model to the next."""
LONGEST = 34
"""Characters of a label."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of the plot is about."""

    label: str
    scores: "Mapping[str, Score | Average]"
    """By the model's name."""
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Dot:
    """A number, drawn."""

    model: int
    text: str
    outline: str
    y: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A row, drawn."""

    label: str
    name: str
    """The whole of the label."""
    top: float
    middle: float
    bottom: float
    chance: float | None
    dots: list[Dot]


@dataclass(frozen=True, slots=True)
class Forest:
    """The plot, drawn."""

    title: str
    text: str
    """What it shows, for those who do not see it."""
    height: float
    lines: list[Line]
    ticks: list[tuple[float, str]]
    width: int = WIDTH
    left: int = LABELS


def forest(title: str, rows: Sequence[Row], models: Sequence[str]) -> Forest | None:
    """Draw numbers with their intervals, and what guessing reaches as a dashed line; None where there are no numbers.

    Args:
        title: What is shown.
        rows: From top to bottom.
        models: All models, in the order of their colours.
    """
    shown = [row for row in rows if any(math.isfinite(one.value) for one in row.scores.values())]
    if not shown:
        return None
    scores = [one for row in shown for one in row.scores.values()]
    values = [value for one in scores for value in (one.value, one.low, one.high)]
    scale = covering([*values, *(row.chance for row in shown)], LABELS + 10, WIDTH - RIGHT)
    lines, top = list[Line](), float(TOP)
    for row in shown:
        own = [(at, row.scores[name]) for at, name in enumerate(models) if name in row.scores]
        own = [(at, one) for at, one in own if math.isfinite(one.value)]
        bottom = top + BETWEEN * (len(own) + 1)
        dots = []
        for place, (at, one) in enumerate(own):
            y = top + BETWEEN * (place + 1)
            told, ends = number(one), (one.low, one.high)
            low, high = (None if end is None or not math.isfinite(end) else scale(end) for end in ends)
            text = f"{row.label}, {models[at]}: {_plain(told)}"
            dots.append(Dot(at, text, marker(at, scale(one.value), y), y, low, high))
        label = row.label if len(row.label) <= LONGEST else f"{row.label[: LONGEST - 1]}…"
        chance = None if row.chance is None else scale(row.chance)
        lines.append(Line(label, row.label, top, (top + bottom) / 2, bottom, chance, dots))
        top = bottom
    text = "; ".join(dot.text for line in lines for dot in line.dots)
    return Forest(title, text, top + BOTTOM, lines, scale.ticks)


def _plain(told: Number) -> str:
    return f"{told.text} {told.interval}".rstrip()
