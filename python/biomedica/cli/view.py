"""Show a dataset in a browser, until Ctrl-C: overview, gallery with full-text search, figures, clusters, failures.

The face of `biomedica.view`. The index that pages are answered from is made first, once for each state of the dataset.
"""

import argparse
import os
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_selection, add_storage_options, natural
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica view dataset/ --open"
RESUMES = False
TOKEN = "BIOMEDICA_TOKEN"  # noqa: S105 - the name of a variable


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument("--clusters", default="default", metavar="NAME", help="which clusters (default: %(default)s)")
    parser.add_argument(
        "--features", metavar="NAME", help="by which neighbours are found (default: those of the clusters)"
    )
    add_selection(parser)
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=natural, default=0, metavar="N", help="0 for any that is free (default)")
    parser.add_argument(
        "--token",
        metavar="TOKEN",
        help=f"what visitors must have; every user of the machine can read it here, so rather set ${TOKEN}"
        " (default: made up where other machines can reach the address)",
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Serve until Ctrl-C."""
    import webbrowser

    import biomedica

    def ready(url: str) -> None:
        output.result("serving", {"url": url}, f"open {url}\nCtrl-C ends")
        if args.open:
            webbrowser.open(url)

    with counted(output) as show:

        def progress(done: int, total: int) -> None:
            show(done, total, {"done": done, "total": total}, f"index: {done:,} of {total:,} figures")

        biomedica.view(
            args.dataset,
            clusters=args.clusters,
            features=args.features,
            selection=args.selection,
            host=args.host,
            port=args.port,
            token=args.token or os.environ.get(TOKEN) or None,
            ready=ready,
            progress=progress,
            storage_options=dict(args.storage_options),
        )
    return 0
