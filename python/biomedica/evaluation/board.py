"""The leaderboard as tables and in formats."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from biomedica.evaluation.formats import as_latex, as_markdown, as_text
from biomedica.evaluation.tables import ALL, NONE, Cell, Number, Table, number, title_of

if TYPE_CHECKING:
    from biomedica.evaluation.compared import Draws
    from biomedica.evaluation.formats import Format
    from biomedica.evaluation.ranking import Ranking

__all__ = ["FIELDS", "Leaderboard", "by_task", "left_out", "models", "standings"]

FIELDS = (
    "place", "model", "run", "spec", "weights_sha256", "of", "name", "metric", "method", "value", "low", "high",
    "p_against_first", "task_sha256", "split_sha256", "seed", "draws", "level", "reason",
)  # fmt: skip
"""Columns of CSV; `of` is `all`, `domain`, `task` or, of tasks that do not count, `left out`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """Models of several evaluations, the best first."""

    runs: Mapping[str, str]
    """Where each run lies, by name."""
    method: str
    """`zero-shot`, `probe` or `few-shot-K`."""
    ranking: "Ranking"
    draws: "Draws"
    """How intervals and p-values were made."""

    @property
    def models(self) -> list[str]:
        """Their names, the best first."""
        return [one.name for one in self.ranking.competitors]

    @property
    def title(self) -> str:
        """What is ranked by what."""
        tasks, runs = len(self.ranking.tasks), len(self.runs)
        return (
            f"{len(self.models)} models of {runs} run{'s' * (runs != 1)} at {tasks} task{'s' * (tasks != 1)}:"
            f" {title_of(self.method).lower()}"
        )

    def formatted(self, form: "Format") -> str:
        """All of it in a format.

        Args:
            form: `text` and `markdown` for people, `latex` for papers (needs `booktabs`), `csv` with a row for each
                model and average, domain or task, and for each task that does not count, or `json`.

        Raises:
            ValueError: There is no such format.
        """
        makers: dict[str, Callable[[], str]] = {
            "text": self._text, "markdown": self._markdown, "latex": self._latex, "csv": self._csv, "json": self._json
        }  # fmt: skip
        if form not in makers:
            raise ValueError(f"format is {form!r}, not one of {', '.join(makers)}")
        return makers[form]()

    def _tables(self) -> tuple[Table, ...]:
        return standings(self), by_task(self), left_out(self), models(self)

    def _text(self) -> str:
        found = [as_text(table) for table in self._tables() if table.rows]
        return "\n\n".join(found) + "\n"

    def _markdown(self) -> str:
        found = [
            f"## {table.title}\n\n{as_markdown(table)}" for table in (standings(self), by_task(self), left_out(self))
        ]
        return "\n\n".join([f"# {self.title}", *found]) + "\n"

    def _latex(self) -> str:
        tables = [as_latex(standings(self)), as_latex(by_task(self))]
        return "% needs \\usepackage[T1]{fontenc} and \\usepackage{booktabs}\n" + "\n".join(tables)

    def _json(self) -> str:
        values = asdict(self)
        return json.dumps({**values.pop("ranking"), **values}, indent=1, ensure_ascii=False) + "\n"

    def _csv(self) -> str:
        from biomedica.concepts import _csv

        ranking = self.ranking
        tasks = {task.name: task for task in ranking.tasks}
        p = {(one.second, one.domain, one.task): one.p_holm for one in ranking.comparisons}
        entries = list[dict[str, Any]]()
        for place, one in zip(ranking.places, ranking.competitors, strict=True):
            own = {"place": place, "model": one.name, "run": one.run, "spec": one.spec, "weights_sha256": one.weights}
            entries += [
                {
                    **own, "of": "domain" if mean.domain else "all", "name": mean.domain, "value": mean.value,
                    "low": mean.low, "high": mean.high, "p_against_first": p.get((one.name, mean.domain, None)),
                }
                for mean in ranking.averages
                if mean.model == one.name
            ]  # fmt: skip
            entries += [
                {
                    **own, "of": "task", "name": name, "metric": score.metric, "value": score.value, "low": score.low,
                    "high": score.high, "p_against_first": p.get((one.name, None, name)),
                    "task_sha256": tasks[name].sha256, "split_sha256": tasks[name].split_sha256,
                }
                for name, score in one.scores.items()
            ]  # fmt: skip
        entries = [{**entry, "method": self.method, **asdict(self.draws)} for entry in entries]
        entries += [{"of": "left out", "name": one.task, "reason": one.reason} for one in ranking.left_out]
        return _csv.text(FIELDS, entries)


