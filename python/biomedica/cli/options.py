"""Argument types and options that verbs share."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from biomedica._rules import SUBSETS

TOKEN = "BIOMEDICA_TOKEN"  # noqa: S105 - the name of a variable


def positive(text: str) -> int:
    """The type of counts: a whole number above zero."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return number


def natural(text: str) -> int:
    """The type of seeds and sizes: a whole number, zero allowed."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def seconds(text: str) -> float:
    """The type of time limits: a number of seconds above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above zero")
    return number


def share(text: str) -> float:
    """The type of probabilities: a number between 0 and 1."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return number


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the dataset that a verb is about."""
    parser.add_argument("dataset", type=location, metavar="DATASET", help="the directory or URL that extract wrote to")


def add_subset(parser: argparse.ArgumentParser, text: str) -> None:
    """Add `--subset`, which may be given several times; `text` says what it does."""
    parser.add_argument("--subset", action="append", choices=SUBSETS, help=text)


def add_clusters(parser: argparse.ArgumentParser) -> None:
    """Add `--clusters`."""
    parser.add_argument("--clusters", default="default", metavar="NAME", help="which clusters (default: %(default)s)")


def add_confidence(parser: argparse.ArgumentParser) -> None:
    """Add `--confidence`."""
    parser.add_argument(
        "--confidence",
        type=share,
        default=0.95,
        metavar="P",
        help="what the intervals are to hold (default: %(default)g)",
    )


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add `--host`, `--port` and `--token`; `token_of` gives the last."""
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=natural, default=0, metavar="N", help="0 for any that is free (default)")
    parser.add_argument(
        "--token",
        metavar="TOKEN",
        help=f"what visitors must have; every user of the machine can read it here, so rather set ${TOKEN}"
        " (default: made up where other machines can reach the address)",
    )


def token_of(args: argparse.Namespace) -> str | None:
    """The token of the command line, else of the environment."""
    return args.token or os.environ.get(TOKEN) or None


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add `--selection`."""
    parser.add_argument(
        "--selection",
        type=location,
        metavar="FILE",
        help="only these pairs: what select wrote, or any .parquet with a column image_id, or text with an id a line",
    )


def add_taxonomy(parser: argparse.ArgumentParser, *, proposed: bool = True) -> None:
    """Add `--taxonomy` and, where concepts can be foreign to it, `--proposed`."""
    parser.add_argument(
        "--taxonomy", type=location, metavar="FILE", help="JSON of the concepts there are (default: BIOMEDICA's)"
    )
    if proposed:
        parser.add_argument("--proposed", action="store_true", help="take concepts that are not in the taxonomy too")


def add_tasks(parser: argparse.ArgumentParser, default: str) -> None:
    """Add `--tasks` and `--data-root`; `default` says what no tasks mean."""
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        help=f"names of tasks or domains, task files (.toml), directories of these ({default})",
    )
    add_data_root(parser)


def add_data_root(parser: argparse.ArgumentParser) -> None:
    """Add `--data-root`."""
    parser.add_argument(
        "--data-root",
        type=location,
        metavar="DIR",
        help="where the paths of the tasks' data begin (default: $BIOMEDICA_TASKS; for a task file, its directory)",
    )


def add_model_run(parser: argparse.ArgumentParser, batch_size: int) -> None:
    """Add how a model is run over images: `--batch-size`, `--device`, `--precision` and `--decoder`."""
    parser.add_argument(
        "--batch-size", type=positive, default=batch_size, metavar="N", help="images at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="what computes (default: auto)"
    )
    parser.add_argument(
        "--precision", choices=("fp32", "bf16"), help="what it computes in (default: bf16 on CUDA, else fp32)"
    )
    parser.add_argument(
        "--decoder",
        choices=("auto", "dali", "dali-cpu", "rust"),
        default="auto",
        help="what decodes images (default: auto)",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`."""
    parser.add_argument("--threads", type=positive, metavar="N", help="worker threads (default: one for each core)")


def add_storage_options(parser: argparse.ArgumentParser) -> None:
    """Add `--storage-option`."""
    parser.add_argument(
        "--storage-option",
        action="append",
        default=[],
        type=assignment,
        dest="storage_options",
        metavar="KEY=VALUE",
        help="how s3://, gs:// and az:// are spoken to, such as aws_endpoint=https://…; stands above the environment",
    )


def assignment(text: str) -> tuple[str, str]:
    """The type of options with a name: KEY=VALUE."""
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return name, value


def day(text: str) -> datetime:
    """The type of dates and moments, UTC unless they say otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-09-30") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def location(text: str) -> Path | str:
    """The type of what is a directory or a URL of a store, which a `Path` would garble."""
    return text if "://" in text else Path(text)
