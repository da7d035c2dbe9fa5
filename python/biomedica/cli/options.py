"""Argument types and options that verbs share."""

import argparse


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


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`."""
    parser.add_argument("--threads", type=positive, metavar="N", help="worker threads (default: one for each core)")
