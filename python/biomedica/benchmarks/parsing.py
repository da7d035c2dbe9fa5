"""Cases of reading: documents to records, packages to record batches, beside parsers in Python and the least it can cost."""

from collections.abc import Callable

import pubmed_parser
from lxml import etree

import biomedica
from biomedica.benchmarks import paper_way
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.floors import floors
from biomedica.benchmarks.measure import FLOOR, Measured, Row, beside, interleaved, one_core, timed

__all__ = ["arrow", "jats"]

FLOORS = ("inflate_s", "sha256_s", "xml_events_s")
PARSERS = (
    pubmed_parser.parse_pubmed_xml,
    pubmed_parser.parse_pubmed_caption,
    pubmed_parser.parse_pubmed_paragraph,
    pubmed_parser.parse_pubmed_references,
)


def jats(corpus: Corpus, rounds: int) -> Measured:
    """Documents to records in one thread, files read from the page cache by everyone."""

    def ours() -> None:
        for path in corpus.documents:
            biomedica.parse_article(path.read_bytes())

    def pubmed() -> None:
        for path in corpus.documents:
            for parse in PARSERS:
                paper_way.tolerant(parse, path)

    def lxml() -> None:
        for path in corpus.documents:
            etree.parse(path)

    contenders = [timed("biomedica", ours), timed("pubmed_parser", pubmed), timed("lxml", lxml)]
    with one_core():
        measured = interleaved([*contenders, floors(corpus.documents)], rounds)

    def row(peer: str, name: str, goal: str) -> Row:
        return beside(measured, "JATS, 1 core", peer, len(corpus.documents), "articles/s", theirs=name, goal=goal)

    return [
        row("pubmed_parser, four calls", "pubmed_parser", ">= 15"),
        row("lxml.etree.parse alone", "lxml", ">= 2.5"),
        *([row(f"{FLOOR}quick-xml events alone", "xml_events_s", "<= 2")] if "xml_events_s" in measured else []),
    ], measured


def arrow(corpus: Corpus, rounds: int) -> Measured:
    """Packages to record batches, with one thread and with two."""
    rows: list[int] = []

    def read(threads: int) -> Callable[[], None]:
        def work() -> None:
            # Batches are built when they are asked for.
            rows.extend(
                chunk.articles.num_rows + chunk.figures.num_rows + chunk.failures.num_rows
                for chunk in biomedica.read(corpus.packages, threads=threads)
            )

        return work

    with one_core():
        measured = interleaved([timed("biomedica", read(1)), floors(corpus.packages)], rounds)
    # A second series, since a process that is pinned would not show what two cores give.
    measured |= interleaved([timed("1 thread", read(1)), timed("2 threads", read(2))], rounds)
    megabytes, unit = corpus.package_bytes / 1e6, "MB/s"
    case, one = "packages to Arrow, 2 threads", "1 thread"
    table = [beside(measured, case, one, megabytes, unit, ours="2 threads", theirs=one, goal=">= 1.8")]
    if all(name in measured for name in FLOORS):
        measured["floor"] = list(map(sum, zip(*(measured[name] for name in FLOORS), strict=True)))
        case, peer = "packages to Arrow, 1 core", f"{FLOOR}inflate + sha-256 + events"
        table.insert(0, beside(measured, case, peer, megabytes, unit, theirs="floor", goal="<= 1.2"))
    return table, measured
