"""Models that make features: any of timm's of images, and open_clip's of images and captions.

A model is a name of timm's (`vit_large_patch14_reg4_dinov2.lvd142m`), `open_clip:` and what `train` takes as a model
(`open_clip:ViT-B-32`, `open_clip:hf-hub:org/name`, a JSON file), or `color-texture`, which is none. Images come to it as it was judged with: its own size,
crop, mean, standard deviation and interpolation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from biomedica.concepts.descriptor import COLOR_TEXTURE, Descriptor
from biomedica.concepts.towers import (
    OPEN_CLIP,
    Opened,
    Vectors,
    Weights,
    frozen,
    load_open_clip,
    of_open_clip,
    open_timm,
    run,
)
from biomedica.exceptions import ModelError
from biomedica.load.ahead import Ahead
from biomedica.load.device import CudaDevice, HostDevice, Moved
from biomedica.load.pixels import choose_decoder, decoding_threads, open_pixels

if TYPE_CHECKING:
    from biomedica.train.device import Device

__all__ = [
    "OPEN_CLIP",
    "Captions",
    "Encoder",
    "Images",
    "Pair",
    "Vectors",
    "Weights",
    "open_encoder",
    "open_pair",
    "pair_of",
    "slug",
]

PREFETCH = 2
"""Batches that are decoded ahead of the model."""


class Encoder(Protocol):
    """What makes features of images or captions."""

    record: dict[str, Any]
    """All that the features depend on."""
    dimension: int

    def encode(self, batches: Iterator[list[Any]]) -> Iterator[Vectors]:
        """The features of each batch, float32 [batch, dimension]; a row of NaN for what cannot be read."""


class Images:
    """Encoded images to features: decoded ahead in a thread, while the model is at work on those before."""

    def __init__(
        self, model: "Opened", device: "Device", *, batch_size: int, decoder: str = "auto", threads: int | None = None
    ) -> None:
        self.record = model.record
        self.dimension = model.dimension
        self._model = model
        self._device = device
        where = device.torch_device
        # DALI fills the square with an image's shorter side only.
        self.decoder = "rust" if decoder == "auto" and model.transform.fit != "shortest" else choose_decoder(decoder)
        self._pixels = open_pixels(
            self.decoder, model.transform, batch_size, decoding_threads(threads), PREFETCH, where
        )
        self._mover = CudaDevice(where) if device.is_cuda else HostDevice()

    def encode(self, batches: Iterator[list[Any]]) -> Iterator[Vectors]:
        """Features of batches of encoded images; a row of NaN for one that cannot be decoded."""
        decoded = Ahead(self._decoded(batches), PREFETCH, name="biomedica.embed")
        try:
            for moved, bad in decoded:
                (images,) = moved.take()
                features = run(self._model.images, _centre(images, self._model.crop), self._device)
                features[bad] = np.nan
                yield features
        finally:
            decoded.close()

    def _decoded(self, batches: Iterator[list[Any]]) -> Iterator[tuple[Moved, list[int]]]:
        for batch in batches:
            with self._mover.at_work():
                images, bad = self._pixels.decode(batch, [0] * len(batch))
                yield self._mover.move(images), [place for place, _ in bad]


class Captions:
    """Captions to features."""

    def __init__(self, model: "Opened", device: "Device") -> None:
        from biomedica.load.tokenize import get_tokenizer

        if model.captions is None:
            raise ModelError(
                f"{model.record['model']} knows images only; captions need a model of open_clip: {OPEN_CLIP}…"
            )
        self.record = {**model.record, "input": "caption"}
        self.dimension = model.dimension
        self._captions = model.captions
        self._tokenizer = get_tokenizer(model.tokenizer)
        self._device = device

    def encode(self, batches: Iterator[list[str]]) -> Iterator[Vectors]:
        """Features of batches of captions."""
        for batch in batches:
            tokens = torch.from_numpy(self._tokenizer.encode(batch).ids)
            yield run(self._captions, self._device.move(tokens), self._device)


def open_encoder(
    name: str,
    weights: Weights,
    device: "Device",
    *,
    image_size: int | None = None,
    text: bool = False,
    batch_size: int = 256,
    decoder: str = "auto",
    threads: int | None = None,
) -> Encoder:
    """The encoder of a model.

    Raises:
        ModelError: There is no such model, its weights cannot be had or do not fit, or it knows no captions.
    """
    if name == COLOR_TEXTURE:
        if text or weights != Weights(seed=weights.seed):
            raise ModelError(f"{COLOR_TEXTURE} has no weights and knows images only")
        return Descriptor(threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed)
        if name.startswith(OPEN_CLIP):
            module, known = load_open_clip(name.removeprefix(OPEN_CLIP), weights, image_size)
            model = of_open_clip(name, known, module, device, weights=frozen(module))
        else:
            model = open_timm(name, weights, image_size, device)
    return (
        Captions(model, device)
        if text
        else Images(model, device, batch_size=batch_size, decoder=decoder, threads=threads)
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """Both towers of a model of open_clip."""

    images: Images
    captions: Captions
    logit_scale: float
    """What cosines are multiplied with before the softmax."""

    @property
    def record(self) -> dict[str, Any]:
        """All that features of images depend on."""
        return self.images.record


def open_pair(
    model: str,
    weights: Weights,
    device: "Device",
    *,
    image_size: int | None = None,
    batch_size: int = 256,
    decoder: str = "auto",
    threads: int | None = None,
) -> Pair:
    """Both encoders of a model of open_clip, which is opened once.

    Args:
        model: As `biomedica.train` takes it: a name, `hf-hub:org/name`, `local-dir:path`, or a JSON file.
        weights: Where its weights come from.
        device: Where it runs.
        image_size: Width and height of the images that it sees, if not its own.
        batch_size: Images at a time.
        decoder: What decodes images, as `biomedica.loader` has it.
        threads: Threads that decode.

    Raises:
        ModelError: There is no such model, or its weights cannot be had or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed)
        module, tokenizer = load_open_clip(model, weights, image_size)
        opened = of_open_clip(f"{OPEN_CLIP}{model}", tokenizer, module, device, weights=frozen(module))
    return _pair(opened, module, device, batch_size, decoder, threads)


def pair_of(
    module: torch.nn.Module,
    model: str,
    device: "Device",
    *,
    batch_size: int = 256,
    decoder: str = "auto",
    threads: int | None = None,
) -> Pair:
    """Both encoders of a model that is there already, such as one in training; it should be in evaluation mode."""
    from biomedica.train.model import architecture

    opened = of_open_clip(f"{OPEN_CLIP}{model}", architecture(model), module, device, weights="")
    return _pair(opened, module, device, batch_size, decoder, threads)


def _pair(opened: Opened, module: Any, device: "Device", batch_size: int, decoder: str, threads: int | None) -> Pair:
    images = Images(opened, device, batch_size=batch_size, decoder=decoder, threads=threads)
    return Pair(images, Captions(opened, device), float(module.logit_scale.detach().exp()))


def slug(name: str) -> str:
    """A model's name as one of a folder: `open_clip:ViT-B/32` is `open_clip-ViT-B-32`."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name).strip(".-")


def _centre(images: torch.Tensor, side: int) -> torch.Tensor:
    start = round((images.shape[-1] - side) / 2)
    return images[..., start : start + side, start : start + side]
