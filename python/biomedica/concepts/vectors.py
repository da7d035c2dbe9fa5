"""The features of a dataset as NumPy has them, read part by part, one batch ahead."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from biomedica._sidecar import Part, fresh_files
from biomedica.concepts.features import COLUMN, folder, read_record
from biomedica.dataset import Dataset
from biomedica.exceptions import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Rows", "Vectors", "ahead"]

Batch: TypeAlias = "tuple[NDArray[np.bool_], NDArray[np.generic]]"
"""Which rows have features, and those of these: [n, dimension]."""
BATCH = 8192
"""Rows."""

T = TypeVar("T")


class Vectors:
    """Features of a name, of the dataset as it is.

    Raises:
        DatasetError: They are not there, or not for every part.
    """

    def __init__(self, dataset: Dataset, name: str) -> None:
        self.name = name
        self._where = folder("features", name)
        self._storage = dataset.storage
        record = read_record(self._storage, self._where)
        if record is None:
            raise DatasetError(f"{dataset.location}: there are no features {name}; `biomedica embed` makes features")
        self.record: dict[str, Any] = record
        self.pairs = len(dataset)
        self.parts = [Part(*part) for part in dataset.parts_of("figures")]
        self._files = fresh_files(self._storage, self._where, self.parts)
        missing = [part.name for part in self.parts if part.name not in self._files]
        if missing:
            raise DatasetError(
                f"{dataset.location}: features {name} are missing for part {missing[0]}"
                f" ({len(missing):,} of {len(self.parts):,} parts); run `biomedica embed` again"
            )

    def batches(self, part: Part) -> Iterator[Batch]:
        """All rows of a part in their order."""
        path = self._files[part.name]
        try:
            for batch in self._storage.table([path]).to_batches(columns=[COLUMN], batch_size=BATCH):
                column = batch.column(0)
                is_there = column.is_valid().to_numpy(zero_copy_only=False)
                yield is_there, column.flatten().to_numpy().reshape(-1, column.type.list_size)
        except (OSError, pa.ArrowException) as error:
            where = self._storage.location(path)
            raise DatasetError(f"{where}: cannot be read; remove it and embed again: {error}") from error


class Rows:
    """A sample of features: each pass over it gives the same rows, part by part.

    Each row is taken with one chance, that of `count` of all pairs, so that there are about so many. Draws are of the seed
    and the part, whatever the other parts are.
    """

    def __init__(self, vectors: Vectors, count: int, seed: int) -> None:
        self._vectors = vectors
        self._seed = seed
        self._share = min(count / max(vectors.pairs, 1), 1.0)

    def __iter__(self) -> Iterator[Iterator["NDArray[np.generic]"]]:
        """Of each part its batches."""
        for part in self._vectors.parts:
            yield self._taken(np.random.default_rng([self._seed, int(part.name)]), ahead(self._vectors.batches(part)))

    def _taken(self, draw: np.random.Generator, batches: Iterator[Batch]) -> Iterator["NDArray[np.generic]"]:
        for _, rows in batches:
            yield rows if self._share == 1 else rows[draw.random(len(rows)) < self._share]


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, the next of which is made in a thread while one is looked at."""
    with ThreadPoolExecutor(1, thread_name_prefix="biomedica.features") as pool:
        waiting = pool.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield item
