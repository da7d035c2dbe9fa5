"""The taxonomy: the published one, and one's own."""

import json
from pathlib import Path

import pytest

import biomedica as bm
from biomedica.concepts.taxonomy import AMBIGUOUS, Taxonomy

SHARED = Path(__file__).parents[2] / "shared" / "reference" / "biomedica_taxonomy.json"


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), "utf-8")
    return path


def test_the_published_taxonomy_is_shipped() -> None:
    words = Taxonomy.load()
    assert len(words.groups) == 16
    assert len(words.local_concepts) == 119
    assert words.groups_of("light microscopy") == ("Microscopy",)
    assert words.groups_of("no such thing") == ()
    if SHARED.is_file():
        assert Taxonomy.load(SHARED) == words


def test_ones_own_taxonomy_has_ambiguous_too(tmp_path: Path) -> None:
    words = Taxonomy.load(write(tmp_path / "own.json", {"Birds": ["owl", "wren"], "Fish": []}))
    assert words.global_concepts == ("Birds", "Fish", AMBIGUOUS[0])
    assert words.local_concepts == ("owl", "wren", AMBIGUOUS[1])
    assert words.sha256 != Taxonomy.load().sha256
    again = Taxonomy.load(write(tmp_path / "again.json", {"Birds": ["owl", "wren"], "Fish": []}))
    assert again.sha256 == words.sha256


def test_an_unknown_concept_gets_the_nearest_name() -> None:
    words = Taxonomy.load()
    assert words.unknown(["x-ray radiography", "ambiguous"], local=True) is None
    assert "the nearest is 'x-ray radiography'" in (words.unknown(["X-Ray Radiografy"], local=True) or "")
    assert "the nearest is 'Microscopy'" in (words.unknown(["Microscpy"], local=False) or "")
    assert "nearest" not in (words.unknown(["qqqqq"], local=False) or "nearest")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ([], "not a taxonomy"),
        ({}, "not a taxonomy"),
        ({"Birds": "owl"}, "not a taxonomy"),
        ({"Birds": [1]}, "is not a name"),
        ({"Birds": [" owl"]}, "space around it"),
        ({"Birds": ["owl;wren"]}, "semicolons"),
        ({"Birds": ["x" * 201]}, "at most 200"),
        ({"Birds": ["owl", "owl"]}, "twice"),
        ({str(number): [] for number in range(1001)}, "at most 1,000 groups"),
    ],
)
def test_what_is_no_taxonomy_is_told(tmp_path: Path, value: object, what: str) -> None:
    path = write(tmp_path / "bad.json", value)
    with pytest.raises(bm.AnswerError, match=what) as caught:
        Taxonomy.load(path)
    assert str(path) in str(caught.value)


def test_a_missing_or_broken_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(bm.SourceNotFoundError, match=r"absent\.json"):
        Taxonomy.load(tmp_path / "absent.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(bm.AnswerError, match="not JSON"):
        Taxonomy.load(tmp_path / "deep.json")
    with pytest.raises(bm.AnswerError, match="cannot be read"):
        Taxonomy.load(tmp_path)
