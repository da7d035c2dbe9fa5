"""The data of tasks: every format gives the same items, and what does not fit is refused with its place."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import biomedica as bm
from biomedica.cli import main
from biomedica.evaluation.data import TaskData
from biomedica.evaluation.tasks import Task
from shards import write_tar

HEAD = """
name = "{name}"
domain = "own"
kind = "{kind}"
licence = "CC0 1.0"
citation = "nobody"
source_url = "https://example.org/"
how_to_get = "Ask nobody."

[data]
split = "test"
{data}
"""
CLASSES = '[[classes]]\nname = "a"\n[[classes]]\nname = "b"\n'


def png(shade: int) -> bytes:
    data = io.BytesIO()
    Image.new("L", (4, 4), shade).save(data, "PNG")
    return data.getvalue()


def task(root: Path, data: str, kind: str = "classify", classes: str = CLASSES) -> TaskData:
    path = root / "own.toml"
    path.write_text(HEAD.format(name="own", kind=kind, data=data) + classes, "utf-8")
    return TaskData(Task.load(path))


def write_csv(path: Path, *rows: tuple[object, ...]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def test_every_format_gives_the_same_images_and_labels(tmp_path: Path) -> None:
    images = {"a": png(10), "b": png(200)}
    for name, data in images.items():
        (tmp_path / "folder" / name).mkdir(parents=True)
        (tmp_path / "folder" / name / "1.png").write_bytes(data)
    write_csv(tmp_path / "t.csv", ("image", "label"), ("folder/a/1.png", "a"), ("folder/b/1.png", "b"))
    rows = pa.table({"image": [{"bytes": i, "path": None} for i in images.values()], "label": list(images)})
    pq.write_table(rows, tmp_path / "t.parquet")
    with pa.ipc.new_stream(tmp_path / "t.arrow", rows.schema) as writer:
        writer.write_table(rows)
    write_tar(
        tmp_path / "t.tar", [pair for n, d in images.items() for pair in ((f"{n}.png", d), (f"{n}.cls", n.encode()))]
    )
    expected = [(data, number) for number, data in enumerate(images.values())]
    for text in (
        'format = "folder"\npath = "folder"',
        'format = "csv"\npath = "t.csv"\nlabel = "label"',
        'format = "parquet"\npath = "*.parquet"\nlabel = "label"',
        'format = "arrow"\npath = "t.arrow"\nlabel = "label"',
        'format = "webdataset"\npath = "t.tar"',
    ):
        found = task(tmp_path, text)
        assert [(item.image, item.label) for item in found] == expected, text
        assert dict(found.check().classes) == {"a": 1, "b": 1}


def test_options_captions_and_several_labels_are_read(tmp_path: Path) -> None:
    question = {"options": ["x", "y", "z"], "answer": "y"}
    rows = pa.table(
        {
            "image": [png(1), png(2)],
            "q": pa.array([question, None], pa.struct([("options", pa.list_(pa.string())), ("answer", pa.string())])),
            "captions": [["one", "two"], ["three"]],
            "labels": ["b|a", "none"],
            "patient": [7, 8],
        }
    )
    pq.write_table(rows, tmp_path / "t.parquet")
    data = 'format = "parquet"\npath = "t.parquet"\ngroup = "patient"\n'
    choice = task(tmp_path, data + 'options = "q.options"\nlabel = "q.answer"', "choice", "")
    assert [(item.label, item.options, item.group) for item in choice] == [(1, ("x", "y", "z"), "7")]
    assert (choice.check().items, choice.check().unasked) == (1, 1)
    retrieval = task(tmp_path, data + 'captions = "captions"', "retrieval", "")
    assert [item.options for item in retrieval] == [("one", "two"), ("three",)]
    several = task(tmp_path, data + 'label = "labels"\nseparator = "|"\nno_label = "none"', "multilabel")
    assert [item.label for item in several] == [(0, 1), ()]


def test_one_hot_columns_filters_and_suffixes(tmp_path: Path) -> None:
    (tmp_path / "i.png").write_bytes(png(1))
    write_csv(tmp_path / "t.csv", ("image", "a", "b", "part"), ("i", "0.0", "1.0", "test"), ("j", "1", "0", "train"))
    data = 'format = "csv"\npath = "t.csv"\nlabel_columns = true\nimage_suffix = ".png"\nfilter = {part = "test"}'
    found = task(tmp_path, data)
    assert [(item.key, item.label) for item in found] == [("i", 1)]
    assert found.check().filtered == 1
    write_csv(tmp_path / "t.csv", ("image", "a", "b", "part"), ("i", "1", "1", "test"))
    with pytest.raises(bm.TaskError, match=r"t\.csv: line 2: is of 2 classes"):
        found.check()


@pytest.mark.parametrize("image", ["../secret.png", "/etc/passwd", "out.png"])
def test_nothing_outside_the_root_is_read(tmp_path: Path, image: str) -> None:
    (tmp_path / "secret.png").write_bytes(png(1))
    root = tmp_path / "root"
    root.mkdir()
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    write_csv(root / "t.csv", ("image", "label"), (image, "a"))
    with pytest.raises(bm.TaskError, match="leads out of the data root"):
        list(task(root, 'format = "csv"\npath = "t.csv"\nlabel = "label"'))


def test_missing_data_say_how_to_get_them(tmp_path: Path) -> None:
    found = task(tmp_path, 'format = "folder"\npath = "nothing"')
    assert "Ask nobody." in (found.missing or "")
    with pytest.raises(bm.TaskError, match=r"nothing is at .*Ask nobody"):
        list(found)
    listed = bm.tasks(tmp_path / "own.toml", check=True)
    assert [one.state for one in listed] == ["missing"]


def test_training_images_are_read_and_checked_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_csv(
        tmp_path / "t.csv",
        ("image", "label", "part"),
        ("i.png", "a", "test"),
        ("j.png", "b", "train"),
        ("k.png", "c", "x"),
    )
    for name in "ij":
        (tmp_path / f"{name}.png").write_bytes(png(ord(name)))
    data = 'format = "csv"\npath = "t.csv"\nlabel = "label"\nfilter = {part = "test"}\n[train]\n'
    tested = task(tmp_path, data + 'filter = {part = "train"}')
    train = tested.train()
    assert train is not None
    assert [(item.image, item.label) for item in train] == [(png(ord("j")), 1)]
    assert (train.task.name, train.train()) == ("own (train)", None)
    (listed,) = bm.tasks(tmp_path / "own.toml", check=True)
    assert listed.split is not None
    assert listed.split.classes == {"a": 1, "b": 0}
    assert listed.train is not None
    assert listed.train.split is not None
    assert listed.train.split.classes == {"a": 0, "b": 1}
    assert main(["tasks", str(tmp_path / "own.toml"), "--check"]) == 0
    assert "training images: present" in capfd.readouterr().out

    task(tmp_path, data + 'filter = {part = "x"}')
    assert main(["tasks", str(tmp_path / "own.toml"), "--check"]) == 1
    assert re.search(r"data: present.*training images: damaged.*'c' is none", capfd.readouterr().out, re.DOTALL)
    task(tmp_path, data + 'path = "u.csv"')
    assert main(["tasks", str(tmp_path / "own.toml"), "--check", "--log-format", "json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["state"], said["train"]["state"]) == ("present", "missing")
    assert "u.csv" in said["train"]["missing"]


def test_labels_and_columns_that_do_not_fit_are_named(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("image", "lable"), ("i.png", "a"))
    with pytest.raises(bm.TaskError, match="columns 'label'; did you mean lable"):
        task(tmp_path, 'format = "csv"\npath = "t.csv"\nlabel = "label"').check()
    write_csv(tmp_path / "t.csv", ("image", "label"), ("i.png", "a"), ("j.png", "c"))
    with pytest.raises(bm.TaskError, match=r"line 3: the label 'c' is none of the task's classes"):
        task(tmp_path, 'format = "csv"\npath = "t.csv"\nlabel = "label"').check()
    write_csv(tmp_path / "t.csv", ("image", "label"), ("i.png", "a"), ("i.png", "b"))
    with pytest.raises(bm.TaskError, match=r"the key 'i\.png' stands there twice"):
        task(tmp_path, 'format = "csv"\npath = "t.csv"\nlabel = "label"').check()
    (tmp_path / "t.parquet").write_bytes(b"no parquet")
    with pytest.raises(bm.TaskError, match="no readable parquet file"):
        task(tmp_path, 'format = "parquet"\npath = "t.parquet"\nlabel = "label"').check()


def test_another_split_than_the_tasks_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("image", "label"), ("i.png", "a"), ("j.png", "b"))
    data = 'format = "csv"\npath = "t.csv"\nlabel = "label"\n'
    digest = task(tmp_path, data).check().sha256
    fixed = task(tmp_path, data + f'sha256 = "{digest}"')
    assert fixed.check().sha256 == digest
    write_csv(tmp_path / "t.csv", ("image", "label"), ("j.png", "b"), ("i.png", "a"))
    assert fixed.check().sha256 == digest
    write_csv(tmp_path / "t.csv", ("image", "label"), ("i.png", "b"), ("j.png", "b"))
    with pytest.raises(bm.TaskError, match="the data are not those of the task"):
        fixed.check()


def test_real_digits_are_a_task_by_a_file_alone(tmp_path: Path) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    digits = datasets.load_digits()
    for number, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        folder = tmp_path / "digits" / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15).astype("uint8")).save(folder / f"{number:04}.png")
    classes = "".join(f'[[classes]]\nname = "{digit}"\nprompts = ["the digit {digit}"]\n' for digit in range(10))
    task(tmp_path, 'format = "folder"\npath = "digits"', classes=classes)
    command = [
        sys.executable,
        "-m",
        "biomedica",
        "tasks",
        str(tmp_path / "own.toml"),
        "--check",
        "--log-format",
        "json",
    ]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert (said["state"], said["items"]) == ("present", 1797)
    assert said["by_class"]["3"] == int((digits.target == 3).sum())
