"""Training on real shards, through the loader."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import biomedica as bm
from biomedica.exceptions import TrainingError
from biomedica.train import checkpoint
from biomedica.train.config import Config

Make = Callable[..., Config]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("PIL", reason="Pillow is not installed: pip install 'biomedica[demo]'")
    directory = tmp_path_factory.mktemp("shards")
    return str(bm.extract(bm.demo.make(directory, articles=20), directory / "dataset").path)


def test_resumed_on_shards_is_uninterrupted_to_the_bit(config: Make, dataset: str) -> None:
    options: dict[str, Any] = {"train_data": (dataset,), "model": "biomedica-tiny", "batch_size": 16, "steps": 6}
    straight = bm.train.train(config(name="straight", **options))
    first = bm.train.train(config(save_every="3", **options))
    half, last = checkpoint.whole(first.directory / "checkpoints")
    assert (half.step, last.step) == (3, 6)
    shutil.rmtree(last.path)
    resumed = bm.train.train(config(resume="latest", **options))
    ours, theirs = (load_file(run.checkpoint / "model.safetensors") for run in (resumed, straight))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    states = [checkpoint.find(str(run.checkpoint), run.directory).manifest["loader"] for run in (resumed, straight)]
    assert states[0] == states[1]


def test_held_out_shards_are_validated(config: Make, dataset: str) -> None:
    options: dict[str, Any] = {"train_data": (dataset,), "val_data": (dataset,), "model": "biomedica-tiny", "steps": 1}
    result = bm.train.train(config(**options, val_num_samples=40))
    assert result.metrics["samples"] == 40
    assert 0 <= result.metrics["image_to_text_recall@10"] <= 1


TASK = """
name = "formats"
domain = "own"
kind = "classify"
metric = "balanced_accuracy"
templates = ["a {}"]
licence = "CC0-1.0"
citation = "nobody"
source_url = "https://example.org"
how_to_get = "draw it"
[data]
format = "webdataset"
path = "shards/*/*.tar"
split = "all"
label = "image_format"
filter = {image_format = ["jpeg", "png"]}
[[classes]]
name = "photo"
label = "jpeg"
[[classes]]
name = "plot"
label = "png"
"""


def test_tasks_are_judged_within_training_as_evaluate_does_it(config: Make, dataset: str, tmp_path: Path) -> None:
    (tmp_path / "formats.toml").write_text(TASK, "utf-8")
    options: dict[str, Any] = {
        "train_data": (dataset,), "model": "biomedica-tiny", "steps": 4, "batch_size": 8, "eval_every": 2,
        "eval_tasks": (str(tmp_path / "formats.toml"),), "eval_data_root": dataset,
    }  # fmt: skip
    result = bm.train.train(config(**options))
    rows = [json.loads(line) for line in (result.directory / "metrics.jsonl").read_text("utf-8").splitlines()]
    told = {row["step"]: row for row in rows if row["event"] == "validation"}
    assert list(told) == [2, 4]
    assert told[4]["formats_balanced_accuracy_chance"] == 0.5
    found = bm.evaluate(
        str(result.directory),
        tmp_path / "out",
        tasks=options["eval_tasks"],
        data_root=dataset,
        cache=tmp_path / "cache",
    )
    primary = found.primary(found.models[0].name, "formats")
    assert primary is not None
    assert result.metrics["formats_balanced_accuracy"] == told[4]["formats_balanced_accuracy"] == primary.value
    merged = bm.merge(
        result.checkpoint, result.checkpoint, tmp_path / "m.safetensors", alpha=[0, 1], config=config(**options)
    )
    assert [one.metrics["formats_balanced_accuracy"] for one in merged] == [primary.value] * 2
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


def test_tasks_without_data_are_refused_before_training(config: Make, dataset: str, tmp_path: Path) -> None:
    (tmp_path / "formats.toml").write_text(TASK, "utf-8")
    with pytest.raises(TrainingError, match=r"--eval-tasks: formats: nothing is at .*draw it"):
        bm.train.train(config(train_data=(dataset,), steps=1, eval_tasks=(str(tmp_path / "formats.toml"),)))


def test_a_block_list_is_not_trained_on(config: Make, dataset: str, tmp_path: Path) -> None:
    with bm.stream(dataset) as stream:
        ids = sorted(sample.key for sample in stream)
    (tmp_path / "blocked.txt").write_text("\n".join(ids[16:]))
    with bm.loader(dataset, batch_size=8, exclude=tmp_path / "blocked.txt") as batches:
        assert len(batches) == 2
    options: dict[str, Any] = {
        "train_data": (dataset,),
        "model": "biomedica-tiny",
        "batch_size": 8,
        "epochs": 1,
        "steps": None,
    }
    result = bm.train.train(config(**options, exclude=str(tmp_path / "blocked.txt")))
    assert result.step == 2


def test_a_selection_is_trained_and_validated_on(
    config: Make, dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = bm.select(dataset, tmp_path / "chosen.parquet", sample=24)
    with bm.stream(dataset, selection=chosen) as stream:
        own = {sample.key for sample in stream}
    batches = bm.loader(dataset, batch_size=8, selection=chosen)
    assert len(own) == 24
    assert len(batches) == 3
    batches.close()
    options: dict[str, Any] = {
        "train_data": (dataset,), "val_data": (dataset,), "model": "biomedica-tiny", "batch_size": 8, "steps": 3,
    }  # fmt: skip
    result = bm.train.train(config(**options, selection=str(chosen.path), val_selection=str(chosen.path)))
    assert result.metrics["samples"] == 24
    assert "not in the data" not in capsys.readouterr().err
    (tmp_path / "more.txt").write_text("\n".join([*own, "PMC0_0001"]))
    bm.train.train(config(name="more", **options, selection=str(tmp_path / "more.txt")))
    assert "selection: 1 of its samples are not in the data" in capsys.readouterr().err
    with pytest.raises(bm.SourceNotFoundError, match="no such file"):
        bm.train.train(config(name="none", **options, selection=str(tmp_path / "none.parquet")))
