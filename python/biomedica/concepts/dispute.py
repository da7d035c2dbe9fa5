"""Clusters in dispute: what was said of them, and a queue for a referee."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from biomedica._sources import StrPath
from biomedica.concepts import _csv
from biomedica.concepts._entry import FIELDS
from biomedica.concepts._files import refuse_existing, write_file
from biomedica.concepts.answers import LONGEST_NOTES
from biomedica.concepts.record import FORMAT, dumped
from biomedica.concepts.votes import LEVELS, Cluster, plain

__all__ = ["check_queue", "disputed_of", "write_queue"]


def disputed_of(disputed: Iterable[Cluster], sizes: Mapping[int, int], clusters: str) -> dict[str, Any]:
    """The disputed clusters as `disputed.json` has them: those with the most images first."""
    entries: list[dict[str, Any]] = [
        {
            "cluster": cluster.number,
            "images": sizes.get(cluster.number, 0),
            "levels": cluster.disputed,
            "voters": len(cluster.answers),
            "votes": {level: verdict.votes for level, verdict in cluster.verdicts.items()},
        }
        for cluster in disputed
    ]
    entries.sort(key=lambda entry: (-entry["images"], entry["cluster"]))
    return {"format": FORMAT, "clusters": clusters, "disputed": entries}


def check_queue(path: StrPath) -> None:
    """Keep a table that is there already: somebody may have filled it in.

    Raises:
        ValueError: There is such a table.
    """
    if _is_table(path):
        refuse_existing(path)


def write_queue(path: StrPath, record: Mapping[str, Any], disputed: Sequence[Cluster], referee: str) -> None:
    """Write the disputed clusters to a file: a table of answers to be filled in for `.csv`, else JSON.

    The table has a row a cluster, in the name of the referee. What is settled is filled in, and the notes have the votes
    at the levels that are not.
    """
    if _is_table(path):
        by_number = {cluster.number: cluster for cluster in disputed}
        rows = [_row(by_number[entry["cluster"]], entry, referee) for entry in record["disputed"]]
        write_file(path, _csv.text(FIELDS, rows).encode())
    else:
        write_file(path, dumped(record))


def _is_table(path: StrPath) -> bool:
    return os.fspath(path).lower().endswith(".csv")


def _row(cluster: Cluster, entry: Mapping[str, Any], referee: str) -> dict[str, Any]:
    votes = (
        f"{level}: " + ", ".join(f"{name} {count}" for name, count in entry["votes"][level].items())
        for level in entry["levels"]
        if entry["votes"][level]
    )
    notes = "; ".join((*votes, f"of {entry['voters']} votes"))[:LONGEST_NOTES]
    said = {level: plain(cluster.value(level)) for level in LEVELS}
    return dict.fromkeys(FIELDS, "") | said | {"cluster": cluster.number, "expert": referee, "notes": notes}
