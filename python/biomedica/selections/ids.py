"""Lists of ids: selections, block lists, and whatever else names samples, as Arrow text."""

import hashlib
import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biomedica._hash import hash_texts
from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import storage
from biomedica.exceptions import DatasetError, SourceNotFoundError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FORMAT", "RECORD", "IdSet", "Ids", "digest", "read_file", "read_ids", "read_record", "split_location"]

Ids: TypeAlias = StrPath | Iterable[str]
"""Ids, or the path or URL of a file of them: a selection or another Parquet file, or text with an id a line."""

RECORD = b"biomedica.selection"
"""Where a selection's file keeps its record, within the metadata of the Parquet file."""
FORMAT = 1
"""The version of that record."""


def read_ids(
    ids: Ids, *, columns: tuple[str, ...] = ("image_id",), storage_options: StorageOptions | None = None
) -> pa.ChunkedArray:
    """The ids as text, without nulls.

    Args:
        ids: What names them.
        columns: Of a Parquet file, the column: the first of these that it has.
        storage_options: How the file's store is spoken to.

    Raises:
        SourceNotFoundError: There is no such file.
        DatasetError: The file is damaged, or holds no ids.
    """
    if not isinstance(ids, str | os.PathLike):
        arrow = ids if isinstance(ids, pa.ChunkedArray | pa.Array) else pa.array([str(one) for one in ids], pa.string())
        return _text(arrow)
    where = os.fspath(ids)
    data = read_file(where, storage_options)
    if not where.endswith(".parquet"):
        try:
            return _text(pa.array(data.decode("utf-8").split(), pa.string()))
        except UnicodeDecodeError as error:
            raise DatasetError(f"{where}: no list of ids: neither UTF-8 text nor named .parquet") from error
    file, record = _open(data, where)
    column = next((name for name in columns if name in file.schema_arrow.names), None)
    if column is None:
        raise DatasetError(f"{where}: no list of ids: it has no column {' or '.join(columns)}")
    try:
        found = _text(file.read(columns=[column]).column(0))
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{where}: the ids cannot be read: {error}") from error
    if record is not None and record["sha256"] != digest(found):
        raise DatasetError(
            f"{where}: damaged: its ids are not those that it was written with; make the selection again"
        )
    return found


def read_record(where: StrPath, storage_options: StorageOptions | None = None) -> dict[str, Any]:
    """What a selection's file says of itself.

    Raises:
        SourceNotFoundError: There is no such file.
        DatasetError: It is no selection.
    """
    _, record = _open(read_file(os.fspath(where), storage_options), os.fspath(where))
    if record is None:
        raise DatasetError(f"{where}: no selection; `biomedica select` makes one")
    return record


def digest(ids: pa.ChunkedArray) -> str:
    """The sha-256 of ids in their order, each followed by a line's end."""
    hashed = hashlib.sha256()
    for chunk in ids.chunks:
        if len(chunk):
            lines = pc.binary_join_element_wise(chunk, "", "\n")
            offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
            hashed.update(memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]])
    return hashed.hexdigest()


def read_file(where: str, storage_options: StorageOptions | None) -> bytes:
    """All of a file: ten million ids are some hundred megabytes.

    Raises:
        SourceNotFoundError: There is no such file.
        DatasetError: It cannot be read.
    """
    folder, name = split_location(where)
    try:
        data = storage(folder, storage_options).read(name)
    except SourceNotFoundError:
        data = None
    except OSError as error:
        raise DatasetError(f"{where}: cannot be read: {error.strerror or error}") from error
    if data is None:
        raise SourceNotFoundError(f"{where}: there is no such file")
    return data


def split_location(where: str) -> tuple[str, str]:
    """Folder and name of a file by its path or URL."""
    folder, slash, name = where.rpartition("/")
    return folder + slash or ".", name


class IdSet:
    """Ids to look others up in, eight bytes an id: their 64-bit hashes. Of 2⁶⁴, that two meet is out of question."""

    def __init__(self, ids: pa.ChunkedArray) -> None:
        hashes = [hash_texts(chunk) for chunk in ids.chunks]
        self._hashes = np.unique(np.concatenate([np.empty(0, np.uint64), *hashes]))

    def of(self, ids: pa.ChunkedArray) -> "NDArray[np.bool_]":
        """Which of these ids are in it."""
        return self.has(hash_texts(ids.combine_chunks()))

    def has(self, hashes: "NDArray[np.uint64]") -> "NDArray[np.bool_]":
        """Which of the ids with these hashes are in it."""
        if not len(self._hashes):
            return np.zeros(len(hashes), np.bool_)
        at = np.searchsorted(self._hashes, hashes)
        found: NDArray[np.bool_] = self._hashes[np.minimum(at, len(self._hashes) - 1)] == hashes
        return found


def _text(ids: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    return pa.chunked_array([pc.drop_null(chunk).cast(pa.string()) for chunk in chunks], pa.string())


def _open(data: bytes, where: object) -> tuple[pq.ParquetFile, dict[str, Any] | None]:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        text = (file.schema_arrow.metadata or {}).get(RECORD)
        record = None if text is None else json.loads(text)
    except (OSError, ValueError, RecursionError, pa.ArrowException) as error:
        raise DatasetError(f"{where}: damaged, or no Parquet file: {error}") from error
    if record is not None and not (isinstance(record, dict) and {"format", "sha256", "recipe"} <= record.keys()):
        raise DatasetError(f"{where}: the record of this selection is damaged; make the selection again")
    if record is not None and record["format"] != FORMAT:
        raise DatasetError(
            f"{where}: a selection of format {record['format']!r}; this version reads format {FORMAT}: select again"
        )
    return file, record
