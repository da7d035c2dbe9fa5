"""Let experts name clusters of images in a browser, until Ctrl-C.

The face of `biomedica.annotate`. Each expert has a queue of their own; every answer is kept in a SQLite file as soon as it
is given. With `--import`, `--export` or `--static` no pages are served.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING, get_args

from biomedica.cli.options import (
    add_clusters,
    add_dataset,
    add_server,
    add_storage_options,
    add_taxonomy,
    positive,
    token_of,
)
from biomedica.cli.progress import counted
from biomedica.concepts._entry import Format

if TYPE_CHECKING:
    from biomedica import Annotated
    from biomedica.cli.output import Output

EXAMPLE = "biomedica annotate dataset/ --clusters default"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    add_clusters(parser)
    add_taxonomy(parser, proposed=False)
    parser.add_argument(
        "--answers", metavar="FILE", help="the SQLite file of the answers (default: DATASET/annotations.sqlite)"
    )
    parser.add_argument(
        "--samples",
        type=positive,
        default=20,
        metavar="N",
        help="images of a cluster nearest to its centre, at random and farthest each (default: %(default)s)",
    )
    parser.add_argument(
        "--per-cluster", type=positive, metavar="N", help="how many experts are to judge each cluster (default: all)"
    )
    add_server(parser)
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        dest="imports",
        metavar="FILE",
        help="take in a file of answers (JSON, CSV, Label Studio, or saved by pages of --static)",
    )
    parser.add_argument("--export", metavar="FILE", help="write the answers that stand")
    parser.add_argument("--format", choices=get_args(Format), help="of --export (default: csv for a .csv, else json)")
    parser.add_argument("--static", metavar="DIR", help="write pages that need no server, one a cluster")
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Serve, or take in and write out; then say what there is."""
    import biomedica

    def ready(url: str) -> None:
        output.result("serving", {"url": url}, f"open {url}\nCtrl-C ends; answers are kept as they are given")

    with counted(output) as show:

        def progress(done: int, total: int) -> None:
            show(done, total, {"done": done, "total": total}, f"{done:,} of {total:,}")

        done = biomedica.annotate(
            args.dataset,
            clusters=args.clusters,
            taxonomy=args.taxonomy,
            answers=args.answers,
            samples=args.samples,
            per_cluster=args.per_cluster,
            imports=args.imports,
            export=args.export,
            format=args.format,
            static=args.static,
            host=args.host,
            port=args.port,
            token=token_of(args),
            ready=ready,
            progress=progress,
            storage_options=dict(args.storage_options),
        )
    output.result("summary", dataclasses.asdict(done), _line(done, imports=bool(args.imports)))
    return 0


def _line(done: "Annotated", *, imports: bool) -> str:
    text = f"{_count(done.answers, 'answer')} by {_count(done.experts, 'expert')}, {done.judged:,} of "
    text += f"{_count(done.clusters, 'cluster')} judged"
    return f"{text}{f'; {done.imported:,} new' if imports else ''}; in {done.path}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
