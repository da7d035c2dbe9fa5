"""Servers on loopback, each in a thread of its own."""

import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Fault = Callable[[BaseHTTPRequestHandler, int], bool]


class Loopback(ThreadingHTTPServer):
    """Serves from when it is made until it is closed."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""


class FileServer(Loopback):
    """Serves a directory by range; `fault` may answer first, with the number of the request.

    Attributes:
        asked: Path and authorization of each request.
        ranges: The range of each.
        sent: Bytes of all answers, without their headers.
    """

    def __init__(self, root: Path, port: int = 0) -> None:
        self.root = root
        self.fault: Fault = lambda *_: False
        self.asked: list[tuple[str, str | None]] = []
        self.ranges: list[str | None] = []
        self.sent = 0
        self.lock = threading.Lock()
        super().__init__(FileHandler, port)


class FileHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, FileServer)
        server.asked.append((self.path, self.headers.get("Authorization")))
        server.ranges.append(self.headers.get("Range"))
        if server.fault(self, len(server.asked)):
            return
        path = server.root / self.path.lstrip("/").partition("?")[0]
        if not path.is_file():
            self.answer(404)
            return
        data = path.read_bytes()
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if match is None:
            self.answer(200, data)
            return
        start, end = int(match[1]), min(int(match[2]) + 1, len(data))
        self.answer(206, data[start:end], {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"})

    def answer(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"ETag": '"1"', "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        server = self.server
        assert isinstance(server, FileServer)
        with server.lock:
            server.sent += len(data)
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass
