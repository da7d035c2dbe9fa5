"""`embed`: a row a figure, whatever makes the features, and whatever ends a run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform

import biomedica as bm
from biomedica.cli import main
from biomedica.concepts import encoder
from biomedica.concepts.features import Features
from made import package, packages, tree

TINY = "test_vit"
"""A model of timm's with 0.4 million weights."""


@pytest.fixture
def dataset(tmp_path: Path) -> bm.Dataset:
    """Four parts; one of the images begins as a JPEG and goes on as nothing."""
    source = packages(tmp_path / "in", 12)
    return bm.extract(source, tmp_path / "out", part_size=3)


def features(dataset: bm.Dataset, name: str) -> dict[str, Any]:
    rows = dataset.sidecar(f"features/{name}").to_table().to_pylist()
    return {row["image_id"]: row["features"] for row in rows}


def is_pair(dataset: bm.Dataset) -> dict[str, bool]:
    rows = dataset.figures().to_table(columns=["image_id", "status"]).to_pylist()
    return {row["image_id"]: row["status"] == "ok" for row in rows}


def test_features_are_those_that_timm_makes_of_each_image(dataset: bm.Dataset) -> None:
    done = bm.embed(dataset, model=TINY, random_init=True, seed=3, dtype="float32", batch_size=5)
    assert (done.name, done.dimension, done.unreadable) == (TINY, 64, 0)
    found, pairs = features(dataset, TINY), is_pair(dataset)
    assert {image_id: row is not None for image_id, row in found.items()} == pairs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = timm.create_model(TINY, num_classes=0, img_size=224).eval()
    transform = create_transform(**resolve_model_data_config(model), is_training=False)  # type: ignore[no-untyped-call]
    for image_id in [image_id for image_id, there in pairs.items() if there][:4]:
        (dataset.path / "x").write_bytes(dataset.image(image_id))
        with Image.open(dataset.path / "x") as image, torch.inference_mode():
            expected = model(transform(image.convert("RGB"))[None])[0].numpy()
        # Our own resampling is Pillow's but for rounding.
        assert np.corrcoef(expected, np.array(found[image_id]))[0, 1] > 0.999
        (dataset.path / "x").unlink()


