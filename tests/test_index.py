"""`index`: files that DALI and we read alike, and samples that `webdataset` groups alike."""

import contextlib
import gc
import itertools
import json
import os
import random
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import biomedica as bm
from biomedica.cli import main
from bucket import Bucket, Proxy
from shards import keys, sample_members, write_shards, write_tar

COMMAND = [sys.executable, "-m", "biomedica", "index"]
# webdataset leaves its files open, for the garbage collector to close and to warn of.
leaves_files_open = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


def test_the_file_is_that_of_wds2idx(tmp_path: Path) -> None:
    members = [
        ("a/x.jpg", b"1" * 700),
        ("a/x.Txt", b"three"),
        ("a/skipped", b"?"),
        ("b c.seg.png", b""),
        ("b c.", b"!"),
    ]
    shard = write_tar(tmp_path / "s-000.tar", members)
    (row,) = bm.index(shard)
    assert row == bm.Indexed(str(shard), str(tmp_path / "s-000.idx"), 2, None)
    # Written down from the format: version and count; extension, offset of the bytes, size and name of each member.
    assert Path(row.index).read_text() == (
        "v1.2 2\njpg 512 700 a/x.jpg txt 2048 5 a/x.Txt\nseg.png 4096 0 b_c.seg.png _ 4608 1 b_c.\n"
    )


def test_offsets_are_those_of_tarfile(tmp_path: Path) -> None:
    (shard,) = write_shards(tmp_path, 1)
    (row,) = bm.index(shard)
    head, *lines = Path(row.index).read_text().splitlines()
    assert head == f"v1.2 {row.samples}"
    words = [line.split(" ") for line in lines]
    found = [tuple(group[at : at + 4]) for group in words for at in range(0, len(group), 4)]
    with tarfile.open(shard) as archive:
        expected = [(m.name.split(".", 1)[1], str(m.offset_data), str(m.size), m.name) for m in archive]
    assert found == expected


def webdataset_samples(shard: Path) -> list[dict[str, Any]]:
    import webdataset

    samples = list(webdataset.WebDataset([str(shard)], shardshuffle=False, empty_check=False))
    gc.collect()
    return [{name: value for name, value in s.items() if name not in {"__url__", "__local_path__"}} for s in samples]


NAMES = st.from_regex(r"\A((d|e\.f|__m__)/)?(a|b|__c__|.h|)(\.(jpg|JPG|png|txt|seg\.png|cls))?\Z")


@leaves_files_open
@settings(max_examples=30, deadline=None)
@given(names=st.lists(NAMES.filter(bool), max_size=12), pax=st.booleans())
def test_samples_are_those_of_webdataset(tmp_path_factory: pytest.TempPathFactory, names: list[str], pax: bool) -> None:
    directory = tmp_path_factory.mktemp("grouping")
    # webdataset refuses a second member of one name; a leading image gives each of its samples something to show.
    members: dict[str, bytes] = {"first.jpg": b"image"}
    for number, name in enumerate(names):
        if not any(name.lower() == other.lower() for other in members):
            members[name] = f"{number}".encode()
    form = tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
    shard = write_tar(directory / "a.tar", members.items(), form)
    expected = [sample for sample in webdataset_samples(shard) if len(sample) > 1]
    images = ("jpg", "png")
    with_image = [s for s in expected if any(name.rsplit(".", 1)[-1] in images for name in s if name != "__key__")]
    for indexed in (False, True):
        if indexed:
            (row,) = bm.index(shard)
            assert row.samples == len(expected)
        stream = bm.stream(shard, shuffle=False, max_bad_fraction=1.0)
        assert len(stream) == len(expected)
        got = [s for s in stream if not s.is_replacement]
        assert [{"__key__": s.key} | {extension: s[extension] for extension in s.extensions} for s in got] == with_image


@leaves_files_open
def test_webdataset_gives_the_same_bytes(tmp_path: Path) -> None:
    (shard,) = write_shards(tmp_path, 1)
    for ours, theirs in zip(bm.stream(shard, shuffle=False), webdataset_samples(shard), strict=True):
        assert ours.key == theirs["__key__"]
        assert (bytes(ours.image), ours["txt"], ours["json"]) == (theirs["jpg"], theirs["txt"], theirs["json"])


