"""Which packages of the sources are wanted, as functions take it and the core wants it."""

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

from biomedica._sources import StrPath

__all__ = ["Selection", "Since", "Versions", "as_selection"]

Versions: TypeAlias = Literal["best", "latest", "all"]
"""Which of the versions of an article are taken."""

Since: TypeAlias = str | date | datetime
"""A day or a moment; text is ISO 8601, and without a time zone it is UTC."""


class Selection(TypedDict):
    """As the core wants it."""

    versions: Versions
    ids: Path | None
    since: int | None
    limit: int | None
    sample: float | None
    sample_seed: int


def as_selection(
    versions: Versions = "best",
    ids: StrPath | None = None,
    since: Since | None = None,
    *,
    limit: int | None = None,
    sample: float | None = None,
    sample_seed: int = 0,
) -> Selection:
    """The selection, which the core checks.

    Raises:
        ValueError: `since` is no date.
    """
    return {
        "versions": versions,
        "ids": None if ids is None else Path(os.fspath(ids)),
        "since": None if since is None else _seconds(since),
        "limit": limit,
        "sample": sample,
        "sample_seed": sample_seed,
    }


def _seconds(since: Since) -> int:
    """Seconds since 1970."""
    if isinstance(since, str):
        try:
            since = datetime.fromisoformat(since)
        except ValueError:
            raise ValueError(f"since is a date such as 2026-09-30, not {since!r}") from None
    elif not isinstance(since, datetime):
        since = datetime(since.year, since.month, since.day, tzinfo=UTC)
    if since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    return int(since.timestamp())
