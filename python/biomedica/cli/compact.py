"""Merge the small parts of a dataset, and take out of its files what updates have withdrawn or changed.

The face of `biomedica.compact`.
"""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica compact dataset/ --min-dropped 0"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "--min-dropped",
        type=_share,
        default=0.05,
        metavar="SHARE",
        help="make a part anew when this share of its packages is dead; 0 takes out all that is (default: 0.05)",
    )
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Compact, then say what was saved."""
    import biomedica

    done = biomedica.compact(args.dataset, min_dropped=args.min_dropped, storage_options=dict(args.storage_options))
    text = (
        f"{args.dataset}: {done.parts_before:,} -> {done.parts:,} parts, {done.shards_before:,} -> {done.shards:,} shards, "
        f"{done.bytes_before:,} -> {done.num_bytes:,} bytes; {done.dropped_articles:,} dead articles with "
        f"{done.dropped_pairs:,} pairs are gone"
    )
    output.result("summary", {"dataset": str(args.dataset), **asdict(done)}, text)
    return 0


def _share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return number
