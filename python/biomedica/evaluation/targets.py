"""The test images as they are searched for: hashes of bytes and looks, features, and what their names say of articles."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica import _core
from biomedica.evaluation.against import Item, Items
from biomedica.evaluation.clean import Searched
from biomedica.evaluation.data import TaskData

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Embedder", "Lookup", "Panels", "Targets", "references", "unit"]

BATCH = 256
PMCID = re.compile(r"(?<![A-Za-z0-9])PMC[ _-]?([0-9]{1,9})(?![0-9])", re.IGNORECASE)
FIGURE = re.compile(r"(?<![A-Za-z0-9])PMC[0-9]{1,9}_[0-9]{4,6}(?![0-9])", re.IGNORECASE)
"""As an image is called in a dataset."""
DOI = re.compile(r"10\.[0-9]{4,9}/[^\s\"'<>,;]{1,200}")
CLOSING = ".:)]}"


class Embedder(Protocol):
    """What makes features of images."""

    def encode(self, batches: Iterator[list[Any]]) -> Iterator["NDArray[np.float32]"]:
        """The features of each batch; a row of NaN for what cannot be read."""


class Targets:
    """The images of all tasks, one after the other.

    Args:
        tasks: The tasks.
        embedder: Makes the features, if these are compared.
        panels: Whether panels are compared.
        threads: Threads that decode.
        progress: Told how many images were looked at.
    """

    def __init__(
        self,
        tasks: Sequence[Items],
        embedder: Embedder | None,
        threads: int | None,
        progress: Callable[[int], object],
        *,
        panels: bool = False,
    ) -> None:
        self.tasks = tasks
        self.keys: list[str] = []
        self.ends: list[int] = []
        self.sha256: list[str] = []
        """Of each task: over its keys and images."""
        self._named: dict[str, list[int]] = {}
        hashes: list[NDArray[np.uint64]] = []
        digests: list[str] = []
        vectors: list[NDArray[np.float32]] = []
        lists: list[pa.Array] = [pa.array([], pa.list_(pa.uint64()))]
        self.unreadable = 0
        for task in tasks:
            digest = hashlib.sha256()
            items = iter(task)
            while batch := list(islice(items, BATCH)):
                images = [item.image for item in batch]
                some = np.zeros(len(images), np.uint64)
                self.unreadable += len(_core.hash_images(images, some, threads=threads))
                hashes.append(some)
                if panels:
                    lists.append(_core.hash_panels(images, threads=threads)[0].column("image_panel_phash"))
                digests += [hashlib.sha256(image).hexdigest() for image in images]
                if embedder is not None:
                    vectors += embedder.encode(iter([images]))
                self._name(batch)
                for item, own in zip(batch, digests[-len(batch) :], strict=True):
                    digest.update(f"{item.key}\0{own}\n".encode())
                progress(len(self.keys))
            self.ends.append(len(self.keys))
            self.sha256.append(digest.hexdigest())
        self.hashes = np.concatenate([np.empty(0, np.uint64), *hashes])
        self.panels = Panels.of(pa.concat_arrays(lists))
        self.images = Lookup(pa.array(digests, pa.string()), np.arange(len(digests)))
        named = [(name, target) for name, targets in self._named.items() for target in targets]
        texts = pa.array([name for name, _ in named], pa.string())
        self.articles = Lookup(texts, np.array([target for _, target in named], np.int64))
        self.vectors = None if embedder is None else unit(np.concatenate(vectors))

    def __len__(self) -> int:
        """Images of all tasks."""
        return len(self.keys)

    def task_of(self, targets: "NDArray[np.integer[Any]]") -> "NDArray[np.int64]":
        """Which task each is of."""
        return np.searchsorted(np.array(self.ends), targets, "right")

    def read(self, wanted: set[int]) -> dict[int, bytes]:
        """Some of the images again."""
        found: dict[int, bytes] = {}
        start = 0
        for task, end in zip(self.tasks, self.ends, strict=True):
            here = {target - start for target in wanted if start <= target < end}
            for at, item in enumerate(islice(task, max(here, default=-1) + 1)):
                if at in here:
                    found[start + at] = item.image
            start = end
        return found

    def told(self, leaked: Mapping[str, int]) -> list[dict[str, object]]:
        """Of each task its name, its images, how many of them are leaked, their digest, and that of its task file."""
        return [
            {
                "name": task.name,
                "items": end - start,
                "leaked": leaked[task.name],
                "sha256": digest,
                "task_sha256": file_digest(task),
            }
            for task, start, end, digest in zip(self.tasks, [0, *self.ends], self.ends, self.sha256, strict=False)
        ]

    def searched(self, leaked: pa.Table) -> dict[str, Searched]:
        """Of each task, the keys of its images and of those that are leaked."""
        found: dict[str, set[str]] = {task.name: set() for task in self.tasks}
        for row in leaked.select(["task", "key"]).to_pylist():
            found[row["task"]].add(row["key"])
        return {
            task.name: Searched(frozenset(self.keys[start:end]), frozenset(found[task.name]), file_digest(task))
            for task, start, end in zip(self.tasks, [0, *self.ends], self.ends, strict=False)
        }

    def _name(self, batch: list[Item]) -> None:
        for item in batch:
            for name in references(f"{item.key} {item.group or ''}"):
                self._named.setdefault(name, []).append(len(self.keys))
            self.keys.append(item.key)


@dataclass(frozen=True, slots=True)
class Panels:
    """Hashes of the panels of images."""

    hashes: "NDArray[np.uint64]"
    """Of all panels [P], those of an image's own margins cut off among them; never 0."""
    owners: "NDArray[np.int64]"
    """The image of each [P], rising."""
    fronts: "NDArray[np.uint64]"
    """Of each image without its margins [N], 0 where it has none."""

    @classmethod
    def of(cls, lists: pa.ListArray) -> "Panels":
        """Of lists as `_core.hash_panels` gives them; null for an image that was not looked at."""
        filled = lists.fill_null([])
        lengths = filled.value_lengths().to_numpy()
        hashes = filled.flatten().to_numpy().astype(np.uint64)
        fronts = np.zeros(len(filled), np.uint64)
        fronts[lengths > 0] = hashes[(np.cumsum(lengths) - lengths)[lengths > 0]]
        owners = np.repeat(np.arange(len(filled)), lengths)
        return cls(hashes[hashes != 0], owners[hashes != 0], fronts)

    def slice(self, start: int, stop: int) -> "Panels":
        """Those of some images, which are counted from 0 again."""
        first, last = np.searchsorted(self.owners, [start, stop])
        return Panels(self.hashes[first:last], self.owners[first:last] - start, self.fronts[start:stop])


