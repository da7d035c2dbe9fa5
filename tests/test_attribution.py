"""`attribution`: one row a pair with whom to name, whatever the parts, and nothing of what is no pair."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import biomedica as bm
from biomedica._attribution import SCHEMA
from biomedica.cli import main
from made import package, packages

SUBSETS = ("commercial", "noncommercial", "other")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    """Articles of all subsets, in several parts."""
    directory = tmp_path_factory.mktemp("attribution")
    return bm.extract(packages(directory / "in", 30), directory / "out", part_size=4)


def test_each_pair_has_a_row_in_the_file_of_its_subset(dataset: bm.Dataset, tmp_path: Path) -> None:
    articles = {row["article_accession_id"]: row for row in dataset.articles().to_table().to_pylist()}
    figures = [row for row in dataset.figures().to_table().to_pylist() if row["status"] == "ok"]
    files = bm.attribution(dataset, tmp_path)
    assert files == [tmp_path / subset / "ATTRIBUTION.parquet" for subset in SUBSETS]
    for subset, file in zip(SUBSETS, files, strict=True):
        table = pq.read_table(file)
        assert table.schema.equals(SCHEMA)
        rows = table.to_pylist()
        assert [row["image_id"] for row in rows] == [row["image_id"] for row in figures if row["subset"] == subset]
        for row in rows:
            article = articles[row["article_accession_id"]]
            assert {name: article.get(name) for name in row.keys() - {"image_id", "article_url"}} == {
                name: value for name, value in row.items() if name not in {"image_id", "article_url"}
            }
            assert row["article_url"] == f"https://pmc.ncbi.nlm.nih.gov/articles/{row['article_accession_id']}/"
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"ATTRIBUTION.parquet"}


def test_a_shard_has_images_of_its_own_subset_alone(dataset: bm.Dataset) -> None:
    shards = dataset.figures().to_table(columns=["subset", "shard"]).to_pylist()
    placed = {(row["subset"], row["shard"].split("/")[1]) for row in shards if row["shard"] is not None}
    assert placed == {(subset, subset) for subset in SUBSETS}


def test_an_older_file_gives_way_even_when_no_pair_is_left(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    package(source, 1, 1, subset="commercial")
    dataset = bm.extract(source, tmp_path / "out")
    old = tmp_path / "other" / "ATTRIBUTION.parquet"
    old.parent.mkdir()
    old.write_bytes(b"old")
    assert bm.attribution(dataset.path, tmp_path, subset="other") == [old]
    assert pq.read_table(old).num_rows == 0


def test_an_article_without_its_row_is_told(dataset: bm.Dataset, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(dataset.path, torn)
    articles = torn / "articles" / "000001.parquet"
    pq.write_table(pq.read_table(articles).slice(0, 1), articles)
    with pytest.raises(bm.DatasetError, match="has figures but no row"):
        bm.attribution(torn, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_an_unknown_subset_is_refused(dataset: bm.Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no subset is called 'free'"):
        bm.attribution(dataset, tmp_path, subset="free")


def test_the_command_names_its_files(dataset: bm.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attribution", str(dataset.path), "--subset", "commercial", "--output", str(tmp_path)]) == 0
    rows = pq.read_metadata(tmp_path / "commercial/ATTRIBUTION.parquet").num_rows
    assert capsys.readouterr().out == f"{tmp_path}/commercial/ATTRIBUTION.parquet: {rows:,} images\n"
