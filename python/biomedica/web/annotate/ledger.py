"""The answers of experts in SQLite: every one that was ever given, in the order in which they came.

Nothing is deleted: undoing marks what was done last. What an expert says of a cluster is the latest of what is not
undone. Each change is one transaction, on the disk before the expert sees the next page.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal, Self, TypeAlias

from biomedica.concepts._entry import parsed
from biomedica.concepts.answers import Answer
from biomedica.exceptions import AnswerError
from biomedica.web.annotate.clusters import Cluster

__all__ = ["Ledger", "Progress", "State"]

APPLICATION, FORMAT = 0x62696F6D, 1
WAIT = 10.0
"""Seconds for which another process may hold the file."""
SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE clusters (cluster INTEGER PRIMARY KEY, shown TEXT NOT NULL);
CREATE TABLE experts (expert TEXT PRIMARY KEY, since TEXT NOT NULL);
CREATE TABLE concepts (
    global TEXT NOT NULL, local TEXT NOT NULL, expert TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (global, local)
);
CREATE TABLE events (
    event INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    expert TEXT NOT NULL,
    cluster INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('answer', 'skip')),
    origin TEXT NOT NULL CHECK (origin IN ('page', 'file')),
    answer TEXT,
    undone TEXT
);
CREATE INDEX events_of_expert ON events (expert, cluster, at);
CREATE VIEW current AS SELECT * FROM (
    SELECT *, row_number() OVER (PARTITION BY expert, cluster ORDER BY at DESC, event DESC) AS place
    FROM events WHERE undone IS NULL
) WHERE place = 1;
"""

Kind: TypeAlias = Literal["answer", "skip"]


@dataclass(frozen=True, slots=True)
class State:
    """What an expert did with a cluster last."""

    kind: Kind
    at: str
    answer: Answer | None
    """None where it was skipped."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an expert is."""

    expert: str
    answered: int
    skipped: int
    total: int
    """Clusters of the queue."""
    seconds: float | None
    """Left, by the median of what an answer took; None before there is one."""


