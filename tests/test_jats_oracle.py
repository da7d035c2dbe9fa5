"""The reader held against the plain reading of DESIGN.md in `oracle`, on real and on generated articles."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from biomedica import parse_article
from oracle.generate import random_article
from oracle.jats import parse_article as read_plainly

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "../shared/data"
SEEDS = int(os.environ.get("BIOMEDICA_ORACLE_SEEDS", "300"))
UNCOMPARED = {"image_hrefs", "image_file_name"}  # the file that is chosen depends on the package


def real_documents() -> Iterator[tuple[str, bytes]]:
    """Every XML file of the shared real articles."""
    for path in sorted([*DATA.glob("xml/*/*.xml"), *DATA.glob("xml/*/*.nxml")]):
        yield path.name, path.read_bytes()
    for path in sorted(DATA.glob("packages/*.tar.gz")):
        with tarfile.open(path) as package:
            for member in package:
                if member.name.endswith((".xml", ".nxml")) and (file := package.extractfile(member)) is not None:
                    yield member.name, file.read()


def differences(plain: dict[str, Any], read: dict[str, Any], where: str = "") -> list[str]:
    """Where the reader says another thing than the plain reading."""
    found: list[str] = []
    for key in sorted(plain.keys() - UNCOMPARED - {"figures"}):
        if key not in read:
            found.append(f"{where}{key}: missing")
        elif read[key] != plain[key]:
            found.append(f"{where}{key}:\n    reader {read[key]!r}\n    oracle {plain[key]!r}")
    for number, (one, other) in enumerate(zip(plain.get("figures", []), read.get("figures", []), strict=False), 1):
        found += differences(one, other, f"{where}figure {number} ")
    if len(plain.get("figures", [])) != len(read.get("figures", [])):
        found.append(f"{where}figures: reader {len(read.get('figures', []))}, oracle {len(plain['figures'])}")
    return found


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real articles are not at {DATA}")
def test_real_articles_are_read_as_a_careful_reader_reads_them() -> None:
    report = [
        f"{name}: {difference}"
        for name, xml in real_documents()
        for difference in differences(read_plainly(xml), parse_article(xml))
    ]
    assert not report, f"{len(report)} differences\n" + "\n".join(report[:40])


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_generated_articles_are_read_as_a_careful_reader_reads_them(first: int) -> None:
    report = [
        f"seed {seed}: {difference}"
        for seed in range(first, min(first + 50, SEEDS))
        for difference in differences(read_plainly(random_article(seed)), parse_article(random_article(seed)))
    ]
    assert not report, f"{len(report)} differences\n" + "\n".join(report[:20])


def article(body: str = "", meta: str = "", attributes: str = "") -> dict[str, Any]:
    """The plain reading of a small document."""
    text = f"<article {attributes}><front><article-meta>{meta}</article-meta></front><body>{body}</body></article>"
    return read_plainly(text.encode())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>CO<sub>2</sub>\n and &#160;&#8201; H<!-- c -->2<?pi?>O</p>", "CO2 and H2O"),
        ("<p>a<list><list-item><p>b</p></list-item></list>c</p>", "a b c"),
        ("<p>wo<fig><caption><p>no</p></caption></fig>rd</p>", "word"),
        ("<p>x<fn><p>no</p></fn> &foo; &mdash;</p>", "x &foo; —"),
        (
            "<p><inline-formula><tex-math>$x$</tex-math><math><mi>y</mi> <mtext> if </mtext><mn>2</mn></math></inline-formula></p>",
            "y if 2",
        ),
        ("<p><tex-math>\\usepackage{a}\\begin{document}$$x_1$$\\end{document}</tex-math></p>", "x_1"),
        ("<sec><label>1</label><title>A</title><p>b</p><fig><label>F</label></fig><p>c</p></sec>", "A\nb\nc"),
    ],
)
def test_text_follows_the_rules(body: str, text: str) -> None:
    assert article(body)["article_text"] == text


def test_a_range_mentions_what_it_spans_and_backwards_only_its_ends() -> None:
    figures = "".join(f'<fig id="f{n}"><graphic href="{n}.jpg"/></fig>' for n in range(1, 6))
    forwards = '<p>See <xref rid="f2">2</xref> – <xref rid="f4">4</xref>.</p>'
    backwards = '<p>And <xref rid="f5">5</xref>-<xref rid="f1">1</xref>.</p>'
    found = [row["image_context"] for row in article(figures + forwards + backwards)["figures"]]
    assert found == [["And 5-1."], ["See 2 – 4."], ["See 2 – 4."], ["See 2 – 4."], ["And 5-1."]]


def test_a_mention_is_the_innermost_paragraph_outside_of_the_figure() -> None:
    xref = '<xref rid="f1">1</xref>'
    body = (
        f'<p>outer {xref}<list><list-item><p>inner {xref}</p></list-item></list></p><p>around<fig id="f1"><caption>'
        f'<p>own {xref}</p></caption><graphic href="a"/></fig></p><p>x<fn><p>note {xref}</p></fn></p>'
    )
    assert article(body)["figures"][0]["image_context"] == ["outer 1 inner 1", "inner 1", "note 1"]


@pytest.mark.parametrize(
    ("graphics", "hrefs"),
    [
        ('<graphic href="a.tif"/><graphic href="a.jpg"/>', [["a.jpg", "a.tif"]]),
        ('<graphic href="a.g001"/><graphic href="a.g002"/>', [["a.g001"], ["a.g002"]]),
        ('<graphic href="a.jpg"/><graphic href="a.jpg"/>', [["a.jpg"], ["a.jpg"]]),
        ('<alternatives><graphic href="b_thumb.jpg"/><graphic href="a.gif"/></alternatives>', [["a.gif"]]),
        ('<alternatives><graphic href="x_400x300.jpg"/></alternatives>', [["x_400x300.jpg"]]),
        ('<media href="a.mp4"/><media href="a.png"/><media mimetype="image" href="b"/>', [["a.png"], ["b"]]),
        ("<graphic/>", [[]]),
    ],
)
def test_graphics_become_figures(graphics: str, hrefs: list[list[str]]) -> None:
    assert [row["image_hrefs"] for row in article(f"<fig>{graphics}</fig>")["figures"]] == hrefs


@pytest.mark.parametrize(
    ("body", "caption", "source"),
    [
        ("<fig><graphic href='a'/><caption><title>T.</title><p>P.</p></caption></fig>", "T. P.", "own"),
        ("<fig-group><caption><p>G</p></caption><fig><graphic href='a'/></fig></fig-group>", "G", "group"),
        ("<fig-group><caption><p>G</p></caption><graphic href='a'/></fig-group>", "G", "group"),
        ("<boxed-text><caption><p>B</p></caption><fig><graphic href='a'/></fig></boxed-text>", "B", "parent"),
        ("<fig><label>Figure 1</label><caption><p/></caption><graphic href='a'/></fig>", "Figure 1", "label"),
        ("<p><graphic href='a'/></p>", None, "none"),
    ],
)
def test_captions_have_their_source(body: str, caption: str | None, source: str) -> None:
    row = article(body)["figures"][0]
    assert (row["caption"], row["caption_source"]) == (caption, source)


@pytest.mark.parametrize(
    ("inside", "code", "conflict"),
    [
        ("<license href='http://creativecommons.org/licenses/by-nc/3.0/'/>", "CC BY-NC", False),
        ("<license><p>Creative Commons Attribution Non-Commercial Share Alike</p></license>", "CC BY-NC-SA", False),
        (
            "<license href='https://creativecommons.org/licenses/by/4.0'><p>CC BY-NC-ND</p></license>",
            "CC BY-NC-ND",
            True,
        ),
        ("<license href='https://creativecommons.org/licenses/by/4.0'><p>Data CC0</p></license>", "CC BY", False),
        ("<license><p>a Creative Commons license by the authors, non-commercial use</p></license>", None, False),
        ("<license><license_ref content-type='ccbyndlicense'/></license>", "CC BY-ND", False),
        ("<license href='http://creativecommons.org/publicdomain/mark/1.0/'/>", None, False),
    ],
)
def test_licences_rest_on_their_evidence(inside: str, code: str | None, conflict: bool) -> None:
    row = article(meta=f"<permissions>{inside}</permissions>")
    assert (row["article_license"], row["license_conflict"]) == (code, conflict)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ([("pub-type='ppub'", "2006", "2", "1"), ("pub-type='epub'", "2005", "Jan", "3")], "2005-01-03"),
        (
            [
                ("date-type='collection' publication-format='electronic'", "2004", "", ""),
                ("pub-type='ppub'", "2006", "2", "30"),
            ],
            "2006-02",
        ),
        ([("pub-type='pmc-release'", "2007", "13", "1"), ("", "2001", "", "")], "2007"),
        ([("pub-type='epub'", "soon", "1", "1"), ("pub-type='cover'", "2001", "", "4")], "2001"),
    ],
)
def test_dates_are_chosen_and_cut(dates: list[tuple[str, str, str, str]], expected: str) -> None:
    meta = "".join(
        f"<pub-date {kind}><day>{day}</day><month>{month}</month><year>{year}</year></pub-date>"
        for kind, year, month, day in dates
    )
    assert article(meta=meta)["article_date"] == expected
