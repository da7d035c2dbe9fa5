"""The page of an evaluation: all of it in one file that runs nothing, true to the numbers, whatever others wrote there."""

import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from biomedica._storage import storage
from biomedica.evaluation import metrics
from biomedica.evaluation.examples import FILE as EXAMPLES
from biomedica.evaluation.examples import SCHEMA
from biomedica.evaluation.predictions import Predictions, load_predictions
from biomedica.evaluation.record import FILE, Average, Evaluation, JudgedModel, Score
from biomedica.web.evaluation.calibration import SIDE, reliability
from biomedica.web.evaluation.curve import curve
from biomedica.web.evaluation.forest import Row, forest
from biomedica.web.evaluation.matrix import Matrix, confused
from biomedica.web.evaluation.page import MOST_EXAMPLES, evaluation_page
from biomedica.web.evaluation.radar import radar
from biomedica.web.evaluation.reports import write_reports
from biomedica.web.evaluation.scale import covering, marker
from evaluation.judged import SCRIPT, TASKS, judged

METHODS = ("zero-shot", "probe", "few-shot-1", "few-shot-4", "few-shot-16")
_CONTRAST = """cell => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const shown = colours => {
    canvas.clearRect(0, 0, 1, 1);
    for (const one of colours) { canvas.fillStyle = one; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  };
  const light = colours => { const [r, g, b] = shown(colours); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const style = getComputedStyle(cell), ground = getComputedStyle(document.body).backgroundColor;
  const pair = [light([ground, style.backgroundColor]), light([ground, style.backgroundColor, style[KIND]])];
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""
"""Contrast of text and what lies behind it, as WCAG 2.2 has it."""
DOT_CONTRAST = _CONTRAST.replace("KIND", "'fill'")
TEXT_CONTRAST = _CONTRAST.replace("KIND", "'color'")
DONE = [name for name, _, kind in TASKS if kind not in {"missing", "partial"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page")
    write_reports(judged(path), storage(path))
    return path


def _opened(page: Page, path: Path, html: str) -> None:
    (path / "page.html").write_text(html)
    page.goto((path / "page.html").as_uri())


def _written(folder: Path, tmp_path: Path, **changes: object) -> Evaluation:
    """The evaluation's record with changes, alone in a folder."""
    found = replace(Evaluation.read(folder), **changes)  # type: ignore[arg-type]
    found.write(storage(tmp_path))
    return found


def test_the_page_is_one_file_that_loads_and_runs_nothing(folder: Path, page: Page) -> None:
    path = folder / "report.html"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    text = path.read_text()
    assert not re.search(r'src="(?!data:)', text)
    assert "<script" not in text
    assert SCRIPT not in text
    assert not re.search(r"<[^>]* style=", text)
    assert page.locator("script").count() == 0
    # The style that the policy permits is applied.
    assert page.locator(".legend").first.evaluate("one => getComputedStyle(one).display") == "flex"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_links_lead_to_the_web_or_into_the_page(folder: Path, page: Page) -> None:
    page.goto((folder / "report.html").as_uri())
    links = page.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert all(link.startswith(("#", "https://example.org")) for link in links)
    for link in {link for link in links if link.startswith("#")}:
        assert page.locator(link).count() == 1
    assert page.get_by_text("javascript:alert(1)").count() == 1


def test_tasks_without_scores_come_first_with_the_reason(folder: Path, page: Page) -> None:
    page.goto((folder / "report.html").as_uri())
    expect(page.locator("#absent")).to_be_visible()
    rows = page.locator("#absent tbody tr").all_inner_texts()
    assert [row.split("\t")[:3] for row in rows] == [
        ["lost-lesions", "radiology", "missing"],
        ["torn-retina", "figures", "partial"],
    ]
    assert all(SCRIPT in row for row in rows)


def test_every_score_is_on_the_page_with_its_interval(folder: Path, page: Page) -> None:
    page.goto((folder / "report.html").as_uri())
    for number, name in enumerate(DONE):
        expect(page.locator(f"#task-{number} h3")).to_have_text(name)
    text = " ".join((page.locator("main").inner_text()).split())
    for one in Evaluation.read(folder).scores:
        digits = 1 if one.metric.endswith("_rank") else 3
        interval = f"[{one.low:.{digits}f}, {one.high:.{digits}f}]"
        assert re.search(rf"{one.value:.{digits}f}\*? {re.escape(interval)}", text), one


