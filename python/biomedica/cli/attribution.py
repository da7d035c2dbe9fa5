"""Write who made each image and under which licence, as CC BY wants it told: OUTPUT/SUBSET/ATTRIBUTION.parquet.

The face of `biomedica.attribution`. The files say what is in the dataset now: make them whenever you publish shards.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options, add_subset

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica attribution dataset/ --subset commercial --output attribution/"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar="DIR",
        help="where the files go, each in the folder of its subset",
    )
    add_subset(parser, "only this subset; may be given several times (default: all three)")
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Write the files, then name them."""
    import pyarrow.parquet as pq

    import biomedica

    storage_options = dict(args.storage_options)
    for path in biomedica.attribution(args.dataset, args.output, subset=args.subset, storage_options=storage_options):
        rows = pq.read_metadata(path).num_rows
        output.result("attribution", {"path": path, "images": rows}, f"{path}: {rows:,} images")
    return 0
