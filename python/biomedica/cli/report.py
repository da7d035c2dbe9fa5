"""Write the overview of a dataset as one HTML file.

The face of `biomedica.report`. The file needs no server, no network and no script.
"""

import argparse
from typing import TYPE_CHECKING

from biomedica.cli.options import add_clusters, add_dataset, add_selection, add_storage_options
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica report dataset/ --output report.html"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument("--output", required=True, metavar="FILE", help="the HTML file to write")
    add_clusters(parser)
    add_selection(parser)
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Write it, and say where it is."""
    import biomedica

    with counted(output) as show:

        def progress(done: int, total: int) -> None:
            show(done, total, {"done": done, "total": total}, f"index: {done:,} of {total:,} figures")

        path = biomedica.report(
            args.dataset,
            args.output,
            clusters=args.clusters,
            selection=args.selection,
            progress=progress,
            storage_options=dict(args.storage_options),
        )
    output.result("summary", {"output": str(path)}, f"report: {path}")
    return 0
