"""`stream`: damaged shards, and shards that are read as remote ones are."""

import json
from pathlib import Path

import pytest

import biomedica as bm
from shards import PER_SHARD, all_keys, keys, sample_members, sequential, write_shards, write_tar


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_shards(tmp_path_factory.mktemp("stream"), 5)


def cut(shard: Path, to: Path, size: int) -> Path:
    to.write_bytes(shard.read_bytes()[:size])
    return to


def test_a_truncated_shard_gives_its_whole_samples_and_says_so(shards: list[Path], tmp_path: Path) -> None:
    starts = [sample.offset for sample in bm.stream(shards[0], shuffle=False)]
    # In the image; before a header; in a header; between members; in the last member.
    for size in (starts[10] + 600, starts[10], starts[10] + 100, starts[10] + 1024, starts[10] + 2564):
        path = cut(shards[0], tmp_path / "cut.tar", size)
        stream = bm.stream(path, shuffle=False)
        assert keys(stream) == all_keys(10)
        (problem,) = stream.problems
        assert isinstance(problem, bm.ArchiveError)
        assert (problem.source, problem.reason) == (str(path), "truncated")
        assert problem.offset is not None
        assert problem.offset <= size
        if size > starts[10]:
            assert problem.member in {"s00010", "s00010.jpg", "s00010.txt", "s00010.json", None}
    # Only padding and the end mark are missing.
    assert keys(bm.stream(cut(shards[0], tmp_path / "cut.tar", starts[10] + 3000), shuffle=False)) == all_keys(11)


def test_a_shard_with_a_broken_header_gives_what_comes_before(shards: list[Path], tmp_path: Path) -> None:
    starts = [sample.offset for sample in bm.stream(shards[0], shuffle=False)]
    content = bytearray(shards[0].read_bytes())
    content[starts[20] : starts[20] + 512] = b"x" * 512
    (tmp_path / "broken.tar").write_bytes(content)
    stream = bm.stream([tmp_path / "broken.tar", shards[1]], shuffle=False)
    assert keys(stream) == all_keys(100)[:20] + all_keys(100)[50:]
    (problem,) = stream.problems
    assert (problem.reason, problem.offset) == ("corrupt", starts[20])
    with pytest.raises(bm.ArchiveError, match="at byte 0: corrupt"):
        bm.stream(write_bytes(tmp_path / "none.tar", b"x" * 5000))


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def with_bad_samples(shards: list[Path], directory: Path, bad: set[int]) -> list[Path]:
    """Copies with an index, whose samples `bad` cannot be read any more."""
    copies = []
    for number, shard in enumerate(shards):
        content = bytearray(shard.read_bytes())
        for at, sample in enumerate(bm.stream(shard, shuffle=False)):
            if number * PER_SHARD + at in bad:
                content[sample.offset + 148 : sample.offset + 156] = b"garbage!"
        copies.append(directory / shard.name)
        copies[-1].write_bytes(shard.read_bytes())
        bm.index(copies[-1])
        index = copies[-1].with_suffix(".idx").read_bytes()
        copies[-1].write_bytes(content)
        copies[-1].with_suffix(".idx").write_bytes(index)
    return copies


