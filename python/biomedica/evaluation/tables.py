"""An evaluation as tables, which the page, the Markdown report and LaTeX show alike.

The best number of a row is marked, and so are those that are worse by Holm's correction of the paired comparisons: a
number without either mark cannot be told apart from the best.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from biomedica.evaluation.methods import FEW_SHOT, PROBE, ZERO_SHOT, applies

if TYPE_CHECKING:
    from biomedica.evaluation.record import Average, Comparison, Evaluation, JudgedTask, Method, Score

__all__ = [
    "ALL",
    "NONE",
    "Cell",
    "Number",
    "Table",
    "absent",
    "averages",
    "comparisons",
    "costs",
    "domains",
    "level_of",
    "marks",
    "metrics_of_task",
    "models",
    "number",
    "of_domain",
    "ordered_methods",
    "receipt",
    "sources",
    "summary",
    "title_of",
]

ALL = "all tasks"
NONE = "–"
"""A cell that has nothing to say."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its interval."""

    value: float
    low: float | None = None
    high: float | None = None
    digits: int = 3
    is_best: bool = False
    """Of its row."""
    is_worse: bool = False
    """Than the best of its row, by the corrected p-value."""
    deviation: float | None = None
    """Over the choices of training images."""

    @property
    def text(self) -> str:
        """The number alone."""
        return f"{self.value:.{self.digits}f}"

    @property
    def interval(self) -> str:
        """`[low, high]`; nothing where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"[{self.low:.{self.digits}f}, {self.high:.{self.digits}f}]"

    def __str__(self) -> str:
        """As plain text."""
        return f"{self.text}{'*' if self.is_worse else ''} {self.interval}".rstrip()


Cell: TypeAlias = Number | int | float | str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below a header; the first cell of a row is its name."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns have numbers."""
        return tuple(any(not isinstance(row[at], str) for row in self.rows) for at in range(len(self.columns)))


def title_of(method: "Method") -> str:
    """A method in words."""
    few = FEW_SHOT.fullmatch(method)
    if few:
        return f"Few-shot, {few[1]} image{'' if few[1] == '1' else 's'} a class"
    return {ZERO_SHOT: "Zero-shot", PROBE: "Linear probe"}.get(method, method)


def ordered_methods(evaluation: "Evaluation") -> list["Method"]:
    """Those that have scores: zero-shot, probe, few-shot by the number of images, others."""

    def place(method: "Method") -> tuple[int, int]:
        few = FEW_SHOT.fullmatch(method)
        return (2, int(few[1])) if few else ({ZERO_SHOT: 0, PROBE: 1}.get(method, 3), 0)

    return sorted(evaluation.methods(), key=place)


def domains(evaluation: "Evaluation", method: "Method" = ZERO_SHOT) -> list[str]:
    """Those of the tasks that a method applies to, in their order."""
    return list(dict.fromkeys(task.domain for task in evaluation.tasks if applies(method, task.kind)))


def level_of(evaluation: "Evaluation") -> float:
    """Share of intervals that are to hold the true number."""
    level = evaluation.receipt.get("level")
    return level if isinstance(level, float) and 0 < level < 1 else 0.95


def summary(evaluation: "Evaluation") -> str:
    """How much was evaluated, in a sentence."""
    done = sum(task.state == "evaluated" for task in evaluation.tasks)
    told = (
        f"{len(evaluation.models)} model{'s' * (len(evaluation.models) != 1)}, {done} of {len(evaluation.tasks)} tasks"
    )
    return f"{told} evaluated; begun {evaluation.receipt.get('begun', 'at an unknown time')}."


def marks(evaluation: "Evaluation") -> tuple[str, ...]:
    """What intervals and marks of the tables of scores mean."""
    level = level_of(evaluation)
    interval = f"Brackets are {100 * level:g}% intervals of the bootstrap."
    if len(evaluation.models) == 1:
        return (interval,)
    return (
        interval,
        f"* is worse than the best of its row, p < {1 - level:.2g} after Holm's correction.",
    )


