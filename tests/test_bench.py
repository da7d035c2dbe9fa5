"""The bench harness: what it measures on and how it reports. Its numbers are for `make bench`."""

import gc
import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

import biomedica
from biomedica._bench import Benchmark
from biomedica.benchmarks.cases import CASES, Case
from biomedica.benchmarks.corpus import copy_package, make_corpus
from biomedica.benchmarks.measure import Row, interleaved, medians, one_core
from biomedica.benchmarks.table import BEGIN, END, markdown, write_readme
from biomedica.cli import main

if TYPE_CHECKING:
    from playwright.sync_api import Page

BENCHES = Path(__file__).parents[1] / "benches"
ROWS = [
    Row("JATS", "10 articles/s", "peer", "2 articles/s", 5.0, ">= 4"),
    Row("Arrow", "1 s", "floor", "1 s", 1.25, ""),
]


def package(path: Path, members: dict[str, bytes]) -> Path:
    with gzip.open(path, "wb") as compressed, tarfile.open(fileobj=compressed, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_a_copied_package_is_another_article_with_the_same_images(tmp_path: Path) -> None:
    xml = b'<article-id pub-id-type="pmid">1</article-id><article-id pub-id-type="doi">10.1/a</article-id><ref/>'
    original = package(tmp_path / "PMC1.tar.gz", {"PMC1/a.nxml": xml, "PMC1/a.jpg": b"pixels"})
    (tmp_path / "copies").mkdir()
    copy_package(original, tmp_path / "copies", 7)
    with tarfile.open(tmp_path / "copies" / "PMC1-0007.tar.gz") as archive:
        content = {member.name: data.read() for member in archive if (data := archive.extractfile(member))}
    assert content["PMC1-0007/a.jpg"] == b"pixels"
    assert content["PMC1-0007/a.nxml"] == xml.replace(b"10.1/a", b"10.1/a0007")


def test_rounds_take_turns_and_the_first_does_not_count() -> None:
    turns: list[str] = []

    def contender(name: str) -> dict[str, float]:
        turns.append(name)
        return {name: float(len(turns))}

    measured = interleaved([lambda: contender("a"), lambda: contender("b")], rounds=3)
    assert "".join(turns) == "abababab"
    assert measured == {"a": [3.0, 5.0, 7.0], "b": [4.0, 6.0, 8.0]}
    assert medians(measured) == {"a": 5.0, "b": 6.0}


def test_one_core_is_one_thread_of_torch_until_it_is_over() -> None:
    before = torch.get_num_threads(), os.sched_getaffinity(0)
    with one_core():
        assert torch.get_num_threads() == len(os.sched_getaffinity(0)) == 1
    assert (torch.get_num_threads(), os.sched_getaffinity(0)) == before


def test_the_table_replaces_what_stands_between_the_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_readme(readme, markdown(ROWS, "here"))
    text = readme.read_text()
    assert "old" not in text
    assert "| 5.00x | >= 4 |" in text
    assert text.startswith(f"before\n{BEGIN}\n| case")
    assert text.endswith(f"here.\n{END}\nafter\n")


def test_a_readme_without_markers_is_refused(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing")
    with pytest.raises(ValueError, match="no table"):
        write_readme(readme, "table")
    assert readme.read_text() == "nothing"


def test_the_readme_has_a_place_for_the_table() -> None:
    text = (BENCHES.parent / "README.md").read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1


def test_a_debug_build_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biomedica._bench.build_profile", "debug")
    with pytest.raises(ValueError, match="debug build"):
        biomedica.bench(tmp_path, ["imports"])
    assert list(tmp_path.iterdir()) == []


def test_cases_are_measured_and_missing_peers_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: "Page"
) -> None:
    monkeypatch.setattr("biomedica._bench.build_profile", "release")
    absent, failing = Case("absent", "nowhere", "nothing", ("no-such-peer",)), Case("failing", "nowhere", "nothing")
    monkeypatch.setattr("biomedica._bench.CASES", [*CASES, absent, failing])
    monkeypatch.setattr("biomedica.benchmarks.intervals.IMAGES", 2_000)
    monkeypatch.setattr("biomedica.benchmarks.intervals.DRAWS", 100)
    told: list[str] = []
    options: dict[str, Any] = {"articles": 4, "rounds": 2, "work": tmp_path / "work"}
    found = biomedica.bench(
        tmp_path / "out",
        ["imports", "failing", "intervals", "absent"],
        **options,
        progress=lambda name, *_: told.append(name),
    )
    assert told == ["imports", "failing", "intervals"]
    assert found.left_out["absent"] == "needs no-such-peer: pip install no-such-peer"
    assert found.left_out["failing"].startswith("failed: ModuleNotFoundError: No module named")
    assert {row.peer for row in found.rows} >= {"import pyarrow", "scipy.stats.bootstrap"}
    for row in found.rows:
        assert row.range is not None
        assert 0 < row.range[0] <= row.ratio * 1.0001
        assert row.ratio <= row.range[1] * 1.0001
    assert Benchmark.read(tmp_path / "out") == found
    again = biomedica.bench(tmp_path / "again", ["intervals"], **options, against=tmp_path / "out")
    assert len(again.rows) == sum(row.case.startswith("interval") for row in found.rows)
    page.goto((tmp_path / "again" / "bench.html").as_uri())
    assert page.locator(".bars tbody tr").count() == len(again.rows)
    assert page.locator(".was").count() == len(again.rows)
    assert "import biomedica" in (tmp_path / "out" / "bench.md").read_text("utf-8")


@pytest.mark.parametrize(
    "cases",
    [["select", "assign", "view"], pytest.param(["training", "loader"], marks=pytest.mark.slow)],
    ids=lambda cases: cases[0],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset leaves its files open
def test_cases_measure_what_they_make_up(cases: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biomedica._bench.build_profile", "release")
    found = biomedica.bench(tmp_path, cases, articles=20, figures=20_000, rounds=1)
    assert found.left_out == {}
    assert set(found.raw) == set(cases)
    assert all(row.ratio > 0 for row in found.rows)
    gc.collect()


def test_wrong_options_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no case is called jets; there are jats"):
        biomedica.bench(tmp_path, ["jets"])
    with pytest.raises(ValueError, match="1 or more"):
        biomedica.bench(tmp_path, rounds=0)
    (tmp_path / "bench.json").write_text("{}")
    with pytest.raises(ValueError, match=r"bench\.json: no benchmark"):
        Benchmark.read(tmp_path)


def test_the_cases_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [case.name for case in CASES]


def test_packages_and_documents_of_a_drawn_corpus_can_be_read(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, None, articles=40, figures=1)
    assert 0 < len(corpus.documents) == len(corpus.packages) < 40
    for document in corpus.documents:
        assert biomedica.parse_article(document.read_bytes())["figures"] is not None
