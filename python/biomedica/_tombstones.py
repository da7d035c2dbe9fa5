"""Tombstones: the rows that parts of a dataset hold and the dataset has no more, since it was updated.

Parts are never written into; `dataset.json` names the one file that says which of their articles are dead.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biomedica._storage import Storage
from biomedica.exceptions import DatasetError

__all__ = ["dead_names", "live_rows"]

KEYS = {
    "articles": "article_accession_id",
    "figures": "article_accession_id",
    "failures": "source",
    "packages": "package",
}
"""The column of each table by which a row is known to be dead."""


def live_rows(files: Storage, record: Mapping[str, Any], table: str) -> pc.Expression | None:
    """The filter that leaves out the dead rows of a table with a column `part`; None when there are none."""
    key = KEYS[table]
    dead = [
        (pc.field("part") == part) & pc.field(key).isin(names)
        for part, names in dead_names(files, record, key if key == "article_accession_id" else "package").items()
    ]
    return ~_any(dead) if dead else None


def dead_names(files: Storage, record: Mapping[str, Any], column: str) -> dict[int, pa.Array]:
    """What is dead of each part that has anything dead, by the part's number.

    Args:
        files: The dataset's files.
        record: What its `dataset.json` says.
        column: `article_accession_id` or `package`.
    """
    if record.get("tombstones") is None:
        return {}
    path = record["tombstones"]["path"]
    try:
        rows = files.table([path]).to_table(columns=["part", column])
    except (OSError, pa.ArrowException) as error:
        where = files.location(path)
        raise DatasetError(f"{where}: the tombstones cannot be read; verify the dataset: {error}") from error
    rows = rows.filter(pc.field(column).is_valid())
    return {
        part: pc.unique(rows.filter(pc.field("part") == part)[column]) for part in pc.unique(rows["part"]).to_pylist()
    }


def _any(terms: Sequence[pc.Expression]) -> pc.Expression:
    """One of the terms, as a tree that stays flat: pyarrow goes down expressions by recursion."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return _any(terms[:middle]) | _any(terms[middle:])
