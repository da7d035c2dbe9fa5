"""Models that make features: any of timm's of images, and open_clip's of images and captions.

A model is a name of timm's (`vit_large_patch14_reg4_dinov2.lvd142m`), `open_clip:` and what `train` takes as a model
(`open_clip:ViT-B-32`, `open_clip:hf-hub:org/name`, a JSON file), or `color-texture`, which is none. Images come to it as it was judged with: its own size,
crop, mean, standard deviation and interpolation.
"""

import difflib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import torch

from biomedica.concepts.descriptor import COLOR_TEXTURE, Descriptor
from biomedica.exceptions import ModelError, TrainingError
from biomedica.load.ahead import Ahead
from biomedica.load.device import CudaDevice, HostDevice, Moved
from biomedica.load.pixels import choose_decoder, decoding_threads, open_pixels
from biomedica.load.transform import Transform

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

Vectors: TypeAlias = "NDArray[np.float32]"
OPEN_CLIP = "open_clip:"
IMAGE_SIZE = 224
"""Of timm's models, if nothing else is asked for."""
PREFETCH = 2
"""Batches that are decoded ahead of the model."""


class Encoder(Protocol):
    """What makes features of images or captions."""

    record: dict[str, Any]
    """All that the features depend on."""
    dimension: int

    def encode(self, batches: Iterator[list[Any]]) -> Iterator[Vectors]:
        """The features of each batch, float32 [batch, dimension]; a row of NaN for what cannot be read."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model's weights come from: by default its hub."""

    source: str | None = None
    """A file, or one of open_clip's tags."""
    at_random: bool = False
    """None at all: as a model begins, drawn from `seed`."""
    seed: int = 0


