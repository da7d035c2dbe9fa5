"""Check that a dataset is whole: every file of every part is there with its recorded sha-256, and the counts agree.

The face of `biomedica.open(path).verify()`. Exits with 1 when there is a problem.
"""

import argparse
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica verify dataset/ --deep"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    add_storage_options(parser)
    parser.add_argument(
        "--deep", action="store_true", help="also read every image at its recorded place and check its own sha-256"
    )


def run(args: argparse.Namespace, output: "Output") -> int:
    """Print every problem and one closing line."""
    import biomedica

    report = biomedica.open(args.dataset, storage_options=dict(args.storage_options)).verify(deep=args.deep)
    problems = [str(problem) for problem in report.problems]
    values = {"dataset": str(args.dataset), "files": report.files, "images": report.images}
    values |= {"num_problems": report.num_problems, "problems": problems}
    verdict = f"{report.num_problems:,} problems" if report.num_problems else "whole"
    checked = f"{report.files:,} files" + f" and {report.images:,} images" * args.deep
    output.result("report", values, "\n".join([*problems, f"{args.dataset}: {verdict}, {checked} checked"]))
    return 1 if report.num_problems else 0
