"""Parquet files with the images in them, as Hugging Face `datasets` knows them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from biomedica import _core

__all__ = ["ParquetFiles"]

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""What an `Image` of `datasets` is in Arrow."""
FEATURES = {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})}
"""Tells `datasets` that the column is an image; it takes the types of all others as Arrow has them."""


class ParquetFiles:
    """The files of one subset, each of about one size, in row groups as they come.

    Args:
        folder: Where they go; it is empty.
        columns: Type of each column beside `image`.
        num_bytes: From how many bytes on another file begins.
    """

    def __init__(self, folder: Path, columns: Mapping[str, pa.DataType], num_bytes: int) -> None:
        self._folder = folder
        self._schema = pa.schema([("image", IMAGE), *columns.items()], metadata=FEATURES)
        self._num_bytes = num_bytes
        self._paths: list[Path] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table, samples: Sequence[_core.Sample]) -> None:
        """Append rows with their images."""
        if self._writer is None:
            self._paths.append(self._folder / f"{len(self._paths):05}.parquet")
            # Images are compressed already.
            compression = dict.fromkeys(_leaves(self._schema), "zstd") | {"image.bytes": "none"}
            self._writer = pq.ParquetWriter(
                self._paths[-1], self._schema, compression=compression, use_dictionary=_dictionary(self._schema)
            )
        encoded = pa.array([bytes(sample.image) for sample in samples], pa.binary())
        names = pa.array([f"{sample.key}.{sample.extensions[0]}" for sample in samples], pa.string())
        image = pa.StructArray.from_arrays([encoded, names], fields=list(IMAGE))
        table = pa.Table.from_arrays([image, *(rows[name] for name in self._schema.names[1:])], schema=self._schema)
        self._writer.write_table(table, row_group_size=table.num_rows)
        if self._paths[-1].stat().st_size >= self._num_bytes:
            self.close()

    def finish(self) -> list[Path]:
        """End the last file and give all their names: `train-00000-of-00012.parquet`."""
        self.close()
        count = len(self._paths)
        return [path.rename(self._folder / f"train-{n:05}-of-{count:05}.parquet") for n, path in enumerate(self._paths)]

    def close(self) -> None:
        """End the file at hand."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _leaves(schema: pa.Schema) -> list[str]:
    """The columns as Parquet has them, those of nested ones by their paths."""
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    found = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [found.column(number).path for number in range(len(found))]


def _dictionary(schema: pa.Schema) -> list[str]:
    """All columns but the images, of which no two are alike."""
    return [name for name in _leaves(schema) if not name.startswith("image.")]
