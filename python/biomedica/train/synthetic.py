"""Batches without any data: what `--train-data synthetic` trains on, for measuring and for tests.

The order is a pure function of seed and epoch, and the state is one number, as with `biomedica.loader`; so a run on
synthetic data resumes like any other.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["SyntheticLoader"]


class SyntheticLoader:
    """Random images and tokens in a shuffled order.

    Args:
        samples: Samples an epoch, over all processes.
        batch_size: Samples a batch.
        image_size: Side of the images.
        context_length: Tokens a caption.
        vocab_size: Tokens there are; the highest stands at the end of each caption.
        seed: Of content and order.
        rank: This process.
        world_size: Processes; each takes every `world_size`-th sample.
        device: Where the tensors are.
        distinct: Images in memory; samples beyond it use them again.
    """

    def __init__(
        self,
        *,
        samples: int,
        batch_size: int,
        image_size: int,
        context_length: int = 77,
        vocab_size: int = 49408,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | str = "cpu",
        distinct: int = 1024,
    ) -> None:
        self._samples, self._batch_size = samples, batch_size
        self._seed, self._rank, self._world_size = seed, rank, world_size
        self._epoch = self._position = 0
        self._waited = 0.0
        made = torch.Generator().manual_seed(seed)
        count = min(samples, distinct)
        self._images = torch.randn(count, 3, image_size, image_size, generator=made).to(device)
        tokens = torch.randint(1, vocab_size - 2, (count, context_length), generator=made)
        tokens[:, 0], tokens[:, -1] = vocab_size - 2, vocab_size - 1
        self._tokens = tokens.to(device)

    def __len__(self) -> int:
        return self._samples // self._world_size // self._batch_size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The rest of the epoch; the next epoch, if this one is over."""
        step = self._batch_size * self._world_size
        if self._position + step > self._samples:
            self.set_epoch(self._epoch + 1)
        order = torch.randperm(
            self._samples, generator=torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        )
        while self._position + step <= self._samples:
            begin = time.perf_counter()
            places = order[self._position : self._position + step][self._rank :: self._world_size]
            places = (places % len(self._images)).to(self._images.device)
            batch = self._images[places], self._tokens[places]
            self._position += step
            self._waited += time.perf_counter() - begin
            yield batch

    @property
    def stats(self) -> dict[str, float]:
        """Counts since the loader was made."""
        return {"wait_seconds": self._waited, "bad_samples": 0, "truncated_captions": 0, "captions": 0}

    def set_epoch(self, epoch: int) -> None:
        """Begin `epoch`."""
        self._epoch, self._position = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, after the last batch that was handed out."""
        return {"version": 1, "seed": self._seed, "epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._epoch, self._position = int(state["epoch"]), int(state["position"])