def test_each_domain_has_a_plot_and_all_domains_a_radar(folder: Path, page: Page) -> None:
    page.goto((folder / "report.html").as_uri())
    assert page.locator("svg.forest").count() == 1 + len({domain for _, domain, _ in TASKS})
    assert page.locator("svg.radar .area").count() == 2
    label = page.locator("svg.forest").nth(1).get_attribute("aria-label")
    assert label is not None
    one = Evaluation.read(folder).primary("tuned", "blood-cells")
    assert one is not None
    assert f"tuned: {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" in label


def test_what_was_confused_is_a_table(folder: Path, page: Page) -> None:
    page.goto((folder / "report.html").as_uri())
    found = load_predictions(storage(folder), "tuned", "blood-cells", "zero-shot")
    counts = metrics.confusion(found.numbers("label"), found.numbers("predicted"), 6)
    table = page.locator("#task-0 table.matrix").nth(1)
    cells = table.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].slice(1).map(cell => cell.title))"
    )
    assert [[int(cell or 0) for cell in row] for row in cells] == counts.tolist()
    assert SCRIPT in table.locator("th[scope=row]").last.inner_text()
    # Forty classes are too many for a matrix.
    assert page.locator("#task-1 table.matrix").count() == 0
    expect(page.locator("#task-1").get_by_text("what is confused most").first).to_be_visible()


def test_examples_have_their_images(folder: Path, page: Page) -> None:
    page.goto((folder / "report.html").as_uri())
    images = page.locator("#task-0 .examples img")
    assert images.count() == 4
    assert images.evaluate_all("all => all.every(one => one.complete && one.naturalWidth === 120)")
    assert page.locator("#task-0 .examples .gone").count() == 2
    expect(page.locator("#task-0 .examples").first).to_contain_text("(90% sure)")
    captions = page.locator("#task-5 .examples").first
    expect(captions).to_contain_text("best caption of its own at place 8")
    assert captions.locator("li li").count() == 4


def test_each_task_tells_what_its_numbers_are_made_of(folder: Path, page: Page) -> None:
    page.goto((folder / "report.html").as_uri())
    receipts = page.locator(".receipt").all_inner_texts()
    assert len(receipts) == len(DONE)
    for receipt in receipts:
        for told in ("ab" * 32, "cd" * 32, "0f" * 32, "1f" * 32, "draws 200", "seed 0"):
            assert told in receipt
    run = page.locator("#receipt").inner_text()
    assert "python 3.11.2, numpy 2.4" in run
    assert "2026-11-26T12:00:00+00:00" in run


