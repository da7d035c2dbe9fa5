"""What an evaluation writes can be read again, and nothing else is taken for it."""

from pathlib import Path

import numpy as np
import pytest

from biomedica._storage import storage
from biomedica.evaluation.predictions import About, Predictions, read_predictions
from biomedica.evaluation.record import FILE, Evaluation, JudgedModel, JudgedTask, Score
from biomedica.exceptions import EvaluationError


def _about(kind: str) -> About:
    return About(
        model="m", weights="w", task="t", task_sha256="s", kind=kind, method="zero-shot", classes=("cat", "dog")
    )


def _different(found: Predictions) -> int:
    groups = found.groups()
    assert groups is not None
    return len(set(groups))


def _evaluation() -> Evaluation:
    task = JudgedTask(
        name="t", domain="d", kind="classify", metric="accuracy", state="missing", reason="gone", sha256="s",
        licence="CC0", citation="c", source_url="https://example.org",
    )  # fmt: skip
    score = Score(model="m", task="t", method="zero-shot", metric="accuracy", value=1.0, is_primary=True)
    model = JudgedModel(name="m", model="tiny", record={"weights": "w"}, logit_scale=100.0)
    return Evaluation(models=(model,), tasks=(task,), scores=(score,), receipt={"seed": 1})


def test_an_evaluation_is_read_as_it_was_written(tmp_path: Path) -> None:
    evaluation = _evaluation()
    evaluation.write(storage(tmp_path))
    assert Evaluation.read(tmp_path) == evaluation
    assert evaluation.primary("m", "t") == evaluation.scores[0]
    assert evaluation.primary("m", "t", "probe") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "property name"),
        ("[]", "format 1"),
        ('{"format": 2}', "format 1"),
        ('{"format": 1}', "missing"),
        ('{"format": 1, "models": [], "tasks": [{"name": 1}]}', r"tasks\[0\].name is 1, which has the wrong type"),
        ('{"format": 1, "models": [], "tasks": [{"state": "good"}]}', r"tasks\[0\].state is 'good', not one of"),
        ('{"format": 1, "models": [], "tasks": [], "colour": 1}', "unknown key 'colour'"),
    ],
)
def test_what_is_no_evaluation_is_refused_with_file_and_key(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(EvaluationError, match=problem) as caught:
        Evaluation.read(tmp_path)
    assert str(tmp_path / FILE) in str(caught.value)


def test_predictions_are_read_as_they_were_written(tmp_path: Path) -> None:
    scores = np.array([[1, 2], [3, 4]], np.float32)
    columns = {"key": ["a", "b"], "group": ["p", None], "label": [0, 1], "predicted": [1, 1], "scores": scores}
    made = Predictions.of(_about("classify"), columns)
    made.write(storage(tmp_path))
    found = read_predictions(tmp_path, "m", "t")
    assert found.about == made.about
    assert found.table.equals(made.table)
    assert (found.scores() == scores).all()
    assert found.numbers("label").tolist() == [0, 1]
    assert _different(found) == 2


def test_an_image_without_a_group_is_one_of_its_own() -> None:
    columns = {
        "key": ["a", "b", "c"],
        "group": ["2", None, None],
        "labels": [(0, 1), (), (1,)],
        "scores": np.zeros((3, 2)),
    }
    found = Predictions.of(_about("multilabel"), columns)
    assert _different(found) == 3
    assert found.has().tolist() == [[True, True], [False, False], [False, True]]


def test_damaged_or_missing_predictions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no such predictions"):
        read_predictions(tmp_path, "m", "t")
    path = tmp_path / Predictions.path("m", "t", "zero-shot")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1")
    with pytest.raises(EvaluationError, match=r"t\.zero-shot\.parquet"):
        read_predictions(tmp_path, "m", "t")
