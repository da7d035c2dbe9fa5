"""What PubMed says of a dataset's articles, on disk beside it: one file a batch, and articles tables it is joined to.

    enrichment/results/000000.parquet    one row a PMID that was asked for; a batch appears whole or not at all
    enrichment/articles/000000.parquet   the articles table of that part with its columns filled
    enrichment/enrichment.json           written last: which parts are joined, and to which bytes

A joined table holds until its part is made again: then the core removes `enrichment.json`.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from biomedica._storage import Storage
from biomedica.exceptions import BiomedicaError, DatasetError

__all__ = ["FOLDER", "STATUSES", "Joined", "Results", "as_pmids", "forget", "joined_tables", "problems", "result_files"]

FOLDER = "enrichment"
RECORD = f"{FOLDER}/enrichment.json"
FORMAT = 1
STATUSES = ("found", "deleted", "missing", "failed")
ROWS = 1024
"""Articles of a joined table at a time: their texts are large."""


class Results:
    """The rows of all batches, one a PMID."""

    def __init__(self, files: Storage) -> None:
        self._storage = files
        self.counts = dict.fromkeys(STATUSES, 0)
        numbers, pmids = [], []
        for path in result_files(files):
            table = _read(files, path, ["article_pmid", "status"])
            self._count(table)
            pmids.append(as_pmids(table["article_pmid"])[0])
            numbers.append(np.full(table.num_rows, _number(path), np.int32))
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
        _write(self._storage, _results(self._next), table)
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
            table = _read(self._storage, _results(number))
            tables.append(table.filter(pa.array(np.isin(as_pmids(table["article_pmid"])[0], pmids))))
        return pa.concat_tables(tables) if tables else None

    def _count(self, table: pa.Table) -> None:
        for value in pc.value_counts(table["status"]).to_pylist():
            self.counts[value["values"]] = self.counts.get(value["values"], 0) + value["counts"]

    def _sort(self) -> None:
        order = np.argsort(self._pmids, kind="stable")
        self._pmids, self._files = self._pmids[order], self._files[order]


def forget(files: Storage, statuses: Sequence[str]) -> None:
    """Take the rows of these statuses out, so that their PMIDs are asked for again."""
    for path in result_files(files):
        table = _read(files, path)
        kept = table.filter(pc.invert(pc.is_in(table["status"], pa.array(statuses))))
        if kept.num_rows == 0:
            files.remove(path)
        elif kept.num_rows < table.num_rows:
            _write(files, path, kept)


def result_files(files: Storage) -> list[str]:
    """The files of all batches, relative to the dataset, in the order of their numbers."""
    names = (name for name in files.names(f"{FOLDER}/results") if name[0].isdigit())
    return sorted((f"{FOLDER}/results/{name}" for name in names), key=_number)


def _number(path: str) -> int:
    return int(path.rsplit("/", 1)[1].removesuffix(".parquet"))


def _results(number: int) -> str:
    return f"{FOLDER}/results/{number:06}.parquet"


def joined_tables(files: Storage) -> dict[str, str]:
    """The joined table of each part that has one, relative to the dataset, by the part's name."""
    return {entry["part"]: _joined(entry["part"]) for entry in _record(files)}


def _joined(part: str) -> str:
    return f"{FOLDER}/articles/{part}.parquet"


def problems(files: Storage, parts: Callable[[], Iterable[tuple[str, str, str]]]) -> Iterator[tuple[str, str]]:
    """What is wrong with the tables here, as file and text; `parts` gives each part's articles table and its sha-256."""
    try:
        entries = _record(files)
    except DatasetError as error:
        yield RECORD, str(error)
        return
    for path in [*result_files(files), *(_joined(entry["part"]) for entry in entries)]:
        try:
            files.table([path]).count_rows()
        except (OSError, pa.ArrowException, BiomedicaError) as error:
            yield path, f"cannot be read: {error}"
    # A part's record that cannot be read is a problem of its own.
    with contextlib.suppress(DatasetError):
        articles = {part: sha256 for part, _, sha256 in (parts() if entries else ())}
        for entry in entries:
            if articles.get(entry["part"]) != entry["articles"]:
                yield RECORD, f"part {entry['part']} was joined to another articles table; enrich again"


class Joined:
    """The articles tables that are joined to what PubMed says."""

    def __init__(self, files: Storage) -> None:
        self._storage = files
        self._parts = {entry["part"]: entry for entry in _record(files)}
        self._there = set(files.names(f"{FOLDER}/articles"))

    def join(self, part: str, articles: str, sha256: str, results: Results) -> None:
        """Write the joined table of a part unless it is there, made of the same articles and the same rows."""
        pmids = as_pmids(_read(self._storage, articles, ["article_pmid"])["article_pmid"])[0]
        rows = results.rows(np.unique(pmids))
        entry = {"part": part, "articles": sha256, "results": _digest(rows)}
        if rows is None:
            self._parts.pop(part, None)
        elif self._parts.get(part) != entry or f"{part}.parquet" not in self._there:
            _fill(self._storage, articles, rows, _joined(part))
            self._parts[part] = entry

    def publish(self, parts: Sequence[str]) -> None:
        """Say that these parts' tables are joined, then remove what is of no part any more."""
        entries = [self._parts[part] for part in parts if part in self._parts]
        record = json.dumps({"format": FORMAT, "parts": entries}, indent=2) + "\n"
        self._storage.write(RECORD, record.encode())
        live = {f"{entry['part']}.parquet" for entry in entries}
        for name in self._storage.names(f"{FOLDER}/articles"):
            if name not in live:
                self._storage.remove(f"{FOLDER}/articles/{name}")


def as_pmids(texts: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The PMIDs among these texts, and which texts they are: decimal numbers of at most ten digits."""
    are = pc.fill_null(pc.match_substring_regex(texts, r"\A[0-9]{1,10}\z"), fill_value=False)
    numbers = pc.cast(texts.filter(are), pa.int64())
    return np.asarray(numbers), np.asarray(are)


def _fill(files: Storage, articles: str, rows: pa.Table, output: str) -> None:
    """Write the articles with MeSH terms, and with abstracts and references where they have none."""
    known = as_pmids(rows["article_pmid"])[0]
    order = np.argsort(known)
    known, rows = known[order], rows.take(order)
    table = files.table([articles])
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        for batch in table.to_batches(batch_size=ROWS, batch_readahead=1):
            writer.write_table(_filled(pa.Table.from_batches([batch], table.schema), known, rows))
    files.write(output, sink.getvalue())


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
    path = files.location(RECORD)
    try:
        text = files.read(RECORD)
        record = None if text is None else json.loads(text)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}; remove it and enrich again") from error
    if text is None:
        return []
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DatasetError(f"{path}: not of format {FORMAT}; remove it and enrich again")
    return list(record["parts"])


def _read(files: Storage, path: str, columns: list[str] | None = None) -> pa.Table:
    try:
        return files.table([path]).to_table(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{files.location(path)}: cannot be read: {error}; remove it and enrich again") from error


def _write(files: Storage, path: str, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    files.write(path, sink.getvalue())
