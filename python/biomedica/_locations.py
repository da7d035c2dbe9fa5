"""What `stream` and `index` accept as their sources: brace lists and globs to paths and URLs."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from biomedica._sources import StrPath
from biomedica.exceptions import SourceNotFoundError

__all__ = ["Locations", "expand"]

MAX_BRACES = 1_000_000
"""Paths that one brace list may stand for."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True, slots=True)
class Locations:
    """Where shards lie, and what a server has to be told to hand them out."""

    locations: list[str]
    """Paths and URLs of shards, and directories of datasets, in order."""
    headers: dict[str, str] = field(default_factory=dict)
    """HTTP headers to send with each request."""


def expand(source: StrPath | Sequence[StrPath]) -> Locations:
    """Expand brace lists (`{000..012}`, `{train,test}`) and globs; what a glob finds comes sorted.

    Raises:
        SourceNotFoundError: A glob matches nothing.
        ValueError: There is no source at all, or a brace list is longer than a million paths.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    found = [location for one in sources for text in _braces(os.fspath(one)) for location in _globbed(text)]
    if not found:
        raise ValueError("no source: name at least one shard, dataset, glob or brace list")
    return Locations(found)


def _braces(text: str) -> Iterator[str]:
    pending = [text]
    count = 0
    while pending:
        text = pending.pop()
        # A path that is there is meant as it is written.
        match = None if "://" not in text and os.path.exists(text) else _BRACES.search(text)  # noqa: PTH110 - a string
        if match is None:
            count += 1
            yield text
        else:
            head, tail = text[: match.start()], text[match.end() :]
            pending += [head + word + tail for word in reversed(_words(match[1]))]
        if count + len(pending) > MAX_BRACES:
            raise ValueError(f"{text!r} stands for more than {MAX_BRACES:,} paths")


def _words(inside: str) -> list[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers is None:
        return inside.split(",")
    first, last = int(numbers[1]), int(numbers[2])
    if abs(last - first) >= MAX_BRACES:
        raise ValueError(f"{{{inside}}} stands for more than {MAX_BRACES:,} paths")
    step = 1 if last >= first else -1
    width = len(numbers[1]) if numbers[1].startswith("0") or len(numbers[1]) == len(numbers[2]) else 0
    return [f"{number:0{width}}" for number in range(first, last + step, step)]


def _globbed(text: str) -> list[str]:
    if "://" in text or not glob.has_magic(text) or os.path.exists(text):  # noqa: PTH110 - a string
        return [text]
    found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - patterns may be absolute
    if not found:
        raise SourceNotFoundError(f"{text}: no file matches")
    return found
