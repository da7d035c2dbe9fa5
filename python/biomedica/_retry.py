"""`retry`: what failed for a reason that may have passed, read again."""

import os
from dataclasses import dataclass

from biomedica import _core
from biomedica._sources import StorageOptions, StrPath, as_config

__all__ = ["Retried", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What `retry` found and did."""

    parts: int
    """Parts in which something failed that may heal; all of them were read again."""
    renewed_parts: int
    """Those that became better and took the place of the old ones."""
    failures_before: int
    """Failures that may heal, before."""
    failures: int
    """And after."""
    articles: int
    """Articles gained."""
    pairs: int
    """Pairs gained."""


def retry(path: StrPath, *, threads: int | None = None, storage_options: StorageOptions | None = None) -> Retried:
    """Read those parts of a dataset again in which something failed for a reason that may have passed.

    That is: a network, a disk, a right or a file that was not there (the stage `fetch`, or the reasons `io`,
    `permission_denied`, `disk_full`, `not_found`). Each such part is made again of the packages that its packages table
    names, and takes the place of the old one when it is better: fewer failures, no article and no pair less. When all
    has healed, the dataset has the bytes of one in which nothing failed. Damaged packages, and directories that could
    not be walked, are for `extract`, which reads what has changed since. A part of which an update has withdrawn
    something is made of what lives, as a new one behind the others, all such at once.

    Args:
        path: The dataset's directory, or its URL in a store. One process writes at a time.
        threads: Worker threads; as many as there are cores when not given.
        storage_options: How stores are spoken to; see `biomedica.open`.

    Returns:
        What was tried and what it gave.

    Raises:
        DatasetError: There is no dataset, it is not finished or has lost a file (`mismatch`), or another process is
            writing it (`locked`).
        SourceNotFoundError: None of a part's packages is to be seen from here.
        KeyboardInterrupt: Ctrl-C; parts that were renewed stay so.

    Example:
        >>> import biomedica as bm
        >>> bm.retry("dataset/").failures  # doctest: +SKIP
        0
    """
    return Retried(**_core.retry(os.fspath(path), threads=threads, storage_options=as_config(storage_options)))
