"""From host memory to the device of a model, while the model is at work."""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

import torch

__all__ = ["CudaDevice", "Device", "HostDevice", "Moved"]


class Moved(NamedTuple):
    """Tensors on their device, perhaps still under way."""

    tensors: tuple[torch.Tensor, ...]
    ready: torch.cuda.Event | None
    """What whoever uses them has to wait for."""

    def take(self) -> tuple[torch.Tensor, ...]:
        """The tensors, for the stream of the calling thread."""
        if self.ready is not None:
            stream = torch.cuda.current_stream(self.tensors[0].device)
            stream.wait_event(self.ready)
            for tensor in self.tensors:
                # Else their memory could be given to others while this stream still reads it.
                tensor.record_stream(stream)
        return self.tensors


class Device(Protocol):
    """Where batches go."""

    def at_work(self) -> AbstractContextManager[object]:
        """Around all that makes a batch: what runs on the device does so beside the model."""

    def move(self, *tensors: torch.Tensor) -> Moved:
        """Send tensors there."""


class HostDevice:
    """Batches stay where they are."""

    def at_work(self) -> AbstractContextManager[object]:
        """Nothing to do."""
        return nullcontext()

    def move(self, *tensors: torch.Tensor) -> Moved:
        """The same tensors."""
        return Moved(tensors, None)


class CudaDevice:
    """Decoding and copies on a stream of their own, from pinned memory, beside whatever the GPU is computing."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)

    def at_work(self) -> AbstractContextManager[object]:
        """That stream, for the calling thread."""
        context: AbstractContextManager[object] = torch.cuda.stream(self._stream)
        return context

    def move(self, *tensors: torch.Tensor) -> Moved:
        """Copies there; what is there already stays.

        Pinned memory of torch's own allocator is given to nobody else until copies from it are done.
        """
        ready = torch.cuda.Event()
        with self.at_work():
            moved = tuple(
                tensor if tensor.is_cuda else tensor.pin_memory().to(self._device, non_blocking=True)
                for tensor in tensors
            )
            ready.record(self._stream)
        return Moved(moved, ready)
