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
    names = figures["image_id"].to_pylist()
    shards = figures["shard"].to_pylist()
    offsets = figures["shard_offset"].fill_null(0).to_numpy().tolist()
    lengths = figures["shard_length"].fill_null(0).to_numpy().tolist()
    order = sorted((row for row, shard in enumerate(shards) if shard), key=lambda row: (shards[row], offsets[row]))

    def runs() -> Iterator[_Run]:
        run = _Run("", 0, 0, [])
        for row in order:
            # Tar's header, which has the image's name, lies before its bytes.
            begin, end = offsets[row] - BLOCK, offsets[row] + lengths[row]
            if shards[row] != run.shard or end - run.start > RUN or len(run.rows) == MANY:
                if run.rows:
                    yield run
                run = _Run(shards[row], begin, end, [])
            run = run._replace(end=max(end, run.end))
            run.rows.append(row)
        if run.rows:
            yield run

    def read(run: _Run) -> bytes:
        try:
            return storage.read_at(run.shard, run.start, run.end - run.start)
        except OSError as error:
            raise DatasetError(f"{storage.location(run.shard)}: {error.strerror or error}") from error

    def cut(run: _Run, data: bytes) -> Iterator[memoryview]:
        view = memoryview(data)
        for row in run.rows:
            at = offsets[row] - run.start
            image = view[at : at + lengths[row]]
            if len(image) != lengths[row] or not data.startswith(f"{names[row]}.".encode()[:NAME_BYTES], at - BLOCK):
                where = storage.location(run.shard)
                raise DatasetError(f"{where}: at byte {offsets[row]}: not the image {names[row]}; verify the dataset")
            yield image

    with ThreadPoolExecutor(AHEAD, thread_name_prefix="biomedica.images") as pool:
        under_way: deque[tuple[_Run, Future[bytes]]] = deque()
        waiting = runs()
        try:
            while True:
                while len(under_way) < AHEAD and (run := next(waiting, None)) is not None:
                    under_way.append((run, pool.submit(read, run)))
                if not under_way:
                    return
                run, data = under_way.popleft()
                yield Images(np.array(run.rows, np.int64), list(cut(run, data.result())))
        finally:
            for _, future in under_way:
                future.cancel()
