"""The loader: what doing it by hand gives, in the same order, resumable anywhere, with no thread left."""

import gc
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import biomedica as bm
from biomedica.load.batches import Batches
from biomedica.load.captions import Captions
from biomedica.load.device import HostDevice
from biomedica.load.loader import Loader
from biomedica.load.seeds import CROP, seed_of
from biomedica.load.tokenize import get_tokenizer
from load.small_shards import BAD, write_shards

SAMPLES = 101


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_shards(tmp_path_factory.mktemp("shards"), SAMPLES)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_shards(tmp_path_factory.mktemp("damaged"), SAMPLES, bad=range(5, SAMPLES, 20))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    assert not loader_threads()


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "biomedica.loader"]


class Seeds:
    """A decoder whose pixels are the seeds: the three channels have 20 bits each, which float32 holds exactly."""

    def __init__(self, wait: float = 0.0, fail_at: int | None = None) -> None:
        self.wait = wait
        self.fail_at = fail_at
        self.calls = 0

    def decode(self, images: Sequence[memoryview], seeds: Sequence[int]) -> tuple[torch.Tensor, list[tuple[int, str]]]:
        self.calls += 1
        if self.calls == self.fail_at:
            raise RuntimeError("the decoder is broken")
        time.sleep(self.wait)
        bits = torch.tensor([[float(seed >> shift & 0xFFFFF) for shift in (0, 20, 40)] for seed in seeds])
        bad = [(place, "no image") for place, image in enumerate(images) if bytes(image) == BAD]
        return bits[:, :, None, None].clone(), bad


def make(
    shards: Sequence[Path | str],
    batch_size: int = 8,
    *,
    pixels: Seeds | None = None,
    train: bool = True,
    seed: int = 5,
    rank: int = 0,
    world_size: int = 1,
    prefetch: int = 2,
    captions: str = "caption=1",
    max_bad_fraction: float = 0.5,
) -> Loader:
    stream = bm.stream(
        shards, seed=seed, shuffle=train, rank=rank, world_size=world_size, drop_last=train,
        lanes=8, block=4, window=4, max_bad_fraction=max_bad_fraction,
    )  # fmt: skip
    batches = Batches(
        stream,
        pixels or Seeds(),
        None,
        Captions(captions),
        HostDevice(),
        batch_size,
        whole=train,
        world_size=world_size,
    )
    return Loader(batches, prefetch)


def numbers(batches: Iterable[Any]) -> list[str]:
    return [caption for _, captions in batches for caption in captions]


def test_batches_are_what_doing_it_by_hand_gives(shards: list[Path]) -> None:
    stream = bm.stream(shards, seed=5, drop_last=True, lanes=8, block=4, window=4)
    with make(shards) as batches:
        assert len(batches) == SAMPLES // 8
        for epoch in range(2):
            iter(stream)
            by_hand = [stream.next_batch(8) for _ in range(len(batches))]
            loaded = list(batches)
            assert len(loaded) == len(by_hand)
            for (images, captions), samples in zip(loaded, by_hand, strict=True):
                assert captions == [sample.caption for sample in samples]
                seeds = [seed_of(CROP, 5, epoch, sample.position) for sample in samples]
                assert torch.equal(images, Seeds().decode([sample.image for sample in samples], seeds)[0])
            stream.next_batch(SAMPLES)


def test_epochs_differ_and_a_seed_repeats_them(shards: list[Path]) -> None:
    with make(shards) as batches, make(shards) as again, make(shards, seed=6) as other:
        first, second = numbers(batches), numbers(batches)
        assert first != second
        assert [numbers(again), numbers(again)] == [first, second]
        assert numbers(other) != first


