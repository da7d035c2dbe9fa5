"""`retry`: what failed for a reason that may have passed."""

import json
from pathlib import Path

import pytest

import biomedica as bm
from biomedica.cli import main
from biomedica.exceptions import DatasetError
from made import packages, tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return packages(tmp_path / "in", 10)


@pytest.fixture
def away(source: Path, tmp_path: Path) -> Path:
    """Where a package must come back to: a link in `source` leads there."""
    package = source / "PMC4.tar.gz"
    target = tmp_path / "mounted.tar.gz"
    package.rename(tmp_path / "kept.tar.gz")
    package.symlink_to(target)
    return target


def heal(away: Path) -> None:
    (away.parent / "kept.tar.gz").rename(away)


def test_what_has_healed_gives_the_dataset_in_which_nothing_failed(source: Path, away: Path, tmp_path: Path) -> None:
    dataset = bm.extract(source, tmp_path / "out", part_size=4)
    assert dataset.stats()["reasons"] == {"not_found": 1}
    before = tree(tmp_path / "out")
    still = bm.retry(tmp_path / "out")
    assert (still.parts, still.renewed_parts, still.failures_before, still.failures) == (1, 0, 1, 1)
    assert tree(tmp_path / "out") == before
    heal(away)
    done = bm.retry(tmp_path / "out", threads=2)
    assert (done.parts, done.renewed_parts, done.failures_before, done.failures) == (1, 1, 1, 0)
    assert (done.articles, done.pairs) == (1, 2)
    bm.extract(source, tmp_path / "whole", part_size=4)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert bm.open(tmp_path / "out").verify(deep=True).problems == []


def test_damage_is_left_alone(source: Path, tmp_path: Path) -> None:
    (source / "PMC5.tar.gz").write_bytes(b"damaged")
    bm.extract(source, tmp_path / "out")
    assert bm.retry(tmp_path / "out") == bm.Retried(
        parts=0, renewed_parts=0, failures_before=0, failures=0, articles=0, pairs=0
    )


def test_the_command_says_what_it_gained_and_fails_when_strict(
    source: Path, away: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    bm.extract(source, out)
    assert main(["retry", str(out)]) == 0
    assert main(["retry", str(out), "--strict"]) == 1
    capsys.readouterr()
    heal(away)
    assert main(["retry", str(out), "--strict", "--log-format", "json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["failures_before"], summary["failures"], summary["pairs"]) == (1, 0, 2)


def test_where_there_is_no_dataset_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        bm.retry(tmp_path)
    with pytest.raises(ValueError, match="threads"):
        bm.retry(tmp_path, threads=0)
