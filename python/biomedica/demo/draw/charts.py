"""Charts: bars, lines, scatter, boxes, heat maps, survival curves and forest plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biomedica.demo.draw.canvas import COLOURS, Drawing, Pen, pick, shade, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biomedica.demo.draw.canvas import Colour, Fact

GROUPS = (
    ("control", "low dose", "high dose", "recovery", "sham", "combination"),
    ("wild type", "knockout", "rescue", "overexpression", "heterozygous", "scramble"),
    ("healthy", "mild", "moderate", "severe", "critical", "remission"),
)
MEASURES = ("viability (%)", "expression (fold)", "body weight (g)", "glucose (mmol/L)", "intensity (a.u.)", "score")
TIMES = ("hours", "days", "weeks", "months")


class Axes:
    """A plotting area inside a pen: y grows upwards, ticks and titles are drawn."""

    def __init__(self, pen: Pen, x_title: str, y_title: str, high: float, x_high: float = 1.0, ticks: int = 5) -> None:
        """Draw the frame for x in [0, `x_high`] and y in [0, `high`]."""
        width, height = pen.size
        self.pen, self.high, self.x_high = pen, high, x_high
        self.left, self.top, self.right, self.bottom = 74.0, 26.0, width - 24.0, height - 62.0
        for tick in range(ticks + 1):
            value = high * tick / ticks
            y = self.y(value)
            pen.line([(self.left - 5, y), (self.left, y)])
            pen.text(self.left - 9, y, f"{value:.3g}", 13, "rm")
        pen.line([(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)], width=2)
        pen.text_up(20, (self.top + self.bottom) / 2, y_title, 16)
        pen.text((self.left + self.right) / 2, height - 16, x_title, 16)

    def x(self, value: float) -> float:
        """Pixel column of `value`."""
        return self.left + (self.right - self.left) * value / self.x_high

    def y(self, value: float) -> float:
        """Pixel row of `value`."""
        return self.bottom - (self.bottom - self.top) * value / self.high

    def x_ticks(self, count: int = 5) -> None:
        """Numbers along the x axis."""
        for tick in range(count + 1):
            value = self.x_high * tick / count
            self.pen.line([(self.x(value), self.bottom), (self.x(value), self.bottom + 5)])
            self.pen.text(self.x(value), self.bottom + 9, f"{value:.3g}", 13, "mt")

    def legend(self, names: Sequence[str], colours: Sequence[Colour], bottom: bool = False) -> None:
        """Names with their colours in the right upper (or lower) corner."""
        for row, (name, colour) in enumerate(zip(names, colours, strict=True)):
            y = (self.bottom - 18 - 20 * (len(names) - 1 - row)) if bottom else self.top + 8 + 20 * row
            self.pen.box([self.right - 138, y - 6, self.right - 122, y + 6], colour, None)
            self.pen.text(self.right - 116, y, name, 13, "lm")


def _sheet(rng: np.random.Generator) -> Pen:
    return Pen(int(rng.choice([560, 620, 680])), int(rng.choice([420, 460])))


def bar(rng: np.random.Generator) -> Drawing:
    """Vertical bars with error whiskers; one of them is the tallest by a clear margin."""
    pen = _sheet(rng)
    count = int(rng.integers(3, 7))
    names = list(GROUPS[int(rng.integers(len(GROUPS)))][:count])
    colour = pick(rng, list(COLOURS))
    values = rng.uniform(25, 70, count)
    top = int(rng.integers(count))
    values[top] = rng.uniform(82, 94)
    measure = pick(rng, MEASURES)
    axes = Axes(pen, "group", measure, 110)
    step = (axes.right - axes.left) / count
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        x, error = axes.left + step * (place + 0.5), float(rng.uniform(3, 8))
        pen.box(
            [x - step * 0.32, axes.y(value), x + step * 0.32, axes.bottom],
            COLOURS[colour] if place != top else shade(COLOURS[colour], 0.75),
        )
        pen.line([(x, axes.y(value - error)), (x, axes.y(value + error))])
        for end in (value - error, value + error):
            pen.line([(x - 8, axes.y(end)), (x + 8, axes.y(end))])
        pen.text(x, axes.bottom + (9 if place % 2 == 0 or count < 4 else 23), name, 12, "mt")
        if place == top:
            pen.text(x, axes.y(value + error) - 10, "***", 18)
    return Drawing(pen.finish(), "bar", {"bars": count, "colour": colour, "highest": names[top], "measure": measure})


def line(rng: np.random.Generator) -> Drawing:
    """One to three series over time with markers: rising, falling, or with a peak."""
    pen = _sheet(rng)
    trend = pick(rng, ("rising", "falling", "peaked"))
    colours = some(rng, list(COLOURS), int(rng.integers(1, 4)))
    names = some(rng, GROUPS[0], len(colours))
    unit, measure = pick(rng, TIMES), pick(rng, MEASURES)
    axes = Axes(pen, f"time ({unit})", measure, 100, 24)
    axes.x_ticks(6)
    time = np.linspace(0.5, 23.5, 9)
    for number, colour in enumerate(colours):
        base = {
            "rising": 12 + 68 / (1 + np.exp(-(time - 11) / 3.4)),
            "falling": 14 + 72 * np.exp(-time / 8.5),
            "peaked": 12 + 70 * np.exp(-(((time - 11) / 4.6) ** 2)),
        }[trend]
        values = np.clip(base * (1 - 0.24 * number) + rng.normal(0, 2.2, time.size), 3, 97)
        points = [(axes.x(float(t)), axes.y(float(v))) for t, v in zip(time, values, strict=True)]
        pen.line(points, COLOURS[colour], 3)
        for x, y in points:
            pen.line([(x, y - 11), (x, y + 11)], COLOURS[colour])
            pen.dot(x, y, 5, COLOURS[colour])
    axes.legend(names, [COLOURS[c] for c in colours])
    return Drawing(
        pen.finish(),
        "line",
        {"lines": len(colours), "trend": trend, "colours": colours, "measure": measure, "unit": unit},
    )


def scatter(rng: np.random.Generator) -> Drawing:
    """A cloud of points with its regression line: positive, negative or no correlation."""
    pen = _sheet(rng)
    relation, colour = pick(rng, ("positive", "negative", "no")), pick(rng, list(COLOURS))
    count = int(rng.choice([40, 80, 150, 240]))
    names = some(rng, MEASURES, 2)
    axes = Axes(pen, names[0], names[1], 100, 100)
    axes.x_ticks()
    slope = {"positive": 0.72, "negative": -0.72, "no": 0.0}[relation]
    x = rng.uniform(4, 96, count)
    y = 50 + slope * (x - 50) + rng.normal(0, 9 if slope else 19, count)
    for a, b in zip(x, np.clip(y, 2, 98), strict=True):
        pen.dot(axes.x(float(a)), axes.y(float(b)), 4.2, shade(COLOURS[colour], 1.25), COLOURS[colour])
    if slope:
        pen.line([(axes.x(4), axes.y(50 - slope * 46)), (axes.x(96), axes.y(50 + slope * 46))], width=2, dash=9)
    r = {"positive": "r = 0.8", "negative": "r = -0.8", "no": "r = 0.0"}[relation]
    pen.text(axes.right - 12, axes.top + 10, f"{r}, n = {count}", 15, "rm")
    return Drawing(
        pen.finish(),
        "scatter",
        {"points": count, "correlation": relation, "colour": colour, "x": names[0], "y": names[1]},
    )


def box(rng: np.random.Generator) -> Drawing:
    """Box and whisker plots with the single points beside them."""
    pen = _sheet(rng)
    count = int(rng.integers(2, 6))
    names = list(GROUPS[int(rng.integers(len(GROUPS)))][:count])
    colours = some(rng, list(COLOURS), count)
    measure = pick(rng, MEASURES)
    axes = Axes(pen, "group", measure, 100)
    centres = rng.uniform(28, 52, count)
    top = int(rng.integers(count))
    centres[top] = 72
    step = (axes.right - axes.left) / count
    for place, name in enumerate(names):
        sample = np.clip(rng.normal(centres[place], 8, 26), 3, 97)
        low, q1, middle, q3, high = (axes.y(float(v)) for v in np.percentile(sample, (2, 25, 50, 75, 98)))
        x, half, colour = axes.left + step * (place + 0.5), min(46.0, step * 0.28), COLOURS[colours[place]]
        pen.line([(x, low), (x, high)])
        pen.box([x - half, q3, x + half, q1], shade(colour, 1.45), colour, 2.2)
        pen.line([(x - half, middle), (x + half, middle)], colour, 3.5)
        for end in (low, high):
            pen.line([(x - half / 2, end), (x + half / 2, end)])
        for value, jitter in zip(sample, rng.uniform(-0.7, 0.7, sample.size), strict=True):
            pen.dot(x + half * float(jitter), axes.y(float(value)), 2.4, shade(colour, 0.7))
        pen.text(x, axes.bottom + (9 if place % 2 == 0 or count < 4 else 23), name, 12, "mt")
    return Drawing(pen.finish(), "box", {"groups": count, "highest": names[top], "measure": measure})


RAMPS: dict[str, tuple[Colour, Colour, Colour]] = {
    "blue-white-red": ((44, 82, 170), (247, 247, 247), (190, 30, 40)),
    "purple-green-yellow": ((68, 12, 84), (38, 140, 140), (250, 228, 50)),
    "black-red-yellow": ((12, 6, 14), (196, 46, 40), (252, 240, 160)),
    "green-black-red": ((30, 190, 60), (14, 14, 14), (220, 34, 34)),
}


def heatmap(rng: np.random.Generator) -> Drawing:
    """A clustered expression matrix: genes by samples, blocks of high and low, a colour bar."""
    width, height = 600, 500
    pen = Pen(width, height)
    ramp = pick(rng, list(RAMPS))
    genes, samples = int(rng.integers(12, 26)), int(rng.choice([8, 10, 12, 16]))
    clusters = int(rng.integers(2, 4))
    rows = np.sort(rng.integers(clusters, size=genes))
    columns = np.sort(rng.integers(clusters, size=samples))
    values = np.clip(np.where(rows[:, None] == columns[None], 0.82, 0.26) + rng.normal(0, 0.13, (genes, samples)), 0, 1)
    left, top, right, bottom = 92.0, 58.0, width - 96.0, height - 34.0
    for g in range(genes):
        y0, y1 = top + (bottom - top) * g / genes, top + (bottom - top) * (g + 1) / genes
        for s in range(samples):
            x0, x1 = left + (right - left) * s / samples, left + (right - left) * (s + 1) / samples
            pen.box([x0, y0, x1, y1], _ramp(ramp, float(values[g, s])), None)
        pen.text(left - 6, (y0 + y1) / 2, f"gene {g + 1}", 11, "rm")
    for s in range(samples):
        x = left + (right - left) * (s + 0.5) / samples
        pen.line([(x, top - 4), (x, top - 18 - 10 * (s % 2))])
        pen.text(x, bottom + 8, f"S{s + 1}", 11, "mt")
    pen.line([(left + 12, top - 30), (right - 12, top - 30)])
    for step in range(60):
        y = bottom - (bottom - top) * 0.6 * step / 60
        pen.box([width - 70, y - (bottom - top) * 0.01 - 1, width - 48, y], _ramp(ramp, step / 59), None)
    pen.text(width - 42, bottom, "low", 12, "ls")
    pen.text(width - 42, bottom - (bottom - top) * 0.6, "high", 12, "lt")
    facts: dict[str, Fact] = {"genes": genes, "samples": samples, "clusters": clusters, "palette": ramp}
    return Drawing(pen.finish(), "heatmap", facts)


def survival(rng: np.random.Generator) -> Drawing:
    """Kaplan-Meier curves of two or three arms, stepwise falling, with ticks where patients leave."""
    pen = _sheet(rng)
    count = int(rng.integers(2, 4))
    names = some(rng, GROUPS[2][1:5], count)
    colours = some(rng, list(COLOURS), count)
    unit = pick(rng, ("months", "years"))
    axes = Axes(pen, f"time ({unit})", "survival probability", 1.0, 60 if unit == "months" else 10)
    axes.x_ticks()
    for number, colour in enumerate(colours):
        drops = np.sort(rng.uniform(0, axes.x_high, 26))
        level, points = 1.0, [(axes.x(0), axes.y(1.0))]
        for time in drops:
            points.append((axes.x(float(time)), points[-1][1]))
            level *= 1 - float(rng.uniform(0.5, 1.5)) * (0.014, 0.036, 0.068)[number]
            points.append((axes.x(float(time)), axes.y(level)))
            if rng.random() < 0.3:
                pen.line(
                    [(points[-1][0] + 4, points[-1][1] - 7), (points[-1][0] + 4, points[-1][1] + 7)], COLOURS[colour]
                )
        points.append((axes.right, points[-1][1]))
        pen.line(points, COLOURS[colour], 2.6)
    axes.legend(names, [COLOURS[c] for c in colours], bottom=True)
    pen.text(axes.right - 10, axes.top + 8, "log-rank p < 0.001", 14, "rm")
    return Drawing(
        pen.finish(),
        "survival",
        {"curves": count, "best": names[0], "worst": names[-1], "unit": unit, "colours": colours},
    )


def forest(rng: np.random.Generator) -> Drawing:
    """A forest plot: a study a row, squares with whiskers around a line of no effect, a diamond below."""
    count = int(rng.integers(5, 12))
    pen = Pen(620, 92 + 34 * (count + 1))
    favours = pick(rng, ("treatment", "control"))
    middle, shift = 390.0, -58.0 if favours == "treatment" else 58.0
    bottom = 58.0 + 34 * count
    pen.text(24, 24, "Study", 16, "lm")
    pen.text(middle, 24, "Odds ratio (95% CI)", 16)
    pen.line([(20, 42), (600, 42)])
    pen.line([(middle, 46), (middle, bottom + 26)], width=1.2)
    for row in range(count):
        y, x, reach = 62.0 + 34 * row, middle + shift + float(rng.normal(0, 34)), float(rng.uniform(30, 78))
        pen.text(24, y, f"Trial {row + 1} ({2004 + 2 * row})", 14, "lm")
        pen.line([(x - reach, y), (x + reach, y)])
        size = 240 / (reach + 12)
        pen.box([x - size, y - size, x + size, y + size], COLOURS["blue"], None)
    y, x = bottom + 12, middle + shift
    pen.text(24, y, "Pooled", 15, "lm")
    pen.polygon([(x - 32, y), (x, y - 10), (x + 32, y), (x, y + 10)], COLOURS["red"])
    pen.text(middle - 90, bottom + 46, "favours treatment", 13)
    pen.text(middle + 90, bottom + 46, "favours control", 13)
    return Drawing(pen.finish(), "forest", {"studies": count, "favours": favours})


def _ramp(name: str, value: float) -> Colour:
    low, middle, high = RAMPS[name]
    a, b, t = (low, middle, value * 2) if value < 0.5 else (middle, high, value * 2 - 1)
    return (int(a[0] + t * (b[0] - a[0])), int(a[1] + t * (b[1] - a[1])), int(a[2] + t * (b[2] - a[2])))
