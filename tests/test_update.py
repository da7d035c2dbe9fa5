"""`extract` against a dataset that is complete: news in new parts, tombstones for what is gone, honoured by every reader."""

from pathlib import Path
from typing import Any

import pytest

import biomedica as bm
from biomedica.cli import main
from made import package, packages, tree

OPTIONS: dict[str, Any] = {"part_size": 8, "samples_per_shard": 6}


def pairs(dataset: bm.Dataset) -> dict[str, str]:
    """The hash of every pair's image, by its id."""
    table = dataset.figures().to_table(columns=["image_id", "image_hash", "status"])
    rows = [row for row in table.to_pylist() if row["status"] == "ok"]
    assert len({row["image_id"] for row in rows}) == len(rows)
    return {row["image_id"]: row["image_hash"] for row in rows}


def streamed(dataset: bm.Dataset) -> list[str]:
    with bm.stream(dataset.location) as samples:
        return sorted(sample.key for sample in samples)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return packages(tmp_path / "in", 30)


@pytest.fixture
def updated(tmp_path: Path, source: Path) -> bm.Dataset:
    """A dataset of thirty packages, of which four were withdrawn, three changed, and two came to it."""
    bm.extract(source, tmp_path / "out", **OPTIONS)
    for number in (2, 3, 17, 30):
        (source / f"PMC{number}.tar.gz").unlink()
    for number in (5, 6, 25):
        package(source, number, 4)
    package(source, 31)
    package(source, 1000)
    return bm.extract(source, tmp_path / "out", **OPTIONS)


def test_an_updated_dataset_is_as_one_made_anew(tmp_path: Path, source: Path, updated: bm.Dataset) -> None:
    anew = bm.extract(source, tmp_path / "anew", **OPTIONS)
    assert pairs(updated) == pairs(anew)
    assert updated.stats() == anew.stats()
    assert len(updated) == len(anew) == len(pairs(anew))
    assert streamed(updated) == streamed(anew) == sorted(pairs(anew))
    for table in ("articles", "figures", "failures", "packages"):
        ours, full = getattr(updated, table)(), getattr(anew, table)()
        assert ours.schema.names == [*full.schema.names, "part"]
        assert ours.count_rows() == full.count_rows()
    report = updated.verify(deep=True)
    assert not report.problems


def test_a_withdrawn_article_is_nowhere(updated: bm.Dataset) -> None:
    assert not {key for key in streamed(updated) if key.startswith(("PMC17_", "PMC30_"))}
    articles = updated.articles().to_table(columns=["article_accession_id"])["article_accession_id"].to_pylist()
    assert "PMC17" not in articles
    assert "PMC16" in articles
    with pytest.raises(KeyError):
        updated.image("PMC17_0001")
    names = updated.packages().to_table()["package"].to_pylist()
    assert not [name for name in names if name.endswith("PMC17.tar.gz")]


def test_an_image_of_a_changed_article_is_the_new_one(updated: bm.Dataset) -> None:
    assert len([image for image in pairs(updated) if image.startswith("PMC5_")]) == 4
    assert updated.image("PMC5_0004")


def test_polars_and_duckdb_see_live_rows_alone(updated: bm.Dataset) -> None:
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    articles = updated.articles()
    assert polars.scan_pyarrow_dataset(articles).collect().height == articles.count_rows()
    assert duckdb.sql("select count(*) from articles").fetchall() == [(articles.count_rows(),)]


def test_without_news_nothing_is_written(source: Path, updated: bm.Dataset) -> None:
    before = tree(updated.path)
    bm.extract(source, updated.path, **OPTIONS)
    assert tree(updated.path) == before


def test_a_limit_or_a_sample_withdraws_nothing(source: Path, updated: bm.Dataset) -> None:
    before = tree(updated.path)
    bm.extract(source, updated.path, limit=3, **OPTIONS)
    bm.extract(source, updated.path, sample=0.1, **OPTIONS)
    assert tree(updated.path) == before


def test_a_walk_with_an_error_withdraws_nothing_and_tells_of_it_once(
    tmp_path: Path, source: Path, updated: bm.Dataset
) -> None:
    (source / "PMC1.tar.gz").unlink()
    articles = updated.articles().count_rows()
    for _ in range(2):
        dataset = bm.extract([source, tmp_path / "absent"], updated.path, **OPTIONS)
        assert dataset.articles().count_rows() == articles
        assert dataset.failures().count_rows() == dataset.stats()["failures"] == 1
    healed = bm.extract(source, updated.path, **OPTIONS)
    assert healed.articles().count_rows() == articles - 1
    assert healed.failures().count_rows() == healed.stats()["failures"] == 0


def test_damaged_tombstones_are_an_error_that_names_them(updated: bm.Dataset) -> None:
    [file] = (updated.path / "tombstones").iterdir()
    file.write_bytes(b"x")
    with pytest.raises(bm.DatasetError, match="tombstones"):
        updated.figures()
    assert f"tombstones/{file.name}" in [problem.path for problem in updated.verify().problems]


def test_compact_takes_out_what_is_dead_and_changes_nothing_else(source: Path, updated: bm.Dataset) -> None:
    before, stats, samples = pairs(updated), updated.stats(), streamed(updated)
    done = bm.compact(updated.path, min_dropped=0)
    assert (done.dropped_articles, done.parts_before) == (7, 5)
    assert done.num_bytes < done.bytes_before
    compacted = bm.open(updated.path)
    assert pairs(compacted) == before
    assert compacted.stats() == stats
    assert streamed(compacted) == samples
    assert "part" not in compacted.figures().schema.names
    assert not compacted.verify(deep=True).problems
    with bm.stream(compacted.location) as stream:
        for sample in stream:
            assert sample.image == compacted.image(sample.key)
            shard, offset = sample.metadata["shard"], sample.metadata["shard_offset"]
            data = (compacted.path / shard).read_bytes()
            assert data[offset : offset + len(sample.image)] == sample.image
    files = tree(updated.path)
    bm.extract(source, updated.path, **OPTIONS)
    bm.compact(updated.path, min_dropped=0)
    assert tree(updated.path) == files
    assert not (updated.path / "tombstones").exists() or not list((updated.path / "tombstones").iterdir())


def test_the_command_says_what_it_saved(updated: bm.Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compact", str(updated.path), "--min-dropped", "0"]) == 0
    assert "22 -> 18 shards" in capsys.readouterr().out
    assert main(["compact", str(updated.path.parent / "none")]) == 1
    with pytest.raises(SystemExit):
        main(["compact", str(updated.path), "--min-dropped", "2"])
