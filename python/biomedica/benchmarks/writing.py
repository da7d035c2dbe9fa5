"""The case `dataset`: packages to a dataset beside the paper's way and bare `tar`."""

import subprocess
from collections.abc import Callable, Mapping
from shutil import rmtree

import biomedica
from biomedica.benchmarks import paper_way
from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Contender, Measured, Row, beside, interleaved, one_core, timed

__all__ = ["dataset"]


def dataset(corpus: Corpus, rounds: int) -> Measured:
    """Packages to a dataset on disk, on one core."""
    output = corpus.work / "out"

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

    def row(peer: str, name: str, goal: str = "") -> Row:
        megabytes = corpus.package_bytes / 1e6
        return beside(measured, "packages to dataset, 1 core", peer, megabytes, "MB/s", theirs=name, goal=goal)

    return [
        row("the paper's way, kindest reading", "paper, kindest", ">= 15"),
        row("the paper's way, batches of 200", "paper, published"),
        row("tar xzf, nothing else", "tar", ">= 2"),
        row("tar xzf, then sync (as we do)", "tar, sync"),
    ], measured
