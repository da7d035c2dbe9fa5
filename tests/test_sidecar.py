"""Sidecars: a row a figure, in the figures' order, of the dataset as it is."""

from pathlib import Path

import pyarrow as pa
import pytest

import biomedica as bm
from biomedica._sidecar import Sidecar
from made import package, packages

COLUMNS = {"length": pa.int64()}


def fill(dataset: bm.Dataset, name: str = "lengths") -> list[str]:
    """Write the missing parts of a sidecar with the length of each caption; gives their names."""
    sidecar = Sidecar(dataset, name, COLUMNS)
    missing = sidecar.missing()
    for part in missing:
        captions = sidecar.figures(part, ["caption"])["caption"].to_pylist()
        sidecar.write(part, {"length": pa.array([None if text is None else len(text) for text in captions])})
    return [part.name for part in missing]


@pytest.fixture
def dataset(tmp_path: Path) -> bm.Dataset:
    return bm.extract(packages(tmp_path / "in", 12), tmp_path / "out", part_size=4)


def test_rows_stand_in_the_order_of_the_figures(dataset: bm.Dataset) -> None:
    assert fill(dataset) == ["000000", "000001", "000002"]
    rows = dataset.sidecar("lengths").to_table().to_pylist()
    figures = dataset.figures().to_table().to_pylist()
    assert [(row["image_id"], row["length"]) for row in rows] == [(f["image_id"], len(f["caption"])) for f in figures]
    assert fill(dataset) == []
    assert bm.open(dataset.path).verify()


def test_a_part_that_is_missing_is_named_and_made(dataset: bm.Dataset) -> None:
    with pytest.raises(bm.DatasetError, match="there is no sidecar lengths"):
        dataset.sidecar("lengths")
    fill(dataset)
    (dataset.path / "lengths" / "000001.parquet").write_bytes(b"no table")
    with pytest.raises(bm.DatasetError, match="no rows for part 000001"):
        dataset.sidecar("lengths")
    assert fill(dataset) == ["000001"]
    assert dataset.sidecar("lengths").count_rows() == dataset.figures().count_rows()


def test_what_an_update_withdrew_has_no_rows_and_what_is_new_is_missing(dataset: bm.Dataset) -> None:
    fill(dataset)
    source = dataset.path.parent / "in"
    (source / "PMC2.tar.gz").unlink()
    package(source, 5, 3)
    package(source, 99, 2)
    updated = bm.extract(source, dataset.path, part_size=4)
    assert fill(updated) == ["000003"]
    rows = updated.sidecar("lengths").to_table(columns=["image_id"])["image_id"].to_pylist()
    assert rows == updated.figures().to_table(columns=["image_id"])["image_id"].to_pylist()
    assert not any(row.startswith("PMC2_") for row in rows)
    assert sum(row.startswith("PMC5_") for row in rows) == 3


def test_rows_of_another_figures_table_are_stale(dataset: bm.Dataset, tmp_path: Path) -> None:
    fill(dataset)
    other = bm.extract(packages(tmp_path / "more", 13), tmp_path / "other", part_size=13)
    (tmp_path / "other" / "lengths").mkdir()
    mine, theirs = dataset.path / "lengths" / "000000.parquet", other.path / "lengths" / "000000.parquet"
    theirs.write_bytes(mine.read_bytes())
    assert fill(other) == ["000000"]


def test_columns_of_another_length_are_refused(dataset: bm.Dataset) -> None:
    sidecar = Sidecar(dataset, "lengths", COLUMNS)
    with pytest.raises(pa.ArrowInvalid, match="length"):
        sidecar.write(sidecar.parts[0], {"length": pa.array([1])})
    assert len(sidecar.missing()) == 3
