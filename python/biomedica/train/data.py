"""The data of a run: `biomedica.loader` over shards, or made-up batches; and held-out pairs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from biomedica.evaluation.data import TaskData
from biomedica.evaluation.tasks import find
from biomedica.exceptions import TaskError, TrainingError
from biomedica.train import model as models
from biomedica.train.config import SYNTHETIC, Config
from biomedica.train.synthetic import SyntheticLoader
from biomedica.train.validate import HeldOut, Validation

if TYPE_CHECKING:
    from biomedica.train.device import Device
    from biomedica.train.distributed import World
    from biomedica.train.loop import Loader

__all__ = ["held_out", "loader", "validation"]

VALIDATION_BATCH = 256


def loader(config: Config, model: torch.nn.Module, world: "World") -> "Loader":
    """Batches of this process.

    Raises:
        TrainingError: No data is named.
    """
    if not config.train_data:
        raise TrainingError("nothing to train on: name shards with --train-data, or say --train-data synthetic")
    plain: Any = model
    if config.train_data == (SYNTHETIC,):
        return SyntheticLoader(
            samples=config.train_num_samples,
            batch_size=config.batch_size,
            image_size=models.image_size(model),
            context_length=plain.context_length,
            vocab_size=plain.vocab_size,
            seed=config.seed,
            rank=world.rank,
            world_size=world.size,
            device=world.device.torch_device,
        )
    import biomedica

    options: dict[str, Any] = {} if config.caption_choice is None else {"caption_choice": config.caption_choice}
    made: Any = biomedica.loader(
        config.train_data,
        batch_size=config.batch_size,
        tokenizer=models.tokenizer_name(config),
        context_length=plain.context_length,
        preprocess_cfg=plain.visual.preprocess_cfg,
        decoder=config.decoder,
        train=True,
        seed=config.seed,
        rank=world.rank,
        world_size=world.size,
        threads=config.threads,
        device=world.device.torch_device,
        selection=config.selection,
        exclude=config.exclude,
        max_bad_fraction=config.max_bad_fraction,
        **options,
    )
    ours: Loader = made
    return ours


def held_out(config: Config, model: torch.nn.Module) -> HeldOut:
    """Pairs of `config.val_data`, in their own order.

    A sample that cannot be read or decoded is left out here, not replaced.
    """
    import biomedica
    from biomedica.load.pixels import HostMemory, RustPixels, decoding_threads
    from biomedica.load.tokenize import get_tokenizer
    from biomedica.load.transform import Transform

    plain: Any = model
    tokenizer = get_tokenizer(models.tokenizer_name(config), context_length=plain.context_length)
    transform = Transform(train=False).with_config(plain.visual.preprocess_cfg)
    memory = HostMemory(VALIDATION_BATCH, transform.image_size, keep=2)
    pixels = RustPixels(transform, decoding_threads(config.threads), memory)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        stream = biomedica.stream(
            config.val_data, shuffle=False, selection=config.val_selection, max_bad_fraction=config.max_bad_fraction
        )
        iter(stream)
        while samples := stream.next_batch(VALIDATION_BATCH):
            images, bad = pixels.decode([sample.image for sample in samples], [0] * len(samples))
            left_out = {place for place, _ in bad}
            kept = [place for place in range(len(samples)) if place not in left_out]
            chosen = [samples[place] for place in kept]
            if chosen:
                tokens = torch.from_numpy(tokenizer.encode([sample.caption for sample in chosen]).ids)
                yield images[kept] if bad else images, tokens
        stream.close()

    return HeldOut(batches, config.val_num_samples)


def validation(config: Config, model: torch.nn.Module, device: "Device", given: HeldOut | None = None) -> Validation:
    """What a run is validated by: pairs of `config.val_data`, and `config.eval_tasks`.

    Args:
        config: The options.
        model: For the form of its images and captions.
        device: Where it is.
        given: Pairs to take instead.

    Raises:
        TrainingError: A task is not known, or its data are missing.
    """
    pairs = given or (held_out(config, model) if config.val_data else None)
    return Validation(models.tokenizer_name(config), device, pairs, _tasks(config), config.threads)


def _tasks(config: "Config") -> "list[TaskData]":
    if not config.eval_tasks:
        return []
    try:
        found = [TaskData(task, config.eval_data_root) for task in find(config.eval_tasks)]
        missing = [reason for data in found if (reason := data.missing)]
    except TaskError as error:
        raise TrainingError(f"--eval-tasks: {error}") from error
    if missing:
        raise TrainingError("--eval-tasks: " + "\n".join(missing))
    return found
