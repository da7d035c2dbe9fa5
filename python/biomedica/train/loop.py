"""The training loop, to be read from top to bottom.

One CPU, nothing to download, under a minute:

    python -m biomedica.train --train-data synthetic --model biomedica-tiny --steps 20 --batch-size 16 --warmup 5

One GPU, a batch of 8,192 through GradCache, 256 pairs at once:

    biomedica train --preset bmc-clip-filtered --train-data dataset/ --batch-size 8192 --accum-freq 1 --grad-cache 256

The four GPUs of the paper, 1,024 x 4 x 2 = 8,192 pairs a step, and going on after it was stopped:

    torchrun --nproc-per-node 4 -m biomedica.train --preset bmc-clip-full --train-data dataset/ --name bmc
    torchrun --nproc-per-node 4 -m biomedica.train --preset bmc-clip-full --train-data dataset/ --name bmc --resume latest
"""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from biomedica.cli.output import Output
from biomedica.exceptions import TrainingError
from biomedica.train import checkpoint, data, distributed, gradient, optimizer
from biomedica.train import model as models
from biomedica.train.config import Config, SaveEvery
from biomedica.train.interrupt import Interrupt
from biomedica.train.log import Log
from biomedica.train.validate import HeldOut

__all__ = ["Loader", "Result", "endless", "run"]

SAVE, STOP = 1, 2
"""What a process may ask of all: the highest wish counts."""


