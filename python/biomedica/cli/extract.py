"""Turn article packages into a dataset of image-caption pairs.

The face of `biomedica.extract`. Running it again does only what is missing.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biomedica.cli import summary
from biomedica.cli.options import add_storage_options, add_subset, add_threads, day, location, natural, positive
from biomedica.cli.progress import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biomedica.cli.output import Output

EXAMPLE = "biomedica extract oa_package/ --output dataset/ --threads 16"
RESUMES = True
SELECTION = ("versions", "ids", "since", "limit", "sample", "sample_seed")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a package (.tar.gz, .tar, .nxml, .xml), a directory tree of them, a glob, a file that lists them, or a URL: "
        "s3://pmc-oa-opendata is all of PubMed Central",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=location,
        required=True,
        metavar="DIR",
        help="where the dataset goes: a directory, or a URL such as s3://bucket/prefix",
    )
    add_threads(parser)
    add_storage_options(parser)
    parser.add_argument(
        "--part-size", type=positive, default=4096, metavar="N", help="packages a part (default: %(default)s)"
    )
    parser.add_argument(
        "--samples-per-shard",
        type=positive,
        default=10_000,
        metavar="N",
        help="pairs a shard holds at most (default: %(default)s)",
    )
    parser.add_argument(
        "--min-size",
        type=natural,
        default=21,
        metavar="PIXELS",
        help="an image with a shorter side than this makes no pair (default: %(default)s)",
    )
    parser.add_argument(
        "--retracted",
        choices=["keep", "drop"],
        default="drop",
        help="whether figures of retracted articles make pairs (default: %(default)s)",
    )
    add_subset(parser, "only articles of this subset make pairs; may be given several times")
    parser.add_argument(
        "--license",
        action="append",
        metavar="NAME",
        help="only articles of this licence make pairs, such as 'CC BY'; may be given several times",
    )
    parser.add_argument(
        "--versions",
        choices=["best", "latest", "all"],
        default="best",
        help="of an article with several versions: the published one before a manuscript, the last one, or all "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--ids", type=Path, metavar="FILE", help="only these articles: PMC ids, PMIDs or DOIs, one a line"
    )
    parser.add_argument(
        "--since", type=day, metavar="DATE", help="only articles of a bucket that changed on this day (UTC) or later"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="take no more than the first N packages")
    parser.add_argument(
        "--sample", type=float, metavar="FRACTION", help="take this share of the packages, drawn by their names"
    )
    parser.add_argument(
        "--sample-seed", type=natural, default=0, metavar="N", help="which of the samples (default: %(default)s)"
    )
    parser.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="who makes the parts: this process, or tasks of a Ray cluster (default: %(default)s)",
    )
    parser.add_argument(
        "--ray-address", metavar="ADDRESS", help="the cluster, such as auto (default: $RAY_ADDRESS, or a new one here)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only count the packages that would be read")
    parser.add_argument("--article-text", action="store_true", help="put the whole article's text into every sample")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 when anything failed; the dataset is complete all the same"
    )


def run(args: argparse.Namespace, output: "Output") -> int:
    """Extract, then say what came of it."""
    selection = {name: getattr(args, name) for name in SELECTION}
    if args.dry_run:
        return survey(args, selection, output)
    return extract(
        args.sources,
        args.output,
        output,
        strict=args.strict,
        threads=args.threads,
        part_size=args.part_size,
        samples_per_shard=args.samples_per_shard,
        min_size=args.min_size,
        retracted=args.retracted,
        subset=args.subset,
        license=args.license,
        article_text=args.article_text,
        engine=args.engine,
        ray_address=args.ray_address,
        storage_options=dict(args.storage_options),
        **selection,
    )


def survey(args: argparse.Namespace, selection: "Mapping[str, Any]", output: "Output") -> int:
    """Say what would be read, and into how many parts."""
    import biomedica

    found = biomedica.survey(args.sources, storage_options=dict(args.storage_options), **selection)
    parts = -(-found.packages // args.part_size)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items())
    text = f"{found.packages:,} packages ({kinds or 'none'}), {found.input_bytes / 1e6:,.1f} MB as far as is known"
    text += f": up to {parts:,} parts in {args.output}; nothing was written"
    for failure in found.first_failures:
        output.error(failure)
    if found.failures > len(found.first_failures):
        output.error(f"{found.failures:,} things could not be looked at")
    values = {"output": str(args.output), "parts": parts, **dataclasses.asdict(found)}
    output.result("survey", values, text)
    return 0 if found.packages else 1


def extract(
    sources: "Sequence[str | Path]",
    directory: "Path | str",
    output: "Output",
    *,
    strict: bool = False,
    **options: Any,  # noqa: ANN401 # those of the function that it is a face of
) -> int:
    """Extract `sources` into `directory` with progress and a summary; `options` are those of `biomedica.extract`.

    Return the exit code.
    """
    import biomedica

    with shown(output) as progress:
        dataset = biomedica.extract(
            sources,
            directory,
            progress=progress,
            **options,
        )
    stats = dataset.stats()
    if not stats["packages"]:
        output.error(f"no packages found in {', '.join(map(str, sources))}")
        return 1
    values, text = summary.of_extraction(directory, stats, progress.last)
    output.result("summary", values, text)
    if stats["failures"] and not stats["articles"]:
        output.error(f"nothing could be read: {stats['failures']:,} failures{summary.listed(stats['reasons'])}")
        return 1
    return 1 if strict and stats["failures"] else 0
