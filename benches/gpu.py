"""The whole measurement on a GPU in one call: loader alone, training on made-up data, on real shards, and open_clip's own.

    python benches/gpu.py --shards 'dataset/shards/*/*.tar' --model ViT-B-32 --batch-size 512 --precision bf16
    python benches/gpu.py --shards demo/dataset --model biomedica-tiny --batch-size 16 --steps 4 --skip 1   (CPU, a smoke test)

One JSON object a line on stdout. The first steps are not timed. The loader keeps up when real shards train as fast as
made-up data; `open_clip_train.main` runs with its webdataset loader on the same shards, model, batch and precision.
"""

import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import torch

import biomedica as bm
from biomedica.train import data, gradient, model, optimizer
from biomedica.train.config import PRECISIONS, Config
from biomedica.train.device import choose
from biomedica.train.distributed import World


class Utilisation:
    """Samples how busy the GPU is, by nvml, while its block runs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def percent(self) -> float | None:
        """Mean over the block; None without a GPU or its library."""
        return statistics.fmean(self._seen) if self._seen else None

    def _watch(self) -> None:
        while self._world.device.is_cuda and not self._over.wait(0.2):
            try:
                self._seen.append(torch.cuda.utilization(self._world.device.torch_device))
            except (ModuleNotFoundError, RuntimeError):
                return


def endless(loader: Any) -> Iterator[gradient.Batch]:
    """Epoch after epoch."""
    while True:
        yield from loader


def timed(world: World, args: argparse.Namespace, work: Callable[[], object]) -> tuple[float, float | None]:
    """Images a second of `work` over the timed steps, and how busy the GPU was."""
    for _ in range(args.skip):
        work()
    world.device.synchronize()
    with Utilisation(world) as busy:
        begin = time.perf_counter()
        for _ in range(args.steps):
            work()
        world.device.synchronize()
        seconds = time.perf_counter() - begin
    return args.batch_size * args.steps / seconds, busy.percent


def training(config: Config, world: World, loader: Any) -> Callable[[], None]:
    """One step of training, as the loop does it."""
    made = model.create(config, world).train()
    adamw, loss = optimizer.create(made, config, fused=world.device.is_cuda), model.create_loss(config, world)
    batches = endless(loader)

    def step() -> None:
        images, tokens = next(batches)
        batch = world.device.move(images), world.device.move(tokens)
        gradient.backward(made, loss, gradient.split([batch], config.grad_cache), world.device)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        optimizer.clamp_logit_scale(made)

    return step


def open_clips(args: argparse.Namespace, device: str) -> dict[str, Any]:
    """Median images/s that `open_clip_train.main` logs, after the first lines."""
    pattern = f"{args.shards}/shards/*/*.tar" if Path(args.shards).is_dir() else args.shards
    shards = sorted(glob.glob(pattern))  # noqa: PTH207 - the pattern may be absolute
    names = {"fp32": "fp32", "bf16": "amp_bf16", "fp16": "amp"}
    with tempfile.TemporaryDirectory() as logs:
        # webdataset 1.0 ends each shard with a marker, which open_clip 3.3 takes for a sample and fails on.
        code = f"""
import functools, sys, open_clip, open_clip_train.data as data
open_clip.add_model_config({str(model.BUILT_IN)!r})
data.tar_file_expander = functools.partial(data.tar_file_expander, eof_value=None)
from open_clip_train.main import main
main(sys.argv[1:])"""
        given = [
            "--train-data",
            "::".join(shards),
            "--dataset-type",
            "webdataset",
            "--model",
            args.model,
            "--logs",
            logs,
        ]
        given += [
            "--train-num-samples",
            str(args.batch_size * (args.steps + args.skip)),
            "--batch-size",
            str(args.batch_size),
        ]
        given += [
            "--precision",
            names[PRECISIONS[args.precision]],
            "--epochs",
            "1",
            "--log-every-n-steps",
            "1",
            "--device",
            device,
        ]
        given += ["--workers", str(args.workers), "--save-frequency", "0"]
        done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True, check=False)
    rates = [
        float(line.split("Batch (t): ")[1].split(",")[1].split("/s")[0])
        for line in done.stderr.splitlines() + done.stdout.splitlines()
        if "Batch (t): " in line
    ]
    if done.returncode or len(rates) <= args.skip:
        lines = [line for line in done.stderr.splitlines() if "Error" in line]
        return {"error": (lines or ["no rates were logged"])[-1]}
    return {"images_per_second": statistics.median(rates[args.skip :])}


def main() -> None:
    """Measure, and print a line for each case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--shards", required=True, help="a dataset's directory or a glob of shards")
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--grad-cache", type=int)
    parser.add_argument("--precision", default="bf16", choices=tuple(PRECISIONS))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--skip", type=int, default=10, help="first steps, which are not timed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of open_clip's loader")
    parser.add_argument("--decoder", default="auto")
    parser.add_argument("--without-open-clip", action="store_true")
    args = parser.parse_args()
    world = World(0, 1, choose("auto", 0, args.precision))
    world.device.prepare()

    def say(case: str, **values: Any) -> None:
        print(json.dumps({"case": case, **values}), flush=True)

    say("machine", device=world.device.name, torch=torch.__version__, build=bm.build_profile, model=args.model,
        batch_size=args.batch_size, precision=world.device.precision, cores=os.cpu_count())  # fmt: skip
    config = Config(
        train_data=(args.shards,), model=args.model, batch_size=args.batch_size, grad_cache=args.grad_cache,
        precision=args.precision, decoder=args.decoder, max_bad_fraction=0.05, train_num_samples=8 * args.batch_size,
    )  # fmt: skip
    scratch = model.create(config, world)
    real: Any = data.loader(config, scratch, world)
    if not len(real):
        sys.exit(f"{args.shards}: the shards do not fill one batch of {args.batch_size}")
    batches = endless(real)
    rates = {}
    rates["loader"], _ = timed(world, args, lambda: next(batches))
    say("loader alone", images_per_second=rates["loader"])
    made_up = data.loader(Config(**{**config.to_json(), "train_data": ("synthetic",)}), scratch, world)
    for case, loader in (("synthetic", made_up), ("real", real)):
        rates[case], busy = timed(world, args, training(config, world, loader))
        say(
            f"training on {case} data",
            images_per_second=rates[case],
            utilisation_percent=busy,
            peak_gib=world.device.peak_gib(),
        )
    say("real over synthetic", ratio=rates["real"] / rates["synthetic"])
    if not args.without_open_clip:
        theirs = open_clips(args, world.device.torch_device.type)
        ratio = {"ratio": rates["real"] / theirs["images_per_second"]} if "images_per_second" in theirs else {}
        say("open_clip_train.main", **theirs, **ratio)


if __name__ == "__main__":
    main()
