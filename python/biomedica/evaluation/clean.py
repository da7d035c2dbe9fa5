"""Scores of an evaluation with all images, without those that are leaked, and on the leaked ones alone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biomedica.evaluation import scores, statistics
from biomedica.evaluation.compared import Draws
from biomedica.evaluation.record import Evaluation, Score
from biomedica.evaluation.resample import Sampled, Sums, Weighted
from biomedica.evaluation.scores import metrics_of, sampled, task_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica.evaluation.predictions import Predictions

__all__ = ["CleanScore", "Number", "Searched", "clean_scores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A metric of some images, with its interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanScore:
    """What a model reaches at a task with and without the leaked images."""

    model: str
    task: str
    method: str
    metric: str
    """The one that the task is judged by."""
    items: int
    """Images with predictions."""
    leaked: int
    """Those of them that seem to be in the dataset."""
    all: Number
    clean: Number | None
    """Without the leaked ones; None where the metric is not defined for what is left, as an area without all classes."""
    only: Number | None
    """Of the leaked ones alone."""
    difference: Number | None = None
    """All less clean, on the same draws."""
    p: float | None = None
    """Two-sided, of no difference."""
    p_holm: float | None = None
    """Corrected for all scores here."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A task whose images were searched for."""

    keys: frozenset[str]
    leaked: frozenset[str]
    sha256: str | None
    """Of the task file, where the images are a task's."""


def clean_scores(
    evaluation: Evaluation, read: Callable[[str, str, str], "Predictions"], searched: Mapping[str, Searched]
) -> tuple[list[CleanScore], dict[str, str]]:
    """The primary scores of an evaluation, once more with and without what is leaked.

    Intervals and differences are drawn as those of the evaluation were: as many draws, of the same seed and level. What is
    leaked is left out of the questions; the images and captions that a retrieval searches stay.

    Args:
        evaluation: What was found.
        read: Gives the predictions of a model, a task and a method.
        searched: By the names of tasks, what was searched.

    Returns:
        The scores, and why tasks have none.

    Raises:
        EvaluationError: Predictions are missing or damaged.
    """
    receipt = evaluation.receipt
    draws = Draws(**{name: receipt[name] for name in ("draws", "level", "seed") if name in receipt})
    found: list[CleanScore] = []
    has_score = {score.task for score in evaluation.scores if score.is_primary}
    reasons = {
        task.name: f"it was not evaluated ({task.state}): {task.reason}" if task.reason else "its metric is not defined"
        for task in evaluation.tasks
        if task.name not in has_score
    }
    for score in evaluation.scores:
        if not score.is_primary:
            continue
        predictions = read(score.model, score.task, score.method)
        reason = _mismatch(predictions, searched.get(score.task))
        if reason is not None:
            reasons[score.task] = reason
            continue
        found.append(_clean(score, predictions, searched[score.task].leaked, draws))
    return list(_corrected(found)), reasons


def _mismatch(predictions: "Predictions", searched: Searched | None) -> str | None:
    """Why what was searched says nothing of these predictions."""
    if searched is None:
        return "its images were not among those that were searched for"
    if searched.sha256 not in (None, predictions.about.task_sha256):
        return "it was evaluated by another task file of this name"
    if not searched.keys.issuperset(predictions.table["key"].to_pylist()):
        return "the images that it was evaluated on are not those that were searched for"
    return None


def _clean(score: Score, predictions: "Predictions", leaked: frozenset[str], draws: Draws) -> CleanScore:
    keys = predictions.repeats()[0].table["key"]
    is_leaked = _among(keys, leaked)
    made = CleanScore(
        model=score.model, task=score.task, method=score.method, metric=score.metric,
        items=len(keys), leaked=int(is_leaked.sum()), all=Number(value=score.value, low=score.low, high=score.high),
        clean=_number(score, predictions, leaked, draws, is_in=False),
        only=_number(score, predictions, leaked, draws, is_in=True),
    )  # fmt: skip
    if made.clean is None:
        return made
    plain = replace(made, difference=Number(value=score.value - made.clean.value))
    if not made.leaked:
        return plain
    everything = sampled(predictions, score.metric)
    try:
        compared = statistics.compare(
            everything, _without(everything, is_leaked), groups=predictions.groups(), draws=draws.draws,
            level=draws.level, seed=task_seed(score.task, draws.seed),
        )  # fmt: skip
    except ValueError:  # one image or group alone: there is no interval
        return plain
    told = compared.difference
    return replace(made, difference=Number(value=told.value, low=told.low, high=told.high), p=compared.p)


def _number(
    score: Score, predictions: "Predictions", leaked: frozenset[str], draws: Draws, *, is_in: bool
) -> Number | None:
    """The metric of the leaked images, or of the others."""
    kept = _among(predictions.table["key"], leaked) == is_in
    if not kept.any():
        return None
    some = replace(predictions, table=predictions.table.filter(pa.array(kept)))
    if score.metric not in metrics_of(some):  # a recall@K of no more than K images
        return None
    told = scores.score(some, score.metric, **draws.options)
    return None if told is None else Number(value=told.value, low=told.low, high=told.high)


def _among(keys: pa.ChunkedArray, leaked: frozenset[str]) -> "NDArray[np.bool_]":
    found: NDArray[np.bool_] = pc.is_in(keys, value_set=pa.array(sorted(leaked), pa.string())).to_numpy()
    return found


def _without(everything: Sampled, left_out: "NDArray[np.bool_]") -> Sampled:
    """The same samples, of which some count for nothing."""
    if isinstance(everything, Weighted):
        return Weighted(len(everything), lambda counts: everything.metric(counts * ~left_out), everything.cells)
    kinds = np.concatenate([everything.kinds, np.zeros((1, everything.kinds.shape[1]))])
    return Sums(kinds, np.where(left_out, len(everything.kinds), everything.kind), everything.metric)


def _corrected(found: list[CleanScore]) -> Iterator[CleanScore]:
    corrected = iter(statistics.holm([one.p for one in found if one.p is not None]))
    for one in found:
        yield one if one.p is None else replace(one, p_holm=next(corrected))
