"""Run the cases, print one table, keep the raw numbers: `make bench`."""

import argparse
import datetime as dt
import json
import re
import sys
from dataclasses import asdict

import biomedica
from harness.corpus import corpus as get_corpus
from harness.measure import ROOT, Row, machine
from harness.table import markdown, write_readme

CASES = ("jats", "arrow", "dataset", "bucket", "imports", "memory", "stream", "decode", "phash", "tokens", "loader")
"""Functions of `harness.cases`."""


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: %(default)s)")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    args = parser.parse_args()
    if unknown := set(args.cases) - set(CASES):
        parser.error(f"no case called {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    if biomedica.build_profile != "release":
        sys.exit("this is a debug build of biomedica: run `make bench`, which makes a release build first")

    from harness import cases  # the peers, which a refusal should not need

    about = machine()
    corpus = get_corpus()
    print(f"{corpus.name}: {corpus.package_bytes / 1e6:,.0f} MB packages, {corpus.document_bytes / 1e6:,.0f} MB XML\n")
    rows: list[Row] = []
    raw = {}
    for name in args.cases or CASES:
        print(f"{name} …", file=sys.stderr)
        found, raw[name] = getattr(cases, name)(corpus, args.rounds)
        rows += found

    now = dt.datetime.now(dt.UTC)
    slug = re.sub(r"[^a-z0-9]+", "-", f"{about['cpu']} {about['cores']} cores".lower()).strip("-")
    path = ROOT / "benches/runs" / f"{now:%Y-%m-%d}-{slug}.json"
    record = {
        "date": now.isoformat(timespec="seconds"),
        "machine": about,
        "corpus": {"name": corpus.name, "package_bytes": corpus.package_bytes, "document_bytes": corpus.document_bytes},
        "rows": [asdict(row) for row in rows],
        "rounds": raw,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    table = markdown(rows, f"{about['cpu']}, {about['cores']} cores; {corpus.name}; {now:%Y-%m-%d}")
    print(table)
    print(f"\nraw numbers: {path.relative_to(ROOT)}")
    if args.readme:
        write_readme(ROOT / "README.md", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
