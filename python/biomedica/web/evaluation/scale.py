"""From numbers to places in a picture, and the marks that tell models apart without their colours."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["COLOURS", "Scale", "covering", "marker"]

COLOURS = 8
"""Classes `m0` to `m7` of the style; with the shapes, forty models look different."""
SHAPES = 5
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
MOST_TICKS = 7
SIZE = 4.5
"""Half of a marker's width."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from `low` to `high` along a line from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    step: float

    def __call__(self, value: float) -> float:
        """The place of a number; one outside is at the nearer end."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + (self.end - self.start) * min(max(share, 0.0), 1.0), 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places and their numbers."""
        count = round((self.high - self.low) / self.step)
        values = (self.low + number * self.step for number in range(count + 1))
        return [(self(value), f"{value:.2f}" if self.step < 0.1 else f"{value:.1f}") for value in values]  # noqa: PLR2004


def covering(values: Iterable[float | None], start: float, end: float) -> Scale:
    """A scale on which all of some numbers lie, with round ends; what is no number does not count."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    least, most = (min(known), max(known)) if known else (0.0, 1.0)
    step = next((one for one in STEPS if (most - least) / one <= MOST_TICKS - 1), None)
    step = step or 10 ** math.ceil(math.log10((most - least) / MOST_TICKS))
    low, high = math.floor(least / step + 1e-9) * step, math.ceil(most / step - 1e-9) * step
    return Scale(low, high if high > low else low + step, start, end, step)


def marker(model: int, x: float, y: float) -> str:
    """The outline of a model's marker: circle, square, diamond, triangle or turned triangle."""
    size = SIZE
    points = {
        1: [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2: [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        3: [(0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
        4: [(0, 1.2), (1.15, -0.9), (-1.15, -0.9)],
    }.get(model % SHAPES)
    if points is None:
        return f"M{x - size:.2f} {y:.2f}a{size} {size} 0 1 0 {2 * size} 0a{size} {size} 0 1 0 {-2 * size} 0z"
    return "M" + "L".join(f"{x + size * across:.2f} {y + size * down:.2f}" for across, down in points) + "z"
