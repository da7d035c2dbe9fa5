"""Rounds, medians, cores and the machine."""

import contextlib
import os
import platform
import re
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

Contender: TypeAlias = Callable[[], Mapping[str, float]]
"""Runs once and says what it measured, by name."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    case: str
    ours: str
    peer: str
    theirs: str
    ratio: float
    goal: str
    """Of the ratio, such as `>= 15`; empty when none was set."""


def timed(name: str, work: Callable[[], object]) -> Contender:
    """A contender that measures the wall-clock seconds of `work`."""

    def run() -> dict[str, float]:
        start = time.perf_counter()
        work()
        return {name: time.perf_counter() - start}

    return run


def interleaved(contenders: list[Contender], rounds: int) -> dict[str, list[float]]:
    """What each contender measured in each of `rounds`, all taking turns, after a round to warm up."""
    measured = defaultdict(list)
    for number in range(rounds + 1):
        for contender in contenders:
            # What an earlier turn left to be written is no cost of this one.
            os.sync()
            for name, value in contender().items():
                if number > 0:
                    measured[name].append(value)
    return dict(measured)


def medians(measured: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each measure."""
    return {name: statistics.median(values) for name, values in measured.items()}


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Pin this thread, and the threads and processes that it starts, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def machine() -> dict[str, object]:
    """What the numbers were measured on and with."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": pages,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "rustc": said_by("rustc", "--version"),
        "commit": said_by("git", "describe", "--always", "--dirty"),
        "tar": said_by("tar", "--version").split("\n")[0],
        "packages": {
            name: metadata.version(name)
            for name in (
                "biomedica datasets lxml numpy obstore open_clip_torch pillow pubmed_parser pyarrow tokenizers torch webdataset"
            ).split()
        },
    }


def said_by(*command: str) -> str:
    """What `command` prints, run in the repository; empty when it cannot be run."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
