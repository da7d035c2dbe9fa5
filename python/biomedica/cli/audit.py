"""Draw images whose labels somebody checks by hand, or read the checks: how many labels are wrong.

The face of `biomedica.draw_audit` (with --draw) and of `biomedica.audit`.
"""

import argparse
from typing import TYPE_CHECKING

from biomedica.cli.options import (
    add_confidence,
    add_dataset,
    add_storage_options,
    add_taxonomy,
    location,
    natural,
    positive,
)

if TYPE_CHECKING:
    from biomedica import Audit
    from biomedica.cli.output import Output
    from biomedica.concepts.audit import Checks

EXAMPLE = "biomedica audit dataset/ sheet.csv --draw 400"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "sheet",
        type=location,
        metavar="SHEET",
        help="the sheet, .csv or .json: written with --draw; to be read, once it is filled in, without",
    )
    parser.add_argument("--draw", type=positive, metavar="N", help="draw so many images and write the sheet")
    parser.add_argument(
        "--floor",
        type=positive,
        default=5,
        metavar="N",
        help="with --draw: images of each set of global labels at least (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=natural, default=0, metavar="N", help="with --draw: of the draw (default: %(default)s)"
    )
    parser.add_argument("--images", type=location, metavar="DIR", help="with --draw: write the images themselves here")
    add_taxonomy(parser)
    add_confidence(parser)
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Draw, or read."""
    import biomedica

    storage_options = dict(args.storage_options)
    if args.draw is not None:
        drawn = biomedica.draw_audit(
            args.dataset,
            args.sheet,
            images=args.draw,
            floor=args.floor,
            seed=args.seed,
            save_images=args.images,
            storage_options=storage_options,
        )
        text = f"{args.sheet}: {drawn.images:,} of {drawn.of:,} images, {len(drawn.strata):,} strata; fill in the columns true_…"
        output.result(
            "drawn", {"sheet": str(args.sheet), "images": drawn.images, "of": drawn.of, "strata": drawn.strata}, text
        )
        return 0
    found = biomedica.audit(
        args.dataset,
        args.sheet,
        taxonomy=args.taxonomy,
        proposed=args.proposed,
        confidence=args.confidence,
        storage_options=storage_options,
    )
    output.result("audit", {"dataset": str(args.dataset), **found.as_dict()}, _text(found))
    return 0


def _text(found: "Audit") -> str:
    from biomedica.concepts.votes import TITLES

    width = max(15, *(len(label) + 4 for labels in found.labels.values() for label in labels))
    lines = [
        f"{found.checked:,} of {found.drawn:,} images checked",
        f"{'':{width}}{'images':>12}{'checked':>9}{'wrong':>7}{'error':>26}",
    ]
    for level, checks in found.levels.items():
        lines.append(_line(TITLES[level], checks, width))
        lines += [_line(f"  {label}", of_label, width) for label, of_label in found.labels[level].items()]
    uncovered = [TITLES[level] for level, checks in found.levels.items() if checks.checked and checks.covered < 1]
    if uncovered:
        lines.append(f"strata without a check are left out at: {', '.join(uncovered)}")
    return "\n".join(lines)


def _line(name: str, checks: "Checks", width: int) -> str:
    error = checks.error
    text = "-" if error.value is None else f"{error.value:.1%} ({error.low:.1%} to {error.high:.1%})"
    return f"{name:{width}}{checks.images:>12,}{checks.checked:>9,}{checks.wrong:>7,}{text:>26}"
