"""AdamW, which of a model's parameters decay, and the learning rate of a step."""

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from biomedica.train.config import Config

__all__ = ["MAX_LOGIT_SCALE", "clamp_logit_scale", "create", "decays", "lr_at", "set_lr"]

MAX_LOGIT_SCALE = math.log(100)
"""Of CLIP (arXiv 2103.00020, 2.5): logits are scaled by 100 at most."""


def decays(name: str, parameter: torch.Tensor) -> bool:
    """Whether weight decay applies: to matrices, not to gains, biases and the logit scale (open_clip's rule)."""
    return not (parameter.ndim <= 1 or "bn" in name or "ln" in name or "bias" in name or "logit_scale" in name)


def create(model: torch.nn.Module, config: "Config", *, fused: bool) -> torch.optim.AdamW:
    """AdamW over what trains, in two groups."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for name, p in named if not decays(name, p)], "weight_decay": 0.0},
        {"params": [p for name, p in named if decays(name, p)], "weight_decay": config.wd},
    ]
    return torch.optim.AdamW(
        groups, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, fused=fused or None
    )


def lr_at(step: int, config: "Config", total: int) -> float:
    """The learning rate of `step` (from 0) of `total`: a linear rise, then a cosine to zero or a constant."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.lr_scheduler == "const":
        return config.lr
    progress = (step - config.warmup) / max(1, total - config.warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress))) * config.lr


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Let the next step use `lr`."""
    for group in optimizer.param_groups:
        group["lr"] = lr


@torch.no_grad()
def clamp_logit_scale(model: torch.nn.Module) -> None:
    """Keep the logit scale between 1 and 100."""
    scale = model.logit_scale
    assert isinstance(scale, torch.Tensor)  # noqa: S101 - every model of open_clip has one; this is for the type
    scale.clamp_(0, MAX_LOGIT_SCALE)
