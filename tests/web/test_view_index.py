"""The index that pages are answered from: what it counts, when it is made again, and what a selection leaves of it."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

import biomedica as bm
from biomedica.exceptions import DatasetError
from biomedica.selections.ids import IdSet, read_ids
from biomedica.web.view.charts import bars, columns, histogram
from biomedica.web.view.index import Index, open_index
from biomedica.web.view.lengths import Lengths
from biomedica.web.view.neighbours import Neighbours
from biomedica.web.view.pages import _page
from biomedica.web.view.summary import summarise
from bucket import Bucket
from web.viewed import bare, beside, viewed


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    return viewed(tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="module")
def index(dataset: bm.Dataset) -> Iterator[Index]:
    opened = open_index(dataset)
    yield opened
    opened.close()


def file_of(dataset: bm.Dataset) -> Path:
    return dataset.path / ".view" / "default.sqlite"


def test_counts_of_a_facet_are_those_of_the_tables(dataset: bm.Dataset, index: Index) -> None:
    figures = dataset.figures().to_table(columns=["status"])
    counted = {row["values"]: row["counts"] for row in pc.value_counts(figures["status"].combine_chunks()).to_pylist()}
    assert dict(index.find({}).counts["status"]) == counted == {"ok": 18, "no_image": 6}


def test_a_facet_counts_as_if_it_were_not_chosen_by_and_others_as_it_is(index: Index) -> None:
    found = index.find({"status": "no_image", "year": "2011"})
    assert len(found.rows) == 2
    assert dict(found.counts["status"]) == {"ok": 6, "no_image": 2}
    assert found.counts["year"] == [("2012", 2), ("2011", 2), ("2010", 2)]
    assert dict(found.counts["journal"]) == {"Journal 0": 1, "Journal 1": 1}


def test_a_figure_of_several_concepts_counts_for_each(index: Index) -> None:
    counts = dict(index.find({}).counts["concept"])
    assert counts == {"Common": 18, "Microscopy": 6, "Plots and Charts": 6, "Clinical Imaging": 6}
    assert len(index.find({"concept": "Common", "cluster": "2"}).rows) == 6


def test_a_value_that_no_figure_has_chooses_none(index: Index) -> None:
    assert len(index.find({"license": "GPL"}).rows) == 0
    assert len(index.find({"unknown": "x"}).rows) == 24


def test_a_question_that_takes_too_long_ends(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biomedica.web.view.index.PATIENCE", 0.2)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        index.rows(endless)
    assert len(index.find({}, "chest").rows) == 8


def test_the_index_is_made_once_for_each_state(tmp_path: Path) -> None:
    dataset = bare(tmp_path, 2)
    open_index(dataset).close()
    before = file_of(dataset).stat()
    open_index(dataset).close()
    assert file_of(dataset).stat().st_mtime_ns == before.st_mtime_ns
    beside(dataset)
    again = open_index(dataset)
    assert "concept" in {facet.name for facet in again.facets}
    again.close()
    assert dataset.verify(), "the index is no part of the dataset"
    assert not list(file_of(dataset).parent.glob(".tmp-*"))


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    dataset = bare(tmp_path, 2)
    open_index(dataset).close()
    file_of(dataset).write_bytes(b"no database" * 1000)
    index = open_index(dataset)
    assert index.size == 8
    index.close()


def test_an_open_index_stays_as_it_is_while_another_takes_its_place(tmp_path: Path) -> None:
    dataset = bare(tmp_path, 2)
    old = open_index(dataset)
    beside(dataset)
    open_index(dataset).close()
    assert old.figure("PMC100_0001") is not None
    assert len(old.find({}, "number").rows) == 6
    old.close()


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is refused to root")
def test_a_dataset_that_cannot_be_written_is_indexed_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dataset = bare(tmp_path, 1)
    dataset.path.chmod(0o555)
    try:
        open_index(dataset).close()
    finally:
        dataset.path.chmod(0o755)
    assert list((tmp_path / "cache").rglob("default.sqlite"))
    assert not (dataset.path / ".view").exists()


def test_a_dataset_in_a_store_is_indexed_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bare(tmp_path, 2)
    bucket = Bucket()
    try:
        dataset = bm.extract(tmp_path / "in", "s3://lab/set", storage_options=bucket.options())
        open_index(dataset).close()
        (path,) = (tmp_path / "cache").rglob("default.sqlite")
        first = path.stat().st_mtime_ns
        open_index(dataset).close()
        assert path.stat().st_mtime_ns == first
        beside(dataset)
        index = open_index(dataset)
        assert len(index.find({"concept": "Common"}, "number").rows) == 4
        assert Neighbours(dataset).of("PMC100_0001", 0, 1)[0].image_id.startswith("PMC100")
        index.close()
    finally:
        bucket.close()


def test_a_selection_leaves_only_its_figures(dataset: bm.Dataset) -> None:
    chosen = IdSet(read_ids(["PMC100_0001", "PMC102_0002", "unknown"]))
    index = open_index(dataset, chosen=chosen)
    assert [card["image_id"] for card in index.cards(index.find({}).rows)] == ["PMC100_0001", "PMC102_0002"]
    assert index.figure("PMC100_0001") is not None
    assert index.figure("PMC100_0002") is None
    assert summarise(index).numbers == [("pairs", 2), ("figures", 2), ("articles with figures", 2)]
    index.close()


def test_stale_sidecars_count_as_missing(tmp_path: Path) -> None:
    dataset = viewed(tmp_path, 2)
    (dataset.path / "labels" / "000000.parquet").write_bytes(b"damaged")
    index = open_index(dataset)
    names = {facet.name for facet in index.facets}
    assert "concept" not in names
    assert "cluster" in names
    assert any("biomedica label" in text for text in summarise(index).absent)
    index.close()


def test_what_an_update_took_out_is_not_shown(tmp_path: Path) -> None:
    dataset = bare(tmp_path, 3)
    (tmp_path / "in" / "PMC101.tar.gz").unlink()
    dataset = bm.extract(tmp_path / "in", tmp_path / "out")
    index = open_index(dataset)
    assert index.figure("PMC101_0001") is None
    assert index.size == 8
    index.close()


def test_neighbours_are_those_of_the_largest_cosine(dataset: bm.Dataset) -> None:
    table = dataset.sidecar("features/small").to_table().filter(pc.field("features").is_valid())
    vectors = np.array(table["features"].to_pylist(), np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = table["image_id"].to_pylist()
    cosines = vectors @ vectors[ids.index("PMC101_0002")]
    expected = [ids[at] for at in np.argsort(-cosines) if ids[at] != "PMC101_0002"][:5]
    near = Neighbours(dataset).of("PMC101_0002", 0, 5)
    assert [one.image_id for one in near] == expected
    assert near[0].cosine == pytest.approx(sorted(cosines)[-2], abs=1e-6)


def test_an_image_outside_the_sample_has_neighbours_within_it(
    dataset: bm.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biomedica.web.view.neighbours.ROOM", 4 * 8 * 6)
    some = Neighbours(dataset)
    assert (some.held, some.total) == (6, 24)
    near = some.of("PMC105_0003", 0, 3)
    assert len(near) == 3
    assert {one.image_id[:6] for one in near} == {"PMC102"} or near[0].cosine > 0


def test_features_that_were_asked_for_and_are_not_there_are_an_error(dataset: bm.Dataset) -> None:
    with pytest.raises(DatasetError, match="no features other"):
        Neighbours(dataset, "other")


def test_pages_by_key_show_every_row_once_both_ways() -> None:
    rows = np.array([2, 3, 5, 8, 13, 21, 34])
    seen, after = [], None
    while True:
        page, _, following = _page(rows, after, None, 3)
        seen += page.tolist()
        if following is None:
            break
        after = str(following)
    assert seen == rows.tolist()
    page, before, following = _page(rows, None, "34", 3)
    assert (page.tolist(), before, following) == ([8, 13, 21], 8, 21)
    assert _page(rows, None, "3", 3)[0].tolist() == [2, 3, 5]  # a whole page all the same
    assert _page(rows[:0], None, None, 3)[1:] == (None, None)


def test_lengths_say_what_they_count() -> None:
    lengths = Lengths()
    text = "Staining of cells"
    assert lengths.unit in {"tokens", "words"}
    assert lengths.of([text, "", "cells " * 200]).tolist()[1:] == [0, 200]


def test_charts_count_everything() -> None:
    counts = [(f"v{at}", 20 - at) for at in range(20)]
    assert sum(bar.count for bar in bars("t", counts).rows) == sum(count for _, count in counts)
    values = np.random.default_rng(0).geometric(0.02, 5000)
    assert sum(one.count for one in histogram("t", values, "words").bins) == 5000
    years = columns("Year", [("2001", 3), ("2004", 1), ("none", 9)])
    assert [(one.name, one.count) for one in years.bins] == [("2001", 3), ("2002", 0), ("2003", 0), ("2004", 1)]
    assert histogram("t", np.array([7]), "words").bins[0].count == 1
    assert histogram("t", np.array([], np.int32), "words").bins == []
