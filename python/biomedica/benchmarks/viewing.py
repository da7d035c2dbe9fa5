"""The case `view`: the index of a dataset's pages and the pages themselves, beside what their parts cost alone."""

import contextlib
import http.client
import itertools
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import faiss
import pyarrow.compute as pc
import pyarrow.dataset as pads

from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.measure import FLOOR, Contender, Measured, beside, interleaved, timed
from biomedica.benchmarks.synthetic import WORDS, add_features, add_labels, synthetic, vectors_of
from biomedica.dataset import Dataset
from biomedica.web.view.index import FOLDER, open_index

SHARE = 10
"""One in so many of the made-up figures: their captions and mentions have many words."""
CAPTION_WORDS, DIMENSION = 60, 1_024
VISITS, SOME = 10, 5_000
"""Pages of each kind in each round, and the figures that are looked at."""
NEAR = 24
FTS = "CREATE VIRTUAL TABLE words USING fts5(caption, tokenize='unicode61 remove_diacritics 2')"


def view(corpus: Corpus, rounds: int) -> Measured:
    """The index of made-up tables, a page that finds words, and a figure's page with its neighbours."""
    figures = max(1, corpus.figures // SHARE)
    dataset = synthetic(corpus.work, figures, words=CAPTION_WORDS)
    add_labels(dataset)
    add_features(dataset, DIMENSION)
    measured = indexing(dataset, rounds) | looking(dataset, rounds)
    rows = (
        (f"index of {figures:,} figures", "index", f"{FLOOR}SQLite's FTS5, captions alone", "words alone"),
        ("page: captions with two words", "searched", "pyarrow scans the captions", "scan"),
        ("page: a figure and its neighbours", "looked at", f"{FLOOR}faiss's search alone", "search"),
    )
    return [
        beside(measured, case, peer, 1, "figures/s" if ours == "index" else "pages/s", ours=ours, theirs=theirs)
        for case, ours, peer, theirs in rows
    ], measured


def indexing(dataset: Dataset, rounds: int) -> dict[str, list[float]]:
    """Seconds a figure of the index."""
    files = pads.dataset(dataset.path / "figures")
    figures = files.count_rows()

    def index() -> None:
        shutil.rmtree(dataset.path / FOLDER, ignore_errors=True)
        open_index(dataset).close()

    def words_alone() -> None:
        captions = files.to_table(columns=["caption"])["caption"].to_pylist()
        with contextlib.closing(sqlite3.connect(":memory:")) as file:
            file.execute(FTS)
            file.executemany("INSERT INTO words VALUES (?)", ((caption,) for caption in captions))

    return interleaved([timed("index", index, figures), timed("words alone", words_alone, figures)], rounds)


def looking(dataset: Dataset, rounds: int) -> dict[str, list[float]]:
    """Seconds a page of each kind, no two the same."""
    files = pads.dataset(dataset.path / "figures")
    words = itertools.cycle(itertools.permutations(WORDS, 2))
    ids = itertools.cycle(files.head(SOME, columns=["image_id"])["image_id"].to_pylist())
    features = vectors_of(dataset)
    faiss.normalize_L2(features)
    near = faiss.IndexFlatIP(DIMENSION)
    near.add(features)
    queries = itertools.cycle(features[:SOME, None])

    def scan(first: str, second: str) -> None:
        found = pc.match_substring(pc.field("caption"), first) & pc.match_substring(pc.field("caption"), second)
        files.to_table(columns=["image_id"], filter=found)

    def visits(name: str, visited: Iterator[Any], visit: Callable[[Any], object]) -> Contender:
        return timed(name, lambda: [visit(one) for one in itertools.islice(visited, VISITS)], VISITS)

    with served(dataset.path) as ask:
        contenders = [
            visits("searched", words, lambda pair: ask("/gallery?q=" + quote(" ".join(pair)))),
            visits("scan", words, lambda pair: scan(*pair)),
            visits("looked at", ids, lambda name: ask(f"/figure/{name}")),
            visits("search", queries, lambda query: near.search(query, NEAR)),
        ]
        return interleaved(contenders, rounds)


@contextlib.contextmanager
def served(root: Path) -> Iterator[Callable[[str], None]]:
    """The server of a dataset's pages, in a process of its own: asks for a page until all of it is there."""
    command = [sys.executable, "-m", "biomedica", "view", str(root), "--log-format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = json.loads(process.stdout.readline())["url"] if process.stdout else ""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

        def ask(path: str) -> None:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise RuntimeError(f"{path}: {answer.status}")

        try:
            yield ask
        finally:
            connection.close()
            process.terminate()
