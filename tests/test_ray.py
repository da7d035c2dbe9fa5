"""`extract(engine="ray")` on a real cluster of this machine: the same bytes, whatever dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import biomedica as bm
from biomedica.exceptions import SourceNotFoundError
from made import packages, tar_gz, tree

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.timeout(180),
    # Ray's own: files and processes of its cluster that it leaves to the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
RUN = "import sys, biomedica; biomedica.extract(sys.argv[1], sys.argv[2], part_size=2, engine='ray')"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = packages(tmp_path_factory.mktemp("in"), 24)
    (directory / "PMC900.tar.gz").write_bytes(b"no gzip")
    tar_gz(directory / "PMC901.tar.gz", {"PMC901/a.jpg": b"no document"})
    return directory


def files(directory: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(directory).items() if not name.startswith(".")}


@pytest.mark.usefixtures("cluster")
def test_parts_made_by_a_cluster_have_the_bytes_of_those_made_here(source: Path, tmp_path: Path) -> None:
    local = bm.extract(source, tmp_path / "local", part_size=4)
    seen: list[bm.Progress] = []
    dataset = bm.extract(source, tmp_path / "ray", part_size=4, engine="ray", progress=seen.append)
    assert files(dataset.path) == files(local.path)
    assert dataset.stats()["failures"] == 2
    assert seen[-1].packages == seen[-1].total_packages == 26
    assert (seen[-1].failures, seen[-1].pairs) == (2, len(dataset))
    events = [event for progress in seen for event in progress.events]
    ended = [event for event in events if isinstance(event, bm.PartEnded)]
    assert sorted(event.part for event in ended) == list(range(7))
    assert sum(event.pairs for event in ended) == len(dataset)
    assert all(event.seconds > 0 for event in ended)
    for event in ended:
        assert events.index(bm.PartBegun(part=event.part, packages=event.packages)) < events.index(event)
    again: list[bm.Progress] = []
    bm.extract(source, tmp_path / "ray", part_size=4, engine="ray", progress=again.append)
    assert again[-1].skipped_packages == 26
    assert not any(progress.events for progress in again)
    assert dataset.verify(deep=True)


@pytest.mark.usefixtures("cluster")
def test_a_relative_source_is_found_by_workers(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)
    dataset = bm.extract(Path(source.name), tmp_path / "out", part_size=9, engine="ray")
    assert dataset.stats()["packages"] == 26


@pytest.mark.usefixtures("cluster")
def test_what_a_worker_raises_is_raised_here(source: Path, tmp_path: Path) -> None:
    away = tmp_path / "in"
    shutil.copytree(source, away)
    out = tmp_path / "out"

    def lose(_: bm.Progress) -> None:
        shutil.rmtree(away, ignore_errors=True)

    with pytest.raises(SourceNotFoundError, match="every machine that makes parts must see the sources"):
        bm.extract(away, out, part_size=2, engine="ray", progress=lose)
    assert not bm.open(out).complete


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_worker_that_is_killed_costs_one_part(source: Path, tmp_path: Path) -> None:
    expected = files(bm.extract(source, tmp_path / "local", part_size=2).path)
    killed: list[int] = []

    def kill(progress: bm.Progress) -> None:
        workers = [int(path.name) for path in Path("/proc").iterdir() if is_at_work(path)]
        if len(killed) < 2 and workers and progress.packages < 20:
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    dataset = bm.extract(source, tmp_path / "ray", part_size=2, engine="ray", progress=kill)
    assert killed
    assert files(dataset.path) == expected


def is_at_work(path: Path) -> bool:
    """Whether a process is a worker of Ray with a task of ours."""
    try:
        return path.name.isdigit() and b"ray::_write_part" in (path / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.slow
def test_a_killed_driver_is_resumed_to_the_same_bytes(source: Path, tmp_path: Path) -> None:
    expected = files(bm.extract(source, tmp_path / "local", part_size=2).path)
    out = tmp_path / "out"
    run = subprocess.Popen([sys.executable, "-P", "-c", RUN, source, out], stderr=subprocess.DEVNULL)
    while not list(out.glob("parts/*.json")) and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not json.loads((out / "dataset.json").read_text())["complete"]
    subprocess.run([sys.executable, "-P", "-c", RUN, source, out], check=True, stderr=subprocess.DEVNULL)
    assert files(out) == expected


@pytest.mark.slow
def test_ctrl_c_ends_the_run_and_the_cluster_that_it_started(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["extract", str(source), "--output", str(out), "--part-size", "1", "--engine", "ray"]
    run = subprocess.Popen([sys.executable, "-m", "biomedica", *words], stderr=subprocess.PIPE, text=True)
    while not list(out.glob("parts/*.json")) and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 130, stderr
    assert "run the same command again" in stderr
    assert bm.extract(source, out, part_size=1).complete


def test_another_engine_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="engine is 'local' or 'ray'"):
        bm.extract(source, tmp_path / "out", engine="dask")  # type: ignore[arg-type]
