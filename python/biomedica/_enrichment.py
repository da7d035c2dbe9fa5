"""What PubMed says of a dataset's articles, on disk beside it: one file a batch, and articles tables it is joined to.

    enrichment/results/000000.parquet    one row a PMID that was asked for; a batch appears whole or not at all
    enrichment/articles/000000.parquet   the articles table of that part with its columns filled
    enrichment/enrichment.json           written last: which parts are joined, and to which bytes

A joined table holds until its part is made again: then the core removes `enrichment.json`.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from biomedica._storage import Directory, Storage
from biomedica.exceptions import DatasetError

__all__ = ["STATUSES", "Joined", "Results", "as_pmids", "forget", "joined_tables", "lock", "result_files"]

FOLDER = "enrichment"
RECORD = "enrichment.json"
FORMAT = 1
STATUSES = ("found", "deleted", "missing", "failed")
TEMPORARY = ".tmp-"
ROWS = 1024
"""Articles of a joined table at a time: their texts are large."""


class Results:
    """The rows of all batches, one a PMID."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER / "results"
        self.folder.mkdir(parents=True, exist_ok=True)
        _sweep(self.folder)
        self.counts = dict.fromkeys(STATUSES, 0)
        numbers, pmids = [], []
        for path in result_files(root):
            table = _read(path, ["article_pmid", "status"])
            self._count(table)
            pmids.append(as_pmids(table["article_pmid"])[0])
            numbers.append(np.full(table.num_rows, int(path.stem), np.int32))
        self._next = int(numbers[-1][0]) + 1 if numbers else 0
        self._pmids = np.concatenate([np.empty(0, np.int64), *pmids])
        self._files = np.concatenate([np.empty(0, np.int32), *numbers])
        self._sort()

    @property
    def pmids(self) -> NDArray[np.int64]:
        """Every PMID that has a row, sorted."""
        return self._pmids

    def store(self, table: pa.Table) -> None:
        """Keep the rows of a batch: on the disk when this returns."""
        _write(self.folder / f"{self._next:06}.parquet", table)
        self._count(table)
        added = as_pmids(table["article_pmid"])[0]
        self._pmids = np.concatenate([self._pmids, added])
        self._files = np.concatenate([self._files, np.full(len(added), self._next, np.int32)])
        self._next += 1

    def settle(self) -> None:
        """Make the rows stored since the beginning known to `rows`."""
        self._sort()

    def rows(self, pmids: NDArray[np.int64]) -> pa.Table | None:
        """The rows of those PMIDs that have one."""
        at = np.searchsorted(self._pmids, pmids)
        at = at[at < len(self._pmids)]
        numbers = np.unique(self._files[at[np.isin(self._pmids[at], pmids)]])
        tables = []
        for number in numbers:
            table = _read(self.folder / f"{number:06}.parquet")
            tables.append(table.filter(pa.array(np.isin(as_pmids(table["article_pmid"])[0], pmids))))
        return pa.concat_tables(tables) if tables else None

    def _count(self, table: pa.Table) -> None:
        for value in pc.value_counts(table["status"]).to_pylist():
            self.counts[value["values"]] = self.counts.get(value["values"], 0) + value["counts"]

    def _sort(self) -> None:
        order = np.argsort(self._pmids, kind="stable")
        self._pmids, self._files = self._pmids[order], self._files[order]


def forget(root: Path, statuses: Sequence[str]) -> None:
    """Take the rows of these statuses out, so that their PMIDs are asked for again."""
    for path in result_files(root):
        table = _read(path)
        kept = table.filter(pc.invert(pc.is_in(table["status"], pa.array(statuses))))
        if kept.num_rows == 0:
            path.unlink()
        elif kept.num_rows < table.num_rows:
            _write(path, kept)


def result_files(root: Path) -> list[Path]:
    """The files of all batches, in the order of their numbers."""
    return sorted((root / FOLDER / "results").glob("[0-9]*.parquet"), key=lambda path: int(path.stem))


def joined_tables(files: Storage) -> dict[str, str]:
    """The joined table of each part that has one, relative to the dataset, by the part's name."""
    return {entry["part"]: f"{FOLDER}/articles/{entry['part']}.parquet" for entry in _record(files)}


class Joined:
    """The articles tables that are joined to what PubMed says."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._parts = {entry["part"]: entry for entry in _record(Directory(root))}

    def join(self, part: str, articles: Path, sha256: str, results: Results) -> None:
        """Write the joined table of a part unless it is there, made of the same articles and the same rows."""
        pmids = as_pmids(pq.read_table(articles, columns=["article_pmid"])["article_pmid"])[0]
        rows = results.rows(np.unique(pmids))
        entry = {"part": part, "articles": sha256, "results": _digest(rows)}
        if rows is None:
            self._parts.pop(part, None)
        elif self._parts.get(part) != entry or not self._path(part).is_file():
            self._path(part).parent.mkdir(exist_ok=True)
            with _whole(self._path(part)) as temporary:
                _fill(articles, rows, temporary)
            self._parts[part] = entry

    def publish(self, parts: Sequence[str]) -> None:
        """Say that these parts' tables are joined, then remove what is of no part any more."""
        entries = [self._parts[part] for part in parts if part in self._parts]
        with _whole(self._root / FOLDER / RECORD) as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, "parts": entries}, indent=2) + "\n", "utf-8")
        live = {entry["part"] for entry in entries}
        for path in (self._root / FOLDER / "articles").glob("*"):
            if path.stem not in live:
                path.unlink()

    def _path(self, part: str) -> Path:
        return self._root / FOLDER / "articles" / f"{part}.parquet"


