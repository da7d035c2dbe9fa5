"""The directory or prefix that holds the data of tasks. Nothing outside it is ever read."""

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from biomedica._sources import StorageOptions, StrPath
from biomedica._storage import Directory, storage
from biomedica.exceptions import BiomedicaError, SourceNotFoundError, TaskError

__all__ = ["MOST_IMAGE_BYTES", "DataRoot"]

MOST_IMAGE_BYTES = 256 << 20
"""Of the encoded file of one image."""
MOST_MATCHES = 100_000
"""Files that a pattern may find."""
_MAGIC = frozenset("*?[")


class DataRoot:
    """Files below a data root, by paths that cannot lead out of it.

    Args:
        root: A directory, or a prefix of a store.
        storage_options: How the store is spoken to; see `biomedica.open`.
    """

    def __init__(self, root: StrPath, storage_options: StorageOptions | None = None) -> None:
        self._files = storage(root, storage_options)
        self._real = self._files.root.resolve() if isinstance(self._files, Directory) else None

    def __str__(self) -> str:
        return str(self._files.root)

    def location(self, relative: str) -> Path | str:
        """The path or URL of a file or folder.

        Raises:
            TaskError: It would lie outside.
        """
        path = PurePosixPath(relative)
        if path.is_absolute() or ".." in path.parts or "\0" in relative:
            raise TaskError(f"{self}: {relative!r:.200} leads out of the data root")
        found = self._files.location(relative)
        if self._real is not None and not Path(found).resolve().is_relative_to(self._real):
            raise TaskError(
                f"{found}: is a link that leads out of the data root {self._real}; name that place as the root"
            )
        return found

    def has_folder(self, relative: str) -> bool:
        """Whether there is a folder with something in it."""
        place = self.location(relative)
        if isinstance(place, Path):
            return place.is_dir() and next(place.iterdir(), None) is not None
        return bool(self._files.below(relative))

    def match(self, pattern: str) -> list[str]:
        """The files that a path names, sorted: itself, or all that fit where it has `*`, `?` or `[`."""
        if not _MAGIC & set(pattern):
            place = self.location(pattern)
            there = place.is_file() if isinstance(place, Path) else bool(self._size(pattern))
            return [pattern] if there else []
        parts = PurePosixPath(pattern).parts
        fixed = next(number for number, part in enumerate(parts) if _MAGIC & set(part))
        folder = str(PurePosixPath(*parts[:fixed]))
        self.location(folder)
        found = [
            name
            for name in self._files.below(folder)
            if len(own := PurePosixPath(name).parts) == len(parts) and all(map(fnmatch.fnmatchcase, own, parts))
        ]
        if len(found) > MOST_MATCHES:
            raise TaskError(f"{self}/{pattern}: {len(found):,} files match; at most {MOST_MATCHES:,} may")
        return found

    def below(self, folder: str) -> Iterator[str]:
        """All files below a folder, sorted by their paths."""
        self.location(folder)
        yield from self._files.below(folder)

    def open(self, relative: str) -> BinaryIO:
        """A file to read.

        Raises:
            TaskError: There is none, or it lies outside.
        """
        place = self.location(relative)
        try:
            return self._files.open(relative)
        except OSError as error:
            raise TaskError(f"{place}: cannot be read: {error.strerror or 'there is no such file'}") from error

    def image(self, relative: str, where: str) -> bytes:
        """All of an image's file; `where` names the row that wants it.

        Raises:
            TaskError: There is none, it lies outside, or it is larger than any image.
        """
        try:
            self.location(relative)
            data = self._files.read_at(relative, 0, MOST_IMAGE_BYTES + 1)
        except TaskError as error:
            raise TaskError(f"{where}: {error}") from error
        except (OSError, ValueError, BiomedicaError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise TaskError(f"{where}: the image {relative!r:.200} cannot be read: {reason}") from error
        return checked_image(data, where)

    def _size(self, relative: str) -> int:
        try:
            with self._files.open(relative) as file:
                return max(1, file.seek(0, os.SEEK_END))
        except (FileNotFoundError, SourceNotFoundError):
            return 0


def checked_image(data: bytes, where: str) -> bytes:
    """The bytes of an image, if there are any and no more than one has.

    Raises:
        TaskError: There are none, or too many.
    """
    if not data:
        raise TaskError(f"{where}: the image is empty")
    if len(data) > MOST_IMAGE_BYTES:
        raise TaskError(f"{where}: the image is larger than {MOST_IMAGE_BYTES >> 20} MiB")
    return data
