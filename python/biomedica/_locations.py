"""What `stream` and `index` accept as their sources: brace lists, globs and `hf://` to paths and URLs."""

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from biomedica import _core
from biomedica._sources import StrPath
from biomedica.exceptions import SourceNotFoundError

__all__ = ["Locations", "expand", "headers_by_prefix", "tars"]

HUB = "hf://"
LISTED = ("s3://", "gs://", "az://")
"""Stores that tell what lies below a prefix."""

MAX_BRACES = 1_000_000
"""Paths that one brace list may stand for."""

MAX_GROUPS = 64
"""Braces that one may have."""

_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True, slots=True)
class Locations:
    """Where shards lie, and what a server has to be told to hand them out."""

    locations: list[str]
    """Paths and URLs of shards, and directories, in order."""
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


def tars(location: str, config: Sequence[tuple[str, str]] | None = None) -> list[str]:
    """The location itself, or all tars in the directory that it is, sorted.

    With the `config` of stores, also all tars below a prefix of one: a URL of `s3`, `gs` or `az` that ends in no `.tar`.

    Raises:
        SourceNotFoundError: The directory or prefix has none.
    """
    if "://" in location:
        if config is None or not location.startswith(LISTED) or location.endswith(".tar"):
            return [location]
        listed = _core.Store(config).list(location)
        found = sorted(name for name, _ in listed if name.endswith(".tar"))
    elif Path(location).is_dir():
        found = sorted(str(shard) for shard in Path(location).rglob("*.tar"))
    else:
        return [location]
    if not found:
        raise SourceNotFoundError(f"{location}: neither dataset.json nor any .tar file is in this directory")
    return found


def headers_by_prefix(
    found: Sequence[Locations], headers: Mapping[str, str] | None = None
) -> list[tuple[str, str, str]]:
    """Prefix of URLs, name and value of each header; the caller's own `headers` go to all of `found`."""
    own = [("", name, value) for name, value in (headers or {}).items()]
    return [(one.headers_for, name, value) for one in found for name, value in one.headers.items()] + own


def _braces(text: str) -> Iterator[str]:
    # A path that is there is meant as it is written.
    if "://" not in text and os.path.exists(text):  # noqa: PTH110 - a string
        yield text
        return
    if text.count("{") > MAX_GROUPS:
        raise ValueError(f"{text[:80]!r}… has more than {MAX_GROUPS} braces")
    for count, word in enumerate(_expanded(text)):
        if count == MAX_BRACES:
            raise ValueError(f"{text!r} stands for more than {MAX_BRACES:,} paths")
        yield word


def _expanded(text: str) -> Iterator[str]:
    start = text.find("{")
    inside = _balanced(text[start:]) if start >= 0 else None
    if inside is None:
        yield text
        return
    head, tail = text[:start], text[start + len(inside) + 2 :]
    for word in _words(inside):
        for end in _expanded(tail):
            yield head + word + end


def _balanced(text: str) -> str | None:
    """What is between the first brace and its counterpart."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[1:place]
    return None


def _words(inside: str) -> Iterator[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers is None:
        depth, word = 0, ""
        for character in inside + ",":
            if character == "," and depth == 0:
                yield from _expanded(word)
                word = ""
            else:
                depth += (character == "{") - (character == "}")
                word += character
        return
    first, last = int(numbers[1]), int(numbers[2])
    step = 1 if last >= first else -1
    width = len(numbers[1]) if numbers[1].startswith("0") or len(numbers[1]) == len(numbers[2]) else 0
    for number in range(first, last + step, step):
        yield f"{number:0{width}}"


def _globbed(text: str) -> list[str]:
    if "://" in text or not glob.has_magic(text) or os.path.exists(text):  # noqa: PTH110 - a string
        return [text]
    found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - patterns may be absolute
    if not found:
        raise SourceNotFoundError(f"{text}: no file matches")
    return found
