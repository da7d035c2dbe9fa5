"""The cases: each measures, and says what came of it as rows of the table."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import rmtree
from typing import TypeAlias

import pubmed_parser
from lxml import etree

import biomedica
from harness import paper_way
from harness.bucket import bucket
from harness.corpus import WORK, Corpus
from harness.floors import floors
from harness.loading import loader, tokens
from harness.measure import Contender, Row, interleaved, medians, one_core, timed
from harness.streaming import stream

__all__ = ["arrow", "bucket", "dataset", "imports", "jats", "loader", "memory", "phash", "stream", "tokens"]

Measured: TypeAlias = tuple[list[Row], dict[str, list[float]]]

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
        quotient = seconds["biomedica"] / seconds[name]
        ours, theirs = (f"{len(corpus.documents) / seconds[key]:,.0f} articles/s" for key in ("biomedica", name))
        return Row("JATS, 1 core", ours, peer, theirs, quotient if floor else 1 / quotient, goal)

    return [
        row("pubmed_parser, four calls", "pubmed_parser", ">= 15"),
        row("lxml.etree.parse alone", "lxml", ">= 2.5"),
        row("floor: quick-xml events alone", "xml_events_s", "<= 2", floor=True),
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
    floor = seconds["inflate_s"] + seconds["sha256_s"] + seconds["xml_events_s"]

    def speed(name: float) -> str:
        return f"{corpus.package_bytes / name / 1e6:,.0f} MB/s"

    one, two = seconds["1 thread, unpinned"], seconds["2 threads, unpinned"]
    return [
        Row(
            "packages to Arrow, 1 core",
            speed(seconds["1 thread"]),
            "floor: inflate + sha-256 + events",
            speed(floor),
            seconds["1 thread"] / floor,
            "<= 1.2",
        ),
        Row("packages to Arrow, 2 threads", speed(two), "1 thread", speed(one), one / two, ">= 1.8"),
    ], measured


def dataset(corpus: Corpus, rounds: int) -> Measured:
    """Packages to a dataset on disk, on one core."""
    output = WORK / "out"

    def ours() -> None:
        biomedica.extract(corpus.packages, output, threads=1)

    def paper(batch: int) -> Callable[[], object]:
        return lambda: paper_way.extract(corpus.packages, output, batch)

    def tar() -> None:
        output.mkdir(parents=True)
        for package in corpus.packages:
            subprocess.run(["tar", "xzf", package, "-C", output], check=True)

    def tar_sync() -> None:
        tar()
        subprocess.run(["sync", "--file-system", output], check=True)

    def fresh(name: str, work: Callable[[], object]) -> Contender:
        def run() -> Mapping[str, float]:
            rmtree(output, ignore_errors=True)
            measured = timed(name, work)()
            rmtree(output, ignore_errors=True)
            return measured

        return run

    contenders = [
        fresh("biomedica", ours),
        fresh("paper, kindest", paper(1)),
        fresh("paper, published", paper(paper_way.PUBLISHED_BATCH)),
        fresh("tar", tar),
        fresh("tar, sync", tar_sync),
    ]
    with one_core():
        measured = interleaved(contenders, rounds)
    seconds = medians(measured)

    def row(peer: str, name: str, goal: str = "") -> Row:
        ours, theirs = (f"{corpus.package_bytes / seconds[key] / 1e6:,.1f} MB/s" for key in ("biomedica", name))
        return Row("packages to dataset, 1 core", ours, peer, theirs, seconds[name] / seconds["biomedica"], goal)

    return [
        row("the paper's way, kindest reading", "paper, kindest", ">= 15"),
        row("the paper's way, batches of 200", "paper, published"),
        row("tar xzf, nothing else", "tar", ">= 2"),
        row("tar xzf, then sync (as we do)", "tar, sync"),
    ], measured


def imports(_: Corpus, rounds: int) -> Measured:
    """The cost of the import statement in a fresh interpreter."""

    def contender(name: str) -> Contender:
        code = f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
        return lambda: {name: float(subprocess.check_output([sys.executable, "-c", code]))}

    measured = interleaved([contender("biomedica"), contender("pyarrow")], rounds * 3)
    seconds = medians(measured)
    ours, theirs = (f"{seconds[name] * 1e3:.0f} ms" for name in ("biomedica", "pyarrow"))
    ratio = seconds["biomedica"] / seconds["pyarrow"]
    return [Row("import biomedica", ours, "import pyarrow", theirs, ratio, "<= 1.3")], measured


def memory(corpus: Corpus, rounds: int) -> Measured:
    """Peak resident memory of an extraction with two threads, over the corpus and over ten times as much."""
    # Each copy of the corpus is a part of its own, since an article counts once in a part. The corpus itself fills all
    # that is read ahead, so that more of it should cost nothing.
    tenfold = WORK / "tenfold"
    for copy in range(10):
        directory = tenfold / str(copy)
        directory.mkdir(parents=True, exist_ok=True)
        for package in corpus.packages:
            link = directory / package.name
            if not link.exists():
                link.hardlink_to(package)
    # Not `ru_maxrss`: a child starts with its parent's, and this parent has read a corpus.
    code = (
        "import re, sys, biomedica; biomedica.extract(sys.argv[2], sys.argv[1], threads=2, part_size=int(sys.argv[3]));"
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]) * 1024)"
    )
    output = WORK / "out" / "memory"

    def contender(name: str, source: Path) -> Contender:
        def run() -> dict[str, float]:
            rmtree(output, ignore_errors=True)
            part_size = str(len(corpus.packages))
            peak = float(subprocess.check_output([sys.executable, "-c", code, output, source, part_size]))
            rmtree(output, ignore_errors=True)
            return {name: peak}

        return run

    measured = interleaved([contender("1x", tenfold / "0"), contender("10x", tenfold)], rounds)
    peak = medians(measured)
    small, large = (f"{peak[name] / 2**20:,.0f} MiB" for name in ("1x", "10x"))
    return [
        Row("peak memory, 2 threads, 10x the corpus", large, "1x", small, peak["10x"] / peak["1x"], "<= 1.1, < 600 MiB")
    ], measured


def decode(_: Corpus, rounds: int) -> Measured:
    """800x600 JPEGs to 224 pixels: random crop, bicubic, normalised."""
    from harness.decode import contenders, images

    encoded = images()
    with one_core():
        measured = interleaved(contenders(encoded, threads=1), rounds)
    # As in `arrow`: a second series, unpinned, for what two threads give.
    ours = [contenders(encoded, threads=threads, peers=False)[0] for threads in (1, 2)]
    both = interleaved(ours, rounds)
    seconds = medians(measured)
    one, two = (medians(both)[f"biomedica, {threads} threads"] for threads in (1, 2))

    def speed(value: float) -> str:
        return f"{len(encoded) / value:,.0f} images/s"

    mine = seconds["biomedica, 1 threads"]

    def row(peer: str, name: str, goal: str) -> Row:
        return Row("decode, 1 core", speed(mine), peer, speed(seconds[name]), seconds[name] / mine, goal)

    return [
        row("Pillow + torchvision, as open_clip", "pillow", ">= 4"),
        row("DALI on the CPU", "dali", ">= 3"),
        row("our road for other JPEGs (progressive)", "progressive", ""),
        Row("decode, 2 threads", speed(two), "1 thread", speed(one), one / two, ">= 1.8"),
    ], {**measured, **{f"{name}, unpinned": values for name, values in both.items()}}


def phash(_: Corpus, rounds: int) -> Measured:
    """800x600 JPEGs to perceptual hashes."""
    from harness.decode import images, progressive
    from harness.phash import contenders

    encoded = images()
    with one_core():
        measured = interleaved(contenders(encoded, progressive(encoded)), rounds)
    seconds = medians(measured)

    def row(peer: str, name: str, goal: str) -> Row:
        ours, theirs = (f"{len(encoded) / seconds[key]:,.0f} images/s" for key in ("biomedica", name))
        return Row("perceptual hash, 1 core", ours, peer, theirs, seconds[name] / seconds["biomedica"], goal)

    return [
        row("imagehash + Pillow", "imagehash", ">= 4"),
        row("imagehash + Pillow, told to decode at a fraction", "imagehash, draft", ""),
        row("our road for other JPEGs (progressive)", "progressive", ""),
    ], measured
