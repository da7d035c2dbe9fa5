"""Answers in SQLite: all are kept, the latest counts, undoing goes back, crashes lose nothing."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import biomedica as bm
from biomedica.concepts.answers import Answer
from biomedica.web.annotate.clusters import SECTIONS, Cluster
from biomedica.web.annotate.ledger import Ledger, Progress
from biomedica.web.annotate.queue import after, queue_of

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def cluster(number: int) -> Cluster:
    return Cluster(number, 1, {section: [] for section in SECTIONS}, [])


def answer(number: int, expert: str = "ana", panel: str = "single", **more: object) -> Answer:
    return Answer(number, expert, panel, None, ("Maps",), ("map",), **more)  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "answers.sqlite") as opened:
        opened.show("default", "m", "s", lambda: map(cluster, range(6)))
        yield opened


def test_the_latest_answer_counts_and_undoing_goes_back(ledger: Ledger) -> None:
    ledger.answer(answer(1))
    ledger.answer(answer(1, panel="multi"))
    ledger.answer(answer(1, "bo", panel="single"))
    assert [(one.expert, one.panel_type) for one in ledger.answers()] == [("ana", "multi"), ("bo", "single")]
    taken = ledger.undo("ana")
    assert taken is not None
    assert taken[0] == 1
    assert [(one.expert, one.panel_type) for one in ledger.answers()] == [("ana", "single"), ("bo", "single")]
    assert (undone := ledger.undone("ana", 1)) is not None
    assert undone.panel_type == "multi"
    assert ledger.undo("ana") is not None
    assert ledger.undo("ana") is None
    assert [one.expert for one in ledger.answers()] == ["bo"]
    rows = sqlite3.connect(ledger.path).execute("SELECT count(*), count(undone) FROM events").fetchone()
    assert rows == (3, 2)


def test_the_queue_has_every_cluster_in_an_order_of_the_experts_own(ledger: Ledger) -> None:
    queues = {expert: queue_of(ledger, expert) for expert in ("ana", "bo", "cy")}
    assert all(sorted(queue) == list(range(6)) for queue in queues.values())
    assert len({tuple(queue) for queue in queues.values()}) == 3
    assert queue_of(ledger, "ana") == queues["ana"] == [2, 3, 1, 4, 5, 0]


def test_what_was_skipped_comes_again_at_the_end(ledger: Ledger) -> None:
    queue = queue_of(ledger, "ana")
    seen = []
    while (number := after(queue, ledger.states("ana"))) is not None:
        seen.append(number)
        if number in queue[1:3] and seen.count(number) == 1:
            ledger.skip("ana", number)
        else:
            ledger.answer(answer(number))
    assert seen == [*queue, queue[1], queue[2]]
    ledger.skip("ana", queue[0])
    assert len(ledger.answers()) == 6


def test_progress_counts_answers_and_tells_what_is_left(ledger: Ledger) -> None:
    queue = queue_of(ledger, "ana")
    assert ledger.progress("ana", queue) == Progress("ana", 0, 0, 6, None)
    for number, seconds in enumerate((10.0, 20.0, 600.0)):
        ledger.answer(answer(number, seconds=seconds))
    ledger.skip("ana", 4)
    assert ledger.progress("ana", queue) == Progress("ana", 3, 1, 6, 60.0)


def test_a_cluster_that_enough_have_judged_is_left_out_of_other_queues(ledger: Ledger) -> None:
    ledger.answer(answer(3, "ana"))
    ledger.answer(answer(3, "bo"))
    ledger.answer(answer(4, "bo"))
    assert sorted(queue_of(ledger, "cy", 2)) == [0, 1, 2, 4, 5]
    assert sorted(queue_of(ledger, "cy", 1)) == [0, 1, 2, 5]
    assert sorted(queue_of(ledger, "bo", 2)) == [0, 1, 2, 3, 4, 5]


def test_answers_about_other_clusters_are_not_mixed_in(ledger: Ledger) -> None:
    ledger.show("other", "m2", "s", lambda: [cluster(9)])
    assert ledger.numbers() == [9]
    ledger.answer(answer(9))
    with pytest.raises(bm.AnswerError, match="answers about clusters other; name another file"):
        ledger.show("default", "m", "s", list)
    with pytest.raises(bm.AnswerError, match="as they were before"):
        ledger.show("other", "m3", "s", list)
    ledger.show("other", "m2", "new images", lambda: [cluster(9), cluster(10)])
    assert ledger.numbers() == [9, 10]
    ledger.show("other", "m2", "new images", lambda: pytest.fail("read again"))


def test_taking_in_a_file_again_changes_nothing(ledger: Ledger) -> None:
    file = [answer(1, at=NOON), answer(1, panel="multi", at=NOON + timedelta(seconds=1)), answer(2, "bo")]
    assert ledger.take(file, []) == 3
    assert ledger.take(file, []) == 0
    assert [one.panel_type for one in ledger.answers()] == ["multi", "single"]
    assert ledger.undo("ana") is None


def test_an_older_answer_of_a_file_does_not_replace_a_newer_one(ledger: Ledger) -> None:
    ledger.answer(answer(1, panel="multi"))
    assert ledger.take([answer(1, at=NOON - timedelta(days=3650))], []) == 1
    assert [one.panel_type for one in ledger.answers()] == ["multi"]


def test_many_threads_write_at_once(ledger: Ledger) -> None:
    experts = [f"expert {number}" for number in range(8)]

    def work(expert: str) -> None:
        for number in range(6):
            ledger.answer(answer(number, expert))
            ledger.progress(expert, range(6))

    threads = [threading.Thread(target=work, args=(expert,)) for expert in experts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.answers()) == 48
    assert sorted(ledger.experts()) == experts


def test_a_killed_process_loses_no_answer_that_it_kept(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from biomedica.concepts.answers import Answer
from biomedica.web.annotate.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for number in range(10**6):
    ledger.answer(Answer(number, "ana", "single"))
    print(number, flush=True)
"""
    path = tmp_path / "answers.sqlite"
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 20:
                os.kill(process.pid, signal.SIGKILL)
                break
    with Ledger(path) as ledger:
        assert [one.cluster for one in ledger.answers()][:21] == list(range(21))


def test_files_that_are_something_else_are_left_alone(tmp_path: Path) -> None:
    text, database = tmp_path / "text", tmp_path / "database"
    text.write_text("not a database, but long enough to be taken for one" * 50)
    with sqlite3.connect(database) as rows:
        rows.execute("CREATE TABLE mine (value)")
    rows.close()
    for path in (text, database):
        before = path.read_bytes()
        with pytest.raises(bm.AnswerError, match=f"{path.name}: not a file of answers"):
            Ledger(path)
        assert path.read_bytes() == before
    with pytest.raises(bm.AnswerError, match="cannot be opened"):
        Ledger(tmp_path / "absent" / "answers.sqlite")
