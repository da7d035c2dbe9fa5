"""Where a dataset's files lie: a directory, or a prefix of a store that the core reads and writes."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar, NoReturn, Protocol, Self, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs

from biomedica import _core
from biomedica._sources import StorageOptions, StrPath, as_config
from biomedica.exceptions import DatasetError, SourceNotFoundError

__all__ = ["Directory", "Prefix", "Storage", "storage", "sync", "user_cache", "whole_file"]

TEMPORARY = ".tmp-"


class Storage(Protocol):
    """Files by their paths relative to a root."""

    @property
    def root(self) -> Path | str:
        """The directory or URL."""

    def location(self, relative: str) -> Path | str:
        """The path or URL of a file."""

    def read(self, relative: str) -> bytes | None:
        """All of a file; None when there is none."""

    def read_at(self, relative: str, offset: int, length: int) -> bytes:
        """Bytes of a file; fewer where it ends before."""

    def open(self, relative: str) -> BinaryIO:
        """A file to read at any place; `FileNotFoundError` when there is none."""

    def below(self, folder: str) -> list[str]:
        """All files below a folder, sorted; links are not followed. None where there is no folder."""

    def table(self, relatives: Sequence[str]) -> pads.Dataset:
        """Parquet files as one dataset of pyarrow."""

    def parts(self, relatives: Mapping[str, int]) -> pads.Dataset:
        """The same with a last column `part`: of each file, its number here."""

    def names(self, folder: str) -> list[str]:
        """The files right in a folder; none where there is no folder."""

    def write(self, relative: str, data: bytes | pa.Buffer) -> None:
        """Write a file whole, or not at all, in the place of one that may be there."""

    def remove(self, relative: str) -> None:
        """Remove a file; one that is not there is fine."""

    def lock(self, folder: str) -> contextlib.AbstractContextManager[None]:
        """Hold a folder against every other process that asks for it; refused as `locked` when one holds it."""


def storage(location: StrPath, storage_options: StorageOptions | None = None) -> Storage:
    """The files at a path or URL."""
    text = os.fspath(location).removeprefix("file://")
    return Prefix(text, storage_options) if "://" in text else Directory(text)


class Directory:
    """Files below a directory."""

    def __init__(self, root: StrPath) -> None:
        self.root = Path(root)

    def location(self, relative: str) -> Path:
        return self.root / relative

    def read(self, relative: str) -> bytes | None:
        try:
            return (self.root / relative).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_at(self, relative: str, offset: int, length: int) -> bytes:
        descriptor = os.open(self.root / relative, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def open(self, relative: str) -> BinaryIO:
        return (self.root / relative).open("rb")

    def below(self, folder: str) -> list[str]:
        found = (Path(place, name) for place, _, names in os.walk(self.root / folder) for name in names)
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def table(self, relatives: Sequence[str]) -> pads.Dataset:
        return pads.dataset([self.root / relative for relative in relatives], format="parquet")

    def parts(self, relatives: Mapping[str, int]) -> pads.Dataset:
        return _numbered(self.table(list(relatives)), relatives.values())

    def names(self, folder: str) -> list[str]:
        try:
            return [path.name for path in (self.root / folder).iterdir() if path.is_file()]
        except FileNotFoundError:
            return []

    def write(self, relative: str, data: bytes | pa.Buffer) -> None:
        with whole_file(self.root / relative) as file:
            file.write(data)

    def remove(self, relative: str) -> None:
        (self.root / relative).unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        with _core.Lock(str(self.root / folder)):
            # What a killed process left.
            for path in (self.root / folder).rglob(f"{TEMPORARY}*"):
                path.unlink()
            yield


class Prefix:
    """Objects below a prefix of a store."""

    def __init__(self, root: str, storage_options: StorageOptions | None = None) -> None:
        self.root = root.rstrip("/")
        self._config = as_config(storage_options)
        self._store = _core.Store(self._config)

    def location(self, relative: str) -> str:
        return f"{self.root}/{relative}"

    def read(self, relative: str) -> bytes | None:
        try:
            return self._store.read(self.location(relative))
        except SourceNotFoundError:
            return None

    def read_at(self, relative: str, offset: int, length: int) -> bytes:
        location = self.location(relative)
        size = self._store.size(location)
        if size is None:
            raise FileNotFoundError(f"{location}: there is no such object")
        return self._store.read(location, offset, max(min(length, size - offset), 0))

    def open(self, relative: str) -> BinaryIO:
        location = self.location(relative)
        size = self._store.size(location)
        if size is None:
            raise FileNotFoundError(f"{location}: there is no such object")
        return cast("BinaryIO", _File(self._store, location, size))

    def below(self, folder: str) -> list[str]:
        prefix = f"{self.root}/" if folder in ("", ".") else f"{self.location(folder)}/"
        return sorted(location.removeprefix(f"{self.root}/") for location, _ in self._store.list(prefix))

    def table(self, relatives: Sequence[str]) -> pads.Dataset:
        files = pafs.PyFileSystem(_Files(self._store))
        return pads.dataset([self.location(relative) for relative in relatives], format="parquet", filesystem=files)

    def parts(self, relatives: Mapping[str, int]) -> pads.Dataset:
        return _numbered(self.table(list(relatives)), relatives.values())

    def names(self, folder: str) -> list[str]:
        prefix = f"{self.location(folder)}/"
        below = (location.removeprefix(prefix) for location, _ in self._store.list(prefix))
        return [name for name in below if "/" not in name]

    def write(self, relative: str, data: bytes | pa.Buffer) -> None:
        self._store.write(self.location(relative), bytes(data))

    def remove(self, relative: str) -> None:
        self._store.remove(self.location(relative))

    @contextlib.contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        with _core.Lock(self.location(folder), self._config):
            yield


def user_cache(name: str) -> Path:
    """The folder of that name in the cache of whoever runs this (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "biomedica" / name


def _numbered(table: pads.Dataset, numbers: Iterable[int]) -> pads.Dataset:
    """The files of a dataset, each known to pyarrow by a number of its own, so that a filter can tell them apart."""
    schema = table.schema.append(pa.field("part", pa.int32()))
    parts = [pc.field("part") == number for number in numbers]
    return pads.FileSystemDataset.from_paths(
        table.files, schema=schema, format=table.format, filesystem=table.filesystem, partitions=parts
    )


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its place whole when the block ends, and leaves nothing when that fails.

    Raises:
        DatasetError: It cannot be written.
    """
    temporary = path.with_name(TEMPORARY + path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise DatasetError(f"{path}: cannot be written: {error.strerror or error}") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Wait until the disk has what was written to a file, or a directory's entries."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Files(pafs.FileSystemHandler):  # type: ignore[misc] # pyarrow says nothing of its types
    """Objects by their URLs, for pyarrow to read: with the core's credentials, patience and errors."""

    def __init__(self, store: _core.Store) -> None:
        self._store = store

    def get_type_name(self) -> str:
        return "biomedica"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Files) and other._store is self._store

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__: ClassVar[None]  # type: ignore[assignment] # as of any class with __eq__ alone

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        sizes = [self._store.size(path) for path in paths]
        kinds = [pafs.FileType.NotFound if size is None else pafs.FileType.File for size in sizes]
        return [pafs.FileInfo(path, kind, size=size) for path, kind, size in zip(paths, kinds, sizes, strict=True)]

    def open_input_file(self, path: str) -> pa.PythonFile:
        size = self._store.size(path)
        if size is None:
            raise FileNotFoundError(path)
        return pa.PythonFile(_File(self._store, path, size), mode="r")

    open_input_stream = open_input_file

    def _refused(self, *_: object) -> NoReturn:
        raise NotImplementedError("tables are read here, nothing else")

    get_file_info_selector = create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refused
    delete_file = move = copy_file = open_output_stream = open_append_stream = _refused


class _File:
    """One object as a file that can be read and sought."""

    closed = False

    def __init__(self, store: _core.Store, location: str, size: int) -> None:
        self._store, self._location, self._size, self._at = store, location, size, 0

    def read(self, size: int = -1) -> bytes:
        length = self._size - self._at if size < 0 else min(size, self._size - self._at)
        data = self._store.read(self._location, self._at, length) if length > 0 else b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
