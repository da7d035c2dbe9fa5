"""Models, losses and initial weights, all of them open_clip's.

A model is a name that open_clip knows, `hf-hub:org/name`, `local-dir:path`, a JSON file as open_clip has them, or one of
the package's own (`models/*.json`: `biomedica-tiny` trains on a CPU in minutes).
"""

import difflib
import logging
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from biomedica.exceptions import TrainingError

if TYPE_CHECKING:
    import os

    from biomedica.train.config import Config
    from biomedica.train.distributed import World

try:
    import open_clip
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("training needs open_clip: pip install 'biomedica[train]'", name=error.name) from error

__all__ = [
    "BUILT_IN",
    "architecture",
    "create",
    "create_loss",
    "image_size",
    "load_weights",
    "open_model",
    "tokenizer_name",
]

BUILT_IN = Path(__file__).with_name("models")
open_clip.add_model_config(BUILT_IN)

_REMOTE = ("hf-hub:", "local-dir:")


def create(config: "Config", world: "World") -> torch.nn.Module:
    """The model of `config` with its initial weights, on the device, its towers locked as asked.

    Raises:
        TrainingError: There is no such model, or its weights cannot be had or do not fit.
    """
    name = _architecture(config)
    options: dict[str, Any] = {"force_image_size": config.force_image_size, "output_dict": True}
    if config.siglip:  # where the sigmoid loss begins (arXiv 2303.15343, section 3)
        options |= {"init_logit_scale": math.log(10), "init_logit_bias": -10.0}
    pretrained = None if config.pretrained and config.pretrained.startswith(_REMOTE) else config.pretrained
    torch.manual_seed(config.seed)  # the same weights in each process
    with world.main_first():
        model = open_model(name, pretrained, options)
    if config.lock_image:
        model.lock_image_tower(unlocked_groups=config.lock_image_unlocked_groups)
    if config.lock_text:
        model.lock_text_tower(unlocked_layers=config.lock_text_unlocked_layers)
    if config.grad_checkpointing:
        model.set_grad_checkpointing()
    torch.manual_seed(config.seed + world.rank)  # another dropout in each
    moved: torch.nn.Module = model.to(world.device.torch_device)
    return moved


def create_loss(config: "Config", world: "World") -> Callable[..., torch.Tensor]:
    """The loss over all processes: softmax over the batch (CLIP), or sigmoid of each pair (SigLIP)."""
    if config.siglip:
        siglip: Callable[..., torch.Tensor] = open_clip.loss.SigLipLoss(rank=world.rank, world_size=world.size)
        return siglip
    clip: Callable[..., torch.Tensor] = open_clip.ClipLoss(
        local_loss=config.local_loss,
        gather_with_grad=config.gather_with_grad,
        cache_labels=True,
        rank=world.rank,
        world_size=world.size,
    )
    return clip


def tokenizer_name(config: "Config") -> str:
    """The name under which `open_clip.get_tokenizer` knows the model's tokenizer."""
    return _architecture(config)


def image_size(model: torch.nn.Module) -> int:
    """Side of the images that the model takes, in pixels."""
    size: Any = model.visual.image_size  # type: ignore[union-attr]
    return int(size[0] if isinstance(size, tuple | list) else size)


def load_weights(path: "str | os.PathLike[str]") -> dict[str, torch.Tensor]:
    """The weights of a file (safetensors or torch) or of a checkpoint's directory.

    Raises:
        TrainingError: There is no such file, or it holds no weights.
    """
    file = Path(path) / "model.safetensors" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise TrainingError(f"{file}: no such file of weights")
    try:
        weights: dict[str, torch.Tensor] = open_clip.factory.load_state_dict(str(file))
    except Exception as error:  # the readers of the formats raise whatever they like
        raise TrainingError(f"{file}: no readable weights: {_first_line(error)}") from error
    return weights


def _architecture(config: "Config") -> str:
    if config.pretrained and config.pretrained.startswith(_REMOTE):
        return config.pretrained
    return architecture(config.model)


def architecture(name: str) -> str:
    """The name open_clip has for a model; a JSON file is made known to it first.

    Raises:
        TrainingError: There is no such model.
    """
    if name.startswith(_REMOTE):
        return name
    if name.endswith(".json"):
        if not Path(name).is_file():
            raise TrainingError(f"{name}: no such model config")
        open_clip.add_model_config(Path(name))
        name = Path(name).stem
    known = open_clip.list_models()
    if name.replace("/", "-") not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; open_clip.list_models() has their names"
        raise TrainingError(f"model {name!r} is not known{hint}")
    return name


def open_model(name: str, pretrained: str | None, options: Mapping[str, Any], option: str = "--init") -> Any:
    """The model of an architecture, with weights of a tag, a file, or at random.

    Args:
        name: As `architecture` gives it.
        pretrained: One of open_clip's tags, a file of weights, or the directory of a checkpoint.
        options: Others of `open_clip.create_model`.
        option: The one that takes a file of weights, for messages.

    Raises:
        TrainingError: The weights cannot be had or do not fit.
    """
    if pretrained is not None and not open_clip.pretrained.is_pretrained_cfg(name, pretrained):
        if not Path(pretrained).exists():
            tags = ", ".join(open_clip.pretrained.list_pretrained_tags_by_model(name)) or "none"
            raise TrainingError(f"initial weights {pretrained!r}: no such file, and no tag of {name} (tags: {tags})")
        if Path(pretrained).is_dir():  # a checkpoint of ours
            pretrained = str(Path(pretrained) / "model.safetensors")
    quiet, logging.root.manager.disable = logging.root.manager.disable, logging.ERROR
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return open_clip.create_model(name, pretrained=pretrained, **options)
    except Exception as error:  # hub, network, disk and weights of another shape: each has its own
        raise TrainingError(_why(name, pretrained, option, error)) from error
    finally:
        logging.root.manager.disable = quiet


def _why(name: str, pretrained: str | None, option: str, error: Exception) -> str:
    """What could not be had, and what to do about it."""
    if pretrained is not None and Path(pretrained).is_file():
        return f"{pretrained}: does not fit model {name}: {_first_line(error)}"
    if pretrained is None and not name.startswith("hf-hub:"):
        return f"model {name} cannot be made: {_first_line(error)}"
    where = name.removeprefix("hf-hub:")
    if pretrained is not None:
        known = open_clip.get_pretrained_cfg(name, pretrained)
        where = str(known.get("hf_hub", "")).rstrip("/") or str(known.get("url"))
        name = f"{name} {pretrained}"
    place = where if "://" in where else f"https://huggingface.co/{where}"
    return (
        f"weights of {name} cannot be fetched from {place} ({_first_line(error)}); fetch open_clip_model.safetensors from"
        f" there on a machine that is online, then pass {option} FILE, or point HF_HOME to a cache that holds it"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
