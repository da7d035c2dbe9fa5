"""Find what of test sets is in a dataset: a list of pairs to leave out, and a page of pairs to judge.

The face of `biomedica.leaks`. Running it again hashes only what is not hashed yet, and searches anew.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options, add_tasks, add_threads, location, natural
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica import Leaks
    from biomedica.cli.output import Output
    from biomedica.evaluation.clean import CleanScore, Number

EXAMPLE = "biomedica leaks dataset/ --tasks dermatology --data-root data/ --output leaks/"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "--against",
        action="append",
        type=location,
        metavar="DIR",
        help="a folder of test images, or another dataset; may be given several times",
    )
    add_tasks(parser, "beside or instead of --against")
    parser.add_argument(
        "--evaluation",
        type=location,
        metavar="DIR",
        help="what evaluate wrote: tell its scores with and without the leaked images too",
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
        help="what is looked for, of exact,near,panel,features,provenance (default: all, features with --features)",
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
        metavar="COSINE",
        help="the least cosine of features that counts (default: what 99%% of copies of some of the images reach)",
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
            args.output,
            against=args.against,
            tasks=args.tasks,
            data_root=args.data_root,
            evaluation=args.evaluation,
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
    """What was found, as a table and two sentences; what was not compared; scores with and without it."""
    rows = [["evidence", "pairs", "images", "test images"]]
    rows += [[kind, f"{one.pairs:,}", f"{one.images:,}", f"{one.items:,}"] for kind, one in found.evidence.items()]
    lines = _columns(rows, left=1)
    lines += [f"{name}: {count:,} of its images seem to be in the dataset" for name, count in found.tasks.items()]
    unreadable = f"; {found.unreadable:,} of them cannot be decoded" if found.unreadable else ""
    lines.append(
        f"{found.leaked:,} of {found.items:,} test images seem to be in the dataset{unreadable}; {found.blocked:,} of"
        f" {found.images:,} images are to be left out: {args.output}"
    )
    if found.calibration is not None:
        lines.append(
            f"features: a cosine of {found.calibration.similarity:.4f}, which 99% of copies reach, is reached by"
            f" {found.calibration.share:.2%} of other pairs"
        )
    lines += [f"not compared: {reason}" for reason in found.missing.values()]
    if found.scores:
        rows = [["model", "task", "method", "metric", "leaked", "all", "without", "on them", "difference", "p"]]
        lines += ["", *_columns([*rows, *map(_scored, found.scores)], left=4)]
    lines += [f"{task}: no scores with and without: {reason}" for task, reason in found.unscored.items()]
    return "\n".join(lines)


def _scored(score: "CleanScore") -> list[str]:
    p = "-" if score.p_holm is None else f"{score.p_holm:.4f}"
    numbers = map(_number, (score.all, score.clean, score.only, score.difference))
    return [score.model, score.task, score.method, score.metric, f"{score.leaked:,}/{score.items:,}", *numbers, p]


def _number(number: "Number | None") -> str:
    if number is None:
        return "-"
    interval = "" if number.low is None else f" [{number.low:.3f}, {number.high:.3f}]"
    return f"{number.value:.3f}{interval}"


def _columns(rows: list[list[str]], left: int) -> list[str]:
    """Lines of a table; its first columns begin where the others end."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [str.ljust] * left + [str.rjust] * (len(widths) - left)
    return ["  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True)) for row in rows]
