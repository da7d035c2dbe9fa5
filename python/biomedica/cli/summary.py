"""Counts of a dataset as text for people; the keys are those of `Dataset.stats()`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from biomedica import Progress


def of_extraction(
    directory: "Path", stats: "Mapping[str, Any]", progress: "Progress | None"
) -> tuple[dict[str, object], str]:
    """What went in, what came out and what did not, how fast, and what to do next: for machines and for people."""
    skipped = {status: count for status, count in stats["by_status"].items() if status != "ok"}
    lines = [
        f"{stats['packages']:,} packages: {stats['articles']:,} articles, {stats['failures']:,} failures"
        + listed(stats["failures_by_reason"]),
        f"{stats['figures']:,} figures: {stats['pairs']:,} pairs, {sum(skipped.values()):,} skipped{listed(skipped)}",
        f"pairs by subset: {counts(stats['by_subset'])}",
    ]
    values: dict[str, object] = {"dataset": str(directory), **stats}
    if progress is not None and progress.seconds > 0:
        seconds = progress.seconds
        values |= {"seconds": seconds, "input_bytes": progress.input_bytes, "output_bytes": progress.output_bytes}
        speed = f"{progress.packages / seconds:,.1f} packages/s, {progress.input_bytes / seconds / 1e6:,.1f} MB/s"
        lines.append(f"{seconds:,.2f} s, {speed}")
    lines += [f"dataset: {directory}", f"next:    biomedica stats {directory}"]
    return values, "\n".join(lines)


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
    cells = [(str(name), f"{value:,}" if isinstance(value, int) else str(value)) for name, value in values.items()]
    left = max((len(name) for name, _ in cells), default=0)
    right = max((len(value) for _, value in cells), default=0)
    return [f"{name:<{left}}  {value:>{right}}" for name, value in cells]