def standings(board: Leaderboard) -> Table:
    """Models by place: average, domains, and how sure it is that the first is better."""
    ranking = board.ranking
    means = {(one.model, one.domain): one for one in ranking.averages}
    domains = list(dict.fromkeys(task.domain for task in ranking.tasks))
    domains = domains if len(domains) > 1 else []
    p = {one.second: one.p_holm for one in ranking.comparisons if one.domain == ""}
    worse = 1 - board.draws.level
    rows = list[tuple[Cell, ...]]()
    for place, one in zip(ranking.places, ranking.competitors, strict=True):
        cells = [number(means[one.name, domain]) if (one.name, domain) in means else NONE for domain in ("", *domains)]
        against: Cell = Number(p[one.name], digits=4) if one.name in p else NONE
        rows.append((place, one.name, cells[0], against, *cells[1:]))
    found = Table(board.title, ("place", "model", ALL, "p against the first", *domains), tuple(rows))
    best = _best(found, range(4, 4 + len(domains)))
    notes = [
        f"Places are by the mean over the {len(ranking.tasks)} tasks that all have; each task counts the same.",
        f"Brackets are {100 * board.draws.level:g}% intervals of {board.draws.draws:,} draws.",
    ]  # fmt: skip
    if len(board.models) > 1:
        notes.append(
            f"p is of the paired difference to the first, after Holm's correction: {worse:.2g} or more means that the two"
            " cannot be told apart."
        )
    if ranking.left_out:
        notes.append(f"These do not count: {', '.join(one.task for one in ranking.left_out)}.")
    return Table(best.title, best.columns, best.rows, tuple(notes))


def by_task(board: Leaderboard) -> Table:
    """Tasks and models, by the tasks' metrics."""
    rows = tuple(
        (
            task.name, task.domain, task.metric, task.items, NONE if task.chance is None else Number(task.chance),
            *_marked([number(one.scores[task.name]) for one in board.ranking.competitors]),
        )
        for task in board.ranking.tasks
    )  # fmt: skip
    return Table("By task", ("task", "domain", "metric", "images", "chance", *board.models), rows)


def models(board: Leaderboard) -> Table:
    """Receipts of the models."""
    rows = tuple((one.name, one.run, one.spec, one.weights or NONE) for one in board.ranking.competitors)
    return Table("Models", ("model", "run", "opened by", "sha-256 of weights"), rows)


def left_out(board: Leaderboard) -> Table:
    """Tasks that do not count, and why."""
    rows = tuple((one.task, one.reason) for one in board.ranking.left_out)
    return Table("Tasks that do not count", ("task", "reason"), rows)


def _marked(cells: list[Number]) -> list[Number]:
    """The best of a row marked."""
    values = {one.value for one in cells}
    return [replace(one, is_best=len(values) > 1 and one.value == max(values)) for one in cells]


def _best(table: Table, columns: range) -> Table:
    """The best of each column marked."""
    rows = [list(row) for row in table.rows]
    for column in columns:
        numbers = [row[column] for row in rows]
        if all(isinstance(one, Number) for one in numbers):
            for row, cell in zip(rows, _marked(numbers), strict=True):  # type: ignore[arg-type]
                row[column] = cell
    return Table(table.title, table.columns, tuple(map(tuple, rows)), table.notes)
