"""What functions accept as their sources, and how stores are spoken to."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

StrPath: TypeAlias = str | os.PathLike[str]
"""A path, or the URL of something in a store as text."""

Sources: TypeAlias = StrPath | Iterable[StrPath]
"""One source or several: packages, directory trees, globs, list files, or URLs."""


StorageOptions: TypeAlias = Mapping[str, str]
"""Names and values that the `object_store` crate knows, such as `aws_endpoint`; see `biomedica.open`."""


def as_config(storage_options: StorageOptions | None) -> list[tuple[str, str]]:
    """The options as the core takes them.

    Raises:
        TypeError: A name or value is no text.
    """
    given = list((storage_options or {}).items())
    for name, value in given:
        if not (isinstance(name, str) and isinstance(value, str)):
            raise TypeError(f"storage_options are names and values of text; {name!r} is not")
    return given


def as_paths(sources: Sources) -> list[StrPath]:
    """The sources as a list of paths and URLs.

    Raises:
        ValueError: There is no source at all.
    """
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not given:
        raise ValueError("no source: name at least one package, directory, glob, list file or URL")
    # A `Path` of a URL would lose one of its slashes.
    return [source if isinstance(source, str) and "://" in source else Path(source) for source in given]
