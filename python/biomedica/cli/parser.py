"""Command line to verb and typed options; a word that is nearly right gets the right one suggested."""

import argparse
import difflib
from typing import TYPE_CHECKING, NoReturn, Protocol

from biomedica.cli import (
    annotate,
    attribution,
    audit,
    bench,
    cluster,
    compact,
    demo,
    duplicates,
    embed,
    enrich,
    evaluate,
    export,
    extract,
    index,
    label,
    leaderboard,
    leaks,
    merge,
    push,
    report,
    retry,
    select,
    stats,
    tasks,
    train,
    verify,
    view,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biomedica.cli.output import Output


class Verb(Protocol):
    """What each verb's module has. The first paragraph of its docstring is its help."""

    EXAMPLE: str
    RESUMES: bool
    """Whether the same command, run again after Ctrl-C, goes on where it stopped."""

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments."""

    def run(self, args: argparse.Namespace, output: "Output") -> int:
        """Do the work; return the exit code."""


VERBS: dict[str, Verb] = {
    "annotate": annotate,
    "attribution": attribution,
    "audit": audit,
    "bench": bench,
    "cluster": cluster,
    "compact": compact,
    "demo": demo,
    "duplicates": duplicates,
    "embed": embed,
    "enrich": enrich,
    "evaluate": evaluate,
    "export": export,
    "extract": extract,
    "index": index,
    "label": label,
    "leaderboard": leaderboard,
    "leaks": leaks,
    "merge": merge,
    "push": push,
    "report": report,
    "retry": retry,
    "select": select,
    "stats": stats,
    "tasks": tasks,
    "train": train,
    "verify": verify,
    "view": view,
}


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import biomedica

        print(f"biomedica {biomedica.__version__}")  # noqa: T201 - this is the command's output
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parse(argv: "Sequence[str]") -> tuple[argparse.Namespace, Verb]:
    """The options and the verb that `argv` asks for; exits with 2 and one line when it cannot be understood."""
    parser, verbs = build()
    _check_words(argv, parser, verbs)
    args = parser.parse_args(argv)
    return args, VERBS[args.verb]


def build() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of the command, and that of each verb."""
    parser = _Parser(
        prog="biomedica",
        description="PubMed Central article packages to datasets of image-caption pairs.",
        epilog="Each verb has its own --help with an example.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)
    verbs: dict[str, argparse.ArgumentParser] = {}
    for name, verb in VERBS.items():
        summary = (verb.__doc__ or "").split("\n\n", 1)[0].replace("\n", " ")
        verbs[name] = commands.add_parser(
            name,
            help=summary[:1].lower() + summary[1:].rstrip("."),
            description=summary,
            epilog=f"example:\n  {verb.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        verb.options(verbs[name])
        verbs[name].add_argument(
            "--log-format",
            choices=("text", "json"),
            default="text",
            help="text for people; json gives one object a line: result on stdout, progress and errors on stderr",
        )
    return parser, verbs


def _check_words(
    argv: "Sequence[str]", parser: argparse.ArgumentParser, verbs: dict[str, argparse.ArgumentParser]
) -> None:
    # argparse would first complain of the required option that is missing because its name was mistyped.
    word = next((arg for arg in argv if not arg.startswith("-")), None)
    if word is not None and word not in verbs:
        parser.error(f"unknown verb {word!r}{_suggestion(word, verbs)}")
    asked = parser if word is None else verbs[word]
    known = {option for action in asked._actions for option in action.option_strings}  # noqa: SLF001 - no public way
    for arg in argv if word is None else argv[argv.index(word) + 1 :]:
        if arg == "--":
            break
        name = arg.split("=", 1)[0]
        if name.startswith("--") and name not in known:
            asked.error(f"unknown option {name}{_suggestion(name, known)}")


def _suggestion(word: str, known: "Iterable[str]") -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