def test_an_index_that_is_there_and_newer_stays(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, 2, 5)
    assert [row.samples for row in bm.index(tmp_path)] == [5, 5]
    assert [row.samples for row in bm.index(tmp_path)] == [None, None]
    write_tar(shards[0], sample_members(1))
    later = shards[0].with_suffix(".idx").stat().st_mtime + 10
    os.utime(shards[0], (later, later))
    # Nor does a stream believe an index that is older than its shard.
    assert keys(bm.stream(shards[0])) == ["s00001"]
    assert [row.samples for row in bm.index(shards)] == [1, None]
    assert [row.samples for row in bm.index(f"{tmp_path}/{{000..001}}.tar", force=True)] == [1, 5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000.idx", "000.tar", "001.idx", "001.tar"]


def test_a_stream_reads_what_the_index_says(tmp_path: Path) -> None:
    (shard,) = write_shards(tmp_path, 1, 10)
    before = keys(bm.stream(shard))
    bm.index(shard)
    assert keys(bm.stream(shard)) == before
    index = shard.with_suffix(".idx")
    lines = index.read_text().splitlines()
    index.write_text("\n".join(["v1.1 2", *(" ".join(word_triples(line)) for line in lines[4:6])]) + "\n")
    assert sorted(keys(bm.stream(shard))) == ["s00003", "s00004"]
    index.write_text("v1.2 10\nno index\n")
    damaged = bm.stream(shard)
    assert keys(damaged) == before
    (problem,) = damaged.problems
    assert (problem.source, problem.reason) == (str(index), "corrupt")


def word_triples(line: str) -> list[str]:
    words = line.split(" ")
    return list(itertools.chain.from_iterable(words[at : at + 3] for at in range(0, len(words), 4)))


def test_an_index_of_a_longer_shard_is_noticed(tmp_path: Path) -> None:
    (shard,) = write_shards(tmp_path, 1, 10)
    bm.index(shard)
    offset = list(bm.stream(shard, shuffle=False))[6].offset
    index = shard.with_suffix(".idx").read_bytes()
    shard.write_bytes(shard.read_bytes()[:offset])
    shard.with_suffix(".idx").write_bytes(index)
    stream = bm.stream(shard, shuffle=False)
    assert keys(stream) == [f"s{n:05}" for n in range(6)]
    (problem,) = stream.problems
    assert (problem.source, problem.member, problem.offset) == (str(shard), "s00006", offset)


def test_any_bytes_are_a_typed_error(tmp_path: Path) -> None:
    (shard,) = write_shards(tmp_path, 1, 4)
    content = shard.read_bytes()
    chance = random.Random(0)
    for _ in range(60):
        broken = bytearray(content)
        for _ in range(chance.randrange(1, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        shard.write_bytes(broken[: chance.randrange(len(broken))])
        stream: bm.Stream | None = None
        with contextlib.suppress(bm.BiomedicaError):
            stream = bm.stream(shard, max_bad_fraction=1.0)
            assert len(list(stream)) <= 4
        if stream is not None:
            assert all(str(shard) in str(problem) for problem in stream.problems)


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], check=False, text=True, timeout=100, capture_output=True)


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, 3, 5)
    done = command(f"{tmp_path}/{{000..002}}.tar", "--threads", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 shards: 3 indexes written, 15 samples; 0 unchanged; ")
    assert command(tmp_path).stdout.startswith("3 shards: 0 indexes written, 0 samples; 3 unchanged; ")
    shards[1].write_bytes(shards[1].read_bytes()[:14_000])
    again = command(tmp_path, "--force", "--log-format", "json")
    assert again.returncode == 0
    summary = json.loads(again.stdout)
    assert (summary["written"], summary["samples"], summary["problems"]) == (3, 14, 1)
    assert "001.tar" in again.stderr
    assert command(tmp_path, "--force", "--strict").returncode == 1


def test_what_cannot_be_indexed_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "none.tar").write_bytes(b"x" * 2000)
    done = command(tmp_path / "none.tar")
    assert done.returncode == 1
    assert "none.tar: at byte 0: corrupt" in done.stderr
    assert not (tmp_path / "none.idx").exists()
    absent = command(tmp_path / "absent-*.tar")
    assert absent.returncode == 1
    assert "absent-*.tar" in absent.stderr
    assert "did you mean --force?" in command("a.tar", "--forc").stderr


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A bucket with three shards below `sets/a b`, and a proxy before it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    bucket = Bucket()
    for shard in write_shards(tmp_path / "shards", 3, 5):
        bucket.put(f"sets/a b/{shard.name}", shard.read_bytes())
    bucket.put("sets/a b/README.md", b"none")
    proxy = Proxy(bucket)
    yield proxy
    proxy.close()
    bucket.close()


