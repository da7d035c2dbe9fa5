"""An S3 server on loopback, and a proxy before it that fails as it is told."""

import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from loopback import Loopback

BUCKET = "lab"


class Bucket:
    """A bucket of moto's server, and what the library has to be told to find it."""

    def __init__(self) -> None:
        boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
        self._server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.host, self.port = self._server.get_host_and_port()
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        # The server's buckets are the process's: those of another test go.
        reset = HTTPConnection(self.host, self.port)
        reset.request("POST", "/moto-api/reset")
        reset.getresponse().read()
        reset.close()
        self._client: Any = boto3.client("s3", region_name="us-east-1", endpoint_url=self.url, **keys)
        self._client.create_bucket(Bucket=BUCKET)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def options(self, url: str | None = None, **more: str) -> dict[str, str]:
        """Storage options; `url` is that of a proxy."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return {"aws_endpoint": url or self.url, **keys, **more}

    def names(self, prefix: str) -> list[str]:
        """Every object below a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        return [entry["Key"].removeprefix(f"{prefix}/") for page in pages for entry in page.get("Contents", [])]

    def tree(self, prefix: str) -> dict[str, bytes]:
        """The same with their bytes."""
        return {name: self.get(f"{prefix}/{name}") for name in self.names(prefix)}

    def get(self, key: str) -> bytes:
        data: bytes = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data

    def put(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=data)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=BUCKET, Key=key)

    def uploads(self) -> int:
        """Uploads that nobody completed or gave up."""
        return len(self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))

    def close(self) -> None:
        self._server.stop()


Fault = Callable[["Handler", int], str | None]
"""What becomes of a request, by its number: `500`, `503`, `507`, `reset`, `lost` (done, but nobody hears of it), `cut`,
`stall`, or None for nothing."""


def seeded(share: float, kinds: tuple[str, ...], seed: int = 1) -> Fault:
    """That share of requests fails, each kind as often."""
    draw = random.Random(seed)
    lock = threading.Lock()

    def fault(_: "Handler", __: int) -> str | None:
        with lock:
            return draw.choice(kinds) if draw.random() < share else None

    return fault


class Proxy(Loopback):
    """Passes requests on to a bucket's server unless `fault` says otherwise."""

    def __init__(self, bucket: Bucket, stall: float = 3.0) -> None:
        self.bucket = bucket
        self.stall = stall
        self.fault: Fault = lambda *_: None
        self.seen: list[tuple[str, str]] = []
        self.faults: list[str] = []
        super().__init__(Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self) -> None:
        proxy = self.server
        assert isinstance(proxy, Proxy)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy.seen.append((self.command, self.path))
        kind = proxy.fault(self, len(proxy.seen))
        if kind is not None:
            proxy.faults.append(kind)
        if kind is not None and kind.isdigit():
            self.answer(int(kind), {"Retry-After": "0"} if kind == "503" else {}, b"")
            return
        if kind == "reset":
            self.hang_up()
            return
        if kind == "stall":
            time.sleep(proxy.stall)
            self.hang_up()
            return
        upstream = HTTPConnection(proxy.bucket.host, proxy.bucket.port, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        upstream.request(self.command, self.path, body, headers)
        response = upstream.getresponse()
        data = response.read()
        upstream.close()
        if kind == "lost":
            self.hang_up()
            return
        kept = {name: value for name, value in response.getheaders() if name.lower() not in {"connection", "server"}}
        if self.command == "HEAD" or response.status == 204:
            self.answer(response.status, kept, b"")
            return
        kept["Content-Length"] = str(len(data))
        self.answer(response.status, kept, data[: len(data) // 2] if kind == "cut" else data)
        if kind == "cut":
            self.hang_up()

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.pass_on
        raise AttributeError(name)

    def answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"date", "transfer-encoding"}:
                self.send_header(name, value)
        if "Content-Length" not in headers and "content-length" not in {name.lower() for name in headers}:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def hang_up(self) -> None:
        """Close with a reset, as a machine that is gone does."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.wfile.flush()
        self.connection.close()

    def log_message(self, *_: object) -> None:
        pass
