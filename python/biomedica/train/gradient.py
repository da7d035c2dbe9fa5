"""The gradient of a large batch, exactly, with the memory of a small one.

A contrastive loss compares each image with every text of the batch, so that losses of parts do not add up to the loss of
the whole. Following GradCache (Gao et al., arXiv 2101.06983):

1. all parts go forward without gradient, and their features are kept;
2. the loss of all features, gathered over processes, is differentiated with respect to the features;
3. each part goes forward again, one tower after the other, and its features' gradient is carried back through the tower.

The result is the large batch's gradient up to rounding; one part takes the plain way. open_clip's `--accum-freq` gives
the same gradient with one backward pass of the whole loss for each part; here there is one in all.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from biomedica.train.device import Device

__all__ = ["Batch", "backward", "split"]

Batch = tuple[torch.Tensor, torch.Tensor]
"""Images [B, 3, H, W] and tokens [B, L]."""

FEATURES = ("image_features", "text_features")


def split(batches: Sequence[Batch], size: int | None) -> list[Batch]:
    """Micro-batches in parts of at most `size` pairs."""
    if size is None:
        return list(batches)
    return [part for images, tokens in batches for part in zip(images.split(size), tokens.split(size), strict=True)]


def backward(
    model: torch.nn.Module,
    loss: Callable[..., torch.Tensor],
    parts: Sequence[Batch],
    device: "Device",
    scale: Callable[[torch.Tensor], torch.Tensor] = lambda value: value,
) -> torch.Tensor:
    """Add the gradient of the loss of all parts together to the parameters; return that loss.

    Args:
        model: An open_clip model with `output_dict`, or one that is wrapped for several processes.
        loss: From features, logit scale and bias to a scalar.
        parts: Micro-batches of one step.
        device: On which it happens.
        scale: Applied to the loss before it is differentiated (of a `GradScaler`).
    """
    if len(parts) == 1:
        value = loss(**_forward(model, parts[0], device))
        scale(value).backward()
        return value.detach()

    states, outputs = [], []
    with torch.no_grad():
        for part in parts:
            states.append(device.rng())
            outputs.append(_forward(model, part, device))

    inputs = {name: torch.cat([output[name] for output in outputs]) for name in FEATURES}
    inputs |= {name: value for name, value in outputs[-1].items() if name not in FEATURES}
    inputs = {name: value.detach().requires_grad_() for name, value in inputs.items()}
    value = loss(**inputs)
    scale(value).backward()

    sizes = [len(images) for images, _ in parts]
    gradients = {name: _gradient(inputs[name]).split(sizes) for name in FEATURES}
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        device.set_rng(states[number])  # dropout must fall as it did in the first pass
        for tower in _towers(model, part, is_last=last):
            with contextlib.nullcontext() if last else _no_sync(model):
                output = _forward(model, tower, device)
                wanted = {name: gradients[name][number] for name in FEATURES}
                if last and tower[1] is not None:  # what is no feature belongs to the batch, not to a part
                    wanted |= {name: _gradient(inputs[name]) for name in output if name not in FEATURES}
                names = [name for name in wanted if name in output and output[name].requires_grad]
                if names:
                    torch.autograd.backward([output[name] for name in names], [wanted[name] for name in names])
                del output  # before the next tower's activations come
    return value.detach()


def _towers(model: torch.nn.Module, part: Batch, *, is_last: bool) -> "list[tuple[torch.Tensor | None, ...]]":
    """What goes forward at once: images, then tokens, so that one tower's activations are held at a time.

    A model that is wrapped for several processes gets the last part whole: its gradients go to the others when each
    parameter has had its own, once for each pass.
    """
    if is_last and hasattr(model, "no_sync"):
        return [part]
    return [(part[0], None), (None, part[1])]


def _forward(
    model: torch.nn.Module, part: "tuple[torch.Tensor | None, ...]", device: "Device"
) -> dict[str, torch.Tensor]:
    """The model's outputs, in fp32 at least: the loss is not to be computed in half precision."""
    with device.autocast():
        output: dict[str, torch.Tensor | None] = model(*part)
    return {
        name: value.to(torch.promote_types(value.dtype, torch.float32))
        for name, value in output.items()
        if value is not None
    }


def _gradient(leaf: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def _no_sync(model: torch.nn.Module) -> Any:
    """Leave gradients to this process until the last part, which carries the sum of all to the others."""
    no_sync: Any = getattr(model, "no_sync", contextlib.nullcontext)
    return no_sync()
