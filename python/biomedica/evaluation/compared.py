"""Models side by side: differences at each task, and averages over tasks by domain, on the same draws."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from biomedica.evaluation import statistics
from biomedica.evaluation.methods import applies
from biomedica.evaluation.record import Average, Comparison, JudgedTask
from biomedica.evaluation.resample import DRAWS, Estimate, Sampled, estimate
from biomedica.evaluation.scores import is_defined, sampled, task_seed

if TYPE_CHECKING:
    from biomedica.evaluation.predictions import Predictions

__all__ = ["Draws", "averages", "comparisons"]

Read = Callable[[str, str, str], "Predictions"]
"""Predictions of a model, a task and a method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """How the bootstrap is made."""

    draws: int = DRAWS
    level: float = 0.95
    seed: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """As keywords."""
        return asdict(self)


def comparisons(
    models: Sequence[str],
    tasks: Sequence[JudgedTask],
    methods: Mapping[str, Sequence[str]],
    read: Read,
    draws: Draws,
    *,
    partial: bool,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> list[Comparison]:
    """Each pair of models at each task, and at the averages over tasks, by the tasks' metrics.

    p-values are corrected for all tasks and pairs of a method, and apart from these for all averages and pairs.

    Args:
        models: Their names.
        tasks: All that were asked for.
        methods: Of each task that was evaluated.
        read: Gives predictions.
        draws: How the bootstrap is made.
        partial: See `averages`.
        pairs: Only these; each two models when not given.
    """
    found: list[Comparison] = []
    of = list(combinations(models, 2)) if pairs is None else pairs
    for method in _methods(methods):
        of_tasks, of_averages = list[Comparison](), list[Comparison]()
        for first, second in of:
            differences = {
                name: one
                for name, task in _done(tasks, methods, method).items()
                if (one := _difference(task, read(first, name, method), read(second, name, method), draws)) is not None
            }
            for name, one in differences.items():
                of_tasks.append(_told(one, first, second, method, draws, task=name))
            means = _averages(_asked(tasks, method), differences, partial=partial)
            of_averages += [_told(one, first, second, method, draws, domain=name) for name, (one, _) in means.items()]
        found += [*_corrected(of_tasks), *_corrected(of_averages)]
    return found


def averages(
    models: Sequence[str],
    tasks: Sequence[JudgedTask],
    methods: Mapping[str, Sequence[str]],
    read: Read,
    draws: Draws,
    *,
    partial: bool,
) -> list[Average]:
    """Mean of the tasks' metrics for each domain, and for all; as in the paper's tables, each task counts the same.

    Args:
        models: Their names.
        tasks: All that were asked for: a domain with one that was not evaluated has no average.
        methods: Of each task that was evaluated.
        read: Gives predictions.
        draws: How the bootstrap is made.
        partial: Give averages of the tasks that were evaluated all the same.
    """
    found: list[Average] = []
    for method in _methods(methods):
        for model in models:
            estimates = {
                name: one
                for name, task in _done(tasks, methods, method).items()
                if (one := _estimate(task, read(model, name, method), draws)) is not None
            }
            for domain, (mean, count) in _averages(_asked(tasks, method), estimates, partial=partial).items():
                at = statistics.interval_of(mean, seed=draws.seed, level=draws.level)
                found.append(
                    Average(
                        model=model, domain=domain, method=method, tasks=count, value=at.value, low=at.low, high=at.high
                    )
                )  # fmt: skip
    return found


def _methods(methods: Mapping[str, Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(method for of_task in methods.values() for method in of_task))


def _asked(tasks: Sequence[JudgedTask], method: str) -> list[JudgedTask]:
    return [task for task in tasks if applies(method, task.kind)]


def _done(tasks: Sequence[JudgedTask], methods: Mapping[str, Sequence[str]], method: str) -> dict[str, JudgedTask]:
    return {task.name: task for task in tasks if method in methods.get(task.name, ())}


def _averages(
    tasks: Sequence[JudgedTask], estimates: Mapping[str, Estimate], *, partial: bool
) -> dict[str, tuple[Estimate, int]]:
    """The mean of each domain that lacks no task, `""` being all, and of how many tasks it is."""
    domains = {task.name: task.domain for task in tasks}
    lacking = set() if partial else {domains[name] for name in domains if name not in estimates}
    whole = {name: one for name, one in estimates.items() if domains[name] not in lacking}
    if not whole:
        return {}
    found = statistics.average(whole, domains)
    if lacking or len(found) == 2:  # noqa: PLR2004 - of one domain alone, all is the same
        found.pop("")
    return {domain: (one, sum(domain in ("", domains[name]) for name in whole)) for domain, one in found.items()}


def _estimate(task: JudgedTask, predictions: "Predictions", draws: Draws) -> Estimate | None:
    if not is_defined(predictions, task.metric):
        return None
    return _drawn(sampled(predictions, task.metric), task, predictions, draws)


def _difference(task: JudgedTask, first: "Predictions", second: "Predictions", draws: Draws) -> Estimate | None:
    if not first.table["key"].equals(second.table["key"]) or not is_defined(first, task.metric):
        return None
    return _drawn(statistics.difference(sampled(first, task.metric), sampled(second, task.metric)), task, first, draws)


def _drawn(measured: Sampled, task: JudgedTask, predictions: "Predictions", draws: Draws) -> Estimate | None:
    """The estimate, where it has an interval: not of one image or group alone."""
    try:
        found = estimate(measured, predictions.groups(), draws.draws, task_seed(task.name, draws.seed))
    except ValueError:
        return None
    return found if np.isfinite(found.draws).all() else _whole(found)


def _whole(found: Estimate) -> Estimate | None:
    """Without the draws for which the metric is not defined, so that means of tasks are; they are drawn again from the others."""
    defined = found.draws[np.isfinite(found.draws)]
    return replace(found, draws=np.resize(defined, len(found.draws))) if len(defined) else None


def _told(
    found: Estimate,
    first: str,
    second: str,
    method: str,
    draws: Draws,
    *,
    task: str | None = None,
    domain: str | None = None,
) -> Comparison:
    at, p = statistics.interval_of(found, seed=draws.seed, level=draws.level), statistics.p_value(found)
    return Comparison(
        first=first, second=second, task=task, domain=domain, method=method, difference=at.value, low=at.low,
        high=at.high, p=p, p_holm=p,
    )  # fmt: skip


def _corrected(found: Sequence[Comparison]) -> list[Comparison]:
    p_values = statistics.holm([one.p for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, p_values, strict=True)]
