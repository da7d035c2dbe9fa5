"""Text that knows its markup and its words."""

from __future__ import annotations

import pytest

from biomedica.demo.rich import Mention, Spelling, note, raw, rich, xref_range


def test_markup_and_words_come_from_one_template() -> None:
    text = rich("CO_{2} in *E. coli* at 5~μM, Ca^{2+} < 3")
    assert text.text == "CO2 in E. coli at 5 μM, Ca2+ < 3"
    xml = text.xml(Spelling("decimal"))
    assert xml == "CO<sub>2</sub> in <italic>E. coli</italic> at 5&#160;&#956;M, Ca<sup>2+</sup> &lt; 3"


@pytest.mark.parametrize(
    ("entities", "expected"), [("literal", "β"), ("decimal", "&#946;"), ("hex", "&#x003b2;"), ("named", "&beta;")]
)
def test_characters_are_spelled_as_the_publisher_does(entities: str, expected: str) -> None:
    assert Spelling(entities).escape("β") == expected


def test_broken_lines_do_not_change_the_words() -> None:
    words = " ".join(f"word{number}" for number in range(80))
    xml = rich(words).xml(Spelling(wrap=True))
    assert "\n" in xml
    assert " ".join(xml.split()) == words


def test_a_range_is_one_mention_of_both_ends() -> None:
    text = xref_range("F1", "F3", "Figures 1", "3", "&#8211;")
    assert text.text == "Figures 1–3"
    assert text.mentions == [Mention(("F1", "F3"), span=True)]


def test_blocks_stand_apart_and_notes_are_no_part_of_the_text() -> None:
    assert (
        rich("so") + raw("<disp-formula>x</disp-formula>", " x ") + rich("then") + note(rich("aside"))
    ).text == "so x then"
