"""What images are made into: the numbers of open_clip's transforms."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

__all__ = ["OPENAI_MEAN", "OPENAI_STD", "Transform"]

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """How an image becomes a model's input.

    In training a crop of random size, shape and place is resized (`torchvision`'s RandomResizedCrop with open_clip's
    bounds); else the image is resized and its centre cropped.
    """

    image_size: int = 224
    """Width and height of what comes out."""
    train: bool = True
    scale: tuple[float, float] = (0.9, 1.0)
    """Share of the image's area that a random crop has."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Width over height of a random crop."""
    flip: bool = False
    """Mirror every other image at random; open_clip does not."""
    mean: tuple[float, float, float] = OPENAI_MEAN
    """Of each channel, taken off after scaling to 0..1."""
    std: tuple[float, float, float] = OPENAI_STD
    """Of each channel, by which it is divided then."""
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    """`bicubic` or `bilinear`, both with antialiasing."""
    fit: Literal["shortest", "longest", "squash"] = "shortest"
    """Outside training: which side fills the square (`shortest`, `longest`), or both by `squash`."""

    def with_config(self, config: Mapping[str, Any]) -> "Transform":
        """With what a model's `preprocess_cfg` (`open_clip_model.visual.preprocess_cfg`) says.

        Raises:
            ValueError: It wants images that are not square.
        """
        changes: dict[str, Any] = {}
        size = config.get("size")
        if size is not None:
            sides = {size} if isinstance(size, int) else set(size)
            if len(sides) != 1:
                raise ValueError(f"preprocess_cfg: images of {size} are wanted, but only square ones are made")
            changes["image_size"] = sides.pop()
        for name in ("mean", "std"):
            if config.get(name) is not None:
                changes[name] = tuple(config[name])
        # In training open_clip resizes bicubic whatever the model says, and takes `random` for bicubic elsewhere.
        if not self.train and config.get("interpolation") in {"bicubic", "bilinear"}:
            changes["interpolation"] = config["interpolation"]
        if config.get("resize_mode") is not None:
            changes["fit"] = config["resize_mode"]
        return replace(self, **changes)
