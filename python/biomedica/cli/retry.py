"""Read those parts of a dataset again in which something failed for a reason that may have passed.

The face of `biomedica.retry`.
"""

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options, add_threads

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica retry dataset/"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    add_threads(parser)
    add_storage_options(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 when something is left that may still heal")


def run(args: argparse.Namespace, output: "Output") -> int:
    """Retry, then say what it gave."""
    import biomedica

    done = biomedica.retry(args.dataset, threads=args.threads, storage_options=dict(args.storage_options))
    text = (
        f"{args.dataset}: {done.failures_before:,} -> {done.failures:,} failures that may heal; {done.parts:,} parts read "
        f"again, {done.renewed_parts:,} renewed, {done.articles:,} articles and {done.pairs:,} pairs gained"
    )
    output.result("summary", {"dataset": str(args.dataset), **asdict(done)}, text)
    return 1 if args.strict and done.failures else 0
