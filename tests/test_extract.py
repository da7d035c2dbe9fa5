"""`extract`: what it writes, that it resumes, and how it refuses."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import biomedica as bm
from biomedica.exceptions import DatasetError
from made import document, image, package, packages, tar_gz, tree

RUN = "import sys, biomedica; biomedica.extract(sys.argv[1], sys.argv[2], part_size=4, threads=int(sys.argv[3]))"


def test_every_package_is_an_article_or_a_failure(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 9)
    (source / "PMC900.tar.gz").write_bytes(b"no gzip")
    tar_gz(source / "PMC901.tar.gz", {"PMC901/a.jpg": b"no document"})
    dataset = bm.extract(source, tmp_path / "out")
    stats = dataset.stats()
    assert (stats["packages"], stats["articles"], stats["failures"]) == (11, 9, 2)
    assert stats["figures"] == sum(stats["statuses"].values()) == dataset.figures().count_rows()
    failed = {Path(row["source"]).name for row in dataset.failures().to_table().to_pylist()}
    assert failed == {"PMC900.tar.gz", "PMC901.tar.gz"}
    assert dataset.verify(deep=True)


def test_only_wanted_licences_make_pairs_and_the_rest_is_counted(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 12)
    whole = bm.extract(source, tmp_path / "whole")
    wanted = bm.extract(source, tmp_path / "wanted", subset=["commercial", "other"])
    named = bm.extract(source, tmp_path / "named", license="CC BY-NC")
    subsets = whole.stats()["subsets"]
    for dataset, kept in ((wanted, {"commercial", "other"}), (named, {"noncommercial"})):
        stats = dataset.stats()
        assert {name for name, sums in stats["subsets"].items() if sums["pairs"]} == kept
        assert {name: sums["figures"] for name, sums in stats["subsets"].items()} == {
            name: sums["figures"] for name, sums in subsets.items()
        }
        left_out = sum(sums["pairs"] for name, sums in subsets.items() if name not in kept)
        assert stats["statuses"]["filtered"] == left_out == len(whole) - len(dataset)
        assert {path.parent.name for path in dataset.shards()} == kept
        assert dataset.verify(deep=True)
    with pytest.raises(DatasetError, match="subsets is"):
        bm.extract(source, wanted.path)


def seen(dataset: bm.Dataset) -> dict[str, int]:
    """The statuses that figures have."""
    return {status: count for status, count in dataset.stats()["statuses"].items() if count}


def test_retracted_articles_make_no_pairs_unless_they_are_kept(tmp_path: Path) -> None:
    kind = b'article-type="research-article"', b'article-type="retracted-article"'
    members = {"PMC1/PMC1.nxml": document(1, 2).replace(*kind), "PMC1/f1.jpg": image(1)}
    tar_gz(tmp_path / "PMC1.tar.gz", members)
    package(tmp_path, 2)
    dropped = bm.extract(tmp_path, tmp_path / "dropped", limit=2)
    assert seen(dropped) == {"no_image": 1, "ok": 2, "retracted": 1}
    marks = dropped.articles().to_table(columns=["article_accession_id", "is_retracted"]).to_pylist()
    assert marks == [
        {"article_accession_id": "PMC1", "is_retracted": True},
        {"article_accession_id": "PMC2", "is_retracted": False},
    ]
    kept = bm.extract([tmp_path / "PMC1.tar.gz", tmp_path / "PMC2.tar.gz"], tmp_path / "kept", retracted="keep")
    assert seen(kept) == {"no_image": 1, "ok": 3}


def test_threads_and_kinds_of_source_do_not_change_a_byte(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 30)
    files = sorted(source.iterdir())
    bm.extract(source, tmp_path / "one", threads=1, part_size=8)
    bm.extract(files, tmp_path / "many", threads=7, part_size=8)
    assert tree(tmp_path / "one") == tree(tmp_path / "many")


def test_again_does_nothing_and_a_lost_file_is_made_again(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 10)
    dataset = bm.extract(source, tmp_path / "out", part_size=4)
    before = tree(dataset.path)
    inodes = {path: path.stat().st_ino for path in dataset.path.rglob("*.parquet")}
    bm.extract(source, tmp_path / "out", part_size=4)
    assert {path: path.stat().st_ino for path in dataset.path.rglob("*.parquet")} == inodes
    (dataset.path / "figures/000001.parquet").unlink()
    bm.extract(source, tmp_path / "out", part_size=4)
    assert tree(dataset.path) == before


def test_killed_at_any_moment_and_run_again_it_gives_the_same_bytes(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 60)
    expected = tree(bm.extract(source, tmp_path / "whole", part_size=4).path)
    out = tmp_path / "out"
    for attempt in range(6):
        process = subprocess.Popen([sys.executable, "-c", RUN, source, out, str(1 + attempt % 2)])
        deadline = time.monotonic() + 20
        parts = len(list(out.glob("parts/*.json")))
        while process.poll() is None and len(list(out.glob("parts/*.json"))) <= parts and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.002 * attempt)
        process.kill()
        process.wait()
    bm.extract(source, out, part_size=4)
    assert tree(out) == expected


def test_ctrl_c_stops_at_once_and_leaves_whole_parts(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 12)
    code = (
        "import sys, biomedica\n"
        "try:\n    biomedica.extract(sys.argv[1], sys.argv[2], part_size=2, progress=lambda p: print('go', flush=True))\n"
        "except KeyboardInterrupt:\n    print('stopped')\n"
        "else:\n    print('done')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, source, tmp_path / "out"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        last = process.stdout.read().splitlines()[-1]
        assert time.monotonic() - begin < 10
    assert last in {"stopped", "done"}
    assert bm.extract(source, tmp_path / "out", part_size=2).verify(deep=True)


def test_progress_counts_up_to_all_and_its_errors_end_the_run(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 10)
    seen: list[bm.Progress] = []
    bm.extract(source, tmp_path / "out", part_size=4, progress=seen.append)
    last = seen[-1]
    assert (last.packages, last.total_packages, last.articles) == (10, 10, 10)
    assert last.output_bytes > 0
    assert last.input_bytes == sum(path.stat().st_size for path in source.iterdir())
    assert [p.packages for p in seen] == sorted(p.packages for p in seen)
    again: list[bm.Progress] = []
    bm.extract(source, tmp_path / "out", part_size=4, progress=again.append)
    assert (again[-1].packages, again[-1].skipped_packages) == (10, 10)

    def fail(_: bm.Progress) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        bm.extract(source, tmp_path / "other", progress=fail)


def test_the_gil_is_free_meanwhile(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 60)
    counted = 0
    ended = threading.Event()

    def count() -> None:
        nonlocal counted
        while not ended.is_set():
            counted += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        bm.extract(source, tmp_path / "out", part_size=4)
    finally:
        ended.set()
        thread.join()
    assert counted > 100


def test_other_options_are_refused(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 2)
    bm.extract(source, tmp_path / "out")
    with pytest.raises(bm.DatasetError, match="min_size is 21 there, 64 here") as caught:
        bm.extract(source, tmp_path / "out", min_size=64)
    assert caught.value.reason == "mismatch"


def test_a_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 1)
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("x")
    with pytest.raises(bm.DatasetError, match="not empty"):
        bm.extract(source, out)
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == ["thesis.tex"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"threads": 0}, "threads"),
        ({"part_size": 0}, "part_size"),
        ({"samples_per_shard": 0}, "samples_per_shard"),
        ({"limit": 0}, "limit"),
        ({"sample": 1.5}, "sample"),
    ],
)
def test_options_without_sense_are_value_errors(tmp_path: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        bm.extract(packages(tmp_path / "in", 1), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_missing_source_beside_others_is_a_failure_and_alone_an_error(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 2)
    dataset = bm.extract([source, tmp_path / "absent"], tmp_path / "out")
    assert dataset.stats()["reasons"] == {"not_found": 1}
    with pytest.raises(bm.SourceNotFoundError, match="absent"):
        bm.extract(tmp_path / "absent", tmp_path / "other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(bm.SourceNotFoundError, match="empty"):
        bm.extract(tmp_path / "empty", tmp_path / "other")


def test_strict_raises_when_anything_failed_and_keeps_the_dataset(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 2)
    (source / "PMC9.tar.gz").write_bytes(b"")
    with pytest.raises(bm.DatasetError, match="1 failures"):
        bm.extract(source, tmp_path / "out", strict=True)
    assert bm.open(tmp_path / "out").stats()["articles"] == 2


def test_the_same_article_twice_is_a_failure(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 3)
    (source / "again.tar.gz").write_bytes((source / "PMC1.tar.gz").read_bytes())
    stats = bm.extract(source, tmp_path / "out").stats()
    assert (stats["packages"], stats["articles"], stats["reasons"]) == (4, 3, {"duplicate": 1})


def test_small_images_make_no_pairs(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    package(source, 1, 2)
    stats = bm.extract(source, tmp_path / "out", min_size=49).stats()
    assert (stats["pairs"], stats["statuses"]["too_small"]) == (0, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 30)
    # A limit on file sizes fails writes as a full disk does, in the same place, with another number.
    code = (
        "import resource, signal, sys, biomedica\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "try:\n    biomedica.extract(sys.argv[1], sys.argv[2])\n"
        "except biomedica.DatasetError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, source, tmp_path / "out"], check=True, capture_output=True, text=True
    )
    assert str(tmp_path / "out") in done.stdout
    assert not list((tmp_path / "out").rglob("*.tar"))
    assert bm.extract(source, tmp_path / "out").verify(deep=True)


def test_a_sample_and_a_limit_take_some_of_the_packages(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 40)

    def names(output: str, **options: Any) -> list[str]:
        table = bm.extract(source, tmp_path / output, **options).packages().to_table()
        return [Path(name).name for name in table["package"].to_pylist()]

    every = sorted(path.name for path in source.iterdir())
    assert names("limited", limit=3) == every[:3]
    half = names("half", sample=0.5)
    assert 10 < len(half) < 30
    assert set(names("fifth", sample=0.2)) < set(half) < set(every)
    assert names("both", sample=0.5, limit=2) == half[:2]
    assert names("other", sample=0.5, sample_seed=1) != half
    # A dataset of a sample can be made whole: the others come in a part of their own.
    assert sorted(names("half")) == every


def test_progress_tells_when_each_part_begins_and_ends(tmp_path: Path) -> None:
    seen: list[bm.Progress] = []
    source = packages(tmp_path / "in", 20)
    dataset = bm.extract(source, tmp_path / "out", part_size=3, threads=2, progress=seen.append)
    events = [event for progress in seen for event in progress.events]
    assert [(type(event), event.part) for event in events] == [
        (kind, part) for part in range(7) for kind in (bm.PartBegun, bm.PartEnded)
    ]
    ended = [event for event in events if isinstance(event, bm.PartEnded)]
    assert [event.packages for event in ended] == [3] * 6 + [2]
    assert sum(event.pairs for event in ended) == dataset.stats()["pairs"]
    assert all(event.seconds > 0 for event in ended)
    assert sum(event.output_bytes for event in ended) == seen[-1].output_bytes
    again: list[bm.Progress] = []
    bm.extract(source, tmp_path / "out", part_size=3, progress=again.append)
    assert again
    assert not any(progress.events for progress in again)