def test_a_bad_sample_is_replaced_the_same_way_everywhere(shards: list[Path], tmp_path: Path) -> None:
    bad = {7, 77, 177}
    copies = with_bad_samples(shards, tmp_path, bad)
    expected = keys(bm.stream(shards, seed=1))
    stream = bm.stream(copies, seed=1)
    got = list(stream)
    assert stream.stats["bad_samples"] == 3
    assert stream.stats["samples"] == 250
    replaced = [n for n, (was, now) in enumerate(zip(expected, got, strict=True)) if was != now.key]
    assert sorted(expected[n] for n in replaced) == sorted(f"s{n:05}" for n in bad)
    for n in replaced:
        assert got[n].is_replacement
        # The next of its lane.
        lane = expected[n % 64 :: 64]
        assert got[n].key == lane[(n // 64 + 1) % len(lane)]
    assert {problem.source for problem in stream.problems} == {str(copies[n // PER_SHARD]) for n in bad}
    for problem in stream.problems:
        assert isinstance(problem, bm.ArchiveError)
        assert problem.offset is not None
    ranks = [keys(bm.stream(copies, seed=1, rank=rank, world_size=2, threads=3)) for rank in range(2)]
    assert [key for pair in zip(*ranks, strict=True) for key in pair] == keys(got)


def test_what_cannot_be_decoded_is_replaced_and_counted_once(shards: list[Path]) -> None:
    stream = bm.stream(shards, seed=1)
    batch = stream.next_batch(250)
    first = batch[5]
    second = stream.replacement(first, "not a JPEG")
    assert second is not None
    third = stream.replacement(second, "nor is this")
    assert third is not None
    lane = keys(batch)[5::64]
    assert [first.key, second.key, third.key] == lane[:3]
    assert (second.position, third.position) == (first.position, first.position)
    assert third.is_replacement
    assert stream.stats["bad_samples"] == 1
    assert [problem.member for problem in stream.problems] == [first.key, second.key]
    assert "not a JPEG" in str(stream.problems[0])
    assert stream.state_dict()["epoch"] == 1


def test_too_many_bad_samples_end_the_run(shards: list[Path], tmp_path: Path) -> None:
    copies = with_bad_samples(shards, tmp_path, set(range(0, 250, 10)))
    assert len(list(bm.stream(copies))) == 250
    stream = bm.stream(copies, max_bad_fraction=0.01)
    with pytest.raises(bm.SourceError, match=r"11 bad among \d+ samples, more than max_bad_fraction=0.01"):
        list(stream)
    with pytest.raises(bm.SourceError, match="1 bad among"):
        list(bm.stream(copies, max_bad_fraction=0.0))


def test_a_shard_that_vanishes_is_so_many_bad_samples(shards: list[Path], tmp_path: Path) -> None:
    copies = with_bad_samples(shards, tmp_path, set())
    stream = bm.stream(copies, max_bad_fraction=1.0)
    copies[2].unlink()
    got = keys(stream)
    assert len(got) == 250
    assert stream.stats["bad_samples"] == 50
    assert not {f"s{n:05}" for n in range(100, 150)} & set(got)
    assert all(isinstance(problem, bm.SourceNotFoundError) for problem in stream.problems)


def test_a_sample_without_an_image_is_bad(tmp_path: Path) -> None:
    members = [member for n in range(64 * 3) for member in sample_members(n)]
    del members[0]  # the first image
    stream = bm.stream(write_tar(tmp_path / "a.tar", members), shuffle=False)
    got = keys(stream)
    assert got[0] == "s00064"
    assert got[1:] == all_keys(192)[1:]
    (problem,) = stream.problems
    assert (problem.member, problem.reason) == ("s00000", "not_found")


def test_runs_of_remote_shards_give_the_same_samples(shards: list[Path]) -> None:
    expected = keys(bm.stream(shards, lanes=4, block=4, window=8))
    for shard in shards:
        bm.index(shard)
    for keep in (0, 3000, 1 << 30):
        assert keys(sequential(shards, keep=keep)) == expected
    for shard in shards:
        shard.with_suffix(".idx").unlink()


def test_shards_without_an_index_are_read_from_front_to_back(shards: list[Path]) -> None:
    stream = sequential(shards)
    first, second = keys(stream), keys(stream)
    assert sorted(first) == sorted(second) == all_keys()
    assert first != second
    assert first != all_keys()
    assert keys(sequential(shards, shuffle=False)) == all_keys()
    with pytest.raises(TypeError, match="biomedica index"):
        len(stream)
    with pytest.raises(bm.SourceNotFoundError, match="biomedica index"):
        sequential(shards, rank=0, world_size=2)


@pytest.mark.parametrize("taken", [0, 1, 31, 32, 33, 100, 249, 250])
def test_sequential_streams_resume_at_the_next_sample(shards: list[Path], taken: int) -> None:
    expected = keys(sequential(shards, seed=6))
    stream = sequential(shards, seed=6)
    ahead = keys(stream.next_batch(min(taken + 20, 250)))
    assert ahead == expected[: taken + 20]
    state = stream.state_dict(taken=taken)
    resumed = sequential(shards)
    resumed.load_state_dict(json.loads(json.dumps(state)))
    if taken == 250:
        # That it was the last is not known before more is asked for.
        assert keys(resumed) == []
        assert sorted(keys(resumed)) == all_keys()
    else:
        assert keys(resumed.next_batch(1)) == expected[taken : taken + 1]
        again = sequential(shards)
        again.load_state_dict(resumed.state_dict())
        assert keys(again) == expected[taken + 1 :]


def test_a_sequential_stream_tells_what_is_cut_and_goes_on(shards: list[Path], tmp_path: Path) -> None:
    starts = [sample.offset for sample in bm.stream(shards[1], shuffle=False)]
    path = cut(shards[1], tmp_path / "cut.tar", starts[10] + 700)
    stream = sequential([shards[0], path, shards[2]], shuffle=False)
    assert keys(stream) == all_keys()[:60] + all_keys()[100:150]
    (problem,) = stream.problems
    assert (problem.source, problem.reason) == (str(path), "truncated")
    assert stream.stats["bad_samples"] == 1
