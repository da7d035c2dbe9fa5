"""Contrastive training of open_clip models on shards: `biomedica train`, `python -m biomedica.train`, `torchrun -m biomedica.train`.

`biomedica.train` is this package; its functions are `train` (a `Config` in, a `Result` out) and `main` (the command).
One file, one noun:

    config       the options, with open_clip's names, and the presets of the BIOMEDICA paper
    loop         the training loop itself, read in one sitting
    model        open_clip's models, losses and initial weights
    gradient     the exact gradient of a batch that does not fit at once
    optimizer    AdamW, its groups, and the learning rate of a step
    checkpoint   what a run needs to go on, written atomically
    device       every line that depends on the device; `distributed`: every line that talks to other processes
    log          terminal, JSONL, TensorBoard, W&B
    validate     recall and zero-shot accuracy on held-out data
    merge        weights between two models (WiSE-FT)
    synthetic    batches without any data, for measuring and for tests
"""

from typing import TYPE_CHECKING

from biomedica.train.config import PRESETS, Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biomedica.cli.output import Output
    from biomedica.train.loop import Loader, Result
    from biomedica.train.validate import HeldOut

__all__ = ["PRESETS", "Config", "main", "train"]


def train(
    config: Config,
    *,
    loader: "Loader | None" = None,
    held_out: "HeldOut | None" = None,
    output: "Output | None" = None,
) -> "Result":
    """Train a model as `config` says; see `biomedica.train.loop.run`."""
    from biomedica.train.loop import run

    return run(config, loader=loader, held_out=held_out, output=output)


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run `biomedica train` with `argv` (default: that of the process) and return its exit code.

    0: trained to the end. 143 or 130: stopped by SIGTERM or SIGINT after a whole checkpoint was written, to be gone on
    with by `--resume latest`. 1: could not be done. 2: wrong usage.
    """
    import sys

    from biomedica.cli import main as command

    return command(["train", *(sys.argv[1:] if argv is None else argv)])