def test_shards_in_a_store_are_indexed_where_they_lie(proxy: Proxy, tmp_path: Path) -> None:
    bucket, options = proxy.bucket, proxy.bucket.options(proxy.url)
    assert [row.samples for row in bm.index(tmp_path / "shards")] == [5, 5, 5]
    rows = bm.index("s3://lab/sets/a b/", storage_options=options)
    root = "s3://lab/sets/a b"
    assert rows == [bm.Indexed(f"{root}/{n:03}.tar", f"{root}/{n:03}.idx", 5, None) for n in range(3)]
    for number in range(3):
        assert bucket.get(f"sets/a b/{number:03}.idx") == (tmp_path / "shards" / f"{number:03}.idx").read_bytes()
    # What is there and not older stays; a newer shard is indexed again.
    assert [row.samples for row in bm.index(f"{root}/{{000..002}}.tar", storage_options=options)] == [None] * 3
    time.sleep(1.1)  # dates in a store are whole seconds
    bucket.put("sets/a b/001.tar", bucket.get("sets/a b/000.tar"))
    assert [row.samples for row in bm.index(root, storage_options=options)] == [None, 5, None]
    assert [row.samples for row in bm.index(root, force=True, storage_options=options)] == [5, 5, 5]
    with bm.stream(f"{root}/{{000..002}}.tar", storage_options=options, rank=1, world_size=2) as stream:
        assert len(list(stream)) in {7, 8}


def test_a_store_that_fails_in_the_middle_of_a_shard_leaves_no_index(proxy: Proxy) -> None:
    bucket = proxy.bucket
    bucket.put("one.tar", bucket.get("sets/a b/000.tar"))
    opened: list[str] = []

    def fault(handler: Any, _: int) -> str | None:
        if "one.tar" not in handler.path:
            return None
        opened.append(handler.path)
        return None if len(opened) <= 2 else "500"

    proxy.fault = fault
    options = bucket.options(proxy.url, retry_timeout="0.5")
    (row,) = bm.index("s3://lab/one.tar", storage_options=options)
    assert row.samples is None
    assert row.problem is not None
    assert row.problem.reason == "io"
    assert "one.idx" not in bucket.names("")
    proxy.fault = lambda *_: None
    # A shard that is cut itself is another thing: what is whole in it is indexed.
    whole = bucket.get("one.tar")
    bucket.put("one.tar", whole[:14_000])
    (row,) = bm.index("s3://lab/one.tar", storage_options=options)
    assert row.samples is not None
    assert 0 < row.samples < 5
    assert row.problem is not None
    assert row.problem.reason == "truncated"
    assert bucket.get("one.idx").startswith(f"v1.2 {row.samples}\n".encode())


def test_the_command_indexes_a_prefix_and_says_where_it_cannot_write(
    proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--storage-option={name}={value}" for name, value in proxy.bucket.options(proxy.url).items()]
    assert main(["index", "s3://lab/sets", *options]) == 0
    assert capsys.readouterr().out.startswith("3 shards: 3 indexes written, 15 samples; 0 unchanged; ")
    assert main(["index", "s3://lab/nothing", *options]) == 1
    assert "s3://lab/nothing" in one_line(capsys.readouterr().err)
    requests = len(proxy.seen)
    assert main(["index", f"{proxy.url}/lab/one.tar"]) == 1
    says = one_line(capsys.readouterr().err)
    assert f"{proxy.url}/lab/one.idx" in says
    assert "nothing can be written there; a directory, s3://, gs:// and az:// can be" in says
    assert len(proxy.seen) == requests


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    return line
