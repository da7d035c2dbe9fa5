"""Judge models by tasks: scores with intervals, comparisons, averages by domain, predictions, and a report.

The face of `biomedica.evaluate`. Features are kept, so that running it again, with other tasks or prompts, costs little.
"""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from biomedica.cli.options import (
    add_confidence,
    add_model_run,
    add_storage_options,
    add_tasks,
    add_threads,
    location,
    natural,
    positive,
)
from biomedica.cli.progress import counted

if TYPE_CHECKING:
    from biomedica import Evaluating
    from biomedica.cli.output import Output

FORMATS = ("text", "markdown", "csv", "json", "latex")
EXAMPLE = "biomedica evaluate ViT-B-32@openai tuned=logs/bmc --tasks dermatology own.toml --output evaluation/"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="ARCHITECTURE@WEIGHTS (a tag of open_clip, a file, or `random`), a run or checkpoint of train,"
        " hf-hub:ORG/NAME or local-dir:PATH; NAME= before it gives it a name",
    )
    parser.add_argument("-o", "--output", required=True, type=location, metavar="DIR", help="where the evaluation goes")
    add_tasks(parser, "default: the registry")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["zero-shot"],
        metavar="METHOD",
        help="zero-shot, probe (logistic regression on features), few-shot-K (default: zero-shot)",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="judge by the images that can be decoded where some cannot, and average what tasks there are",
    )
    parser.add_argument(
        "--draws", type=positive, default=10_000, metavar="N", help="of the bootstrap (default: %(default)s)"
    )
    add_confidence(parser)
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of the draws (default: %(default)s)")
    parser.add_argument(
        "--examples", type=natural, default=8, metavar="N", help="images a task to look at (default: %(default)s)"
    )
    add_model_run(parser, batch_size=64)
    parser.add_argument(
        "--cache",
        type=location,
        metavar="DIR",
        help="the folder of features (default: $BIOMEDICA_CACHE, else the user's)",
    )
    parser.add_argument("--no-cache", action="store_true", help="keep no features")
    parser.add_argument("--no-report", action="store_true", help="write no report.html and report.md")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="of what is printed: csv has a row a score, latex and markdown are tables (default: %(default)s)",
    )
    add_threads(parser)
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Evaluate, then tell the scores; exit with 1 when data are damaged or partial."""
    import biomedica
    from biomedica.evaluation.formats import formatted

    with counted(output) as show:

        def progress(state: "Evaluating") -> None:
            text = f"{state.model}, {state.task}: {state.images:,} images read, {state.encoded:,} encoded"
            show(state.done, state.total, dataclasses.asdict(state), text)

        found = biomedica.evaluate(
            args.models,
            args.output,
            tasks=args.tasks,
            data_root=args.data_root,
            methods=args.methods,
            partial=args.partial,
            draws=args.draws,
            level=args.confidence,
            seed=args.seed,
            examples=args.examples,
            report=not args.no_report,
            batch_size=args.batch_size,
            device=args.device,
            precision=args.precision,
            decoder=args.decoder,
            threads=args.threads,
            cache=False if args.no_cache else args.cache,
            storage_options=dict(args.storage_options),
            progress=progress,
        )
    values = {"output": str(args.output), **dataclasses.asdict(found)}
    text = formatted(found, args.format)
    if args.format == "text":
        text = f"{text}\nreport: {str(args.output).rstrip('/')}/report.html"
    output.result("evaluated", values, text.rstrip("\n"))
    return 1 if any(task.state in {"damaged", "partial"} for task in found.tasks) else 0