def test_without_training_every_sample_comes_once_in_order(shards: list[Path]) -> None:
    with make(shards, 16, train=False) as batches:
        assert len(batches) == 7
        sizes = [len(captions) for _, captions in batches]
        assert sizes == [16] * 6 + [5]
        assert numbers(batches) == [f"caption {number}" for number in range(SAMPLES)]
    ranks = [make(shards, 16, train=False, rank=rank, world_size=2) for rank in (0, 1)]
    assert sorted(numbers(ranks[0]) + numbers(ranks[1])) == sorted(f"caption {number}" for number in range(SAMPLES))


@pytest.mark.parametrize("cut", [0, 1, 5, 11, 12])
@pytest.mark.parametrize(("batch_size", "world_size"), [(8, 1), (3, 1), (1, 1), (4, 2), (5, 4), (1, 8)])
def test_a_state_goes_on_with_other_batches_and_ranks(
    shards: list[Path], cut: int, batch_size: int, world_size: int
) -> None:
    with make(shards) as batches:
        whole = [
            (images, caption) for images, captions in batches for caption, images in zip(captions, images, strict=True)
        ]
    with make(shards, prefetch=3) as batches:
        epoch = iter(batches)
        for _ in range(cut):
            next(epoch)
        state = batches.state_dict()
    assert state["position"] == 8 * cut
    rest: dict[int, tuple[torch.Tensor, str]] = {}
    for rank in range(world_size):
        with make(shards, batch_size, seed=99, rank=rank, world_size=world_size) as resumed:
            resumed.load_state_dict(state)
            position = 8 * cut + rank
            for images, captions in resumed:
                for image, caption in zip(images, captions, strict=True):
                    rest[position] = image, caption
                    position += world_size
    # Whole batches of each rank only.
    share = (SAMPLES - 8 * cut) // world_size // batch_size * batch_size
    assert len(rest) == share * world_size
    for position, (image, caption) in rest.items():
        if position < len(whole):
            assert caption == whole[position][1]
            assert torch.equal(image, whole[position][0])


def test_a_loop_that_is_left_goes_on_where_it_was(shards: list[Path]) -> None:
    with make(shards) as batches, make(shards, prefetch=4) as broken:
        whole = numbers(batches)
        parts: list[str] = []
        for _, captions in broken:
            parts += captions
            if len(parts) == 24:
                break
        time.sleep(0.05)  # what was made ahead is not what was handed out
        held = iter(broken)
        parts += next(held)[1]
        parts += numbers(broken)
        assert parts == whole
        assert list(held) == []  # an iterator that another has followed is at its end


def test_a_state_at_the_end_of_an_epoch_leads_to_the_next(shards: list[Path]) -> None:
    with make(shards) as batches:
        first, second = numbers(batches), numbers(batches)
    with make(shards) as batches, make(shards) as resumed:
        assert numbers(batches) == first
        state = batches.state_dict()
        assert (state["epoch"], state["position"]) == (0, SAMPLES)
        resumed.load_state_dict(state)
        assert numbers(resumed) == []  # the rest of an epoch that is over
        assert numbers(resumed) == second


def test_a_state_after_the_last_whole_batch_leads_to_the_next_epoch(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, 16, shards=1)
    with make(shards) as batches, make(shards) as resumed:
        epoch = iter(batches)
        next(epoch)
        next(epoch)
        state = batches.state_dict()
        assert (state["epoch"], state["position"]) == (0, 16)
        resumed.load_state_dict(state)
        assert numbers(resumed) == []
        assert list(epoch) == []
        assert numbers(resumed) == numbers(batches)


def test_set_epoch_begins_an_epoch_and_leaves_the_one_at_hand_alone(shards: list[Path]) -> None:
    with make(shards) as batches:
        epochs = [numbers(batches) for _ in range(3)]
    with make(shards) as batches:
        for number in (0, 1, 2):
            batches.set_epoch(number)
            assert numbers(batches) == epochs[number]
        batches.set_epoch(int(batches.state_dict()["epoch"]) - 1)
        _, begin = next(iter(batches))
        batches.set_epoch(1)
        assert [*begin, *numbers(batches)] == epochs[1]


