"""What two processes do, run by `torchrun`; `test_distributed` judges the files that the main one writes."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import distributed as dist

from biomedica.train.config import Config
from biomedica.train.device import Device
from biomedica.train.distributed import World
from biomedica.train.gradient import Batch, backward, split
from biomedica.train.loop import run
from biomedica.train.model import create_loss
from biomedica.train.synthetic import SyntheticLoader

CASES: dict[str, dict[str, Any]] = {
    "clip": {},
    "clip, all rows": {"local_loss": False},
    "clip, gather without gradient": {"local_loss": False, "gather_with_grad": False},
    "siglip": {"siglip": True},
}
SIZES = (None, 3, 4)


def gradients_of(model_file: str, rank: int) -> dict[str, dict[str, float]]:
    """How far the gradient over two processes is from that of the whole batch in one."""
    open_clip.add_model_config(model_file)
    device = Device(torch.device("cpu"), "fp32")
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(16, 3, 16, 16, generator=generator, dtype=torch.float64)
    tokens = torch.randint(1, 64, (16, 8), generator=generator)
    found: dict[str, dict[str, float]] = {}
    for name, options in CASES.items():
        config = Config(**options)
        torch.manual_seed(3)
        bias = {"init_logit_bias": -2.0} if config.siglip else {}
        model: Any = open_clip.create_model("nano", output_dict=True, **bias).double().train()
        create_loss(config, World(0, 1, device))(**model(images, tokens)).backward()
        wanted = {name: p.grad.clone() for name, p in model.named_parameters()}
        half = images[rank::2], tokens[rank::2]
        for size in SIZES:
            model.zero_grad(set_to_none=True)
            loss = create_loss(config, World(rank, 2, device))
            backward(device.wrap(model, 2), loss, split([half], size), device)
            ratios = {}
            for parameter, wanted_gradient in wanted.items():
                ours = dict(model.named_parameters())[parameter].grad
                scale = (ours * wanted_gradient).sum() / wanted_gradient.square().sum()
                far = (ours - scale * wanted_gradient).abs().max() / wanted_gradient.abs().max()
                ratios[parameter] = [float(scale), float(far)]
            towers = [ratio for parameter, ratio in ratios.items() if not parameter.startswith("logit_")]
            found[f"{name}, {size}"] = {
                "least": min(scale for scale, _ in towers), "most": max(scale for scale, _ in towers),
                "far": max(far for _, far in ratios.values()), "logit_scale": ratios["logit_scale"][0],
            }  # fmt: skip
    return found


class Signalling(SyntheticLoader):
    """Sends one of the processes a signal while it hands out its fifth batch."""

    def __iter__(self) -> Iterator[Batch]:
        for number, batch in enumerate(super().__iter__()):
            if number == 4 and self._rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch


def runs(model_file: str, directory: Path, rank: int) -> dict[str, Any]:
    """A straight run; one that is stopped by a signal to one process, and its resumption."""
    options: dict[str, Any] = {
        "train_data": ("synthetic",), "train_num_samples": 64, "model": model_file, "batch_size": 4, "accum_freq": 2,
        "steps": 6, "warmup": 2, "lr": 1e-3, "logs": str(directory), "log_every": 1, "save_every": "never",
        "device": "cpu", "report_to": "none",
    }  # fmt: skip
    straight = run(Config(name="straight", **options))
    loader = Signalling(
        samples=64, batch_size=4, image_size=16, context_length=8, vocab_size=64, rank=rank, world_size=2
    )
    stopped = run(Config(name="resumed", **options), loader=loader)
    resumed = run(Config(name="resumed", resume="latest", **options))
    return {
        "stopped": [stopped.step, stopped.stopped],
        "straight": str(straight.checkpoint), "resumed": str(resumed.checkpoint),
    }  # fmt: skip


def main(model_file: str, directory: Path) -> None:
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    dist.init_process_group("gloo")
    found: dict[str, Any] = {"gradients": gradients_of(model_file, rank)}
    found |= runs(model_file, directory, rank)
    dist.destroy_process_group()
    if rank == 0:
        (directory / "found.json").write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
