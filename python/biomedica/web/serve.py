"""Serving pages until Ctrl-C."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn

from biomedica.exceptions import BiomedicaError
from biomedica.web.security import Guard, check_token, is_loopback, new_token

__all__ = ["Place", "in_background", "place", "serve"]

PATIENCE = 3
"""Seconds for which requests under way may go on after Ctrl-C."""
HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Place:
    """Where pages are served, and what they ask for."""

    listener: socket.socket
    token: str | None
    url: str
    """What to open; with the token where there is one."""


def place(host: str, port: int, token: str | None) -> Place:
    """Listen at an address.

    Args:
        host: `127.0.0.1` for this machine alone.
        port: 0 for any that is free.
        token: What requests must have; made up where other machines can reach the address and none is given.

    Raises:
        ValueError: The port or the token cannot be one.
        BiomedicaError: The address cannot be listened at.
    """
    if not 0 <= port <= HIGHEST_PORT:
        raise ValueError(f"port: {port} is not one of 0 to {HIGHEST_PORT}")
    if token is not None:
        check_token(token)
    elif not is_loopback(host):
        token = new_token()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        hint = "; choose another port, or 0 for any that is free" if error.errno == errno.EADDRINUSE else ""
        raise BiomedicaError(f"{host}:{port}: cannot be listened at: {error.strerror or error}{hint}") from error
    # asyncio does so only for sockets that say they are TCP; without it a page waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shown = socket.gethostname() if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
    name = f"[{shown}]" if ":" in shown else shown
    url = f"http://{name}:{listener.getsockname()[1]}/"
    return Place(listener, token, url + (f"?token={token}" if token else ""))


def serve(app: Guard, at: Place, ready: Callable[[str], object] | None = None) -> None:
    """Serve until Ctrl-C, which is a normal end.

    Args:
        app: What to serve.
        at: Where.
        ready: Called with the URL once requests are answered.
    """
    server = _Server(app, lambda: ready(at.url) if ready else None)
    with contextlib.suppress(KeyboardInterrupt), at.listener:
        server.run(sockets=[at.listener])


@contextlib.contextmanager
def in_background(app: Guard, at: Place) -> Iterator[str]:
    """Serve in a thread for as long as the context lasts; gives the URL."""
    begun = threading.Event()
    server = _Server(app, begun.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [at.listener]}, name="biomedica-web", daemon=True)
    thread.start()
    try:
        begun.wait()
        yield at.url
    finally:
        server.should_exit = True
        thread.join()
        at.listener.close()


class _Server(uvicorn.Server):
    def __init__(self, app: Guard, ready: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,  # the log of the process that it runs in
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=PATIENCE,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()
