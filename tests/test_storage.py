"""Datasets in a store: written, resumed, opened, checked and streamed over an S3 server that fails now and then."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow.compute as pc
import pytest
from PIL import Image

import biomedica as bm
from biomedica.cli import main
from biomedica.exceptions import DatasetError, SourceError, SourceNotFoundError
from bucket import Bucket, Proxy, seeded
from made import document, packages, tar_gz, tree

ROOT = "s3://lab/sets/a b"
PREFIX = "sets/a b"
RUN = (
    "import sys, json, biomedica\n"
    "biomedica.extract(sys.argv[1], sys.argv[2], part_size=4, storage_options=json.loads(sys.argv[3]))"
)


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    yield bucket
    bucket.close()


@pytest.fixture
def proxy(bucket: Bucket) -> Iterator[Proxy]:
    proxy = Proxy(bucket)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages(tmp_path_factory.mktemp("in"), 30)


@pytest.fixture(scope="module")
def local(source: Path, tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    return bm.extract(source, tmp_path_factory.mktemp("local") / "out", part_size=4)


def files(dataset: bm.Dataset) -> dict[str, bytes]:
    return {name: data for name, data in tree(dataset.path).items() if not name.startswith(".")}


def test_a_dataset_in_a_store_is_the_one_on_disk(bucket: Bucket, source: Path, local: bm.Dataset) -> None:
    dataset = bm.extract(source, ROOT + "/", part_size=4, storage_options=bucket.options())
    assert bucket.tree(PREFIX) == files(local)
    assert dataset.location == ROOT
    assert (dataset.stats(), len(dataset), dataset.complete) == (local.stats(), len(local), True)
    for table in ("articles", "figures", "failures", "packages"):
        assert getattr(dataset, table)().to_table() == getattr(local, table)().to_table()
    captions = dataset.figures().to_table(columns=["caption"], filter=pc.field("subset") == "commercial")
    assert 0 < captions.num_rows < len(local)
    assert dataset.image("PMC7_0002") == local.image("PMC7_0002")
    with pytest.raises(KeyError):
        dataset.image("PMC7_9999")
    report = dataset.verify(deep=True)
    assert report
    assert report.images == len(local)
    assert dataset.shard_locations("other")[0].startswith(f"{ROOT}/shards/other/")
    with pytest.raises(DatasetError, match="location"):
        dataset.shards()


def test_a_dataset_in_a_store_is_streamed_in_the_order_of_the_one_on_disk(
    bucket: Bucket, source: Path, local: bm.Dataset
) -> None:
    options = bucket.options()
    dataset = bm.extract(source, ROOT, part_size=4, storage_options=options)
    expected = [(sample.key, bytes(sample.image)) for sample in bm.stream(str(local.path), seed=5, lanes=8)]
    found = bm.stream(ROOT, seed=5, lanes=8, storage_options=options)
    assert sorted((sample.key, bytes(sample.image)) for sample in found) == sorted(expected)
    commercial = bm.stream(ROOT, subset="commercial", storage_options=options)
    wanted = dataset.figures().to_table(columns=["image_id", "subset"]).to_pylist()
    assert {sample.key for sample in commercial} == {row["image_id"] for row in wanted if row["subset"] == "commercial"}


def test_again_does_nothing_and_a_lost_object_is_made_again(bucket: Bucket, source: Path, proxy: Proxy) -> None:
    options = bucket.options(proxy.url)
    bm.extract(source, ROOT, part_size=4, storage_options=options)
    before = bucket.tree(PREFIX)
    proxy.seen.clear()
    bm.extract(source, ROOT, part_size=4, storage_options=options)
    assert not [path for verb, path in proxy.seen if verb == "PUT" and "/parts/" in path]
    bucket.put(f"{PREFIX}/figures/000001.parquet", b"other")
    bucket.put(f"{PREFIX}/parts/000003.json", b"{")
    assert not bm.open(ROOT, storage_options=options).verify()
    bm.extract(source, ROOT, part_size=4, storage_options=options)
    assert bucket.tree(PREFIX) == before


def test_killed_at_any_moment_and_run_again_it_gives_the_same_bytes(
    bucket: Bucket, source: Path, local: bm.Dataset
) -> None:
    options = bucket.options()
    command = [sys.executable, "-c", RUN, str(source), ROOT, json.dumps(options)]
    for attempt in range(4):
        parts = len([name for name in bucket.names(PREFIX) if name.startswith("parts/")])
        with subprocess.Popen(command, env={"PYTHONPATH": ":".join(sys.path)}) as process:
            deadline = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < deadline:
                if len([name for name in bucket.names(PREFIX) if name.startswith("parts/")]) > parts:
                    break
            time.sleep(0.01 * attempt)
            process.kill()
        assert process.returncode in {0, -signal.SIGKILL}
    bm.extract(source, ROOT, part_size=4, storage_options=options)
    assert bucket.tree(PREFIX) == files(local)


def test_faults_of_the_store_cost_time_and_nothing_else(
    bucket: Bucket, source: Path, local: bm.Dataset, proxy: Proxy
) -> None:
    proxy.fault = seeded(0.15, ("500", "503", "reset", "lost", "cut", "stall"))
    options = bucket.options(proxy.url, request_timeout="0.5")
    dataset = bm.extract(source, ROOT, part_size=4, storage_options=options)
    assert bucket.tree(PREFIX) == files(local)
    assert dataset.verify(deep=True)
    expected = sorted(sample.key for sample in bm.stream(str(local.path)))
    assert sorted(sample.key for sample in bm.stream(ROOT, storage_options=options)) == expected
    assert {"500", "503", "reset", "lost", "cut", "stall"} <= set(proxy.faults)


def test_large_shards_go_in_pieces_and_none_stays_behind(bucket: Bucket, proxy: Proxy, tmp_path: Path) -> None:
    noise = random.Random(1).randbytes
    pictures = {f"PMC1/f{n}.png": png(Image.frombytes("RGB", (2000, 1500), noise(9_000_000))) for n in (1, 2)}
    tar_gz(tmp_path / "PMC1.tar.gz", {"PMC1/PMC1.nxml": document(1, 2), **pictures})
    joins: list[int] = []

    def lost(handler: BaseHTTPRequestHandler, number: int) -> str | None:
        if handler.command != "POST" or "uploadId=" not in handler.path:
            return None
        joins.append(number)
        return "lost" if len(joins) == 1 else None

    proxy.fault = lost
    dataset = bm.extract(tmp_path, ROOT, storage_options=bucket.options(proxy.url))
    assert dataset.verify(deep=True)
    assert dataset.image("PMC1_0002") == pictures["PMC1/f2.png"]
    pieces = [path for verb, path in proxy.seen if verb == "PUT" and "partNumber=" in path]
    assert (len(pieces), len(joins), bucket.uploads()) == (3, 2, 0)
    # A run that ends with an error gives up what it had begun.
    proxy.fault = lambda handler, _: "403" if "partNumber=2" in handler.path else None
    with pytest.raises(DatasetError) as raised:
        bm.extract(tmp_path, "s3://lab/other", storage_options=bucket.options(proxy.url))
    assert (raised.value.reason, bucket.uploads()) == ("permission_denied", 0)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def test_ctrl_c_ends_the_wait_for_a_store_that_is_gone(bucket: Bucket, source: Path, proxy: Proxy) -> None:
    proxy.fault = lambda _, number: "reset" if number > 30 else None
    interrupt = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT))
    begin = time.monotonic()
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        bm.extract(source, ROOT, part_size=4, storage_options=bucket.options(proxy.url))
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize(("kind", "reason"), [("507", "disk_full"), ("reset", "io")])
def test_a_store_that_is_full_or_lost_ends_the_run_in_time_and_the_next_goes_on(
    bucket: Bucket, source: Path, local: bm.Dataset, proxy: Proxy, kind: str, reason: str
) -> None:
    proxy.fault = lambda handler, number: (
        kind if number > 40 and (kind == "reset" or handler.command == "PUT") else None
    )
    begin = time.monotonic()
    with pytest.raises(DatasetError) as raised:
        bm.extract(source, ROOT, part_size=4, storage_options=bucket.options(proxy.url, retry_timeout="1"))
    assert time.monotonic() - begin < 30
    assert (raised.value.reason, str(raised.value).startswith(ROOT)) == (reason, True)
    there = bucket.tree(PREFIX)
    expected = files(local)
    assert 0 < sum(name.startswith("parts/") for name in there) < 8
    assert all(data == expected[name] for name, data in there.items() if name.startswith("parts/"))
    # What a run on another machine cannot give back stays until it is stale.
    if ".lock" in there:
        bucket.put(f"{PREFIX}/.lock", there[".lock"].replace(b'"machine":"', b'"machine":"x'))
        with pytest.raises(DatasetError, match="last sign of life"):
            bm.extract(source, ROOT, part_size=4, storage_options=bucket.options())
        bucket.delete(f"{PREFIX}/.lock")
    bm.extract(source, ROOT, part_size=4, storage_options=bucket.options())
    assert bucket.tree(PREFIX) == files(local)


def test_what_cannot_be_opened_says_why(bucket: Bucket, proxy: Proxy) -> None:
    with pytest.raises(SourceNotFoundError, match=r"s3://lab/none: no dataset"):
        bm.open("s3://lab/none", storage_options=bucket.options())
    proxy.fault = lambda *_: "403"
    with pytest.raises(SourceError, match="AWS_ACCESS_KEY_ID"):
        bm.open("s3://lab/none", storage_options=bucket.options(proxy.url))
    with pytest.raises(SourceError, match=r"no store knows the option .aws_acces_key_id"):
        bm.open("s3://lab/none", storage_options={"aws_acces_key_id": "x"})
    with pytest.raises(ValueError, match="request_timeout"):
        bm.open("s3://lab/none", storage_options={"request_timeout": "soon"})
    with pytest.raises(TypeError, match="text"):
        bm.open("s3://lab/none", storage_options={"aws_endpoint": 1})  # type: ignore[dict-item] # on purpose


def test_the_command_takes_urls_and_storage_options(
    bucket: Bucket, source: Path, local: bm.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--storage-option={name}={value}" for name, value in bucket.options().items()]
    assert main(["extract", str(source), "--output", ROOT, "--part-size", "4", *options]) == 0
    assert bucket.tree(PREFIX) == files(local)
    assert main(["stats", ROOT, *options]) == 0
    assert main(["verify", ROOT, "--deep", *options]) == 0
    assert f"{ROOT}: whole" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["verify", ROOT, "--storage-option", "nothing"])


def test_compaction_reads_a_shard_in_few_requests_and_gives_what_it_gives_on_disk(
    bucket: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    source = packages(tmp_path / "in", 40)
    for root, options in ((ROOT, bucket.options()), (str(tmp_path / "out"), {})):
        bm.extract(source, root, part_size=20, storage_options=options)
    for gone in (3, 9, 22):
        (source / f"PMC{gone}.tar.gz").unlink()
    for root, options in ((ROOT, bucket.options()), (str(tmp_path / "out"), {})):
        bm.extract(source, root, part_size=20, storage_options=options)
    done = bm.compact(ROOT, min_dropped=0, storage_options=bucket.options(proxy.url))
    assert done == bm.compact(tmp_path / "out", min_dropped=0)
    assert done.dropped_articles == 3
    assert bucket.tree(PREFIX) == {name: data for name, data in tree(tmp_path / "out").items() if name[0] != "."}
    read = [path for method, path in proxy.seen if method == "GET" and "/shards/" in path]
    assert len(read) == 2 * done.shards_before, "one to find each shard and one to read it, whatever it holds"
