"""`duplicates`: which images of a dataset are copies of others: the same, re-encoded, resized, mirrored or turned."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica import _core
from biomedica._hashes import HASHES, hash_pairs
from biomedica._sidecar import Part, Sidecar
from biomedica._sources import StorageOptions, StrPath
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset
from biomedica.exceptions import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GROUPS", "Duplicates", "check_threshold", "duplicates"]

GROUPS = "duplicates"
THRESHOLD = 4
"""Bits of 63. Of copies that were made on purpose 99% differ in no more; see the guide for the price."""
RECORD = f"{GROUPS}/{GROUPS}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """How far the search for duplicates is."""

    pairs: int
    """Pairs of the dataset that are hashed, by earlier runs too."""
    total_pairs: int
    """Pairs of the dataset."""
    without_hash: int
    """Pairs among those grouped that have no hash: their image cannot be decoded, or is too even. Only the same bytes
    make these duplicates."""
    grouped: int
    """Different hashes that are grouped."""
    groups: int
    """Groups of two images or more."""
    duplicates: int
    """Images that another one represents."""
    same_hash: int
    """Those of them with the hash of their representative, turned or mirrored in any way, or with its bytes."""
    largest_group: int
    """Images of the largest group."""
    threshold: int
    """Bits in which hashes of one group differ at most."""
    seconds: float
    """Since the call."""


def duplicates(
    dataset: Dataset | StrPath,
    *,
    threshold: int = THRESHOLD,
    threads: int | None = None,
    storage_options: StorageOptions | None = None,
    progress: Callable[[Duplicates], object] | None = None,
) -> Duplicates:
    """Find the images of a dataset that are copies of others, and note it beside the dataset.

    Each image gets a perceptual hash: the signs of the 63 lowest frequencies of a cosine transform of its 32 by 32 grey
    pixels (after pHash: Zauner 2010). Those of a mirrored or turned image follow from it, so that copies are found in any
    of eight positions. Hashes within `threshold` bits are searched by multi-index hashing (Norouzi et al. 2012).

    A group is a star: its representative is its largest image (in pixels; of equals the first of the dataset), and every
    member is within `threshold` of it. So chains of images, each like the next, never join what has nothing in common.

    Two sidecars have a row for each figure; see `Dataset.sidecar`:

    - `hashes`: `image_phash`, uint64; null where there is no pair, and where the image cannot be decoded or is too even
      to tell (blank pages, bare stripes).
    - `duplicates`: `image_duplicate_group`, null for an image that is alone; `image_is_representative`, true also for one
      that is alone; `image_duplicate_distance`, the bits in which it differs from its representative.

    A run that was stopped goes on at the next part, and one after an update hashes only what is new. Groups are made anew
    each time; 20 bytes a figure are in memory for them, and 36 for each different hash.

    Args:
        dataset: A dataset, or its directory or URL.
        threshold: Bits, 0 to 16. More find more copies, and more images that only look alike.
        threads: Threads that decode and search; as many as there are cores when not given.
        storage_options: How the store of a URL is spoken to; see `open`.
        progress: Called as the work goes on, and once at the end. What it raises stops the run.

    Returns:
        What was found.

    Raises:
        DatasetError: The dataset cannot be read or written, or another process is looking for duplicates (`locked`).
        ValueError: An option makes no sense.
        KeyboardInterrupt: Ctrl-C; the same call goes on where it stopped.

    Example:
        >>> import biomedica as bm
        >>> bm.duplicates("dataset/").duplicates  # doctest: +SKIP
        1284
        >>> rows = bm.open("dataset/").sidecar("duplicates")  # doctest: +SKIP
    """
    begin = time.monotonic()
    check_threshold(threshold)
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}, but must be 1 or more")
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(dataset, storage_options=storage_options)
    counts = dict.fromkeys(
        ("pairs", "without_hash", "grouped", "groups", "duplicates", "same_hash", "largest_group"), 0
    )

    def state() -> Duplicates:
        return Duplicates(**counts, total_pairs=len(dataset), threshold=threshold, seconds=time.monotonic() - begin)

    def show(**new: int) -> None:
        counts.update(new)
        if progress is not None:
            progress(state())

    with dataset.storage.lock(GROUPS):
        for done in hash_pairs(dataset, threads):
            show(pairs=done)
        table = _Table(dataset)
        counts["without_hash"] = table.without_hash
        table.group(threshold, threads, lambda done: show(grouped=done))
        counts.update(table.counts())
        show()
        record = asdict(state())
        record.pop("seconds")
        table.write({"format": 1, **record})
    return state()


def check_threshold(threshold: int) -> None:
    """Refuse a number of bits in which no hashes are compared.

    Raises:
        ValueError: It is out of bounds.
    """
    if not 0 <= threshold <= _core.MAX_THRESHOLD:
        raise ValueError(f"threshold is {threshold}, but must be within 0 to {_core.MAX_THRESHOLD} bits")


class _Table:
    """All figures of a dataset as arrays, part after part: hash, pixels, whether it is a live pair."""

    def __init__(self, dataset: Dataset) -> None:
        self._storage = dataset.storage
        columns = {
            "image_duplicate_group": pa.int64(),
            "image_is_representative": pa.bool_(),
            "image_duplicate_distance": pa.uint8(),
        }
        self._sidecar = Sidecar(dataset, GROUPS, columns)
        figures = dataset.figures()
        # Without tombstones all is alive.
        self._live = figures if "part" in figures.schema.names else None
        self._ends = [0]
        self._bytes: dict[str, list[int]] = {}
        parts = [self._read(part) for part in self._sidecar.parts]
        self._hashes, self._sizes, self._is_pair = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        self.without_hash = int((self._is_pair & (self._hashes == 0)).sum())

    def _read(self, part: Part) -> "tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]":
        figures = self._sidecar.figures(part, ["image_id", "image_size", "image_hash", "shard"])
        is_pair = figures["shard"].is_valid().to_numpy()
        if self._live is not None:
            here = self._live.to_table(columns=["image_id"], filter=pc.field("part") == int(part.name))
            is_pair &= pc.is_in(figures["image_id"], value_set=here["image_id"].combine_chunks()).to_numpy()
        path = f"{HASHES}/{part.name}.parquet"
        try:
            column = self._storage.table([path]).to_table(columns=["image_phash"])["image_phash"]
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{self._storage.location(path)}: cannot be read: {error}") from error
        hashes = np.where(is_pair, column.fill_null(0).to_numpy(), 0).astype(np.uint64)
        sides = [pc.list_element(figures["image_size"], side).fill_null(0).to_numpy() for side in (0, 1)]
        sizes = sides[0].astype(np.uint64) * sides[1].astype(np.uint64)
        # Of pairs without a hash, which are few, only the bytes tell whether they are the same.
        start = self._ends[-1]
        for row in np.flatnonzero(is_pair & (hashes == 0)).tolist():
            self._bytes.setdefault(figures["image_hash"][row].as_py(), []).append(start + row)
        self._ends.append(start + len(hashes))
        return hashes, sizes, is_pair

    def group(self, threshold: int, threads: int | None, progress: Callable[[int], object]) -> None:
        """Find for each image the one that represents it."""
        self._heads = np.empty(len(self._hashes), np.uint32)
        self._distances = np.empty(len(self._hashes), np.uint8)
        _core.group_hashes(
            self._hashes, self._sizes, threshold, self._heads, self._distances, threads=threads, progress=progress
        )
        for rows in self._bytes.values():
            self._heads[rows] = rows[0]
        self._members = np.bincount(self._heads[self._is_pair], minlength=len(self._heads))

    def counts(self) -> dict[str, int]:
        """What was found, by the names of `Duplicates`."""
        is_copy = self._is_pair & (self._heads != np.arange(len(self._heads)))
        distinct = len(np.unique(self._hashes[self._hashes != 0]))
        return {
            "grouped": distinct,
            "groups": int((self._members > 1).sum()),
            "duplicates": int(is_copy.sum()),
            "same_hash": int((is_copy & (self._distances == 0)).sum()),
            "largest_group": int(self._members.max(initial=0)),
        }

    def write(self, record: dict[str, object]) -> None:
        """Write the groups of all parts, then what was found. Those of an earlier run go first: numbers would mix."""
        self._storage.remove(RECORD)
        for name in self._storage.names(GROUPS):
            if name.endswith(".parquet"):
                self._storage.remove(f"{GROUPS}/{name}")
        numbers = np.cumsum(self._members > 1) - 1
        for part, start, end in zip(self._sidecar.parts, self._ends, self._ends[1:], strict=False):
            heads, is_pair = self._heads[start:end], self._is_pair[start:end]
            is_alone = ~is_pair | (self._members[heads] < 2)  # noqa: PLR2004 - itself
            columns = {
                "image_duplicate_group": pa.array(numbers[heads], mask=is_alone),
                "image_is_representative": pa.array(heads == np.arange(start, end), mask=~is_pair),
                "image_duplicate_distance": pa.array(self._distances[start:end], mask=is_alone),
            }
            self._sidecar.write(part, columns)
        self._storage.write(RECORD, json.dumps(record, indent=2).encode() + b"\n")
