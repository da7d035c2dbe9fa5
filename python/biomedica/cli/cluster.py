"""Cluster images by their features: principal components, then k-means; new images go to the clusters that are there.

The face of `biomedica.cluster`. Running it again assigns only what is missing.
"""

import argparse
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options, add_threads, location, natural, positive
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica cluster dataset/ --features color-texture --k 200"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument("--features", metavar="NAME", help="as embed named them (default: those of its default model)")
    parser.add_argument("--name", default="default", metavar="NAME", help="of the clusters (default: %(default)s)")
    parser.add_argument("--k", type=positive, metavar="N", help="clusters (default: 2000)")
    parser.add_argument("--components", type=positive, metavar="N", help="principal components (default: 25)")
    parser.add_argument("--init", choices=("k-means++", "random"), help="where k-means begins (default: k-means++)")
    parser.add_argument("--restarts", type=positive, metavar="N", help="runs, of which the best counts (default: 3)")
    parser.add_argument("--iterations", type=positive, metavar="N", help="of each run (default: 25)")
    parser.add_argument("--sample", type=positive, metavar="N", help="images to learn from (default: 256 a cluster)")
    parser.add_argument("--seed", type=natural, metavar="N", help="of the sample and of k-means (default: 0)")
    parser.add_argument(
        "--model",
        type=location,
        metavar="DIR",
        help="learn nothing, take these clusters of another dataset: …/clusters/NAME",
    )
    parser.add_argument("--overwrite", action="store_true", help="learn anew in the place of clusters of the name")
    add_threads(parser)
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Cluster, then say how good the clusters are."""
    import dataclasses

    import numpy as np

    import biomedica

    stages = {"sample": "parts sampled", "train": "k-means runs", "assign": "parts assigned"}
    with counted(output) as show:
        done = biomedica.cluster(
            args.dataset,
            features=args.features,
            name=args.name,
            k=args.k,
            components=args.components,
            init=args.init,
            restarts=args.restarts,
            iterations=args.iterations,
            sample=args.sample,
            seed=args.seed,
            model=args.model,
            overwrite=args.overwrite,
            threads=args.threads,
            storage_options=dict(args.storage_options),
            progress=lambda stage, n, total: show(
                n, total, {"stage": stage, "done": n, "total": total}, f"{n:,} of {total:,} {stages[stage]}"
            ),
        )
    low, middle, high = (int(np.quantile(done.sizes, share)) for share in (0.05, 0.5, 0.95))
    silhouette = "none" if done.silhouette is None else f"{done.silhouette:.3f}"
    where = f"{str(args.dataset).rstrip('/')}/clusters/{done.name}"
    lines = [
        f"{sum(done.sizes):,} images in {done.k:,} clusters, {done.parts:,} parts assigned; {done.seconds:,.2f} s",
        f"sizes: 5% have at most {low:,}, half at most {middle:,}, 95% at most {high:,}; {done.sizes.count(0):,} are empty",
        f"{done.components:,} components have {done.explained_variance:.1%} of the variance of {done.sample:,} images",
        f"inertia {done.inertia:.4g} an image, silhouette {silhouette}, two seeds agree by {done.stability:.3f} (adjusted Rand)",
        f"clusters: {where}",
        f"next:     biomedica annotate {args.dataset} --clusters {done.name}",
    ]
    output.result("summary", {"dataset": str(args.dataset), **dataclasses.asdict(done)}, "\n".join(lines))
    return 0
