"""PNGs that figures are drawn to, by matplotlib; the same figures give the same bytes."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["COLOUR", "as_png", "need_matplotlib", "scree", "sizes"]

COLOUR = "#2b6cb0"
INCHES, DOTS = (8.0, 4.0), 120
SHOWN = 50
"""Components in a scree plot, at most."""
BINS = 40


def need_matplotlib(what: str) -> None:
    """Say so at once where pictures cannot be drawn.

    Args:
        what: The picture, such as `the scree plot`.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401, ICN001 - whether it is there is what is asked
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{what} needs matplotlib: pip install 'biomedica[concepts]'", name=error.name
        ) from error


def as_png(figure: Any) -> bytes:
    """A figure of matplotlib as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def scree(ratios: Sequence[float], kept: int) -> bytes:
    """The share of the variance that each principal component has, those that are kept apart from the others."""
    figure, axis = _axis()
    shown = np.array(ratios[:SHOWN])
    numbers = np.arange(1, len(shown) + 1)
    axis.bar(numbers, shown, color=[COLOUR if number <= kept else "#cbd5e0" for number in numbers])
    total = axis.twinx()
    total.plot(numbers, np.cumsum(shown), color="#c05621", marker=".", linewidth=1)
    total.set(ylim=(0, 1.02), ylabel="together")
    title = f"{min(kept, len(ratios)):,} components have {np.sum(ratios[:kept]):.1%} of the variance"
    axis.set(xlabel="principal component", ylabel="share of the variance", title=title)
    total.spines[["top"]].set_visible(False)
    return as_png(figure)


def sizes(counts: Sequence[int]) -> bytes:
    """How many clusters have how many images."""
    figure, axis = _axis()
    values = np.array(counts)
    axis.hist(values, BINS, color=COLOUR, edgecolor="white")
    title = f"{len(values):,} clusters; half have more than {int(np.median(values)):,} images, {int((values == 0).sum()):,} none"
    axis.set(xlabel="images of a cluster", ylabel="clusters", title=title)
    return as_png(figure)


def _axis() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DOTS, layout="constrained")
    axis = figure.subplots()
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis
