"""The numbers of the overview, all from the index: what a dataset, or a selection of it, is made of."""

from dataclasses import dataclass

import numpy as np

from biomedica.web.view.charts import Bars, Histogram, bars, columns, histogram
from biomedica.web.view.index import Index

__all__ = ["Summary", "summarise"]

MISSING = ("image_primary_label", "image_cluster_id", "image_duplicate_group")
"""Columns that are told of when they are not there; those of the same tables go with them."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the overview shows."""

    numbers: list[tuple[str, int]]
    charts: list[Bars]
    histograms: list[Histogram]
    failures: Bars
    absent: list[str]
    """What is not there, each with the command that makes it."""


def summarise(index: Index) -> Summary:
    """Count the figures that the index shows."""
    mask = index.mask
    pairs = mask & (index.vectors["status"] == index.place("status", "ok"))
    counts = index.meta["counts"]
    articles = len(np.unique(index.vectors["article"][mask]))
    numbers = [
        ("pairs", int(np.count_nonzero(pairs))),
        ("figures", int(np.count_nonzero(mask))),
        ("articles with figures", articles),
        ("articles", counts["articles"]),
        ("packages", counts["packages"]),
        ("failures", counts["failures"]),
    ]
    if index.base is not None:
        numbers = numbers[:3]
    unit = index.meta["unit"]
    charts = [
        bars(facet.title, index.counts(facet.name, mask), facet.name)
        for facet in index.facets
        if not facet.ordered and facet.name != "cluster"
    ]
    sizes = np.maximum(index.vectors["width"], index.vectors["height"])[pairs]
    mentions = index.vectors["mention_length"]
    histograms = [
        columns("Year", index.counts("year", mask)),
        histogram("Longer side of images, pixels", sizes, "pixels"),
        histogram(f"Captions, {_unit(unit)}", index.vectors["caption_length"][pairs], unit),
        histogram(f"Mentions of a figure in the text, {_unit(unit)}", mentions[pairs & (mentions > 0)], unit),
    ]
    reasons = index.rows("SELECT reason, COUNT(*) FROM failure GROUP BY reason ORDER BY 2 DESC, 1")
    absent = [index.meta["absent"][name] for name in MISSING if name in index.meta["absent"]]
    return Summary(numbers, charts, histograms, bars("Failures by reason", reasons, longest=40), absent)


def _unit(unit: str) -> str:
    return "tokens of CLIP" if unit == "tokens" else unit
