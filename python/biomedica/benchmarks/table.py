"""The table of ratios, for the terminal and for README."""

import re
from collections.abc import Sequence
from pathlib import Path

from biomedica.benchmarks.measure import Row

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def markdown(rows: Sequence[Row], where: str) -> str:
    """The rows as one aligned table, with the machine under it.

    A ratio with a goal of at least something says how many times faster we are; one with a goal of at most
    something, how many times the floor or the peer we cost.
    """
    cells = [["case", "biomedica", "beside", "", "ratio", "goal"]]
    cells += [[row.case, row.ours, row.peer, row.theirs, f"{row.ratio:.2f}x", row.goal] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join([*lines, "", f"Medians of interleaved runs: {where}."])


def write_readme(path: Path, table: str) -> None:
    """Replace what stands between the markers."""
    text = path.read_text(encoding="utf-8")
    new, found = re.subn(f"(?s){BEGIN}.*{END}", lambda _: f"{BEGIN}\n{table}\n{END}", text)
    if found != 1:
        raise ValueError(f"{path} has no table between {BEGIN} and {END}")
    path.write_text(new, encoding="utf-8")
