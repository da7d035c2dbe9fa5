"""What the pages know of every figure as numbers: the facets that the gallery chooses by, and lengths."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BY_NAME", "FACETS", "Codes", "Facet", "Lists", "codes_of"]


@dataclass(frozen=True, slots=True)
class Facet:
    """One question that figures are chosen by."""

    name: str
    """In addresses."""
    title: str
    column: str
    """Of the tables."""
    many: bool = False
    """Whether a figure has several values."""
    ordered: bool = False
    """Shown by value rather than by how often it occurs."""


FACETS = (
    Facet("status", "Status", "status"),
    Facet("concept", "Concept", "image_primary_label", many=True),
    Facet("local", "Local concept", "image_secondary_label", many=True),
    Facet("panels", "Panels", "image_panel_type"),
    Facet("license", "Licence", "article_license"),
    Facet("subset", "Subset", "subset"),
    Facet("year", "Year", "article_date", ordered=True),
    Facet("journal", "Journal", "article_journal"),
    Facet("kind", "Kind", "image_kind"),
    Facet("format", "Format", "image_format"),
    Facet("cluster", "Cluster", "image_cluster_id"),
)
BY_NAME = {facet.name: facet for facet in FACETS}
NONE = "none"
"""How a value that is not there is called."""


@dataclass(slots=True)
class Codes:
    """Of each figure one value, as its place in the list of all values."""

    numbers: dict[str, int] = field(default_factory=dict)
    pieces: list["NDArray[np.int32]"] = field(default_factory=list)

    def add(self, column: pa.Array) -> None:
        """Take the values of more figures."""
        encoded = pc.fill_null(column.cast(pa.string()), NONE).dictionary_encode()
        self.pieces.append(self.of(encoded.dictionary.to_pylist())[encoded.indices.to_numpy()])

    def of(self, names: Iterable[str]) -> "NDArray[np.int32]":
        """The numbers of values, new ones among them."""
        return np.array([self.numbers.setdefault(name, len(self.numbers)) for name in names], np.int32)

    def array(self) -> "NDArray[np.int32]":
        """The place of each figure's value."""
        return np.concatenate([np.empty(0, np.int32), *self.pieces])


@dataclass(slots=True)
class Lists:
    """Of each figure any number of values: pairs of figure and value, by figure."""

    codes: Codes = field(default_factory=Codes)
    rows: list["NDArray[np.int32]"] = field(default_factory=list)
    seen: int = 0

    def add(self, column: pa.Array) -> None:
        """Take the values of more figures."""
        self.rows.append(pc.list_parent_indices(column).to_numpy().astype(np.int32) + self.seen)
        self.codes.add(pc.list_flatten(column))
        self.seen += len(column)

    def row_array(self) -> "NDArray[np.int32]":
        """The figure of each pair."""
        return np.concatenate([np.empty(0, np.int32), *self.rows])


def codes_of(facet: Facet, table: pa.Table) -> pa.Array:
    """The column of a facet as it is shown: of dates the year."""
    values: Any = table[facet.column].combine_chunks()
    if facet.name == "year":
        year = pc.utf8_slice_codeunits(values, 0, 4)
        return pc.if_else(pc.match_substring_regex(year, r"^\d{4}$"), year, pa.scalar(None, pa.string()))
    return values
