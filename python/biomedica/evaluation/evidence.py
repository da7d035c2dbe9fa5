"""Evidence that a pair of a dataset shows what a test image shows: the same bytes, looks, features or article."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica import _core
from biomedica._hashes import PANELS, hashes_of
from biomedica.concepts.vectors import Vectors
from biomedica.dataset import Dataset
from biomedica.evaluation.targets import Lookup, Panels, Targets, unit
from biomedica.exceptions import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EVIDENCE", "PAIRS", "Count", "Evidence", "Finder", "Findings", "Hits"]

Evidence: TypeAlias = Literal["exact", "near", "panel", "features", "provenance"]
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
"""The surest first; their order is that of the bits in which they are kept."""

PAIRS = pa.schema(
    {
        "image_id": pa.string(), "task": pa.string(), "key": pa.string(), "evidence": pa.string(),
        "distance": pa.uint8(), "similarity": pa.float32(), "named": pa.string(),
        "target": pa.int64(),
    }
)  # fmt: skip
"""Columns of the table of pairs; the last is the number of the test image, which is of use here only."""
MOST = 16
"""Pairs of an image and an evidence that are listed: the nearest."""
SEARCHED, MULTIPLIED = 16_384, 2048
"""Targets whose hashes are searched together, and whose features are multiplied, lest the pairs fill the memory."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What one evidence says of a table's rows."""

    evidence: Evidence
    rows: "NDArray[np.int64]"
    """Of each pair that is listed, the row."""
    targets: "NDArray[np.int64]"
    """Of each pair that is listed, the test image."""
    leaked: "NDArray[np.int64]"
    """Test images of all pairs."""
    pairs: int
    """All pairs."""
    distance: "NDArray[np.uint8] | None" = None
    similarity: "NDArray[np.float32] | None" = None
    named: str | None = None
    """What the test image names: `figure` or `article`."""


@dataclass(slots=True)
class Count:
    """What an evidence found."""

    pairs: int = 0
    """Pairs of an image of the dataset and one of a task."""
    images: int = 0
    """Different images of the dataset."""
    items: int = 0
    """Different images of tasks."""


