"""Features beside a dataset: where they lie, what they were made by, and the pieces that parts are put together from.

features/<name>/model.json              the model, and all else that the features depend on
features/<name>/000000.parquet          of that part: a row a figure, null where there is no pair or no readable image
features/<name>/000000.<sha256>.0003.npy   while a part is made: the pairs of its fourth shard, NaN for unreadable ones
"""

import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from biomedica._sidecar import Part, Sidecar
from biomedica.exceptions import DatasetError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica._storage import Storage
    from biomedica.dataset import Dataset

__all__ = ["COLUMN", "DEFAULT_MODEL", "Features", "checked_name", "folder", "read_record", "write_record"]

DEFAULT_MODEL = "vit_large_patch14_reg4_dinov2.lvd142m"
"""DINOv2 ViT-L/14 with registers, of which the paper clusters features."""
COLUMN = "features"
FORMAT = 1
RECORD = "model.json"
PIECE = ".npy"
UNCOMPARED = ("versions", "made")
"""Keys of a record that say how something came about, not what it is."""


def folder(kind: str, name: str) -> str:
    """The folder of features or clusters of a name."""
    return f"{kind}/{checked_name(name)}"


def checked_name(name: str) -> str:
    """The name, if it can be one of a folder.

    Raises:
        ValueError: It cannot.
    """
    if not name or name[0] in ".-" or not all(char.isascii() and (char.isalnum() or char in "._-") for char in name):
        raise ValueError(f"name {name!r} may have letters, digits, '.', '_' and '-' only, and begins with none of '.-'")
    return name


def read_record(storage: "Storage", where: str) -> dict[str, Any] | None:
    """What `model.json` of a folder says; None when there is none.

    Raises:
        DatasetError: It cannot be read.
    """
    path = f"{where}/{RECORD}"
    try:
        data = storage.read(path)
        record = None if data is None else json.loads(data)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{storage.location(path)}: cannot be read: {error}") from error
    if data is not None and not (isinstance(record, dict) and record.get("format") == FORMAT):
        raise DatasetError(f"{storage.location(path)}: not a model's record of format {FORMAT}")
    return record


def write_record(storage: "Storage", where: str, record: dict[str, Any]) -> None:
    """Write `model.json` of a folder."""
    storage.write(f"{where}/{RECORD}", (json.dumps({"format": FORMAT, **record}, indent=1) + "\n").encode())


def identity(record: dict[str, Any]) -> dict[str, Any]:
    """What of a record has to agree for two sets of features to be comparable."""
    return {key: value for key, value in record.items() if key not in UNCOMPARED}


class Features:
    """The features of a dataset under one name, to be made shard by shard by any number of processes."""

    def __init__(self, dataset: "Dataset", name: str, dimension: int, dtype: str) -> None:
        self.folder = folder("features", name)
        self.dimension = dimension
        self._dtype = np.dtype(dtype)
        self._storage = dataset.storage
        vector = pa.list_(pa.from_numpy_dtype(self._dtype), dimension)
        self.sidecar = Sidecar(dataset, self.folder, {COLUMN: vector})

    def settle(self, record: dict[str, Any]) -> None:
        """Say what the features are made by, and remove pieces of parts that are other ones by now.

        Raises:
            ModelError: Features of this name are there that were made otherwise.
        """
        before = read_record(self._storage, self.folder)
        if before is None:
            write_record(self._storage, self.folder, record)
        else:
            now = identity({"format": FORMAT, **record})
            differ = sorted(key for key, value in now.items() if before.get(key) != value)
            if differ:
                key = differ[0]
                where = self._storage.location(self.folder)
                raise ModelError(
                    f"{where} was made with {key} {before.get(key)!r}, not {now[key]!r}; choose another name, or remove it"
                )
        stems = {_stem(part) for part in self.sidecar.missing()}
        for file in self._storage.names(self.folder):
            if file.endswith(PIECE) and file[: -len("0000.npy")].rstrip(".") not in stems:
                self._storage.remove(f"{self.folder}/{file}")

    def shards(self, part: Part) -> dict[str, int]:
        """The shards that have pairs of a part, sorted, and how many."""
        counted = self.sidecar.figures(part, ["shard"])["shard"].drop_null().value_counts().to_pylist()
        return dict(sorted((entry["values"], entry["counts"]) for entry in counted))

    def pieces(self) -> set[str]:
        """The pieces that are there."""
        return {file for file in self._storage.names(self.folder) if file.endswith(PIECE)}

    def piece(self, part: Part, number: int) -> str:
        """The piece of a part's shard."""
        return f"{_stem(part)}.{number:04}{PIECE}"

    def write_piece(self, name: str, rows: "NDArray[np.float32]") -> None:
        """Write the features of a shard's pairs, in the order of their rows.

        Raises:
            ModelError: They are beyond what the type holds.
        """
        with np.errstate(over="ignore"):
            values = rows.astype(self._dtype)
        if np.isinf(values).any():
            raise ModelError(f"{self.folder}: features are beyond {self._dtype}; choose float32 (and another name)")
        sink = io.BytesIO()
        np.save(sink, values, allow_pickle=False)
        self._storage.write(f"{self.folder}/{name}", sink.getvalue())

    def assemble(self, part: Part, shards: Iterable[str]) -> None:
        """Put a part's pieces together, and remove them."""
        places = self.sidecar.figures(part, ["shard"])["shard"].combine_chunks()
        names = np.asarray(places.fill_null("").to_numpy(zero_copy_only=False))
        values = np.zeros((len(names), self.dimension), self._dtype)
        is_null = np.ones(len(names), bool)
        pieces = []
        for number, shard in enumerate(shards):
            rows = np.flatnonzero(names == shard)
            pieces.append(self.piece(part, number))
            made = self._read_piece(pieces[-1], len(rows))
            values[rows] = made
            is_null[rows] = np.isnan(made).any(axis=1)
        column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), self.dimension, mask=pa.array(is_null))
        self.sidecar.write(part, {COLUMN: column})
        for piece in pieces:
            self._storage.remove(f"{self.folder}/{piece}")

    def _read_piece(self, name: str, rows: int) -> "NDArray[np.generic]":
        path = f"{self.folder}/{name}"
        data = self._storage.read(path)
        try:
            made: NDArray[np.generic] = np.load(io.BytesIO(data or b""), allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DatasetError(f"{self._storage.location(path)}: cannot be read; remove it and run again") from error
        if made.shape != (rows, self.dimension):
            raise DatasetError(f"{self._storage.location(path)}: not of this part; remove it and run again")
        return made


def _stem(part: Part) -> str:
    return f"{part.name}.{part.sha256[:16]}"
