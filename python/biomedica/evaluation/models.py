"""Models by what people call them: `NAME=SPEC`, and what `SPEC` may be.

| spec | model |
|---|---|
| `ViT-B-32@openai`, `ViT-B-32@weights.safetensors` | an architecture of open_clip with one of its tags, or a file of weights |
| `model.json@weights.safetensors` | an architecture of a file as open_clip has them |
| `hf-hub:org/name`, `local-dir:path` | a whole model |
| `logs/run`, `logs/run/checkpoints/step_00000100` | the newest checkpoint of a run of `train`, or one of them |
| `ViT-B-32@random` | weights as training begins, drawn from the seed: what chance looks like |
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from biomedica._sources import StrPath
from biomedica.concepts.features import checked_name
from biomedica.exceptions import ModelError

if TYPE_CHECKING:
    from biomedica.concepts.encoder import Pair, Weights
    from biomedica.train.device import Device

__all__ = ["Spec", "parse_models"]

RANDOM = "random"
LONGEST = 100
"""Characters of a name that is made of a spec."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A model that can be opened."""

    name: str
    text: str
    """The spec as it was given."""

    def open(
        self,
        device: "Device",
        *,
        batch_size: int = 64,
        decoder: str = "auto",
        threads: int | None = None,
        seed: int = 0,
    ) -> "Pair":
        """Its encoders.

        Args:
            device: Where it runs.
            batch_size: Images at a time.
            decoder: What decodes images, as `biomedica.loader` has it.
            threads: Threads that decode.
            seed: Of random weights.

        Raises:
            ModelError: There is no such model, or its weights cannot be had or do not fit.
        """
        from biomedica.concepts.encoder import Weights, open_pair

        image_size: int | None = None
        architecture, sign, source = self.text.rpartition("@")
        if self.text.startswith(("hf-hub:", "local-dir:")):
            architecture, weights = self.text, Weights()
        elif sign and architecture:
            weights = Weights(at_random=True, seed=seed) if source == RANDOM else Weights(source)
        else:
            architecture, weights, image_size = _checkpoint(self.text)
        return open_pair(
            architecture,
            weights,
            device,
            image_size=image_size,
            batch_size=batch_size,
            decoder=decoder,
            threads=threads,
        )


def parse_models(models: StrPath | Sequence[StrPath] | Mapping[str, StrPath]) -> list[Spec]:
    """Models by names.

    Args:
        models: Specs, each with `NAME=` before it or not; or specs by name.

    Raises:
        ValueError: There are none, two have one name, or a name cannot be one of a folder.
    """
    if isinstance(models, Mapping):
        found = [Spec(checked_name(name), os.fspath(spec)) for name, spec in models.items()]
    else:
        given = [models] if isinstance(models, str | os.PathLike) else models
        found = [_spec(os.fspath(one)) for one in given]
    names = [one.name for one in found]
    if not names:
        raise ValueError("there is no model to evaluate")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two models are called {twice!r}; put NAME= before them")
    return found


def _spec(text: str) -> Spec:
    name, sign, spec = text.partition("=")
    if sign and spec and not set(name) & set("/@:"):
        return Spec(checked_name(name), spec)
    return Spec(_name(text), text)


def _name(spec: str) -> str:
    """What a model without a name is called: its last two words, such as `ViT-B-32-openai` or `run-step_00000100`."""
    words = [
        word for word in spec.replace("@", "/").replace(":", "/").split("/") if word not in {"", ".", "checkpoints"}
    ]
    words = [word.removesuffix(".safetensors").removesuffix(".json") for word in words[-2:]]
    made = "-".join(words)
    clean = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in made)
    return checked_name(clean.strip(".-")[-LONGEST:].strip(".-") or "model")


def _checkpoint(text: str) -> tuple[str, "Weights", int | None]:
    """Architecture, weights and image size of a run or checkpoint of `train`."""
    from biomedica.concepts.encoder import Weights
    from biomedica.exceptions import TrainingError
    from biomedica.train import checkpoint

    path = Path(text)
    if not path.is_dir():
        raise ModelError(
            f"{text}: there is no such run or checkpoint; a model is ARCHITECTURE@WEIGHTS, such as ViT-B-32@openai, a"
            " directory of train, hf-hub:ORG/NAME or local-dir:PATH"
        )
    try:
        inner = path / "checkpoints"
        one = checkpoint.find("latest" if inner.is_dir() else text, inner)
    except TrainingError as error:
        raise ModelError(f"{text}: there is no whole checkpoint") from error
    config = one.manifest.get("config", {})
    return str(config.get("model")), Weights(str(one.model)), config.get("force_image_size")
