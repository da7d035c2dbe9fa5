"""What the functions that read packages accept as their sources."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

StrPath: TypeAlias = str | os.PathLike[str]
"""A path."""

Sources: TypeAlias = StrPath | Iterable[StrPath]
"""One source or several: packages, directory trees, globs, or list files."""


def as_paths(sources: Sources) -> list[Path]:
    """The sources as a list of paths.

    Raises:
        ValueError: There is no source at all.
    """
    paths = [Path(sources)] if isinstance(sources, str | os.PathLike) else [Path(source) for source in sources]
    if not paths:
        raise ValueError("no source: name at least one package, directory, glob or list file")
    return paths
