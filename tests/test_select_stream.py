"""Selections as streams take them: which bytes they read, and what becomes of those that do not fit."""

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import biomedica as bm
from bucket import Bucket
from loopback import FileServer
from made import packages
from shards import keys, write_shards

SHARDS, PER_SHARD, SIZE = 10, 200, 30_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of samples about as large as figures are, with indexes."""
    directory = tmp_path_factory.mktemp("large")
    for shard in write_shards(directory, SHARDS, PER_SHARD, SIZE):
        bm.index(shard)
    return directory


@pytest.fixture
def server(root: Path) -> Iterator[FileServer]:
    server = FileServer(root)
    yield server
    server.close()


def some(step: int) -> list[str]:
    return [f"s{number:05}" for number in range(0, SHARDS * PER_SHARD, step)]


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.glob("*.tar"))


@pytest.mark.parametrize(("step", "most"), [(100, 0.03), (10, 0.12), (3, 0.4), (2, 1.0), (1, 1.05)])
def test_a_selection_reads_little_more_than_its_share_of_the_bytes(
    root: Path, server: FileServer, step: int, most: float
) -> None:
    found = keys(bm.stream(server.url + "/{000..009}.tar", selection=some(step), seed=1))
    assert sorted(found) == some(step)
    assert server.sent < most * size(root)


def test_neighbours_of_a_dense_selection_come_by_one_request(server: FileServer) -> None:
    found = keys(bm.stream(server.url + "/{000..009}.tar", selection=some(2), seed=1))
    assert len(server.ranges) < len(found) / 4


def test_neighbours_of_a_sparse_selection_come_together_without_what_lies_between(
    root: Path, server: FileServer
) -> None:
    chosen = [f"s{number:05}" for number in range(SHARDS * PER_SHARD) if number % 40 < 4]
    found = keys(bm.stream(server.url + "/{000..009}.tar", selection=chosen, seed=1))
    assert sorted(found) == chosen
    assert len(server.ranges) < len(found) / 2
    assert server.sent < 0.12 * size(root)


def test_what_is_selected_comes_in_the_same_order_from_disk_and_from_a_server(root: Path, server: FileServer) -> None:
    local = keys(bm.stream(root / "*.tar", selection=some(7), seed=5))
    assert keys(bm.stream(server.url + "/{000..009}.tar", selection=some(7), seed=5)) == local


def test_a_state_belongs_to_its_selection(root: Path) -> None:
    stream = bm.stream(root / "*.tar", selection=some(10), seed=1)
    ahead = [sample.key for sample, _ in zip(stream, range(30), strict=False)]
    state = stream.state_dict(taken=30)
    again = bm.stream(root / "*.tar", selection=reversed(some(10)), seed=9)
    again.load_state_dict(state)
    assert sorted(ahead + keys(again)) == some(10)
    other = bm.stream(root / "*.tar", selection=[f"s{int(one[1:]) + 1:05}" for one in some(10)], seed=1)
    with pytest.raises(ValueError, match="cannot be loaded"):
        other.load_state_dict(state)


def test_a_selection_of_shards_without_an_index_is_refused(server: FileServer) -> None:
    def without_index(handler: BaseHTTPRequestHandler, _: int) -> bool:
        is_index = handler.path.endswith(".idx")
        if is_index:
            handler.send_error(404)
        return is_index

    server.fault = without_index
    with pytest.raises(bm.SourceNotFoundError, match="a selection needs an index"):
        bm.stream(server.url + "/000.tar", selection=some(7))
    with pytest.raises(bm.SourceNotFoundError, match="an exclusion needs an index"):
        bm.stream(server.url + "/000.tar", exclude=some(7))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    directory = tmp_path_factory.mktemp("select")
    return bm.extract(packages(directory / "in", 20), directory / "out", part_size=4)


def test_a_selection_is_taken_as_itself_its_path_and_its_ids(dataset: bm.Dataset, tmp_path: Path) -> None:
    chosen = bm.select(dataset, tmp_path / "some.parquet", sample=15)
    ids = pq.read_table(chosen.path)["image_id"]
    for selection in (
        chosen,
        chosen.path,
        os.fspath(chosen),
        ids,
        ids.combine_chunks(),
        ids.to_pylist(),
        iter(ids.to_pylist()),
    ):
        stream = bm.stream(dataset.path, selection=selection, shuffle=False)
        assert sorted(keys(stream)) == sorted(ids.to_pylist())
        assert (len(stream), stream.stats["missing_samples"]) == (15, 0)


def test_ids_that_are_nowhere_are_counted(dataset: bm.Dataset, tmp_path: Path) -> None:
    chosen = bm.select(dataset, tmp_path / "some.parquet", sample=15)
    ids = pq.read_table(chosen.path)["image_id"].to_pylist()
    stream = bm.stream(dataset.path, selection=[*ids, "PMC999_0001", ids[0]])
    assert (len(stream), stream.stats["missing_samples"]) == (15, 1)
    assert bm.stream(dataset.path).stats["missing_samples"] == 0


def test_what_is_excluded_is_not_streamed_though_it_is_selected(
    dataset: bm.Dataset, root: Path, tmp_path: Path
) -> None:
    ids = sorted(sample.key for sample in bm.stream(dataset.path))
    pq.write_table(pa.table({"image_id": ids[:7], "evidence": [["exact"]] * 7}), tmp_path / "blocked.parquet")
    for exclude in (tmp_path / "blocked.parquet", [*ids[:7], "PMC999_0001"], iter(ids[:7])):
        stream = bm.stream(dataset.path, exclude=exclude, shuffle=False)
        assert (sorted(keys(stream)), stream.stats["missing_samples"]) == (ids[7:], 0)
    stream = bm.stream(dataset.path, selection=[*ids[:10], "PMC999_0001"], exclude=ids[:7])
    assert (sorted(keys(stream)), stream.stats["missing_samples"]) == (ids[7:10], 1)
    assert sorted(keys(bm.stream(root / "*.tar", exclude=some(2)))) == sorted(set(some(1)) - set(some(2)))
    assert sorted(keys(bm.stream(dataset.path, exclude=[]))) == ids
    with pytest.raises(bm.SourceError, match="no sample is left of these shards"):
        bm.stream(dataset.path, exclude=ids)
    with pytest.raises(bm.SourceNotFoundError, match="no such file"):
        bm.stream(dataset.path, exclude=tmp_path / "none.parquet")


def test_a_selection_of_another_dataset_is_an_error(dataset: bm.Dataset, root: Path, tmp_path: Path) -> None:
    chosen = bm.select(dataset, tmp_path / "some.parquet", sample=15)
    with pytest.raises(bm.SourceError, match="none of the selected samples is in these shards"):
        bm.stream(root / "*.tar", selection=chosen)


def test_a_damaged_selection_is_an_error(dataset: bm.Dataset, tmp_path: Path) -> None:
    chosen = Path(bm.select(dataset, tmp_path / "some.parquet", sample=15).path)
    whole = chosen.read_bytes()
    table = pq.read_table(chosen)
    for damaged, told in (
        (whole[: len(whole) // 2], "damaged, or no Parquet"),
        (b"", "damaged, or no Parquet"),
        (whole[:20] + b"?" * 40 + whole[60:], "damaged|cannot be read"),
    ):
        chosen.write_bytes(damaged)
        with pytest.raises(bm.DatasetError, match=told):
            bm.stream(dataset.path, selection=chosen)
    for other, told in (
        (table.slice(1), "its ids are not those that it was written with"),
        (table.rename_columns(["id", "part"]), "no column image_id"),
        (
            table.replace_schema_metadata({"biomedica.selection": '{"format": 9, "sha256": "", "recipe": {}}'}),
            "format 9",
        ),
        (table.replace_schema_metadata({"biomedica.selection": "{"}), "damaged"),
        (table.replace_schema_metadata({"biomedica.selection": "[]"}), "record of this selection is damaged"),
    ):
        pq.write_table(other, chosen)
        with pytest.raises(bm.DatasetError, match=told):
            bm.stream(dataset.path, selection=chosen)
    (tmp_path / "ids.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(bm.DatasetError, match="neither UTF-8"):
        bm.stream(dataset.path, selection=tmp_path / "ids.txt")
    with pytest.raises(bm.SourceNotFoundError, match="no such file"):
        bm.stream(dataset.path, selection=tmp_path / "none.parquet")
    pq.write_table(pa.table({"image_id": ["a"]}), chosen)
    with pytest.raises(bm.DatasetError, match="no selection"):
        bm.Selection.open(chosen)


def test_datasets_and_selections_in_a_store_are_those_on_disk(dataset: bm.Dataset, tmp_path: Path) -> None:
    local = bm.select(dataset, tmp_path / "some.parquet", where="article_license = 'CC BY'", sample=0.7)
    bucket = Bucket()
    try:
        options, root = bucket.options(), "s3://lab/sets/a b"
        bm.extract(dataset.path.parent / "in", root, part_size=4, storage_options=options)
        url = "s3://lab/some.parquet"
        made = bm.select(root, url, where="article_license = 'CC BY'", sample=0.7, storage_options=options)
        assert (made.path, made.sha256, made.recipe) == (url, local.sha256, local.recipe)
        stream = bm.stream(root, selection=made, shuffle=False, storage_options=options)
        assert sorted(keys(stream)) == sorted(pq.read_table(local.path)["image_id"].to_pylist())
        again = bm.select(root, tmp_path / "again.parquet", recipe=url, exclude=(), storage_options=options)
        assert Path(again.path).read_bytes() == Path(local.path).read_bytes()
        with pytest.raises(bm.SourceNotFoundError, match=r"s3://lab/none\.parquet"):
            bm.stream(root, selection="s3://lab/none.parquet", storage_options=options)
    finally:
        bucket.close()