class Loader(Protocol):
    """What the loop needs of a loader; `biomedica.loader` has it."""

    def __len__(self) -> int:
        """Batches an epoch."""

    def __iter__(self) -> Iterator[gradient.Batch]:
        """The rest of the epoch."""

    def set_epoch(self, epoch: int, /) -> None:
        """Begin an epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Where it stands after the last batch handed out; JSON, with `epoch` in it."""

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Go on from there."""

    @property
    def stats(self) -> dict[str, float]:
        """Counts so far: `captions`, `truncated_captions`, `bad_samples`; and `missing_samples` of a selection."""


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    directory: Path
    """Of the run: `metrics.jsonl`, `checkpoints/`."""
    step: int
    total: int
    stopped: str | None
    """The signal that stopped it: `SIGTERM` or `SIGINT`."""
    checkpoint: Path
    """The last one, written at the end."""
    metrics: dict[str, float]
    """Of the last validation."""


def run(
    config: Config, *, loader: Loader | None = None, held_out: HeldOut | None = None, output: Output | None = None
) -> Result:
    """Train to the end, or until a signal; write a checkpoint in either case.

    Args:
        config: The options.
        loader: Batches of this process; made of `config.train_data` when not given.
        held_out: Data to validate on; made of `config.val_data` when not given.
        output: Where progress goes; stderr when not given.

    Raises:
        TrainingError: The run cannot begin or go on.
        ValueError: An option makes no sense.
    """
    with (
        distributed.joined(config.device, config.precision) as world,
        Interrupt() as interrupt,
        contextlib.ExitStack() as at_end,
    ):
        return _run(config, world, interrupt, at_end, loader, held_out, output)


def _run(  # noqa: C901, PLR0912, PLR0915 - setting up and the loop, in the order in which they happen
    config: Config,
    world: distributed.World,
    interrupt: Interrupt,
    at_end: contextlib.ExitStack,
    loader: Loader | None,
    held_out: HeldOut | None,
    output: Output | None,
) -> Result:
    # ---- model, optimizer, data -----------------------------------------------------------------------------------
    device = world.device
    directory, start = _directory(config, world, at_end)
    base = models.create(config, world)
    adamw = optimizer.create(base, config, fused=device.is_cuda)
    scaler = device.scaler()
    loss_of = models.create_loss(config, world)
    if loader is None:
        loader = data.loader(config, base, world)
    validation = data.validation(config, base, device, held_out) if world.is_main else None
    epoch_batches = len(loader)
    if not epoch_batches:
        raise TrainingError(
            f"the data does not fill one batch of {config.batch_size} in each of {world.size} processes"
        )
    total = config.steps or max(1, config.epochs * epoch_batches // config.accum_freq)

    # ---- where a checkpoint left off ------------------------------------------------------------------------------
    step = 0
    if start is not None:
        _check_fits(start, config, world)
        rng = checkpoint.load(start, base, adamw, scaler, device)
        loader.load_state_dict(start.manifest["loader"])
        step = start.step
    model: Any = device.wrap(base, world.size)
    if config.torchcompile:
        model = torch.compile(model)
    if start is not None and world.rank < len(rng):
        checkpoint.restore_rng(rng[world.rank], device)
    log = Log(
        directory if world.is_main else None, output=output, report_to=config.report_to, config=config.to_json(),
        project=config.wandb_project_name, step=step, total=total,
    )  # fmt: skip
    at_end.callback(log.close)
    batch = config.total_batch(world.size)
    parameters = [p for p in base.parameters() if p.requires_grad]
    log.note(
        "begin",
        f"{config.model}, {sum(p.numel() for p in parameters):,} parameters to train on {device.name}, {device.precision};"
        f" batch {config.batch_size:,} x {world.size} processes x {config.accum_freq} = {batch:,};"
        f" steps {step:,} to {total:,} in {directory}",
        total_batch=batch, parameters=sum(p.numel() for p in parameters), device=device.name, step=step, total=total,
    )  # fmt: skip

    missing = int(loader.stats.get("missing_samples", 0))
    if missing:
        log.note("selection", f"selection: {missing:,} of its samples are not in the data", missing_samples=missing)

    # ---- the loop -------------------------------------------------------------------------------------------------
    model.train()
    batches = endless(loader)
    save_every = SaveEvery.parse(config.save_every)
    saved_at = window = time.monotonic()
    waited, logged, metrics = 0.0, step, {}
    path = start.path if start else directory
    validated_epoch = step * config.accum_freq // epoch_batches
    wish = 0
    while step < total and wish != STOP:
        # 1. the learning rate of this step
        lr = optimizer.lr_at(step, config, total)
        optimizer.set_lr(adamw, lr)

        # 2. data: the loader reads and decodes ahead, so that this is short when it keeps up
        begin = time.monotonic()
        micro_batches = [next(batches) for _ in range(config.accum_freq)]
        waited += time.monotonic() - begin
        moved = [(device.move(images), device.move(tokens)) for images, tokens in micro_batches]

        # 3. the gradient of the whole batch
        parts = gradient.split(moved, config.grad_cache)
        loss = gradient.backward(model, loss_of, parts, device, scaler.scale)

        # 4. the step
        scaler.unscale_(adamw)
        norm = torch.nn.utils.clip_grad_norm_(parameters, config.grad_clip_norm or math.inf)
        scaler.step(adamw)
        scaler.update()
        adamw.zero_grad(set_to_none=True)
        optimizer.clamp_logit_scale(base)
        step += 1

        # 5. the log; reading the loss waits for the GPU, so that only logged steps do
        if step % config.log_every == 0 or step == total:
            values = _measure(loss, norm, base, world, loader)
            seconds, window = time.monotonic() - window, time.monotonic()
            log.step(
                {"step": step, "epoch": step * config.accum_freq / epoch_batches, "lr": lr, **values,
                 "images_per_second": batch * (step - logged) / seconds, "data_wait_share": waited / seconds}
            )  # fmt: skip
            waited, logged = 0.0, step
            if not math.isfinite(values["loss"]):
                raise TrainingError(f"step {step}: the loss is {values['loss']}; the last checkpoint is {path}")

        # 6. validation, checkpoint, and whether to go on
        epoch = step * config.accum_freq // epoch_batches
        ended = bool(config.val_frequency) and epoch >= validated_epoch + config.val_frequency
        validated_epoch = epoch if ended else validated_epoch
        by_tasks = ended if config.eval_every is None else step % config.eval_every == 0
        if validation and step < total and (found := validation.of(base, by_pairs=ended, by_tasks=by_tasks)):
            log.validation({"step": step, "epoch": epoch, **found})
        due = save_every.seconds is not None and time.monotonic() - saved_at >= save_every.seconds
        due |= save_every.steps is not None and step % save_every.steps == 0
        wish = world.highest(STOP if interrupt.signal else SAVE if due and world.is_main else 0)
        if wish and step < total:
            path = _save(directory, step, config, world, base, adamw, scaler, loader)
            saved_at = time.monotonic()
            log.note("checkpoint", f"checkpoint {path}", step=step, path=str(path))

    # ---- the end --------------------------------------------------------------------------------------------------
    stopped = interrupt.signal or ("SIGTERM" if wish == STOP else None)
    if step == total:
        stopped = None
        if start is None or start.step < total:
            path = _save(directory, step, config, world, base, adamw, scaler, loader)
            log.note("checkpoint", f"checkpoint {path}", step=step, path=str(path))
        if validation:
            metrics = validation.of(base)
            log.validation({"step": step, "epoch": step * config.accum_freq // epoch_batches, **metrics})
    world.wait()
    return Result(directory, step, total, stopped, path, metrics)


def endless(loader: Loader) -> Iterator[gradient.Batch]:
    """The rest of this epoch, then all that follow: a step may take batches from two of them."""
    while True:
        yield from loader
        loader.set_epoch(int(loader.state_dict()["epoch"]) + 1)


def _measure(
    loss: torch.Tensor, norm: torch.Tensor, model: torch.nn.Module, world: distributed.World, loader: Loader
) -> dict[str, float]:
    """What a logged step is told by; loss and counts over all processes. The one place that waits for the GPU."""
    stats = loader.stats
    counts = [float(stats.get(name, 0)) for name in ("truncated_captions", "captions", "bad_samples")]
    mean, truncated, captions, bad = world.totals([loss.item() / world.size, *counts])
    scale: Any = model.logit_scale
    return {
        "loss": mean,
        "grad_norm": norm.item(),
        "logit_scale": math.exp(scale.item()),
        "truncated_share": truncated / captions if captions else 0.0,
        "bad_samples": bad,
    }


def _save(
    directory: Path,
    step: int,
    config: Config,
    world: distributed.World,
    model: torch.nn.Module,
    adamw: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    loader: Loader,
) -> Path:
    """Write a checkpoint; all processes call it, the main one writes."""
    rng = world.gather(checkpoint.rng_state(world.device))
    path = directory / "checkpoints"
    if world.is_main:
        state = {
            "loader": loader.state_dict(), "config": config.to_json(), "total_batch": config.total_batch(world.size),
            "world_size": world.size,
        }  # fmt: skip
        path = checkpoint.save(
            path, step=step, model=model, optimizer=adamw, scaler=scaler, rng=rng, state=state, keep=config.keep
        ).path
    return world.broadcast(path)


def _directory(
    config: Config, world: distributed.World, at_end: contextlib.ExitStack
) -> tuple[Path, checkpoint.Checkpoint | None]:
    """The directory of the run, this run's until the end, and the checkpoint it goes on from; all processes agree."""
    name = world.broadcast(config.name or time.strftime("%Y-%m-%d-%H-%M-%S"))
    if config.resume == "latest" and config.name is None:
        raise ValueError("resume latest needs the name of the run")
    directory = Path(config.logs) / name
    start = checkpoint.find(config.resume, directory / "checkpoints") if config.resume else None
    lock = checkpoint.lock(directory) if world.is_main else None
    if lock is not None:
        at_end.callback(lock.close)
    if not world.broadcast(lock is not None):
        raise TrainingError(f"{directory}: another training writes there; wait for its end, or choose another name")
    if start is None and checkpoint.latest(directory / "checkpoints"):
        raise TrainingError(
            f"{directory}: this run has checkpoints; go on with --resume latest, or choose another name"
        )
    return directory, start


def _check_fits(start: checkpoint.Checkpoint, config: Config, world: distributed.World) -> None:
    """A step must mean the same number of pairs as before, or the schedule and the epochs would be off."""
    before, now = start.manifest["total_batch"], config.total_batch(world.size)
    if before != now:
        raise TrainingError(
            f"{start.path}: its steps took {before:,} pairs and would now take {now:,}: choose --batch-size and"
            f" --accum-freq so that batch x {world.size} processes x accum is {before:,}"
        )
