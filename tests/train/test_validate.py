import json
from pathlib import Path
from typing import Any

import pytest
import torch

from biomedica.train.device import Device
from biomedica.train.validate import HeldOut, ZeroShot, evaluate, recall


def unit(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 5, generator=generator), dim=-1)


@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
def test_recall_in_blocks_is_that_of_sorting_everything(rows: int) -> None:
    queries, targets = unit(64, 1), unit(64, 1) + 0.7 * unit(64, 2)
    scores = queries @ targets.T
    for k, found in recall(queries, targets, rows=rows).items():
        hits = [i in scores[i].argsort(descending=True)[:k].tolist() for i in range(64)]
        assert found == sum(hits) / 64
    assert recall(queries, queries, rows=rows) == {1: 1.0, 5: 1.0, 10: 1.0}


def test_ties_count_against_the_model() -> None:
    same = torch.ones(20, 5)
    assert recall(same, same) == {1: 0.0, 5: 0.0, 10: 0.0}


class Table(torch.nn.Module):
    """Images and tokens are features already."""

    def forward(self, images: torch.Tensor, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"image_features": images, "text_features": tokens}

    def encode_text(self, tokens: torch.Tensor, *, normalize: bool) -> torch.Tensor:
        assert normalize
        return tokens


def test_everything_is_found_where_features_agree(cpu: Device) -> None:
    features = torch.eye(12)
    classes = torch.tensor([0, 1, 2, -1] * 3)
    prompts = [features[classes == number].mean(0, keepdim=True) for number in range(3)]
    data = HeldOut(lambda: zip(features.split(5), features.split(5), classes.split(5), strict=True), prompts)
    model = Table().train()
    found = evaluate(model, data, cpu)
    assert model.training
    assert (found["samples"], found["image_to_text_recall@1"], found["text_to_image_recall@1"]) == (12, 1, 1)
    assert (found["zero_shot_samples"], found["zero_shot_accuracy"]) == (9, 1)
    assert [found["zero_shot_chance"], found["zero_shot_majority"]] == pytest.approx([1 / 3, 1 / 3])
    assert found["chance_recall@1"] == 1 / 12


def test_no_more_is_read_than_the_limit(cpu: Device) -> None:
    read = []

    def batches() -> Any:
        for number in range(100):
            read.append(number)
            yield torch.eye(4), torch.eye(4), torch.full((4,), -1)

    found = evaluate(Table(), HeldOut(batches, limit=6), cpu)
    assert (found["samples"], len(read)) == (6, 2)
    assert "zero_shot_accuracy" not in found


def test_no_samples_are_said(cpu: Device) -> None:
    with pytest.raises(ValueError, match="no samples"):
        evaluate(Table(), HeldOut(lambda: ()), cpu)


TASK = {"templates": ["a {}.", "{} it is"], "classes": {"ct": "head CT", "blot": ["western blot", "immunoblot"]}}


def task(tmp_path: Path, **values: Any) -> ZeroShot:
    path = tmp_path / "task.json"
    path.write_text(json.dumps(TASK | values), "utf-8")
    return ZeroShot.read(path)


def test_a_task_has_texts_and_labels(tmp_path: Path) -> None:
    by_field = task(tmp_path, label="image_primary_label")
    assert by_field.texts()[1] == ["a western blot.", "western blot it is", "a immunoblot.", "immunoblot it is"]
    assert by_field.label("k", {"image_primary_label": ["plot", "blot"]}) == 1
    assert by_field.label("k", {"image_primary_label": "ct"}) == 0
    assert by_field.label("k", {"image_primary_label": None}) == by_field.label("k", {}) == -1
    by_key = task(tmp_path, labels={"k": "blot"})
    assert (by_key.label("k", {}), by_key.label("other", {})) == (1, -1)


@pytest.mark.parametrize(
    "values",
    [{}, {"label": "a", "labels": {}}, {"label": "a", "classes": {"one": "x"}}, {"label": "a", "templates": ["no place"]},
     {"label": "a", "classes": ["x", "y"]}, {"label": "a", "classes": {"x": [], "y": "z"}}],
)  # fmt: skip
def test_what_is_no_task_is_said(tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"task\.json"):
        task(tmp_path, **values)
