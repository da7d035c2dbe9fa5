"""`embed`: features of a dataset's images, or of its captions, by any model of timm or open_clip."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pyarrow.compute as pc

from biomedica._sidecar import Part
from biomedica._sources import StorageOptions, StrPath
from biomedica.concepts.features import DEFAULT_MODEL, Features, checked_name
from biomedica.dataset import Dataset
from biomedica.dataset import open as open_dataset

try:
    from biomedica._images import PLACES, image_batches
    from biomedica.concepts.encoder import Encoder, Weights, open_encoder, slug
    from biomedica.train.device import fastest
    from biomedica.train.distributed import World, joined
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("features need torch: pip install 'biomedica[concepts]'", name=error.name) from error

if TYPE_CHECKING:
    import os

__all__ = ["Embedding", "embed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """How far features are. Counts are of this process until the end, then of all."""

    name: str
    """Of the features: `Dataset.sidecar("features/<name>")` has them."""
    dimension: int
    pairs: int
    """Pairs that were looked at."""
    total_pairs: int
    """Pairs whose features were missing at the start."""
    unreadable: int
    """Pairs whose image cannot be decoded: their features are null."""
    parts: int
    """Parts that were put together."""
    seconds: float
    """Since the call."""


@dataclass(frozen=True, slots=True)
class _Task:
    """The pairs of a part that lie in one shard."""

    part: Part
    shard: str
    piece: str
    pairs: int


def embed(
    dataset: Dataset | StrPath,
    *,
    model: str = DEFAULT_MODEL,
    weights: "str | os.PathLike[str] | None" = None,
    random_init: bool = False,
    image_size: int | None = None,
    text: bool = False,
    name: str | None = None,
    dtype: Literal["float16", "float32"] = "float16",
    batch_size: int = 256,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Literal["fp32", "bf16"] | None = None,
    decoder: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    storage_options: StorageOptions | None = None,
    progress: Callable[[Embedding], object] | None = None,
) -> Embedding:
    """Make features of every pair's image, or of its caption, and keep them beside the dataset.

    `Dataset.sidecar("features/<name>")` has a row for each figure: `features`, a list of `dimension` numbers, null where
    there is no pair or its image cannot be decoded. Images come as the model's own evaluation transform makes them.

    A run that was stopped goes on at the next shard, and one after an update makes what is new. Under `torchrun`,
    processes deal the shards among themselves.

    Args:
        dataset: A dataset, or its directory or URL.
        model: A model of timm, such as the paper's (DINOv2 ViT-L/14 with registers, arXiv 2309.16588); or `open_clip:`
            and a model as `biomedica.train` takes it, such as `open_clip:ViT-B-32`, whose features have length 1; or
            `color-texture`, 212 numbers of colours, edges and textures made by hand, which needs no weights.
        weights: A local file (safetensors, or torch's), or one of open_clip's tags; by default the model's hub has them.
        random_init: No weights at all: as the model begins, drawn from `seed`.
        image_size: Width and height of the images that the model sees; by default 224, or what open_clip says.
        text: Features of captions instead, which open_clip's models make.
        name: Of the features; by default that of the model, with `-text` behind it for captions.
        dtype: What is stored.
        batch_size: Images at a time.
        device: `cpu`, `cuda`, or `auto`: CUDA where there is one.
        precision: What the model computes in: `bf16` (autocast) on CUDA and `fp32` elsewhere, if not given.
        decoder: What decodes images, as `biomedica.loader` has it.
        threads: Threads that decode; this process's share of the cores when not given.
        seed: Of random weights.
        storage_options: How a store is spoken to; see `biomedica.open`.
        progress: Called after each batch with what this process has done.

    Returns:
        What was done, by all processes together.

    Raises:
        ModelError: There is no such model, its weights cannot be had, or other features have the name.
        DatasetError: The dataset cannot be read or written.
        ValueError: An argument makes no sense.

    Example:
        >>> import biomedica as bm
        >>> bm.embed("dataset/", model="color-texture").dimension  # doctest: +SKIP
        212
        >>> bm.open("dataset/").sidecar("features/color-texture").head(5)  # doctest: +SKIP
    """
    begin = time.monotonic()
    if weights is not None and random_init:
        raise ValueError("weights and random_init exclude each other")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, but must be 1 or more")
    if dtype not in {"float16", "float32"}:
        raise ValueError(f"dtype is {dtype!r}, but must be float16 or float32")
    name = checked_name(name or slug(model) + "-text" * text)
    if not isinstance(dataset, Dataset):
        dataset = open_dataset(dataset, storage_options=storage_options)
    with joined(device, precision or fastest(device)) as world:
        source = Weights(None if weights is None else str(weights), random_init, seed)
        with world.main_first():
            encoder = open_encoder(
                model, source, world.device, image_size=image_size, text=text,
                batch_size=batch_size, decoder=decoder, threads=threads,
            )  # fmt: skip
        features = Features(dataset, name, encoder.dimension, dtype)
        run = _Run(dataset, features, encoder, world, text=text, batch_size=batch_size)

        def state(pairs: int, total: int, unreadable: int, parts: int) -> Embedding:
            return Embedding(
                name=name, dimension=encoder.dimension, pairs=pairs, total_pairs=total, unreadable=unreadable,
                parts=parts, seconds=time.monotonic() - begin,
            )  # fmt: skip

        def show() -> None:
            if progress is not None:
                progress(state(run.pairs, run.total, run.unreadable, run.parts))

        if world.is_main:
            with dataset.storage.lock(features.folder):
                features.settle({**encoder.record, "dtype": dtype})
                run.go(show)
        else:
            run.go(show)
        return state(*(int(total) for total in world.totals([run.pairs, run.total, run.unreadable, run.parts])))


_Work: TypeAlias = tuple[Part, dict[str, int]]
"""A part to make, and the pairs of its shards."""


class _Run:
    """What one process does."""

    def __init__(
        self, dataset: Dataset, features: Features, encoder: Encoder, world: World, *, text: bool, batch_size: int
    ) -> None:
        self._storage = dataset.storage
        self._features = features
        self._encoder = encoder
        self._world = world
        self._text = text
        self._batch_size = batch_size
        self.pairs = self.total = self.unreadable = self.parts = 0

    def go(self, show: Callable[[], None]) -> None:
        """Make what is missing: shards are dealt out, then each part is put together by one process."""
        parts, pieces = self._world.broadcast(self._missing() if self._world.is_main else ([], set[str]()))
        mine = parts[self._world.rank :: self._world.size]
        tasks = [task for part, shards in parts for task in self._tasks(part, shards) if task.piece not in pieces]
        tasks = tasks[self._world.rank :: self._world.size]
        self.total = sum(task.pairs for task in tasks)
        show()
        for task in tasks:
            self._make(task, show)
            there = self._features.pieces()
            whole = [(part, shards) for part, shards in mine if {t.piece for t in self._tasks(part, shards)} <= there]
            self._assemble(whole)
            mine = [one for one in mine if one not in whole]
        self._world.wait()
        self._assemble(mine)
        self._world.wait()
        show()

    def _missing(self) -> tuple[list[_Work], set[str]]:
        """The parts to make with their shards, and the pieces that an earlier run has made."""
        return [
            (part, self._features.shards(part)) for part in self._features.sidecar.missing()
        ], self._features.pieces()

    def _tasks(self, part: Part, shards: dict[str, int]) -> list[_Task]:
        piece = self._features.piece
        return [_Task(part, shard, piece(part, number), shards[shard]) for number, shard in enumerate(shards)]

    def _make(self, task: _Task, show: Callable[[], None]) -> None:
        made = []
        for features in self._encoder.encode(self._batches(task)):
            made.append(features)
            self.pairs += len(features)
            self.unreadable += int(np.isnan(features).any(axis=1).sum())
            show()
        self._features.write_piece(task.piece, np.concatenate(made))

    def _batches(self, task: _Task) -> Iterator[list[Any]]:
        if not self._text:
            return image_batches(self._storage, task.shard, self._rows(task, PLACES), self._batch_size)
        captions = self._rows(task, ["caption"])["caption"].to_pylist()
        return (captions[at : at + self._batch_size] for at in range(0, len(captions), self._batch_size))

    def _rows(self, task: _Task, columns: list[str]) -> Any:
        figures = self._features.sidecar.figures(task.part, [*columns, "shard"])
        return figures.filter(pc.equal(figures["shard"], task.shard))

    def _assemble(self, parts: list[_Work]) -> None:
        for part, shards in parts:
            self._features.assemble(part, shards)
            self.parts += 1
