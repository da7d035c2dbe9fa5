"""Figures drawn by code: one function a visual concept, each from a seeded generator to a `Drawing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from biomedica.demo.draw import bench, charts, clinical, diagrams, microscopy
from biomedica.demo.draw.canvas import Drawing, Pen

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

__all__ = ["CONCEPTS", "PANEL_CONCEPTS", "Drawing", "composite", "draw"]

CONCEPTS: dict[str, Callable[[np.random.Generator], Drawing]] = {
    "fluorescence": microscopy.fluorescence,
    "histology": microscopy.histology,
    "electron": microscopy.electron,
    "radiograph": clinical.radiograph,
    "ct": clinical.ct,
    "ultrasound": clinical.ultrasound,
    "dermoscopy": clinical.dermoscopy,
    "fundus": clinical.fundus,
    "blot": bench.blot,
    "gel": bench.gel,
    "ecg": bench.ecg,
    "bar": charts.bar,
    "line": charts.line,
    "scatter": charts.scatter,
    "box": charts.box,
    "heatmap": charts.heatmap,
    "survival": charts.survival,
    "forest": charts.forest,
    "flowchart": diagrams.flowchart,
    "tree": diagrams.tree,
    "molecule": diagrams.molecule,
    "table": diagrams.table,
}
"""Every single-panel concept, in a fixed order."""

PANEL_CONCEPTS = (
    "fluorescence",
    "histology",
    "electron",
    "radiograph",
    "ct",
    "dermoscopy",
    "fundus",
    "blot",
    "gel",
    "bar",
    "line",
    "scatter",
    "box",
    "survival",
)
"""What composites are put together from."""


def draw(concept: str, rng: np.random.Generator) -> Drawing:
    """A drawing of `concept`, varied by `rng`; `composite` joins two to four others."""
    return composite(rng) if concept == "composite" else CONCEPTS[concept](rng)


def composite(rng: np.random.Generator) -> Drawing:
    """Two to four different concepts side by side on white, lettered A to D."""
    count = int(rng.integers(2, 5))
    chosen = [PANEL_CONCEPTS[int(i)] for i in rng.permutation(len(PANEL_CONCEPTS))[:count]]
    parts = tuple(CONCEPTS[name](rng) for name in chosen)
    cell, gap = 380, 34
    columns = 2 if count != 3 or rng.random() < 0.5 else 3
    rows = -(-count // columns)
    sheet = Image.new("RGB", (columns * (cell + gap) + 8, rows * (cell + gap) + 8), (255, 255, 255))
    for number, part in enumerate(parts):
        x, y = gap + (number % columns) * (cell + gap), gap + (number // columns) * (cell + gap)
        panel = part.image.convert("RGB")
        panel.thumbnail((cell, cell), Image.Resampling.BICUBIC)
        sheet.paste(panel, (x, y))
        letter = Pen(gap, gap)
        letter.text(gap / 2 - 2, gap / 2, "ABCD"[number], 26)
        sheet.paste(letter.finish(), (x - gap, y - gap + 2))
    return Drawing(sheet, "composite", {"panels": count, "concepts": chosen}, parts)
