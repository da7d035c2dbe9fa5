"""The files that `leaks` writes."""

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from biomedica.dataset import Dataset
from biomedica.evaluation.evidence import PAIRS, Findings

if TYPE_CHECKING:
    from biomedica._storage import Storage

__all__ = ["chance", "write_leaks"]

FORMAT = 1
RECORD, PAGE = "leaks.json", "leaks.html"
CHANCE: dict[str, dict[int, tuple[float, float]]] = {
    "near": {
        0: (0.0, 0.00006), 2: (0.0, 0.0003), 4: (0.0005, 0.0010), 6: (0.0005, 0.0019), 8: (0.0010, 0.0032),
        10: (0.0019, 0.0048),
    },
    "panel": {
        0: (0.0, 0.00002), 2: (0.0, 0.0002), 4: (0.0, 0.0006), 6: (0.0, 0.0013), 8: (0.0005, 0.0024),
        10: (0.0005, 0.0045),
    },
}  # fmt: skip
"""By evidence and bits, the share of pairs of different figures that are as near: of six articles, and of drawings of 22 templates."""


def chance(evidence: str, threshold: int, pairs: int) -> dict[str, dict[str, float]] | None:
    """Of so many pairs of different figures, how many hashes are as near all the same; None where it was not measured."""
    measured = next((bits for bits in sorted(CHANCE.get(evidence, ())) if bits >= threshold), None)
    if measured is None:
        return None
    shares = zip(("articles", "drawings"), CHANCE[evidence][measured], strict=True)
    return {kind: {"share": share, "pairs": round(share * pairs)} for kind, share in shares}


def write_leaks(
    dataset: Dataset, findings: Findings, leaked: pa.Table, record: dict[str, Any], files: "Storage", shown: int
) -> None:
    """Write all files. The record goes first and comes last, so that where it is, the others are of the same run.

    Args:
        dataset: Where the images of the page lie.
        findings: What was found.
        leaked: The test images that are in the dataset.
        record: What is said of it all.
        files: Where to.
        shown: Pairs of the page; 0 for none.

    Raises:
        DatasetError: They cannot be written.
    """
    files.remove(RECORD)
    pairs = pa.concat_tables([PAIRS.empty_table(), *findings.pairs])
    tables = {"blocked": pa.concat_tables(findings.blocked), "leaked": leaked, "pairs": pairs.drop_columns("target")}
    for name, table in tables.items():
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        files.write(f"{name}.parquet", sink.getvalue())
    if shown:
        from biomedica.web.leaks.page import leaks_page

        files.write(PAGE, leaks_page(dataset, pairs, record, shown, findings.targets.read).encode())
    else:
        files.remove(PAGE)
    files.write(RECORD, json.dumps({"format": FORMAT, **record}, indent=2).encode() + b"\n")
