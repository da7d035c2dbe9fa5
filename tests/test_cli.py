"""The command, run as its users run it: in a process of its own."""

import inspect
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import biomedica
from biomedica.cli.parser import VERBS, build
from made import packages

COUNTS = ("packages", "articles", "figures", "pairs", "failures", "input_bytes")
COMMAND = [sys.executable, "-m", "biomedica"]


def command(
    *words: str | Path,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], check=False, text=True, timeout=100, stdout=stdout, stderr=stderr, env=env
    )


def one_line(text: str) -> str:
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cli") / "demo"
    done = command("demo", directory, "--articles", "24")
    assert done.returncode == 0, done.stderr
    assert "packages: " in done.stdout
    return directory


@pytest.fixture(scope="module")
def articles(demo: Path) -> int:
    """Articles that the corpus says it has: those asked for, and one in a package that is cut."""
    return len((demo / "truth_articles.jsonl").read_text("utf-8").splitlines())


def test_version_is_that_of_the_package() -> None:
    assert command("--version").stdout == f"biomedica {biomedica.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_its_example(verb: str) -> None:
    done = command(verb, "--help")
    assert done.returncode == 0
    assert VERBS[verb].EXAMPLE in done.stdout
    assert VERBS[verb].EXAMPLE.startswith(f"biomedica {verb} ")
    assert verb in command("--help").stdout


