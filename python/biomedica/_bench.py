"""`bench`: how fast biomedica is on this machine, beside its peers in the same run."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biomedica._core import build_profile
from biomedica._sources import StrPath
from biomedica._storage import whole_file
from biomedica.benchmarks.cases import CASES
from biomedica.benchmarks.corpus import make_corpus
from biomedica.benchmarks.measure import Row, machine
from biomedica.benchmarks.table import markdown

__all__ = ["Benchmark", "bench"]

RECORD, TABLE, PAGE = "bench.json", "bench.md", "bench.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What was measured."""

    rows: tuple[Row, ...]
    left_out: Mapping[str, str]
    """Cases that could not be measured, with the reason."""
    machine: Mapping[str, Any]
    corpus: Mapping[str, Any]
    """What was measured on: `name`, `package_bytes`, `document_bytes`."""
    rounds: int
    date: str
    """UTC, when it was done."""
    raw: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    """What each contender of each case measured in each round."""

    @classmethod
    def read(cls, path: StrPath) -> "Benchmark":
        """That of `bench.json`, or of a directory with one.

        Raises:
            ValueError: It is none.
        """
        file = Path(path) / RECORD if Path(path).is_dir() else Path(path)
        try:
            values = json.loads(file.read_text("utf-8"))
            rows = tuple(
                Row(**{**row, "range": row.get("range") and tuple(row["range"])}) for row in values.pop("rows")
            )
            return cls(rows=rows, **values)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{file}: no benchmark that `biomedica bench` wrote: {error}") from error

    def where(self) -> str:
        """Machine, corpus and day, for captions."""
        return f"{self.machine['cpu']}, {self.machine['cores']} cores; {self.corpus['name']}; {self.date[:10]}"


def bench(
    output: StrPath,
    cases: Iterable[str] | None = None,
    *,
    data: StrPath | None = None,
    articles: int = 1000,
    figures: int = 1_000_000,
    rounds: int = 5,
    work: StrPath | None = None,
    against: StrPath | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> Benchmark:
    """Measure this machine: every case whose peers are installed, interleaved with them.

    `output` gets `bench.html`, a page with a picture of all ratios and their spread over the rounds; `bench.md`, the same as
    a table; and `bench.json`, with each round of each contender, versions and machine. A case that needs a package that is
    not installed, or that fails, is left out, and told.

    Args:
        output: The directory.
        cases: Which ones, by name; all when not given.
        data: Real articles to measure on: packages in `packages/*.tar.gz` and documents below `xml`. Without, a corpus is
            drawn (`demo`).
        articles: How many are drawn.
        figures: How many the cases of tables make up; those of pages a tenth of it.
        rounds: Rounds that count; one more goes before them.
        work: Where corpora and outputs go, some gigabytes; `work` in `output` when not given. The corpus stays there.
        against: An earlier `bench.json`, or a directory with one: the page tells how ratios changed.
        progress: Called before each case with its name, how many are done, and of how many.

    Returns:
        The rows, and what was left out.

    Raises:
        ValueError: A case is not known, a number is out of range, or this is a debug build.
        SourceNotFoundError: There are no packages in `data`.

    Example:
        >>> import biomedica as bm
        >>> bm.bench("bench/", ["jats", "imports"], rounds=3).rows[0].ratio  # doctest: +SKIP
    """
    known = {case.name: case for case in CASES}
    names = list(known) if cases is None else list(dict.fromkeys(cases))
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no case is called {', '.join(unknown)}; there are {', '.join(known)}")
    if min(rounds, articles, figures) < 1:
        raise ValueError(f"rounds is {rounds}, articles {articles} and figures {figures}: each must be 1 or more")
    if build_profile != "release":
        raise ValueError("this is a debug build of biomedica, whose speed says nothing: install a release build")
    before = None if against is None else Benchmark.read(against)
    files = Path(output)
    place = files / "work" if work is None else Path(work)
    place.mkdir(parents=True, exist_ok=True)
    left_out = {
        name: f"needs {' '.join(missing)}: pip install {' '.join(missing)}"
        for name in names
        if (missing := known[name].missing())
    }
    wanted = [name for name in names if name not in left_out]
    corpus = make_corpus(place, None if data is None else Path(data), articles, figures)
    rows: list[Row] = []
    raw: dict[str, dict[str, list[float]]] = {}
    for number, name in enumerate(wanted):
        if progress is not None:
            progress(name, number, len(wanted))
        try:
            found, raw[name] = known[name].run(corpus, rounds)
        except Exception as error:  # noqa: BLE001 - a peer may fail in any way, and the other cases stand all the same
            left_out[name] = f"failed: {type(error).__name__}: {error}"
            continue
        rows += found
    made = Benchmark(
        rows=tuple(rows), left_out=left_out, machine=machine(), rounds=rounds, raw=raw,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        corpus={"name": corpus.name, "package_bytes": corpus.package_bytes, "document_bytes": corpus.document_bytes},
    )  # fmt: skip
    from biomedica.web.benchmark import benchmark_page

    texts = {
        RECORD: json.dumps(asdict(made), indent=1) + "\n",
        TABLE: markdown(made.rows, made.where()) + "\n",
        PAGE: benchmark_page(made, before),
    }
    for file, text in texts.items():
        with whole_file(files / file) as sink:
            sink.write(text.encode())
    return made
