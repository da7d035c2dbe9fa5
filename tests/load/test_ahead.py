"""The thread that works ahead: order, bounds, errors, ends; and the memory that batches lie in."""

import gc
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from biomedica.load.ahead import Ahead
from biomedica.load.pixels import HostMemory, choose_decoder, decoding_threads


def threads(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_items_come_in_order_to_their_end() -> None:
    ahead = Ahead(iter(range(100)), 3, name="in order")
    assert list(ahead) == list(range(100))
    assert list(ahead) == []
    ahead.close()
    assert not threads("in order")


def test_an_error_comes_once_and_after_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("gone")

    ahead = Ahead(items(), 5, name="error")
    time.sleep(0.02)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(LookupError, match="gone"):
        next(ahead)
    assert list(ahead) == []
    ahead.close()


def test_closing_ends_a_thread_that_waits_for_room_and_its_iterator() -> None:
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            ended.set()

    ahead = Ahead(items(), 2, name="room")
    assert next(ahead) == 0
    ahead.close()
    ahead.close()
    gc.collect()
    assert ended.is_set()
    assert not threads("room")
    assert list(ahead) == []


def test_closing_from_another_thread_ends_the_wait_for_an_item() -> None:
    release = threading.Event()

    def items() -> Iterator[int]:
        release.wait()
        yield 1

    ahead = Ahead(items(), 1, name="wait")
    closer = threading.Timer(0.05, ahead.close)
    closer.start()
    waiting = threading.Timer(0.1, release.set)
    waiting.start()
    assert list(ahead) == []
    closer.join()
    waiting.join()
    assert not threads("wait")


def test_memory_is_used_again_only_when_no_tensor_shares_it() -> None:
    memory = HostMemory(4, 8, keep=2)
    first = memory.take(4).fill_(1.0)
    place = first.data_ptr()
    part = first[1:2]
    del first
    second = memory.take(4).fill_(2.0)
    assert second.data_ptr() != place
    assert torch.equal(part, torch.ones_like(part))
    del part, second
    gc.collect()
    places = {memory.take(2).data_ptr() for _ in range(5)}
    assert len(places) == 1
    held = [memory.take(3) for _ in range(5)]
    assert len({tensor.data_ptr() for tensor in held}) == 5
    del held
    assert len(memory._free) == 2


def test_memory_for_more_than_a_batch_is_made_as_well() -> None:
    assert HostMemory(1, 2, keep=1).take(3).shape == (3, 3, 2, 2)


def test_decoders_are_chosen_by_name_and_by_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [choose_decoder(name) for name in ("dali", "dali-cpu", "rust")] == ["dali", "dali-cpu", "rust"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_decoder("auto") == "rust"
    with pytest.raises(ValueError, match="one of auto, dali, dali-cpu, rust"):
        choose_decoder("pillow")


def test_threads_are_this_processs_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(12)))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert decoding_threads(None) == 12
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert decoding_threads(None) == 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "nonsense")
    assert decoding_threads(None) == 12
    assert decoding_threads(5) == 5
    with pytest.raises(ValueError, match="1 or more"):
        decoding_threads(0)
