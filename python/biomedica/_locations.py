"""What `stream` and `index` accept as their sources: brace lists, globs and `hf://` to paths and URLs."""

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from biomedica._sources import StrPath
from biomedica.exceptions import SourceNotFoundError

__all__ = ["Locations", "expand", "headers_by_prefix"]

HUB = "hf://"

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
    """HTTP headers that the server of `headers_for` wants; `Authorization` is a secret."""
    headers_for: str = ""
    """The beginning of the URLs whose requests get the headers, and no others."""


def expand(source: StrPath | Sequence[StrPath]) -> Locations:
    """Expand brace lists (`{000..012}`, `{train,test}`), globs and `hf://`; what a glob finds comes sorted.

    `hf://datasets/org/name[@revision][/path-or-glob]` becomes URLs of the hub at the commit that the revision is now;
    without a path, all tars of the repository.

    Raises:
        SourceNotFoundError: A glob matches nothing, or there is no such repository.
        SourceError: The hub cannot be asked.
        ModuleNotFoundError: `hf://` without the package `huggingface_hub`.
        ValueError: There is no source at all, or a brace list is longer than a million paths.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    texts = [text for one in sources for text in _braces(os.fspath(one))]
    if not texts:
        raise ValueError("no source: name at least one shard, dataset, glob or brace list")
    if not any(text.startswith(HUB) for text in texts):
        return Locations([location for text in texts for location in _globbed(text)])
    from biomedica._hub import Hub  # asks for a package that only `hf://` needs

    hub = Hub()
    found = [location for text in texts for location in (hub.find(text) if text.startswith(HUB) else _globbed(text))]
    return Locations(found, hub.headers(), hub.endpoint)


def headers_by_prefix(
    found: Sequence[Locations], headers: Mapping[str, str] | None = None
) -> list[tuple[str, str, str]]:
    """Prefix of URLs, name and value of each header; the caller's own `headers` go to all of `found`."""
    own = [("", name, value) for name, value in (headers or {}).items()]
    return [(one.headers_for, name, value) for one in found for name, value in one.headers.items()] + own


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
