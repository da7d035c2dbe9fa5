"""How long work shows itself: a live line on a terminal, plain lines elsewhere, JSON for machines; all on stderr."""

import contextlib
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from biomedica.cli.summary import rates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from biomedica import Progress
    from biomedica.cli.output import Output

FIELDS = (
    "packages",
    "skipped_packages",
    "total_packages",
    "articles",
    "figures",
    "pairs",
    "failures",
    "input_bytes",
    "output_bytes",
    "seconds",
)
TEXT_SECONDS = 10.0
JSON_SECONDS = 1.0
"""Seconds between two lines of either kind. The first comes at once, so that a log shows that work has begun."""


class Lines:
    """Writes what it is told as lines, no more often than every few seconds; keeps the last."""

    def __init__(self, output: "Output") -> None:
        self.last: Progress | None = None
        self._output = output
        self._next = 0.0

    def __call__(self, progress: "Progress") -> None:
        """Take the state of the work."""
        self.last = progress
        if self._output.json:
            self._tell(progress)
        if progress.seconds >= self._next:
            self._next = progress.seconds + (JSON_SECONDS if self._output.json else TEXT_SECONDS)
            self._show(progress)

    def _tell(self, progress: "Progress") -> None:
        from biomedica import PartBegun

        for event in progress.events:
            self._output.note("part_begun" if isinstance(event, PartBegun) else "part_ended", asdict(event), "")

    def _show(self, progress: "Progress") -> None:
        self._output.note("progress", values(progress), line(progress))


class Live(Lines):
    """Redraws one line of a terminal, with a bar when the total is known."""

    def __init__(self, output: "Output") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as Bar

        super().__init__(output)
        columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}"))
        # Transient: the summary that follows says it all again.
        self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self.bar.add_task("starting", total=None)

    def __call__(self, progress: "Progress") -> None:
        """Take the state of the work."""
        self.last = progress
        self.bar.update(
            self._task, completed=progress.packages, total=progress.total_packages, description=line(progress)
        )


@contextlib.contextmanager
def shown(output: "Output") -> "Iterator[Lines]":
    """A callback for `extract` that shows progress while the block runs."""
    if output.json or not sys.stderr.isatty():
        yield Lines(output)
        return
    live = Live(output)
    with live.bar:
        yield live


@contextlib.contextmanager
def counted(output: "Output") -> "Iterator[Callable[[int, int, Mapping[str, object], str], None]]":
    """A function that shows how many of how many are done while the block runs, with values for machines and a text."""
    if not output.json and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        # Transient: the summary that follows says it all again.
        columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
        with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("starting", total=None)

            def draw(done: int, total: int, _: "Mapping[str, object]", text: str) -> None:
                bar.update(task, completed=done, total=total, description=text)

            yield draw
        return
    begin = last = time.monotonic()

    def write(_: int, __: int, values: "Mapping[str, object]", text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= TEXT_SECONDS:
            last = now
            output.note("progress", {**values, "seconds": now - begin}, text)

    yield write


def line(progress: "Progress") -> str:
    """One line for people: counts, rates and, when the total is known, the time left."""
    total, done = progress.total_packages, progress.packages - progress.skipped_packages
    of = "" if total is None else f" of {total:,}"
    text = f"{progress.packages:,}{of} packages{rates(progress)}"
    text += f", {progress.pairs:,} pairs, {progress.failures:,} failures"
    if total is not None and done > 0:
        text += f", {clock(progress.seconds * (total - progress.packages) / done)} left"
    return text


def values(progress: "Progress") -> dict[str, float | None]:
    """The same for machines: what the API gives, under its own names."""
    return {name: getattr(progress, name) for name in FIELDS}


def clock(seconds: float) -> str:
    """`1:02:03`, or `2:03` below an hour."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
