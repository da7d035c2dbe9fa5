"""The case `training`: steps of contrastive training on real shards, beside made-up batches and open_clip's own program."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from biomedica.benchmarks.corpus import Corpus
from biomedica.benchmarks.loading import photographs
from biomedica.benchmarks.measure import Contender, Measured, beside, interleaved, timed
from biomedica.train import data, gradient, model, optimizer
from biomedica.train.config import PRECISIONS, Config
from biomedica.train.device import choose
from biomedica.train.distributed import World
from biomedica.train.loop import Loader, endless

STEPS, SKIPPED = 16, 8
"""Steps of a round, and the first steps of open_clip's program, which do not count."""
THEIR_PRECISION = {"fp32": "fp32", "bf16": "amp_bf16"}
THEIR_RATE = re.compile(r"Batch \(t\): [\d.]+, ([\d.]+)/s")
THEIR_PROGRAM = f"""
import sys, open_clip
from biomedica.benchmarks.loading import mend_open_clip
from open_clip_train.main import main
open_clip.add_model_config({str(model.BUILT_IN)!r})
mend_open_clip()
main(sys.argv[1:])
"""


@dataclass(frozen=True, slots=True)
class Size:
    """What is trained: as much as the device can do in a second or two."""

    model: str
    batch: int
    precision: str
    samples: int
    """Of the shards."""


ON_GPU = Size("ViT-B-32", 512, "bf16", 8_192)
ON_CPU = Size("biomedica-tiny", 64, "fp32", 512)


def training(corpus: Corpus, rounds: int) -> Measured:
    """Steps of training: a ViT-B-32 in batches of 512 on a GPU, a tiny model in batches of 64 without one."""
    size = ON_GPU if choose("auto", 0, "fp32").is_cuda else ON_CPU
    world = World(0, 1, choose("auto", 0, size.precision))
    world.device.prepare()
    shards = photographs(corpus, size.samples)

    def config(source: str) -> Config:
        return Config(
            train_data=(source,), model=size.model, batch_size=size.batch, precision=size.precision,
            train_num_samples=size.samples,
        )  # fmt: skip

    real = config(f"{shards}/*.tar")
    scratch = model.create(real, world)

    def ours(name: str, config: Config) -> Contender:
        step = stepping(config, world, data.loader(config, scratch, world))

        def steps() -> None:
            for _ in range(STEPS):
                step()
            world.device.synchronize()

        return timed(name, steps, STEPS * size.batch)

    contenders = [
        ours("biomedica", real),
        ours("made-up", config("synthetic")),
        lambda: {"open_clip": theirs(sorted(shards.glob("*.tar")), size, world)},
    ]
    measured = interleaved(contenders, rounds)
    # Without a GPU, decoding takes the cores from the model.
    goal = ">= 0.95" if world.device.is_cuda else ""
    case = f"training, {size.model} in batches of {size.batch}, {world.device.name}"
    return [
        beside(measured, case, "open_clip_train.main", 1, "images/s", theirs="open_clip"),
        beside(measured, case, "made-up batches in memory", 1, "images/s", theirs="made-up", goal=goal),
    ], measured


def stepping(config: Config, world: World, loader: Loader) -> Callable[[], None]:
    """One step of training, as the loop does it, on the loader's next batch, epoch after epoch."""
    made = model.create(config, world).train()
    adamw, loss = optimizer.create(made, config, fused=world.device.is_cuda), model.create_loss(config, world)
    batches = endless(loader)

    def step() -> None:
        images, tokens = next(batches)
        batch = world.device.move(images), world.device.move(tokens)
        gradient.backward(made, loss, gradient.split([batch], None), world.device)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        optimizer.clamp_logit_scale(made)

    return step


def theirs(shards: list[Path], size: Size, world: World) -> float:
    """Seconds an image of open_clip's program, by what it logs: the mean of the steps that count."""
    with tempfile.TemporaryDirectory() as logs:
        given = {
            "--train-data": "::".join(map(str, shards)), "--dataset-type": "webdataset", "--model": size.model,
            "--train-num-samples": (STEPS + SKIPPED) * size.batch, "--batch-size": size.batch, "--logs": logs,
            "--precision": THEIR_PRECISION[PRECISIONS[size.precision]], "--epochs": 1, "--log-every-n-steps": 1,
            "--device": world.device.torch_device.type, "--workers": os.cpu_count() or 1, "--save-frequency": 0,
        }  # fmt: skip
        words = [str(word) for option in given.items() for word in option]
        done = subprocess.run(
            [sys.executable, "-c", THEIR_PROGRAM, *words], capture_output=True, text=True, check=False
        )
    lines = done.stderr.splitlines() + done.stdout.splitlines()
    rates = [float(found[1]) for line in lines if (found := THEIR_RATE.search(line))][SKIPPED:]
    if done.returncode or not rates:
        raise RuntimeError(f"open_clip_train.main: {next((line for line in lines[::-1] if line.strip()), 'no output')}")
    return statistics.fmean(1 / rate for rate in rates)
