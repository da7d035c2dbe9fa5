"""Features that were made once, found again by what they were made of.

A cache is a folder for each encoder and all that its features depend on:

    model.json     what that is
    digests        the sha-256 of each image or text, 32 bytes each, in the order in which they came
    features       float32 [N, D], a row for each

Rows go to disk before their digests do, so that whatever breaks off leaves whole pairs; what is beyond them is cut off.
Images that cannot be decoded are not kept.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from biomedica._sources import StrPath
from biomedica._storage import storage, user_cache
from biomedica.concepts.features import identity
from biomedica.exceptions import BiomedicaError, EvaluationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica.concepts.encoder import Encoder, Vectors

__all__ = ["CACHE_VARIABLE", "Cache", "Encoded", "cache_folder"]

CACHE_VARIABLE = "BIOMEDICA_CACHE"
"""The environment variable with the folder of all caches."""
DIGEST = 32
"""Bytes of a sha-256."""
FLUSH = 4096
"""Rows after which digests are written."""

T = TypeVar("T", bound=bytes | str)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Features of a series of images or texts."""

    features: "Vectors"
    """Float32 [N, D]; a row of NaN for what cannot be decoded."""
    made: int
    """How many different ones were not in the cache."""
    digests: tuple[bytes, ...]
    """The sha-256 of each."""


def cache_folder() -> Path:
    """The folder of caches: what `BIOMEDICA_CACHE` names, else `biomedica/features` in the user's cache."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    return user_cache("features")


class Cache(Generic[T]):
    """The features of one encoder; one process at a time has it. Use it in a `with` statement.

    Args:
        root: The folder of caches.
        encoder: Makes what is not there.
        batch_size: How many are encoded at a time.
        depends: What else the features depend on, such as the decoder.

    Raises:
        EvaluationError: Another process has it, or it cannot be written.
    """

    def __init__(self, root: StrPath, encoder: "Encoder", batch_size: int, depends: dict[str, Any]) -> None:
        record = {**identity(encoder.record), **depends}
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        self.folder = Path(root) / f"{record['weights'][:12]}-{record['input']}-{digest[:16]}"
        self._record = record
        self._encoder = encoder
        self._batch_size = batch_size
        self._open = contextlib.ExitStack()
        self._waiting = bytearray()

    def __enter__(self) -> "Cache[T]":
        files = storage(self.folder)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(files.lock(""))
                files.write("model.json", json.dumps(self._record, indent=1).encode())
                self._digests = stack.enter_context((self.folder / "digests").open("a+b"))
                self._features = stack.enter_context((self.folder / "features").open("a+b"))
                rows = min(_size(self._digests) // DIGEST, _size(self._features) // self._row)
                self._digests.truncate(rows * DIGEST)
                self._features.truncate(rows * self._row)
            except (OSError, BiomedicaError) as error:
                why = getattr(error, "strerror", None) or error
                raise EvaluationError(
                    f"{self.folder}: the cache of features cannot be used: {why}; wait for the other process, or name"
                    f" another folder (--cache, {CACHE_VARIABLE})"
                ) from error
            stack.callback(self._flush)
            self._open = stack.pop_all()
        known = np.fromfile(self.folder / "digests", f"S{DIGEST}")
        self._rows = rows
        self._order = np.argsort(known)
        self._known = known[self._order]
        self._new: dict[bytes, int] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __len__(self) -> int:
        """Rows."""
        return self._rows

    def encode(self, things: Iterable[T], progress: Callable[[int], object] = lambda _: None) -> Encoded:
        """Their features, in their order.

        Args:
            things: Encoded images, or texts. One that comes several times is encoded once.
            progress: Told how many were encoded, after each batch.

        Raises:
            EvaluationError: The cache cannot be written.
        """
        rows: list[int] = []
        digests: list[bytes] = []
        under_way: list[bytes] = []
        places: dict[bytes, int] = {}
        """Of what is under way in `under_way`, as -1 - place."""

        def unknown() -> Iterator[list[T]]:
            batch: list[T] = []
            for thing in things:
                digest = hashlib.sha256(thing if isinstance(thing, bytes) else thing.encode()).digest()
                digests.append(digest)
                row = self._row_of(digest)
                if row is None:
                    row = places.get(digest)
                if row is None:
                    row = places[digest] = -1 - len(under_way)
                    under_way.append(digest)
                    batch.append(thing)
                rows.append(row)
                if len(batch) == self._batch_size:
                    yield batch
                    batch = []
            if batch:
                yield batch

        done, new_rows = 0, list[int]()
        for features in self._encoder.encode(unknown()):
            good = np.asarray(np.isfinite(features).all(1))
            kept = [under_way[done + at] for at in np.flatnonzero(good)]
            new_rows += _numbered(good, self._rows)
            self._append(kept, features[good])
            done += len(features)
            progress(done)
        self._flush()
        self._new.update({digest: row for digest, row in zip(under_way, new_rows, strict=True) if row >= 0})
        found = np.array(rows, np.int64)
        pending = found < 0
        found[pending] = np.array(new_rows, np.int64)[-1 - found[pending]] if new_rows else 0
        return Encoded(self._gather(found), done, tuple(digests))

    @property
    def _row(self) -> int:
        """Bytes of a row."""
        return 4 * self._encoder.dimension

    def _row_of(self, digest: bytes) -> int | None:
        if digest in self._new:
            return self._new[digest]
        at = int(np.searchsorted(self._known, np.bytes_(digest)))
        # what numpy gives out of an array of bytes has lost the zeros at its end
        if at < len(self._known) and bytes(self._known[at]).ljust(DIGEST, b"\0") == digest:
            return int(self._order[at])
        return None

    def _append(self, digests: list[bytes], features: "Vectors") -> None:
        try:
            self._features.write(np.ascontiguousarray(features, np.float32).tobytes())
            self._waiting += b"".join(digests)
            self._rows += len(digests)
            if len(self._waiting) >= FLUSH * DIGEST:
                self._flush()
        except OSError as error:
            raise EvaluationError(f"{self.folder}: cannot be written: {error.strerror or error}") from error

    def _flush(self) -> None:
        """First the rows, then their digests."""
        for file, data in ((self._features, b""), (self._digests, bytes(self._waiting))):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._waiting.clear()

    def _gather(self, rows: "NDArray[np.int64]") -> "Vectors":
        found = np.full((len(rows), self._encoder.dimension), np.nan, np.float32)
        there = rows >= 0
        if there.any():
            features = np.memmap(self._features.name, np.float32, "r", shape=(self._rows, self._encoder.dimension))
            found[there] = features[rows[there]]
        return found


def _numbered(good: "NDArray[np.bool_]", begin: int) -> list[int]:
    """Row numbers from `begin` for the good ones, -1 for the others."""
    numbers: list[int] = np.where(good, begin + np.cumsum(good) - 1, -1).tolist()
    return numbers


def _size(file: Any) -> int:  # noqa: ANN401 - a binary file
    return int(os.fstat(file.fileno()).st_size)
