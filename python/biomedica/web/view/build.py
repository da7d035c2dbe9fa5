"""Writing the index that pages are answered from: one SQLite file, made by streaming the tables once.

figure    a row each: what its page shows     words     full-text search of the captions (FTS5)
article   by accession: title, authors …      failure   a row each
vector    numbers of all figures, in order    facet     the values that a vector's numbers stand for
meta      what the file is of
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica._storage import TEMPORARY, Directory, sync
from biomedica.dataset import Dataset
from biomedica.exceptions import DatasetError
from biomedica.selections.pairs import Pairs
from biomedica.web.view.columns import FACETS, Codes, Lists, codes_of
from biomedica.web.view.lengths import Lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ARTICLE", "DETAILS", "FORMAT", "Progress", "build"]

FORMAT = 1
Progress = Callable[[int, int], object]
SCHEMA = """
CREATE TABLE figure (id INTEGER PRIMARY KEY, image_id TEXT, article TEXT, label TEXT, caption TEXT, details TEXT);
CREATE VIRTUAL TABLE words USING fts5(caption, content='figure', content_rowid='id',
    tokenize="unicode61 remove_diacritics 2");
CREATE TABLE article (accession TEXT PRIMARY KEY, details TEXT) WITHOUT ROWID;
CREATE TABLE failure (id INTEGER PRIMARY KEY, source TEXT, article TEXT, member TEXT, stage TEXT, reason TEXT,
    detail TEXT);
