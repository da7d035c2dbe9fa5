"""Make features of a dataset's images, or of its captions, by any model of timm or open_clip.

The face of `biomedica.embed`; `torchrun -m biomedica embed` runs it in several processes. Running it again makes only
what is missing.
"""

import argparse
import dataclasses
import os
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_model_run, add_storage_options, add_threads, natural, positive
from biomedica.cli.progress import clock, counted

if TYPE_CHECKING:
    from biomedica import Embedding
    from biomedica.cli.output import Output

EXAMPLE = "biomedica embed dataset/ --model vit_large_patch14_reg4_dinov2.lvd142m --batch-size 256"
RESUMES = True
DEFAULT_MODEL = "vit_large_patch14_reg4_dinov2.lvd142m"


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help="a model of timm, open_clip: and what train takes as --model, or color-texture, which needs no weights"
        " (default: %(default)s)",
    )
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument(
        "--weights", metavar="FILE", help="a local file of weights, or a tag of open_clip's (default: the model's hub)"
    )
    weights.add_argument(
        "--random-init", action="store_true", help="no weights: as the model begins, to try things out"
    )
    parser.add_argument(
        "--image-size",
        type=positive,
        metavar="PIXELS",
        help="width and height that the model sees (default: 224, or what open_clip says)",
    )
    parser.add_argument("--text", action="store_true", help="features of captions (models of open_clip)")
    parser.add_argument("--name", metavar="NAME", help="of the features (default: the model's)")
    parser.add_argument(
        "--dtype", choices=("float16", "float32"), default="float16", help="what is stored (default: %(default)s)"
    )
    add_model_run(parser, batch_size=256)
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of random weights (default: 0)")
    add_threads(parser)
    add_storage_options(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 when an image could not be decoded")


def run(args: argparse.Namespace, output: "Output") -> int:
    """Make features, then say what came of it; of several processes the first one speaks."""
    import biomedica

    is_main = os.environ.get("RANK", "0") == "0"
    with counted(output) as show:

        def progress(state: "Embedding") -> None:
            if is_main:
                show(state.pairs, state.total_pairs, dataclasses.asdict(state), _line(state))

        done = biomedica.embed(
            args.dataset,
            model=args.model,
            weights=args.weights,
            random_init=args.random_init,
            image_size=args.image_size,
            text=args.text,
            name=args.name,
            dtype=args.dtype,
            batch_size=args.batch_size,
            device=args.device,
            precision=args.precision,
            decoder=args.decoder,
            threads=args.threads,
            seed=args.seed,
            storage_options=dict(args.storage_options),
            progress=progress,
        )
    if is_main:
        text = f"{done.pairs:,} pairs in {done.parts:,} parts, {done.dimension:,} numbers each"
        text += f"; {done.unreadable:,} unreadable images; {done.seconds:,.2f} s\n"
        where = f"{str(args.dataset).rstrip('/')}/features/{done.name}"
        text += f"features: {where}\nnext:     biomedica cluster {args.dataset} --features {done.name}"
        output.result("summary", {"dataset": str(args.dataset), **dataclasses.asdict(done)}, text)
    return 1 if args.strict and done.unreadable else 0


def _line(state: "Embedding") -> str:
    text = f"{state.pairs:,} of {state.total_pairs:,} pairs"
    if not (state.pairs and state.seconds):
        return text
    speed = state.pairs / state.seconds
    return f"{text}, {speed:,.1f} images/s, {clock((state.total_pairs - state.pairs) / speed)} left"
