"""Shards as others read them: tarfile, webdataset, Hugging Face datasets, open_clip."""

import gc
import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

import biomedica as bm
from made import image, package, packages, tar_gz


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    directory = tmp_path_factory.mktemp("shards")
    return bm.extract(packages(directory / "in", 40), directory / "out", part_size=16)


def test_members_are_plain_and_the_same_on_every_machine(dataset: bm.Dataset) -> None:
    names = []
    for shard in dataset.shards():
        with tarfile.open(shard) as archive:
            for member in archive.getmembers():
                assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)
                assert member.isreg()
                names.append(member.name)
        assert len({Path(name).suffix for name in names[-3:]}) == 3
        extensions = {Path(name).suffix for name in names} - {".txt", ".json"}
        assert len(extensions) == 1, "one image format a shard"
        names.clear()


def test_json_is_the_row_and_its_article(dataset: bm.Dataset) -> None:
    figures = {row["image_id"]: row for row in dataset.figures().to_table().to_pylist()}
    articles = {row["article_accession_id"]: row for row in dataset.articles().to_table().to_pylist()}
    with tarfile.open(dataset.shards()[0]) as archive:
        member = next(member for member in archive.getmembers() if member.name.endswith(".json"))
        stream = archive.extractfile(member)
        assert stream is not None
        metadata = json.load(stream)
    row = figures[metadata["image_id"]]
    wanted = {**row, **articles[row["article_accession_id"]]}
    del wanted["article_text"]
    # Null and empty columns are left out: Hugging Face datasets takes types from the first samples alone.
    assert metadata == {name: value for name, value in wanted.items() if value not in (None, [])}


# webdataset leaves its files open, for the garbage collector to close and to warn of.
leaves_files_open = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@leaves_files_open
def test_webdataset_reads_them(dataset: bm.Dataset) -> None:
    import webdataset

    urls = [str(path) for path in dataset.shards("commercial")]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode("pil"))
    expected = dataset.stats()["subsets"]["commercial"]["pairs"]
    gc.collect()
    assert len(samples) == expected > 10
    for sample in samples:
        picture = sample.get("jpg", sample.get("png"))
        assert picture.size == (64, 48)
        assert sample["txt"] == sample["json"]["caption"]
        assert sample["__key__"] == sample["json"]["image_id"]


@pytest.mark.parametrize("streaming", [False, True])
def test_hugging_face_datasets_reads_them(dataset: bm.Dataset, tmp_path: Path, streaming: bool) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    for shard in dataset.shards("commercial")[:2]:
        loaded = datasets.load_dataset(
            "webdataset", data_files=[str(shard)], split="train", cache_dir=str(tmp_path), streaming=streaming
        )
        rows = list(loaded)
        assert rows
        assert all(row["txt"] == row["json"]["caption"] for row in rows)
        assert all(isinstance(row.get("jpg", row.get("png")), Image.Image) for row in rows)


def test_hugging_face_datasets_reads_columns_that_begin_empty(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    source = tmp_path / "in"
    source.mkdir()
    for number in range(10, 20):
        package(source, number, 1)
    package(source, 30, 4)  # the first that has mentions
    dataset = bm.extract(source, tmp_path / "out")
    (shard,) = dataset.shards()
    rows = datasets.load_dataset("webdataset", data_files=[str(shard)], split="train", cache_dir=str(tmp_path / "hf"))
    assert len(rows) == 14


@leaves_files_open
def test_open_clip_reads_them(dataset: bm.Dataset) -> None:
    data = pytest.importorskip("open_clip_train.data")
    urls = "::".join(str(path) for path in dataset.shards("noncommercial"))
    pairs = dataset.stats()["subsets"]["noncommercial"]["pairs"]
    args: Any = SimpleNamespace(
        train_data=None,
        val_data=urls,
        val_num_samples=pairs,
        train_num_samples=None,
        train_data_upsampling_factors=None,
        dataset_resampled=False,
        seed=0,
        batch_size=4,
        workers=0,
        world_size=1,
        rank=0,
        distributed=False,
    )
    made = data.get_wds_dataset(
        args, lambda picture: len(picture.tobytes()), is_train=False, tokenizer=lambda text: [text]
    )
    seen = 0
    for _images, texts in made.dataloader:
        assert all(text.startswith("Caption ") for text in texts)
        seen += len(texts)
    gc.collect()
    assert seen == pairs > 10


def test_a_name_beyond_the_headers_field_is_whole(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    doi = "10.1234/" + "x" * 80
    xml = (
        f'<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta><article-id pub-id-type="doi">{doi}'
        "</article-id></article-meta></front><body><fig id='f'><caption><p>Long.</p></caption>"
        "<graphic xlink:href='f1.jpg'/></fig></body></article>"
    )
    tar_gz(source / "long.tar.gz", {"long/a.nxml": xml.encode(), "long/f1.jpg": image(1)})
    dataset = bm.extract(source, tmp_path / "out")
    (row,) = dataset.figures().to_table().to_pylist()
    assert dataset.image(row["image_id"]) == image(1)
    with tarfile.open(dataset.shards()[0]) as archive:
        stems = {member.name.split(".")[0] for member in archive.getmembers()}
        first = archive.extractfile(archive.getmembers()[0])
        assert first is not None
        assert Image.open(io.BytesIO(first.read())).size == (64, 48)
    assert stems == {row["image_id"]}
