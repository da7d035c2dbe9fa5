"""Models side by side: differences at each task, and averages over tasks by domain, on the same draws."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from biomedica.evaluation import statistics
from biomedica.evaluation.families import drawn_together
from biomedica.evaluation.methods import applies
from biomedica.evaluation.predictions import Predictions
from biomedica.evaluation.record import Average, Comparison, JudgedTask
from biomedica.evaluation.resample import DRAWS, Estimate, Sampled, estimate
from biomedica.evaluation.scores import is_defined, sampled, task_seed

__all__ = ["Draws", "averages", "comparisons"]

Read = Callable[[str, str, str], Predictions]
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
            measured, predictions = dict[str, Sampled](), dict[str, Predictions]()
            for name, task in _done(tasks, methods, method).items():
                one, other = read(first, name, method), read(second, name, method)
                if one.table["key"].equals(other.table["key"]) and is_defined(one, task.metric):
                    measured[name] = statistics.difference(sampled(one, task.metric), sampled(other, task.metric))
                    predictions[name] = one
            differences = _drawn(measured, predictions, draws)
            for name, at in differences.items():
                of_tasks.append(_told(at, first, second, method, draws, task=name))
            together = _drawn_together(measured, predictions, draws)
            means = _averages(_asked(tasks, method), {**differences, **together}, partial=partial)
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
            predictions = {
                name: one
                for name, task in _done(tasks, methods, method).items()
                if is_defined(one := read(model, name, method), task.metric)
            }
            metrics = {task.name: task.metric for task in tasks}
            measured = {name: sampled(one, metrics[name]) for name, one in predictions.items()}
            together = _drawn_together(measured, predictions, draws)
            apart = {name: one for name, one in measured.items() if name not in together}
            estimates = {**_drawn(apart, predictions, draws, leave_out=False), **together}
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


def _drawn(
    measured: Mapping[str, Sampled], predictions: Mapping[str, Predictions], draws: Draws, *, leave_out: bool = True
) -> dict[str, Estimate]:
    """The estimates of tasks, each of its own draws; of those that have an interval: not of one image or group alone."""
    found = dict[str, Estimate]()
    for name, one in measured.items():
        groups, seed = predictions[name].groups(), task_seed(name, draws.seed)
        with contextlib.suppress(ValueError):
            found[name] = estimate(one, groups, draws.draws, seed, leave_out=leave_out)
    return _defined(found)


def _drawn_together(
    measured: Mapping[str, Sampled], predictions: Mapping[str, Predictions], draws: Draws
) -> dict[str, Estimate]:
    """The estimates of those tasks that share images."""
    return _defined(drawn_together(measured, predictions, draws.draws, draws.seed))


def _defined(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    return {name: one for name, given in found.items() if (one := _whole(given)) is not None}


def _whole(found: Estimate) -> Estimate | None:
    """Without the draws for which the metric is not defined, so that means of tasks are; they are drawn again from the others."""
    defined = found.draws[np.isfinite(found.draws)]
    if len(defined) == len(found.draws):
        return found
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