def test_a_file_of_weights_gives_the_features_of_the_model_it_came_from(dataset: bm.Dataset, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = timm.create_model(TINY, num_classes=0, img_size=224)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    bm.embed(dataset, model=TINY, weights=tmp_path / "weights.pt", name="file")
    bm.embed(dataset, model=TINY, random_init=True, seed=7, name="seed")
    assert features(dataset, "file") == features(dataset, "seed")
    record = json.loads((dataset.path / "features" / "file" / "model.json").read_text("utf-8"))
    assert (record["model"], record["dimension"], record["dtype"]) == (TINY, 64, "float16")
    (tmp_path / "other.pt").write_bytes(b"no weights")
    with pytest.raises(bm.ModelError, match=r"other\.pt: no weights of test_vit"):
        bm.embed(dataset, model=TINY, weights=tmp_path / "other.pt", name="other")


def test_open_clip_makes_features_of_images_and_captions_of_length_one(dataset: bm.Dataset) -> None:
    options = {"model": "open_clip:biomedica-tiny", "random_init": True, "dtype": "float32", "seed": 1}
    bm.embed(dataset, **options)  # type: ignore[arg-type] # a mapping of all kinds
    bm.embed(dataset, text=True, **options)  # type: ignore[arg-type]
    found, texts = (features(dataset, f"open_clip-biomedica-tiny{end}") for end in ("", "-text"))
    assert {key: row is None for key, row in found.items()} == {key: row is None for key, row in texts.items()}
    for row in [*found.values(), *texts.values()]:
        assert row is None or np.linalg.norm(row) == pytest.approx(1, abs=1e-4)
    # The same caption has the same features, other captions others.
    captions = dataset.figures().to_table(columns=["image_id", "caption"]).to_pylist()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = open_clip.create_model("biomedica-tiny").eval()
    tokens = open_clip.get_tokenizer("biomedica-tiny")([captions[0]["caption"]])
    with torch.inference_mode():
        expected = model.encode_text(tokens, normalize=True)[0].numpy()
    assert np.allclose(texts[captions[0]["image_id"]], expected, atol=1e-5)


def test_descriptors_need_no_weights_and_tell_pictures_apart(dataset: bm.Dataset) -> None:
    done = bm.embed(dataset, model="color-texture", dtype="float32")
    assert done.dimension == 212
    found = features(dataset, "color-texture")
    assert {key: row is not None for key, row in found.items()} == is_pair(dataset)
    # An image without an edge has no directions of edges.
    assert all(0.5 < np.linalg.norm(row) < 1.0001 for row in found.values() if row is not None)
    colours = {tuple(np.round(row[:32], 3)) for row in found.values() if row is not None}
    assert len(colours) > 5
    with pytest.raises(bm.ModelError, match="knows images only"):
        bm.embed(dataset, model="color-texture", text=True)


def test_an_image_that_cannot_be_decoded_is_null_and_counted(tmp_path: Path) -> None:
    source = packages(tmp_path / "in", 3)
    dataset = bm.extract(source, tmp_path / "out")
    [shard, *_] = dataset.shards()
    [row, *_] = [
        r for r in dataset.figures().to_table().to_pylist() if r["shard"] == f"shards/{shard.parent.name}/{shard.name}"
    ]
    with shard.open("r+b") as file:
        file.seek(row["shard_offset"] + 40)
        file.write(b"\0" * (row["shard_length"] - 40))
    for model in (TINY, "color-texture"):
        done = bm.embed(dataset, model=model, random_init=model == TINY)
        assert done.unreadable == 1
        assert features(dataset, done.name)[row["image_id"]] is None
    assert main(["embed", str(dataset.path), "--model", "color-texture", "--name", "again", "--strict"]) == 1


def test_a_run_that_was_stopped_goes_on_at_the_next_shard(dataset: bm.Dataset) -> None:
    bm.embed(dataset, model="color-texture", name="whole")
    seen = []

    def stop(state: bm.Embedding) -> None:
        seen.append(state.pairs)
        if state.pairs > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bm.embed(dataset, model="color-texture", batch_size=2, progress=stop)
    made = [
        path for path in (dataset.path / "features" / "color-texture").iterdir() if path.suffix in {".npy", ".parquet"}
    ]
    assert made
    done = bm.embed(dataset, model="color-texture")
    assert 0 < done.pairs < len(dataset) - 4
    assert features(dataset, "color-texture") == features(dataset, "whole")
    assert not list((dataset.path / "features" / "color-texture").glob("*.npy"))
    assert bm.embed(dataset, model="color-texture").pairs == 0


def test_an_update_makes_what_is_new_and_no_more(dataset: bm.Dataset) -> None:
    bm.embed(dataset, model="color-texture")
    source = dataset.path.parent / "in"
    (source / "PMC2.tar.gz").unlink()
    package(source, 99, 2)
    updated = bm.extract(source, dataset.path, part_size=3)
    assert bm.embed(updated, model="color-texture").pairs == 2
    found = features(updated, "color-texture")
    assert "PMC99_0001" in found
    assert not any(image_id.startswith("PMC2_") for image_id in found)


def test_other_features_do_not_take_a_name(dataset: bm.Dataset) -> None:
    bm.embed(dataset, model=TINY, random_init=True, name="mine")
    before = tree(dataset.path / "features")
    with pytest.raises(bm.ModelError, match="was made with weights"):
        bm.embed(dataset, model=TINY, random_init=True, seed=1, name="mine")
    with pytest.raises(bm.ModelError, match="was made with"):
        bm.embed(dataset, model="color-texture", name="mine")
    assert tree(dataset.path / "features") == before


def test_several_processes_make_what_one_makes(dataset: bm.Dataset) -> None:
    bm.embed(dataset, model=TINY, random_init=True, name="one")
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "biomedica",
         "embed", dataset.path, "--model", TINY, "--random-init", "--name", "two", "--device", "cpu"],
        check=True, capture_output=True, timeout=110,
    )  # fmt: skip
    one, two = features(dataset, "one"), features(dataset, "two")
    assert one.keys() == two.keys()
    for image_id, row in one.items():
        # Batches of another size are summed in another order.
        assert (row is None) == (two[image_id] is None)
        assert row is None or np.allclose(row, two[image_id], atol=2e-3)


def test_names_that_are_nearly_right_get_a_hint(dataset: bm.Dataset) -> None:
    with pytest.raises(bm.ModelError, match="did you mean vit_large_patch14_reg4_dinov2"):
        bm.embed(dataset, model="vit_large_patch14_reg4_dino2")
    with pytest.raises(bm.ModelError, match="did you mean ViT-B-32"):
        bm.embed(dataset, model="open_clip:VIT-B-32", random_init=True)
    with pytest.raises(bm.ModelError, match="captions need a model of open_clip"):
        bm.embed(dataset, model=TINY, random_init=True, text=True)
    for wrong in ({"batch_size": 0}, {"name": "../x"}, {"random_init": True, "weights": "a"}, {"dtype": "int8"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            bm.embed(dataset, model=TINY, **wrong)


def test_values_beyond_half_precision_are_refused(dataset: bm.Dataset) -> None:
    made = Features(dataset, "large", 2, "float16")
    with pytest.raises(bm.ModelError, match="choose float32"):
        made.write_piece("x.npy", np.full((1, 2), 1e6, np.float32))


def test_a_slug_can_be_a_folder() -> None:
    assert encoder.slug("open_clip:hf-hub:org/model") == "open_clip-hf-hub-org-model"
    assert encoder.slug("../x") == "x"
