"""Make a synthetic corpus of article packages and extract it: a first dataset without any download.

The face of `biomedica.demo.make`: packages go to DIR/packages, the dataset to DIR/dataset. The same seed gives the same
bytes each time; some packages are broken on purpose. `--train` goes on to train a small CLIP model on the dataset (about two
minutes on two cores) and prints recall and zero-shot accuracy on articles that were held out, beside chance. `--evaluate`
goes on to judge it by tasks, tune it, merge both models (WiSE-FT), and find leaks that it plants.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from biomedica.cli import extract
from biomedica.cli.options import add_threads, natural, positive

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica demo demo/"
RESUMES = True


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="where packages and dataset go")
    parser.add_argument(
        "--articles", type=positive, default=200, metavar="N", help="articles to make (default: %(default)s)"
    )
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of the drawings (default: %(default)s)")
    parser.add_argument(
        "--train", action="store_true", help="then train a small model and judge it on held-out articles"
    )
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="with --train: judge that model, tune it, merge both, find planted leaks",
    )
    add_threads(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Make the packages, then extract them."""
    import biomedica

    if args.evaluate and not args.train:
        raise ValueError("--evaluate judges the model that --train makes; give both")

    output.note(
        "drawing", {"directory": str(args.directory)}, f"drawing {args.articles:,} articles into {args.directory}"
    )
    packages = biomedica.demo.make(args.directory, articles=args.articles, seed=args.seed)
    code = extract.extract([packages], args.directory / "dataset", output, threads=args.threads)
    if code or not args.train:
        return code
    from biomedica.demo.learn import learn

    learned = learn(args.directory, seed=args.seed, output=output)
    values = {"directory": str(learned.directory), "loss_plot": str(learned.loss_plot), **learned.metrics}
    output.result("learned", values, f"{learned.table()}\nloss plot: {learned.loss_plot}")
    if args.evaluate:
        from biomedica.demo.judge import judge
        from biomedica.evaluation.formats import formatted

        judged = judge(args.directory, learned, seed=args.seed, output=output)
        found = {"merged": [asdict(one) for one in judged.merged], "found": judged.found}
        text = f"{formatted(judged.evaluation, 'text')}\n{judged.table()}\nreport: {args.directory / 'evaluation' / 'report.html'}"
        output.result("judged", found, text)
    return 0
