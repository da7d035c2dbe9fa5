"""Train an open_clip model on shards, from where a checkpoint left off if there is one.

The face of `biomedica.train.train`; `torchrun -m biomedica.train` runs it in several processes. SIGTERM and SIGINT write
a checkpoint after the step that is running and end with 143 and 130; `--resume latest` goes on exactly there.
"""

import argparse
from typing import TYPE_CHECKING

from biomedica.train.config import add_arguments, from_arguments

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica train --preset bmc-clip-filtered --train-data dataset/ --name bmc --resume latest"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_arguments(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Train; say where the last checkpoint lies."""
    config = from_arguments(args)
    import biomedica
    from biomedica.train.interrupt import EXIT_CODES

    result = biomedica.train.train(config, output=output)
    values = {
        "directory": str(result.directory), "checkpoint": str(result.checkpoint), "step": result.step,
        "total": result.total, "stopped": result.stopped, "metrics": result.metrics,
    }  # fmt: skip
    if result.stopped:
        text = f"stopped by {result.stopped} after step {result.step:,} of {result.total:,}; --resume latest goes on"
    else:
        text = f"trained {result.total:,} steps"
    output.result("trained", values, f"{text}: {result.checkpoint}")
    return EXIT_CODES[result.stopped] if result.stopped else 0
