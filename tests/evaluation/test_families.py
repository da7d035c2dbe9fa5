"""Tasks that share images are drawn together, so that intervals of their averages hold."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from biomedica.evaluation import resample, statistics
from biomedica.evaluation.compared import Draws, averages, comparisons
from biomedica.evaluation.families import drawn_together, families
from biomedica.evaluation.predictions import About, Predictions
from biomedica.evaluation.record import JudgedTask

REPEATS = 1000
Hits = Sequence[bool] | np.ndarray[tuple[int], np.dtype[np.bool_]]


def said(
    task: str, right: Hits, hashes: Sequence[str | None], groups: Sequence[str | None] | None = None
) -> Predictions:
    """Of a question with two classes, all images of the first."""
    size = len(right)
    about = About(
        model="m", weights="w", task=task, task_sha256="t", kind="classify", method="zero-shot", classes=("a", "b")
    )  # fmt: skip
    columns: dict[str, Any] = {
        "key": [f"{task} {at}" for at in range(size)], "image_hash": list(hashes), "label": [0] * size,
        "predicted": [0 if hit else 1 for hit in right], "scores": np.zeros((size, 2), np.float32),
    }  # fmt: skip
    return Predictions.of(about, columns if groups is None else {**columns, "group": list(groups)})


def names(prefix: str, numbers: Sequence[int] | range) -> list[str]:
    return [f"{prefix}{number}" for number in numbers]


def test_families_are_tasks_that_share_images_and_units_what_belongs_together() -> None:
    tasks = {
        "stain": said("stain", [True] * 4, names("x", range(4))),
        "alone": said("alone", [True] * 3, names("z", range(3)), ["p", "p", "q"]),
        "organ": said("organ", [True] * 3, ["x3", "x1", "y"], ["p", "q", "p"]),
        "unknown": said("unknown", [True] * 2, [None, None]),
    }
    (family,) = families(tasks)
    assert family.tasks == ("stain", "organ")
    # Of `organ`, x3 and y are of one patient.
    _, units = np.unique(family.units, return_inverse=True)
    assert units.tolist() == [0, 1, 2, 3, 3, 1, 3]
    assert families({"alone": tasks["alone"], "unknown": tasks["unknown"]}) == families({}) == []


def test_a_chain_of_tasks_is_one_family() -> None:
    tasks = {
        f"t{at}": said(f"t{at}", [True] * 2, [f"x{at}", f"x{at + 1}"]) for at in (3, 0, 2, 1)
    }  # fmt: skip
    (family,) = families(tasks)
    assert family.tasks == ("t3", "t0", "t2", "t1")
    assert len(np.unique(family.units)) == 5


def test_copies_of_a_task_are_no_surer_than_the_task() -> None:
    right, hashes = np.random.default_rng(0).random(200) < 0.7, names("x", range(200))
    tasks = {name: said(name, right, hashes) for name in "abcd"}
    measured = {name: resample.Sums.of_values(right) for name in tasks}
    together = drawn_together(measured, tasks, 2000, 0)
    assert all((one.draws == together["a"].draws).all() for one in together.values())
    mean = statistics.average(together, dict.fromkeys(tasks, "d"))["d"]
    alone = resample.estimate(measured["a"], draws=2000)
    assert mean.draws.std() == pytest.approx(alone.draws.std(), rel=0.05)


def test_metrics_of_order_are_drawn_with_those_of_sums() -> None:
    rng = np.random.default_rng(1)
    parts = resample.side_by_side(
        [
            resample.Sums.of_values(rng.random(30)),
            resample.Weighted(50, lambda counts: counts @ np.arange(50.0) / counts.sum(-1)),
        ]
    )
    units = np.concatenate([np.arange(30), np.arange(50)])
    first, second = resample.estimates(parts, units, draws=500, leave_out=False)
    assert second.value == pytest.approx(24.5)
    counts = np.empty((500, 50))
    from biomedica import _core

    _core.draw_counts(counts, 0)
    assert second.draws == pytest.approx(counts @ np.arange(50.0) / counts.sum(1))
    assert 0 < np.isfinite(first.draws).mean() <= 1


def shared(rng: np.random.Generator) -> dict[str, Predictions]:
    """Four questions about the same 100 images, which are easy or hard for all; the model is right with 0.7."""
    ease = rng.beta(1.4, 0.6, 100)
    return {
        name: said(name, rng.random(100) < ease, names("x", range(100))) for name in "abcd"
    }  # fmt: skip


def covered(*, together: bool) -> float:
    rng, inside = np.random.default_rng(7), 0
    for repeat in range(REPEATS):
        tasks = shared(rng)
        measured = {
            name: resample.Sums.of_values(one.numbers("label") == one.numbers("predicted"))
            for name, one in tasks.items()
        }  # fmt: skip
        if together:
            found = drawn_together(measured, tasks, 1000, repeat)
        else:
            found = {
                name: resample.estimate(one, draws=1000, seed=4 * repeat + at)
                for at, (name, one) in enumerate(measured.items())
            }
        mean = statistics.interval_of(statistics.average(found, dict.fromkeys(tasks, "d"))["d"])
        inside += mean.low <= 0.7 <= mean.high
    return inside / REPEATS


def test_intervals_of_averages_cover_where_tasks_share_images() -> None:
    assert 0.93 <= covered(together=True) <= 0.97
    assert covered(together=False) < 0.88


def test_averages_and_comparisons_of_an_evaluation_draw_families_together() -> None:
    rng = np.random.default_rng(2)
    first, second = shared(rng), shared(rng)
    apart = {name: said(name, rng.random(100) < 0.5, [None] * 100) for name in first}
    tasks = [
        JudgedTask(name=name, domain="d", kind="classify", metric="accuracy", state="evaluated", sha256="t", licence="CC0", citation="", source_url="")
        for name in first
    ]  # fmt: skip
    methods, draws = {name: ["zero-shot"] for name in first}, Draws(draws=2000)
    models = {"first": first, "second": second, "apart": apart}

    def width(model: str) -> float:
        (found,) = averages(
            [model], tasks, methods, lambda model, task, _: models[model][task], draws, partial=False
        )  # fmt: skip
        assert found.domain == "d"
        return found.high - found.low

    assert width("first") > 1.3 * width("apart")
    found = comparisons(
        ["first", "second"], tasks, methods,
        lambda model, task, _: models[model][task], draws, partial=False,
    )  # fmt: skip
    assert [one.task for one in found] == [*first, None]
