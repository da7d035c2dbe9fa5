"""A dataset in a real browser: what its pages show, filter and find, and what they leave text."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import biomedica as bm
from biomedica.web.app import make_app
from biomedica.web.serve import in_background, place
from biomedica.web.view.index import open_index
from biomedica.web.view.neighbours import Neighbours
from biomedica.web.view.pages import Pages
from browser import NARROW, opened
from web.ask import ask
from web.clustered import HOSTILE
from web.viewed import bare, viewed


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    return viewed(tmp_path_factory.mktemp("view"))


@pytest.fixture(scope="module")
def url(dataset: bm.Dataset) -> Iterator[str]:
    yield from serving(dataset)


def serving(dataset: bm.Dataset) -> Iterator[str]:
    index = open_index(dataset)
    app = make_app(dataset, Pages(index, Neighbours(dataset)).pieces())
    with in_background(app, place("127.0.0.1", 0, None)) as url:
        yield url.rstrip("/")
    index.close()


def cards(page: Page) -> int:
    return page.locator(".results .card").count()


def test_the_overview_counts_and_leads_to_the_gallery(page: Page, url: str) -> None:
    page.goto(url)
    numbers = page.locator(".numbers")
    expect(numbers).to_contain_text("18")  # pairs
    expect(numbers).to_contain_text("24")  # figures
    expect(page.get_by_role("img", name="Year: 2010 to 2012")).to_be_visible()
    page.locator(".bars").get_by_role("link", name="Microscopy", exact=True).click()
    page.wait_for_url("**/gallery?concept=Microscopy")
    assert cards(page) == 6


def test_the_gallery_filters_by_several_facets_and_takes_them_back(page: Page, url: str) -> None:
    page.goto(f"{url}/gallery")
    assert cards(page) == 24
    page.get_by_role("link", name="no_image", exact=True).click()
    page.wait_for_url("**status=no_image*")
    assert cards(page) == 6
    page.get_by_role("link", name="CC BY-NC", exact=True).click()
    page.wait_for_url("**license=CC+BY-NC*")
    assert cards(page) == 2
    page.get_by_role("link", name="No longer Status no_image").click()
    page.wait_for_url("**/gallery?license=CC+BY-NC")
    assert cards(page) == 8


def test_captions_are_searched_within_the_filters_and_what_is_found_is_marked(page: Page, url: str) -> None:
    page.goto(f"{url}/gallery?status=ok")
    page.get_by_role("searchbox").fill("survival NOT alert")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=survival*")
    assert cards(page) == 6
    expect(page.locator(".card mark").first).to_have_text("Survival")
    page.get_by_role("searchbox").fill("radiogr*")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=radiogr*")
    assert cards(page) == 6


@pytest.mark.parametrize("words", ['"chest', "chest AND", "nocolumn:chest", "chest )", "^", "NEAR(", "*"])
def test_what_is_no_search_is_told_and_its_words_are_searched_for(page: Page, url: str, words: str) -> None:
    page.goto(f"{url}/gallery")
    page.get_by_role("searchbox").fill(words)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Not a search")
    expect(page.get_by_role("searchbox")).to_have_value(words)


def test_a_caption_with_a_script_stays_text(page: Page, url: str) -> None:
    for path in ("/gallery?q=script", "/gallery?status=ok", "/figure/PMC100_0002", "/cluster/1"):
        page.goto(url + path, wait_until="networkidle")
        expect(page.get_by_text(HOSTILE[:30]).first).to_be_attached()
        assert page.title() != "taken"
        assert page.locator("main script, main img[onerror]").count() == 0


def test_a_figure_shows_its_mentions_licence_neighbours_and_duplicates(page: Page, url: str) -> None:
    page.goto(f"{url}/figure/PMC102_0001", wait_until="networkidle")
    expect(page.locator(".image img")).to_have_js_property("naturalWidth", 64)
    expect(page.locator(".mentions")).to_contain_text("We saw Micrograph of stained cells in F.")
    expect(page.get_by_text("M Curie").first).to_be_visible()
    expect(page.get_by_text("Journal 0").first).to_be_visible()
    neighbours = page.locator(".neighbours .card .name a")
    # The other images of the theme come before those of other themes.
    near = neighbours.all_inner_texts()
    assert sorted(near[:5]) == ["PMC102_0002", "PMC102_0003", "PMC105_0001", "PMC105_0002", "PMC105_0003"]
    assert page.locator(".duplicates .card").count() == 5
    neighbours.first.click()
    page.wait_for_url("**/figure/PMC10*")


def test_clusters_are_listed_and_shown_from_the_centre_outwards(page: Page, url: str) -> None:
    page.goto(f"{url}/clusters")
    page.get_by_role("link", name="1", exact=True).click()
    page.wait_for_url("**/cluster/1")
    names = page.locator(".card .name a").all_inner_texts()
    assert names == ["PMC100_0001", "PMC100_0002", "PMC100_0003", "PMC103_0001", "PMC103_0002", "PMC103_0003"]
    expect(page.locator(".words")).to_contain_text("survival")
    expect(page.get_by_text("Plots and Charts")).to_be_visible()


def test_failures_are_shown_by_reason(page: Page, url: str) -> None:
    page.goto(f"{url}/failures")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("PMC999.tar.gz")
    page.locator(".kinds a").first.click()
    page.wait_for_url("**/failures?stage=*")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto(f"{url}/failures?reason=bomb")
    expect(page.locator("tbody tr")).to_have_count(0)


def test_pages_of_a_bare_dataset_say_what_makes_the_rest(tmp_path: Path, browser: Browser) -> None:
    for url in serving(bare(tmp_path, 2)):
        with opened(browser) as page:
            page.goto(url)
            for verb in ("label", "cluster", "duplicates", "embed"):
                expect(page.get_by_text(f"`biomedica {verb}`")).to_be_visible()
            page.goto(f"{url}/clusters")
            expect(page.get_by_text("`biomedica cluster`")).to_be_visible()
            page.goto(f"{url}/figure/PMC100_0001")
            expect(page.locator(".neighbours")).to_contain_text("`biomedica embed`")
        assert ask(url, "/cluster/0").status == 404


def test_no_page_is_wider_than_a_telephone(browser: Browser, url: str) -> None:
    with opened(browser, width=NARROW["width"], height=NARROW["height"]) as page:
        for path in ("/", "/gallery", "/figure/PMC100_0001", "/clusters", "/cluster/0", "/failures"):
            page.goto(url + path)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, path


def test_pages_that_are_not_there_are_told_so(url: str) -> None:
    for path in ("/figure/nothing", "/figure/%3Cscript%3E", "/cluster/77", "/clusters/x", "/figure/"):
        answer = ask(url, path)
        assert answer.status == 404, path
        assert b"<script>" not in answer.body
    for path in (
        "/gallery?after=x&before=-1",
        "/gallery?after=99999999999999999999",
        "/clusters?page=0",
        "/failures?after=x",
    ):
        assert ask(url, path).status == 200, path