def averages(evaluation: "Evaluation", method: "Method") -> Table:
    """Domains and models: the mean of the tasks' metrics."""
    names = [model.name for model in evaluation.models]
    found = {(one.model, one.domain): one for one in evaluation.averages if one.method == method}
    rows, notes = list[tuple[Cell, ...]](), list[str]()
    # Of one domain alone, the average over all is the domain's.
    several = len(domains(evaluation, method)) > 1
    for domain in (*domains(evaluation, method), *([""] if several else [])):
        of_domain = [task for task in evaluation.tasks if domain in ("", task.domain) and applies(method, task.kind)]
        own = {name: found[name, domain] for name in names if (name, domain) in found}
        count = next((one.tasks for one in own.values()), 0)
        tasks = NONE if not count else f"{count} of {len(of_domain)}" if count < len(of_domain) else str(count)
        cells = _row(evaluation, own, method, domain=domain)
        rows.append((domain or ALL, tasks, *(cells.get(name, NONE) for name in names)))
        if not own and domain:
            lacking = [f"{task.name} ({task.state})" for task in of_domain if task.state != "evaluated"]
            lacking = lacking or [task.name for task in of_domain if not _has_all(evaluation, task, method)]
            notes.append(f"{domain} has no average: {', '.join(lacking) or 'too few images'}.")
    if several and not any(domain == "" for _, domain in found):
        notes.append("There is no average over all tasks, as some lack scores.")
    return Table(
        f"{title_of(method)}: averages by domain",
        ("domain", "tasks", *names),
        tuple(rows),
        (*marks(evaluation), *notes),
    )


def of_domain(evaluation: "Evaluation", domain: str, method: "Method") -> Table:
    """Tasks of a domain and models, by the tasks' metrics; tasks without scores say why in one word."""
    names = [model.name for model in evaluation.models]
    rows = list[tuple[Cell, ...]]()
    for task in evaluation.tasks:
        if task.domain != domain or not applies(method, task.kind):
            continue
        own = {name: one for name in names if (one := evaluation.primary(name, task.name, method)) is not None}
        cells: Mapping[str, Cell] = _row(evaluation, own, method, task=task.name)
        lacking = NONE if task.state == "evaluated" else task.state
        chance: Cell = NONE if task.chance is None else Number(task.chance)
        images: Cell = task.items if task.state == "evaluated" else NONE
        rows.append((task.name, task.metric, images, chance, *(cells.get(name, lacking) for name in names)))
    return Table(domain, ("task", "metric", "images", "chance", *names), tuple(rows))


def metrics_of_task(evaluation: "Evaluation", task: "JudgedTask", method: "Method") -> Table:
    """All metrics of a task for all models."""
    names = [model.name for model in evaluation.models]
    found = {
        (one.metric, one.model): one for one in evaluation.scores if one.task == task.name and one.method == method
    }
    rows = list[tuple[Cell, ...]]()
    for metric in dict.fromkeys(metric for metric, _ in found):
        own = {name: found[metric, name] for name in names if (metric, name) in found}
        cells = _row(evaluation, own, method, task=task.name if metric == task.metric else None)
        rows.append((metric, *(cells.get(name, NONE) for name in names)))
    return Table(f"{task.name}: {title_of(method).lower()}", ("metric", *names), tuple(rows))


def comparisons(evaluation: "Evaluation", method: "Method", *, of_averages: bool) -> Table:
    """Each two models: first less second."""
    rows = tuple(
        (
            one.task if one.task is not None else one.domain or ALL, one.first, one.second,
            Number(one.difference, one.low, one.high), Number(one.p, digits=4), Number(one.p_holm, digits=4),
        )
        for one in evaluation.comparisons
        if one.method == method and (one.task is None) == of_averages
    )  # fmt: skip
    what = "domain" if of_averages else "task"
    return Table(
        f"{title_of(method)}: {'averages' if of_averages else 'tasks'} compared",
        (what, "first", "second", "first less second", "p", "p after Holm"), rows,
    )  # fmt: skip


def absent(evaluation: "Evaluation") -> Table:
    """Tasks that were asked for and have no scores."""
    scored = {score.task for score in evaluation.scores}
    rows = tuple(
        (
            task.name,
            task.domain,
            task.state,
            task.reason or task.training or "no method that was asked for has its kind",
        )
        for task in evaluation.tasks
        if task.state != "evaluated" or task.name not in scored
    )
    return Table("Tasks without scores", ("task", "domain", "state", "reason"), rows)


