"""`export`: the readers that others use open what it wrote, and find in it what the dataset has."""

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import open_clip_train.data
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import biomedica as bm
from biomedica._sidecar import Sidecar
from biomedica.cli import main
from made import package, packages

LABELS = {
    "image_cluster_id": pa.int32(),
    "image_panel_type": pa.string(),
    "image_panel_subtype": pa.string(),
    "image_primary_label": pa.list_(pa.string()),
    "image_secondary_label": pa.list_(pa.string()),
}


def write_labels(dataset: bm.Dataset) -> None:
    """Labels of every second figure."""
    sidecar = Sidecar(dataset, "labels", LABELS)
    for part in sidecar.missing():
        count = sidecar.figures(part, ["image_id"]).num_rows
        odd = [number % 2 == 1 for number in range(count)]
        values = {
            "image_cluster_id": [number if is_odd else None for number, is_odd in enumerate(odd)],
            "image_panel_type": ["single" if is_odd else None for is_odd in odd],
            "image_panel_subtype": [None] * count,
            "image_primary_label": [["Microscopy"] if is_odd else None for is_odd in odd],
            "image_secondary_label": [["light microscopy", "stain"] if is_odd else None for is_odd in odd],
        }
        sidecar.write(part, {name: pa.array(values[name], kind) for name, kind in LABELS.items()})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    """Articles of all subsets, in several parts, JPEGs and PNGs; one was withdrawn; half the figures have labels."""
    directory = tmp_path_factory.mktemp("export")
    source = packages(directory / "in", 18)
    for number in range(100, 106):
        package(source, number, 2, extension="png")
    bm.extract(source, directory / "out", part_size=8)
    (source / "PMC3.tar.gz").unlink()
    dataset = bm.extract(source, directory / "out", part_size=8)
    write_labels(dataset)
    return dataset


@pytest.fixture(autouse=True)
def no_bars() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def pairs_of(dataset: bm.Dataset) -> dict[str, dict[str, Any]]:
    """Each pair as the tables have it."""
    labels = {row["image_id"]: row for row in dataset.sidecar("labels").to_table().to_pylist()}
    articles = {row["article_accession_id"]: row for row in dataset.articles().to_table().to_pylist()}
    return {
        row["image_id"]: {**articles[row["article_accession_id"]], **row, **labels[row["image_id"]]}
        for row in dataset.figures().to_table().to_pylist()
        if row["status"] == "ok"
    }


def load(folder: Path, name: str, cache: Path) -> datasets.Dataset:
    return datasets.load_dataset(str(folder), name, split="train", cache_dir=str(cache))


def test_datasets_opens_parquet_with_images_and_all_columns(dataset: bm.Dataset, tmp_path: Path) -> None:
    pairs = pairs_of(dataset)
    assert not any(row["article_accession_id"] == "PMC3" for row in pairs.values())
    exported = bm.export(dataset, tmp_path / "hub")
    assert sum(exported.pairs.values()) == len(pairs)
    found: dict[str, dict[str, Any]] = {}
    for subset, count in exported.pairs.items():
        loaded = load(tmp_path / "hub", subset, tmp_path / "cache")
        assert loaded.features["image"] == datasets.Image()
        assert len(loaded) == count
        assert loaded[0]["image"].size == (64, 48)
        rows = loaded.cast_column("image", datasets.Image(decode=False)).to_list()
        assert {row["subset"] for row in rows} == {subset}
        found |= {row["image_id"]: row for row in rows}
    assert found.keys() == pairs.keys()
    for image_id, row in found.items():
        assert row["image"]["bytes"] == dataset.image(image_id)
        assert row["image"]["path"].startswith(f"{image_id}.")
        assert {name: value for name, value in row.items() if name != "image"} == {
            name: pairs[image_id][name] for name in row if name != "image"
        }
    assert {"caption", "image_context", "article_title", "article_license", *LABELS} <= row.keys()
    # Nothing of where it lay, nor of the machine.
    assert not {"shard", "shard_offset", "source", "status", "part"} & row.keys()


def test_datasets_opens_shards_whose_samples_are_those_of_the_dataset_with_labels(
    dataset: bm.Dataset, tmp_path: Path
) -> None:
    pairs = pairs_of(dataset)
    exported = bm.export(dataset, tmp_path / "hub", format="webdataset", samples_per_shard=7)
    originals = {sample.key: sample for sample in bm.stream(dataset.path, shuffle=False)}
    seen = set()
    for sample in bm.stream(exported.files, shuffle=False):
        original = originals[sample.key]
        assert bytes(sample.image) == bytes(original.image)
        assert (sample.caption, sample.extensions) == (original.caption, original.extensions)
        labels = {name: pairs[sample.key][name] for name in LABELS if pairs[sample.key][name] is not None}
        left_out = {"shard", "shard_offset", "shard_length", "source", "status"}
        kept = {name: value for name, value in original.metadata.items() if name not in left_out}
        assert sample.metadata == kept | labels
        seen.add(sample.key)
    assert seen == pairs.keys()
    for path in exported.files:
        with tarfile.open(path) as archive:
            names = archive.getnames()
        assert len(names) <= 21
        assert {name.split(".")[1] for name in names} == {path.name.split("-")[0], "txt", "json"}
        assert path.with_suffix(".idx").is_file()
    loaded = load(tmp_path / "hub", "commercial-png", tmp_path / "cache")
    assert loaded[0]["png"].size == (64, 48)
    assert loaded[0]["txt"] == pairs[loaded[0]["__key__"]]["caption"]


