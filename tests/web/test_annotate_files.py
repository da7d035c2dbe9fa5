"""Answers in and out by the command, and the command itself."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import biomedica as bm
from biomedica.concepts.answers import Answer, read_answers, write_answers
from biomedica.web.annotate import FILE
from web.ask import ask
from web.clustered import clustered

COMMAND = [sys.executable, "-m", "biomedica", "annotate"]
ANSWERS = [
    Answer(0, "ana", "single", "micrograph", ("Microscopy",), ("light microscopy",), seconds=4.0),
    Answer(0, "bo", "multi", None, ("Plots and Charts",), ("box plot", "violet plot"), notes="=1+1"),
    Answer(2, "ana", None, ambiguous=True),
]


@pytest.fixture
def dataset(tmp_path: Path) -> bm.Dataset:
    return clustered(tmp_path)


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], check=False, text=True, timeout=60, capture_output=True)


@pytest.mark.parametrize("name", ["answers.json", "answers.csv", "tasks.json"])
def test_what_is_exported_can_be_imported_elsewhere(name: str, dataset: bm.Dataset, tmp_path: Path) -> None:
    write_answers(tmp_path / "given.json", ANSWERS)
    form = ["--format", "label-studio"] if name == "tasks.json" else []
    done = command(dataset.path, "--import", tmp_path / "given.json", "--export", tmp_path / name, *form)
    assert (done.returncode, done.stderr) == (0, "")
    where = dataset.path / FILE
    assert done.stdout == f"3 answers by 2 experts, 2 of 3 clusters judged; 3 new; in {where}\n"
    where.unlink()
    assert bm.annotate(dataset, imports=[tmp_path / name]).answers == 3
    with_times = bm.annotate(dataset, export=tmp_path / "again.json")
    assert with_times.answers == 3
    found = read_answers(tmp_path / "again.json", proposed=True)
    fields = [(one.cluster, one.expert, one.panel_type, one.global_concepts, one.local_concepts) for one in found]
    assert fields == [(a.cluster, a.expert, a.panel_type, a.global_concepts, a.local_concepts) for a in ANSWERS]
    assert [one.notes for one in found] == ["", "=1+1", ""]


def test_tasks_for_label_studio_show_montages(dataset: bm.Dataset, tmp_path: Path) -> None:
    bm.annotate(dataset, export=tmp_path / "tasks.json", format="label-studio", samples=5)
    tasks = json.loads((tmp_path / "tasks.json").read_text("utf-8"))
    assert [task["data"]["cluster"] for task in tasks] == [0, 1, 2]
    assert tasks[1]["data"]["image"] == "/data/local-files/?d=tasks-images/1.jpg"
    assert "survival" in tasks[1]["data"]["words"]
    image = Image.open(io.BytesIO((tmp_path / "tasks-images" / "1.jpg").read_bytes()))
    assert image.size == (10 * 100 + 4, 2 * 100 + 4)
    assert image.getpixel((50, 50)) != (255, 255, 255)
    assert "<Image" in (tmp_path / "tasks-config.xml").read_text("utf-8")


def test_answers_about_clusters_that_are_not_there_are_refused(dataset: bm.Dataset, tmp_path: Path) -> None:
    write_answers(tmp_path / "given.json", [ANSWERS[0], Answer(77, "ana", "single")])
    done = command(dataset.path, "--import", tmp_path / "given.json")
    assert done.returncode == 1
    assert "there is no cluster 77; is the file about other clusters?" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert bm.annotate(dataset, export=tmp_path / "none.json").answers == 0


def test_a_taxonomy_of_ones_own_is_what_is_offered(dataset: bm.Dataset, tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text('{"Rocks": ["granite"]}', "utf-8")
    bm.annotate(dataset, taxonomy=tmp_path / "words.json", static=tmp_path / "pages")
    text = (tmp_path / "pages" / "cluster-0.html").read_text("utf-8")
    assert 'value="granite"' in text
    assert "Microscopy" not in text


def test_the_command_serves_until_it_is_interrupted(dataset: bm.Dataset) -> None:
    words: list[str | Path] = [*COMMAND, dataset.path, "--log-format", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        serving = json.loads(process.stdout.readline())
        assert serving["event"] == "serving"
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", serving["url"])
        assert ask(serving["url"], "/annotate").status == 200
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (0, "")
    assert json.loads(out)["event"] == "summary"


def test_an_open_address_asks_for_the_token_of_the_environment(dataset: bm.Dataset) -> None:
    token = "from-the-environment-42"  # noqa: S105 - of this test alone
    words: list[str | Path] = [*COMMAND, dataset.path, "--host", "0.0.0.0", "--log-format", "json"]  # noqa: S104 - what it is about
    environment = {**os.environ, "BIOMEDICA_TOKEN": token}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert url.endswith(f"/?token={token}")
        local = re.sub(r"//[^:]+:", "//127.0.0.1:", url)
        assert ask(local, "/annotate").status == 401
        assert ask(local, f"/annotate?token={token}").status == 303
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--clusters", "none"], 1, "there is no sidecar clusters/none"),
        (["--token", "short"], 2, "a token has 16 to 200"),
        (["--port", "70000"], 2, "port: 70000"),
        (["--samples", "101"], 2, "samples: 101"),
        (["--exprot", "a.json"], 2, "did you mean --export?"),
        (["--import", "absent.json"], 1, "absent.json: there is no such file"),
        (["--taxonomy", "absent.json"], 1, "absent.json: there is no such file"),
        (["--answers", "absent/a.sqlite"], 1, "absent/a.sqlite: cannot be opened"),
        (["--host", "192.0.2.1"], 1, "192.0.2.1:0: cannot be listened at"),
        (["--export", "a.json", "--format", "labels"], 0, "0 answers"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    dataset: bm.Dataset, words: list[str], code: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dataset.path.parent)
    done = command(dataset.path, *words)
    assert done.returncode == code
    assert text in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) == 1