def costs(evaluation: "Evaluation") -> Table:
    """What the image features cost."""
    rows = tuple(
        (
            one.model, one.task, one.images, one.images - one.encoded, Number(one.seconds, digits=1),
            Number(one.images / one.seconds, digits=1) if one.seconds > 0 else NONE, one.device,
        )
        for one in evaluation.costs
    )  # fmt: skip
    notes = ("Seconds are of reading, hashing, decoding and encoding; features from the cache were not encoded again.",)
    columns = ("model", "task", "images", "from cache", "seconds", "images/s", "device")
    return Table("Cost", columns, rows, notes if rows else ())


def models(evaluation: "Evaluation") -> Table:
    """Receipts of the models."""
    rows = tuple(
        (
            one.name, one.model, str(one.record.get("weights", NONE)), str(one.record.get("image_size", NONE)),
            Number(one.logit_scale, digits=2),
        )
        for one in evaluation.models
    )  # fmt: skip
    return Table("Models", ("model", "opened by", "sha-256 of weights", "image size", "logit scale"), rows)


def sources(evaluation: "Evaluation") -> Table:
    """Receipts of the tasks."""
    rows = tuple(
        (
            one.name, one.sha256, one.split_sha256 or NONE, one.items, one.groups or NONE, one.unreadable, one.unasked,
            one.training or NONE, one.licence, one.citation, one.source_url,
        )
        for one in evaluation.tasks
    )  # fmt: skip
    columns = (
        "task", "sha-256 of task", "sha-256 of split", "images", "groups", "unreadable", "without question",
        "trained with", "licence", "citation", "source",
    )  # fmt: skip
    return Table("Tasks", columns, rows)


def receipt(evaluation: "Evaluation") -> Table:
    """How the evaluation was run."""
    rows = tuple((name, _told(value)) for name, value in evaluation.receipt.items())
    return Table("Run", ("what", "value"), rows)


def number(one: "Score | Average") -> Number:
    """A number of the record as it is shown."""
    metric = getattr(one, "metric", "")
    return Number(
        one.value, one.low, one.high, digits=1 if metric.endswith("_rank") else 3,
        deviation=getattr(one, "deviation", None),
    )  # fmt: skip


def _row(
    evaluation: "Evaluation",
    own: "Mapping[str, Score] | Mapping[str, Average]",
    method: "Method",
    *,
    task: str | None = None,
    domain: str | None = None,
) -> dict[str, Number]:
    """Numbers by model, with the marks of the best and of those that are worse."""
    cells = {name: number(one) for name, one in own.items()}
    known = {name: one.value for name, one in cells.items() if math.isfinite(one.value)}
    if len(known) < 2:  # noqa: PLR2004 - one alone is not the best of any
        return cells
    metric = getattr(next(iter(own.values())), "metric", "")
    lower = metric.endswith(("_rank", "calibration_error"))
    leader = (min if lower else max)(known, key=known.__getitem__)
    best, several = known[leader], len(set(known.values())) > 1
    threshold = 1 - level_of(evaluation)
    worse = {
        ({one.first, one.second} - {leader}).pop()
        for one in evaluation.comparisons
        if _is_of(one, method, task, domain) and leader in (one.first, one.second) and one.p_holm < threshold
    }
    return {
        name: replace(one, is_best=one.value == best and several, is_worse=one.value != best and name in worse)
        for name, one in cells.items()
    }


def _is_of(one: "Comparison", method: "Method", task: str | None, domain: str | None) -> bool:
    if one.method != method or one.first == one.second or (task is None and domain is None):
        return False
    return one.task == task and one.domain == domain


def _has_all(evaluation: "Evaluation", task: "JudgedTask", method: "Method") -> bool:
    return all(evaluation.primary(model.name, task.name, method) is not None for model in evaluation.models)


def _told(value: Any) -> str:  # noqa: ANN401 - of JSON
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(inner)}" for name, inner in value.items())
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
