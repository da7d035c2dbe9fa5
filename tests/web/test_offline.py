"""Pages without a server: opened from a folder, answered by keyboard, saved as a file, taken in again."""

import json
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import biomedica as bm
from biomedica.concepts.answers import read_answers
from biomedica.web.annotate.ledger import Ledger
from web.clustered import HOSTILE, clustered


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    return clustered(tmp_path_factory.mktemp("offline"))


@pytest.fixture(scope="module")
def pages(dataset: bm.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pages") / "new" / "folder"
    bm.annotate(dataset, static=directory, samples=3)
    return directory


def opened(context: BrowserContext, path: Path) -> tuple[Page, list[str]]:
    """A page from disk, and what it complains of or asks the network for."""
    page = context.new_page()
    page.set_default_timeout(10_000)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: (
            wrong.append(request.url) if urlsplit(request.url).scheme not in {"file", "data", "blob"} else None
        ),
    )
    page.goto(path.as_uri())
    return page, wrong


def answer(page: Page, panel: str, concept: str) -> None:
    page.keyboard.press(panel)
    page.keyboard.press("g")
    page.keyboard.type(concept)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_there_is_a_page_for_each_cluster_that_needs_nothing_else(pages: Path) -> None:
    assert sorted(path.name for path in pages.iterdir()) == [
        "cluster-0.html", "cluster-1.html", "cluster-2.html", "index.html",
    ]  # fmt: skip
    text = (pages / "cluster-0.html").read_text("utf-8")
    assert "default-src 'none'" in unescape(text)
    assert "unsafe" not in text
    assert text.count("data:image/jpeg;base64,") == 8
    assert HOSTILE not in text


def test_answers_go_from_the_pages_through_a_file_into_the_dataset(
    pages: Path, dataset: bm.Dataset, browser: Browser, tmp_path: Path
) -> None:
    with browser.new_context(accept_downloads=True) as context:
        page, wrong = opened(context, pages / "index.html")
        page.get_by_label("Your name").fill("ana")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("Cluster 0")
        expect(page.locator("figcaption", has_text="<script>")).to_have_count(1)
        page.locator("body").click(position={"x": 2, "y": 300})
        answer(page, "s", "maps")
        expect(page.locator("h1")).to_contain_text("Cluster 1")
        expect(page.locator("#count")).to_have_text("1 of 3 answered")
        answer(page, "m", "Fossils")
        with page.expect_navigation():
            page.keyboard.press("u")
        expect(page.locator("h1")).to_contain_text("Cluster 1")
        expect(page.get_by_label("Fossils", exact=True)).to_be_checked()
        expect(page.locator("input[value=multi]")).to_be_checked()
        page.keyboard.press("s")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        with page.expect_navigation():
            page.keyboard.press("x")
        expect(page.locator("h1")).to_contain_text("3 clusters to be named")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the answers").click()
        assert download.value.suggested_filename == "answers-ana.json"
        file = tmp_path / "answers-ana.json"
        download.value.save_as(file)
        assert "taken" not in page.title()
        assert wrong == []

    saved = json.loads(file.read_text("utf-8"))
    assert [(one["cluster"], one["panel_type"], one["global"]) for one in saved["answers"]] == [
        (0, "single", ["Maps"]), (1, "single", ["Fossils"]),
    ]  # fmt: skip
    own = tmp_path / "own.sqlite"
    done = bm.annotate(dataset, answers=own, imports=[file], export=tmp_path / "out.csv")
    assert (done.imported, done.answers, done.judged, done.experts) == (2, 2, 2, 1)
    assert bm.annotate(dataset, answers=own, imports=[file]).imported == 0
    assert read_answers(tmp_path / "out.csv", proposed=True) == read_answers(file, proposed=True)
    with Ledger(own) as ledger:
        assert ledger.concepts() == [("Fossils", "")]


def test_a_page_asks_for_a_name_and_gives_its_own_file(pages: Path, browser: Browser) -> None:
    with browser.new_context(accept_downloads=True) as context:
        page, wrong = opened(context, pages / "cluster-2.html")
        page.keyboard.press("s")
        page.keyboard.press("a")
        page.keyboard.press("Enter")
        expect(page.locator("#problem")).to_contain_text("Give your name")
        page.keyboard.type("bo")
        with page.expect_navigation():
            page.keyboard.press("Control+Enter")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save a file").click()
        assert download.value.suggested_filename == "answers-bo.json"
        (one,) = json.loads(Path(download.value.path()).read_text("utf-8"))["answers"]
        assert (one["cluster"], one["expert"], one["ambiguous"]) == (2, "bo", True)
        assert wrong == []


def test_a_script_that_is_not_the_pages_own_does_not_run(pages: Path, browser: Browser, tmp_path: Path) -> None:
    text = (pages / "cluster-0.html").read_text("utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(text.replace("<main>", f"<main>{HOSTILE}"), "utf-8")
    with browser.new_context() as context:
        page, wrong = opened(context, broken)
        assert "taken" not in page.title()
        assert any("Content Security Policy" in text for text in wrong)
