"""Weights between those of two models: WiSE-FT (Wortsman et al., arXiv 2109.01903).

A fine-tuned model knows its new domain and has forgotten some of the old. The weights (1 - alpha) x base + alpha x tuned
often keep both; which alpha is best is seen by evaluating several.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from biomedica.exceptions import TrainingError
from biomedica.train import data, model
from biomedica.train.chart import line_chart
from biomedica.train.config import Config
from biomedica.train.distributed import World
from biomedica.train.validate import HeldOut

if TYPE_CHECKING:
    from biomedica._sources import StrPath

__all__ = ["Merged", "between", "merge"]

UNDRAWN = (
    "samples",
    "chance_recall@1",
    *(f"{way}_recall@{k}" for way in ("image_to_text", "text_to_image") for k in (5, 10)),
)
"""Metrics that do not depend on alpha, and those that say little more than others."""


@dataclass(frozen=True)
class Merged:
    """One merged model."""

    alpha: float
    path: Path
    """The file of its weights."""
    metrics: dict[str, float]
    """Of its evaluation; empty without held-out data."""


def merge(
    base: "StrPath",
    tuned: "StrPath",
    output: "StrPath",
    *,
    alpha: float | Sequence[float] = 0.5,
    config: Config | None = None,
    held_out: HeldOut | None = None,
) -> list[Merged]:
    """Write the weights (1 - alpha) x base + alpha x tuned, for one alpha or several, and evaluate them.

    Args:
        base: File of weights (safetensors or torch), or a checkpoint's directory.
        tuned: The same, of a model of the same architecture.
        output: File of the merged weights (.safetensors). With several alphas each has its value in its name:
            `merged-0.25.safetensors`.
        alpha: Share of the tuned model: 0 is the base, 1 the tuned model, to the bit.
        config: Names the model and what to evaluate it by (`model`; `val_data`, `eval_tasks`); without these nothing is
            evaluated. With several alphas, each metric over alpha is drawn beside the weights: `merged.png`.
        held_out: Data to evaluate on instead.

    Returns:
        The merged models, in the order of `alpha`.

    Raises:
        TrainingError: The files hold no weights, or those of different models.
        ValueError: An alpha lies outside 0 to 1.

    Example:
        >>> import biomedica as bm
        >>> bm.merge("base.safetensors", "logs/bmc/checkpoints/step_00026451", "merged.safetensors")  # doctest: +SKIP
    """
    alphas = [float(alpha)] if isinstance(alpha, int | float) else [float(value) for value in alpha]
    if not alphas or not all(0 <= value <= 1 for value in alphas):
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    path = Path(output)
    if path.suffix != ".safetensors":
        raise ValueError(f"output {path} must end in .safetensors")
    config = config or Config()
    from_base, from_tuned = model.load_weights(base), model.load_weights(tuned)
    judge = _judge(config, held_out)
    path.parent.mkdir(parents=True, exist_ok=True)
    merged = []
    for value in alphas:
        weights = between(from_base, from_tuned, value)
        file = path if len(alphas) == 1 else path.with_name(f"{path.stem}-{value:g}{path.suffix}")
        draft = file.with_name(f".{file.name}.part")
        save_file(weights, draft, metadata={"format": "pt", "alpha": f"{value:g}"})
        draft.replace(file)
        merged.append(Merged(value, file, judge(weights) if judge else {}))
    if judge and len(alphas) > 1:
        _draw(merged, path.with_suffix(".png"))
    return merged


def between(
    base: "dict[str, torch.Tensor]", tuned: "dict[str, torch.Tensor]", alpha: float
) -> "dict[str, torch.Tensor]":
    """The weights between two models, summed in fp64 and kept in the type of the base; 0 and 1 are the models themselves.

    Raises:
        TrainingError: They are not of the same architecture.
    """
    for one, other in ((base, tuned), (tuned, base)):
        missing = next((name for name in one if name not in other), None)
        if missing is not None:
            raise TrainingError(f"the two models are not of one architecture: only one of them has {missing!r}")
    weights = {}
    for name, a in base.items():
        b = tuned[name]
        if a.shape != b.shape:
            raise TrainingError(f"{name!r} is {list(a.shape)} in one model and {list(b.shape)} in the other")
        if alpha in {0.0, 1.0} or not a.is_floating_point():
            weights[name] = (b if alpha >= 0.5 else a).to(a.dtype).contiguous()  # noqa: PLR2004 - the nearer one
        else:
            weights[name] = ((1 - alpha) * a.double() + alpha * b.double()).to(a.dtype).contiguous()
    return weights


def parse_alphas(text: str) -> list[float]:
    """`0.5`; `0,0.5,1`; or `0:1:0.1`, from, to and step."""
    span = re.fullmatch(r"([\d.]+):([\d.]+):([\d.]+)", text)
    if not span:
        return [float(part) for part in text.split(",")]
    begin, end, step = (float(part) for part in span.groups())
    if not step:
        raise ValueError(f"alpha {text!r} has a step of zero")
    return [round(begin + number * step, 10) for number in range(int((end - begin) / step + 1e-9) + 1)]


def _judge(config: Config, held_out: HeldOut | None) -> Any:
    """What evaluates weights; None when there is nothing to evaluate on."""
    if held_out is None and not config.val_data and not config.eval_tasks:
        return None
    from biomedica.train.device import choose

    device = choose(config.device, 0, config.precision)
    scratch = model.create(config, World(0, 1, device))
    validation = data.validation(config, scratch, device, held_out)

    def judge(weights: dict[str, torch.Tensor]) -> dict[str, float]:
        try:
            scratch.load_state_dict(weights)
        except RuntimeError as error:
            raise TrainingError(
                f"the weights are not of model {config.model}: {str(error).splitlines()[-1]}"
            ) from error
        return validation.of(scratch)

    return judge


def _draw(merged: Sequence[Merged], path: Path) -> None:
    """Each metric over alpha; of the recalls of held-out pairs the first of either way."""
    points = sorted(merged, key=lambda one: one.alpha)
    names = [name for name in points[0].metrics if not name.endswith("_chance") and name not in UNDRAWN]
    lines = {name: [(one.alpha, one.metrics[name]) for one in points if name in one.metrics] for name in names}
    draft = path.with_name(f".{path.name}.part")
    line_chart(lines, "metrics over alpha: 0 is the base, 1 the tuned model", draft)
    draft.replace(path)
