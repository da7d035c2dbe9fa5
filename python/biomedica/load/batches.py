"""Samples to batches: images decoded, captions chosen and tokenised, bad samples replaced."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import torch

from biomedica.load.captions import Captions
from biomedica.load.device import Device, Moved
from biomedica.load.pixels import Pixels
from biomedica.load.seeds import CROP, seed_of
from biomedica.load.tokenize import Tokenizer

__all__ = ["Batch", "Batches", "Made", "Stream"]

Batch: TypeAlias = tuple[torch.Tensor, torch.Tensor | list[str]]
S = TypeVar("S", bound="Sample")


class Sample(Protocol):
    """What is asked of a sample; `biomedica.stream` has it."""

    @property
    def image(self) -> memoryview: ...
    @property
    def caption(self) -> str: ...
    @property
    def metadata(self) -> dict[str, Any]: ...
    @property
    def epoch(self) -> int: ...
    @property
    def position(self) -> int: ...


class Stream(Protocol[S]):
    """What is asked of a stream; `biomedica.stream` has it."""

    def __iter__(self) -> Iterator[S]: ...
    def __len__(self) -> int: ...
    def next_batch(self, count: int) -> list[S]:
        """Up to `count` samples; fewer only at the end of an epoch."""

    def replacement(self, sample: S, reason: str) -> S | None:
        """What stands in for a sample that could not be used, if anything does."""

    def state_dict(self) -> dict[str, Any]:
        """Where it is after the samples that it gave."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a state was taken."""

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch."""

    def close(self) -> None:
        """Stop its threads."""

    @property
    def stats(self) -> dict[str, Any]:
        """Counts; `bad_samples` is looked at, and `missing_samples` where there is a selection."""

    @property
    def problems(self) -> Sequence[Exception]:
        """What is wrong with samples that could not be used."""


@dataclass(frozen=True, slots=True)
class Made:
    """A batch, and where the stream is after it; an epoch ends with one that has no batch."""

    state: dict[str, Any]
    moved: Moved | None = None
    captions: list[str] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def batch(self) -> Batch | None:
        """Images and tokens, or captions, for the calling thread."""
        if self.moved is None:
            return None
        images, *tokens = self.moved.take()
        return images, tokens[0] if self.captions is None else self.captions


class Batches(Generic[S]):
    """The batches of a stream: all that the thread of an epoch needs, and nothing of `Loader`, which may be dropped."""

    def __init__(
        self,
        stream: Stream[S],
        pixels: Pixels,
        tokenizer: Tokenizer | None,
        captions: Captions,
        device: Device,
        batch_size: int,
        *,
        whole: bool,
        world_size: int,
    ) -> None:
        self.stream = stream
        self.batch_size = batch_size
        self.whole = whole
        self._pixels = pixels
        self._tokenizer = tokenizer
        self._captions = captions
        self._device = device
        self._world_size = world_size

    def after(self, state: Mapping[str, Any]) -> Iterator[Made]:
        """The batches that follow a state to the end of its epoch."""
        seed, epoch, position = (int(state[name]) for name in ("seed", "epoch", "position"))
        bad_samples = self.stream.stats["bad_samples"]
        is_over = False
        while not is_over:
            samples = self.stream.next_batch(self.batch_size)
            position += len(samples) * self._world_size
            is_over = len(samples) < self.batch_size
            made = None
            if samples and not (is_over and self.whole):
                with self._device.at_work():
                    images, samples = self._decoded(samples, seed)
                    is_over = len(samples) < self.batch_size
                    bad_samples, before = self.stream.stats["bad_samples"], bad_samples
                    if samples and not (is_over and self.whole):
                        made = self._made(images, samples, seed, bad_samples - before)
            after = self.stream.state_dict()
            if after["epoch"] != epoch and self.whole and "cursor" not in after:
                # After an epoch's last sample a stream stands at the beginning of the next. A loader stands at the end
                # of this one until it is asked for the next, so that its epoch is that of the last batch. (A stream
                # without an index, which has a cursor, does not know where that end is.)
                after |= {"epoch": epoch, "position": position}
            if made is not None:
                yield replace(made, state=after)
            if is_over:
                yield Made(after)

    def _decoded(self, samples: Sequence[S], seed: int) -> tuple[torch.Tensor, list[S]]:
        """Images, and their samples: those whose image cannot be decoded are replaced, or left out at a stream's end."""
        images, bad = self._decode(samples, seed)
        chosen: list[S | None] = list(samples)
        while bad:
            stand_ins = {place: self.stream.replacement(sample, why) for place, why in bad if (sample := chosen[place])}
            for place, stand_in in stand_ins.items():
                chosen[place] = stand_in
            again = {place: stand_in for place, stand_in in stand_ins.items() if stand_in is not None}
            if not again:
                break
            places = list(again)
            repaired, still_bad = self._decode(list(again.values()), seed)
            images[places] = repaired
            bad = [(places[place], why) for place, why in still_bad]
        kept = [sample for sample in chosen if sample is not None]
        if len(kept) < len(chosen):
            images = images[[place for place, sample in enumerate(chosen) if sample is not None]]
        return images, kept

    def _decode(self, samples: Sequence[S], seed: int) -> tuple[torch.Tensor, list[tuple[int, str]]]:
        # What replaces a sample has its turn, and so its crop.
        seeds = [seed_of(CROP, seed, sample.epoch, sample.position) for sample in samples]
        return self._pixels.decode([sample.image for sample in samples], seeds)

    def _made(self, images: torch.Tensor, samples: Sequence[S], seed: int, bad_samples: int) -> Made:
        chosen = [self._captions.choose(sample, seed, sample.epoch, sample.position) for sample in samples]
        texts = [text for text, _ in chosen]
        counts = Counter(f"from_{kind}" for _, kind in chosen)
        counts |= Counter(samples=len(samples), captions=len(samples), bad_samples=bad_samples)
        if self._tokenizer is None:
            return Made({}, self._device.move(images), texts, counts)
        tokens = self._tokenizer.encode(texts)
        if tokens.truncated is not None:
            counts["truncated_captions"] = int(tokens.truncated.sum())
        return Made({}, self._device.move(images, torch.from_numpy(tokens.ids)), None, counts)
