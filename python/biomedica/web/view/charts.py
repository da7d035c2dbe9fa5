"""Charts as numbers that templates draw: bars of values, and histograms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Bar", "Bars", "Bin", "Histogram", "bars", "columns", "histogram"]

LONGEST = 12
"""Bars of a chart; what is rarer is one bar more."""
BINS = 24
WIDTH, HEIGHT = 480.0, 150.0
GAP = 0.15
"""Of a bin's width."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A value and how often it occurs."""

    name: str
    count: int
    share: float
    """Of the longest bar."""
    value: str | None
    """What the gallery is asked for; None where a bar is of several values."""


@dataclass(frozen=True, slots=True)
class Bars:
    """How often values occur, the most frequent first."""

    title: str
    facet: str | None
    """By which the gallery chooses them."""
    rows: list[Bar]


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of a histogram, drawn."""

    name: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often numbers of a range occur."""

    title: str
    bins: list[Bin]
    ticks: list[tuple[float, str]]
    """Places and words below."""
    text: str
    """What it says, for those who do not see it."""
    most: int


def bars(title: str, counts: Sequence[tuple[str, int]], facet: str | None = None, longest: int = LONGEST) -> Bars:
    """A chart of the most frequent values, the others together."""
    # One value alone is not worth a name for the others.
    longest += len(counts) == longest + 1
    shown, rest = counts[:longest], counts[longest:]
    others = sum(count for _, count in rest)
    most = max((*(count for _, count in shown), others, 1))
    rows = [Bar(name, count, 100 * count / most, name) for name, count in shown]
    if rest:
        rows.append(Bar(f"{len(rest):,} others", others, 100 * others / most, None))
    return Bars(title, facet, rows)


def columns(title: str, counts: Sequence[tuple[str, int]]) -> Histogram:
    """A histogram of values that are whole numbers, such as years, with none left out between them."""
    known = {int(name): count for name, count in counts if name.isdigit()}
    if not known:
        return _drawn(title, [], [], "no values")
    # A year that is mistyped does not make all others invisible.
    last = max(known)
    first = max(min(known), last - 149)
    numbers = list(range(first, last + 1))
    names = [str(number) for number in numbers]
    peak = max(known, key=lambda number: known[number])
    text = f"{first} to {last}, most in {peak} ({known[peak]:,})"
    return _drawn(title, names, [known.get(number, 0) for number in numbers], text)


def histogram(title: str, values: "NDArray[Any]", unit: str) -> Histogram:
    """Bins of the same width up to the 99th percentile; the last one has what is above it too."""
    if not len(values):
        return _drawn(title, [], [], "no values")
    low, high = int(values.min()), int(np.percentile(values, 99))
    step = max(1, -(-(high - low + 1) // BINS))
    edges = np.arange(low, high + step + 1, step)
    edges = edges if len(edges) > 1 else np.array([low, low + 1])
    counts, _ = np.histogram(np.minimum(values, edges[-1] - 1), edges)
    names = [f"{start:,}" if step == 1 else f"{start:,}–{start + step - 1:,}" for start in edges[:-1].tolist()]
    if int(values.max()) >= int(edges[-1]):
        names[-1] = f"{int(edges[-2]):,} or more"
    median, mean = float(np.median(values)), float(values.mean())
    text = f"median {median:,.0f}, mean {mean:,.0f}, 99% up to {high:,}, longest {int(values.max()):,} {unit}"
    return _drawn(title, names, counts.tolist(), text)


def _drawn(title: str, names: list[str], counts: list[int], text: str) -> Histogram:
    most = max((*counts, 1))
    wide = WIDTH / max(len(counts), 1)
    bins = [
        Bin(
            name,
            count,
            round((at + GAP / 2) * wide, 2),
            round(HEIGHT * (1 - count / most), 2),
            round(wide * (1 - GAP), 2),
            round(HEIGHT * count / most, 2),
        )
        for at, (name, count) in enumerate(zip(names, counts, strict=True))
    ]
    every = max(1, -(-len(names) // 6))
    # A tick at the very end would leave the picture.
    ticks = [(round((at + 0.5) * wide, 2), names[at].split("–")[0].split(" ")[0]) for at in range(0, len(names), every)]
    return Histogram(title, bins, ticks, text, most)
