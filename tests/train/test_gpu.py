"""What needs a CUDA GPU; `make test-gpu` runs these, elsewhere they are skipped and say so."""

from collections.abc import Callable

import open_clip
import pytest
import torch

import biomedica as bm
from biomedica.train.config import Config
from biomedica.train.device import Device
from biomedica.train.gradient import Batch, backward, split

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU is here"),
]
Make = Callable[..., Config]


def cuda(precision: str) -> Device:
    return Device(torch.device("cuda", 0), precision)


def batch(size: int, side: int = 16, context: int = 8, vocabulary: int = 64) -> Batch:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, vocabulary - 1, (size, context), generator=generator)
    return torch.randn(size, 3, side, side, generator=generator).cuda(), tokens.cuda()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_accumulation_on_the_gpu_gives_the_large_batchs_gradient(nano: str, precision: str) -> None:
    open_clip.add_model_config(nano)
    model = open_clip.create_model("nano", output_dict=True, device="cuda").train()
    found = []
    for size in (None, 8):
        model.zero_grad()
        backward(model, open_clip.ClipLoss(), split([batch(32)], size), cuda(precision))
        found.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    cosine = torch.nn.functional.cosine_similarity(found[0], found[1], dim=0)
    assert cosine > (0.99999 if precision == "fp32" else 0.99)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_training_on_the_gpu_learns_and_resumes(config: Make, precision: str) -> None:
    options = {"device": "cuda", "precision": precision, "lr": 3e-3, "warmup": 5, "train_num_samples": 8}
    bm.train.train(config(**options, steps=20))
    result = bm.train.train(config(**options, steps=60, resume="latest"))
    assert result.step == 60


def test_8192_pairs_fit_on_one_gpu_by_grad_cache() -> None:
    model = open_clip.create_model("ViT-B-32", output_dict=True, device="cuda").train()
    parts = split([batch(8192, side=224, context=77, vocabulary=49408)], 256)
    loss = backward(model, open_clip.ClipLoss(), parts, cuda("bf16"))
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
