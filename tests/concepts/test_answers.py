"""Files of answers: every format there and back, and what is wrong with one that is not what it should be."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import biomedica as bm
from biomedica.concepts import _files
from biomedica.concepts._entry import Format
from biomedica.concepts.answers import SETTLED, Answer, latest, read_answers, write_answers
from biomedica.concepts.label_studio import config
from biomedica.concepts.taxonomy import Taxonomy

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANSWERS = [
    Answer(
        17, "ana", "single", "micrograph", ("Microscopy",), ("light microscopy", "microscopy"), seconds=41.5, at=NOON
    ),
    Answer(17, "bo@lab.example", "multi", None, ("Microscopy", "Plots and Charts"), (), notes='a "quote",\nand; more'),
    Answer(3, "ana", None, ambiguous=True, notes="=SUM(A1)"),
    Answer(4, "-dash", "single", None, ("Tables",), ("table",), notes="'=not a formula", at=NOON),
]
TAXONOMY = Taxonomy.load()
NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=";"), min_size=1, max_size=12)


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("form", ["json", "csv", "label-studio"])
def test_answers_come_back_as_they_were(form: Format, tmp_path: Path) -> None:
    path = tmp_path / "answers"
    write_answers(path, ANSWERS, format=form)
    assert sorted(read_answers(path), key=repr) == sorted(ANSWERS, key=repr)
    assert [file.name for file in tmp_path.iterdir()] == ["answers"]


@given(
    st.lists(
        st.builds(
            Answer,
            st.integers(0, 9),
            NAMES,
            st.sampled_from(["single", "multi"]),
            st.none() | NAMES,
            st.lists(NAMES, max_size=3, unique=True).map(tuple),
            st.lists(NAMES, max_size=3, unique=True).map(tuple),
            st.booleans(),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
            st.none() | st.floats(0, 1e6),
            st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        ),
        max_size=4,
    ),
    st.sampled_from(["json", "csv", "label-studio"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_answers_come_back_as_they_were(tmp_path: Path, answers: list[Answer], form: Format) -> None:
    path = tmp_path / "answers"
    write_answers(path, answers, format=form)
    assert sorted(read_answers(path, proposed=True), key=repr) == sorted(answers, key=repr)


def test_settled_labels_have_the_form_of_the_paper(tmp_path: Path) -> None:
    path = tmp_path / "cluster_labels.json"
    write_answers(path, [ANSWERS[0], ANSWERS[2]], format="labels")
    assert json.loads(path.read_text("utf-8")) == {
        "17": {
            "panel_type": "single",
            "panel_subtype": "micrograph",
            "global_class": ["Microscopy"],
            "local_class": ["light microscopy", "microscopy"],
        },
        "3": {"panel_type": None, "panel_subtype": None, "global_class": ["Ambiguous"], "local_class": ["ambiguous"]},
    }
    first, second = read_answers(path)
    assert first == Answer(17, SETTLED, "single", "micrograph", ("Microscopy",), ("light microscopy", "microscopy"))
    assert second.ambiguous
    assert set(second.global_votes | second.local_votes) == {"Ambiguous", "ambiguous"}
    with pytest.raises(ValueError, match="one answer a cluster"):
        write_answers(path, ANSWERS, format="labels")


def test_an_export_of_label_studio_is_read(tmp_path: Path) -> None:
    """As its JSON export has it: users as objects or numbers, foreign regions, cancelled annotations."""

    def said(name: str, kind: str, values: list[str]) -> dict[str, Any]:
        return {
            "id": "x1",
            "from_name": name,
            "to_name": "image",
            "type": kind,
            "origin": "manual",
            "value": {kind: values},
        }

    done = [
        said("panel_type", "choices", ["single"]),
        said("global", "choices", ["Microscopy"]),
        said("stars", "rating", []),
    ]
    base = {"id": 1, "lead_time": 12.25, "created_at": "2026-11-26T12:00:00.000000Z", "was_cancelled": False}
    user = {"id": 7, "email": "ana@lab.example", "first_name": "", "last_name": ""}
    annotations = [
        {**base, "completed_by": user, "result": done},
        {**base, "completed_by": 8, "result": done},
        {**base, "completed_by": 9, "result": [], "was_cancelled": True},
    ]
    task = {
        "id": 5,
        "data": {"cluster": 17, "image": "http://127.0.0.1/montage/17"},
        "annotations": annotations,
        "predictions": [],
    }
    answers = read_answers(write(tmp_path / "export.json", json.dumps([task])))
    assert [answer.expert for answer in answers] == ["ana@lab.example", "user 8"]
    assert answers[0] == Answer(17, "ana@lab.example", "single", None, ("Microscopy",), seconds=12.25, at=NOON)


def test_tasks_to_be_done_show_their_clusters(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    write_answers(path, ANSWERS[:1], format="label-studio", data={1: {"image": "m1.png"}, 17: {"image": "m17.png"}})
    first, second = json.loads(path.read_text("utf-8"))
    assert first == {"data": {"image": "m1.png", "cluster": 1, "clusters": "default"}, "annotations": []}
    assert second["data"]["image"] == "m17.png"
    names = {region["from_name"] for region in second["annotations"][0]["result"]}
    assert all(f'name="{name}"' in config() for name in names)
    assert config().count('value="light microscopy"') == 1


@pytest.mark.parametrize("form", ["json", "csv", "label-studio", "labels"])
def test_a_concept_that_is_not_in_the_taxonomy_is_refused_unless_proposed(form: Format, tmp_path: Path) -> None:
    answer = Answer(17, "ana", "single", None, ("Microscopy",), ("lite microscopy",))
    path = tmp_path / "answers"
    write_answers(path, [answer], format=form)
    with pytest.raises(bm.AnswerError, match=r"answers: .*'lite microscopy'; the nearest is 'light microscopy'"):
        read_answers(path)
    assert read_answers(path, proposed=True)[0].local_concepts == ("lite microscopy",)
    own = Taxonomy({"Microscopy": ("lite microscopy",)})
    assert read_answers(path, taxonomy=own)[0].local_concepts == ("lite microscopy",)


GOOD: dict[str, Any] = {"cluster": 1, "expert": "ana", "panel_type": "single"}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"cluster": -1}, "not a cluster's number"),
        ({"cluster": True}, "not a cluster's number"),
        ({"cluster": 1 << 31}, "not a cluster's number"),
        ({"cluster": "1"}, "not a cluster's number"),
        ({"expert": ""}, "expert"),
        ({"expert": "a\nb"}, "expert"),
        ({"expert": "x" * 201}, "at most 200"),
        ({"panel_type": "Single"}, "panel_type: 'Single' is not single or multi"),
        ({"panel_type": None}, "panel_type"),
        ({"panel_type": {}}, "panel_type"),
        ({"panel_subtype": 3}, "panel_subtype"),
        ({"global": "Microscopy"}, "global: not a list"),
        ({"global": ["Tables"] * 101}, "at most 100"),
        ({"local": [None]}, "local: None is not a name"),
        ({"local": [["table"]]}, "local"),
        ({"ambiguous": "yes"}, "neither true nor false"),
        ({"notes": None}, "notes"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"at": "yesterday"}, "not a moment"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "not a moment"),
        ({"at": 5}, "not a moment"),
        ({"global_class": []}, "no field is called 'global_class'"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told_with_its_place(change: dict[str, Any], what: str, tmp_path: Path) -> None:
    value = {"format": 1, "answers": [GOOD, {**GOOD, **change}]}
    path = write(tmp_path / "answers.json", json.dumps(value))
    with pytest.raises(bm.AnswerError, match=what) as caught:
        read_answers(path)
    assert str(caught.value).startswith(f"{path}: answer 1: ")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "neither JSON nor a table"),
        ("hello\n", "neither JSON nor a table"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"format": 2, "answers": []}', "format 1"),
        ('{"format": 1}', "format 1"),
        ('{"format": 1, "answers": [3]}', "answer 0: not an object"),
        ('{"format": 1, "answers": [{"cluster": 1}]}', "answer 0: no expert, panel_type"),
        ('{"seventeen": {}}', "not a cluster's number"),
        ('{"17": []}', "cluster '17': not an object"),
        ("[3]", "task 0: not a task"),
        ('[{"data": {"image": "x"}}]', "task 0: not a task"),
        ('[{"data": {"cluster": 1}, "annotations": [3]}]', "annotation 0"),
        ('[{"data": {"cluster": 1}, "annotations": [{"result": [{"from_name": "global"}]}]}]', "annotation 0"),
        ('[{"data": {"cluster": 1}, "annotations": [{"result": []}]}]', "annotation 0: panel_type"),
        ("cluster,expert,panel_type\n1,ana\n", "line 2: 2 cells"),
        ("cluster,expert,panel_type\nx,ana,single\n", "line 2: 'x' is not a cluster's number"),
        ("cluster,expert,expert\n", "twice"),
        ("cluster,expert,panel_type,ambiguous\n1,ana,single,maybe\n", "neither true nor false"),
        ("cluster,expert,panel_type,seconds\n1,ana,single,inf\n", "seconds"),
        ('cluster,expert,panel_type\n1,"ana,single\n', "line 2"),
        ("cluster,expert,panel_type\n1,a\0na,single\n", "not a table of text"),
    ],
)
def test_a_file_of_no_known_form_is_told(text: str, what: str, tmp_path: Path) -> None:
    path = write(tmp_path / "answers.json", text)
    with pytest.raises(bm.AnswerError, match=what) as caught:
        read_answers(path)
    assert str(caught.value).startswith(f"{path}: ")


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["17", "format", "answers", "data", "cluster", "annotations", "result"]), inner)).map(lambda value: json.dumps(value).encode()))  # fmt: skip
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_answers_or_a_typed_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "any").write_bytes(data)
    with contextlib.suppress(bm.AnswerError):
        read_answers(tmp_path / "any")


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_answers(tmp_path / "answers.json", ANSWERS)
    monkeypatch.setattr(_files, "MOST_BYTES", 100)
    with pytest.raises(bm.AnswerError, match="larger than"):
        read_answers(tmp_path / "answers.json")
    with pytest.raises(bm.SourceNotFoundError, match="absent"):
        read_answers(tmp_path / "absent.json")


def test_a_table_made_in_a_spreadsheet_is_read(tmp_path: Path) -> None:
    text = "﻿expert,cluster,panel_type,global,ambiguous\r\nana,17,multi,Tables; Maps,FALSE\r\n"
    assert read_answers(write(tmp_path / "a.csv", text)) == [Answer(17, "ana", "multi", None, ("Tables", "Maps"))]


def test_the_latest_answer_of_an_expert_stands() -> None:
    early, late = Answer(1, "ana", "single", at=NOON), Answer(1, "ana", "multi", at=NOON + timedelta(hours=1))
    other = Answer(0, "bo", "single")
    assert latest([late, early, other]) == [other, late]
    assert latest([early, Answer(1, "ana", "multi", at=NOON)])[0].panel_type == "multi"


def test_moments_are_utc() -> None:
    east = datetime(2026, 11, 26, 14, tzinfo=timezone(timedelta(hours=2)))
    assert Answer(1, "ana", "single", at=east).as_dict()["at"] == "2026-11-26T12:00:00Z"
