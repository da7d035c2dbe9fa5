"""Perceptual hashes of a dataset's images, whole and by panels, as sidecars that are made where they are missing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica import _core
from biomedica._images import PLACES, image_batches
from biomedica._sidecar import Part, Sidecar, fresh_files
from biomedica.dataset import Dataset

__all__ = ["HASHES", "PANELS", "hash_pairs", "hashes_of", "is_hashed"]

HASHES, PANELS = "hashes", "panels"
"""The sidecars: of whole images, and of what these fall into at their gutters."""
BATCH = 256
"""Images that are hashed together."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a sidecar has of each image."""

    column: str
    type: pa.DataType
    hash: Callable[[list[memoryview], int | None], pa.Array]


def is_hashed(dataset: Dataset, name: str = HASHES) -> bool:
    """Whether nothing of a dataset is to be hashed any more."""
    parts = [Part(*part) for part in dataset.parts_of("figures")]
    return len(fresh_files(dataset.storage, name, parts)) == len(parts)


def hashes_of(dataset: Dataset, name: str = HASHES) -> Callable[[int], pa.Table]:
    """Gives the rows of a part: `image_id` and the hashes."""
    kind = _KINDS[name]
    sidecar = Sidecar(dataset, name, {kind.column: kind.type})
    parts = {int(part.name): part for part in sidecar.parts}
    return lambda number: sidecar.read(parts[number], ["image_id", kind.column])


def hash_pairs(dataset: Dataset, threads: int | None, name: str = HASHES) -> Iterator[int]:
    """Hash the images of all parts where that is still to be done; yields how many pairs are hashed.

    Who does so holds a folder of the dataset against others.
    """
    kind = _KINDS[name]
    sidecar = Sidecar(dataset, name, {kind.column: kind.type})
    missing = sidecar.missing()
    waiting = sum(
        len(figures) - figures["shard"].null_count for figures in (sidecar.figures(part, ["shard"]) for part in missing)
    )
    # Figures that an update withdrew are hashed too: a part has a row for each.
    done = max(len(dataset) - waiting, 0)
    yield done
    for part in missing:
        figures = sidecar.figures(part, [*PLACES, "shard"])
        made, places = [pa.array([], kind.type)], np.full(len(figures), -1)
        for shard in pc.unique(figures["shard"].drop_null()).to_pylist():
            rows = np.flatnonzero(pc.equal(figures["shard"], shard).fill_null(fill_value=False).to_numpy())
            for encoded in image_batches(dataset.storage, shard, figures.take(rows), BATCH):
                some = kind.hash(encoded, threads)
                places[rows[: len(some)]] = np.arange(len(some)) + sum(map(len, made))
                made.append(some)
                rows = rows[len(some) :]
                done += len(some)
                yield min(done, len(dataset))
        column = pa.concat_arrays(made).take(pa.array(places, mask=places < 0))
        sidecar.write(part, {kind.column: column})


def _whole(encoded: list[memoryview], threads: int | None) -> pa.Array:
    hashes = np.zeros(len(encoded), np.uint64)
    _core.hash_images(encoded, hashes, threads=threads)
    return pa.array(hashes, mask=hashes == 0)


def _panels(encoded: list[memoryview], threads: int | None) -> pa.Array:
    found, _ = _core.hash_panels(encoded, threads=threads)
    return found.column("image_panel_phash")


_KINDS = {
    HASHES: _Kind("image_phash", pa.uint64(), _whole),
    PANELS: _Kind("image_panel_phash", pa.list_(pa.uint64()), _panels),
}