@contextlib.contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold the folder against a second `enrich`."""
    (root / FOLDER).mkdir(exist_ok=True)
    with (root / FOLDER / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            error = DatasetError(f"{root}: another process is enriching this dataset; wait for it to end")
            error.reason = "locked"
            raise error from None
        yield


def as_pmids(texts: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The PMIDs among these texts, and which texts they are: decimal numbers of at most ten digits."""
    are = pc.fill_null(pc.match_substring_regex(texts, r"\A[0-9]{1,10}\z"), fill_value=False)
    numbers = pc.cast(texts.filter(are), pa.int64())
    return np.asarray(numbers), np.asarray(are)


def _fill(articles: Path, rows: pa.Table, output: Path) -> None:
    """Write the articles with MeSH terms, and with abstracts and references where they have none."""
    known = as_pmids(rows["article_pmid"])[0]
    order = np.argsort(known)
    known, rows = known[order], rows.take(order)
    with pq.ParquetFile(articles) as source:
        schema = source.schema_arrow
        with pq.ParquetWriter(output, schema, compression="zstd") as writer:
            for batch in source.iter_batches(ROWS):
                writer.write_table(_filled(pa.Table.from_batches([batch], schema), known, rows))


def _filled(articles: pa.Table, known: NDArray[np.int64], rows: pa.Table) -> pa.Table:
    pmids, are = as_pmids(articles["article_pmid"])
    at = np.full(articles.num_rows, -1, np.int64)
    at[are] = np.searchsorted(known, pmids)
    is_known = at >= 0
    is_known[is_known] = (at[is_known] < len(known)) & (known[np.minimum(at[is_known], len(known) - 1)] == pmids)
    found = rows.take(pa.array(at, mask=~is_known))
    is_found = pc.fill_null(pc.equal(found["status"], "found"), fill_value=False)
    found_references = found["article_reference_list"]
    has_none = pc.equal(pc.fill_null(pc.list_value_length(articles["article_reference_list"]), 0), 0)
    takes = pc.and_(pc.and_(has_none, is_found), pc.greater(pc.fill_null(pc.list_value_length(found_references), 0), 0))
    cells = {
        "article_mesh_terms": pc.if_else(is_found, found["article_mesh_terms"], articles["article_mesh_terms"]),
        "article_abstract": pc.coalesce(articles["article_abstract"], found["article_abstract"]),
        "article_reference_list": pc.if_else(takes, found_references, articles["article_reference_list"]),
        "article_reference_count": pc.if_else(
            takes, pc.list_value_length(found_references), articles["article_reference_count"]
        ),
        "article_reference_ids": pc.if_else(takes, _reference_ids(found_references), articles["article_reference_ids"]),
    }
    for name, values in cells.items():
        field = articles.schema.field(name)
        articles = articles.set_column(articles.schema.get_field_index(name), field, values.cast(field.type))
    return articles


def _reference_ids(references: pa.ChunkedArray) -> pa.ChunkedArray:
    """The PMIDs of each article's references, each once."""
    ids = [
        None if row is None else list(dict.fromkeys(reference["pmid"] for reference in row if reference["pmid"]))
        for row in references.to_pylist()
    ]
    return pa.chunked_array([pa.array(ids, pa.list_(pa.string()))])


def _digest(rows: pa.Table | None) -> str | None:
    """What tells one set of rows from another: who has a row, and of what status."""
    if rows is None:
        return None
    pairs = zip(rows["article_pmid"].to_pylist(), rows["status"].to_pylist(), strict=True)
    lines = sorted(f"{pmid} {status}" for pmid, status in pairs)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _record(files: Storage) -> list[dict[str, Any]]:
    path = files.location(f"{FOLDER}/{RECORD}")
    try:
        text = files.read(f"{FOLDER}/{RECORD}")
        record = None if text is None else json.loads(text)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}; remove it and enrich again") from error
    if text is None:
        return []
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DatasetError(f"{path}: not of format {FORMAT}; remove it and enrich again")
    return list(record["parts"])


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{path}: cannot be read: {error}; remove it and enrich again") from error


def _write(path: Path, table: pa.Table) -> None:
    with _whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A temporary name whose file gets its own name when the block ends well: whole and on the disk, or not at all."""
    temporary = path.with_name(TEMPORARY + path.name)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DatasetError(f"{path}: cannot be written: {error.strerror or error}") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what a killed run left."""
    for path in folder.glob(f"{TEMPORARY}*"):
        path.unlink()
