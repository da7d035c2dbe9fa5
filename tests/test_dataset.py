"""`open`: tables, images, counts, verify, and what it says when there is nothing to open."""

import hashlib
import json
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import biomedica as bm
from biomedica._hash import hash_texts
from made import image, packages


@pytest.fixture
def dataset(tmp_path: Path) -> bm.Dataset:
    return bm.extract(packages(tmp_path / "in", 20), tmp_path / "out", part_size=8, samples_per_shard=5)


def test_tables_have_the_published_columns(dataset: bm.Dataset) -> None:
    figures = dataset.figures().schema.names
    assert figures[:3] == ["image_id", "article_accession_id", "image_figure_id"]
    assert figures[-4:] == ["subset", "shard", "shard_offset", "shard_length"]
    assert dataset.articles().schema.names[0] == "article_accession_id"
    assert dataset.failures().schema.names == ["source", "article_accession_id", "member", "stage", "reason", "detail"]
    assert dataset.articles().count_rows() == 20
    assert dataset.failures().count_rows() == 0
    assert dataset.packages().schema.names == ["package", "fingerprint", "num_bytes", "kind", "version_reason"]
    packages = sorted((dataset.path.parent / "in").iterdir())
    assert dataset.packages().to_table().to_pylist() == [
        {
            "package": str(path),
            "fingerprint": str(path.stat().st_size),
            "num_bytes": path.stat().st_size,
            "kind": "tar.gz",
            "version_reason": None,
        }
        for path in packages
    ]


def test_images_are_the_publishers_bytes(dataset: bm.Dataset) -> None:
    rows = dataset.figures().to_table(columns=["image_id", "image_hash", "status"]).to_pylist()
    assert len(rows) == len(dataset) == 41
    for row in rows:
        assert row["status"] == "ok"
        data = dataset.image(row["image_id"])
        assert hashlib.sha256(data).hexdigest() == row["image_hash"]
    assert dataset.image("PMC7_0002") == image(72)


def test_an_unknown_image_is_a_key_error_with_a_hint(dataset: bm.Dataset) -> None:
    for name in ("PMC1_9999", "", "β"):
        with pytest.raises(KeyError, match="image_id where status is 'ok'"):
            dataset.image(name)


def test_an_image_that_is_not_where_it_was_is_noticed(dataset: bm.Dataset) -> None:
    shard = dataset.shards("commercial")[0]
    first = json.loads((dataset.path / "parts/000000.json").read_text())["files"]
    assert any(str(shard).endswith(file["path"]) for file in first)
    row = next(r for r in dataset.figures().to_table().to_pylist() if str(shard).endswith(r["shard"]))
    shard.write_bytes(b"\0" * shard.stat().st_size)
    with pytest.raises(bm.DatasetError, match="verify"):
        dataset.image(row["image_id"])
    shard.unlink()
    with pytest.raises(bm.DatasetError, match=shard.name):
        dataset.image(row["image_id"])


def test_stats_add_up(dataset: bm.Dataset) -> None:
    stats = dataset.stats()
    assert (stats["packages"], stats["articles"], stats["failures"], stats["reasons"]) == (20, 20, 0, {})
    assert sum(stats["statuses"].values()) == stats["figures"]
    assert sum(subset["pairs"] for subset in stats["subsets"].values()) == stats["pairs"] == len(dataset)
    assert stats["kinds"] == {"fig": stats["figures"]}
    assert stats["licenses"] == {"CC BY-NC": 7, "none": 7, "CC BY": 6}
    stats["subsets"].clear()
    assert dataset.stats()["subsets"]


def test_its_repr_says_what_it_is(dataset: bm.Dataset) -> None:
    assert repr(dataset) == f"<Dataset '{dataset.path}': 20 articles, 41 figures, 41 pairs, 0 failures, 3 parts>"


def test_shards_are_by_subset(dataset: bm.Dataset) -> None:
    every = dataset.shards()
    assert sorted(every) == sorted(dataset.path.rglob("*.tar"))
    assert sorted(path for s in ("commercial", "noncommercial", "other") for path in dataset.shards(s)) == sorted(every)


def test_polars_and_duckdb_read_the_tables(dataset: bm.Dataset) -> None:
    files = str(dataset.path / "figures/*.parquet")
    figures = pl.read_parquet(files)
    assert figures["image_size"][0].to_list() == [64, 48]
    assert pl.scan_pyarrow_dataset(dataset.figures()).select(pl.len()).collect().item() == 41
    connection = duckdb.connect()
    connection.register("articles", dataset.articles())
    assert connection.execute("select count(*) from articles").fetchall() == [(20,)]
    mentions = connection.execute(
        "select image_context from read_parquet(?) where image_id = 'PMC2_0002'", [files]
    ).fetchall()
    assert mentions == [(["See it here."],)]


def test_a_whole_dataset_verifies_and_damage_is_listed(dataset: bm.Dataset) -> None:
    report = dataset.verify(deep=True)
    assert report
    assert (report.parts, report.images, report.problems) == (3, 41, [])
    assert report.files == sum(1 for p in dataset.path.rglob("*") if p.suffix in {".tar", ".parquet"})
    table = dataset.path / "articles/000001.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    report = dataset.verify()
    assert not report
    assert [problem.path for problem in report.problems] == ["articles/000001.parquet"]
    assert str(report.problems[0]).startswith("articles/000001.parquet: ")


def test_nothing_and_no_dataset_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(bm.SourceNotFoundError, match="absent"):
        bm.open(tmp_path / "absent")
    with pytest.raises(bm.DatasetError, match="no dataset"):
        bm.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "cannot be read"),
        ("[]", "not the record"),
        ('{"format": 1}', "format 1, .* anew"),
        ('{"format": 2}', "options"),
    ],
)
def test_a_record_that_is_none_is_an_error_that_names_it(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(bm.DatasetError, match=match) as caught:
        bm.open(tmp_path)
    assert "dataset.json" in str(caught.value)


def test_a_missing_table_is_a_dataset_error(dataset: bm.Dataset) -> None:
    (dataset.path / "figures/000002.parquet").unlink()
    with pytest.raises(bm.DatasetError, match="verify"):
        dataset.figures().to_table()
    with pytest.raises(bm.DatasetError, match="verify"):
        bm.open(dataset.path).image("PMC1_0001")


def test_hashes_follow_the_text_alone_and_differ() -> None:
    ids = [f"PMC{i}_{j:04}" for i in range(2000) for j in range(1, 4)]
    hashes = hash_texts(pa.array(ids))
    assert len(np.unique(hashes)) == len(ids)
    assert (hash_texts(pa.array(ids).slice(100, 50)) == hashes[100:150]).all()
    assert len(np.unique(hash_texts(pa.array(["", "\0", "\0\0", "a", "aa"])))) == 5
    assert len(hash_texts(pa.array([], pa.string()))) == 0
    # Selections of earlier versions were drawn by it.
    assert hash_texts(pa.array(["PMC1234567_0001"])).tolist() == [2_415_678_826_627_147_033]


@pytest.mark.parametrize(
    ("texts", "error"), [(pa.array([1]), TypeError), (pa.array(["a", None]), ValueError)], ids=["numbers", "null"]
)
def test_what_is_no_text_has_no_hash(texts: pa.Array, error: type[Exception]) -> None:
    with pytest.raises(error):
        hash_texts(texts)
