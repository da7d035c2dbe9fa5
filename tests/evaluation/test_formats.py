"""The same numbers in every format, whatever names are like, and nothing left out."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from biomedica.evaluation import tables
from biomedica.evaluation.formats import FORMATS, Format, as_latex, as_markdown, as_text, formatted
from biomedica.evaluation.record import Evaluation
from biomedica.evaluation.tables import NONE, Number, Table
from evaluation.judged import SCRIPT, SKILLS, TASKS, judged

HOSTILE = "a|b & 50% of <i>_x_</i> \\ {y} #1 $5 ~^\n# head [z](javascript:1)"


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return judged(tmp_path_factory.mktemp("formats"), methods=("zero-shot", "probe"))


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("form", ["text", "markdown", "latex"])
def test_every_format_has_every_domain_with_value_and_interval(evaluation: Evaluation, form: Format) -> None:
    text = formatted(evaluation, form).replace("\\[", "[").replace("\\]", "]").replace("{[}", "[").replace("{]}", "]")
    assert evaluation.averages
    for one in evaluation.averages:
        assert re.search(rf"{one.value:.3f}\D+{re.escape(f'[{one.low:.3f}, {one.high:.3f}]')}", text), one


def test_text_and_markdown_name_each_task_and_why_one_has_no_scores(evaluation: Evaluation) -> None:
    for form in ("text", "markdown"):
        text = formatted(evaluation, form)
        assert all(name in text for name, *_ in TASKS)
        assert "missing" in text
        assert "partial" in text
        assert "get it from its authors" in text


def test_json_is_the_evaluation_as_it_is(evaluation: Evaluation, tmp_path: Path) -> None:
    text = formatted(evaluation, "json")
    (tmp_path / "evaluation.json").write_text(text)
    assert Evaluation.read(tmp_path) == evaluation


def test_csv_has_a_row_for_each_score_with_its_receipt(evaluation: Evaluation) -> None:
    rows = _rows(formatted(evaluation, "csv"))
    scored = [row for row in rows if row["value"]]
    assert len(scored) == len(evaluation.scores)
    for row, score in zip(scored, evaluation.scores, strict=True):
        assert (row["model"], row["task"], row["method"], row["metric"]) == (
            score.model, score.task, score.method, score.metric
        )  # fmt: skip
        assert float(row["value"]) == score.value
        assert float(row["low"]) == score.low
        assert row["task_sha256"] == evaluation.task(score.task).sha256
        assert row["split_sha256"] == "cd" * 32
        assert len(row["weights_sha256"]) == 64
        assert (row["seed"], row["draws"], row["level"]) == ("0", "200", "0.95")
    assert [(row["task"], row["state"]) for row in rows if not row["value"]] == [
        ("lost-lesions", "missing"),
        ("torn-retina", "partial"),
    ]
    assert all(SCRIPT in row["reason"] for row in rows if not row["value"])


def test_chance_stands_at_the_metric_that_it_is_of(evaluation: Evaluation) -> None:
    rows = _rows(formatted(evaluation, "csv"))
    assert {row["metric"] for row in rows if row["chance"]} == {"accuracy", "auroc", "recall@10"}
    assert all(row["is_primary"] == "true" for row in rows if row["chance"])


def test_latex_is_balanced_and_every_row_has_all_columns(evaluation: Evaluation) -> None:
    text = formatted(evaluation, "latex")
    assert text.count(r"\begin{tabular}{llrr}") == text.count(r"\end{tabular}") == 2
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    # A header, the domains and all tasks, for zero-shot and for probes; of retrieval there are no probes.
    assert len(rows) == (1 + 4 + 1) + (1 + 4 + 1)
    assert all(len(re.findall(r"(?<!\\)&", row)) == 3 for row in rows)
    assert r"\toprule" in text
    assert r"\textbf{0." in text


def test_names_are_text_in_every_format() -> None:
    table = Table(HOSTILE, ("name", HOSTILE), ((HOSTILE, Number(-0.5, -0.6, -0.4)),), (HOSTILE,))
    markdown = as_markdown(table)
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)
    assert "<i>" not in markdown
    assert "[z](" not in markdown
    latex = as_latex(table)
    body = latex[latex.index(r"\midrule") : latex.index(r"\bottomrule")]
    assert r"50\% of \textless{}i\textgreater{}\_x\_" in body
    assert r"\textbackslash{} \{y\} \#1 \$5 \textasciitilde{}\textasciicircum{}" in body
    assert "$-$0.500" in body
    assert len(as_text(table).splitlines()) == 4


def test_spreadsheets_find_no_formula(evaluation: Evaluation) -> None:
    tasks = tuple(replace(task, reason="=cmd|' /C calc'!A0") for task in evaluation.tasks)
    text = formatted(replace(evaluation, tasks=tasks, scores=()), "csv")
    assert {row["reason"] for row in _rows(text)} == {"'=cmd|' /C calc'!A0"}


def test_the_best_is_marked_and_what_is_surely_worse(evaluation: Evaluation) -> None:
    table = tables.averages(evaluation, "zero-shot")
    names = [model.name for model in evaluation.models]
    assert table.columns[2:] == tuple(names)
    for row in table.rows:
        worse, best = row[2], row[3]
        assert isinstance(worse, Number)
        assert isinstance(best, Number)
        assert (worse.is_best, worse.is_worse, best.is_best, best.is_worse) == (False, True, True, False)
    # Nobody is surely worse when no comparison says so.
    alike = replace(
        evaluation, comparisons=tuple(replace(one, p=0.6, p_holm=1.0) for one in evaluation.comparisons)
    )  # fmt: skip
    assert not any(
        cell.is_worse for row in tables.averages(alike, "zero-shot").rows for cell in row if isinstance(cell, Number)
    )


def test_of_errors_the_smallest_is_the_best(evaluation: Evaluation) -> None:
    table = tables.metrics_of_task(evaluation, evaluation.task("blood-cells"), "zero-shot")
    found = {row[0]: row[1:] for row in table.rows}
    errors = [cell for cell in found["calibration_error"] if isinstance(cell, Number)]
    assert [one.is_best for one in errors] == [one.value == min(e.value for e in errors) for one in errors]
    assert sum(one.is_best for one in errors) == 1


def test_of_equals_none_is_the_best(evaluation: Evaluation) -> None:
    scores = tuple(replace(one, value=0.5) for one in evaluation.scores)
    for row in tables.of_domain(replace(evaluation, scores=scores), "pathology", "zero-shot").rows:
        assert not any(isinstance(cell, Number) and (cell.is_best or cell.is_worse) for cell in row)


def test_one_model_alone_is_not_the_best(tmp_path: Path) -> None:
    alone = judged(tmp_path, {"only": 0.8}, TASKS[:2])
    for row in tables.of_domain(alone, "microscopy", "zero-shot").rows:
        assert not any(isinstance(cell, Number) and (cell.is_best or cell.is_worse) for cell in row)
    assert "worse" not in formatted(alone, "text")


def test_a_domain_that_lacks_a_task_says_which(tmp_path: Path) -> None:
    found = judged(tmp_path, partial=False)
    table = tables.averages(found, "zero-shot")
    rows = {row[0]: row[1:] for row in table.rows}
    assert set(rows["radiology"]) == {NONE}
    assert set(rows[tables.ALL]) == {NONE}
    assert NONE not in rows["pathology"]
    assert "radiology has no average: lost-lesions (missing)." in table.notes
    assert r"-- & -- & -- \\" in formatted(found, "latex")


def test_of_one_domain_alone_there_is_no_row_of_all(tmp_path: Path) -> None:
    found = judged(tmp_path, tasks=TASKS[:2])
    table = tables.averages(found, "zero-shot")
    assert [row[:2] for row in table.rows] == [("microscopy", "2")]
    assert isinstance(table.rows[0][2], Number)
    assert not any("no average" in note for note in table.notes)


def test_a_method_has_the_tasks_that_it_can_have(evaluation: Evaluation) -> None:
    assert [row[0] for row in tables.of_domain(evaluation, "pathology", "probe").rows] == ["colon-polyps"]
    assert [row[0] for row in tables.of_domain(evaluation, "figures", "probe").rows] == ["torn-retina"]
    rows = {row[0]: row[1] for row in tables.averages(evaluation, "probe").rows}
    assert rows["pathology"] == "1"
    assert rows["radiology"] == "1 of 2"


def test_methods_come_in_the_order_of_what_they_have_seen(evaluation: Evaluation) -> None:
    methods = ("few-shot-16", "probe", "few-shot-2", "zero-shot")
    scores = tuple(replace(evaluation.scores[0], method=method) for method in methods)
    assert tables.ordered_methods(replace(evaluation, scores=scores)) == [
        "zero-shot", "probe", "few-shot-2", "few-shot-16"
    ]  # fmt: skip
    assert tables.title_of("few-shot-1") == "Few-shot, 1 image a class"


def test_a_task_that_no_method_has_judged_is_named(tmp_path: Path) -> None:
    found = judged(tmp_path, methods=("probe",))
    rows = {row[0]: row[2:] for row in tables.absent(found).rows}
    assert rows["figure-captions"] == ("evaluated", "no method that was asked for has its kind")
    assert set(rows) == {"tissue-questions", "figure-captions", "lost-lesions", "torn-retina"}


def test_an_unknown_format_is_refused_with_those_there_are(evaluation: Evaluation) -> None:
    with pytest.raises(ValueError, match="not one of text, markdown, csv, json, latex"):
        formatted(evaluation, "xml")  # type: ignore[arg-type]
    assert len(FORMATS) == 5


def test_numbers_that_are_none_are_shown_as_such(evaluation: Evaluation) -> None:
    scores = tuple(replace(one, value=math.nan, low=None, high=None) for one in evaluation.scores)
    text = formatted(replace(evaluation, scores=scores, averages=(), comparisons=()), "text")
    assert "nan" in text
    assert json.loads(formatted(evaluation, "json"))["models"][0]["name"] in SKILLS