class Finder:
    """Looks for the targets in tables of a dataset's pairs.

    Args:
        targets: The test images.
        evidence: What is looked for.
        threshold: Bits in which hashes may differ, of whole images and of panels.
        similarity: The least cosine of features.
        vectors: The dataset's features, if these are looked at.
        threads: Threads that search.
    """

    def __init__(
        self,
        dataset: Dataset,
        targets: Targets,
        evidence: frozenset[Evidence],
        *,
        threshold: int,
        similarity: float,
        vectors: Vectors | None,
        threads: int | None,
    ) -> None:
        self._storage = dataset.storage
        self._targets = targets
        self._evidence = evidence
        self._threshold = threshold
        self._similarity = similarity
        self._vectors = vectors
        self._parts = {int(part.name): part for part in vectors.parts} if vectors else {}
        self._panels_of = hashes_of(dataset, PANELS)
        self._threads = threads

    @property
    def columns(self) -> list[str]:
        """The columns that tables must have."""
        wanted = {
            "exact": "image_hash", "near": "image_phash", "panel": "image_phash", "provenance": "article_doi",
        }  # fmt: skip
        return list(dict.fromkeys(column for evidence, column in wanted.items() if evidence in self._evidence))

    def find(self, table: pa.Table) -> Iterator[Hits]:
        """All evidence in a table of pairs."""
        if "exact" in self._evidence:
            yield _looked_up("exact", table["image_hash"], self._targets.images)
        if "near" in self._evidence:
            yield from self._near(table)
        if "panel" in self._evidence:
            for number in pc.unique(table["part"]).to_pylist():
                yield from self._panels(table, number)
        if self._vectors is not None:
            yield from self._alike(table, self._vectors)
        if "provenance" in self._evidence:
            for column, named in (
                ("image_id", "figure"),
                ("article_accession_id", "article"),
                ("article_doi", "article"),
            ):
                texts = pc.utf8_lower(table[column]) if column == "article_doi" else table[column]
                yield _looked_up("provenance", texts, self._targets.articles, named)

    def _near(self, table: pa.Table) -> Iterator[Hits]:
        hashes = table["image_phash"].fill_null(0).to_numpy().astype(np.uint64)
        for start in range(0, len(self._targets), SEARCHED):
            targets, rows, distance = self._found(self._targets.hashes[start : start + SEARCHED], hashes)
            yield _by_bits("near", rows, targets + start, distance)

    def _panels(self, table: pa.Table, part: int) -> Iterator[Hits]:
        """Panels of the images of a part against whole test images, with and without margins, and the other way round.

        Pairs that are near as a whole are none of these.
        """
        at = np.flatnonzero(pc.equal(table["part"], part).to_numpy())
        beside, ids = self._panels_of(part), table["image_id"].take(pa.array(at)).combine_chunks()
        places = pc.index_in(ids, beside["image_id"].combine_chunks())
        panels = Panels.of(beside["image_panel_phash"].take(places).combine_chunks())
        whole = table["image_phash"].take(pa.array(at)).fill_null(0).to_numpy().astype(np.uint64)
        known = self._targets
        for start in range(0, len(known), SEARCHED):
            stop = start + SEARCHED
            some, own = known.panels.slice(start, stop), known.hashes[start:stop]
            query, number, distance = self._found(np.concatenate([own, some.fronts]), panels.hashes)
            back, row, far = self._found(some.hashes, np.concatenate([whole, panels.fronts]))
            rows = np.concatenate([panels.owners[number], row % len(at)])
            targets = np.concatenate([query % len(own), some.owners[back]])
            same, copy, _ = self._found(own, whole)
            is_new = ~np.isin(rows * len(own) + targets, copy * len(own) + same)
            distances = np.concatenate([distance, far])
            yield _by_bits("panel", *_once(at[rows[is_new]], targets[is_new] + start, distances[is_new]))

    def _found(
        self, queries: "NDArray[np.uint64]", hashes: "NDArray[np.uint64]"
    ) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]":
        found = _core.find_hashes(queries, hashes, self._threshold, threads=self._threads)
        query, number = (found.column(name).to_numpy().astype(np.int64) for name in ("query", "number"))
        return query, number, found.column("distance").to_numpy()

    def _alike(self, table: pa.Table, vectors: Vectors) -> Iterator[Hits]:
        """Cosines of all features with those of all targets, a part and a slice at a time."""
        known = self._targets.vectors
        assert known is not None  # noqa: S101 - made with the vectors
        for number in pc.unique(table["part"]).to_pylist():
            part = self._parts[number]
            ids = self._storage.table([part.path]).to_table(columns=["image_id"])["image_id"]
            places = pc.index_in(ids, table["image_id"].combine_chunks()).fill_null(-1).to_numpy()
            start = 0
            for is_there, rows in vectors.batches(part):
                at = places[start : start + len(is_there)][is_there]
                start += len(is_there)
                if rows.shape[1] != known.shape[1]:
                    raise DatasetError(f"{part.path}: features of another length than those of the test images")
                values, at = unit(rows[at >= 0]), at[at >= 0]
                for first in range(0, len(known), MULTIPLIED):
                    cosines = values @ known[first : first + MULTIPLIED].T
                    near, targets = np.nonzero(cosines >= self._similarity)
                    similarity, found = cosines[near, targets], at[near]
                    targets = targets + first
                    kept = _nearest(found, -similarity)
                    yield Hits(
                        "features", found[kept], targets[kept], np.unique(targets), len(near), similarity=similarity[kept]
                    )  # fmt: skip


def _by_bits(
    evidence: Evidence, rows: "NDArray[np.int64]", targets: "NDArray[np.int64]", distance: "NDArray[np.uint8]"
) -> Hits:
    kept = _nearest(rows, distance)
    return Hits(evidence, rows[kept], targets[kept], np.unique(targets), len(rows), distance=distance[kept])


