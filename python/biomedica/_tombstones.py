"""Tombstones: the rows that parts of a dataset hold and the dataset has no more, since it was updated.

Parts are never written into; `dataset.json` names the one file that says which of their articles are dead.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biomedica._storage import Storage
from biomedica.exceptions import DatasetError

__all__ = ["live_rows"]

KEYS = {
    "articles": "article_accession_id",
    "figures": "article_accession_id",
    "failures": "source",
    "packages": "package",
}
"""The column of each table by which a row is known to be dead."""


def live_rows(files: Storage, record: Mapping[str, Any], table: str) -> pc.Expression | None:
    """The filter that leaves out the dead rows of a table with a column `part`; None when there are none."""
    if record.get("tombstones") is None:
        return None
    path = record["tombstones"]["path"]
    key = KEYS[table]
    column = key if key == "article_accession_id" else "package"
    try:
        rows = files.table([path]).to_table(columns=["part", column])
    except (OSError, pa.ArrowException) as error:
        where = files.location(path)
        raise DatasetError(f"{where}: the tombstones cannot be read; verify the dataset: {error}") from error
    rows = rows.filter(pc.field(column).is_valid())
    dead = [
        (pc.field("part") == part) & pc.field(key).isin(pc.unique(rows.filter(pc.field("part") == part)[column]))
        for part in pc.unique(rows["part"]).to_pylist()
    ]
    return ~_any(dead) if dead else None


def _any(terms: Sequence[pc.Expression]) -> pc.Expression:
    """One of the terms, as a tree that stays flat: pyarrow goes down expressions by recursion."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return _any(terms[:middle]) | _any(terms[middle:])
