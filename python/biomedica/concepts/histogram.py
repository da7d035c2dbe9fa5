"""The picture of disagreement: at each level, the share of clusters by the share of experts who dissent."""

from collections.abc import Mapping

import numpy as np

from biomedica.concepts.experts import Agreement
from biomedica.concepts.pictures import COLOUR, as_png
from biomedica.concepts.votes import TITLES

__all__ = ["histogram"]

BINS = 10
ROUNDING = 1e-6
INCHES, DOTS = (9.0, 6.0), 120


def histogram(agreement: Mapping[str, Agreement]) -> bytes:
    """A PNG with one histogram a level, all of one scale; the same bytes for the same figures."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=INCHES, dpi=DOTS, layout=ConstrainedLayoutEngine(wspace=0.06))
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    edges = np.linspace(0, 1, BINS + 1)
    for axis, (level, found) in zip(axes.flat, agreement.items(), strict=True):
        dissent, counts = (np.array(list(values), np.float64) for values in (found.dissent, found.dissent.values()))
        if found.clusters:
            # A share on an edge belongs to the bin above it, whatever the rounding of either.
            axis.hist(
                np.minimum(dissent + ROUNDING, 1),
                edges,
                weights=counts / found.clusters,
                color=COLOUR,
                edgecolor="white",
            )
        alpha = "" if found.alpha.value is None else f", α = {found.alpha.value:.2f}"
        axis.set_title(f"{TITLES[level].capitalize()}\n{found.clusters:,} clusters{alpha}", fontsize=10)
        axis.set(xlim=(0, 1), ylim=(0, 1))
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.grid(axis="y", alpha=0.3)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("experts who say something else than most", fontsize=10)
    figure.supylabel("clusters", fontsize=10)
    return as_png(figure)
