"""The page of an evaluation, one static file: scores with intervals, what was confused, mistakes, cost, receipts."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from biomedica.evaluation import tables
from biomedica.evaluation.methods import FEW_SHOT, ZERO_SHOT
from biomedica.evaluation.predictions import load_predictions
from biomedica.evaluation.tables import Number, Table, number, title_of
from biomedica.exceptions import EvaluationError
from biomedica.web.evaluation.calibration import Reliability, reliability
from biomedica.web.evaluation.curve import Curve, curve
from biomedica.web.evaluation.forest import Forest, Row, forest
from biomedica.web.evaluation.matrix import Confused, Matrix, confused
from biomedica.web.evaluation.pictures import Picture, pictures
from biomedica.web.evaluation.radar import Radar, radar
from biomedica.web.evaluation.scale import marker
from biomedica.web.standalone import page

if TYPE_CHECKING:
    from biomedica._storage import Storage
    from biomedica.evaluation.record import Evaluation, JudgedTask, Score

__all__ = ["MOST_EXAMPLES", "WORDS", "evaluation_page"]

MOST_EXAMPLES = 16
"""Images of each model and task."""
WORDS: Mapping[str, Callable[..., object]] = {
    "marker": marker,
    "is_hash": lambda one: isinstance(one, str) and re.fullmatch(r"[0-9a-f]{64}", one) is not None,
    "is_link": lambda one: isinstance(one, str) and one.startswith(("https://", "http://")),
}
"""What the templates of evaluations ask."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Tasks of a domain by one method."""

    name: str
    table: Table
    plot: Forest | None


@dataclass(frozen=True, slots=True)
class Method:
    """All tasks by one method."""

    anchor: str
    title: str
    averages: Table
    radar: Radar | None
    overview: Forest | None
    domains: list[Domain]
    comparisons: list[Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model at one task."""

    at: int
    name: str
    weights: str
    title: str
    matrix: Matrix | None = None
    pairs: list[Confused] | None = None
    calibration: Reliability | None = None
    error: Number | None = None
    examples: Sequence[Picture] = ()
    left: int = 0
    """Examples that are not shown."""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What is known of one task."""

    anchor: str
    task: "JudgedTask"
    metrics: list[Table]
    curve: Curve | None
    models: list[Model]
    run: str
    """How intervals were drawn."""


def evaluation_page(evaluation: "Evaluation", files: "Storage") -> str:
    """The page, which needs no server, no network and no script.

    Args:
        evaluation: What `evaluation.json` says.
        files: Where it lies, with `predictions/` and `examples.parquet`. What is missing or damaged there is told on the
            page.
    """
    names = [model.name for model in evaluation.models]
    problem = None
    try:
        shown = pictures(files, MOST_EXAMPLES)
    except EvaluationError as error:
        shown, problem = {}, str(error)
    scored = {score.task for score in evaluation.scores}
    done = [task for task in evaluation.tasks if task.state == "evaluated" and task.name in scored]
    return page(
        "evaluation",
        "evaluation.html",
        f"Evaluation of {_listed(names)}",
        **WORDS,
        where=str(files.root),
        summary=tables.summary(evaluation),
        models=names,
        absent=tables.absent(evaluation),
        methods=[
            _method(evaluation, at, method, names) for at, method in enumerate(tables.ordered_methods(evaluation))
        ],
        tasks_shown=[_task(evaluation, at, task, files, shown) for at, task in enumerate(done)],
        problem=problem,
        costs=tables.costs(evaluation),
        receipts=[tables.receipt(evaluation), tables.models(evaluation), tables.sources(evaluation)],
    )


def _listed(names: Sequence[str]) -> str:
    most = 4
    return ", ".join(names) if len(names) <= most else f"{len(names)} models"


def _method(evaluation: "Evaluation", at: int, method: str, names: Sequence[str]) -> Method:
    values: dict[str, dict[str, Any]] = {}
    for one in evaluation.averages:
        if one.method == method:
            values.setdefault(one.domain, {})[one.model] = one
    whole = values.pop("", {})
    rows = [Row(domain, own) for domain, own in values.items()]
    rows += [Row(tables.ALL, whole)] if whole else []
    found = [
        Domain(
            name, tables.of_domain(evaluation, name, method),
            None if FEW_SHOT.fullmatch(method) else _forest(evaluation, name, method, names),
        )
        for name in tables.domains(evaluation, method)
    ]  # fmt: skip
    compared = [tables.comparisons(evaluation, method, of_averages=one) for one in (True, False)]
    return Method(
        f"method-{at}", title_of(method), tables.averages(evaluation, method),
        radar({domain: {name: one.value for name, one in own.items()} for domain, own in values.items()}, names),
        forest("Averages by domain", rows, names), found, [one for one in compared if one.rows],
    )  # fmt: skip


def _forest(evaluation: "Evaluation", domain: str, method: str, names: Sequence[str]) -> Forest | None:
    rows = []
    for task in evaluation.tasks:
        own = {name: evaluation.primary(name, task.name, method) for name in names}
        found = {name: one for name, one in own.items() if one is not None}
        if task.domain == domain and found:
            rows.append(Row(f"{task.name}, {task.metric}", found, task.chance))
    return forest(f"{domain}: {title_of(method).lower()}", rows, names)


def _task(
    evaluation: "Evaluation",
    at: int,
    task: "JudgedTask",
    files: "Storage",
    shown: Mapping[tuple[str, str], tuple[Sequence[Picture], int]],
) -> Task:
    methods = [
        method
        for method in tables.ordered_methods(evaluation)
        if any((one.task, one.method) == (task.name, method) for one in evaluation.scores)
    ]
    receipt = evaluation.receipt
    run = ", ".join(f"{name} {receipt[name]}" for name in ("draws", "level", "seed") if name in receipt)
    models = []
    for place, model in enumerate(evaluation.models):
        examples, left = shown.get((model.name, task.name), ((), 0))
        told: dict[str, Any] = {
            "at": place, "name": model.name, "weights": str(model.record.get("weights", "–")), "examples": examples,
            "left": left,
        }  # fmt: skip
        told |= _said(evaluation, task, files, model.name, methods[0] if methods else ZERO_SHOT)
        models.append(Model(**told))
    metrics = [tables.metrics_of_task(evaluation, task, method) for method in methods]
    return Task(f"task-{at}", task, metrics, curve(evaluation, task), models, run)


def _said(evaluation: "Evaluation", task: "JudgedTask", files: "Storage", model: str, method: str) -> dict[str, Any]:
    """What predictions tell beside the scores."""
    told: dict[str, Any] = {"title": title_of(method)}
    if task.kind not in {"classify", "choice"}:
        return told
    try:
        predictions = load_predictions(files, model, task.name, method)
        if task.kind == "classify":
            found = confused(predictions)
            told |= {"matrix": found} if isinstance(found, Matrix) else {"pairs": found}
        told["calibration"] = reliability(predictions)
    except (EvaluationError, ValueError, LookupError) as error:
        return {**told, "problem": f"No confusion matrix and calibration: {error}"}
    return {**told, "error": _calibration_error(evaluation.scores, model, task.name, method)}


def _calibration_error(scores: "Sequence[Score]", model: str, task: str, method: str) -> Number | None:
    wanted = (model, task, method, "calibration_error")
    found = (number(one) for one in scores if (one.model, one.task, one.method, one.metric) == wanted)
    return next(found, None)
