"""Experts at work in a real browser: by keyboard, against each other, with hostile captions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

import biomedica as bm
from biomedica.concepts.answers import Answer
from biomedica.concepts.taxonomy import Taxonomy
from biomedica.web.annotate import FILE, Annotated
from biomedica.web.annotate.clusters import identity, read_clusters
from biomedica.web.annotate.ledger import Ledger
from biomedica.web.annotate.pages import Pages
from biomedica.web.app import make_app
from biomedica.web.serve import in_background, place
from browser import NARROW, opened
from web.ask import ask
from web.clustered import HOSTILE, clustered

OWN = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    return clustered(tmp_path_factory.mktemp("annotate"))


@pytest.fixture
def ledger(dataset: bm.Dataset, tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / FILE) as opened:
        opened.show("default", *identity(dataset, "default"), lambda: read_clusters(dataset, "default", 3))
        yield opened


@pytest.fixture
def url(dataset: bm.Dataset, ledger: Ledger) -> Iterator[str]:
    app = make_app(dataset, [Pages(ledger, Taxonomy.load()).piece()])
    with in_background(app, place("127.0.0.1", 0, None)) as url:
        yield url.rstrip("/")


def enter(page: Page, url: str, expert: str) -> int:
    """Come in by keyboard alone; gives the first cluster."""
    page.goto(url)
    expect(page.get_by_label("Your name")).to_be_focused()
    page.keyboard.type(expert)
    press(page, "Enter")
    return number(page)


def number(page: Page) -> int:
    found = re.search(r"/cluster/(\d+)\?", page.url)
    assert found, page.url
    return int(found[1])


def press(page: Page, key: str) -> None:
    """A key that leads to another page."""
    with page.expect_navigation():
        page.keyboard.press(key)


def follow(page: Page, role: Literal["link", "button"], name: str) -> None:
    """Click what leads to another page, and be there."""
    with page.expect_navigation():
        page.get_by_role(role, name=name, exact=True).click()


def said(ledger: Ledger, expert: str) -> list[Answer]:
    return [answer for answer in ledger.answers() if answer.expert == expert]


def test_a_cluster_is_annotated_by_keyboard_alone(page: Page, url: str, ledger: Ledger) -> None:
    cluster = enter(page, url, "ana")
    page.keyboard.press("m")
    page.keyboard.press("t")
    page.keyboard.type("micrographs, 2x2")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.type("micro")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.keyboard.type("light")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("first line\nsecond, with ? and x and u")
    press(page, "Control+Enter")
    (answer,) = said(ledger, "ana")
    assert answer.cluster == cluster
    assert (answer.panel_type, answer.panel_subtype) == ("multi", "micrographs, 2x2")
    assert answer.global_concepts == ("Microscopy",)
    assert answer.local_concepts == ("electron microscopy", "light microscopy")
    assert answer.notes == "first line\nsecond, with ? and x and u"
    assert answer.seconds is not None
    assert 0 < answer.seconds < 60
    assert number(page) != cluster
    expect(page.locator(".progress")).to_contain_text("1 of 3 answered")


def test_the_queue_ends_and_undoing_brings_the_last_one_back_filled_in(page: Page, url: str, ledger: Ledger) -> None:
    order = []
    enter(page, url, "ana")
    for panel in "sms":
        order.append(number(page))
        page.keyboard.press(panel)
        page.keyboard.press("a")
        press(page, "Enter")
    expect(page.get_by_role("heading")).to_have_text("All done, ana")
    assert sorted(order) == [0, 1, 2]
    follow(page, "button", "Undo the last one")
    assert number(page) == order[-1]
    assert len(said(ledger, "ana")) == 2
    expect(page.locator("input[value=single]")).to_be_checked()
    expect(page.locator("input[name=ambiguous]")).to_be_checked()
    press(page, "u")
    assert number(page) == order[-2]
    expect(page.locator("input[value=multi]")).to_be_checked()
    assert len(said(ledger, "ana")) == 1


def test_two_experts_disagree_and_both_answers_are_kept(browser: Browser, url: str, ledger: Ledger) -> None:
    for expert, panel, concept in (("ana", "s", "Maps"), ("bo", "m", "Tables")):
        with opened(browser) as page:
            enter(page, url, expert)
            page.goto(f"{url}/annotate/cluster/1?expert={expert}")
            expect(page.locator(":checked")).to_have_count(0)
            page.keyboard.press(panel)
            page.keyboard.press("g")
            page.keyboard.type(concept)
            page.keyboard.press("Enter")
            press(page, "Control+Enter")
    found = [(one.expert, one.panel_type, one.global_concepts) for one in ledger.answers() if one.cluster == 1]
    assert found == [("ana", "single", ("Maps",)), ("bo", "multi", ("Tables",))]


def test_a_caption_with_a_script_stays_text(page: Page, url: str) -> None:
    enter(page, url, "<b>ana</b>")
    captions = page.locator("figcaption", has_text="<script>")
    expect(captions).to_have_count(1)
    assert HOSTILE in captions.inner_text()
    place = page.locator("figcaption").all_inner_texts().index(captions.inner_text())
    page.keyboard.press("i")
    for _ in range(place):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#large .caption")).to_contain_text(HOSTILE)
    page.keyboard.press("Escape")
    expect(page.locator("#large")).to_be_hidden()
    expect(page.locator(".bar nav")).to_contain_text("<b>ana</b>")
    assert "taken" not in page.title()
    assert page.locator("script").count() == 1


def test_images_are_shown_small_and_in_full(page: Page, url: str, dataset: bm.Dataset) -> None:
    cluster = enter(page, url, "ana")
    expect(page.locator("#montage figure")).to_have_count(8)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("[...document.images].filter(i => i.src).every(i => i.complete && i.naturalWidth > 0)")
    first = page.locator("#montage a").first
    assert first.get_attribute("href") == f"/image/PMC{100 + cluster}_0001"
    page.keyboard.press("i")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#large .name")).to_contain_text("8 of 8")
    assert len(dataset) == 24


def test_new_concepts_are_proposed_and_offered_to_others(browser: Browser, url: str, ledger: Ledger) -> None:
    with opened(browser) as page:
        enter(page, url, "ana")
        page.keyboard.press("s")
        page.keyboard.press("g")
        page.keyboard.type("Fossils")
        page.keyboard.press("Enter")
        page.keyboard.press("l")
        page.keyboard.press("Escape")
        page.keyboard.press("l")
        page.keyboard.type("ammonite")
        page.keyboard.press("Enter")
        press(page, "Control+Enter")
    assert ledger.concepts() == [("Fossils", ""), ("Fossils", "ammonite")]
    assert said(ledger, "ana")[0].local_concepts == ("ammonite",)
    with opened(browser) as page:
        enter(page, url, "bo")
        page.keyboard.press("s")
        page.keyboard.press("g")
        page.keyboard.type("foss")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        expect(page.locator("[data-group=Fossils] .proposed")).to_have_text("ammonite")
        page.locator("[data-group=Fossils] .proposed").click()
        press(page, "Enter")
    assert said(ledger, "bo")[0].local_concepts == ("ammonite",)


def test_what_is_missing_is_said_and_nothing_is_lost(page: Page, url: str, ledger: Ledger) -> None:
    enter(page, url, "ana")
    page.keyboard.press("n")
    page.keyboard.type("a remark")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_contain_text("Choose single or multi panel")
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_contain_text("Choose a global concept")
    expect(page.locator("textarea")).to_have_value("a remark")
    assert ledger.answers() == []
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("skip: comes again at the end")


def test_a_global_concept_that_is_taken_away_takes_its_local_ones(page: Page, url: str, ledger: Ledger) -> None:
    enter(page, url, "ana")
    page.keyboard.press("s")
    for concept in ("Maps", "Tables"):
        page.get_by_label(concept, exact=True).check(force=True)
        page.get_by_label(concept.lower().rstrip("s"), exact=True).check(force=True)
    page.get_by_label("Maps", exact=True).uncheck(force=True)
    page.keyboard.press("Escape")
    press(page, "Control+Enter")
    (answer,) = said(ledger, "ana")
    assert (answer.global_concepts, answer.local_concepts) == (("Tables",), ("table",))


def test_skipping_and_changing_an_answer_later(page: Page, url: str, ledger: Ledger) -> None:
    skipped = enter(page, url, "ana")
    press(page, "x")
    cluster = number(page)
    assert cluster != skipped
    page.keyboard.press("s")
    page.keyboard.press("a")
    press(page, "Enter")
    follow(page, "link", "My answers")
    expect(page.locator("tbody tr")).to_have_count(2)
    follow(page, "link", str(cluster))
    page.keyboard.press("m")
    press(page, "Enter")
    assert [(one.cluster, one.panel_type) for one in said(ledger, "ana")] == [(cluster, "multi")]


def test_without_scripts_the_page_is_a_plain_form(browser: Browser, url: str, ledger: Ledger) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Your name").fill("ana")
    follow(page, "button", "Begin")
    follow(page, "button", "Save, next Enter")
    expect(page.locator("#problem")).to_contain_text("Not saved: choose single or multi panel")
    page.get_by_label("single").check()
    page.get_by_label("Maps", exact=True).check()
    page.get_by_label("New one, of the first global concept chosen").fill("map of a hospital")
    page.get_by_label("Notes").fill("by mouse")
    follow(page, "button", "Save, next Enter")
    (answer,) = said(ledger, "ana")
    assert (answer.local_concepts, answer.notes, answer.seconds) == (("map of a hospital",), "by mouse", None)
    assert ledger.concepts() == [("Maps", "map of a hospital")]
    context.close()


def test_nothing_is_wider_than_a_telephone(browser: Browser, url: str) -> None:
    with opened(browser, **NARROW) as page:
        for path in ("", f"/annotate/cluster/{enter(page, url, 'ana')}?expert=ana", "/annotate/answers?expert=ana"):
            page.goto(url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/annotate/cluster/0?expert=nobody", 404),
        ("/annotate/cluster/99?expert=ana", 404),
        ("/annotate/cluster/99999999999999999999?expert=ana", 404),
        ("/annotate/next", 404),
        ("/annotate/answers?expert=%3Cscript%3E", 404),
        ("/annotate/cluster/0?expert=ana", 200),
        ("/", 303),
    ],
)
def test_addresses_that_lead_nowhere_are_said_so(url: str, ledger: Ledger, path: str, status: int) -> None:
    ledger.add_expert("ana")
    answer = ask(url, path)
    assert answer.status == status
    assert b"<script>" not in answer.body


@pytest.mark.parametrize(
    "body",
    [
        "panel_type=triple&global=Maps",
        "panel_type=single&global=a%3Bb",
        "panel_type=single&global=Maps&local=" + "x" * 300,
        "panel_type=single&global=%00",
        "panel_type=single",
        "global=Maps",
        "panel_type=single&global=Maps&notes=" + "n" * 10_001,
        "panel_type=single&" + "&".join(f"global=g{number}" for number in range(101)),
    ],
)
def test_forms_that_no_page_sends_are_refused(url: str, ledger: Ledger, body: str) -> None:
    ledger.add_expert("ana")
    answer = ask(url, "/annotate/cluster/0", "POST", f"expert=ana&{body}".encode(), OWN)
    assert answer.status == 422
    assert b"Not saved" in answer.body
    assert ledger.answers() == []
    assert ledger.concepts() == []


def test_names_that_are_none_are_refused(url: str, ledger: Ledger) -> None:
    for name in (b"", b"+++", b"x" * 201, b"%00"):
        assert ask(url, "/annotate/experts", "POST", b"expert=" + name, OWN).status == 422
    assert ledger.experts() == []
    files = {**OWN, "Content-Type": "multipart/form-data; boundary=b"}
    body = b'--b\r\nContent-Disposition: form-data; name="expert"; filename="f"\r\n\r\nana\r\n--b--\r\n'
    assert ask(url, "/annotate/experts", "POST", body, files).status == 400


def test_a_dataset_in_a_store_needs_a_file_for_the_answers(dataset: bm.Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="samples"):
        bm.annotate(dataset, samples=0)
    with pytest.raises(ValueError, match="per_cluster"):
        bm.annotate(dataset, per_cluster=0)
    done = bm.annotate(dataset, answers=tmp_path / "own.sqlite", export=tmp_path / "none.json")
    assert done == Annotated(tmp_path / "own.sqlite", 3, 0, 0, 0, 0)
    assert not (dataset.path / FILE).exists()
