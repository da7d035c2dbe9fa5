"""Find images that are copies of others: the same, re-encoded, resized, mirrored or turned.

The face of `biomedica.duplicates`. Running it again hashes only what is not hashed yet, and makes the groups anew.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options, add_threads, natural
from biomedica.cli.progress import clock, counted

if TYPE_CHECKING:
    from biomedica import Duplicates
    from biomedica.cli.output import Output

EXAMPLE = "biomedica duplicates dataset/ --threshold 4"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "--threshold",
        type=natural,
        default=4,
        metavar="BITS",
        help="in how many of 63 bits the hashes of copies may differ, at most 16 (default: %(default)s)",
    )
    add_threads(parser)
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Look for duplicates, then say what was found."""
    import biomedica

    first: Duplicates | None = None
    with counted(output) as show:

        def progress(state: "Duplicates") -> None:
            nonlocal first
            first = first or state
            text = f"{state.pairs:,} of {state.total_pairs:,} images hashed"
            if state.grouped:
                text = f"{text}, {state.grouped:,} hashes grouped"
            elif state.pairs > first.pairs:
                left = (state.seconds - first.seconds) * (state.total_pairs - state.pairs) / (state.pairs - first.pairs)
                text = f"{text}, {clock(left)} left"
            show(state.pairs, state.total_pairs, dataclasses.asdict(state), text)

        found = biomedica.duplicates(
            args.dataset,
            threshold=args.threshold,
            threads=args.threads,
            storage_options=dict(args.storage_options),
            progress=progress,
        )
    text = (
        f"{found.total_pairs:,} images: {found.duplicates:,} are copies of others, in {found.groups:,} groups of up to "
    )
    text += f"{found.largest_group:,}; {found.same_hash:,} of them have the same hash, the others differ in up to "
    text += f"{found.threshold} bits; {found.without_hash:,} without a hash; {found.seconds:,.2f} s"
    output.result("summary", {"dataset": str(args.dataset), **dataclasses.asdict(found)}, text)
    return 0
