"""`stream` over real servers on loopback: http with faults, an S3 server (moto), the hub's redirects, a shared cache."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

import biomedica as bm
from biomedica.exceptions import SourceError, SourceNotFoundError
from loopback import FileHandler, FileServer
from shards import write_shards

COUNT = 4
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("remote")
    for shard in write_shards(directory, COUNT):
        bm.index(shard)
    return directory


@pytest.fixture
def server(root: Path) -> Iterator[FileServer]:
    server = FileServer(root)
    yield server
    server.close()


def keys(source: object, **options: object) -> list[str]:
    return [sample.key for sample in bm.stream(source, seed=3, **options)]  # type: ignore[arg-type] # any of them


@pytest.fixture(scope="module")
def expected(root: Path) -> list[str]:
    return keys(str(root / "{000..003}.tar"))


def test_http_gives_the_samples_of_local_shards_in_the_same_order(server: FileServer, expected: list[str]) -> None:
    assert keys(server.url + "/{000..003}.tar") == expected


def test_s3_gives_the_samples_of_local_shards(root: Path, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    boto3, moto_server = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    s3 = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    try:
        host, port = s3.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        client = boto3.client("s3", region_name="us-east-1", endpoint_url=f"http://{host}:{port}")
        client.create_bucket(Bucket="lab")
        for path in root.iterdir():
            client.put_object(Bucket="lab", Key=f"a b/{path.name}", Body=path.read_bytes())
        assert keys("s3://lab/a b/{000..003}.tar") == expected
        with pytest.raises(SourceNotFoundError, match=r"s3://lab/none\.tar"):
            keys("s3://lab/none.tar")
        # Anonymous where there are no credentials.
        public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lab/*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [public]})
        client.put_bucket_policy(Bucket="lab", Policy=policy)
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        assert keys("s3://lab/a b/{000..003}.tar") == expected
    finally:
        s3.stop()


def test_plain_http_to_another_machine_is_refused_for_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.example:9000")
    with pytest.raises(SourceError, match="AWS_ALLOW_HTTP"):
        keys("s3://lab/a.tar")


def test_the_hub_gets_the_token_and_its_cdn_does_not(
    root: Path, server: FileServer, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    hub = FileServer(root)

    def answer(handler: BaseHTTPRequestHandler, _: int) -> bool:
        assert isinstance(handler, FileHandler)
        if handler.path.startswith("/api/"):
            handler.answer(200, b'{"_id": "1", "id": "lab/figures", "sha": "%s"}' % COMMIT.encode())
        else:
            handler.answer(302, headers={"Location": f"{server.url}/{handler.path.rpartition('/')[2]}?sig=1"})
        return True

    hub.fault = answer
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert keys("hf://datasets/lab/figures/{000..003}.tar") == expected
    hub.close()
    files = [token for path, token in hub.asked if "/resolve/" in path]
    assert files
    assert set(files) == {"Bearer hf_secret"}
    assert {token for _, token in server.asked} == {None}


def test_busy_and_failing_servers_are_waited_for(server: FileServer, expected: list[str]) -> None:
    def fault(handler: BaseHTTPRequestHandler, number: int) -> bool:
        assert isinstance(handler, FileHandler)
        if number % 7 == 3:
            handler.answer(503)
        elif number == 12:
            handler.answer(429, headers={"Retry-After": "1"})
        elif number % 7 == 5:
            # A body that breaks off: nothing at all of what was promised.
            handler.close_connection = True
            handler.connection.close()
        else:
            return False
        return True

    server.fault = fault
    stream = bm.stream(server.url + "/{000..003}.tar", seed=3)
    assert [sample.key for sample in stream] == expected
    assert stream.stats["bad_samples"] == 0


@pytest.mark.parametrize("seconds", [3.0, pytest.param(20.0, marks=pytest.mark.slow)])
def test_a_server_that_is_gone_for_some_seconds_does_no_harm(root: Path, expected: list[str], seconds: float) -> None:
    server = FileServer(root)
    port = int(server.server_address[1])
    stream = bm.stream(server.url + "/{000..003}.tar", seed=3, read_ahead=1 << 12, keep=1 << 14)
    found = []
    for number, sample in enumerate(stream):
        found.append(sample.key)
        if number == 20:
            server.close()
            restart = threading.Timer(seconds, lambda: FileServer(root, port))
            restart.start()
    restart.join()
    assert found == expected
    assert stream.stats["bad_samples"] == 0


def test_a_server_that_stays_gone_ends_in_time_with_its_url(server: FileServer) -> None:
    url = server.url
    server.close()
    start = time.monotonic()
    with pytest.raises(SourceError, match=re.escape(f"{url}/000.tar")):
        keys(url + "/000.tar", retry_timeout=1)
    assert time.monotonic() - start < 5
    with pytest.raises(ValueError, match="retry_timeout"):
        keys(url + "/000.tar", retry_timeout=-1)


def test_ctrl_c_ends_the_wait_for_a_server_that_is_gone(server: FileServer) -> None:
    url = server.url
    server.close()
    interrupt = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    start = time.monotonic()
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        bm.stream(url + "/000.tar")
    assert time.monotonic() - start < 3


def test_processes_share_a_cache_within_its_limit(
    root: Path, server: FileServer, expected: list[str], tmp_path: Path
) -> None:
    program = (
        "import sys, biomedica as bm\n"
        "stream = bm.stream(sys.argv[1], seed=3, cache_dir=sys.argv[2], cache_size=int(sys.argv[3]))\n"
        "print(*[sample.key for sample in stream])\n"
    )
    shard = max(path.stat().st_size for path in root.glob("*.tar"))
    limit = 3 * shard
    command = [sys.executable, "-c", program, server.url + "/{000..003}.tar", str(tmp_path), str(limit)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    for process in running:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert output.split() == expected
    assert 0 < sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit
    assert not list(tmp_path.glob("*.part"))


def test_what_the_cache_holds_is_not_fetched_again(server: FileServer, expected: list[str], tmp_path: Path) -> None:
    source = server.url + "/{000..003}.tar"
    assert keys(source, cache_dir=tmp_path) == expected
    server.ranges.clear()
    assert keys(source, cache_dir=tmp_path) == expected
    # Only whether each is still the same.
    assert set(server.ranges) == {"bytes=0-0"}
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 0
