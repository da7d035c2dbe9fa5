"""Models side by side: differences at each task, and averages over tasks by domain, on the same draws."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from biomedica.evaluation import statistics
from biomedica.evaluation.record import Average, Comparison, JudgedTask
from biomedica.evaluation.scores import sampled, task_seed

if TYPE_CHECKING:
    from biomedica.evaluation.predictions import Predictions

__all__ = ["Draws", "averages", "comparisons"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """How the bootstrap is made."""

    draws: int = statistics.DRAWS
    level: float = 0.95
    seed: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """As keywords."""
        return asdict(self)


Read = Callable[[str, str, str], "Predictions"]
"""Predictions of a model, a task and a method."""


def comparisons(
    models: Sequence[str], tasks: Iterable[JudgedTask], methods: Mapping[str, Sequence[str]], read: Read, draws: Draws
) -> list[Comparison]:
    """Each pair of models at each task, by the task's metric; p-values are corrected for all of a method.

    Args:
        models: Their names.
        tasks: Those that were evaluated.
        methods: Of each task.
        read: Gives predictions.
        draws: How the bootstrap is made.
    """
    found = [
        one
        for task in tasks
        for method in methods[task.name]
        for first, second in combinations(models, 2)
        if (one := _compared(task, read(first, task.name, method), read(second, task.name, method), draws)) is not None
    ]
    corrected = []
    for method in dict.fromkeys(one.method for one in found):
        same = [one for one in found if one.method == method]
        p_values = statistics.holm([one.p for one in same])
        corrected += [replace(one, p_holm=p) for one, p in zip(same, p_values, strict=True)]
    return corrected


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
    for method in dict.fromkeys(method for of_task in methods.values() for method in of_task):
        done = [task for task in tasks if method in methods.get(task.name, ())]
        wanted = done if partial else _whole(tasks, done)
        if not wanted:
            continue
        domains = {task.name: task.domain for task in wanted}
        for model in models:
            estimates = {
                task.name: statistics.estimate(sums, at.groups(), draws.draws, task_seed(task.name, draws.seed))
                for task in wanted
                if (sums := sampled(at := read(model, task.name, method), task.metric)) is not None
            }
            if not estimates:
                continue
            made = statistics.average(estimates, domains, seed=draws.seed, level=draws.level)
            for domain, mean in made.items():
                if domain == "" and len(wanted) < len(tasks) and not partial:
                    continue
                count = sum(domain in ("", domains[name]) for name in estimates)
                found.append(
                    Average(
                        model=model, domain=domain, method=method, tasks=count, value=mean.value, low=mean.low,
                        high=mean.high,
                    )
                )  # fmt: skip
    return found


def _whole(tasks: Sequence[JudgedTask], done: Sequence[JudgedTask]) -> list[JudgedTask]:
    """The evaluated tasks of domains that lack none."""
    lacking = {task.domain for task in tasks if task not in done}
    return [task for task in done if task.domain not in lacking]


def _compared(task: JudgedTask, first: "Predictions", second: "Predictions", draws: Draws) -> Comparison | None:
    one, other = sampled(first, task.metric), sampled(second, task.metric)
    if one is None or other is None:
        return None
    if not first.table["key"].equals(second.table["key"]):
        return None
    try:
        found = statistics.compare(
            one,
            other,
            groups=first.groups(),
            draws=draws.draws,
            seed=task_seed(task.name, draws.seed),
            level=draws.level,
        )
    except ValueError:  # one image or group alone
        return None
    return Comparison(
        first=first.about.model, second=second.about.model, task=task.name, domain=None, method=first.about.method,
        difference=found.difference.value, low=found.difference.low, high=found.difference.high, p=found.p,
        p_holm=float(np.nan),
    )  # fmt: skip