def test_crops_and_captions_depend_on_nothing_but_seed_epoch_and_turn(shards: list[Path]) -> None:
    choice = "caption=1,panel=1,mention=2"

    def drawn(batch_size: int, world_size: int) -> list[tuple[str, float]]:
        ranks = []
        for rank in range(world_size):
            with make(shards, batch_size, rank=rank, world_size=world_size, captions=choice) as batches:
                ranks.append([
                    (caption, float(image[0]))
                    for images, captions in batches
                    for image, caption in zip(images, captions, strict=True)
                ])  # fmt: skip
        return [pair for turn in zip(*ranks, strict=True) for pair in turn]

    whole = drawn(1, 1)
    assert drawn(8, 1) == whole[:96]
    assert drawn(3, 4) == whole[:96]
    kinds = {text.split()[0] for text, _ in whole}
    assert kinds == {"caption", "panel", "mention"}


def test_kinds_of_captions_are_counted(shards: list[Path]) -> None:
    with make(shards, captions="mention=1") as batches:
        kinds = [text.split()[0] for text in numbers(batches)]
        assert batches.stats["from_mention"] == kinds.count("mention")
        assert batches.stats["from_caption"] == kinds.count("caption") > 0
        assert batches.stats["captions"] == batches.stats["samples"] == len(kinds)


def test_bad_images_are_replaced_the_same_way_whatever_the_batches(damaged: list[Path]) -> None:
    bad = {f"caption {number}" for number in range(5, SAMPLES, 20)}
    with make(damaged, 8) as batches, make(damaged, 1) as single:
        whole, one_by_one = numbers(batches), numbers(single)
        assert whole == one_by_one[: len(whole)]
        assert not bad & set(one_by_one)
        assert len(one_by_one) == SAMPLES
        assert single.stats["bad_samples"] == len(bad)
        messages = [str(problem) for problem in single.problems]
        assert len(messages) == len(bad)
        assert all("no image" in message and "byte" in message and ".tar" in message for message in messages)


def test_bad_samples_of_batches_not_handed_out_are_not_counted(damaged: list[Path]) -> None:
    with make(damaged, 1, prefetch=64) as batches:
        total = 0
        for _ in range(3):
            for count, _ in enumerate(batches, 1):
                if count == 30:
                    break
            total += 30
            assert batches.stats["samples"] == total
        numbers(batches)
        assert batches.stats["samples"] == SAMPLES
        assert batches.stats["bad_samples"] == 5


def test_too_many_bad_samples_end_the_run_with_an_error(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, 40, bad=range(0, 40, 2))
    with make(shards, 4, max_bad_fraction=0.01) as batches, pytest.raises(bm.SourceError, match="bad"):
        numbers(batches)


def test_an_error_of_the_thread_comes_after_the_batches_before_it(shards: list[Path]) -> None:
    with make(shards) as batches:
        whole = numbers(batches)
    with make(shards, pixels=Seeds(fail_at=4)) as batches:
        epoch = iter(batches)
        got = [caption for _ in range(3) for caption in next(epoch)[1]]
        with pytest.raises(RuntimeError, match="the decoder is broken"):
            next(epoch)
        assert not loader_threads()
        # Whatever it was, the loader stands after the last batch that it gave.
        assert got + numbers(batches) == whole


@pytest.mark.parametrize("leave", ["drop", "close", "exhaust", "raise"])
def test_no_thread_is_left(shards: list[Path], leave: str) -> None:
    batches = make(shards)
    epoch = iter(batches)
    next(epoch)
    assert loader_threads()
    if leave == "drop":
        del epoch, batches
    elif leave == "close":
        batches.close()
        with pytest.raises(ValueError, match="closed"):
            iter(batches)
    elif leave == "exhaust":
        list(epoch)
    else:

        def step() -> None:
            for _ in batches:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            step()
        del epoch, step
    gc.collect()
    assert not loader_threads()


