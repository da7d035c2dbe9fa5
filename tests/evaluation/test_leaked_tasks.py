"""Leaks of tasks: their images, those that are missing, and scores with and without what is leaked."""

import json
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import biomedica as bm
from biomedica._storage import storage
from biomedica.cli import main
from biomedica.evaluation.predictions import read_predictions
from evaluation.planted import COPIES, copies, opened, table, unseen, write_task


def test_planted_copies_are_found_in_tasks(dataset: bm.Dataset, hashed: list[str], tmp_path: Path) -> None:
    chosen = hashed[1::2]
    images = {f"{image_id}.jpg": dataset.image(image_id) for image_id in chosen}
    exact = write_task(tmp_path, "exact", images)
    changed = {
        f"{n}-{kind}.png": copy
        for n, one in enumerate(chosen)
        for kind, copy in copies(opened(dataset.image(one))).items()
    }
    write_task(tmp_path, "changed", {**changed, "new.jpg": unseen()})
    found = bm.leaks(dataset, tmp_path / "out", tasks=[exact, tmp_path / "changed.toml"], evidence=["exact", "near"])
    assert found.tasks["exact"] == len(chosen)
    assert found.evidence["exact"].items >= len(chosen)
    leaked = {Path(row["key"]).stem for row in table(tmp_path / "out", "leaked") if row["task"] == "changed"}
    for kind in COPIES:
        assert np.mean([f"{n}-{kind}" in leaked for n in range(len(chosen))]) >= 0.99, kind
    assert {row["image_id"] for row in table(tmp_path / "out", "blocked")} >= set(chosen)
    record = json.loads((tmp_path / "out/leaks.json").read_bytes())
    tasks = {one["name"]: one for one in record["tasks"]}
    assert tasks["exact"]["task_sha256"] == bm.tasks(exact)[0].task.sha256
    assert (tasks["exact"]["leaked"], tasks["changed"]["items"]) == (len(chosen), 4 * len(chosen) + 1)


def test_tasks_without_data_are_told_and_never_skipped(
    dataset: bm.Dataset, hashed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = write_task(tmp_path, "there", {"a.jpg": dataset.image(hashed[0]), "b.jpg": unseen()})
    broken = write_task(tmp_path, "broken", {"a.jpg": unseen(), "b.jpg": unseen()})
    (tmp_path / "broken/odd").rename(tmp_path / "broken/old")
    command = [
        "leaks",
        dataset.location,
        "--tasks",
        str(there),
        str(broken),
        "dermamnist",
        "--data-root",
        str(tmp_path),
    ]
    command += ["--evidence", "exact", "--output", str(tmp_path / "out")]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "there: 1 of its images seem to be in the dataset" in told
    assert "not compared: dermamnist: nothing is at" in told
    assert "the directory 'old' is none of the task's classes" in told
    record = json.loads((tmp_path / "out/leaks.json").read_bytes())
    assert [one["name"] for one in record["tasks"]] == ["there"]
    assert sorted(record["missing"]) == ["broken", "dermamnist"]
    page = unescape((tmp_path / "out/leaks.html").read_text("utf-8"))
    assert "How to get the data" in page
    assert "'old' is none of" in page
    with pytest.raises(bm.TaskError, match="the data of no task are there:\ndermamnist"):
        bm.leaks(dataset, tmp_path / "out", tasks="dermamnist", data_root=tmp_path)
    with pytest.raises(bm.TaskError, match="there is no task 'dermamnits'; did you mean"):
        bm.leaks(dataset, tmp_path / "out", tasks="dermamnits", data_root=tmp_path)


def test_scores_of_an_evaluation_are_told_with_and_without_the_leaked(
    dataset: bm.Dataset, hashed: list[str], nano: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = {f"{n}.jpg": dataset.image(one) for n, one in enumerate(hashed[:20])}
    task = write_task(tmp_path, "half", {**images, **{f"n{seed}.jpg": unseen(seed) for seed in range(2000, 2020)}})
    other = write_task(tmp_path, "other", {f"{seed}.jpg": unseen(seed) for seed in range(2000, 2006)})
    run = tmp_path / "evaluation"
    judged = bm.evaluate({"tiny": nano}, run, tasks=[task, other], draws=500, device="cpu", cache=False)
    command = ["leaks", dataset.location, "--tasks", str(task), "--evidence", "exact", "--evaluation", str(run)]
    command += ["--output", str(tmp_path / "out")]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "20/40" in told
    assert "other: no scores with and without: its images were not among those" in told
    record = json.loads((tmp_path / "out/leaks.json").read_bytes())
    (score,) = record["scores"]
    predictions = read_predictions(run, "tiny", "half")
    right = predictions.numbers("label") == predictions.numbers("predicted")
    names = [row["key"] for row in table(tmp_path / "out", "leaked")]
    is_leaked = np.isin(np.array(predictions.table["key"].to_pylist()), names)
    primary = judged.primary("tiny", "half")
    assert primary is not None
    assert score["all"] == {"value": primary.value, "low": primary.low, "high": primary.high}
    assert score["clean"]["value"] == pytest.approx(right[~is_leaked].mean())
    assert score["only"]["value"] == pytest.approx(right[is_leaked].mean())
    assert (score["items"], score["leaked"]) == (40, 20)
    page = (tmp_path / "out/leaks.html").read_text("utf-8")
    assert "without the leaked" in page
    assert "20 of 40" in page

    task.write_text(task.read_text().replace("odd things", "strange things"))
    found = bm.leaks(dataset, tmp_path / "out", tasks=task, evidence="exact", evaluation=run, shown=0)
    assert found.scores == ()
    assert found.unscored["half"] == "it was evaluated by another task file of this name"
    storage(run).remove("evaluation.json")
    with pytest.raises(bm.EvaluationError, match="there is no such file"):
        bm.leaks(dataset, tmp_path / "out", tasks=task, evaluation=run)
