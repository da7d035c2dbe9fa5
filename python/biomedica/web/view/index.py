"""The index as pages ask it: figures by facets and words, a figure's page, failures.

Facets are arrays in memory, four bytes a figure each, so that all counts of a page are a few passes of numpy; texts stay
in SQLite and are read by the rows that a page shows.
"""

import hashlib
import json
import os
import queue
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from biomedica._sidecar import Part, fresh_files
from biomedica._storage import user_cache
from biomedica.dataset import Dataset
from biomedica.selections.ids import IdSet
from biomedica.web.view.build import ARTICLE, DETAILS, FORMAT, Progress, build
from biomedica.web.view.columns import BY_NAME, FACETS, Facet

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Found", "Index", "QueryError", "open_index"]

FOLDER = ".view"
CONNECTIONS = 4
PATIENCE = 10.0
"""Seconds that one question may take."""
MOST_MATCHES = 1_000_000
"""Captions that a search considers."""
KEPT = 16
"""Answers that stay in memory for the next page."""
MARK, UNMARK = "\x02", "\x03"
"""Around the words that a search found."""
ROWS = 65_536

Chosen = Mapping[str, str]
"""Value by facet."""


class QueryError(ValueError):
    """A search that cannot be understood, or takes too long."""


class Found(NamedTuple):
    """The figures that a question chooses."""

    rows: "NDArray[np.int64]"
    """Ascending."""
    counts: dict[str, list[tuple[str, int]]]
    """By facet: values and how many figures have them, were this facet not chosen by."""
    cut: bool
    """Whether a search matched more captions than are considered."""


def open_index(
    dataset: Dataset, *, clusters: str = "default", chosen: IdSet | None = None, progress: Progress | None = None
) -> "Index":
    """The index of a dataset as it is, made if it is not there or of another state.

    It lies in `.view/` of the dataset's directory; where that cannot be written, or the dataset is in a store, in the
    user's cache directory.

    Args:
        dataset: The dataset.
        clusters: The name of the clusters.
        chosen: Only these figures.
        progress: Called with the figures done and all of them while it is made.

    Raises:
        DatasetError: The tables cannot be read, or the index cannot be written.
    """
    path = _place(dataset) / f"{clusters}.sqlite"
    digest = _digest(dataset, clusters)
    if not _is_of(path, digest):
        build(dataset, path, digest, clusters, progress)
    return Index(path, chosen)


