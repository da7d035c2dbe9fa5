"""Write the weights between two models (WiSE-FT), for one alpha or several, and evaluate each.

The face of `biomedica.merge`. Alpha is the share of the tuned model; `0:1:0.1` is a sweep, whose metrics over alpha are
drawn beside the weights.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = (
    "biomedica merge base.safetensors logs/bmc/checkpoints/step_00026451 --alpha 0:1:0.1 --output merged.safetensors"
    " --model ViT-L-14 --val-data held_out/"
)
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("base", type=Path, metavar="BASE", help="weights before tuning, or a checkpoint's directory")
    parser.add_argument("tuned", type=Path, metavar="TUNED", help="weights after tuning, or a checkpoint's directory")
    parser.add_argument(
        "--alpha", default="0.5", metavar="X", help="share of TUNED: 0.5, or 0,0.5,1, or 0:1:0.1 (default: %(default)s)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="merged .safetensors")
    parser.add_argument("--val-data", nargs="+", default=[], metavar="SOURCE", help="held-out shards to evaluate on")
    parser.add_argument("--val-selection", metavar="FILE", help="keys of the samples to evaluate on")
    parser.add_argument(
        "--eval-tasks", nargs="+", default=[], metavar="TASK", help="tasks to judge by: names, domains, task files"
    )
    parser.add_argument("--eval-data-root", metavar="DIR", help="where the paths of the tasks' data begin")
    parser.add_argument("--model", default="ViT-B-32", metavar="TEXT", help="of the weights (default: %(default)s)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: %(default)s)")


def run(args: argparse.Namespace, output: "Output") -> int:
    """Merge; a line for each alpha."""
    import biomedica
    from biomedica.train.config import Config
    from biomedica.train.merge import parse_alphas

    config = Config(
        model=args.model, val_data=tuple(args.val_data), val_selection=args.val_selection,
        eval_tasks=tuple(args.eval_tasks), eval_data_root=args.eval_data_root, device=args.device,
    )  # fmt: skip
    merged = biomedica.merge(args.base, args.tuned, args.output, alpha=parse_alphas(args.alpha), config=config)
    for one in merged:
        found = "".join(f", {name} {value:.4g}" for name, value in one.metrics.items())
        values = {"alpha": one.alpha, "path": str(one.path), **one.metrics}
        output.result("merged", values, f"alpha {one.alpha:g}: {one.path}{found}")
    return 0