class Ledger:
    """A file of answers; its methods may be called from any thread, and by several processes at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._rows = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise AnswerError(f"{path}: cannot be opened: {error}") from error
        try:
            self._prepare()
        except BaseException:
            self._rows.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, name: str, model: str, shown: str, clusters: Callable[[], Iterable[Cluster]]) -> None:
        """Say what the answers are about, and keep what is shown of each cluster.

        Args:
            name: Of the clusters.
            model: What tells these clusters from others.
            shown: What tells whether what is kept is of today.
            clusters: Reads them; called only when that is not so.

        Raises:
            AnswerError: The file has answers about other clusters.
        """
        about = dict(self._all("SELECT name, value FROM about"))
        same = (about.get("clusters"), about.get("model")) == (name, model)
        if about and not same and self._all("SELECT 1 FROM events LIMIT 1"):
            what = (
                f"clusters {about['clusters']}" if about["clusters"] != name else f"clusters {name} as they were before"
            )
            raise AnswerError(
                f"{self.path}: has answers about {what}; name another file for those about {name} as they are"
            )
        if same and about.get("shown") == shown:
            return
        rows = [(cluster.number, cluster.as_json()) for cluster in clusters()]
        with self._changes() as write:
            write.execute("DELETE FROM clusters")
            write.executemany("INSERT INTO clusters VALUES (?, ?)", rows)
            values = {"clusters": name, "model": model, "shown": shown}
            write.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", values.items())

    @property
    def model(self) -> str:
        """What tells its clusters from others."""
        return str(dict(self._all("SELECT name, value FROM about")).get("model", ""))

    def numbers(self) -> list[int]:
        """All clusters."""
        return [number for (number,) in self._all("SELECT cluster FROM clusters ORDER BY cluster")]

    def cluster(self, number: int) -> Cluster | None:
        """What is shown of a cluster; None when there is none."""
        rows = self._all("SELECT shown FROM clusters WHERE cluster = ?", number)
        return Cluster.of_json(rows[0][0]) if rows else None

    def add_expert(self, expert: str) -> None:
        """Take an expert in; one who is known already is fine."""
        with self._changes() as write:
            _add_expert(write, expert)

    def experts(self) -> list[str]:
        """All who came, in that order."""
        return [expert for (expert,) in self._all("SELECT expert FROM experts ORDER BY since, expert")]

    def answer(self, answer: Answer, proposals: Iterable[tuple[str, str]] = ()) -> None:
        """Add an answer, with the concepts it proposes: global and local, or a global and nothing."""
        given = replace(answer, at=answer.at or datetime.now(UTC))
        with self._changes() as write:
            _add_expert(write, answer.expert)
            _add_answer(write, given, "page")
            _propose(write, proposals, answer.expert)

    def skip(self, expert: str, cluster: int) -> None:
        """Put a cluster at the end of an expert's queue. An answer that was given stays."""
        if self.states(expert).get(cluster, State("skip", "", None)).kind == "answer":
            return
        with self._changes() as write:
            _add_expert(write, expert)
            write.execute(
                "INSERT INTO events (at, expert, cluster, kind, origin) VALUES (?, ?, ?, 'skip', 'page')",
                (_moment(datetime.now(UTC)), expert, cluster),
            )

    def undo(self, expert: str) -> tuple[int, Answer | None] | None:
        """Take back what an expert did last on a page.

        Returns:
            The cluster and the answer that was taken back; None when there is nothing left.
        """
        with self._changes() as write:
            row = write.execute(
                "SELECT event, cluster, answer FROM events WHERE expert = ? AND undone IS NULL AND origin = 'page'"
                " ORDER BY event DESC LIMIT 1",
                (expert,),
            ).fetchone()
            if row is None:
                return None
            write.execute("UPDATE events SET undone = ? WHERE event = ?", (_moment(datetime.now(UTC)), row[0]))
        return row[1], _answer(row[2])

    def undone(self, expert: str, cluster: int) -> Answer | None:
        """What an expert took back of a cluster last, to begin with when it is judged again."""
        rows = self._all(
            "SELECT answer FROM events WHERE expert = ? AND cluster = ? AND undone IS NOT NULL AND kind = 'answer'"
            " ORDER BY undone DESC LIMIT 1",
            expert,
            cluster,
        )
        return _answer(rows[0][0]) if rows else None

    def states(self, expert: str) -> dict[int, State]:
        """What an expert did with each cluster."""
        rows = self._all("SELECT cluster, kind, at, answer FROM current WHERE expert = ?", expert)
        return {cluster: State(kind, at, _answer(answer)) for cluster, kind, at, answer in rows}

    def answers(self) -> list[Answer]:
        """All answers that stand, by cluster and expert."""
        rows = self._all("SELECT answer FROM current WHERE kind = 'answer' ORDER BY cluster, expert")
        return [answer for (text,) in rows if (answer := _answer(text)) is not None]

    def judges(self) -> dict[int, set[str]]:
        """Who answered each cluster."""
        found: dict[int, set[str]] = {}
        for cluster, expert in self._all("SELECT cluster, expert FROM current WHERE kind = 'answer'"):
            found.setdefault(cluster, set()).add(expert)
        return found

    def progress(self, expert: str, queue: Sequence[int]) -> Progress:
        """How far an expert is in a queue."""
        states = {cluster: state for cluster, state in self.states(expert).items() if cluster in set(queue)}
        answers = [state.answer for state in states.values() if state.answer is not None]
        times = [answer.seconds for answer in answers if answer.seconds]
        left = len(queue) - len(answers)
        seconds = median(times) * left if times else None
        return Progress(expert, len(answers), len(states) - len(answers), len(queue), seconds)

    def concepts(self) -> list[tuple[str, str]]:
        """Proposed concepts: global and local, or a global and nothing, in the order in which they came."""
        return self._all("SELECT global, local FROM concepts ORDER BY at, global, local")

    def subtypes(self) -> list[str]:
        """Panel subtypes that were used, the commonest first."""
        rows = self._all(
            "SELECT json_extract(answer, '$.panel_subtype') AS name FROM current WHERE name IS NOT NULL"
            " GROUP BY name ORDER BY count(*) DESC, name LIMIT 200"
        )
        return [name for (name,) in rows]

    def take(self, answers: Sequence[Answer], proposals: Iterable[tuple[str, str, str]]) -> int:
        """Add answers of a file, all or none; those that are there already are left out.

        Args:
            answers: To add.
            proposals: Global concept, local concept or nothing, and expert.

        Returns:
            How many were new.
        """
        new = 0
        with self._changes() as write:
            for answer in answers:
                given = replace(answer, at=answer.at or datetime.now(UTC))
                same = "SELECT 1 FROM events WHERE expert = ? AND cluster = ? AND at = ? AND kind = 'answer'"
                known = (answer.expert, answer.cluster, _moment(answer.at)) if answer.at else None
                if known and write.execute(same, known).fetchone():
                    continue
                if answer.at is None and _stands(write, answer):
                    continue
                _add_expert(write, answer.expert)
                _add_answer(write, given, "file")
                new += 1
            for concept, local, expert in proposals:
                _propose(write, [(concept, local)], expert)
        return new

    def _prepare(self) -> None:
        try:
            (tables,) = self._rows.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            (application,) = self._rows.execute("PRAGMA application_id").fetchone()
            (version,) = self._rows.execute("PRAGMA user_version").fetchone()
            if tables and (application, version) != (APPLICATION, FORMAT):
                raise AnswerError(f"{self.path}: not a file of answers that this version writes")
            self._rows.execute("PRAGMA journal_mode = WAL")
            self._rows.execute("PRAGMA synchronous = FULL")
            with self._changes() as write:
                if not write.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                    for statement in filter(str.strip, SCHEMA.split(";\n")):
                        write.execute(statement)
                    write.execute(f"PRAGMA application_id = {APPLICATION}")
                    write.execute(f"PRAGMA user_version = {FORMAT}")
        except sqlite3.Error as error:
            raise AnswerError(f"{self.path}: not a file of answers, or one that cannot be written: {error}") from error

    @contextlib.contextmanager
    def _changes(self) -> Iterator[sqlite3.Cursor]:
        """A transaction: all of the block, or nothing."""
        with self._lock:
            try:
                write = self._rows.cursor()
                write.execute("BEGIN IMMEDIATE")
                try:
                    yield write
                except BaseException:
                    write.execute("ROLLBACK")
                    raise
                write.execute("COMMIT")
            except sqlite3.Error as error:
                raise AnswerError(f"{self.path}: cannot be written: {error}") from error

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._rows.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise AnswerError(f"{self.path}: cannot be read: {error}") from error