def file_digest(task: Items) -> str | None:
    """The sha-256 of the task file that images are of; None for other images."""
    return task.task.sha256 if isinstance(task, TaskData) else None


class Lookup:
    """Texts, and which targets have each."""

    def __init__(self, texts: pa.Array, targets: "NDArray[np.int64]") -> None:
        encoded = texts.dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        order = np.argsort(codes, kind="stable")
        self._texts = encoded.dictionary
        self._targets = targets[order]
        self._starts = np.searchsorted(codes[order], np.arange(len(self._texts) + 1))

    def find(self, column: pa.ChunkedArray, most: int) -> "tuple[NDArray[np.int64], NDArray[np.int64], int, Any]":
        """Rows of a column whose text some targets have.

        Returns:
            Rows and targets of pairs, at most `most` of a row; how many pairs there are in all; all targets of these.
        """
        at = pc.index_in(column, self._texts)
        rows = np.flatnonzero(at.is_valid().to_numpy())
        codes = at.drop_null().to_numpy()
        starts, ends = self._starts[codes], self._starts[codes + 1]
        touched = np.unique(codes)
        all_targets = [self._targets[self._starts[code] : self._starts[code + 1]] for code in touched]
        counts = np.minimum(ends - starts, most)
        places = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        leaked = np.concatenate([np.empty(0, np.int64), *all_targets])
        return np.repeat(rows, counts), self._targets[places], int((ends - starts).sum()), leaked


def references(text: str) -> set[str]:
    """The articles and figures that a text names: `PMC123`, a DOI in small letters, `PMC123_0001`."""
    found = {f"PMC{int(number)}" for number in PMCID.findall(text)}
    found |= {name.upper() for name in FIGURE.findall(text)}
    return found | {name.rstrip(CLOSING).lower() for name in DOI.findall(text)}


def unit(vectors: "NDArray[np.generic]") -> "NDArray[np.float32]":
    """The vectors with length 1; zeros for those that could not be made."""
    rows = np.nan_to_num(vectors.astype(np.float32))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    made: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return made
