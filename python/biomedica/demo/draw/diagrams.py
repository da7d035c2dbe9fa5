"""Drawn schemes: flow charts, phylogenetic trees, chemical structures and tables set as images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from biomedica.demo.draw.canvas import COLOURS, INK, Drawing, Pen, pick, shade, some

if TYPE_CHECKING:
    import numpy as np

    from biomedica.demo.draw.canvas import Colour

STEPS = (
    "Records identified",
    "Duplicates removed",
    "Titles screened",
    "Full texts assessed",
    "Studies included",
    "Data analysed",
)
TAXA = (
    "E. coli",
    "S. enterica",
    "V. cholerae",
    "P. aeruginosa",
    "B. subtilis",
    "S. aureus",
    "L. monocytogenes",
    "M. tuberculosis",
    "H. pylori",
    "C. jejuni",
)


def flowchart(rng: np.random.Generator) -> Drawing:
    """Boxes from top to bottom joined by arrows, with exclusions to the side."""
    count = int(rng.integers(3, 7))
    colour = pick(rng, ("blue", "green", "orange", "purple", "grey", "teal"))
    pen = Pen(600, 40 + 96 * count)
    people, exclusions = int(rng.integers(400, 3000)), 0
    for row in range(count):
        top = 24.0 + 96 * row
        pen.box([60, top, 330, top + 58], shade(COLOURS[colour], 1.7), COLOURS[colour], 2, 8)
        pen.text(195, top + 20, STEPS[row if row < count - 1 else 5 - (count < 6)], 16)
        pen.text(195, top + 41, f"(n = {people})", 14)
        if row < count - 1:
            _arrow(pen, 195, top + 58, 195, top + 96)
            lost = int(people * float(rng.uniform(0.1, 0.4)))
            if rng.random() < 0.7:
                exclusions += 1
                _arrow(pen, 195, top + 77, 390, top + 77)
                pen.box([390, top + 56, 572, top + 98], (250, 250, 250), COLOURS["grey"], 1.6, 4)
                pen.text(481, top + 77, f"Excluded (n = {lost})", 14)
            people -= lost
    return Drawing(
        pen.finish(), "flowchart", {"steps": count, "colour": colour, "exclusions": exclusions, "final_n": people}
    )


def _arrow(pen: Pen, x0: float, y0: float, x1: float, y1: float, colour: Colour = INK) -> None:
    pen.line([(x0, y0), (x1, y1)], colour, 2)
    turn = math.atan2(y1 - y0, x1 - x0)
    wings = [(x1 - 11 * math.cos(turn + side), y1 - 11 * math.sin(turn + side)) for side in (-0.45, 0.45)]
    pen.polygon([(x1, y1), *wings], colour)


def tree(rng: np.random.Generator) -> Drawing:
    """A rooted phylogram with names at its tips and one clade in colour."""
    count = int(rng.integers(5, 11))
    names = some(rng, TAXA, count)
    colour = pick(rng, ("red", "blue", "green"))
    pen = Pen(600, 60 + 42 * count)
    nodes = [(400.0 + float(rng.uniform(-40, 20)), 40.0 + 42 * i, [i]) for i in range(count)]
    clade = int(rng.integers(count - 1))
    for x, y, tips in nodes:
        ink = COLOURS[colour] if tips[0] in (clade, clade + 1) else INK
        pen.text(x + 10, y, names[tips[0]], 17, "lm", ink)
    depth = 330.0
    while len(nodes) > 1:
        at = min(range(len(nodes) - 1), key=lambda i: (clade not in nodes[i][2] or len(nodes[i][2]) > 1, rng.random()))
        (x0, y0, t0), (x1, y1, t1) = nodes[at], nodes[at + 1]
        ink = COLOURS[colour] if set(t0 + t1) == {clade, clade + 1} else INK
        pen.line([(x0, y0), (depth, y0), (depth, y1), (x1, y1)], ink, 2.6)
        if rng.random() < 0.7:
            pen.text(depth - 5, (y0 + y1) / 2 - 9, str(int(rng.integers(60, 101))), 12, "rm")
        nodes[at : at + 2] = [(depth, (y0 + y1) / 2, t0 + t1)]
        depth -= 290 / count
    x, y, _ = nodes[0]
    pen.line([(x - 22, y), (x, y)], width=2.6)
    return Drawing(pen.finish(), "tree", {"taxa": count, "clade": [names[clade], names[clade + 1]], "colour": colour})


def molecule(rng: np.random.Generator) -> Drawing:
    """A skeletal formula: fused or linked six-rings with substituents."""
    rings = int(rng.integers(1, 5))
    groups = some(rng, ("OH", "NH2", "Cl", "F", "OCH3", "NO2", "Br", "CN"), int(rng.integers(1, 4)))
    pen = Pen(200 + 84 * rings, 280)
    radius = 48.0
    step = radius * math.sqrt(3)
    ends: list[tuple[float, float, float]] = []
    for ring in range(rings):
        cx, cy = 90 + step * ring + radius * 0.3, 145.0
        corners = [
            (cx + radius * math.cos(a), cy + radius * math.sin(a))
            for a in (math.pi / 6 + math.pi / 3 * k for k in range(6))
        ]
        pen.line([*corners, corners[0], corners[1]], width=3)
        for k in (0, 2, 4):
            (xa, ya), (xb, yb) = corners[k], corners[(k + 1) % 6]
            inner = [(cx + (x - cx) * 0.8 + (cx - x) * 0.02, cy + (y - cy) * 0.8) for x, y in ((xa, ya), (xb, yb))]
            pen.line(inner, width=2.6)
        ends += [(*corners[4], -1.0), (*corners[1], 1.0)]
    for place, group in zip(rng.permutation(len(ends)), groups, strict=False):
        x, y, way = ends[int(place)]
        pen.line([(x, y), (x, y + way * 34)], width=3)
        ink = {
            "OH": "red",
            "NH2": "blue",
            "Cl": "green",
            "F": "green",
            "NO2": "red",
            "OCH3": "red",
            "Br": "orange",
            "CN": "blue",
        }[group]
        pen.text(x, y + way * 48, group, 22, "mm", COLOURS[ink])
    return Drawing(pen.finish(), "molecule", {"rings": rings, "groups": sorted(groups[: len(ends)])})


def table(rng: np.random.Generator) -> Drawing:
    """A table set as an image: head row, rules, numbers."""
    rows, columns = int(rng.integers(4, 12)), int(rng.integers(3, 6))
    pen = Pen(120 + 112 * columns, 70 + 30 * rows)
    width = pen.size[0]
    heads = some(rng, ("Group A", "Group B", "Mean", "SD", "95% CI", "p value", "n"), columns)
    lines = some(
        rng,
        ("Age", "Male sex", "BMI", "Smoker", "Diabetes", "HbA1c", "SBP", "LDL", "CRP", "eGFR", "Height", "Weight"),
        rows,
    )
    for y in (16.0, 50.0, 62.0 + 30 * rows):
        pen.line([(14, y), (width - 14, y)], width=2.4)
    pen.text(24, 33, "Variable", 16, "lm")
    for c, head in enumerate(heads):
        pen.text(180 + 112 * c, 33, head, 16)
    for r, name in enumerate(lines):
        if r % 2:
            pen.box([14, 54 + 30 * r, width - 14, 84 + 30 * r], (240, 243, 248), None)
        pen.text(24, 69 + 30 * r, name, 15, "lm")
        for c in range(columns):
            pen.text(180 + 112 * c, 69 + 30 * r, f"{float(rng.uniform(0, 99)):.1f}", 15)
    return Drawing(pen.finish(), "table", {"rows": rows, "columns": columns, "heads": heads})
