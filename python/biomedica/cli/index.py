"""Write an index file beside each WebDataset shard, as DALI's wds2idx does, so that any sample is one read away.

The face of `biomedica.index`. A shard whose index is not older than itself is left as it is.
"""

import argparse
import contextlib
import sys
import time
from typing import TYPE_CHECKING

from biomedica.cli.options import add_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biomedica.cli.output import Output

EXAMPLE = "biomedica index 'shards/{000..012}.tar' --threads 8"
RESUMES = True
LINE_SECONDS = 10.0
"""Seconds between two lines of progress where there is no terminal."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "shards",
        nargs="+",
        metavar="SHARD",
        help="a .tar, a directory tree of them, a glob, or a brace list such as {000..012}.tar",
    )
    add_threads(parser)
    parser.add_argument("--force", action="store_true", help="write all indexes anew")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when anything is wrong with any shard")


def run(args: argparse.Namespace, output: "Output") -> int:
    """Index the shards, then say what came of it."""
    import biomedica

    begin = time.monotonic()
    with _shown(output) as progress:
        rows = biomedica.index(args.shards, force=args.force, threads=args.threads, progress=progress)
    seconds = time.monotonic() - begin
    problems = [str(row.problem) for row in rows if row.problem is not None]
    written = [row for row in rows if row.samples is not None]
    samples = sum(row.samples or 0 for row in written)
    unchanged = sum(row.samples is None and row.problem is None for row in rows)
    for problem in problems:
        output.note("problem", {"message": problem}, problem)
    values = {"shards": len(rows), "written": len(written), "unchanged": unchanged, "samples": samples}
    values |= {"problems": len(problems)}
    text = f"{len(rows):,} shards: {len(written):,} indexes written, {samples:,} samples; {unchanged:,} unchanged"
    text += f"; {len(problems):,} with problems" if problems else ""
    output.result("summary", {**values, "seconds": seconds}, f"{text}; {seconds:,.2f} s")
    return 1 if problems and (args.strict or not (written or unchanged)) else 0


@contextlib.contextmanager
def _shown(output: "Output") -> "Iterator[Callable[[int, int, int], object]]":
    """A callback that shows progress while the block runs: a bar on a terminal, lines elsewhere."""
    if not output.json and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        # Transient: the summary that follows says it all again.
        columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("starting", total=None)

            def draw(done: int, total: int, samples: int) -> None:
                bar.update(task, completed=done, total=total, description=_line(done, total, samples))

            yield draw
        return
    begin = last = time.monotonic()

    def write(done: int, total: int, samples: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS:
            last = now
            values = {"shards": done, "total_shards": total, "samples": samples, "seconds": now - begin}
            output.note("progress", values, _line(done, total, samples))

    yield write


def _line(done: int, total: int, samples: int) -> str:
    return f"{done:,} of {total:,} shards, {samples:,} samples"
