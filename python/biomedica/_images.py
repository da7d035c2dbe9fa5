"""The images of pairs by the places that the figures table has of them, read in runs, ahead of who takes them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from biomedica.dataset import BLOCK, NAME_BYTES
from biomedica.exceptions import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from biomedica._storage import Storage

__all__ = ["PLACES", "Images", "images"]

PLACES = ["image_id", "shard", "shard_offset", "shard_length"]
"""The columns of the figures table that are asked for."""
RUN = 8 << 20
"""Bytes of one read, unless one image is larger."""
MANY = 256
"""The most images of one read."""
AHEAD = 4
"""Reads that are under way or wait to be taken."""


class Images(NamedTuple):
    """Encoded images that were read together."""

    rows: "NDArray[np.int64]"
    """Which rows of the table they are of."""
    encoded: list[memoryview]


class _Run(NamedTuple):
    """Neighbours of a shard that are read at once."""

    shard: str
    start: int
    end: int
    rows: list[int]


def images(storage: "Storage", figures: "pa.Table") -> Iterator[Images]:
    """All images of figures, shard by shard in their order there; figures without a shard are left out.

    Args:
        storage: Where the dataset lies.
        figures: Rows of its figures table, with the columns `PLACES`.

    Raises:
        DatasetError: A shard cannot be read, or another image lies at such a place.
    """
    places = _Places(storage, figures)
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="biomedica.images") as pool:
        under_way: deque[tuple[_Run, Future[bytes]]] = deque()
        waiting = places.runs()
        try:
            while True:
                while len(under_way) < AHEAD and (run := next(waiting, None)) is not None:
                    under_way.append((run, pool.submit(places.read, run)))
                if not under_way:
                    return
                run, data = under_way.popleft()
                yield Images(np.array(run.rows, np.int64), list(places.cut(run, data.result())))
        finally:
            for _, future in under_way:
                future.cancel()


class _Places:
    """Where the images of figures lie, and what is there."""

    def __init__(self, storage: "Storage", figures: "pa.Table") -> None:
        self._storage = storage
        self._names: list[str] = figures["image_id"].to_pylist()
        self._shards: list[str | None] = figures["shard"].to_pylist()
        self._offsets: list[int] = figures["shard_offset"].fill_null(0).to_numpy().tolist()
        self._lengths: list[int] = figures["shard_length"].fill_null(0).to_numpy().tolist()

    def runs(self) -> Iterator[_Run]:
        """All images, by shard and place."""
        run = _Run("", 0, 0, [])
        for shard, offset, row in sorted(
            (shard, self._offsets[row], row) for row, shard in enumerate(self._shards) if shard is not None
        ):
            # Tar's header, which has the image's name, lies before its bytes.
            begin, end = offset - BLOCK, offset + self._lengths[row]
            if shard != run.shard or end - run.start > RUN or len(run.rows) == MANY:
                if run.rows:
                    yield run
                run = _Run(shard, begin, end, [])
            run = run._replace(end=max(end, run.end))
            run.rows.append(row)
        if run.rows:
            yield run

    def read(self, run: _Run) -> bytes:
        """The bytes of a run."""
        try:
            return self._storage.read_at(run.shard, run.start, run.end - run.start)
        except OSError as error:
            raise DatasetError(f"{self._storage.location(run.shard)}: {error.strerror or error}") from error

    def cut(self, run: _Run, data: bytes) -> Iterator[memoryview]:
        """The images of a run from its bytes."""
        view = memoryview(data)
        for row in run.rows:
            name, offset = self._names[row], self._offsets[row]
            at = offset - run.start
            image = view[at : at + self._lengths[row]]
            if len(image) != self._lengths[row] or not data.startswith(f"{name}.".encode()[:NAME_BYTES], at - BLOCK):
                where = self._storage.location(run.shard)
                raise DatasetError(f"{where}: at byte {offset}: not the image {name}; verify the dataset")
            yield image
