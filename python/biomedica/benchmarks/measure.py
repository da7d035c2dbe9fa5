"""Rounds, medians, cores and the machine."""

import contextlib
import os
import platform
import re
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

Contender: TypeAlias = Callable[[], Mapping[str, float]]
"""Runs once and says what it measured, by name."""

Measured: TypeAlias = "tuple[list[Row], dict[str, list[float]]]"
"""What a case came to, and what each contender measured in each round, by name."""
FLOOR = "floor: "
"""How the names of peers begin that are the least that the work can cost."""
THREE_DIGITS = 100
PACKAGES = (
    "biomedica", "datasets", "duckdb", "faiss-cpu", "imagehash", "lxml", "numpy", "nvidia-dali-cuda130", "obstore", "open_clip_torch",
    "pillow", "pubmed_parser", "pyarrow", "scikit-learn", "scipy", "tokenizers", "torch", "webdataset",
)  # fmt: skip
"""Whose versions are told, where they are installed."""


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
    range: tuple[float, float] | None = None
    """The lowest and the highest ratio of a round."""


def timed(name: str, work: Callable[[], object], times: int = 1) -> Contender:
    """A contender that measures the wall-clock seconds of `work`, of each of the `times` that it does something."""

    def run() -> dict[str, float]:
        start = time.perf_counter()
        work()
        return {name: (time.perf_counter() - start) / times}

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


def spread(measured: Mapping[str, list[float]], above: str, below: str) -> tuple[float, float]:
    """The lowest and the highest quotient of two measures in one round."""
    quotients = [a / b for a, b in zip(measured[above], measured[below], strict=True)]
    return min(quotients), max(quotients)


def beside(
    measured: Mapping[str, list[float]],
    case: str,
    peer: str,
    amount: float,
    unit: str,
    *,
    theirs: str,
    ours: str = "biomedica",
    goal: str = "",
) -> Row:
    """The row of two contenders whose seconds were measured, each of which did `amount`.

    Args:
        measured: Seconds of each round, by name.
        case: What was done.
        peer: What we stand beside. Of a floor (`FLOOR`) the ratio is our seconds by its, else its by ours.
        amount: How much of it.
        unit: Of the rates, such as `articles/s`.
        theirs: The peer's name in `measured`.
        ours: Our own.
        goal: Of the ratio.
    """
    seconds = medians({name: measured[name] for name in (ours, theirs)})
    mine, other = (f"{_spelled(amount / seconds[name])} {unit}" for name in (ours, theirs))
    above, below = (ours, theirs) if peer.startswith(FLOOR) else (theirs, ours)
    return Row(case, mine, peer, other, seconds[above] / seconds[below], goal, spread(measured, above, below))


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Pin this thread, and the threads and processes that it starts, to one core.

    torch, where it is in use, gets one thread: the others that it has already would run beside the core.
    """
    before, torch = os.sched_getaffinity(0), sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 1
    os.sched_setaffinity(0, {max(before)})
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        if torch:
            torch.set_num_threads(threads)


def machine() -> dict[str, object]:
    """What the numbers were measured on and with."""
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.*)$", cpuinfo.read_text("utf-8") if cpuinfo.exists() else "", re.MULTILINE)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "load": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _spelled(rate: float) -> str:
    """Three digits that count, or all before the point."""
    return f"{rate:,.0f}" if rate >= THREE_DIGITS else f"{rate:.3g}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
