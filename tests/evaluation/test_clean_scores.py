"""Scores with and without leaked images, on predictions of which the truth is known."""

from typing import Any

import numpy as np
import pytest

from biomedica.evaluation.clean import CleanScore, Searched, clean_scores
from biomedica.evaluation.predictions import About, Predictions
from biomedica.evaluation.record import Evaluation, JudgedTask, Score
from biomedica.evaluation.scores import score

DRAWS: dict[str, Any] = {"draws": 2000, "level": 0.95, "seed": 3}


def predictions(kind: str, columns: dict[str, Any], method: str = "zero-shot") -> Predictions:
    size = len(next(iter(columns.values())))
    about = About(
        model="m", weights="w", task="t", task_sha256="s", kind=kind, method=method,
        classes=("cat", "dog") if kind == "classify" else (),
    )  # fmt: skip
    return Predictions.of(about, {"key": [f"k{number}" for number in range(size)], **columns})


def told(found: Predictions, metric: str, leaked: set[str], **changed: Any) -> tuple[list[CleanScore], dict[str, str]]:
    primary = score(found, metric, is_primary=True, **DRAWS)
    assert primary is not None
    other = Score(model="m", task="t", method="zero-shot", metric="macro_f1", value=0.0)
    evaluation = Evaluation(models=(), tasks=(), scores=(primary, other), receipt=DRAWS)
    keys = frozenset(found.table["key"].to_pylist())
    searched = Searched(**{"keys": keys, "leaked": frozenset(leaked), "sha256": "s", **changed})
    return clean_scores(evaluation, lambda *_: found, {"t": searched})


def classified(right: "np.ndarray[Any, Any]", **columns: Any) -> Predictions:
    labels = np.arange(len(right)) % 2
    said = np.where(right, labels, 1 - labels)
    scores = np.stack([1.0 - said, said], 1).astype(np.float32)
    return predictions("classify", {"label": labels, "predicted": said, "scores": scores, **columns})


def test_a_model_that_knows_what_is_leaked_loses_it() -> None:
    right = np.concatenate([np.ones(100, bool), np.arange(200) % 4 < 2])
    ((found,), reasons) = told(classified(right), "accuracy", {f"k{n}" for n in range(100)})
    assert reasons == {}
    assert (found.items, found.leaked, found.metric) == (300, 100, "accuracy")
    assert found.clean is not None
    assert found.only is not None
    assert found.difference is not None
    assert found.all.value == pytest.approx(2 / 3)
    assert (found.clean.value, found.only.value) == (0.5, 1.0)
    assert found.difference.value == pytest.approx(1 / 6)
    assert found.difference.low is not None
    assert found.difference.high is not None
    assert 0.1 < found.difference.low < 1 / 6 < found.difference.high < 0.24
    assert found.p is not None
    assert found.p < 0.001
    assert found.p_holm == found.p


def test_leaks_that_change_nothing_show_no_difference() -> None:
    right = np.arange(300) % 3 < 2
    ((found,), _) = told(classified(right), "balanced_accuracy", {f"k{n}" for n in range(0, 300, 7)})
    assert found.difference is not None
    assert found.difference.low is not None
    assert found.difference.high is not None
    assert found.difference.low < 0 < found.difference.high
    assert found.p is not None
    assert found.p > 0.1


def test_intervals_of_groups_are_wider_than_of_single_images() -> None:
    right = np.repeat(np.random.default_rng(1).random(60) < 0.6, 5)
    leaked = {f"k{n}" for n in range(100)}
    ((single,), _) = told(classified(right), "accuracy", leaked)
    ((grouped,), _) = told(classified(right, group=[f"p{n // 5}" for n in range(300)]), "accuracy", leaked)
    widths = [
        one.clean.high - one.clean.low for one in (single, grouped) if one.clean and one.clean.high and one.clean.low
    ]
    assert widths[1] > 1.5 * widths[0]


