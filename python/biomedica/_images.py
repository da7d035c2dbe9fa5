"""The images of a shard by the places that the figures table has of them, read in runs, ahead of who takes them."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from biomedica.dataset import BLOCK, NAME_BYTES
from biomedica.exceptions import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from biomedica._storage import Storage

__all__ = ["PLACES", "image_batches"]

PLACES = ["image_id", "shard_offset", "shard_length"]
"""The columns of the figures table that are asked for."""
RUN = 4 << 20
"""Bytes of one read, unless one image is larger."""
READS = 8
"""Reads that are under way or wait to be taken."""

Run: TypeAlias = "tuple[int, int, list[tuple[str, int, int]]]"


def image_batches(storage: "Storage", shard: str, rows: "pa.Table", size: int) -> Iterator[list[memoryview]]:
    """Batches of `size` encoded images, in the order of `rows`, which is that in the shard.

    Raises:
        DatasetError: The shard cannot be read, or another image lies at such a place.
    """
    batch: list[memoryview] = []
    with ThreadPoolExecutor(READS, thread_name_prefix="biomedica.images") as pool:
        under_way: deque[tuple[Run, Future[bytes]]] = deque()
        runs = _runs(rows)
        try:
            while True:
                while len(under_way) < READS and (run := next(runs, None)) is not None:
                    under_way.append((run, pool.submit(_read, storage, shard, run)))
                if not under_way:
                    break
                run, data = under_way.popleft()
                for image in _images(storage, shard, run, data.result()):
                    batch.append(image)
                    if len(batch) == size:
                        yield batch
                        batch = []
        finally:
            for _, future in under_way:
                future.cancel()
    if batch:
        yield batch


def _runs(rows: "pa.Table") -> Iterator[Run]:
    """Neighbours that are read at once: where it begins and ends, with id, offset and length of each image."""
    ids = rows["image_id"].to_pylist()
    offsets: NDArray[np.int64] = rows["shard_offset"].to_numpy().astype(np.int64)
    lengths: NDArray[np.int64] = rows["shard_length"].to_numpy().astype(np.int64)
    start, end, members = 0, 0, list[tuple[str, int, int]]()
    for image_id, offset, length in zip(ids, offsets.tolist(), lengths.tolist(), strict=True):
        # Tar's header, which has the image's name, lies before its bytes.
        if members and not (start <= offset - BLOCK and offset + length - start <= RUN):
            yield start, end, members
            members = []
        if not members:
            start, end = offset - BLOCK, 0
        members.append((image_id, offset, length))
        end = max(end, offset + length)
    if members:
        yield start, end, members


def _read(storage: "Storage", shard: str, run: Run) -> bytes:
    start, end, _ = run
    try:
        return storage.read_at(shard, start, end - start)
    except OSError as error:
        raise DatasetError(f"{storage.location(shard)}: {error.strerror or error}") from error


def _images(storage: "Storage", shard: str, run: Run, data: bytes) -> Iterator[memoryview]:
    start, _, members = run
    view = memoryview(data)
    for image_id, offset, length in members:
        at = offset - start
        image = view[at : at + length]
        if len(image) != length or not data.startswith(f"{image_id}.".encode()[:NAME_BYTES], at - BLOCK):
            where = storage.location(shard)
            raise DatasetError(f"{where}: at byte {offset}: not the image {image_id}; verify the dataset")
        yield image
