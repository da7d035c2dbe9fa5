"""Cases of a process: what memory an extraction takes, and what the import costs."""

import subprocess
import sys
from pathlib import Path
from shutil import rmtree

from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import Contender, Measured, Row, interleaved, medians, spread

__all__ = ["imports", "memory"]


def imports(_: Corpus, rounds: int) -> Measured:
    """The cost of the import statement in a fresh interpreter."""

    def contender(name: str) -> Contender:
        code = f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
        return lambda: {name: float(subprocess.check_output([sys.executable, "-c", code]))}

    measured = interleaved([contender("biomedica"), contender("pyarrow")], rounds * 3)
    seconds = medians(measured)
    ours, theirs = (f"{seconds[name] * 1e3:.0f} ms" for name in ("biomedica", "pyarrow"))
    ratio = seconds["biomedica"] / seconds["pyarrow"]
    span = spread(measured, "biomedica", "pyarrow")
    return [Row("import biomedica", ours, "import pyarrow", theirs, ratio, "<= 1.3", span)], measured


def memory(corpus: Corpus, rounds: int) -> Measured:
    """Peak resident memory of an extraction with two threads, over the corpus and over ten times as much."""
    # Each copy of the corpus is a part of its own, since an article counts once in a part. The corpus itself fills all
    # that is read ahead, so that more of it should cost nothing.
    tenfold = corpus.work / "tenfold"
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
    output = corpus.work / "out" / "memory"

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
    ratio, span = peak["10x"] / peak["1x"], spread(measured, "10x", "1x")
    return [
        Row("peak memory, 2 threads, 10x the corpus", large, "1x", small, ratio, "<= 1.1, < 600 MiB", span)
    ], measured
