"""Measure how fast biomedica is on this machine, beside its peers in the same run, and write a page with the ratios.

The face of `biomedica.bench`. A case whose peers are not installed is left out, and told.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from biomedica.cli.options import positive

if TYPE_CHECKING:
    from biomedica.cli.output import Output

EXAMPLE = "biomedica bench jats stream --output bench/"
RESUMES = False


def options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("cases", nargs="*", metavar="CASE", help="what to measure (default: all that --list tells)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("bench"), metavar="DIR", help="(default: %(default)s)"
    )
    parser.add_argument("--list", action="store_true", help="list the cases, and what each needs")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="real articles: packages/*.tar.gz and xml/ (default: some are drawn)"
    )
    parser.add_argument(
        "--articles", type=positive, default=1000, metavar="N", help="how many are drawn (default: %(default)s)"
    )
    parser.add_argument(
        "--figures", type=positive, default=1_000_000, metavar="N", help="of made-up tables (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=positive, default=5, metavar="N", help="that count (default: %(default)s)")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where gigabytes may be written (default: DIR/work)")
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="an earlier bench.json, to tell how ratios changed"
    )


def run(args: argparse.Namespace, output: "Output") -> int:
    """Measure, then show the table."""
    from biomedica.benchmarks.cases import CASES

    if args.list:
        cases = {case.name: {"what": case.what, "missing": case.missing()} for case in CASES}
        lines = [
            f"{case.name:10} {case.what}" + (f" (needs {', '.join(case.missing())})" if case.missing() else "")
            for case in CASES
        ]
        output.result("cases", cases, "\n".join(lines))
        return 0
    import biomedica
    from biomedica.benchmarks.table import markdown

    found = biomedica.bench(
        args.output, args.cases or None, data=args.data, articles=args.articles, figures=args.figures, rounds=args.rounds, work=args.work,
        against=args.against,
        progress=lambda name, done, total: output.note(
            "case", {"case": name, "done": done, "total": total}, f"{name}: case {done + 1} of {total}"
        ),
    )  # fmt: skip
    left_out = [f"{name} was left out: {why}" for name, why in found.left_out.items()]
    text = "\n".join([markdown(found.rows, found.where()), *left_out, f"page: {args.output / 'bench.html'}"])
    output.result("bench", asdict(found), text)
    return 0
