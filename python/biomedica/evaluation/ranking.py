"""Models of several evaluations side by side: by the tasks that all of them have, the same data provided.

A task counts when its file and its split have the same sha-256 in all runs, and all models have the score that it is judged
by, of the same images. Scores of other tasks of the same name are never compared; each such task is named with the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from biomedica.evaluation.compared import Draws, averages, comparisons
from biomedica.evaluation.predictions import Predictions, load_predictions
from biomedica.exceptions import EvaluationError

if TYPE_CHECKING:
    from biomedica._storage import Storage
    from biomedica.evaluation.record import Average, Comparison, Evaluation, JudgedTask, Score

__all__ = ["Competitor", "LeftOut", "Ranking", "Run", "rank"]

HELD = 64
"""Tables of predictions that stay in memory."""
SHORT = 12
"""Characters of a digest in a message."""


@dataclass(frozen=True, slots=True)
class Run:
    """An evaluation that was read."""

    name: str
    evaluation: "Evaluation"
    files: "Storage"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A task that does not count."""

    task: str
    reason: str


@dataclass(frozen=True, slots=True)
class Competitor:
    """A model of a run."""

    name: str
    """With the run's before it where several runs have a model of that name."""
    run: str
    model: str
    """As its run calls it."""
    spec: str
    """What it was opened by."""
    weights: str
    """Their sha-256."""
    scores: "Mapping[str, Score]"
    """At each task that counts."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Models, the best first."""

    competitors: tuple[Competitor, ...]
    places: tuple[int, ...]
    """From 1; models of the same average share one."""
    tasks: "tuple[JudgedTask, ...]"
    """Those that count."""
    left_out: tuple[LeftOut, ...]
    averages: "tuple[Average, ...]"
    """Of all domains, and (domain `""`) of all tasks."""
    comparisons: "tuple[Comparison, ...]"
    """The first model less each other one, by average and by task."""


def rank(
    runs: Sequence[Run], method: str, draws: Draws, progress: Callable[[int, int], object] = lambda *_: None
) -> Ranking:
    """Order the models of runs by the average over the tasks that all have; each task counts the same.

    Intervals and p-values are made anew from the runs' predictions, on the same draws for all.

    Args:
        runs: With different names.
        method: `zero-shot`, `probe` or `few-shot-K`.
        draws: Of the bootstrap.
        progress: Told how many tables of predictions were looked at, and of how many.

    Raises:
        EvaluationError: There is no task that all models have, or predictions are missing.
    """
    common, left_out = _common(runs, method)
    if not common:
        reasons = "; ".join(f"{one.task}: {one.reason}" for one in left_out) or "the runs have none"
        raise EvaluationError(f"there is no task by which all models can be compared by {method}: {reasons}")
    competitors = _competitors(runs, method, [task.name for task in common])
    by_name = {one.name: (one, run) for run in runs for one in competitors if one.run == run.name}
    done, total = 0, len(common) * (3 * len(competitors) - 2)

    @lru_cache(HELD)
    def loaded(name: str, task: str) -> Predictions:
        one, run = by_name[name]
        found = load_predictions(run.files, one.model, task, method)
        if found.about.task_sha256 != run.evaluation.task(task).sha256:
            raise EvaluationError(f"{run.name}: the predictions of {one.model} at {task} are of another task file")
        return found

    def read(name: str, task: str, _: str) -> Predictions:
        nonlocal done
        progress(done, total)
        done += 1
        return loaded(name, task)

    names, methods = list(by_name), {task.name: [method] for task in common}
    # Of one domain alone, the average over all is the domain's.
    whole = "" if len({task.domain for task in common}) > 1 else common[0].domain
    means = averages(names, common, methods, read, draws, partial=False)
    means = [replace(one, domain="") if one.domain == whole else one for one in means]
    values = {one.model: one.value for one in means if one.domain == ""}
    if lacking := [name for name in names if name not in values]:
        raise EvaluationError(
            f"there is no average of {', '.join(lacking)}: a task's metric is not defined in any draw"
        )
    order = sorted(names, key=lambda name: -values[name])
    places = [1 + sum(other > values[name] for other in values.values()) for name in order]
    pairs = [(order[0], name) for name in order[1:]]
    compared = comparisons(order, common, methods, read, draws, partial=False, pairs=pairs)
    compared = [replace(one, domain="") if one.domain == whole else one for one in compared]
    progress(total, total)
    return Ranking(
        tuple(by_name[name][0] for name in order), tuple(places), tuple(common), tuple(left_out), tuple(means),
        tuple(compared),
    )  # fmt: skip


def _common(runs: Sequence[Run], method: str) -> "tuple[list[JudgedTask], list[LeftOut]]":
    names = dict.fromkeys(task.name for run in runs for task in run.evaluation.tasks)
    found = {name: [(run, one) for run in runs for one in run.evaluation.tasks if one.name == name] for name in names}
    reasons = {name: _reason(of_runs, runs, method) for name, of_runs in found.items()}
    common = [found[name][0][1] for name, reason in reasons.items() if reason is None]
    return common, [LeftOut(name, reason) for name, reason in reasons.items() if reason is not None]


def _reason(of_runs: "Sequence[tuple[Run, JudgedTask]]", runs: Sequence[Run], method: str) -> str | None:
    """Why a task does not count; None when it does."""
    having = {run.name for run, _ in of_runs}
    if lacking := [run.name for run in runs if run.name not in having]:
        return f"not in {', '.join(lacking)}"
    for what, key in (("task files", "sha256"), ("splits", "split_sha256")):
        digests = {run.name: getattr(task, key) for run, task in of_runs if task.state == "evaluated"}
        if len(set(digests.values())) > 1:
            told = ", ".join(f"{name} {str(digest)[:SHORT]}" for name, digest in digests.items())
            return f"the {what} differ, so that the scores cannot be compared: {told}"
    if states := [f"{task.state} in {run.name}" for run, task in of_runs if task.state != "evaluated"]:
        return ", ".join(states)
    if len({task.items for _, task in of_runs}) > 1:
        return "not the same images: " + ", ".join(f"{task.items:,} in {run.name}" for run, task in of_runs)
    name = of_runs[0][1].name
    if lacking := [
        f"{model.name} of {run.name}"
        for run, _ in of_runs
        for model in run.evaluation.models
        if (score := run.evaluation.primary(model.name, name, method)) is None or score.low is None
    ]:
        return f"no {method} score with an interval of {', '.join(lacking)}"
    return None


def _competitors(runs: Sequence[Run], method: str, tasks: Sequence[str]) -> list[Competitor]:
    models = [(run, model) for run in runs for model in run.evaluation.models]
    names = [model.name for _, model in models]
    found = []
    for run, model in models:
        scores = {task: run.evaluation.primary(model.name, task, method) for task in tasks}
        found.append(
            Competitor(
                f"{run.name}/{model.name}" if names.count(model.name) > 1 else model.name, run.name, model.name,
                model.model, str(model.record.get("weights", "")),
                {task: score for task, score in scores.items() if score is not None},
            )
        )  # fmt: skip
    made = [one.name for one in found]
    if twice := [name for name in made if made.count(name) > 1]:
        raise EvaluationError(f"two models are called {twice[0]!r}; give the runs' folders other names")
    return found
