"""`stream`: every sample once, in an order that resumes anywhere, whatever happens to the shards."""

import gc
import itertools
import json
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import biomedica as bm
from made import image, packages
from shards import PER_SHARD, all_keys, keys, sample_members, sequential, write_shards, write_tar


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_shards(tmp_path_factory.mktemp("stream"), 5)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    directory = tmp_path_factory.mktemp("stream-dataset")
    return bm.extract(packages(directory / "in", 40), directory / "out", part_size=16)


def test_a_sample_is_what_lies_in_the_shard(shards: list[Path]) -> None:
    first = next(iter(bm.stream(shards[0], shuffle=False)))
    members = dict(sample_members(0))
    assert first.key == "s00000"
    assert bytes(first.image) == members["s00000.jpg"]
    assert first.caption == "Caption 0"
    assert first.metadata == {"n": 0}
    assert first.metadata is first.metadata
    assert first.shard == str(shards[0])
    assert (first.offset, first.position, first.epoch, first.is_replacement) == (0, 0, 0, False)
    assert first.extensions == ["jpg", "txt", "json"]
    assert "txt" in first
    assert "cls" not in first
    assert first["txt"] == b"Caption 0"
    with pytest.raises(KeyError, match=r"s00000 has no \.cls, only jpg, txt, json"):
        first["cls"]


def test_an_image_is_a_view_that_outlives_its_stream(shards: list[Path]) -> None:
    with bm.stream(shards[0], shuffle=False) as stream:
        sample = next(stream)
        view = sample.image
        array = np.frombuffer(view, np.uint8)
        del sample
    gc.collect()
    assert array.tobytes() == sample_members(0)[0][1]
    assert view.readonly
    assert view.format == "B"
    assert array.ctypes.data == np.frombuffer(view, np.uint8).ctypes.data


def test_foreign_samples_need_no_caption_and_may_have_any_image(tmp_path: Path) -> None:
    shard = write_tar(
        tmp_path / "a.tar",
        [
            ("x/1.PNG", b"png"),
            ("x/1.cls", b"7"),
            ("x/2.seg.webp", b"webp"),
            ("x/3.txt", b"\xff caf\xc3\xa9"),
            ("x/3.tif", b"t"),
        ],
    )
    one, two, three = bm.stream(shard, shuffle=False)
    assert (one.key, bytes(one.image), one.caption, one.metadata, one["cls"]) == ("x/1", b"png", "", {}, b"7")
    assert bytes(two.image) == b"webp"
    assert three.caption == "\ufffd café"


@pytest.mark.parametrize("shuffle", [False, True])
def test_every_sample_comes_once_an_epoch(shards: list[Path], shuffle: bool) -> None:
    stream = bm.stream(shards, shuffle=shuffle)
    assert len(stream) == 5 * PER_SHARD
    first, second = keys(stream), keys(stream)
    assert sorted(first) == sorted(second) == all_keys()
    assert (first == all_keys()) is not shuffle
    assert (first == second) is not shuffle
    assert stream.stats["samples"] == 10 * PER_SHARD
    assert stream.stats["bad_samples"] == 0


def test_an_iterator_that_ended_stays_so_until_the_next_begins(shards: list[Path]) -> None:
    stream = bm.stream(shards[0])
    assert len(list(stream)) == PER_SHARD
    assert next(stream, None) is None
    assert stream.next_batch(4) == []
    assert stream.epoch == 0
    half = [sample.key for sample in itertools.islice(iter(stream), 20)]
    assert stream.epoch == 1
    rest = keys(stream)
    assert sorted(half + rest) == all_keys(PER_SHARD)


def test_the_order_depends_on_nothing_but_the_seed(shards: list[Path]) -> None:
    expected = keys(bm.stream(shards, seed=3))
    assert keys(bm.stream(shards, seed=4)) != expected
    for options in ({"threads": 1}, {"threads": 7}, {"read_ahead": 1}, {"threads": 3, "read_ahead": 5000}):
        assert keys(bm.stream(shards, seed=3, **options)) == expected  # type: ignore[arg-type]
    stream = bm.stream(shards, seed=3)
    batches = [stream.next_batch(n) for n in (1, 2, 60, 1000)]
    assert [len(batch) for batch in batches] == [1, 2, 60, 187]
    assert keys(itertools.chain(*batches)) == expected
    ranks = [keys(bm.stream(shards, seed=3, rank=rank, world_size=8)) for rank in range(8)]
    dealt = [key for row in itertools.zip_longest(*ranks) for key in row if key is not None]
    assert dealt == expected


