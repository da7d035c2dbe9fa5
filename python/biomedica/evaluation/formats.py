"""Tables in formats for people and programs: text, Markdown, LaTeX; and an evaluation as Markdown report, CSV or JSON."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from biomedica.evaluation import tables
from biomedica.evaluation.tables import NONE, Cell, Number, Table

if TYPE_CHECKING:
    from biomedica.evaluation.record import Evaluation

__all__ = ["FORMATS", "SCORE_FIELDS", "Format", "as_latex", "as_markdown", "as_text", "formatted", "markdown_report"]

Format = Literal["text", "markdown", "csv", "json", "latex"]
FORMATS: tuple[Format, ...] = get_args(Format)

SCORE_FIELDS = (
    "domain", "task", "kind", "state", "model", "method", "metric", "value", "low", "high", "interval", "units",
    "is_primary", "deviation", "chance", "items", "groups", "task_sha256", "split_sha256", "weights_sha256", "seed", "draws",
    "level", "training", "reason",
)  # fmt: skip
"""Columns of CSV."""
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\textquotedbl{}", "–": "--", "[": "{[}", "]": "{]}",
}  # fmt: skip
_MARKDOWN = frozenset("\\`*_[]<>|#~&!")


def formatted(evaluation: "Evaluation", form: Format) -> str:
    """An evaluation in a format.

    Args:
        evaluation: Of models at tasks.
        form: `text` has tasks and models; `markdown` is the whole report; `csv` has a row for each score, and one for
            each task without any; `json` is `evaluation.json`; `latex` has domains and models (needs `booktabs`).

    Raises:
        ValueError: There is no such format.
    """
    makers: dict[str, Callable[[Evaluation], str]] = {
        "text": _text, "markdown": markdown_report, "csv": _csv, "json": lambda one: one.json() + "\n", "latex": _latex
    }  # fmt: skip
    if form not in makers:
        raise ValueError(f"format is {form!r}, not one of {', '.join(FORMATS)}")
    return makers[form](evaluation)


def as_text(table: Table, *, title: bool = True) -> str:
    """A table for a terminal."""
    rows = [[_plain(one) for one in table.columns], *([_plain(_spelled(cell)) for cell in row] for row in table.rows)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    lines = ["  ".join(map(_put, row, widths, table.numeric)).rstrip() for row in rows]
    return "\n".join([*([_plain(table.title)] if title else []), *lines, *map(_plain, table.notes)])


def as_markdown(table: Table) -> str:
    """A table of GitHub's Markdown, with its notes below."""
    if not table.rows:
        return "None."
    lines = [_line(map(_escaped, table.columns)), _line("--:" if numeric else "---" for numeric in table.numeric)]
    lines += [_line(map(_markdown, row)) for row in table.rows]
    return "\n".join(lines) + "".join(f"\n\n{_escaped(note)}" for note in table.notes)


def as_latex(table: Table) -> str:
    """A table for a paper; needs the package `booktabs`."""
    numeric = table.numeric
    columns = "".join("r" if one else "l" for one in numeric)
    lines = [
        r"\begin{table}", r"\centering", rf"\caption{{{_latexed(table.title)}}}", rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule", " & ".join(map(_latexed, table.columns)) + r" \\", r"\midrule",
        *(" & ".join(map(_latex_cell, row)) + r" \\" for row in table.rows), r"\bottomrule", r"\end{tabular}",
        *(rf"\par\footnotesize {_latexed(note)}" for note in table.notes), r"\end{table}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def markdown_report(evaluation: "Evaluation") -> str:
    """All tables of an evaluation."""
    names = ", ".join(_escaped(model.name) for model in evaluation.models)
    lines = [f"# Evaluation of {names}", _escaped(tables.summary(evaluation))]

    def add(table: Table, level: int = 2) -> None:
        lines.extend([f"{'#' * level} {_escaped(table.title)}", as_markdown(table)])

    if (absent := tables.absent(evaluation)).rows:
        add(absent)
    for method in tables.ordered_methods(evaluation):
        lines.append(f"## {_escaped(tables.title_of(method))}")
        add(tables.averages(evaluation, method), 3)
        for domain in tables.domains(evaluation, method):
            add(tables.of_domain(evaluation, domain, method), 3)
        for of_averages in (True, False):
            if (compared := tables.comparisons(evaluation, method, of_averages=of_averages)).rows:
                add(compared, 3)
    for table in (tables.costs, tables.receipt, tables.models, tables.sources):
        add(table(evaluation))
    return "\n\n".join(lines) + "\n"


def _text(evaluation: "Evaluation") -> str:
    found = []
    for method in tables.ordered_methods(evaluation):
        for domain in tables.domains(evaluation, method):
            table = tables.of_domain(evaluation, domain, method)
            found.append(as_text(replace(table, title=f"{tables.title_of(method)}: {domain}")))
        found.append(as_text(tables.averages(evaluation, method)))
    found += [as_text(absent)] if (absent := tables.absent(evaluation)).rows else []
    return "\n\n".join(found) + "\n"


def _csv(evaluation: "Evaluation") -> str:
    from biomedica.concepts import _csv

    tasks = {task.name: task for task in evaluation.tasks}
    weights = {model.name: model.record.get("weights") for model in evaluation.models}
    run = {name: evaluation.receipt.get(name) for name in ("seed", "draws", "level")}
    scored = {score.task for score in evaluation.scores}
    entries = [
        {
            "model": one.model, "method": one.method, "metric": one.metric, "value": one.value, "low": one.low,
            "high": one.high, "interval": one.interval, "units": one.units, "is_primary": one.is_primary,
            "deviation": one.deviation, "weights_sha256": weights.get(one.model), "task": one.task, **run,
        }
        for one in evaluation.scores
    ]  # fmt: skip
    entries += [{"task": task.name} for task in evaluation.tasks if task.name not in scored]
    for entry in entries:
        task = tasks.get(str(entry["task"]))
        if task is not None:
            entry |= {
                "domain": task.domain, "kind": task.kind, "state": task.state, "items": task.items,
                "groups": task.groups, "task_sha256": task.sha256, "split_sha256": task.split_sha256,
                "training": task.training, "reason": task.reason, "chance": task.chance if entry.get("metric") == task.metric else None,
            }  # fmt: skip
    return _csv.text(SCORE_FIELDS, entries)


def _latex(evaluation: "Evaluation") -> str:
    found = [as_latex(tables.averages(evaluation, method)) for method in tables.ordered_methods(evaluation)]
    return "% needs \\usepackage[T1]{fontenc} and \\usepackage{booktabs}\n" + "\n".join(found)


def _put(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """In one line: names and reasons come from files of others."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _spelled(cell: Cell) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    return str(cell)


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in _MARKDOWN else char for char in _plain(text))


def _markdown(cell: Cell) -> str:
    if not isinstance(cell, Number):
        return _escaped(_spelled(cell))
    value = f"**{cell.text}**" if cell.is_best else cell.text
    worse = r"\*" if cell.is_worse else ""
    return f"{value}{worse} {_escaped(cell.interval)}".rstrip()


def _latexed(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in _plain(text))


def _latex_cell(cell: Cell) -> str:
    if not isinstance(cell, Number):
        return _latexed(_spelled(cell)) if cell != NONE else "--"
    value = rf"\textbf{{{cell.text}}}" if cell.is_best else cell.text
    worse = "$^{*}$" if cell.is_worse else ""
    interval = rf" {{\scriptsize {_latexed(cell.interval)}}}" if cell.interval else ""
    return f"{value}{worse}{interval}".replace("-", "$-$")  # a hyphen is no minus there
