"""Show a dataset in a browser, until Ctrl-C: overview, gallery with full-text search, figures, clusters, failures.

The face of `biomedica.view`. The index that pages are answered from is made first, once for each state of the dataset.
"""

import argparse
from typing import TYPE_CHECKING

from biomedica.cli.options import add_clusters, add_dataset, add_selection, add_server, add_storage_options, token_of
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica view dataset/ --open"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    add_clusters(parser)
    parser.add_argument(
        "--features", metavar="NAME", help="by which neighbours are found (default: those of the clusters)"
    )
    add_selection(parser)
    add_server(parser)
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
            token=token_of(args),
            ready=ready,
            progress=progress,
            storage_options=dict(args.storage_options),
        )
    return 0
