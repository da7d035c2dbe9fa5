"""Models of several evaluations, compared only by what all have judged alike."""

import csv
import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import biomedica as bm
from biomedica._storage import storage
from biomedica.cli import main
from biomedica.exceptions import EvaluationError
from biomedica.web.evaluation.reports import write_reports
from bucket import Bucket
from evaluation.judged import SCRIPT, TASKS, judged

DONE = [name for name, _, kind in TASKS if kind not in {"missing", "partial"}]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    judged(folder / "monday")
    judged(folder / "tuesday", {"tuned": 0.75, "third": 0.6})
    return [folder / "monday", folder / "tuesday"]


def test_models_stand_in_the_order_of_their_averages(runs: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    board = bm.leaderboard(runs, draws=200, progress=lambda done, total: told.append((done, total)))
    assert board.models == ["monday/tuned", "tuesday/tuned", "third", "untuned"]
    assert board.ranking.places == (1, 2, 3, 4)
    assert [task.name for task in board.ranking.tasks] == DONE
    for one in board.ranking.averages:
        assert one.low <= one.value <= one.high
        if one.domain == "":
            scores = [s.value for c in board.ranking.competitors if c.name == one.model for s in c.scores.values()]
            assert one.value == pytest.approx(sum(scores) / len(DONE))
    assert [one.first for one in board.ranking.comparisons] == ["monday/tuned"] * len(board.ranking.comparisons)
    # All tables of predictions were counted, and no more.
    assert told[-1] == (len(DONE) * 10, len(DONE) * 10)
    assert [done for done, _ in told] == list(range(len(DONE) * 10 + 1))


def test_the_average_is_that_of_the_run_where_it_has_the_same_tasks(runs: list[Path]) -> None:
    board = bm.leaderboard(runs[0], draws=200)
    own = {one.model: one for one in bm.Evaluation.read(runs[0]).averages if one.domain == ""}
    assert {one.model: one for one in board.ranking.averages if one.domain == ""} == own


def test_one_domain_alone_can_be_ranked(tmp_path: Path) -> None:
    judged(tmp_path / "run", tasks=TASKS[:2])
    board = bm.leaderboard(tmp_path / "run", draws=100)
    assert board.models == ["tuned", "untuned"]
    assert [(one.domain, one.tasks) for one in board.ranking.averages] == [("", 2)] * 2
    assert [one.p_holm for one in board.ranking.comparisons if one.domain == ""] == [pytest.approx(1 / 101)]
    assert "microscopy" not in board.formatted("text").splitlines()[1]


def test_a_task_that_was_changed_is_not_compared(runs: list[Path], tmp_path: Path) -> None:
    files = storage(shutil.copytree(runs[1], tmp_path / "changed"))
    found = bm.Evaluation.read(files.root)
    changed = {"blood-cells": {"sha256": "ee" * 32}, "many-cells": {"split_sha256": "aa" * 32}}
    tasks = [replace(task, **changed.get(task.name, {})) for task in found.tasks]  # type: ignore[arg-type]
    replace(found, tasks=tuple(tasks)).write(files)
    board = bm.leaderboard([runs[0], tmp_path / "changed"], draws=100)
    reasons = {one.task: one.reason for one in board.ranking.left_out}
    assert reasons["blood-cells"].startswith("the task files differ")
    assert "monday abababababab, changed eeeeeeeeeeee" in reasons["blood-cells"]
    assert reasons["many-cells"].startswith("the splits differ")
    assert reasons["lost-lesions"] == "missing in monday, missing in changed"
    assert {"blood-cells", "many-cells"}.isdisjoint(task.name for task in board.ranking.tasks)
    assert "blood-cells" not in board.ranking.competitors[0].scores
    for form in ("text", "markdown", "csv", "json"):
        assert "the splits differ" in board.formatted(form)


def test_a_task_that_one_run_lacks_is_named(runs: list[Path], tmp_path: Path) -> None:
    judged(tmp_path / "few", {"few": 0.5}, TASKS[:3])
    board = bm.leaderboard([runs[0], tmp_path / "few"], draws=100)
    assert [task.name for task in board.ranking.tasks] == DONE[:3]
    assert {"colon-polyps", "figure-captions"} <= {
        one.task for one in board.ranking.left_out if one.reason == "not in few"
    }


def test_runs_without_a_common_task_are_refused_with_the_reasons(runs: list[Path], tmp_path: Path) -> None:
    judged(tmp_path / "other", {"x": 0.5}, TASKS[:1], sha256="ee" * 32)
    with pytest.raises(EvaluationError, match=r"no task by which .*blood-cells: the task files differ.*monday abab"):
        bm.leaderboard([runs[0], tmp_path / "other"])


def test_other_images_of_the_same_split_are_not_compared(runs: list[Path], tmp_path: Path) -> None:
    files = storage(shutil.copytree(runs[1], tmp_path / "fewer"))
    found = bm.Evaluation.read(files.root)
    replace(found, tasks=(replace(found.tasks[0], items=100), *found.tasks[1:])).write(files)
    board = bm.leaderboard([runs[0], tmp_path / "fewer"], draws=100)
    assert [one.reason for one in board.ranking.left_out if one.task == "blood-cells"] == [
        "not the same images: 120 in monday, 100 in fewer"
    ]


def test_predictions_of_another_task_file_are_refused(runs: list[Path], tmp_path: Path) -> None:
    files = storage(shutil.copytree(runs[0], tmp_path / "patched"))
    found = bm.Evaluation.read(files.root)
    replace(found, tasks=tuple(replace(task, sha256="ee" * 32) for task in found.tasks)).write(files)
    with pytest.raises(EvaluationError, match="patched: the predictions of untuned at blood-cells are of another"):
        bm.leaderboard(tmp_path / "patched")


def test_csv_and_json_have_all_numbers(runs: list[Path]) -> None:
    board = bm.leaderboard(runs, draws=100)
    rows = list(csv.DictReader(io.StringIO(board.formatted("csv"))))
    assert len([row for row in rows if row["of"] == "all"]) == 4
    assert len([row for row in rows if row["of"] == "domain"]) == 16
    assert len([row for row in rows if row["of"] == "task"]) == 4 * len(DONE)
    assert [row["name"] for row in rows if row["of"] == "left out"] == ["lost-lesions", "torn-retina"]
    firsts = [row for row in rows if row["place"] == "1"]
    assert all(row["p_against_first"] == "" for row in firsts)
    assert all(row["p_against_first"] for row in rows if row["place"] not in {"1", ""})
    values = json.loads(board.formatted("json"))
    assert [one["name"] for one in values["competitors"]] == board.models
    assert values["draws"] == {"draws": 100, "level": 0.95, "seed": 0}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["monday", "monday/"], "monday is given twice"),
        (["nothing"], "evaluation.json: there is no such file"),
        (["monday", "-o", "board.pdf"], "no format is known by .pdf"),
        (["monday", "--method", "probe"], "no probe score"),
    ],
)
def test_what_cannot_be_ranked_is_said_in_a_line(
    runs: list[Path],
    arguments: list[str],
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(runs[0].parent)
    assert main(["leaderboard", *arguments]) != 0
    error = capsys.readouterr().err
    assert problem in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("ending", "begins"), [("md", "# "), ("csv", "place,"), ("tex", "% needs"), ("txt", "4 models")]
)
def test_the_command_writes_what_the_name_ends_in(
    runs: list[Path], ending: str, begins: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"board.{ending}"
    assert main(["leaderboard", *map(str, runs), "--draws", "100", "-o", str(path)]) == 0
    assert path.read_text().startswith(begins)
    printed = capsys.readouterr().out
    assert printed.splitlines()[2].split()[:2] == ["1", "monday/tuned"]
    assert printed.endswith(f"{path}\n")


def test_runs_and_the_page_may_lie_in_a_store(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    bucket = Bucket()
    try:
        for path in runs[1].rglob("*"):
            if path.is_file():
                bucket.put(f"runs/tuesday/{path.relative_to(runs[1]).as_posix()}", path.read_bytes())
        remote, options = "s3://lab/runs/tuesday", bucket.options()
        board = bm.leaderboard([runs[0], remote], "s3://lab/board.html", draws=100, storage_options=options)
        assert board == replace(bm.leaderboard(runs, draws=100), runs=board.runs)
        assert bucket.get("board.html").startswith(b"<!doctype html>")
        found = bm.Evaluation.read(remote, storage_options=options)
        write_reports(found, storage(remote, options))
        assert {"report.html", "report.md"} <= set(bucket.names("runs/tuesday"))
        assert bucket.get("runs/tuesday/report.html").count(b'<table class="matrix">') == 2 * 2
    finally:
        bucket.close()


def test_the_page_shows_places_and_what_does_not_count(runs: list[Path], tmp_path: Path, page: Page) -> None:
    path = tmp_path / "board.html"
    board = bm.leaderboard(runs, path, draws=100)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    rows = page.locator("table").first.locator("tbody tr")
    assert [row.split("\t")[1].strip() for row in rows.all_inner_texts()] == board.models
    expect(page.locator(".missing")).to_contain_text("missing in monday")
    assert page.locator("svg.forest").count() == 5
    assert page.locator("svg.radar .area").count() == 4
    assert SCRIPT not in path.read_text()
