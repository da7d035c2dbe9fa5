"""Count what a dataset holds: pairs by subset, figures by status and kind, articles by licence, failures by reason.

The face of `biomedica.open(path).stats()`.
"""

import argparse
from typing import TYPE_CHECKING

from biomedica.cli import summary
from biomedica.cli.options import add_dataset, add_storage_options

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica stats dataset/"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Print the counts."""
    import biomedica

    stats = biomedica.open(args.dataset, storage_options=dict(args.storage_options)).stats()
    output.result("stats", stats, summary.of_stats(stats))
    return 0