def _once(
    rows: "NDArray[np.int64]", targets: "NDArray[np.int64]", distance: "NDArray[np.uint8]"
) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]":
    """Each pair once, with its least distance."""
    order = np.lexsort((distance, targets, rows))
    pairs = np.stack([rows, targets], 1)[order]
    first = np.ones(len(order), bool)
    first[1:] = (pairs[1:] != pairs[:-1]).any(1)
    chosen = order[first]
    return rows[chosen], targets[chosen], distance[chosen]


def _looked_up(evidence: Evidence, column: pa.ChunkedArray, lookup: Lookup, named: str | None = None) -> Hits:
    rows, targets, pairs, leaked = lookup.find(column, MOST)
    return Hits(evidence, rows, targets, leaked, pairs, named=named)


def _nearest(rows: "NDArray[np.int64]", far: "NDArray[Any]") -> "NDArray[np.int64]":
    """Of the pairs of each row the nearest ones."""
    order = np.lexsort((far, rows))
    ordered = rows[order]
    starts = np.searchsorted(ordered, ordered, "left")
    kept: NDArray[np.int64] = order[np.arange(len(order)) - starts < MOST]
    return kept


@dataclass(slots=True)
class Findings:
    """What was found, table after table."""

    targets: Targets
    counts: dict[Evidence, Count]
    blocked: list[pa.Table] = field(default_factory=list)
    """`image_id` and `evidence`, a list, of the images that are to be left out."""
    pairs: list[pa.Table] = field(default_factory=list)
    """Of the form `PAIRS`."""
    _of_targets: "dict[Evidence, NDArray[np.bool_]]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._of_targets = {evidence: np.zeros(len(self.targets), bool) for evidence in self.counts}

    def add(self, table: pa.Table, found: Iterator[Hits]) -> None:
        """Take in what was found in a table."""
        marks = {evidence: np.zeros(len(table), bool) for evidence in self.counts}
        for hits in found:
            marks[hits.evidence][hits.rows] = True
            self._of_targets[hits.evidence][hits.leaked] = True
            self.counts[hits.evidence].pairs += hits.pairs
            if len(hits.rows):
                self.pairs.append(self._listed(table, hits))
        for evidence, count in self.counts.items():
            count.images += int(marks[evidence].sum())
            count.items = int(self._of_targets[evidence].sum())
        rows = np.flatnonzero(np.logical_or.reduce(list(marks.values())))
        columns = {"image_id": table["image_id"].take(pa.array(rows)), "evidence": _named(marks, rows)}
        self.blocked.append(pa.table(columns))

    def leaked(self) -> pa.Table:
        """`task`, `key` and `evidence` of the test images that are in the dataset, by task."""
        targets = np.flatnonzero(np.logical_or.reduce(list(self._of_targets.values())))
        return pa.table({**self._names(targets), "evidence": _named(self._of_targets, targets)})

    def _names(self, targets: "NDArray[np.int64]") -> dict[str, pa.Array]:
        names = [self.targets.tasks[task].name for task in self.targets.task_of(targets).tolist()]
        keys = [self.targets.keys[target] for target in targets.tolist()]
        return {"task": pa.array(names, pa.string()), "key": pa.array(keys, pa.string())}

    def _listed(self, table: pa.Table, hits: Hits) -> pa.Table:
        count = len(hits.rows)
        nothing = pa.nulls(count)
        columns = {
            "image_id": table["image_id"].take(pa.array(hits.rows)),
            **self._names(hits.targets),
            "evidence": pa.array([hits.evidence] * count),
            "distance": nothing if hits.distance is None else pa.array(hits.distance),
            "similarity": nothing if hits.similarity is None else pa.array(hits.similarity),
            "named": pa.array([hits.named] * count, pa.string()),
            "target": pa.array(hits.targets),
        }
        return pa.table(columns).cast(PAIRS)


def _named(marks: "dict[Evidence, NDArray[np.bool_]]", rows: "NDArray[np.int64]") -> pa.Array:
    """The evidence of each row, as lists of words."""
    words = [evidence for evidence in EVIDENCE if evidence in marks]
    chosen = np.stack([marks[evidence][rows] for evidence in words], axis=1)
    offsets = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int32)
    codes = pa.array(np.nonzero(chosen)[1].astype(np.int32))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(words, pa.string()).take(codes))
