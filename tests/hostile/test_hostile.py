"""Hostile and broken input is a row of the failures, and the rest of the run is unharmed."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import biomedica as bm
from hostile.cases import CASES, NAME
from made import package, packages, tree

COMMAND = [sys.executable, "-m", "biomedica"]
GOOD = ("PMC1", "PMC2", "PMC900")


def good(directory: Path) -> Path:
    """Good packages, before and after the hostile one."""
    directory.mkdir()
    for name in GOOD:
        package(directory, int(name[3:]))
    return directory


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_package_gives_its_rows_and_harms_no_other(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    source = good(tmp_path / "in")
    case.make(source)
    dataset = bm.extract(source, tmp_path / "out", threads=2)

    failures = dataset.failures().to_table().to_pylist()
    assert [(row["stage"], row["reason"]) for row in failures] == case.failures, failures
    for row in failures:
        assert NAME in row["source"]
        assert row["detail"]
        assert len(row["detail"]) < 500

    figures = dataset.figures().to_table().to_pylist()
    statuses = [row["status"] for row in figures if row["article_accession_id"] not in GOOD]
    assert statuses == (case.statuses or [])
    articles = dataset.articles().to_table().to_pylist()
    assert len(articles) == len(GOOD) + (case.articles if case.statuses else 0)
    for accession in GOOD:
        mine = [row for row in figures if row["article_accession_id"] == accession]
        assert [row["status"] for row in mine] == ["ok", "ok"]
        assert all(dataset.image(row["image_id"]) for row in mine)
    assert dataset.verify(deep=True).problems == []


@pytest.mark.parametrize("name", CASES)
def test_reading_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    case.make(tmp_path)
    chunks = list(bm.read(tmp_path, threads=1))
    rows = [(row["stage"], row["reason"]) for chunk in chunks for row in chunk.failures.to_pylist()]
    assert rows == [row for row in case.failures if row[0] != "write"]


def test_all_of_them_at_once_give_the_same_bytes_with_any_threads(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for number, case in enumerate(CASES.values()):
        (source / f"{number:02}").mkdir(parents=True)
        case.make(source / f"{number:02}")
    datasets = [bm.extract(source, tmp_path / str(threads), threads=threads, part_size=8) for threads in (1, 4)]
    assert tree(datasets[0].path) == tree(datasets[1].path)
    stats = datasets[0].stats()
    told = [reason for case in CASES.values() for _, reason in case.failures if reason != "duplicate"]
    assert sum(count for reason, count in stats["reasons"].items() if reason != "duplicate") == len(told)
    assert set(told) <= set(stats["reasons"])


def test_what_is_outside_is_never_read(tmp_path: Path) -> None:
    CASES["entity from outside"].make(tmp_path)
    (chunk,) = bm.read(tmp_path)
    assert chunk.figures["caption"].to_pylist() == ["A&secret;Z"]


def test_a_lying_image_is_told_by_its_bytes(tmp_path: Path) -> None:
    CASES["a PNG by the name of a JPEG"].make(tmp_path)
    (chunk,) = bm.read(tmp_path)
    assert chunk.figures["image_format"].to_pylist() == ["png", "jpeg"]
    assert chunk.figures["image_file_name"].to_pylist() == ["f1.jpg", "f2.jpg"]


def test_the_failure_beside_an_article_names_it(tmp_path: Path) -> None:
    CASES["truncated gzip"].make(tmp_path)
    (chunk,) = bm.read(tmp_path)
    assert chunk.failures["article_accession_id"].to_pylist() == [NAME]


def test_every_reason_that_input_can_give_has_its_case() -> None:
    given = {reason for case in CASES.values() for _, reason in case.failures}
    elsewhere = {
        "permission_denied",  # below
        "disk_full",  # below
        "io",  # what the system says beyond these
        "mismatch",  # test_extract
        "locked",  # test_extract
        "interrupted",  # test_extract, test_read
        "internal",  # a defect: none is known
    }
    assert given | elsewhere == set(bm.REASONS)
    assert given & elsewhere == set()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 0),
        (["--strict"], 1),
        (["--part-size", "0"], 2),
    ],
)
def test_the_exit_code_of_the_command(words: list[str], code: int, tmp_path: Path) -> None:
    source = good(tmp_path / "in")
    CASES["wrong checksum"].make(source)
    done = subprocess.run(
        [*COMMAND, "extract", source, "-o", tmp_path / "out", *words], check=False, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code < 2:
        assert "corrupt 1" in done.stdout
        assert bm.open(tmp_path / "out").stats()["articles"] == 4


def test_nothing_but_broken_packages_is_still_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    CASES["empty file"].make(tmp_path / "in")
    dataset = bm.extract(tmp_path / "in", tmp_path / "out")
    assert (dataset.stats()["articles"], dataset.stats()["failures"]) == (0, 1)
    assert dataset.verify(deep=True)
    assert dataset.shards() == []


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that other users can reach; pytest's own are closed to them."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


AS_NOBODY = (
    "import os, sys, biomedica as bm, biomedica._extract\n"
    "if os.geteuid() == 0:\n    os.setgroups([])\n    os.setgid(65534)\n    os.setuid(65534)\n"
)


def test_what_may_not_be_read_is_a_failure(open_to_all: Path) -> None:
    source = good(open_to_all / "in")
    closed = package(source, 500)
    closed.chmod(0)
    (source / "PMC501").mkdir()
    (source / "PMC501").chmod(0)
    (open_to_all / "for all").mkdir()
    (open_to_all / "for all").chmod(0o777)
    program = AS_NOBODY + "bm.extract(sys.argv[1], sys.argv[2])\n"
    out = open_to_all / "for all" / "out"
    subprocess.run([sys.executable, "-c", program, source, out], check=True, timeout=60)
    (source / "PMC501").chmod(0o755)
    failures = bm.open(out).failures().to_table().to_pylist()
    assert sorted((row["source"], row["stage"], row["reason"]) for row in failures) == [
        (str(closed), "open", "permission_denied"),
        (str(source / "PMC501"), "open", "permission_denied"),
    ]
    assert bm.open(out).stats()["articles"] == len(GOOD)


def test_an_output_that_may_not_be_written_is_an_error(open_to_all: Path) -> None:
    source = good(open_to_all / "in")
    (open_to_all / "closed").mkdir(mode=0o555)
    program = AS_NOBODY + (
        "try:\n    bm.extract(sys.argv[1], sys.argv[2])\n"
        "except bm.DatasetError as error:\n    print(error.stage, error.reason, error)\n"
    )
    out = open_to_all / "closed" / "out"
    done = subprocess.run(
        [sys.executable, "-c", program, source, out], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.startswith("write permission_denied ")
    assert str(out) in done.stdout


def private_mounts() -> bool:
    """Whether a process may mount a file system that only it sees."""
    if shutil.which("unshare") is None:
        return False
    words = ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not private_mounts(), reason="a small disk needs `unshare -Urm`, which is not allowed here")
def test_a_full_disk_is_one_clear_error_and_the_same_command_goes_on(tmp_path: Path) -> None:
    source, disk = packages(tmp_path / "in", 120), tmp_path / "disk"
    disk.mkdir()
    script = (
        'mount -t tmpfs -o size=400k none "$1"\n'
        "python=$2; shift 2\n"
        '"$python" -m biomedica extract "$@" --part-size 8; echo "code $?"\n'
        'mount -o remount,size=64m "${@: -1}/.."\n'
        '"$python" -m biomedica extract "$@" --part-size 8; echo "code $?"\n'
        '"$python" -m biomedica verify "${@: -1}" --deep; echo "code $?"\n'
    )
    done = subprocess.run(
        ["unshare", "-Urm", "bash", "-c", script, "bash", disk, sys.executable, source, "-o", disk / "out"],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code")]
    assert codes == ["code 1", "code 0", "code 0"], done.stdout + done.stderr
    told = [line for line in done.stderr.splitlines() if "disk_full" in line]
    assert len(told) == 1, done.stderr
    assert str(disk / "out") in told[0]
    assert "Traceback" not in done.stderr
    assert not list(disk.iterdir())
