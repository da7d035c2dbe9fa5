"""Encoded images to tensors: the decoders behind one face, and the memory that they write into."""

import os
import weakref
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch

from biomedica import _core
from biomedica.load.transform import Transform

__all__ = [
    "DECODERS",
    "DaliPixels",
    "HostMemory",
    "Pixels",
    "RustPixels",
    "choose_decoder",
    "decoding_threads",
    "open_pixels",
]

Pages: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"
DECODERS = ("auto", "dali", "dali-cpu", "rust")


class Pixels(Protocol):
    """A decoder."""

    def decode(self, images: Sequence[memoryview], seeds: Sequence[int]) -> tuple[torch.Tensor, list[tuple[int, str]]]:
        """Decode, crop, resize and normalise.

        Args:
            images: Encoded images.
            seeds: For each, what decides its random crop.

        Returns:
            float32 [images, 3, size, size], and place and message of each image that could not be decoded.
        """


class RustPixels:
    """The core's decoder: into host memory, on threads that hold no GIL."""

    def __init__(self, transform: Transform, threads: int, memory: "HostMemory") -> None:
        self._memory = memory
        self._decoder = _core.Decoder(
            transform.image_size,
            train=transform.train,
            scale=transform.scale,
            ratio=transform.ratio,
            mean=transform.mean,
            std=transform.std,
            interpolation=transform.interpolation,
            fit=transform.fit,
            flip=transform.flip,
            threads=threads,
        )

    def decode(self, images: Sequence[memoryview], seeds: Sequence[int]) -> tuple[torch.Tensor, list[tuple[int, str]]]:
        """As `Pixels` has it."""
        pixels = self._memory.take(len(images))
        memory: Any = pixels.numpy()  # numpy has no buffers in its types before Python 3.12
        bad = self._decoder.decode_batch(images, seeds, memory)
        return pixels, bad


class DaliPixels:
    """DALI's decoder, into tensors on `device`."""

    def __init__(self, transform: Transform, batch_size: int, threads: int, device: torch.device) -> None:
        if not transform.train and transform.fit != "shortest":
            raise ValueError(f"fit is {transform.fit!r}, which DALI's decoder does not know; take decoder='rust'")
        try:
            from biomedica.load.dali import DaliDecoder
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "the decoder dali needs NVIDIA DALI: pip install 'biomedica[dali]'", name=error.name
            ) from error
        self._decoder = DaliDecoder(
            transform.image_size,
            device=device,
            batch_size=batch_size,
            train=transform.train,
            scale=transform.scale,
            ratio=transform.ratio,
            mean=transform.mean,
            std=transform.std,
            interpolation=transform.interpolation,
            flip=transform.flip,
            threads=threads,
        )

    def decode(self, images: Sequence[memoryview], seeds: Sequence[int]) -> tuple[torch.Tensor, list[tuple[int, str]]]:
        """As `Pixels` has it."""
        return self._decoder.decode_batch(images, seeds)


class HostMemory:
    """Memory for batches, used again when nothing refers to it any more.

    Fresh memory of this size costs some percent of the decoding: the kernel maps and clears each page.

    Args:
        batch_size: Images of a batch.
        image_size: Their width and height.
        keep: How much is kept, in batches.
        pinned: Memory that a GPU can copy from by itself. Torch keeps it, and knows when copies are done.
    """

    def __init__(self, batch_size: int, image_size: int, *, keep: int, pinned: bool = False) -> None:
        self._shape = (batch_size, 3, image_size, image_size)
        self._keep = keep
        self._pinned = pinned
        self._free: list[Pages] = []

    def take(self, count: int) -> torch.Tensor:
        """Memory for `count` images, whatever is in it; it is free again when the last tensor that shares it is gone."""
        if self._pinned or count > self._shape[0]:
            return torch.empty((count, *self._shape[1:]), dtype=torch.float32, pin_memory=self._pinned)
        try:
            memory = self._free.pop()
        except IndexError:
            memory = np.empty(self._shape, np.float32)
        # The tensor's storage holds this view, and nothing else does.
        view = memory[:count]
        weakref.finalize(view, self._give_back, memory).atexit = False
        return torch.from_numpy(view)

    def _give_back(self, memory: "Pages") -> None:
        if len(self._free) < self._keep:
            self._free.append(memory)


def open_pixels(
    decoder: str, transform: Transform, batch_size: int, threads: int, prefetch: int, where: torch.device
) -> Pixels:
    """The decoder (`rust`, `dali` or `dali-cpu`) of batches that go to a device, `prefetch` of them kept ready."""
    if decoder != "rust":
        return DaliPixels(transform, batch_size, threads, where if decoder == "dali" else torch.device("cpu"))
    # Batches that are ready, the one that is being made, the one in use and the one before it.
    memory = HostMemory(batch_size, transform.image_size, keep=prefetch + 3, pinned=where.type == "cuda")
    return RustPixels(transform, threads, memory)


def choose_decoder(name: str) -> str:
    """What `auto` stands for here: DALI where there is a CUDA device and DALI is installed, else the core's decoder.

    Raises:
        ValueError: There is no decoder of that name.
    """
    if name not in DECODERS:
        raise ValueError(f"decoder is {name!r}, but must be one of {', '.join(DECODERS)}")
    if name != "auto":
        return name
    return "dali" if torch.cuda.is_available() and find_spec("nvidia") and find_spec("nvidia.dali") else "rust"


def decoding_threads(threads: int | None) -> int:
    """Threads to decode with: those asked for, else this process's share of the cores (of `torchrun`'s processes).

    Raises:
        ValueError: It is no positive number.
    """
    if threads is not None:
        if threads < 1:
            raise ValueError(f"threads is {threads}, but must be 1 or more")
        return threads
    cores = len(os.sched_getaffinity(0))
    local = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return max(1, cores // int(local)) if local.isdigit() and int(local) else cores