def test_waiting_is_measured(shards: list[Path]) -> None:
    with make(shards, pixels=Seeds(wait=0.02)) as slow:
        numbers(slow)
        assert slow.stats["wait_seconds"] > 0.02 * len(slow) * 0.8
    with make(shards, pixels=Seeds(wait=0.002)) as fast:
        for _ in fast:
            time.sleep(0.02)
        # The first batch has to be waited for.
        assert fast.stats["wait_seconds"] < 0.02 * len(fast) * 0.3


def test_no_more_is_made_ahead_than_asked_for(shards: list[Path]) -> None:
    pixels = Seeds()
    with make(shards, 1, pixels=pixels, prefetch=3) as batches:
        next(iter_ := iter(batches))
        time.sleep(0.1)
        # One handed out, three ready, one in hand.
        assert pixels.calls <= 5
        del iter_


def test_tokens_are_the_tokenizers_and_truncation_is_counted(shards: list[Path]) -> None:
    stream = bm.stream(shards, seed=5, drop_last=True)
    tokenizer = get_tokenizer("ViT-B-32", context_length=3)
    made = Batches(stream, Seeds(), tokenizer, Captions(), HostDevice(), 8, whole=True, world_size=1)
    texts = [sample.caption for sample in bm.stream(shards, seed=5, drop_last=True)]
    with Loader(made, 2) as batches:
        tokens = torch.cat([ids for _, ids in batches if isinstance(ids, torch.Tensor)])
        assert torch.equal(tokens, torch.from_numpy(tokenizer.encode(texts[:96]).ids))
        assert batches.stats["truncated_captions"] == batches.stats["captions"] == 96


class Sequential:
    """A stream that has nothing to stand in for a sample but those that follow, as one without an index."""

    def __init__(self, shards: list[Path]) -> None:
        self._stream = bm.stream(shards, shuffle=False)
        self.problems: list[Exception] = []
        self.stats = {"bad_samples": 0}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __len__(self) -> int:
        return len(self._stream)

    def __iter__(self) -> Iterator[bm.Sample]:
        return iter(self._stream)

    def replacement(self, _: bm.Sample, reason: str) -> bm.Sample | None:
        self.problems.append(ValueError(reason))
        self.stats["bad_samples"] += 1
        return next(iter(self._stream.next_batch(1)), None)

    def state_dict(self) -> dict[str, Any]:
        return {**self._stream.state_dict(), "cursor": [0, 0, 0]}


@pytest.mark.parametrize(
    ("samples", "whole", "sizes", "problems"),
    [(24, False, [8, 8, 4], 4), (25, False, [8, 8, 5], 4), (25, True, [8, 8], 4), (24, True, [8, 8], 1)],
)
def test_samples_for_which_nothing_stands_in_are_left_out(
    tmp_path: Path, samples: int, whole: bool, sizes: list[int], problems: int
) -> None:
    shards = write_shards(tmp_path, samples, bad=[3, 17, 20, 23])
    made = Batches(Sequential(shards), Seeds(), None, Captions(), HostDevice(), 8, whole=whole, world_size=1)
    with Loader(made, 2) as batches:
        got = [(len(images), captions) for images, captions in batches]
        assert [size for size, _ in got] == [len(captions) for _, captions in got] == sizes
        wanted = [f"caption {number}" for number in range(samples) if number not in {3, 17, 20, 23}]
        found = [caption for _, captions in got for caption in captions]
        assert set(found) <= set(wanted)
        assert len(set(found)) == len(found)
        # A last batch that is too short anyway is not even decoded.
        assert len(batches.problems) == problems


def test_the_state_of_other_shards_is_refused(shards: list[Path], tmp_path: Path) -> None:
    with make(shards) as batches, make(write_shards(tmp_path, 17)) as other:
        with pytest.raises(ValueError, match="other shards"):
            other.load_state_dict(batches.state_dict())
        with pytest.raises(ValueError, match="no state"):
            batches.load_state_dict({"epoch": 1})
