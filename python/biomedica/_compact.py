"""`compact`: a dataset that was updated, in fewer and fuller parts without what is dead."""

import os
from dataclasses import dataclass

from biomedica import _core
from biomedica._sources import StorageOptions, StrPath, as_config

__all__ = ["Compacted", "compact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What `compact` did."""

    parts_before: int
    parts: int
    shards_before: int
    shards: int
    bytes_before: int
    """Bytes of all parts before."""
    num_bytes: int
    """And after."""
    dropped_articles: int
    """Articles with tombstones that are in no file any more."""
    dropped_pairs: int
    """Pairs of these."""


def compact(path: StrPath, *, min_dropped: float = 0.05, storage_options: StorageOptions | None = None) -> Compacted:
    """Merge the small parts of a dataset, and take out of its files what updates have withdrawn or changed.

    Each update adds a part or more, and sets tombstones in others, whose files stay as they are. Parts of which the
    share `min_dropped` of the packages is dead, and those with less than half of `part_size` packages, are copied into
    new ones. Images keep their bytes; samples and tables only change their places. The dataset is the old or the new
    one whole whenever this ends, and the same call goes on where it stopped. What is open on the old files must be
    opened again; states of streams of the old dataset do not fit the new one; `enrich` joins its tables again.

    Args:
        path: The dataset's directory, or its URL in a store. One process writes at a time.
        min_dropped: From 0 to 1; 0 takes out everything that is dead.
        storage_options: How stores are spoken to; see `biomedica.open`.

    Returns:
        What was saved.

    Raises:
        DatasetError: There is no dataset, it is not finished or damaged (`mismatch`), or another process is writing it
            (`locked`).
        KeyboardInterrupt: Ctrl-C; the same call goes on where it stopped.

    Example:
        >>> import biomedica as bm
        >>> bm.compact("dataset/", min_dropped=0).dropped_articles  # doctest: +SKIP
        12
    """
    parts, shards, num_bytes, articles, pairs = _core.compact(
        os.fspath(path), min_dropped=min_dropped, storage_options=as_config(storage_options)
    )
    return Compacted(
        parts_before=parts[0],
        parts=parts[1],
        shards_before=shards[0],
        shards=shards[1],
        bytes_before=num_bytes[0],
        num_bytes=num_bytes[1],
        dropped_articles=articles,
        dropped_pairs=pairs,
    )
