"""Write a dataset, or a selection of it, for others to take: Parquet for the Hugging Face hub, WebDataset, or CSV.

The face of `biomedica.export`. The output appears whole; subsets are never mixed; images keep their bytes.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_selection, add_storage_options, add_subset, positive

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica export dataset/ --selection balanced.parquet --subset commercial --output hub/"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="the directory to make")
    parser.add_argument(
        "--format",
        choices=("parquet", "webdataset", "csv"),
        default="parquet",
        help="Parquet with images as Hugging Face knows them, WebDataset shards, or image files and a table for open_clip"
        " (default: %(default)s)",
    )
    add_selection(parser)
    add_subset(parser, "only this subset; may be given several times (default: all three)")
    parser.add_argument(
        "--file-size",
        type=positive,
        default=500_000_000,
        metavar="BYTES",
        help="another Parquet file begins when one has so many bytes (default: %(default)s)",
    )
    parser.add_argument(
        "--samples-per-shard",
        type=positive,
        default=10_000,
        metavar="N",
        help="samples of a WebDataset shard (default: %(default)s)",
    )
    parser.add_argument("--overwrite", action="store_true", help="put it in the place of an earlier export")
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Write the export, then say what is in it."""
    import biomedica
    from biomedica.cli.progress import counted

    with counted(output) as show:
        exported = biomedica.export(
            args.dataset,
            args.output,
            format=args.format,
            selection=args.selection,
            subset=args.subset,
            file_size=args.file_size,
            samples_per_shard=args.samples_per_shard,
            overwrite=args.overwrite,
            storage_options=dict(args.storage_options),
            progress=lambda done, total: show(done, total, {"pairs": done}, f"{done:,} of {total:,} pairs"),
        )
    pairs = ", ".join(f"{name} {count:,}" for name, count in exported.pairs.items())
    count, megabytes = sum(exported.pairs.values()), exported.num_bytes / 1e6
    text = f"{count:,} pairs ({pairs}) in {len(exported.files):,} files, {megabytes:,.1f} MB: {exported.path}"
    if args.format != "csv":
        text += f"\nnext:    biomedica push {exported.path} NAME/DATASET"
    values = {"output": exported.path, "pairs": exported.pairs, "num_bytes": exported.num_bytes}
    output.result("export", {**values, "files": exported.files}, text)
    return 0