def test_options_have_the_defaults_of_the_function() -> None:
    parser = build()[1]["extract"]
    parameters = inspect.signature(biomedica.extract).parameters
    for name in ("threads", "part_size", "samples_per_shard", "min_size", "article_text", "strict"):
        assert parser.get_default(name) == parameters[name].default, name


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["extarct", "a"], "did you mean extract?"),
        (["extract", "a", "--outptu", "b"], "did you mean --output?"),
        (["extract", "a", "-o", "b", "--thread=2"], "did you mean --threads?"),
        (["--vresion"], "did you mean --version?"),
        (["qqq"], "unknown verb 'qqq'"),
        (["extract", "a"], "required"),
        (["extract", "a", "-o", "b", "--threads", "0"], "above zero"),
        (["extract", "a", "-o", "b", "--part-size", "many"], "above zero"),
        ([], "VERB"),
    ],
)
def test_wrong_usage_is_one_line_with_a_hint(words: list[str], hint: str) -> None:
    done = command(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert hint in one_line(done.stderr)


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    absent, out = str(tmp_path / "absent"), str(tmp_path / "out")
    for words in (("extract", absent, "-o", out), ("stats", absent)):
        done = command(*words)
        assert done.returncode == 1
        assert absent in one_line(done.stderr)


def test_an_empty_folder_is_nothing_done(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = command("extract", tmp_path / "empty", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert str(tmp_path / "empty") in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_what_is_no_dataset_is_one_line(tmp_path: Path) -> None:
    for verb in ("stats", "verify"):
        done = command(verb, tmp_path)
        assert done.returncode == 1
        assert str(tmp_path) in one_line(done.stderr)


def test_the_summary_accounts_for_every_package(demo: Path, articles: int, tmp_path: Path) -> None:
    done = command("extract", demo / "packages", "-o", tmp_path / "out", "--threads", "2")
    assert done.returncode == 0, done.stderr
    stats = biomedica.open(tmp_path / "out").stats()
    assert stats["articles"] == articles
    assert f"{stats['packages']:,} packages: {articles} articles, {stats['failures']:,} failures" in done.stdout
    assert f"{stats['pairs']:,} pairs" in done.stdout
    assert f"dataset: {tmp_path / 'out'}" in done.stdout
    assert f"biomedica stats {tmp_path / 'out'}" in done.stdout


def test_without_a_terminal_progress_is_plain_lines(demo: Path, tmp_path: Path) -> None:
    done = command("extract", demo / "packages", "-o", tmp_path / "out")
    assert "packages" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert "\r" not in done.stderr + done.stdout


def test_on_a_terminal_progress_is_drawn(demo: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    done = command(
        "extract",
        demo / "packages",
        "-o",
        tmp_path / "out",
        stderr=theirs,
        env=os.environ | {"TERM": "xterm"},
    )
    drawn = os.read(ours, 1 << 16)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert b"\x1b" in drawn
    assert "\x1b" not in done.stdout


def test_json_is_one_object_a_line(demo: Path, articles: int, tmp_path: Path) -> None:
    done = command("extract", demo / "packages", "-o", tmp_path / "out", "--log-format", "json")
    summary = json.loads(one_line(done.stdout))
    assert summary["event"] == "summary"
    assert summary["articles"] == articles
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert {event["event"] for event in events} == {"progress", "part_begun", "part_ended"}
    progress = [event for event in events if event["event"] == "progress"]
    assert {"packages", "pairs", "failures", "input_bytes", "seconds", "total_packages"} <= set(progress[0])

    begun, ended = (next(event for event in events if event["event"] == name) for name in ("part_begun", "part_ended"))
    assert begun == {"event": "part_begun", "part": 0, "packages": summary["packages"]}
    assert ended["part"] == 0
    assert ended["seconds"] > 0
    assert {name: ended[name] for name in COUNTS} == {name: summary[name] for name in COUNTS}

    stats = json.loads(one_line(command("stats", tmp_path / "out", "--log-format", "json").stdout))
    assert stats["articles"] == articles
    failed = command("stats", tmp_path / "absent", "--log-format", "json")
    assert json.loads(one_line(failed.stderr))["event"] == "error"


def test_strict_fails_after_a_complete_run(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "PMC1.nxml").write_text("<article><body><p>No figures.</p></body></article>")
    words = ("extract", tmp_path / "packages", "--strict", "-o")
    assert command(*words, tmp_path / "good").returncode == 0
    (tmp_path / "packages" / "PMC999.tar.gz").write_bytes(b"this is no gzip")
    done = command(*words, tmp_path / "bad")
    assert done.returncode == 1
    assert "2 packages: 1 articles, 1 failures" in done.stdout
    assert f"dataset: {tmp_path / 'bad'}" in done.stdout


def test_verify_finds_a_changed_byte(demo: Path, tmp_path: Path) -> None:
    shutil.copytree(demo / "dataset", tmp_path / "dataset")
    assert command("verify", tmp_path / "dataset", "--deep").returncode == 0
    shard = next((tmp_path / "dataset" / "shards").rglob("*.tar"))
    content = bytearray(shard.read_bytes())
    content[600] ^= 1
    shard.write_bytes(content)
    done = command("verify", tmp_path / "dataset")
    assert done.returncode == 1
    assert shard.name in done.stdout


def test_ctrl_c_ends_in_one_line_and_the_same_command_goes_on(tmp_path: Path) -> None:
    source = packages(tmp_path / "packages", 600)
    words = ("extract", str(source), "-o", str(tmp_path / "out"), "--part-size", "2", "--threads", "1")
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        # The first line of progress says that work has begun.
        assert "packages" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert out == ""
    assert "run the same command again" in err.splitlines()[-1]
    assert "Traceback" not in err

    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert command("verify", tmp_path / "out").returncode == 0


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_a_closed_pipe_is_a_normal_end(demo: Path) -> None:
    pipe = closed_pipe()
    done = command("stats", demo / "dataset", stdout=pipe)
    os.close(pipe)
    assert done.returncode == 0
    assert done.stderr == ""


def test_work_goes_on_when_nobody_reads_its_progress(demo: Path, articles: int, tmp_path: Path) -> None:
    pipe = closed_pipe()
    words = ("extract", demo / "packages", "-o", tmp_path / "out")
    done = command(*words, stderr=pipe)
    os.close(pipe)
    assert done.returncode == 0
    assert f"{articles} articles" in done.stdout
