"""Settle by experts' votes what clusters show, measure how far the experts agree, and label all images.

The face of `biomedica.label`.
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
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica import Labelling
    from biomedica.cli.output import Output

EXAMPLE = "biomedica label dataset/ --answers ana.json bo.json --queue disputed.csv"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "--answers",
        nargs="+",
        action="extend",
        required=True,
        type=location,
        metavar="FILE",
        help="what the experts said: JSON of annotate, cluster_labels.json, CSV, or Label Studio's export",
    )
    parser.add_argument(
        "--clusters", default="default", metavar="NAME", help="the clusters they judged (default: %(default)s)"
    )
    add_taxonomy(parser)
    parser.add_argument(
        "--min-votes",
        type=positive,
        default=1,
        metavar="N",
        help="answers that a cluster must have (default: %(default)s)",
    )
    parser.add_argument("--referee", metavar="EXPERT", help="whose answers are no votes, but settle disputes")
    parser.add_argument(
        "--queue",
        type=location,
        metavar="FILE",
        help="write the disputed clusters here: a .csv to fill in and give as answers, else JSON",
    )
    parser.add_argument(
        "--samples", type=positive, default=1000, metavar="N", help="samples of the bootstrap (default: %(default)s)"
    )
    add_confidence(parser)
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of the bootstrap (default: %(default)s)")
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Label, then say what came of it."""
    import biomedica

    with counted(output) as show:

        def progress(done: int, total: int) -> None:
            show(done, total, {"parts": done, "total_parts": total}, f"{done:,} of {total:,} parts")

        labelling = biomedica.label(
            args.dataset,
            args.answers,
            clusters=args.clusters,
            taxonomy=args.taxonomy,
            proposed=args.proposed,
            min_votes=args.min_votes,
            referee=args.referee,
            queue=args.queue,
            samples=args.samples,
            confidence=args.confidence,
            seed=args.seed,
            storage_options=dict(args.storage_options),
            progress=progress,
        )
    output.result("labels", {"dataset": str(args.dataset), **labelling.as_dict()}, _text(labelling))
    return 0


def _text(labelling: "Labelling") -> str:
    from biomedica.concepts.votes import TITLES

    clusters = (
        f"{len(labelling.clusters):,} clusters: {labelling.settled:,} settled, {len(labelling.disputed):,} disputed"
    )
    if labelling.undecided:
        clusters += f", {labelling.undecided:,} with too few answers"
    lines = [clusters, "", f"{'':15}{'alpha':>24}{'kappa':>24}{'disputed':>10}{'images settled':>20}"]
    for level, found in labelling.agreement.items():
        disputed = sum(level in cluster.disputed for cluster in labelling.disputed)
        images = f"{labelling.settled_images[level]:,} of {labelling.images:,}"
        lines.append(f"{TITLES[level]:15}{found.alpha!s:>24}{found.kappa!s:>24}{disputed:>10,}{images:>20}")
    title = "as the others"
    width = max(len(title), *(len(expert.name) for expert in labelling.experts)) + 2
    heads = "".join(f"{TITLES[level]:>17}" for level in labelling.agreement)
    lines += ["", f"{title:{width}}{'clusters':>9}{heads}"]
    for expert in labelling.experts:
        shares = "".join(
            f"{'-' if share.value is None else f'{share.value:.0%}':>17}" for share in expert.with_others.values()
        )
        lines.append(f"{expert.name:{width}}{expert.clusters:>9,}{shares}")
    return "\n".join(lines)