CREATE TABLE vector (name TEXT PRIMARY KEY, dtype TEXT, data BLOB);
CREATE TABLE facet (name TEXT PRIMARY KEY, names TEXT);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
"""
INDEXES = """
INSERT INTO words(words) VALUES('rebuild');
CREATE INDEX figure_image ON figure(image_id);
CREATE INDEX figure_article ON figure(article);
CREATE INDEX failure_reason ON failure(reason, stage);
CREATE INDEX failure_stage ON failure(stage);
"""
# Only this file's making is at stake: it gets its name when it is whole.
FAST = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 8192; PRAGMA cache_size = -200000;"
DETAILS = [
    "image_panels",
    "image_context",
    "image_context_panels",
    "image_file_name",
    "image_num_bytes",
    "group_caption",
]
SHOWN = ["image_label", "caption", "image_size", *DETAILS]
ARTICLE = [
    "article_title", "article_journal", "article_date", "article_authors", "article_doi", "article_pmid",
    "article_license", "article_license_url", "article_citation", "is_retracted",
]  # fmt: skip
FAILURE = ["source", "article_accession_id", "member", "stage", "reason", "detail"]
ROWS = 4_096


def build(dataset: Dataset, path: Path, digest: str, clusters: str, progress: Progress | None = None) -> None:
    """Write the index, whole or not at all.

    Args:
        dataset: What it is of.
        path: The file, in the place of one that may be there.
        digest: What tells whether it is still of the dataset as it is.
        clusters: The name of the clusters.
        progress: Called with the figures done and all of them.

    Raises:
        DatasetError: A table cannot be read, or the file cannot be written, or another process writes it right now.
    """
    try:
        with Directory(path.parent).lock("."):
            temporary = path.with_name(TEMPORARY + path.name)
            with closing(sqlite3.connect(temporary, isolation_level=None)) as file:
                file.executescript(FAST + SCHEMA)
                file.execute("BEGIN")
                _Writer(file, dataset, clusters).write(digest, progress)
                file.execute("COMMIT")
            sync(temporary)
            temporary.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise DatasetError(f"{path}: the index for pages cannot be written: {error}") from error


class _Writer:
    def __init__(self, file: sqlite3.Connection, dataset: Dataset, clusters: str) -> None:
        self._file = file
        self._dataset = dataset
        self._clusters = clusters
        self._pairs = Pairs(dataset, clusters, every_figure=True)
        there = self._pairs.schema
        self._facets = {facet: Lists() if facet.many else Codes() for facet in FACETS if facet.column in there}
        self._lengths = Lengths()
        self._articles = Codes()
        self._numbers: dict[str, list[NDArray[Any]]] = {}
        self._next = 1

    def write(self, digest: str, progress: Progress | None) -> None:
        wanted = [*SHOWN, *(facet.column for facet in self._facets), "status"]
        beside = {"image_cluster_distance": np.nan, "image_duplicate_group": -1, "image_duplicate_distance": -1}
        wanted += [name for name in beside if name in self._pairs.schema]
        total = int(self._dataset.stats()["figures"])
        for table in self._pairs.tables(wanted):
            self._figures(table)
            for name, none in beside.items():
                if name in table.column_names:
                    self._number(name, pc.fill_null(table[name].cast(pa.float64()), none).to_numpy())
            if progress is not None:
                progress(self._next - 1, max(total, self._next - 1))
        for statement in INDEXES.strip().split("\n"):
            self._file.execute(statement)
        self._file.executemany("INSERT OR IGNORE INTO article VALUES (?, ?)", self._article_rows())
        failures = _rows(self._dataset.failures().to_batches(columns=FAILURE, batch_size=ROWS))
        values = (tuple(row[name] for name in FAILURE) for row in failures)
        self._file.executemany("INSERT INTO failure VALUES (NULL, ?, ?, ?, ?, ?, ?)", values)
        self._vectors()
        meta = {
            "format": FORMAT, "digest": digest, "figures": self._next - 1, "clusters": self._clusters,
            "unit": self._lengths.unit, "absent": self._pairs.absent, "counts": self._dataset.stats(),
        }  # fmt: skip
        rows = [(key, json.dumps(value)) for key, value in meta.items()]
        self._file.executemany("INSERT INTO meta VALUES (?, ?)", rows)

    def _figures(self, table: pa.Table) -> None:
        for facet, codes in self._facets.items():
            codes.add(codes_of(facet, table))
        self._articles.add(table["article_accession_id"].combine_chunks())
        sizes = np.array([size or (0, 0) for size in table["image_size"].to_pylist()], np.int32).reshape(-1, 2)
        self._number("part", table["part"].to_numpy())
        self._number("width", sizes[:, 0])
        self._number("height", sizes[:, 1])
        rows = []
        for row in _rows(table.to_batches(max_chunksize=ROWS)):
            details = json.dumps({name: row[name] for name in DETAILS if row[name]}, ensure_ascii=False)
            article = row["article_accession_id"]
            rows.append((self._next, row["image_id"], article, row["image_label"], row["caption"], details))
            self._next += 1
        self._file.executemany("INSERT INTO figure VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._number("caption_length", self._lengths.of([row[4] or "" for row in rows]))
        mentions = [" ".join(texts or []) for texts in table["image_context"].to_pylist()]
        self._number("mention_length", self._lengths.of(mentions))

    def _number(self, name: str, values: "NDArray[Any]") -> None:
        self._numbers.setdefault(name, []).append(values)

    def _article_rows(self) -> Iterator[tuple[str, str]]:
        batches = self._dataset.articles().to_batches(columns=["article_accession_id", *ARTICLE], batch_size=ROWS)
        for row in _rows(batches):
            details = {name: row[name] for name in ARTICLE if row[name]}
            yield row["article_accession_id"], json.dumps(details, ensure_ascii=False)

    def _vectors(self) -> None:
        vectors = {name: np.concatenate(pieces) for name, pieces in self._numbers.items()}
        for name in ("part", "width", "height", "caption_length", "mention_length"):
            vectors[name] = vectors.get(name, np.empty(0)).astype(np.int32)
        if "image_duplicate_group" in vectors:
            vectors["image_duplicate_group"] = vectors["image_duplicate_group"].astype(np.int64)
        for name in ("image_cluster_distance", "image_duplicate_distance"):
            if name in vectors:
                vectors[name] = vectors[name].astype(np.float32)
        vectors["article"] = self._articles.array()
        for facet, found in self._facets.items():
            codes = found.codes if isinstance(found, Lists) else found
            vectors[facet.name] = codes.array()
            if isinstance(found, Lists):
                vectors[f"{facet.name}.rows"] = found.row_array()
            self._file.execute("INSERT INTO facet VALUES (?, ?)", (facet.name, json.dumps(list(codes.numbers))))
        for name, values in vectors.items():
            self._file.execute("INSERT INTO vector VALUES (?, ?, ?)", (name, values.dtype.str, values.tobytes()))


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()