class Index:
    """An index file that is open for reading.

    Attributes:
        meta: What the file says of itself.
        size: Figures.
        vectors: Numbers of all figures, by name.
        facets: Those that the dataset has.
    """

    def __init__(self, path: Path, chosen: IdSet | None = None) -> None:
        # All at once: a file that takes its place later is another one.
        self._free: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for _ in range(CONNECTIONS):
            self._free.put(
                sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            )
        self.meta = {key: json.loads(value) for key, value in self.rows("SELECT key, value FROM meta")}
        self.size = int(self.meta["figures"])
        self.vectors: dict[str, NDArray[Any]] = {
            name: np.frombuffer(data, dtype) for name, dtype, data in self.rows("SELECT name, dtype, data FROM vector")
        }
        self._names: dict[str, list[str]] = {
            name: json.loads(names) for name, names in self.rows("SELECT name, names FROM facet")
        }
        self.facets: list[Facet] = [facet for facet in FACETS if facet.name in self._names]
        self._places = {name: {value: at for at, value in enumerate(names)} for name, names in self._names.items()}
        self.base: NDArray[np.bool_] | None = None if chosen is None else self._among(chosen)
        self._found = lru_cache(KEPT)(self._find)

    def close(self) -> None:
        """Close the file."""
        while not self._free.empty():
            self._free.get().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = self._free.get()
        end = time.monotonic() + PATIENCE
        connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)
        try:
            yield connection
        finally:
            self._free.put(connection)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """The rows that a statement gives."""
        with self._connection() as connection:
            return connection.execute(sql, values).fetchall()

    @property
    def mask(self) -> "NDArray[np.bool_]":
        """[figures]: whether a figure is shown at all."""
        return np.ones(self.size, np.bool_) if self.base is None else self.base

    def find(self, chosen: Chosen, words: str = "") -> Found:
        """The figures of these facets whose captions match a search of FTS5.

        Raises:
            QueryError: The search cannot be understood, or takes too long.
        """
        return self._found(tuple(sorted((name, chosen[name]) for name in chosen if name in self._names)), words)

    def _find(self, chosen: tuple[tuple[str, str], ...], words: str) -> Found:
        base, cut = self._matching(words)
        masks = {name: self._of(name, value) for name, value in chosen}
        counts = {facet.name: self._counts(facet, _all(base, masks, facet.name)) for facet in self.facets}
        return Found(np.flatnonzero(_all(base, masks)), counts, cut)

    def _matching(self, words: str) -> tuple["NDArray[np.bool_]", bool]:
        if not words:
            return self.mask, False
        try:
            found = self.rows("SELECT rowid FROM words WHERE words MATCH ? LIMIT ?", (words, MOST_MATCHES + 1))
        except sqlite3.Error as error:
            if "interrupted" in str(error):
                raise QueryError(f"the search took longer than {PATIENCE:.0f} seconds") from error
            raise QueryError(str(error).removeprefix("fts5: ")) from error
        mask = np.zeros(self.size, np.bool_)
        ids = np.fromiter((one for (one,) in found), np.int64, len(found))
        mask[ids[:MOST_MATCHES] - 1] = True
        return mask & self.mask, len(ids) > MOST_MATCHES

    def _of(self, name: str, value: str) -> "NDArray[np.bool_]":
        """Which figures have a value of a facet."""
        hit: NDArray[np.bool_] = self.vectors[name] == self.place(name, value)
        if not BY_NAME[name].many:
            return hit
        mask = np.zeros(self.size, np.bool_)
        mask[self.vectors[f"{name}.rows"][hit]] = True
        return mask

    def counts(self, name: str, mask: "NDArray[np.bool_]") -> list[tuple[str, int]]:
        """How many of these figures have each value of a facet; those that none has are left out."""
        return self._counts(BY_NAME[name], mask) if name in self._names else []

    def _counts(self, facet: Facet, mask: "NDArray[np.bool_]") -> list[tuple[str, int]]:
        names = self._names[facet.name]
        codes = self.vectors[facet.name]
        kept = mask[self.vectors[f"{facet.name}.rows"]] if facet.many else mask
        counted = np.bincount(codes[kept], minlength=len(names))
        there = np.flatnonzero(counted)
        pairs = [(names[at], int(counted[at])) for at in there.tolist()]
        if facet.ordered:
            return sorted(pairs, key=lambda pair: pair[0], reverse=True)
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def place(self, name: str, value: str) -> int:
        """The number that stands for a value of a facet in its vector; -1 where no figure has it."""
        return self._places.get(name, {}).get(value, -1)

    def values(self, name: str, row: int) -> list[str]:
        """A figure's values of a facet."""
        if name not in self._names:
            return []
        codes = self.vectors[name]
        if BY_NAME[name].many:
            # Pairs are in the order of the figures.
            first, end = np.searchsorted(self.vectors[f"{name}.rows"], (row, row + 1))
            return [self._names[name][code] for code in codes[first:end].tolist()]
        return [self._names[name][codes[row]]]

    def cards(self, rows: "Sequence[int] | NDArray[np.integer[Any]]", words: str = "") -> list[dict[str, Any]]:
        """What a gallery shows of figures: id, label, caption (with what was found in it marked), status."""
        ids = [int(row) + 1 for row in rows]
        marks = ",".join("?" * len(ids))
        found = self.rows(f"SELECT id, image_id, label, caption FROM figure WHERE id IN ({marks})", ids)  # noqa: S608
        marked = self._snippets(ids, words) if words and ids else {}
        by_id = {
            one: {"image_id": image, "label": label, "caption": marked.get(one, caption or ""), "row": one - 1}
            for one, image, label, caption in found
        }
        for card in by_id.values():
            card["status"] = self.values("status", card["row"])[0]
        return [by_id[one] for one in ids if one in by_id]

    def _snippets(self, ids: list[int], words: str) -> dict[int, str]:
        """The parts of captions that a search found, with what it found marked."""
        marks = ",".join("?" * len(ids))
        text = "snippet(words, 0, ?, ?, ' … ', 40)"
        if "*" not in words:
            sql = f"SELECT rowid, {text} FROM words WHERE words MATCH ? AND rowid IN ({marks})"  # noqa: S608
            return dict(self.rows(sql, (MARK, UNMARK, words, *ids)))
        # Each id would be a search of its own, and the rows of all words with a prefix are put together for each search.
        sql = (
            f"SELECT rowid, CASE WHEN rowid IN ({marks}) THEN {text} END FROM words"  # noqa: S608
            " WHERE words MATCH ? AND rowid BETWEEN ? AND ?"
        )
        found = self.rows(sql, (*ids, MARK, UNMARK, words, min(ids), max(ids)))
        return {one: snippet for one, snippet in found if snippet is not None}

    def figure(self, image_id: str) -> dict[str, Any] | None:
        """All that a figure's page shows of it; None when it is not there, or not chosen."""
        sql = "SELECT id, article, label, caption, details FROM figure WHERE image_id = ?"
        for one, article, label, caption, details in self.rows(sql, (image_id,)):
            row = one - 1
            if self.mask[row]:
                known = self.rows("SELECT details FROM article WHERE accession = ?", (article,))
                return {
                    "row": row, "image_id": image_id, "article": article, "label": label, "caption": caption,
                    "about": dict.fromkeys(ARTICLE) | (json.loads(known[0][0]) if known else {}), **dict.fromkeys(DETAILS),
                    **json.loads(details),
                }  # fmt: skip
        return None

    def of_article(self, row: int) -> "NDArray[np.int64]":
        """The figures of the article that a figure is of."""
        articles = self.vectors["article"]
        return np.flatnonzero((articles == articles[row]) & self.mask)

    def rows_of(self, image_ids: Sequence[str]) -> dict[str, int]:
        """The rows of figures by their ids; those that are not chosen are left out."""
        marks = ",".join("?" * len(image_ids))
        sql = f"SELECT image_id, id FROM figure WHERE image_id IN ({marks})"  # noqa: S608
        return {image: one - 1 for image, one in self.rows(sql, image_ids) if self.mask[one - 1]}

    def _among(self, chosen: IdSet) -> "NDArray[np.bool_]":
        mask = np.zeros(self.size, np.bool_)
        for first in range(0, self.size, ROWS):
            found = self.rows("SELECT image_id FROM figure WHERE id > ? AND id <= ? ORDER BY id", (first, first + ROWS))
            ids = pa.chunked_array([pa.array([image for (image,) in found], pa.string())])
            mask[first : first + len(found)] = chosen.of(ids)
        return mask


