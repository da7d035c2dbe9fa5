"""Task files: what is refused, where it is told, and by which names they are found."""

from dataclasses import replace
from pathlib import Path

import pytest

import biomedica as bm
from biomedica.evaluation.layout import Data
from biomedica.evaluation.tasks import Task, find

GOOD = """
name = "cells"
domain = "pathology"
kind = "classify"
templates = ["a photo of {}."]
licence = "CC0 1.0"
citation = "nobody"
source_url = "https://example.org/cells"
how_to_get = "Ask."

[data]
format = "csv"
path = "cells.csv"
split = "test"
label = "label"

[[classes]]
name = "a"
label = 0
prompts = ["cell a", "a cell"]

[[classes]]
name = "b"
"""


def load(tmp_path: Path, text: str) -> Task:
    path = tmp_path / "cells.toml"
    path.write_text(text, "utf-8")
    return Task.load(path)


def test_a_task_says_what_its_file_says(tmp_path: Path) -> None:
    task = load(tmp_path, GOOD)
    assert task.metric == "accuracy"
    assert [(one.name, one.label) for one in task.classes] == [("a", "0"), ("b", "b")]
    assert task.texts() == [["a photo of cell a.", "a photo of a cell."], ["a photo of b."]]


def test_the_hash_is_of_what_is_said_not_of_its_layout(tmp_path: Path) -> None:
    task = load(tmp_path, GOOD)
    assert load(tmp_path, "# a remark\n" + GOOD).sha256 == task.sha256
    assert load(tmp_path, GOOD.replace("cell a", "cell A")).sha256 != task.sha256


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("templates =", "template =", "template: is no key that is known here; did you mean templates?"),
        ('label = "label"', 'lable = "label"', "data.lable"),
        ('"a photo of {}."', '"a photo."', "templates: 'a photo.' must have {} once"),
        ('"classify"', '"classfy"', "kind: is 'classfy'; did you mean classify?"),
        ('kind = "classify"', 'kind = "classify"\nmetric = "recall@1"', "metric: is 'recall@1'"),
        ('[[classes]]\nname = "b"', "", "two classes at least"),
        ('name = "b"', 'name = "a"', "two have the name 'a'"),
        ('name = "b"', 'name = "b"\nlabel = "0"', "two have the label '0'"),
        ('path = "cells.csv"', 'path = "../cells.csv"', "data.path"),
        ('path = "cells.csv"', 'path = "/cells.csv"', "data.path"),
        ('split = "test"', 'split = "test"\nsha256 = "abc"', "data.sha256"),
        ('split = "test"', 'split = "test"\noptions = "o"', "data.options: a task of kind classify has none"),
        ('split = "test"', 'split = "test"\nfiles = "*.png"', "data.files: data of format csv have none"),
        ('label = "label"', "", "data.label: is missing"),
        ('licence = "CC0 1.0"', "licence = 3", "licence: must be a text"),
        ("https://example.org/cells", "javascript:alert(1)", "source_url"),
        ('name = "cells"', 'name = "Cells!"', "name:"),
        ("[data]", "[data", "not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(bm.TaskError) as error:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert told in str(error.value)
    assert "cells.toml" in str(error.value)


def trained(tmp_path: Path, train: str, data: str = "") -> Task:
    text = GOOD.replace('label = "label"', f'label = "label"\n{data}').replace("[[", "[train]\nX\n[[", 1)
    return load(tmp_path, text.replace("X", train, 1))


def test_training_images_are_where_the_tests_are_but_for_what_is_said(tmp_path: Path) -> None:
    data = 'filter = {part = "test"}\ngroup = "patient"\nsha256 = "' + "0" * 64 + '"'
    task = trained(tmp_path, 'split = "train"\nfilter = {part = "train"}', data)
    assert task.train == replace(task.data, split="train", sha256=None, filter={"part": ("train",)})
    assert trained(tmp_path, 'label_columns = true\npath = "x.csv"').train == Data(
        format="csv", path="x.csv", split="test", label_columns=True
    )
    assert trained(tmp_path, 'format = "folder"\npath = "train"', data).train == Data(
        format="folder", path="train", split="test"
    )
    assert load(tmp_path, GOOD).train is None
    assert load(tmp_path, GOOD).sha256 != task.sha256


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ('pth = "x.csv"', "train.pth: is no key that is known here; did you mean path"),
        ('path = "../x.csv"', "train.path"),
        ('path = "x.csv"\nfiles = "*"', "train.files: data of format csv have none"),
        ('format = "csvv"\npath = "x"', "train.format: is 'csvv'; did you mean csv?"),
        ('format = "parquet"\npath = "x"', "train.label: is missing"),
        ('split = "train"', "train.path: with files and filter are those of data"),
    ],
)
def test_what_is_wrong_about_training_images_is_told(tmp_path: Path, train: str, told: str) -> None:
    with pytest.raises(bm.TaskError) as error:
        trained(tmp_path, train)
    assert told in str(error.value)


def test_only_what_has_classes_has_training_images(tmp_path: Path) -> None:
    text = GOOD.replace('"classify"', '"retrieval"').replace('label = "label"', 'captions = "c"\n[train]\npath = "x"')
    text = text.replace('templates = ["a photo of {}."]', "")
    with pytest.raises(bm.TaskError, match="train: a task of kind retrieval has no training images"):
        load(tmp_path, text)


def test_tasks_are_found_by_name_domain_file_and_directory(tmp_path: Path) -> None:
    load(tmp_path, GOOD)
    assert [task.name for task in find(["ham10000"])] == ["ham10000"]
    assert {task.domain for task in find(["dermatology"])} == {"dermatology"}
    assert find([tmp_path]) == find([tmp_path / "cells.toml"])
    with pytest.raises(bm.TaskError, match="did you mean ham10000"):
        find(["ham1000"])
    (tmp_path / "again.toml").write_text(GOOD.replace("Ask.", "Beg."), "utf-8")
    with pytest.raises(bm.TaskError, match="two tasks are called 'cells'"):
        find([tmp_path])
