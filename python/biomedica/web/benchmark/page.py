"""The page of a benchmark: ratios as bars on a logarithmic scale, with their spread over the rounds, and the machine."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biomedica.web.standalone import page

if TYPE_CHECKING:
    from biomedica._bench import Benchmark
    from biomedica.benchmarks.measure import Row

__all__ = ["benchmark_page"]

WIDTH = 420.0
"""Of the bars' frame, in the picture's units."""
TICKS = 8
LEAST, MOST = 0.25, 32.0
"""The ends of the scale, unless a ratio lies beyond."""


@dataclass(frozen=True, slots=True)
class _Bar:
    """A row, drawn."""

    row: "Row"
    start: float
    width: float
    low: float | None
    high: float | None
    before: float | None
    """The ratio of the earlier run."""
    place_before: float | None


def benchmark_page(found: "Benchmark", before: "Benchmark | None" = None) -> str:
    """The page.

    Args:
        found: What was measured.
        before: An earlier run, whose ratios stand beside those of the same cases.
    """
    numbers = [number for row in found.rows for number in (row.ratio, *(row.range or ())) if number > 0]
    low, high = math.log(min([LEAST, *numbers])), math.log(max([MOST, *numbers]))

    def place(ratio: float) -> float:
        return round(WIDTH * (math.log(max(ratio, 1e-9)) - low) / (high - low), 1)

    earlier = {(row.case, row.peer): row.ratio for row in before.rows} if before else {}

    def bar(row: "Row") -> _Bar:
        ends = sorted((place(1), place(row.ratio)))
        span = row.range and (place(row.range[0]), place(row.range[1]))
        was = earlier.get((row.case, row.peer))
        return _Bar(
            row, ends[0], round(ends[1] - ends[0], 1), span[0] if span else None, span[1] if span else None, was,
            None if was is None else place(was),
        )  # fmt: skip

    powers = [power for power in range(-6, 12) if low <= power * math.log(2) <= high]
    shown = [power for power in powers if len(powers) <= TICKS or power % 2 == 0]
    ticks = [(place(2.0**power), f"{2.0**power:.3g}") for power in shown]
    return page(
        "benchmark", "benchmark.html", "Benchmark · biomedica", found=found, bars=[bar(row) for row in found.rows],
        ticks=ticks, one=place(1), before=before, width=WIDTH,
    )  # fmt: skip
