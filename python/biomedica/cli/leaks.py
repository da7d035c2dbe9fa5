"""Find what of test sets is in a dataset: a list of pairs to leave out, and a page of pairs to judge.

The face of `biomedica.leaks`. Running it again hashes only what is not hashed yet, and searches anew.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options, add_threads, location, natural
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica import Leaks
    from biomedica.cli.output import Output

EXAMPLE = "biomedica leaks dataset/ --against ham10000/test --output leaks/"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "--against",
        action="append",
        required=True,
        type=location,
        metavar="DIR",
        help="a folder of test images, or another dataset; may be given several times",
    )
    parser.add_argument(
        "--output",
        required=True,
        type=location,
        metavar="DIR",
        help="the directory or URL to write the lists and the page to",
    )
    parser.add_argument(
        "--evidence",
        type=lambda text: tuple(text.split(",")),
        metavar="LIST",
        help="what is looked for, of exact,near,features,provenance (default: all, features with --features)",
    )
    parser.add_argument(
        "--threshold",
        type=natural,
        default=6,
        metavar="BITS",
        help="in how many of 63 bits the hashes of copies may differ, at most 16 (default: %(default)s)",
    )
    parser.add_argument("--features", metavar="NAME", help="compare features of this name too, which embed made")
    parser.add_argument("--weights", metavar="FILE", help="weights of the features' model, as embed takes them")
    parser.add_argument(
        "--similarity",
        type=float,
        default=0.95,
        metavar="COSINE",
        help="the least cosine of features that counts (default: %(default)s)",
    )
    parser.add_argument(
        "--pairs", type=natural, default=200, metavar="N", help="pairs on the page; 0: no page (default: %(default)s)"
    )
    add_threads(parser)
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Look for leaks, then say what was found."""
    import biomedica

    with counted(output) as show:

        def progress(state: "Leaks") -> None:
            done, what = (state.images, "searched") if state.images else (state.hashed, "hashed")
            text = f"{state.items:,} test images read, {done:,} of {state.total_images:,} images {what}"
            show(done, state.total_images, dataclasses.asdict(state), text)

        found = biomedica.leaks(
            args.dataset,
            args.against,
            args.output,
            evidence=args.evidence,
            threshold=args.threshold,
            features=args.features,
            weights=args.weights,
            similarity=args.similarity,
            shown=args.pairs,
            threads=args.threads,
            storage_options=dict(args.storage_options),
            progress=progress,
        )
    values = {"dataset": str(args.dataset), "output": str(args.output), **dataclasses.asdict(found)}
    output.result("leaks", values, _told(found, args))
    return 0


def _told(found: "Leaks", args: argparse.Namespace) -> str:
    """What was found, as a table and two sentences."""
    rows = [("evidence", "pairs", "images", "test images")]
    rows += [(kind, f"{one.pairs:,}", f"{one.images:,}", f"{one.items:,}") for kind, one in found.evidence.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    lines += [f"{name}: {count:,} of its images seem to be in the dataset" for name, count in found.tasks.items()]
    unreadable = f"; {found.unreadable:,} of them cannot be decoded" if found.unreadable else ""
    lines.append(
        f"{found.leaked:,} of {found.items:,} test images seem to be in the dataset{unreadable}; {found.blocked:,} of"
        f" {found.images:,} images are to be left out: {args.output}"
    )
    return "\n".join(lines)
