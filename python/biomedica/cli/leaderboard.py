"""Rank the models of several evaluations by the tasks that all of them have, with intervals.

The face of `biomedica.leaderboard`. Tasks whose files or splits differ are never compared; each is named with the reason.
"""

import argparse
import json
from typing import TYPE_CHECKING

from biomedica.cli.options import add_confidence, add_storage_options, location, natural, positive
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica leaderboard monday/ tuesday/ --output leaderboard.html"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("runs", nargs="+", type=location, metavar="RUN", help="a directory or URL that evaluate wrote")
    parser.add_argument(
        "-o",
        "--output",
        type=location,
        metavar="FILE",
        help="write it too: a page (.html), or .md, .csv, .json, .tex or .txt by the end of the name",
    )
    parser.add_argument(
        "--format",
        choices=("text", "markdown", "csv", "json", "latex"),
        default="text",
        help="of what is printed (default: %(default)s)",
    )
    parser.add_argument(
        "--method",
        default="zero-shot",
        metavar="NAME",
        help="zero-shot, probe or few-shot-K (default: %(default)s)",
    )
    parser.add_argument(
        "--draws", type=positive, default=10_000, metavar="N", help="of the bootstrap (default: %(default)s)"
    )
    add_confidence(parser)
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of the draws (default: %(default)s)")
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Rank, and print the table."""
    import biomedica

    with counted(output) as show:

        def progress(done: int, total: int) -> None:
            show(done, total, {"done": done, "total": total}, f"{done:,} of {total:,} tables of predictions")

        found = biomedica.leaderboard(
            args.runs,
            args.output,
            method=args.method,
            draws=args.draws,
            level=args.confidence,
            seed=args.seed,
            storage_options=dict(args.storage_options),
            progress=progress,
        )
    where = "" if args.output is None or args.format != "text" else f"\n{args.output}"
    values = {**json.loads(found.formatted("json")), "output": None if args.output is None else str(args.output)}
    output.result("leaderboard", values, found.formatted(args.format).rstrip("\n") + where)
    return 0
