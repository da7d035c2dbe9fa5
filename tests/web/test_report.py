"""The overview as one file, and the two verbs on the command line."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import biomedica as bm
from biomedica.cli import main
from web.ask import ask
from web.viewed import viewed


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    return viewed(tmp_path_factory.mktemp("report"), 3)


def test_a_report_is_one_file_that_loads_nothing(dataset: bm.Dataset, tmp_path: Path, page: Page) -> None:
    path = bm.report(dataset, tmp_path / "report.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    expect(page.locator(".numbers")).to_contain_text("articles")
    expect(page.get_by_text("Failures by reason")).to_be_visible()
    # The style that the policy permits is applied.
    assert page.locator(".numbers").evaluate("one => getComputedStyle(one).display") == "flex"
    text = path.read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "<script" not in text


def test_a_report_of_a_selection_counts_only_that(dataset: bm.Dataset, tmp_path: Path) -> None:
    path = bm.report(dataset, tmp_path / "report.html", selection=["PMC100_0001"])
    assert "<dt>pairs</dt><dd>1</dd>" in path.read_text()


def test_the_command_writes_a_report(dataset: bm.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(dataset.path), "--output", str(tmp_path / "r.html")]) == 0
    assert f"report: {tmp_path / 'r.html'}" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_told_of(
    dataset: bm.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["report", str(dataset.path), "--output", str(tmp_path / "file" / "r.html")]) != 0
    assert "cannot be written" in capsys.readouterr().err


def test_the_command_serves_until_ctrl_c(dataset: bm.Dataset) -> None:
    command = [sys.executable, "-m", "biomedica", "view", str(dataset.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("open ").strip()
        assert ask(url, "/gallery?q=cells").status == 200
        assert ask(url, "/", headers={"Host": "evil.example"}).status == 421
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
