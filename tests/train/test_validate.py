from typing import Any

import pytest
import torch

from biomedica.train.device import Device
from biomedica.train.validate import HeldOut, Validation, recalls


def unit(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 5, generator=generator), dim=-1)


class Table(torch.nn.Module):
    """Images and tokens are features already."""

    def forward(self, images: torch.Tensor, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"image_features": images, "text_features": tokens}


def test_recall_is_that_of_sorting_everything(cpu: Device) -> None:
    images, texts = unit(64, 1), torch.nn.functional.normalize(unit(64, 1) + 0.7 * unit(64, 2), dim=-1)
    found = recalls(Table(), HeldOut(lambda: zip(images.split(7), texts.split(7), strict=True)), cpu)
    for way, scores in (("image_to_text", images @ texts.T), ("text_to_image", texts @ images.T)):
        for k in (1, 5, 10):
            hits = [i in scores[i].argsort(descending=True)[:k].tolist() for i in range(64)]
            assert found[f"{way}_recall@{k}"] == sum(hits) / 64
    assert found["chance_recall@1"] == 1 / 64


def test_ties_count_against_the_model(cpu: Device) -> None:
    same = torch.nn.functional.normalize(torch.ones(20, 5), dim=-1)
    found = recalls(Table(), HeldOut(lambda: [(same, same)]), cpu)
    assert found["image_to_text_recall@1"] == found["text_to_image_recall@10"] == 0


def test_a_model_is_in_training_again_afterwards(cpu: Device) -> None:
    model = Table().train()
    features = torch.eye(12)
    found = Validation("none", cpu, HeldOut(lambda: [(features, features)])).of(model)
    assert model.training
    assert (found["samples"], found["image_to_text_recall@1"], found["text_to_image_recall@1"]) == (12, 1, 1)


def test_no_more_is_read_than_the_limit(cpu: Device) -> None:
    read = []

    def batches() -> Any:
        for number in range(100):
            read.append(number)
            yield torch.eye(4), torch.eye(4)

    found = recalls(Table(), HeldOut(batches, limit=6), cpu)
    assert (found["samples"], len(read)) == (6, 2)


def test_no_samples_are_said(cpu: Device) -> None:
    with pytest.raises(ValueError, match="no samples"):
        recalls(Table(), HeldOut(lambda: ()), cpu)
