"""Sidecars: tables beside a dataset's figures, with a row for each of their rows, in their order.

    <name>/000000.parquet    of that part: the figures' keys, then what was made of each figure

`name` is such as `labels` or `features/dinov2`. A file says in its metadata which figures table it was made of, by
sha-256. When that part is another one by now, the file is stale: it counts as missing until it is made again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from biomedica.exceptions import DatasetError

if TYPE_CHECKING:
    from biomedica._storage import Storage
    from biomedica.dataset import Dataset

__all__ = ["KEYS", "Part", "Sidecar", "fresh_files"]

KEYS = ("image_id", "article_accession_id")
"""The first columns of every sidecar, as the figures tables have them."""
MADE_OF = b"biomedica.figures"
ROW_GROUP = 16_384


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a dataset, as far as its figures go."""

    name: str
    """Such as `000000`."""
    path: str
    """Its figures table, relative to the dataset."""
    sha256: str
    """Of that table."""


class Sidecar:
    """The files of one sidecar of a dataset, to be made part by part, by any number of processes."""

    def __init__(self, dataset: "Dataset", name: str, columns: Mapping[str, pa.DataType]) -> None:
        self.name = name
        self.schema = pa.schema([*((key, pa.string()) for key in KEYS), *columns.items()])
        self.parts = [Part(*part) for part in dataset.parts_of("figures")]
        self._storage = dataset.storage

    def missing(self) -> list[Part]:
        """The parts whose rows are still to be made."""
        fresh = fresh_files(self._storage, self.name, self.parts)
        return [part for part in self.parts if part.name not in fresh]

    def figures(self, part: Part, columns: list[str]) -> pa.Table:
        """Columns of all figures of a part, dead ones too, in their order."""
        try:
            return self._storage.table([part.path]).to_table(columns=columns)
        except (OSError, pa.ArrowException) as error:
            where = self._storage.location(part.path)
            raise DatasetError(f"{where}: cannot be read; verify the dataset: {error}") from error

    def read(self, part: Part, columns: list[str]) -> pa.Table:
        """Columns of the rows that were written of a part, in the order of `figures`."""
        path = _file(self.name, part.name)
        try:
            return self._storage.table([path]).to_table(columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{self._storage.location(path)}: cannot be read; make it again: {error}") from error

    def write(self, part: Part, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> None:
        """Write the rows of a part, whole or not at all: arrays as long as its figures, null for those without."""
        rows = self.figures(part, list(KEYS))
        for name, values in columns.items():
            rows = rows.append_column(name, values)
        schema = self.schema.with_metadata({MADE_OF: part.sha256.encode()})
        sink = pa.BufferOutputStream()
        pq.write_table(rows.cast(self.schema).cast(schema), sink, row_group_size=ROW_GROUP, **_encoding(self.schema))
        self._storage.write(_file(self.name, part.name), sink.getvalue())


def fresh_files(storage: "Storage", name: str, parts: list[Part]) -> dict[str, str]:
    """The files of a sidecar that belong to the dataset as it is, by their parts' names."""
    there = set(storage.names(name))
    return {part.name: path for part, path in _of(name, parts, there) if _made_of(storage, path) == part.sha256}


def _of(name: str, parts: list[Part], there: set[str]) -> Iterator[tuple[Part, str]]:
    for part in parts:
        if f"{part.name}.parquet" in there:
            yield part, _file(name, part.name)


def _made_of(storage: "Storage", path: str) -> str:
    """Which figures table a file was made of; nothing when it cannot be read, so that it is made again."""
    try:
        metadata = storage.table([path]).schema.metadata or {}
    except (OSError, pa.ArrowException):
        return ""
    return str(metadata.get(MADE_OF, b"").decode(errors="replace"))


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """How columns are written. Vectors hardly shrink, and take longest to read: they are written as they are."""
    vectors = [field.name for field in schema if pa.types.is_fixed_size_list(field.type)]
    others = [name for name in schema.names if name not in vectors]
    compression = {**{f"{name}.list.element": "none" for name in vectors}, **dict.fromkeys(others, "zstd")}
    return {"use_dictionary": others, "write_statistics": others, "compression": compression}


def _file(name: str, part: str) -> str:
    return f"{name}/{part}.parquet"
