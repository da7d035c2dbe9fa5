"""The processes of a run, and all that they say to each other besides gradients and features.

What `torchrun` puts into the environment (RANK, LOCAL_RANK, WORLD_SIZE) decides; without it a run is one process. Words
that steer a run go over a group of their own on the CPU, so that they cost no synchronisation with a GPU, and so that
processes can wait there for as long as one of them validates or saves.
"""

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from biomedica.train.device import Device, choose

__all__ = ["World", "joined"]

PATIENCE = timedelta(hours=4)
"""How long a process waits for the others before it takes them for dead."""

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """This process among all of a run."""

    rank: int
    size: int
    device: Device
    control: Any = None
    """The group of the CPU."""

    @property
    def is_main(self) -> bool:
        """Whether this process logs, validates and saves."""
        return self.rank == 0

    def highest(self, value: int) -> int:
        """The highest value of all processes, for all of them."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value)
        distributed.all_reduce(tensor, distributed.ReduceOp.MAX, group=self.control)
        return int(tensor)

    def totals(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(tensor, group=self.control)
        return [float(value) for value in tensor]

    def gather(self, value: T) -> list[T]:
        """What each process has, by rank; empty but for the main one."""
        if self.size == 1:
            return [value]
        values: list[T] = [value] * self.size
        distributed.gather_object(value, values if self.is_main else None, group=self.control)
        return values if self.is_main else []

    def broadcast(self, value: T) -> T:
        """What the main process has."""
        if self.size == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0, group=self.control)
        return values[0]

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier(group=self.control)

    @contextlib.contextmanager
    def main_first(self) -> "Iterator[None]":
        """The main process runs the block before the others do, so that it alone downloads."""
        if not self.is_main:
            self.wait()
        try:
            yield
        finally:
            if self.is_main:
                self.wait()


@contextlib.contextmanager
def joined(device: str = "auto", precision: str = "fp32") -> Iterator[World]:
    """Join the processes that `torchrun` started, and leave them in the end; whoever has joined already stays."""
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    chosen = choose(device, int(os.environ.get("LOCAL_RANK", "0")), precision)
    chosen.prepare()
    if size == 1:
        yield World(0, 1, chosen)
        return
    ours = not distributed.is_initialized()
    if ours:
        distributed.init_process_group(chosen.backend, timeout=PATIENCE)
    try:
        with warnings.catch_warnings():
            # What open_clip's losses gather with; its successor is not in every torch that they support.
            warnings.filterwarnings("ignore", "torch.distributed.nn", FutureWarning)
            yield World(rank, size, chosen, distributed.new_group(backend="gloo", timeout=PATIENCE))
    finally:
        if ours:
            distributed.destroy_process_group()
