"""Packages on disk: tarballs and directories whose bytes depend on nothing but their content."""

from __future__ import annotations

import io
import os
import tarfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MTIME = 1_500_000_000
"""The time stamped on every tar member."""


def tarball(members: Iterable[tuple[str, bytes]], folder: str | None = None) -> bytes:
    """A `.tar.gz` of `members`, with an entry for their `folder` when it is named."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        if folder:
            entry = _entry(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, data in members:
            entry = _entry(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
    return squeeze.compress(raw.getvalue()) + squeeze.flush()


def _entry(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode = MTIME, 0o644
    return entry


def write(path: Path, data: bytes) -> None:
    """`data` at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(data)
    os.replace(draft, path)  # noqa: PTH105 - the one call that says what it does


def write_directory(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """`members` as files of the directory `path`."""
    for name, data in members:
        write(path / name, data)
