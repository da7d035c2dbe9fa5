"""Counts of a dataset as text for people; the keys are those of `Dataset.stats()`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from biomedica import Progress


def of_extraction(
    directory: "Path | str", stats: "Mapping[str, Any]", progress: "Progress | None"
) -> tuple[dict[str, object], str]:
    """What went in, what came out and what did not, how fast, and what to do next: for machines and for people."""
    skipped = {status: count for status, count in stats["statuses"].items() if count and status != "ok"}
    subsets = {subset: count["pairs"] for subset, count in stats["subsets"].items()}
    lines = [
        f"{stats['packages']:,} packages: {stats['articles']:,} articles, {stats['failures']:,} failures"
        + listed(stats["reasons"]),
        f"{stats['figures']:,} figures: {stats['pairs']:,} pairs, {sum(skipped.values()):,} skipped{listed(skipped)}",
        f"pairs by subset: {counts(subsets)}",
    ]
    values: dict[str, object] = {"dataset": str(directory), **stats}
    if progress is not None and progress.seconds > 0:
        values |= {"seconds": progress.seconds, "output_bytes": progress.output_bytes}
        lines.append(f"{progress.seconds:,.2f} s{rates(progress)}")
    lines += [f"dataset: {directory}", f"next:    biomedica stats {directory}"]
    return values, "\n".join(lines)


def rates(progress: "Progress") -> str:
    """`, packages/s, MB/s` of this run; what earlier runs had finished counts for neither. Nothing when nothing was done."""
    done = progress.packages - progress.skipped_packages
    if done <= 0 or progress.seconds <= 0:
        return ""
    num_bytes = progress.input_bytes * done / progress.packages
    return f", {done / progress.seconds:,.1f} packages/s, {num_bytes / progress.seconds / 1e6:,.1f} MB/s"


def of_stats(stats: "Mapping[str, Any]") -> str:
    """Every count, totals first, then one block for each breakdown."""
    totals = {name: value for name, value in stats.items() if not isinstance(value, dict)}
    lines = _table(totals)
    for name, value in stats.items():
        if isinstance(value, dict) and value:
            lines += ["", name.replace("_", " "), *(f"  {line}" for line in _table(value))]
    return "\n".join(lines)


def counts(values: "Mapping[str, int]") -> str:
    """`name count, name count`."""
    return ", ".join(f"{name} {count:,}" for name, count in values.items()) or "none"


def listed(values: "Mapping[str, int]") -> str:
    """The same in parentheses, or nothing when there is nothing."""
    return f" ({counts(values)})" if values else ""


def _table(values: "Mapping[str, object]") -> list[str]:
    cells = [(str(name), _cell(value)) for name, value in values.items()]
    left = max((len(name) for name, _ in cells), default=0)
    right = max((len(value) for _, value in cells), default=0)
    return [f"{name:<{left}}  {value:>{right}}" for name, value in cells]


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return counts(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
