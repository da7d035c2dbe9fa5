"""Probes and few-shot classifiers within an evaluation: trained with what the task names, or fold by fold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

import biomedica as bm
from biomedica.evaluation.predictions import read_predictions

MakeTask = Callable[..., Path]
Rows = dict[str, list[Any]]
METHODS = ["zero-shot", "probe", "few-shot-4"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOMEDICA_CACHE", str(tmp_path / "cache"))


def with_train(task: Path, train: str) -> Path:
    text = task.read_text("utf-8")
    at = text.index("[[classes]]")
    task.write_text(f"{text[:at]}[train]\n{train}\n{text[at:]}", "utf-8")
    return task


def test_a_task_without_training_images_is_cross_validated(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    task = make_task("own", colours, data='label = "label"\ngroup = "patient"')
    found = bm.evaluate({"tiny": nano}, tmp_path / "out", tasks=task, methods=METHODS, draws=500)
    assert found.task("own").training == "5 folds of the test images"
    values = {method: found.primary("tiny", "own", method) for method in METHODS}
    probe, few = values["probe"], values["few-shot-4"]
    assert probe is not None
    assert few is not None
    assert probe.value > 0.9  # colours are easily learned
    assert probe.low is not None
    assert probe.units == few.units == 20
    assert probe.deviation is None
    assert few.deviation is not None
    said = read_predictions(tmp_path / "out", "tiny", "own", "few-shot-4")
    assert len(said) == 5 * 60
    each = [accuracy_score(one.numbers("label"), one.numbers("predicted")) for one in said.repeats()]
    assert few.value == pytest.approx(np.mean(each))
    assert few.deviation == pytest.approx(np.std(each, ddof=1))
    assert found.methods() == METHODS
    assert [(one.method, one.domain) for one in found.averages] == [(method, "colours") for method in METHODS]


def test_training_images_that_a_task_names_are_trained_with(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    rows = {**colours, "part": ["train" if number < 45 else "test" for number in range(60)]}
    task = make_task("own", rows, data='label = "label"\nfilter = {part = ["test"]}')
    with_train(task, 'split = "train"\nfilter = {part = ["train"]}')
    found = bm.evaluate([f"a={nano}", f"b={nano}"], tmp_path / "out", tasks=task, methods="probe", draws=500)
    told = found.task("own")
    assert (told.items, str(told.training).split(",")[0]) == (15, "45 images")
    assert told.state == "evaluated"
    assert [one.difference for one in found.comparisons if one.task == "own"] == [0]
    primary = found.primary("a", "own", "probe")
    assert primary is not None
    assert primary.value > 0.8


def test_several_labels_are_learned(tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows) -> None:
    labels = [[label, "green"] if number % 2 else [label] for number, label in enumerate(colours["label"])]
    task = make_task("own", {**colours, "labels": labels}, "multilabel", data='label = "labels"')
    found = bm.evaluate({"tiny": nano}, tmp_path / "out", tasks=task, methods="probe", draws=200)
    probe = found.primary("tiny", "own", "probe")
    assert probe is not None
    assert probe.metric == "auroc"
    assert probe.value > 0.8


def test_missing_training_images_are_told_and_zero_shot_goes_on(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    task = with_train(make_task("own", colours, data='label = "label"'), 'path = "gone.parquet"')
    found = bm.evaluate({"tiny": nano}, tmp_path / "out", tasks=task, methods=["zero-shot", "probe"], draws=200)
    assert str(found.task("own").training).startswith("none: own (train): nothing is at")
    assert found.methods() == ["zero-shot"]
    assert [one.method for one in found.averages] == ["zero-shot"]


def test_retrieval_has_zero_shot_only(tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows) -> None:
    rows = {**colours, "caption": [f"drawing {key}" for key in colours["key"]]}
    tasks = [
        make_task("find", rows, "retrieval", data='captions = "caption"'),
        make_task("own", colours, data='label = "label"'),
    ]
    found = bm.evaluate({"tiny": nano}, tmp_path / "out", tasks=tasks, methods=["zero-shot", "probe"], draws=200)
    assert {(one.task, one.method) for one in found.scores} == {
        ("find", "zero-shot"), ("own", "zero-shot"), ("own", "probe"),
    }  # fmt: skip
    assert [(one.method, one.tasks) for one in found.averages] == [("zero-shot", 2), ("probe", 1)]


@pytest.mark.parametrize("methods", [[], ["prob"], ["few-shot-0"], ["few-shot-"]])
def test_unknown_methods_are_refused(tmp_path: Path, nano: str, methods: list[str]) -> None:
    with pytest.raises(ValueError, match="there are zero-shot, probe"):
        bm.evaluate(nano, tmp_path, tasks="dermatology", methods=methods)
