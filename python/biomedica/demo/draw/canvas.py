"""What every drawing shares: seeded noise, the built-in font, colours, axes and the `Drawing` that comes out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

Fact: TypeAlias = str | int | list[str]
Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

SCALE = 2
"""Line art is drawn this many times larger and then reduced: smooth edges without a plotting library."""

INK: Colour = (30, 30, 34)
COLOURS: dict[str, Colour] = {
    "blue": (31, 99, 180),
    "orange": (240, 128, 32),
    "green": (44, 150, 66),
    "red": (205, 45, 48),
    "purple": (128, 80, 170),
    "grey": (125, 125, 130),
    "teal": (32, 150, 150),
    "gold": (222, 178, 40),
}


@dataclass(frozen=True)
class Drawing:
    """One drawn figure: its pixels, what it shows, and the facts a caption may tell of it."""

    image: Image.Image
    concept: str
    facts: dict[str, Fact] = field(default_factory=dict)
    panels: tuple[Drawing, ...] = ()


def pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    """One of `words`."""
    return words[int(rng.integers(len(words)))]


def some(rng: np.random.Generator, words: Sequence[str], count: int) -> list[str]:
    """`count` different ones of `words`, in random order."""
    return [words[int(i)] for i in rng.permutation(len(words))[:count]]


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own built-in font: no font of the machine is ever looked for."""
    loaded = ImageFont.load_default(size=size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        msg = "Pillow was built without FreeType; install the wheel from PyPI"
        raise RuntimeError(msg)  # noqa: TRY004 - not a wrong type but a Pillow built without FreeType
    return loaded


def smooth(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 1) -> Floats:
    """Cloudy noise in [0, 1], shape [height, width], with features of about `cell` pixels."""
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for _ in range(octaves):
        rows, columns = max(2, round(height / cell) + 1), max(2, round(width / cell) + 1)
        grid = Image.fromarray(rng.random((rows, columns), dtype=np.float32))
        total += weight * np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
        weight, cell = weight / 2, max(1.0, cell / 2)
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def grain(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Cheap sensor noise, about standard normal, shape [height, width]."""
    small = rng.standard_normal((height // 2 + 1, width // 2 + 1), dtype=np.float32)
    return np.repeat(np.repeat(small, 2, 0), 2, 1)[:height, :width]


def grid(height: int, width: int) -> tuple[Floats, Floats]:
    """Row and column coordinates in [-1, 1], broadcastable to [height, width]."""
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return rows, np.linspace(-1, 1, width, dtype=np.float32)[None, :]


def sigmoid(values: Floats) -> Floats:
    """A soft step from 0 to 1."""
    return 1 / (1 + np.exp(-np.clip(values, -30, 30)))


def to_image(pixels: Floats) -> Image.Image:
    """An RGB or grey image of `pixels` in [0, 255], shape [height, width, 3] or [height, width]."""
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def mix(ground: Floats, colour: Sequence[float], alpha: Floats) -> Floats:
    """`colour` laid over `ground` [height, width, 3] with opacity `alpha` [height, width]."""
    return ground + alpha[:, :, None] * (np.asarray(colour, np.float32) - ground)


def shade(colour: Colour, factor: float) -> Colour:
    """`colour` mixed towards white (factor above 1) or black (below 1)."""
    if factor <= 1:
        return (int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor))
    keep = 2 - factor
    return (
        int(255 - (255 - colour[0]) * keep),
        int(255 - (255 - colour[1]) * keep),
        int(255 - (255 - colour[2]) * keep),
    )


class Pen:
    """A white sheet to draw on in pixels of the finished image; `finish` reduces it."""

    def __init__(self, width: int, height: int, ground: Colour = (255, 255, 255)) -> None:
        """Start a sheet of `width` x `height` finished pixels."""
        self.size = (width, height)
        self._image = Image.new("RGB", (width * SCALE, height * SCALE), ground)
        self._draw = ImageDraw.Draw(self._image)

    def line(self, points: Sequence[Point], colour: Colour = INK, width: float = 1.5, dash: float = 0) -> None:
        """A polyline; with `dash` above 0, dashes of that length."""
        if dash:
            for start, end in dashes(points, dash):
                self.line([start, end], colour, width)
            return
        self._draw.line([(x * SCALE, y * SCALE) for x, y in points], colour, max(1, round(width * SCALE)), "curve")

    def box(
        self,
        box: Sequence[float],
        fill: Colour | None = None,
        outline: Colour | None = INK,
        width: float = 1.5,
        radius: float = 0,
    ) -> None:
        """A rectangle [left, top, right, bottom], with round corners of `radius`."""
        scaled = [v * SCALE for v in box]
        self._draw.rounded_rectangle(scaled, radius * SCALE, fill, outline, max(1, round(width * SCALE)))

    def dot(
        self, x: float, y: float, radius: float, fill: Colour | None, outline: Colour | None = None, width: float = 1
    ) -> None:
        """A disc or ring."""
        r = radius * SCALE
        box = (x * SCALE - r, y * SCALE - r, x * SCALE + r, y * SCALE + r)
        self._draw.ellipse(box, fill, outline, max(1, round(width * SCALE)))

    def polygon(self, points: Sequence[Point], fill: Colour | None, outline: Colour | None = None) -> None:
        """A closed shape."""
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill, outline, SCALE)

    def text(self, x: float, y: float, words: str, size: float = 14, anchor: str = "mm", colour: Colour = INK) -> None:
        """Words at a point; `anchor` as Pillow has it."""
        self._draw.text((x * SCALE, y * SCALE), words, colour, font(round(size * SCALE)), anchor)

    def text_up(self, x: float, y: float, words: str, size: float = 14, colour: Colour = INK) -> None:
        """Words centred at a point, turned to read upwards."""
        face = font(round(size * SCALE))
        left, top, right, bottom = face.getbbox(words)
        mask = Image.new("L", (math.ceil(right - left) + 4, math.ceil(bottom - top) + 4), 0)
        ImageDraw.Draw(mask).text((2 - left, 2 - top), words, 255, face)
        mask = mask.transpose(Image.Transpose.ROTATE_90)
        corner = (round(x * SCALE - mask.width / 2), round(y * SCALE - mask.height / 2))
        self._image.paste(colour, corner, mask)

    def finish(self) -> Image.Image:
        """The sheet at its finished size."""
        return self._image.reduce(SCALE)


def dashes(points: Sequence[Point], length: float) -> list[tuple[Point, Point]]:
    """A polyline cut into dashes of `length` with gaps of the same length."""
    cut: list[tuple[Point, Point]] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(1, round(math.hypot(x1 - x0, y1 - y0) / length))
        for step in range(0, steps, 2):
            a, b = step / steps, min(1.0, (step + 1) / steps)
            cut.append(((x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))))
    return cut
