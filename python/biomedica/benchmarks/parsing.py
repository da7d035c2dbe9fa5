"""Cases of reading: documents to records, packages to record batches, beside parsers in Python and the least it can cost."""

import statistics
from collections.abc import Callable

import pubmed_parser
from lxml import etree

import biomedica
from biomedica.benchmarks import paper_way
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.floors import floors
from biomedica.benchmarks.measure import Measured, Row, interleaved, medians, one_core, spread, timed

__all__ = ["arrow", "jats"]

FLOOR = "floor: quick-xml events alone"
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
    seconds = medians(measured)

    def row(peer: str, name: str, goal: str, *, floor: bool = False) -> Row:
        above, below = ("biomedica", name) if floor else (name, "biomedica")
        ours, theirs = (f"{len(corpus.documents) / seconds[key]:,.0f} articles/s" for key in ("biomedica", name))
        ratio, span = seconds[above] / seconds[below], spread(measured, above, below)
        return Row("JATS, 1 core", ours, peer, theirs, ratio, goal, span)

    return [
        row("pubmed_parser, four calls", "pubmed_parser", ">= 15"),
        row("lxml.etree.parse alone", "lxml", ">= 2.5"),
        *([row(FLOOR, "xml_events_s", "<= 2", floor=True)] if "xml_events_s" in seconds else []),
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
        measured = interleaved([timed("1 thread", read(1)), floors(corpus.packages)], rounds)
    # A second series, since a process that is pinned would not show what two cores give.
    measured |= {
        f"{name}, unpinned": values
        for name, values in interleaved([timed("1 thread", read(1)), timed("2 threads", read(2))], rounds).items()
    }
    seconds = medians(measured)
    parts = [measured[name] for name in FLOORS if name in measured]
    measured |= {"floor": list(map(sum, zip(*parts, strict=True)))}

    def speed(name: float) -> str:
        return f"{corpus.package_bytes / name / 1e6:,.0f} MB/s"

    one, two = seconds["1 thread, unpinned"], seconds["2 threads, unpinned"]
    span = spread(measured, "1 thread, unpinned", "2 threads, unpinned")
    table = [Row("packages to Arrow, 2 threads", speed(two), "1 thread", speed(one), one / two, ">= 1.8", span)]
    if measured["floor"]:
        floor, mine = statistics.median(measured["floor"]), seconds["1 thread"]
        case, peer = "packages to Arrow, 1 core", "floor: inflate + sha-256 + events"
        span = spread(measured, "1 thread", "floor")
        table.insert(0, Row(case, speed(mine), peer, speed(floor), mine / floor, "<= 1.2", span))
    return table, measured
