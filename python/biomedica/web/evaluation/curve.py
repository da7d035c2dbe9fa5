"""A metric over the number of training images of each class, beside what zero-shot and a probe of all reach."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biomedica.evaluation.methods import FEW_SHOT, PROBE, ZERO_SHOT
from biomedica.evaluation.tables import number
from biomedica.web.evaluation.scale import Scale, covering, marker

if TYPE_CHECKING:
    from biomedica.evaluation.record import Evaluation, JudgedTask, Score

__all__ = ["Curve", "curve"]

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 44.0, 300.0, 12.0, 222.0
LEAST = 2
"""Numbers of images that make a curve."""
LEVELS = {ZERO_SHOT: "zero-shot", PROBE: "all images"}
LONGEST = 16


@dataclass(frozen=True, slots=True)
class Point:
    """A number, drawn."""

    text: str
    outline: str
    x: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A model's numbers over K."""

    model: int
    points: str
    marks: list[Point]


@dataclass(frozen=True, slots=True)
class Level:
    """What does not depend on K."""

    kind: str
    """`zero-shot` or `probe`."""
    model: int
    y: float
    label: str
    label_y: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The picture, drawn."""

    metric: str
    text: str
    lines: list[Line]
    levels: list[Level]
    ticks_x: list[tuple[float, str]]
    ticks_y: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    bottom: float = BOTTOM


def curve(evaluation: "Evaluation", task: "JudgedTask") -> Curve | None:
    """Draw a task's metric over K; None where fewer than two K were evaluated."""
    names = [model.name for model in evaluation.models]
    found: dict[str, dict[int, Score]] = {}
    flat: list[tuple[int, str, Score]] = []
    for one in evaluation.scores:
        if one.task != task.name or not one.is_primary or one.model not in names or not math.isfinite(one.value):
            continue
        if few := FEW_SHOT.fullmatch(one.method):
            found.setdefault(one.model, {})[int(few[1])] = one
        elif one.method in LEVELS:
            flat.append((names.index(one.model), one.method, one))
    ks = sorted({k for of_model in found.values() for k in of_model})
    if len(ks) < LEAST:
        return None
    values = [one.value for *_, one in flat]
    values += [
        end
        for of_model in found.values()
        for one in of_model.values()
        for end in (one.value, one.low, one.high)
        if end is not None
    ]
    up = covering(values, BOTTOM, TOP)
    across = Scale(math.log2(ks[0]), math.log2(ks[-1]), LEFT + 10, RIGHT - 10, 1)

    def place(k: int) -> float:
        return across(math.log2(k))

    lines = []
    for name, of_model in found.items():
        at, marks = names.index(name), []
        for k, one in sorted(of_model.items()):
            x, y = place(k), up(one.value)
            told = number(one)
            low, high = (None if end is None or not math.isfinite(end) else up(end) for end in (one.low, one.high))
            marks.append(Point(f"{name}, K = {k}: {told.text} {told.interval}", marker(at, x, y), x, low, high))
        points = " ".join(f"{place(k)},{up(one.value)}" for k, one in sorted(of_model.items()))
        lines.append(Line(at, points, marks))
    levels = _levels(flat, names, up)
    text = "; ".join([mark.text for line in lines for mark in line.marks] + [level.text for level in levels])
    return Curve(task.metric, text, lines, levels, [(place(k), f"{k}") for k in ks], up.ticks)


def _levels(flat: "Sequence[tuple[int, str, Score]]", names: Sequence[str], up: Scale) -> list[Level]:
    """Dashed lines, with words at their right end that do not lie on each other."""
    levels, below = list[Level](), 0.0
    for at, method, one in sorted(flat, key=lambda of: -of[2].value):
        y = up(one.value)
        label_y = max(y + 4, below + 12)
        below = label_y
        short = names[at] if len(names[at]) <= LONGEST else f"{names[at][: LONGEST - 1]}…"
        label = LEVELS[method] if len(names) == 1 else f"{short}: {LEVELS[method]}"
        levels.append(Level(method, at, y, label, label_y, f"{names[at]}, {LEVELS[method]}: {one.value:.3f}"))
    return levels
