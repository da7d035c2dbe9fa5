"""The data of a run: `biomedica.loader` over shards, or made-up batches; and held-out pairs with their classes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from biomedica.exceptions import TrainingError
from biomedica.train import model as models
from biomedica.train.config import SYNTHETIC, Config
from biomedica.train.synthetic import SyntheticLoader
from biomedica.train.validate import HeldOut, ZeroShot

if TYPE_CHECKING:
    from biomedica.train.distributed import World
    from biomedica.train.loop import Loader

__all__ = ["held_out", "loader"]

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
    """Pairs of `config.val_data`, in their own order, with the classes that `config.zeroshot` gives them.

    A sample that cannot be read or decoded is left out here, not replaced.

    Raises:
        ValueError: The file of the task says no task.
    """
    import biomedica
    from biomedica.load.pixels import HostMemory, RustPixels, decoding_threads
    from biomedica.load.tokenize import get_tokenizer
    from biomedica.load.transform import Transform

    plain: Any = model
    tokenizer = get_tokenizer(models.tokenizer_name(config), context_length=plain.context_length)
    transform = Transform(train=False).with_config(plain.visual.preprocess_cfg)
    task = ZeroShot.read(config.zeroshot) if config.zeroshot else None
    memory = HostMemory(VALIDATION_BATCH, transform.image_size, keep=2)
    pixels = RustPixels(transform, decoding_threads(config.threads), memory)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
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
                labels = [task.label(sample.key, sample.metadata) if task else -1 for sample in chosen]
                yield images[kept] if bad else images, tokens, torch.tensor(labels)
        stream.close()

    class_tokens = [torch.from_numpy(tokenizer.encode(texts).ids) for texts in task.texts()] if task else []
    return HeldOut(batches, class_tokens, config.val_num_samples)
