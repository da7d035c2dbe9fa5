"""Every line that depends on the device: one switch between CUDA and the CPU."""

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from biomedica.exceptions import TrainingError
from biomedica.train.config import PRECISIONS

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

__all__ = ["Device", "choose", "fastest"]

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """What a process trains on, and how."""

    torch_device: torch.device
    precision: str
    """`fp32`, `bf16` or `fp16`."""

    @property
    def is_cuda(self) -> bool:
        """The switch."""
        return self.torch_device.type == "cuda"

    @property
    def name(self) -> str:
        """In words, for logs and tables."""
        return (
            torch.cuda.get_device_name(self.torch_device) if self.is_cuda else f"CPU, {torch.get_num_threads()} threads"
        )

    @property
    def backend(self) -> str:
        """Of `torch.distributed`."""
        return "nccl" if self.is_cuda else "gloo"

    def prepare(self) -> None:
        """Make the device the process's own."""
        if self.is_cuda:
            torch.cuda.set_device(self.torch_device)
            torch.backends.cudnn.benchmark = True

    def autocast(self) -> "AbstractContextManager[Any]":
        """Under which the model runs forward."""
        dtype = _DTYPES.get(self.precision)
        return contextlib.nullcontext() if dtype is None else torch.autocast(self.torch_device.type, dtype=dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Of losses: passes them through unless the precision is fp16 on CUDA."""
        return torch.amp.GradScaler(self.torch_device.type, enabled=self.precision == "fp16" and self.is_cuda)

    def move(self, tensor: torch.Tensor) -> torch.Tensor:
        """To the device, without waiting where the memory is pinned."""
        return tensor.to(self.torch_device, non_blocking=self.is_cuda)

    def put(self, rows: "NDArray[Any]") -> Any:
        """An array as a tensor on the device; on the CPU as it is, which numpy multiplies as fast."""
        return torch.from_numpy(np.ascontiguousarray(rows)).to(self.torch_device) if self.is_cuda else rows

    def rng(self) -> list[torch.Tensor]:
        """The state of torch's generators."""
        return [torch.get_rng_state(), *([torch.cuda.get_rng_state(self.torch_device)] if self.is_cuda else [])]

    def set_rng(self, states: list[torch.Tensor]) -> None:
        """Go back to such a state; that of another kind of device is left out."""
        torch.set_rng_state(states[0])
        if self.is_cuda and len(states) > 1:
            torch.cuda.set_rng_state(states[1], self.torch_device)

    def wrap(self, model: torch.nn.Module, world_size: int) -> torch.nn.Module:
        """The model, with gradients averaged over processes where there are several."""
        if world_size == 1:
            return model
        return torch.nn.parallel.DistributedDataParallel(
            model, device_ids=[self.torch_device] if self.is_cuda else None
        )

    def synchronize(self) -> None:
        """Wait for the device, so that a clock read next is true."""
        if self.is_cuda:
            torch.cuda.synchronize(self.torch_device)

    def peak_gib(self) -> float | None:
        """Most memory that tensors took; None where it is not known."""
        return torch.cuda.max_memory_allocated(self.torch_device) / 2**30 if self.is_cuda else None


def fastest(name: str) -> str:
    """The precision that models are run in, not trained, if none is asked for: `bf16` on CUDA, else `fp32`."""
    return "bf16" if name != "cpu" and torch.cuda.is_available() else "fp32"


def choose(name: str, local_rank: int, precision: str) -> Device:
    """The device `name` (`auto`, `cpu`, `cuda`) of a process.

    Raises:
        TrainingError: CUDA is asked for and there is none, or not one for each process.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not count):
        return Device(torch.device("cpu"), PRECISIONS[precision])
    if local_rank >= count:
        raise TrainingError(
            f"process {local_rank} of this machine has no CUDA device: there are {count}; use --device cpu"
        )
    return Device(torch.device("cuda", local_rank), PRECISIONS[precision])
