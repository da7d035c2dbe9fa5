"""Models of timm and open_clip as they are opened for features: what to call, how images come to it, and what it all depends on."""

import difflib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from biomedica.exceptions import ModelError, TrainingError
from biomedica.load.transform import Transform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica.train.device import Device

__all__ = [
    "OPEN_CLIP", "Opened", "Vectors", "Weights", "frozen", "load_open_clip", "of_open_clip", "open_timm",
    "run",
]  # fmt: skip

Vectors: TypeAlias = "NDArray[np.float32]"
OPEN_CLIP = "open_clip:"
IMAGE_SIZE = 224
"""Of timm's models, if nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a model's weights come from: by default its hub."""

    source: str | None = None
    """A file, or one of open_clip's tags."""
    at_random: bool = False
    """None at all: as a model begins, drawn from `seed`."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A model that was opened."""

    images: Callable[[torch.Tensor], torch.Tensor]
    captions: Callable[[torch.Tensor], torch.Tensor] | None = None
    tokenizer: str = ""
    transform: Transform
    crop: int
    """Side of the middle of the decoded image that the model sees."""
    dimension: int
    record: dict[str, Any]


def open_timm(name: str, weights: Weights, image_size: int | None, device: "Device") -> Opened:
    """A model of timm.

    Raises:
        ModelError: There is none of the name, or its weights cannot be had or do not fit.
    """
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
        weights=frozen(module), versions=("timm", timm.__version__), normalize=None,
    )  # fmt: skip


def load_open_clip(wanted: str, weights: Weights, image_size: int | None) -> tuple[Any, str]:
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


def of_open_clip(name: str, tokenizer: str, module: Any, device: "Device", *, weights: str) -> Opened:
    """A model of open_clip that is there already; `weights` is their sha-256."""
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
) -> Opened:
    module.to(device.torch_device)
    blank = torch.zeros(1, 3, crop, crop, device=device.torch_device)
    dimension = run(images, blank, device).shape[1]
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
    return Opened(images=images, transform=transform, crop=crop, dimension=dimension, record=record, **others)


def frozen(module: torch.nn.Module) -> str:
    """Make a model one that is not trained; gives the sha-256 of its weights."""
    module.eval().requires_grad_(requires_grad=False)
    return _sha256(module.state_dict())


def run(model: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, device: "Device") -> Vectors:
    """Features of a batch, on the device, as float32 in main memory."""
    with torch.inference_mode(), device.autocast():
        features = model(inputs)
    # A copy: memory that torch made in inference mode may not be written to.
    return np.array(features.float().cpu().numpy())


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
