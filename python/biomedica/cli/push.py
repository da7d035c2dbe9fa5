"""Upload a folder, such as what export wrote, to a dataset on the Hugging Face hub.

The face of `biomedica.push`. The token comes from HF_TOKEN or `hf auth login`, never from the command line.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica push hub/ lab/figures --private"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what export wrote")
    parser.add_argument("repo_id", metavar="NAME/DATASET", help="the dataset; it is made when it is not there")
    parser.add_argument("--private", action="store_true", help="make it so that only its owners see it")
    parser.add_argument("--revision", metavar="BRANCH", help="the branch to commit to (default: main)")
    parser.add_argument(
        "--message", default="Add image-caption pairs", metavar="TEXT", help="of the commit (default: %(default)s)"
    )


def run(args: argparse.Namespace, output: "Output") -> int:
    """Upload, then say where it is."""
    import biomedica

    pushed = biomedica.push(
        args.folder, args.repo_id, private=args.private, revision=args.revision, message=args.message
    )
    values = {"url": pushed.url, "commit": pushed.commit, "files": pushed.files, "num_bytes": pushed.num_bytes}
    output.result("push", values, f"{pushed.files:,} files, {pushed.num_bytes / 1e6:,.1f} MB: {pushed.url}")
    return 0
