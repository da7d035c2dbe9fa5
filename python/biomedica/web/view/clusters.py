"""Clusters as pages show them: sizes, images from the centre outwards, labels, and the words of captions."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biomedica.web.annotate.words import Word, common_words
from biomedica.web.view.index import Index

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Clusters", "Member", "Overview"]

DISTANCE = "image_cluster_distance"
SAMPLES = 24
WORDY = 200
"""Captions of a cluster whose words are counted."""
OTHERS = 1_000
"""Captions of the dataset that they are compared with."""
FACETS = ("panels", "concept", "local")


class Member(NamedTuple):
    """An image of a cluster."""

    row: int
    distance: float | None
    """To the centre; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A cluster in the list of all."""

    number: int
    size: int
    nearest: list[int]
    """Rows of figures."""


class Clusters:
    """The clusters of an index."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.words = lru_cache(256)(self._words)

    @cached_property
    def sizes(self) -> dict[int, int]:
        """Images of each cluster, by number."""
        counts = self._index.counts("cluster", self._index.mask)
        return dict(sorted((int(name), count) for name, count in counts if name.isdigit()))

    def listed(self, numbers: list[int], images: int = 4) -> list[Overview]:
        """These clusters with the images nearest to their centres."""
        return [Overview(number, self.sizes[number], self._rows(number)[:images].tolist()) for number in numbers]

    def samples(self, number: int) -> dict[str, list[Member]]:
        """Images nearest to the centre and farthest from it; none is in both."""
        rows = self._rows(number)
        near, rest = rows[:SAMPLES], rows[SAMPLES:]
        return {"Nearest": self._members(near), "Farthest": self._members(rest[::-1][:SAMPLES])}

    def labels(self, number: int) -> dict[str, list[str]]:
        """What its images are labelled, by facet; what most are comes first."""
        mask = np.zeros(self._index.size, np.bool_)
        mask[self._rows(number)] = True
        named = {name: [value for value, _ in self._index.counts(name, mask) if value != "none"] for name in FACETS}
        return {name: values for name, values in named.items() if values}

    def _words(self, number: int) -> list[Word]:
        """The words that its captions have more often than those of others."""
        rows = self._rows(number)
        random = np.random.default_rng(number)
        some = random.permutation(rows)[:WORDY]
        others = np.flatnonzero(self._index.mask & (self._codes != self._index.place("cluster", str(number))))
        captions = {number: self._captions(some)}
        sizes = {number: len(rows)}
        if len(others):
            captions[-1] = self._captions(random.choice(others, min(OTHERS, len(others)), replace=False))
            sizes[-1] = len(others)
        return common_words(captions, sizes)[number]

    def _captions(self, rows: "NDArray[Any]") -> list[str]:
        return [card["caption"] for card in self._index.cards(rows)]

    @property
    def _codes(self) -> "NDArray[Any]":
        return self._index.vectors["cluster"]

    @cached_property
    def _order(self) -> tuple["NDArray[np.int64]", "NDArray[Any]"]:
        """All figures by cluster, from the centre outwards, and where each cluster begins."""
        codes = self._codes
        distance = self._index.vectors.get(DISTANCE, np.zeros(len(codes), np.float32))
        order = np.lexsort((distance, codes))
        order = order[self._index.mask[order]]
        return order, codes[order]

    def _rows(self, number: int) -> "NDArray[np.int64]":
        order, codes = self._order
        code = self._index.place("cluster", str(number))
        first, end = np.searchsorted(codes, (code, code + 1))
        return order[first:end]

    def _members(self, rows: "NDArray[np.int64]") -> list[Member]:
        distances = self._index.vectors.get(DISTANCE)
        if distances is None:
            return [Member(row, None) for row in rows.tolist()]
        return [Member(row, float(distances[row])) for row in rows.tolist()]
