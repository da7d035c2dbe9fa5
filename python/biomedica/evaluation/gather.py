"""The images of a task with the features that a model makes of them, and what the data say of each."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biomedica.evaluation.data import Entry, Item
    from biomedica.evaluation.features import Cache

    Floats = np.ndarray[tuple[int, int], np.dtype[np.float32]]

__all__ = ["Answers", "Gathered", "gather"]


@dataclass(slots=True)
class Answers:
    """What a task's data say of each image, in their order."""

    keys: list[str] = field(default_factory=list)
    labels: list[int | tuple[int, ...] | None] = field(default_factory=list)
    options: list[tuple[str, ...]] = field(default_factory=list)
    """Options of `choice`, captions of `retrieval`; empty for other kinds."""
    groups: list[str | None] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    """The sha-256 of each image's bytes, once all are read."""

    def __len__(self) -> int:
        """Images."""
        return len(self.keys)

    def entries(self) -> "Iterator[Entry]":
        """For `TaskData.split`."""
        return zip(self.keys, self.labels, self.options or repeat(None), self.groups)  # noqa: B905 - `repeat` never ends

    def add(self, item: "Item") -> None:
        """Take in an image's."""
        self.keys.append(item.key)
        self.labels.append(item.label)
        self.groups.append(item.group)
        if item.options is not None:
            self.options.append(item.options)

    def only(self, kept: "Iterable[int]") -> "Answers":
        """Those of some images."""
        places = list(kept)
        options = [self.options[at] for at in places] if self.options else []
        return Answers(
            [self.keys[at] for at in places], [self.labels[at] for at in places], options,
            [self.groups[at] for at in places], [self.hashes[at] for at in places],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read, and the features of images that could be decoded."""

    everything: Answers
    """Of all images."""
    answers: Answers
    """Of those with features."""
    features: "Floats"
    """[N, D]"""
    unreadable: tuple[str, ...]
    """Keys of those that could not."""
    encoded: int
    """Images that were not in the cache."""
    seconds: float


def gather(
    items: "Iterable[Item]", images: "Cache[bytes]", progress: Callable[[int, int], object] = lambda *_: None
) -> Gathered:
    """Read a task's images and make their features, but for those that are in the cache.

    Args:
        items: The images.
        images: The cache.
        progress: Told how many images were read and how many encoded.

    Raises:
        TaskError: The data are damaged or do not fit the task.
    """
    begin = time.monotonic()
    everything = Answers()

    def encoded_files() -> Iterator[bytes]:
        for item in items:
            everything.add(item)
            yield item.image

    found = images.encode(encoded_files(), lambda made: progress(len(everything), made))
    progress(len(everything), found.made)
    everything.hashes = [digest.hex() for digest in found.digests]
    good = np.isfinite(found.features).all(1)
    unreadable = tuple(everything.keys[at] for at in np.flatnonzero(~good))
    answers = everything.only(np.flatnonzero(good).tolist()) if unreadable else everything
    seconds = time.monotonic() - begin
    return Gathered(everything, answers, found.features[good], unreadable, found.made, seconds)