def test_open_clip_reads_the_table_of_image_files(dataset: bm.Dataset, tmp_path: Path) -> None:
    exported = bm.export(dataset, tmp_path / "csv", format="csv", subset="commercial")
    read = open_clip_train.data.CsvDataset(
        str(exported.files[0]), transforms=lambda image: image.convert("RGB").size, img_key="filepath", caption_key="title", sep="\t",
        tokenizer=lambda texts: texts,
    )  # fmt: skip
    captions = sorted(row["caption"] for row in pairs_of(dataset).values() if row["subset"] == "commercial")
    assert sorted(read[number][1] for number in range(len(read))) == captions
    assert {read[number][0] for number in range(len(read))} == {(64, 48)}


def test_a_selection_is_exported_alone_with_its_attribution_and_recipe(dataset: bm.Dataset, tmp_path: Path) -> None:
    chosen = bm.select(dataset, tmp_path / "chosen.parquet", drop_concepts="Microscopy", where="subset = 'commercial'")
    exported = bm.export(dataset, tmp_path / "hub", selection=chosen)
    assert exported.pairs == {"commercial": len(chosen)}
    ids = set(pq.read_table(tmp_path / "chosen.parquet")["image_id"].to_pylist())
    assert set(pq.read_table(exported.files, columns=["image_id"])["image_id"].to_pylist()) == ids
    attribution = pq.read_table(tmp_path / "hub" / "attribution" / "commercial" / "ATTRIBUTION.parquet")
    assert set(attribution["image_id"].to_pylist()) == ids
    card = (tmp_path / "hub" / "README.md").read_text()
    recipe = json.loads(card.split("```json")[1].split("```")[0])
    assert recipe == {"recipe": chosen.recipe, "sha256": chosen.sha256}
    # Any list of ids will do.
    few = sorted(ids)[:3]
    assert bm.export(dataset, tmp_path / "few", selection=few).pairs == {"commercial": 3}
    with pytest.raises(bm.DatasetError, match="no pair to export"):
        bm.export(dataset, tmp_path / "none", selection=["PMC1_9999"])
    assert not (tmp_path / "none").exists()


def test_files_are_of_one_size_and_count_themselves(dataset: bm.Dataset, tmp_path: Path) -> None:
    exported = bm.export(dataset, tmp_path / "hub", subset="commercial", file_size=1)
    names = [path.name for path in exported.files]
    assert names == [f"train-{number:05}-of-{len(names):05}.parquet" for number in range(len(names))]
    assert len(names) > 1
    assert sum(pq.read_metadata(path).num_rows for path in exported.files) == exported.pairs["commercial"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", ["parquet", "webdataset"])
def test_the_same_dataset_gives_the_same_bytes(dataset: bm.Dataset, tmp_path: Path, form: Any) -> None:
    for name in ("one", "two"):
        bm.export(dataset, tmp_path / name, format=form)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_export_gives_way_only_when_told_and_other_things_never(dataset: bm.Dataset, tmp_path: Path) -> None:
    place = tmp_path / "hub"
    bm.export(dataset, place, subset="other")
    with pytest.raises(bm.DatasetError, match="an export already"):
        bm.export(dataset, place)
    assert bm.export(dataset, place, subset="commercial", overwrite=True).pairs.keys() == {"commercial"}
    assert not (place / "other").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(bm.DatasetError, match="something else"):
        bm.export(dataset, tmp_path / "thesis", overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"hub", "thesis"}


def test_what_breaks_off_leaves_nothing(dataset: bm.Dataset, tmp_path: Path) -> None:
    def stop(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bm.export(dataset, tmp_path / "hub", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_sample_that_is_damaged_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    damaged = bm.extract(packages(tmp_path / "in", 4), tmp_path / "out")
    shard = damaged.shards()[0]
    data = shard.read_bytes()
    shard.write_bytes(data[:600])
    with pytest.raises(bm.DatasetError, match="verify the dataset"):
        bm.export(damaged, tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_the_card_says_what_there_is(dataset: bm.Dataset, tmp_path: Path) -> None:
    exported = bm.export(dataset, tmp_path / "hub")
    card = (tmp_path / "hub" / "README.md").read_text()
    for subset, count in exported.pairs.items():
        assert f"- config_name: {subset}" in card
        assert f"| `{subset}` | {count:,} |" in card
    assert "| `caption` | `string` | the figure's caption as plain text |" in card


def test_the_command_says_what_it_wrote_and_what_comes_next(
    dataset: bm.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(dataset.path), "--output", str(tmp_path / "hub"), "--subset", "other"]) == 0
    told = capsys.readouterr().out
    assert f"next:    biomedica push {tmp_path / 'hub'} NAME/DATASET" in told
    image = pq.read_table(tmp_path / "hub" / "other", columns=["image"])["image"][0].as_py()
    assert Image.open(io.BytesIO(image["bytes"])).size == (64, 48)
