"""Models by domain as a radar: one axis a domain, from 0 at the centre to 1."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from biomedica.web.evaluation.scale import marker

__all__ = ["Radar", "radar"]

LEAST, MOST = 3, 16
"""Axes: fewer make no area, more cannot be told apart."""
RADIUS = 120.0
ACROSS, DOWN = 240.0, 160.0
"""The centre."""
RINGS = {0.25: "0.25", 0.5: "0.5", 0.75: "0.75", 1.0: ""}
"""With their numbers; that of the outermost would lie on the first axis's name."""
LONGEST = 20
MIDDLE = 0.3
"""Within this cosine of upright, a label is centred on its axis."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A domain's axis: its end, and the place of its name."""

    name: str
    x: float
    y: float
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Area:
    """A model's averages, drawn."""

    model: int
    points: str
    outlines: list[str]


@dataclass(frozen=True, slots=True)
class Radar:
    """The picture, drawn."""

    text: str
    axes: list[Axis]
    areas: list[Area]
    rings: list[tuple[str, float, str]]
    """Of each ring its points, and height and text of its number."""
    width: int = int(2 * ACROSS)
    height: int = int(2 * DOWN)
    x: float = ACROSS
    y: float = DOWN


def radar(averages: Mapping[str, Mapping[str, float]], models: Sequence[str]) -> Radar | None:
    """Draw averages; None of fewer than three domains that all models have, or of too many.

    Args:
        averages: By domain and model, each from 0 to 1.
        models: In the order of their colours.
    """
    whole = {
        domain: own
        for domain, own in averages.items()
        if all(name in own and math.isfinite(own[name]) for name in models)
    }
    if not LEAST <= len(whole) <= MOST:
        return None
    names = list(whole)
    angles = [2 * math.pi * at / len(names) - math.pi / 2 for at in range(len(names))]
    axes = [_axis(name, angle) for name, angle in zip(names, angles, strict=True)]
    areas = []
    for at, model in enumerate(models):
        values = [min(max(whole[name][model], 0.0), 1.0) for name in names]
        places = [_place(value, angle) for value, angle in zip(values, angles, strict=True)]
        areas.append(Area(at, _points(places), [marker(at, x, y) for x, y in places]))
    rings = [
        (_points([_place(ring, angle) for angle in angles]), round(DOWN - RADIUS * ring, 2), told)
        for ring, told in RINGS.items()
    ]
    text = "; ".join(f"{name}: " + ", ".join(f"{one} {whole[name][one]:.3f}" for one in models) for name in names)
    return Radar(text, axes, areas, rings)


def _axis(name: str, angle: float) -> Axis:
    (x, y), (label_x, label_y) = _place(1, angle), _place(1.12, angle)
    cosine = math.cos(angle)
    anchor = "middle" if abs(cosine) < MIDDLE else "start" if cosine > 0 else "end"
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return Axis(short, x, y, label_x, round(label_y + 4, 2), anchor)


def _place(value: float, angle: float) -> tuple[float, float]:
    return round(ACROSS + RADIUS * value * math.cos(angle), 2), round(DOWN + RADIUS * value * math.sin(angle), 2)


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)