def _all(
    base: "NDArray[np.bool_]", masks: Mapping[str, "NDArray[np.bool_]"], but: str | None = None
) -> "NDArray[np.bool_]":
    for name, mask in masks.items():
        if name != but:
            base = base & mask
    return base


def _place(dataset: Dataset) -> Path:
    root = dataset.storage.root
    if isinstance(root, Path):
        own = root / FOLDER
        if os.access(own if own.exists() else root, os.W_OK):
            return own
    where = str(root.absolute()) if isinstance(root, Path) else root
    return user_cache("view") / hashlib.sha256(where.encode()).hexdigest()[:16]


def _digest(dataset: Dataset, clusters: str) -> str:
    """Of the dataset's tables and those beside them: of files here by size and time, of others by their footers."""
    storage = dataset.storage
    digest = hashlib.sha256(f"{FORMAT}\n".encode())
    digest.update(storage.read("dataset.json") or b"")
    digest.update(storage.read("enrichment.json") or b"")
    for table in ("figures", "failures"):
        digest.update("".join(sha256 for _, _, sha256 in dataset.parts_of(table)).encode())
    parts = [Part(*part) for part in dataset.parts_of("figures")]
    for name in ("labels", f"clusters/{clusters}", "duplicates"):
        for path in fresh_files(storage, name, parts).values():
            digest.update(f"{path}\n{_stamp(dataset, path)}\n".encode())
    return digest.hexdigest()


def _stamp(dataset: Dataset, path: str) -> str:
    location = dataset.storage.location(path)
    if isinstance(location, Path):
        about = location.stat()
        return f"{about.st_size} {about.st_mtime_ns}"
    (fragment,) = dataset.storage.table([path]).get_fragments()
    return json.dumps(fragment.metadata.to_dict(), sort_keys=True, default=str)


def _is_of(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            found = connection.execute("SELECT value FROM meta WHERE key = 'digest'").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        # Damaged: made again.
        return False
    return found is not None and json.loads(found[0]) == digest