def test_areas_have_intervals_too_where_every_class_is_there() -> None:
    right = np.concatenate([np.ones(60, bool), np.arange(120) % 4 < 2])
    ((found,), _) = told(classified(right), "auroc", {f"k{n}" for n in range(60)})
    assert found.clean is not None
    assert found.only is not None
    assert found.difference is not None
    assert found.difference.low is not None
    assert (found.clean.value, found.only.value) == (0.5, 1.0)
    assert found.difference.value == pytest.approx(found.all.value - 0.5)
    assert 0 < found.difference.low < found.difference.value
    ((one_class,), _) = told(classified(right), "auroc", {"k0", "k2"})
    assert one_class.only is None


def test_repeats_of_a_few_shot_probe_are_one_number() -> None:
    right = np.concatenate([np.ones(50, bool), np.arange(100) % 4 < 2])
    twice = np.concatenate([right, np.ones(150, bool)])
    repeated = {"key": [f"k{n}" for n in range(150)] * 2, "repeat": np.repeat([0, 1], 150)}
    labels = np.tile(np.arange(150) % 2, 2)
    said = np.where(twice, labels, 1 - labels)
    columns = {"label": labels, "predicted": said, "scores": np.stack([1.0 - said, said], 1).astype(np.float32)}
    found = predictions("classify", {**repeated, **columns}, "few-shot-4")
    ((one,), _) = told(found, "accuracy", {f"k{n}" for n in range(50)})
    assert (one.items, one.leaked) == (150, 50)
    assert one.clean is not None
    assert one.difference is not None
    assert one.clean.value == pytest.approx(0.75)
    assert one.difference.value == pytest.approx(one.all.value - 0.75)


def test_retrieval_keeps_its_gallery() -> None:
    ranks = np.concatenate([np.zeros(10, int), np.full(10, 7)])
    found = predictions("retrieval", {"image_to_text": ranks, "text_to_image": [[int(rank)] for rank in ranks]})
    ((one,), _) = told(found, "recall@5", {f"k{n}" for n in range(6)})
    assert one.clean is not None
    assert one.only is not None
    assert one.clean.value == pytest.approx(4 / 14)
    assert (one.all.value, one.only.value) == (0.5, 1.0)
    ((few,), _) = told(found, "recall@5", {f"k{n}" for n in range(3)})
    assert few.only is None


def test_nothing_or_everything_leaked() -> None:
    right = np.arange(40) % 4 < 3
    ((none,), _) = told(classified(right), "accuracy", set())
    assert none.only is None
    assert none.clean == none.all
    assert none.difference is not None
    assert (none.difference.value, none.p) == (0.0, None)
    ((every,), _) = told(classified(right), "accuracy", {f"k{n}" for n in range(40)})
    assert (every.clean, every.difference, every.p) == (None, None, None)
    assert every.only == every.all


def test_tasks_that_were_not_evaluated_are_told() -> None:
    task = JudgedTask(
        name="gone", domain="d", kind="classify", metric="accuracy", state="partial", reason="2 images cannot be decoded",
        sha256="s", licence="CC0", citation="c", source_url="https://example.org",
    )  # fmt: skip
    evaluation = Evaluation(models=(), tasks=(task,), receipt=DRAWS)
    scores, reasons = clean_scores(evaluation, lambda *_: classified(np.ones(2, bool)), {})
    assert scores == []
    assert reasons == {"gone": "it was not evaluated (partial): 2 images cannot be decoded"}


def test_what_was_searched_must_be_what_was_judged() -> None:
    right = np.arange(40) % 4 < 3
    scores, reasons = told(classified(right), "accuracy", set(), sha256="other")
    assert (scores, list(reasons)) == ([], ["t"])
    assert "another task file" in reasons["t"]
    _, reasons = told(classified(right), "accuracy", set(), keys=frozenset({"k1"}))
    assert "are not those that were searched for" in reasons["t"]