class Images:
    """Encoded images to features: decoded ahead in a thread, while the model is at work on those before."""

    def __init__(
        self, model: "_Model", device: "Device", *, batch_size: int, decoder: str = "auto", threads: int | None = None
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
                features = _run(self._model.images, _centre(images, self._model.crop), self._device)
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

    def __init__(self, model: "_Model", device: "Device") -> None:
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
            yield _run(self._captions, self._device.move(tokens), self._device)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    images: Callable[[torch.Tensor], torch.Tensor]
    captions: Callable[[torch.Tensor], torch.Tensor] | None = None
    tokenizer: str = ""
    transform: Transform
    crop: int
    """Side of the middle of the decoded image that the model sees."""
    dimension: int
    record: dict[str, Any]


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
            model = _open_clip(name, weights, image_size, device)
        else:
            model = _timm(name, weights, image_size, device)
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
        module, tokenizer = _open_clip_module(model, weights, image_size)
        opened = _clip(f"{OPEN_CLIP}{model}", tokenizer, module, device, weights=_frozen(module))
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

    opened = _clip(f"{OPEN_CLIP}{model}", architecture(model), module, device, weights="")
    return _pair(opened, module, device, batch_size, decoder, threads)


def _pair(opened: _Model, module: Any, device: "Device", batch_size: int, decoder: str, threads: int | None) -> Pair:
    images = Images(opened, device, batch_size=batch_size, decoder=decoder, threads=threads)
    return Pair(images, Captions(opened, device), float(module.logit_scale.detach().exp()))


def slug(name: str) -> str:
    """A model's name as one of a folder: `open_clip:ViT-B/32` is `open_clip-ViT-B-32`."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in name).strip(".-")


def _timm(name: str, weights: Weights, image_size: int | None, device: "Device") -> _Model:
    timm = _imported()
    size = IMAGE_SIZE if image_size is None else image_size
    options: dict[str, Any] = {"num_classes": 0, "pretrained": not weights.at_random}
    if weights.source is not None:
        options["pretrained_cfg_overlay"] = {"file": weights.source, "custom_load": False}
    if "/" not in name and not timm.is_model(name.split(".", 1)[0]):
        near = difflib.get_close_matches(name, timm.list_models(), n=1)
        hint = (
            f"did you mean {near[0]}?"
            if near
            else f"timm.list_models() has their names, {OPEN_CLIP}… those of open_clip"
        )
        raise ModelError(f"model {name!r} is not known; {hint}")
    try:
        try:
            module = timm.create_model(name, img_size=size, **options)
        except TypeError as error:  # models that take images of any size
            if "img_size" not in str(error):
                raise
            module = timm.create_model(name, **options)
    except Exception as error:  # hub, network, disk and weights of another shape: each has its own
        raise ModelError(_why(name, weights, error)) from error
    config = timm.data.resolve_model_data_config(module)
    modes = {"squash": "squash", "border": "longest"}
    transform = Transform(train=False).with_config(
        {
            # timm shrinks the image to a little more than the model sees, and cuts its middle out.
            "size": int(size / config["crop_pct"]),
            "mean": config["mean"],
            "std": config["std"],
            "interpolation": config["interpolation"],
            "resize_mode": modes.get(config["crop_mode"], "shortest"),
        }
    )
    return _finished(
        name, module, device, module, transform, size,
        weights=_frozen(module), versions=("timm", timm.__version__), normalize=None,
    )  # fmt: skip


def _open_clip(name: str, weights: Weights, image_size: int | None, device: "Device") -> _Model:
    module, known = _open_clip_module(name.removeprefix(OPEN_CLIP), weights, image_size)
    return _clip(name, known, module, device, weights=_frozen(module))


def _open_clip_module(wanted: str, weights: Weights, image_size: int | None) -> tuple[Any, str]:
    """A model of open_clip, and the name of its tokenizer."""
    from biomedica.train.model import architecture, open_model

    is_whole = wanted.startswith(("hf-hub:", "local-dir:"))
    try:
        known = wanted if is_whole else architecture(wanted)
        if weights.source is None and not weights.at_random and not is_whole:
            raise ModelError(
                f"{OPEN_CLIP}{wanted}: weights of open_clip have a tag; pass --weights with one of them or with a file, or"
                " --random-init"
            )
        options: dict[str, Any] = {"force_image_size": image_size}
        if is_whole:
            options["load_weights"] = not weights.at_random
        return open_model(known, None if weights.at_random else weights.source, options, "--weights"), known
    except TrainingError as error:
        raise ModelError(str(error)) from error


def _clip(name: str, tokenizer: str, module: Any, device: "Device", *, weights: str) -> _Model:
    import open_clip

    transform = Transform(train=False).with_config(module.visual.preprocess_cfg)
    return _finished(
        name, module, device, partial(module.encode_image, normalize=True), transform, transform.image_size,
        weights=weights, versions=("open_clip", open_clip.__version__), normalize="l2",
        captions=partial(module.encode_text, normalize=True), tokenizer=tokenizer,
    )  # fmt: skip


def _finished(
    name: str,
    module: torch.nn.Module,
    device: "Device",
    images: Callable[[torch.Tensor], torch.Tensor],
    transform: Transform,
    crop: int,
    *,
    weights: str,
    versions: tuple[str, str],
    normalize: str | None,
    **others: Any,
) -> _Model:
    module.to(device.torch_device)
    blank = torch.zeros(1, 3, crop, crop, device=device.torch_device)
    dimension = _run(images, blank, device).shape[1]
    record = {
        "model": name,
        "weights": weights,
        "input": "image",
        "image_size": crop,
        "resized_to": transform.image_size,
        "mean": list(transform.mean),
        "std": list(transform.std),
        "interpolation": transform.interpolation,
        "fit": transform.fit,
        "normalize": normalize,
        "dimension": dimension,
        "versions": {"torch": torch.__version__, versions[0]: versions[1]},
    }
    return _Model(images=images, transform=transform, crop=crop, dimension=dimension, record=record, **others)


def _frozen(module: torch.nn.Module) -> str:
    """Make a model one that is not trained; gives the sha-256 of its weights."""
    module.eval().requires_grad_(requires_grad=False)
    return _sha256(module.state_dict())


def _run(model: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, device: "Device") -> Vectors:
    with torch.inference_mode(), device.autocast():
        features = model(inputs)
    # A copy: memory that torch made in inference mode may not be written to.
    return np.array(features.float().cpu().numpy())


def _centre(images: torch.Tensor, side: int) -> torch.Tensor:
    start = round((images.shape[-1] - side) / 2)
    return images[..., start : start + side, start : start + side]


def _sha256(weights: dict[str, torch.Tensor]) -> str:
    """Of all weights with their names, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _why(name: str, weights: Weights, error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if weights.source is not None:
        return f"{weights.source}: no weights of {name}: {lines[0][:200]}"
    if weights.at_random:
        return f"model {name} cannot be made: {lines[0][:200]}"
    return (
        f"weights of {name} cannot be had from their hub ({lines[0][:200]}); fetch them on a machine that is online and"
        " pass --weights FILE, or point HF_HOME to a cache that holds them"
    )


def _imported() -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("features need timm: pip install 'biomedica[concepts]'", name=error.name) from error
    return timm
