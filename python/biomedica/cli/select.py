"""Choose pairs by SQL, concepts, duplicates, balance and sample: a small file of ids, its rules kept with it.

The face of `biomedica.select`, which says what each rule does. The rules are applied in the order of the options below;
`stream`, `loader`, `train` and `export` take the file as their selection.
"""

import argparse
from typing import TYPE_CHECKING

from biomedica.cli.options import add_dataset, add_storage_options, location, natural, positive

if TYPE_CHECKING:
    from biomedica._select import Selection
    from biomedica.cli.output import Output

EXAMPLE = "biomedica select dataset/ --preset concept-balanced --dedup exact --output balanced.parquet"
RESUMES = False
MOST_VALUES = 20
"""Values of a balanced column of which the counts are printed."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "-o", "--output", required=True, type=location, metavar="FILE.parquet", help="where the selection goes"
    )
    rules = parser.add_argument_group("rules, in the order in which they are applied")
    rules.add_argument(
        "--preset",
        choices=("full", "concept-filtered", "concept-balanced"),
        help="a training set of the paper: all; without plots, tables, diagrams and the like; or concepts capped at their"
        " quantile 0.6. Rules given beside it stand above its own",
    )
    rules.add_argument(
        "--exclude",
        action="append",
        default=[],
        type=location,
        metavar="FILE",
        help="without the images or articles of this block list (.parquet, or text with an id a line); may be repeated",
    )
    rules.add_argument(
        "--where",
        metavar="SQL",
        help="only pairs of which this is true, such as \"article_license = 'CC BY' AND image_size[1] >= 224\"",
    )
    rules.add_argument(
        "--drop-concepts",
        type=_names,
        default=(),
        metavar="A,B",
        help='without the pairs that have one of these primary labels, such as "Plots and Charts,Tables"',
    )
    rules.add_argument(
        "--dedup",
        choices=("exact", "near"),
        help="one of all images with the same bytes, or of each group that `biomedica duplicates` found",
    )
    rules.add_argument(
        "--balance", metavar="COLUMN", help="let no value of this column crowd out the others: image_primary_label"
    )
    rules.add_argument("--cap", type=positive, metavar="N", help="pairs of each value of the balanced column")
    rules.add_argument(
        "--quantile",
        type=float,
        metavar="Q",
        help="instead of --cap: the count that this share of the values does not exceed (0.5: the median)",
    )
    rules.add_argument(
        "--sample",
        type=_sample,
        metavar="N|SHARE",
        help="so many pairs (1000), or a share of them (0.01) that is stable",
    )
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of --balance and --sample (default: 0)")
    parser.add_argument(
        "--clusters", default="default", metavar="NAME", help="the clusters that --where sees (default: default)"
    )
    parser.add_argument(
        "--recipe",
        type=location,
        metavar="FILE",
        help="instead of rules: those of an earlier selection, or a JSON file with them",
    )
    add_storage_options(parser)


def run(args: argparse.Namespace, output: "Output") -> int:
    """Make the selection, then say what each rule removed."""
    import biomedica

    made = biomedica.select(
        args.dataset,
        args.output,
        preset=args.preset,
        exclude=args.exclude,
        where=args.where,
        drop_concepts=args.drop_concepts,
        dedup=args.dedup,
        balance=args.balance,
        cap=args.cap,
        quantile=args.quantile,
        sample=args.sample,
        seed=args.seed,
        clusters=args.clusters,
        recipe=args.recipe,
        storage_options=dict(args.storage_options),
    )
    values = {"path": made.path, "count": made.count, "sha256": made.sha256, "recipe": made.recipe, **made.counts}
    output.result("select", values, _told(made))
    return 0


def _told(made: "Selection") -> str:
    """The funnel: what each rule removed and left, as a table."""
    steps = [("pairs", "", f"{made.counts['pairs']:,}")]
    steps += [(step.rule, f"-{step.removed:,}", f"{step.left:,}") for step in made.steps]
    widths = [max(len(step[column]) for step in steps) for column in range(3)]
    lines = [f"{name:{widths[0]}}  {gone:>{widths[1]}}  {left:>{widths[2]}}" for name, gone, left in steps]
    if "cap" in made.counts:
        lines.append(f"cap of {made.recipe['balance']}: {made.counts['cap']:,}")
        values = list(made.counts.get("values", {}).items())
        lines += [f"  {name}: {had:,} -> {has:,}" for name, (had, has) in values[:MOST_VALUES]]
        lines += [f"  and {len(values) - MOST_VALUES:,} more, smaller ones"] if len(values) > MOST_VALUES else []
    return "\n".join([*lines, f"{made.path}: {made.count:,} pairs"])


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _sample(text: str) -> int | float:
    """The type of samples: a whole number of pairs, or a share with a point."""
    try:
        return int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of pairs nor a share such as 0.01") from None