def _add_expert(write: sqlite3.Cursor, expert: str) -> None:
    write.execute("INSERT OR IGNORE INTO experts VALUES (?, ?)", (expert, _moment(datetime.now(UTC))))


def _add_answer(write: sqlite3.Cursor, answer: Answer, origin: Literal["page", "file"]) -> None:
    text = json.dumps(answer.as_dict(), ensure_ascii=False)
    write.execute(
        "INSERT INTO events (at, expert, cluster, kind, origin, answer) VALUES (?, ?, ?, 'answer', ?, ?)",
        (_moment(answer.at or datetime.now(UTC)), answer.expert, answer.cluster, origin, text),
    )


def _propose(write: sqlite3.Cursor, proposals: Iterable[tuple[str, str]], expert: str) -> None:
    at = _moment(datetime.now(UTC))
    write.executemany(
        "INSERT OR IGNORE INTO concepts VALUES (?, ?, ?, ?)", [(*proposal, expert, at) for proposal in proposals]
    )


def _stands(write: sqlite3.Cursor, answer: Answer) -> bool:
    """Whether an answer that does not say when it was given is what its expert says already."""
    row = write.execute(
        "SELECT answer FROM current WHERE expert = ? AND cluster = ? AND kind = 'answer'",
        (answer.expert, answer.cluster),
    ).fetchone()
    standing = _answer(row[0]) if row else None
    return standing is not None and replace(standing, at=None) == answer


def _answer(text: str | None) -> Answer | None:
    return None if text is None else Answer(**parsed(json.loads(text)))


def _moment(at: datetime) -> str:
    """Of one width, so that texts are in the order of time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