def test_few_shot_is_a_curve_beside_zero_shot_and_probe(tmp_path: Path, page: Page) -> None:
    found = judged(tmp_path, tasks=TASKS[:1], methods=METHODS)
    _opened(page, tmp_path, evaluation_page(found, storage(tmp_path)))
    assert page.locator("svg.curve .way").count() == 2
    assert page.locator("svg.curve .level").count() == 4
    assert page.locator("svg.curve .way").first.get_attribute("points") is not None
    headings = page.locator("main > section > h2").all_inner_texts()
    assert headings[:3] == ["Zero-shot", "Linear probe", "Few-shot, 1 image a class"]
    # Two domains or fewer make no radar.
    assert page.locator("svg.radar").count() == 0
    assert page.locator("svg.forest").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(folder: Path, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto((folder / "report.html").as_uri())
    cell = page.locator("#tasks .matrix tbody td").nth(1)
    for shade in range(11):
        cell.evaluate("(cell, shade) => { cell.className = `number s${shade}`; }", shade)
        assert cell.evaluate(TEXT_CONTRAST) >= 4.5, shade
    for name in ("m0", "m1"):
        assert page.locator(f"svg.forest .{name} .dot").first.evaluate(DOT_CONTRAST) >= 3, name


def test_a_narrow_window_scrolls_tables_not_the_page(folder: Path, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((folder / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_names_of_models_and_tasks_are_text(folder: Path, tmp_path: Path, page: Page) -> None:
    names = {"untuned": SCRIPT, "tuned": "../../etc/passwd", "blood-cells": f'"><img src=x onerror=alert(1)>{SCRIPT}'}
    text = (folder / FILE).read_text()
    for name, hostile in names.items():
        text = text.replace(json.dumps(name), json.dumps(hostile))
    (tmp_path / FILE).write_text(text)
    found = Evaluation.read(tmp_path)
    write_reports(found, storage(tmp_path))
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script").count() == 0
    expect(page.locator("h1")).to_have_text(f"Evaluation of {SCRIPT}, ../../etc/passwd")
    expect(page.locator("#task-0 .warn").first).to_contain_text("no names of a model, a task and a method")
    assert "<img" not in re.sub(r"\\<", "", (tmp_path / "report.md").read_text())


def test_missing_predictions_and_examples_are_told(folder: Path, tmp_path: Path, page: Page) -> None:
    found = _written(folder, tmp_path)
    _opened(page, tmp_path, evaluation_page(found, storage(tmp_path)))
    expect(page.get_by_text("there is no such file, so that no examples are shown")).to_be_visible()
    assert page.locator(".warn", has_text="there are no such predictions").count() == 2 * 4
    expect(page.locator("#task-0 table").first).to_contain_text("balanced_accuracy")


def test_damaged_predictions_and_examples_are_told(folder: Path, tmp_path: Path) -> None:
    found, files = _written(folder, tmp_path), storage(tmp_path)
    one = load_predictions(storage(folder), "tuned", "blood-cells", "zero-shot")
    labels = np.full(len(one), 7)
    Predictions.of(
        one.about, {name: labels if name == "label" else one.table[name] for name in one.table.column_names}
    ).write(files)
    files.write(Predictions.path("untuned", "blood-cells", "zero-shot"), b"PAR1")
    files.write(EXAMPLES, b"PAR1 not at all")
    html = evaluation_page(found, files)
    assert "a label is not a class number in 0..5" in html
    assert "no predictions of `biomedica evaluate`" in html
    assert "no examples of `biomedica evaluate`" in html


def test_of_many_examples_some_are_shown_and_the_others_counted(folder: Path, tmp_path: Path) -> None:
    found, files = _written(folder, tmp_path), storage(tmp_path)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    rows = [
        {
            "model": "tuned", "task": "blood-cells", "method": "zero-shot", "key": f"k{number}", "image": file.getvalue(),
            "right": ["a" * 1000], "said": ["b"] * 20, "confidence": float("nan"), "rank": None,
        }
        for number in range(MOST_EXAMPLES + 5)
    ]  # fmt: skip
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink)
    files.write(EXAMPLES, sink.getvalue())
    html = evaluation_page(found, files)
    assert html.count("<img src=") == MOST_EXAMPLES
    assert "5 more in <code>examples.parquet</code>" in html
    assert "and 12 more" in html
    assert "a" * 500 not in html


def test_an_evaluation_without_any_scores_has_a_page(folder: Path, tmp_path: Path, page: Page) -> None:
    tasks = tuple(task for task in Evaluation.read(folder).tasks if task.state != "evaluated")
    found = _written(folder, tmp_path, tasks=tasks, scores=(), averages=(), comparisons=(), costs=(), receipt={})
    _opened(page, tmp_path, evaluation_page(found, storage(tmp_path)))
    expect(page.get_by_text("Nothing was evaluated.")).to_be_visible()
    expect(page.locator("#absent")).to_contain_text("torn-retina")


def test_reports_are_written_where_the_evaluation_lies(folder: Path) -> None:
    found = Evaluation.read(folder)
    assert write_reports(found, storage(folder)) == ["report.html", "report.md"]
    assert (folder / "report.md").read_text().startswith("# Evaluation of untuned, tuned\n")


# What is drawn.


def _score(value: float, low: float | None = None, high: float | None = None, **changes: object) -> Score:
    told = {"model": "m", "task": "t", "method": "zero-shot", "metric": "accuracy", "is_primary": True, **changes}
    return Score(value=value, low=low, high=high, **told)  # type: ignore[arg-type]


def _average(value: float) -> Average:
    return Average(model="m", domain="d", method="zero-shot", tasks=1, value=value, low=value, high=value)


def test_a_scale_has_round_ends_and_all_numbers() -> None:
    scale = covering([0.31, None, float("nan"), 0.74], 100, 200)
    assert [scale.low, scale.high] == pytest.approx([0.3, 0.8])
    assert (scale(scale.low), scale(scale.high), scale(0.55)) == (100, 200, 150)
    assert [text for _, text in scale.ticks] == ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8"]
    assert scale(9) == 200
    for values in ([], [0.5], [0.5, 0.5], [1.0], [0.0, 1.0], [-0.2, 0.1], [3.0, 4000.0]):
        scale = covering(values, 0, 10)
        assert scale.low < scale.high
        assert 2 <= len(scale.ticks) <= 9
        assert all(scale.low - 1e-9 <= value <= scale.high + 1e-9 for value in values)


def test_forty_models_look_different() -> None:
    assert len({(model % 8, marker(model, 0, 0)) for model in range(40)}) == 40


def test_a_plot_has_numbers_at_their_places() -> None:
    rows = [Row("a", {"m": _score(0.2, 0.1, 0.3), "n": _score(0.6)}, 0.5), Row("b", {"n": _average(1.0)})]
    found = forest("title", rows, ["m", "n"])
    assert found is not None
    first, second = found.lines
    assert [dot.model for dot in first.dots] == [0, 1]
    low, high = first.dots[0].low, first.dots[0].high
    assert low is not None
    assert high is not None
    assert first.chance is not None
    # On a line of their own, numbers are as far apart as they differ.
    assert (first.chance - low) / (high - low) == pytest.approx(2, abs=0.01)
    assert (first.dots[1].low, second.chance) == (None, None)
    assert first.bottom == second.top
    assert "a, m: 0.200 [0.100, 0.300]" in found.text


def test_what_is_no_number_is_not_drawn() -> None:
    nan = float("nan")
    assert forest("title", [Row("a", {"m": _score(nan)}), Row("b", {})], ["m"]) is None
    found = forest("title", [Row("a", {"m": _score(nan), "n": _score(0.5, nan, 0.6)})], ["m", "n"])
    assert found is not None
    assert [(dot.model, dot.low) for dot in found.lines[0].dots] == [(1, None)]
    assert "nan" not in str([found.ticks, found.height])


def test_a_radar_needs_three_domains_that_all_models_have() -> None:
    values = {name: {"m": 0.5, "n": 1.0} for name in "abc"}
    found = radar(values, ["m", "n"])
    assert found is not None
    inner, outer = ([tuple(map(float, one.split(","))) for one in area.points.split()] for area in found.areas)
    for (x, y), (far_x, far_y) in zip(inner, outer, strict=True):
        assert far_x - found.x == pytest.approx(2 * (x - found.x), abs=0.03)
        assert far_y - found.y == pytest.approx(2 * (y - found.y), abs=0.03)
    assert radar({**values, "c": {"m": 0.5}}, ["m", "n"]) is None
    assert radar({name: {"m": float("nan")} for name in "abcd"}, ["m"]) is None


def test_a_matrix_has_shares_of_rows(folder: Path) -> None:
    one = load_predictions(storage(folder), "untuned", "blood-cells", "zero-shot")
    found = confused(one)
    assert isinstance(found, Matrix)
    assert sum(found.images) == len(one)
    for images, row in zip(found.images, found.rows, strict=True):
        assert sum(cell.count for cell in row) == images
        assert [cell.text for cell in row if not cell.count] == [""] * sum(not cell.count for cell in row)
        assert all(cell.shade == round(10 * cell.count / images) for cell in row)


def test_of_many_classes_the_most_confused_pairs_are_named(folder: Path) -> None:
    one = load_predictions(storage(folder), "untuned", "many-cells", "zero-shot")
    found = confused(one)
    assert isinstance(found, list)
    counts = metrics.confusion(one.numbers("label"), one.numbers("predicted"), 40)
    np.fill_diagonal(counts, 0)
    assert [pair.count for pair in found] == sorted(counts[counts > 0].tolist(), reverse=True)[: len(found)]
    names = list(one.about.classes)
    assert all(counts[names.index(pair.right), names.index(pair.said)] == pair.count for pair in found)


def test_bars_of_the_reliability_diagram_make_the_calibration_error(folder: Path) -> None:
    one = load_predictions(storage(folder), "tuned", "tissue-questions", "zero-shot")
    found = reliability(one)
    score = next(
        s for s in Evaluation.read(folder).scores
        if (s.model, s.task, s.metric) == ("tuned", "tissue-questions", "calibration_error")
    )  # fmt: skip
    assert sum(bar.share for bar in found.bins) == pytest.approx(1)
    assert sum(bar.share * bar.height / SIDE for bar in found.bins) == pytest.approx(found.right, abs=1e-3)
    # All bars lie above the diagonal here, so that the error is the difference of the means.
    assert found.right - found.sure == pytest.approx(score.value, abs=0.03)


def _few(ks: Sequence[int]) -> Evaluation:
    scores = tuple(_score(0.5 + k / 100, method=f"few-shot-{k}") for k in ks)
    model = JudgedModel(name="m", model="m", record={}, logit_scale=1)
    return Evaluation(models=(model,), tasks=(), scores=(*scores, _score(0.4), _score(0.9, method="probe")))


def test_a_curve_is_over_the_logarithm_of_the_number_of_images(folder: Path) -> None:
    task = replace(Evaluation.read(folder).tasks[0], name="t")
    found = curve(_few([1, 2, 8]), task)
    assert found is not None
    first, second, third = (float(point.split(",")[0]) for point in found.lines[0].points.split())
    assert (third - second) / (second - first) == pytest.approx(2, abs=0.01)
    assert [level.label for level in found.levels] == ["all images", "zero-shot"]
    assert [text for _, text in found.ticks_x] == ["1", "2", "8"]
    assert curve(_few([4]), task) is None