def test_positions_are_those_of_all_ranks(shards: list[Path]) -> None:
    positions = [s.position for rank in range(4) for s in bm.stream(shards, rank=rank, world_size=4)]
    assert sorted(positions) == list(range(5 * PER_SHARD))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_union_over_cuts_ranks_and_batches_is_the_epoch(shards: list[Path], data: st.DataObject) -> None:
    """Each leg: some ranks take some batches, all save the same state, others go on from it."""
    expected = keys(bm.stream(shards, seed=5))
    state: dict[str, Any] | None = None
    seen: list[str] = []
    for _ in range(data.draw(st.integers(1, 4), "legs")):
        world_size = data.draw(st.sampled_from([1, 2, 4, 8]), "world size")
        batches = [data.draw(st.integers(1, 9), "batch") for _ in range(data.draw(st.integers(0, 4), "batches"))]
        left = len(expected) - len(seen)
        if not seen and state is not None:
            break
        count = min(sum(batches), left // world_size)
        legs: list[list[str]] = []
        states = []
        for rank in range(world_size):
            with bm.stream(shards, seed=5, rank=rank, world_size=world_size, threads=2) as stream:
                if state is not None:
                    stream.load_state_dict(state)
                legs.append(keys(stream.next_batch(count)))
                states.append(stream.state_dict())
        assert all(other == states[0] for other in states)
        seen += [key for row in zip(*legs, strict=True) for key in row]
        state = states[0]
        if state["epoch"] == 1:
            assert len(seen) == len(expected)
            break
    else:
        assert state is not None
        with bm.stream(shards, seed=5) as stream:
            stream.load_state_dict(json.loads(json.dumps(state)))
            seen += keys(stream)
    assert seen == expected or (not seen and state is not None)


@pytest.mark.parametrize("world_size", [1, 2, 8])
def test_drop_last_and_pad_give_every_rank_as_many(shards: list[Path], world_size: int) -> None:
    dropped = [keys(bm.stream(shards, rank=r, world_size=world_size, drop_last=True)) for r in range(world_size)]
    padded = [keys(bm.stream(shards, rank=r, world_size=world_size, pad=True)) for r in range(world_size)]
    assert {len(rank) for rank in dropped} == {250 // world_size}
    assert {len(rank) for rank in padded} == {-(-250 // world_size)}
    assert max(Counter(itertools.chain(*dropped)).values()) == 1
    assert sorted(set(itertools.chain(*padded))) == all_keys()
    with pytest.raises(ValueError, match="exclude"):
        bm.stream(shards, drop_last=True, pad=True)


def test_a_state_after_fewer_samples_than_were_taken(shards: list[Path]) -> None:
    stream = bm.stream(shards, seed=1, rank=1, world_size=2)
    taken = keys(stream.next_batch(40))
    assert stream.taken == 40
    state = stream.state_dict(taken=30)
    assert state["position"] == 60
    other = bm.stream(shards, seed=1, rank=1, world_size=2)
    other.load_state_dict(state)
    assert keys(other.next_batch(10)) == taken[30:]
    assert other.taken == 10


def test_a_state_brings_its_own_seed_and_order(shards: list[Path]) -> None:
    stream = bm.stream(shards, seed=9, window=3, lanes=32)
    stream.next_batch(10)
    state = stream.state_dict()
    assert len(json.dumps(state)) < 400
    other = bm.stream(shards)
    other.load_state_dict(state)
    assert keys(other) == keys(stream)


def test_epochs_can_be_chosen(shards: list[Path]) -> None:
    stream = bm.stream(shards)
    orders = [keys(stream) for _ in range(3)]
    assert keys(bm.stream(shards, epoch=2)) == orders[2]
    stream.set_epoch(1)
    assert keys(stream) == orders[1]
    # The epoch at hand goes on: a loop over epochs may set it after a state was loaded.
    begun = bm.stream(shards)
    begun.set_epoch(1)
    begun.next_batch(100)
    resumed = bm.stream(shards)
    resumed.load_state_dict(begun.state_dict())
    resumed.set_epoch(1)
    assert keys(resumed) == orders[1][100:]
    resumed.set_epoch(2)
    assert keys(resumed) == orders[2]


def test_a_finished_epoch_resumes_at_the_next(shards: list[Path]) -> None:
    stream = bm.stream(shards)
    stream.next_batch(250)
    state = stream.state_dict()
    assert (state["epoch"], state["position"]) == (1, 0)
    assert list(stream) == []
    other = bm.stream(shards)
    other.load_state_dict(state)
    assert keys(other) == keys(stream)


def test_a_state_of_other_samples_is_refused(shards: list[Path]) -> None:
    state = bm.stream(shards).state_dict()
    other = bm.stream(shards[:4])
    with pytest.raises(ValueError, match="other shards"):
        other.load_state_dict(state)
    with pytest.raises(ValueError, match="it has no seed"):
        other.load_state_dict({"version": 1})
    with pytest.raises(ValueError, match="version 9"):
        bm.stream(shards).load_state_dict(state | {"version": 9})
    with pytest.raises(ValueError, match="sample 999 of 250"):
        bm.stream(shards).load_state_dict(state | {"position": 999})
    with pytest.raises(ValueError, match="divide lanes"):
        bm.stream(shards, rank=0, world_size=8).load_state_dict(state | {"lanes": 4})


def test_shards_that_moved_are_the_same(shards: list[Path], tmp_path: Path) -> None:
    state = bm.stream(shards).state_dict()
    moved = [tmp_path / shard.name for shard in shards]
    for shard, to in zip(shards, moved, strict=True):
        to.write_bytes(shard.read_bytes())
    bm.stream(moved).load_state_dict(state)


def test_a_dataset_needs_no_index_and_has_subsets(dataset: bm.Dataset) -> None:
    stats = dataset.stats()
    stream = bm.stream(dataset.path)
    samples = list(stream)
    assert stream.problems == ()
    assert len(samples) == len(stream) == stats["pairs"]
    for sample in samples:
        assert sample.metadata["image_id"] == sample.key
        assert bytes(sample.image) == dataset.image(sample.key)
        assert sample.caption == sample.metadata["caption"]
    for subset, counts in stats["subsets"].items():
        assert len(bm.stream(dataset.path, subset=subset)) == counts["pairs"] > 0
    both = bm.stream(dataset.path, subset=("commercial", "other"))
    assert {sample.metadata["subset"] for sample in both} == {"commercial", "other"}
    # The tables say what the headers say.
    by_scan = bm.stream(dataset.shards(), shuffle=False)
    assert keys(by_scan) == keys(bm.stream(dataset.path, shuffle=False))


def test_a_name_beyond_the_headers_field_is_whole(tmp_path: Path) -> None:
    name = "long" * 40
    members = [(f"{name}{n}.{ext}", ext.encode()) for n in range(3) for ext in ("jpg", "txt")]
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        shard = write_tar(tmp_path / "a.tar", members, form)
        assert keys(bm.stream(shard, shuffle=False)) == [f"{name}{n}" for n in range(3)]
        bm.index(shard, force=True)
        assert keys(bm.stream(shard, shuffle=False)) == [f"{name}{n}" for n in range(3)]
        shard.with_suffix(".idx").unlink()


def test_a_selection_is_what_was_asked_for(shards: list[Path], dataset: bm.Dataset, tmp_path: Path) -> None:
    chosen = all_keys()[3:200:7]
    assert keys(bm.stream(shards, selection=chosen, shuffle=False)) == chosen
    (tmp_path / "ids.txt").write_text("\n".join(chosen))
    assert sorted(keys(bm.stream(shards, selection=tmp_path / "ids.txt"))) == chosen
    figures = dataset.figures().to_table().filter(pc.field("status") == "ok").select(["image_id"]).slice(3, 20)
    pq.write_table(figures, tmp_path / "ids.parquet")
    found = keys(bm.stream(dataset.path, selection=tmp_path / "ids.parquet"))
    assert sorted(found) == sorted(figures["image_id"].to_pylist())
    with pytest.raises(bm.SourceError, match="none of the selected samples"):
        bm.stream(shards, selection=["nothing"])


def test_sources_may_be_globs_braces_and_lists(shards: list[Path]) -> None:
    directory = shards[0].parent
    assert len(bm.stream(directory / "*.tar")) == 250
    assert len(bm.stream(f"{directory}/{{000..002}}.tar")) == 150
    assert len(bm.stream([f"{directory}/{{000,003}}.tar", shards[4]])) == 150
    with pytest.raises(bm.SourceNotFoundError, match=r"none-\*"):
        bm.stream(directory / "none-*.tar")
    with pytest.raises(bm.SourceNotFoundError, match=r"005\.tar: not_found"):
        bm.stream(f"{directory}/{{003..009}}.tar")
    with pytest.raises(ValueError, match="no source"):
        bm.stream([])


def test_a_directory_that_is_no_dataset_is_the_shards_in_it(shards: list[Path], tmp_path: Path) -> None:
    with bm.stream(shards[0].parent, shuffle=False) as whole, bm.stream(shards, shuffle=False) as one_by_one:
        assert [sample.key for sample in whole] == [sample.key for sample in one_by_one]
    with pytest.raises(bm.SourceNotFoundError, match=r"neither dataset\.json nor any \.tar file"):
        bm.stream(tmp_path)


def test_a_mixture_has_its_weights_and_each_source_whole(shards: list[Path]) -> None:
    mixture = {shards[0]: 3.0, shards[1]: 1.0}
    stream = bm.stream(mixture, seed=2, lanes=2)
    assert len(stream) == 100
    drawn = [sample for _ in range(20) for sample in stream]
    counts = Counter(Path(sample.shard).name for sample in drawn)
    assert len(drawn) == 2000
    assert abs(counts["000.tar"] - 1500) < 20
    for name in counts:
        times = Counter(sample.key for sample in drawn if Path(sample.shard).name == name)
        assert len(times) == PER_SHARD
        # A sample is at most a pass, and its lane a pass, ahead of another.
        assert max(times.values()) - min(times.values()) <= 2
    begun = bm.stream(mixture, seed=2, lanes=2)
    begun.next_batch(70)
    resumed = bm.stream(mixture)
    resumed.load_state_dict(begun.state_dict())
    assert keys(resumed) == keys(begun) == keys(drawn[70:100])
    with pytest.raises(ValueError, match="other shards"):
        bm.stream(mixture | {shards[0]: 2.0}).load_state_dict(begun.state_dict())
    with pytest.raises(bm.BiomedicaError, match="weight"):
        bm.stream({shards[0]: 0.0, shards[1]: 1.0})


def test_threads_run_while_python_waits(shards: list[Path]) -> None:
    stream = bm.stream(shards)
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    assert sum(1 for _ in range(20) for _ in stream) == 20 * 250
    stop.set()
    thread.join()
    assert counted > 0


def test_a_stream_may_be_dropped_or_closed_at_any_time(shards: list[Path]) -> None:
    before = threading.active_count()
    for count in (0, 1, 100):
        stream = bm.stream(shards, threads=4, read_ahead=1000)
        stream.next_batch(count)
        del stream
    with bm.stream(shards) as stream:
        next(stream)
    assert stream.closed
    with pytest.raises(RuntimeError, match="closed"):
        next(stream)
    abandoned = sequential(shards)
    next(abandoned)
    del abandoned
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"world_size": 3}, "divide lanes"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"window": 0}, "window"),
        ({"max_bad_fraction": 2.0}, "max_bad_fraction"),
        ({"threads": 0}, "threads"),
    ],
)
def test_wrong_arguments_are_value_errors(shards: list[Path], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bm.stream(shards, **options)


CTRL_C = """
import os, sys, threading, biomedica as bm
stream = bm.stream(sys.argv[1])
first = next(iter(stream))
print("begun", flush=True)
count = 0
while True:
    for sample in stream:
        count += 1
"""


def test_ctrl_c_ends_a_stream_at_once(shards: list[Path]) -> None:
    command = [sys.executable, "-c", CTRL_C, str(shards[0].parent / "*.tar")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert err.splitlines()[-1] == "KeyboardInterrupt"


RSS = """
import re, sys, biomedica as bm
def rss():
    return int(re.search(r"VmRSS:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
stream = bm.stream(sys.argv[1], read_ahead=4 << 20)
seen = []
for epoch in range(21):
    total = sum(len(sample.image) + len(sample.caption) for sample in stream)
    seen.append(rss())
print(min(seen[1:4]), max(seen[17:]))
"""


def test_memory_stays_flat_over_twenty_epochs(tmp_path: Path) -> None:
    write_shards(tmp_path, 4, 100, size=60_000)
    done = subprocess.run(
        [sys.executable, "-c", RSS, str(tmp_path / "*.tar")], check=True, capture_output=True, text=True, timeout=100
    )
    early, late = map(int, done.stdout.split())
    assert late - early < 6 << 10, f"{early} kB after the second epoch, {late} kB in the end"


def batches_of(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def test_images_of_a_dataset_are_the_publishers(dataset: bm.Dataset) -> None:
    for batch in batches_of(list(bm.stream(dataset.path, subset="commercial")), 8):
        assert all(bytes(sample.image[:3]) in {image(1)[:3], image(1, "png")[:3]} for sample in batch)
