"""Write an index file beside each WebDataset shard, as DALI's wds2idx does, so that any sample is one read away.

The face of `biomedica.index`. A shard whose index is not older than itself is left as it is.
"""

import argparse
import time
from typing import TYPE_CHECKING

from biomedica.cli.options import add_storage_options, add_threads
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica index 'shards/{000..012}.tar' --threads 8"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "shards",
        nargs="+",
        metavar="SHARD",
        help="a .tar, a directory tree of them, a glob, a brace list such as {000..012}.tar, or a URL such as "
        "s3://bucket/shards/",
    )
    add_threads(parser)
    add_storage_options(parser)
    parser.add_argument("--force", action="store_true", help="write all indexes anew")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when anything is wrong with any shard")


def run(args: argparse.Namespace, output: "Output") -> int:
    """Index the shards, then say what came of it."""
    import biomedica

    begin = time.monotonic()
    with counted(output) as show:

        def progress(done: int, total: int, samples: int) -> None:
            values = {"shards": done, "total_shards": total, "samples": samples}
            show(done, total, values, f"{done:,} of {total:,} shards, {samples:,} samples")

        rows = biomedica.index(
            args.shards,
            force=args.force,
            threads=args.threads,
            storage_options=dict(args.storage_options),
            progress=progress,
        )
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
