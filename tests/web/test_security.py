"""Who is let in, by plain HTTP: names, tokens, origins, sizes; and what every answer says."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import biomedica as bm
from biomedica.web.app import Piece, make_app
from biomedica.web.security import CSP, LARGEST_BODY, is_loopback
from biomedica.web.serve import in_background, place
from made import packages
from web.ask import ask

TOKEN = "a-token-of-the-test-0123456789"  # noqa: S105 - of these tests alone


async def changed(request: Request) -> Response:
    return PlainTextResponse(f"changed by {len(await request.body())} bytes")


def fails(_: Request) -> Response:
    raise RuntimeError("a secret of the server")


ECHO = Piece("echo", "Echo", "/echo", [Route("/echo", changed, methods=["GET", "POST"]), Route("/fails", fails)])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> bm.Dataset:
    directory = tmp_path_factory.mktemp("guarded")
    return bm.extract(packages(directory / "in", 3), directory / "out")


@pytest.fixture(scope="module")
def url(dataset: bm.Dataset) -> Iterator[str]:
    with in_background(make_app(dataset, [ECHO]), place("127.0.0.1", 0, None)) as url:
        yield url


@pytest.fixture(scope="module")
def guarded(dataset: bm.Dataset) -> Iterator[str]:
    with in_background(make_app(dataset, [ECHO], token=TOKEN), place("127.0.0.1", 0, TOKEN)) as url:
        yield url


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "[::1]:9", "LOCALHOST", "127.8.8.8:80"])
def test_names_of_this_machine_are_answered(url: str, host: str) -> None:
    assert ask(url, "/echo", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "[::1", "", "10.0.0.1"]
)
def test_other_names_are_refused_whatever_they_lead_to(url: str, host: str) -> None:
    assert ask(url, "/echo", headers={"Host": host}).status == 421


@pytest.mark.parametrize("path", ["/echo", "/nowhere", "/static/base.css", "/image/none", "/fails"])
def test_every_answer_carries_the_policy(url: str, path: str) -> None:
    headers = ask(url, path).headers
    assert headers["content-security-policy"] == CSP
    assert "unsafe" not in CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


def test_refusals_carry_it_too(url: str, guarded: str) -> None:
    for said in (ask(url, "/echo", headers={"Host": "evil.example"}), ask(guarded, "/echo"), ask(url, "/echo", "POST")):
        assert said.status in {401, 403, 421}
        assert said.headers["content-security-policy"] == CSP


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "OWN"}, 403),
        ({"Origin": "OWN"}, 200),
        ({}, 403),
    ],
)
def test_only_own_pages_change_anything(url: str, headers: dict[str, str], status: int) -> None:
    sent = {name: url.rstrip("/") if value == "OWN" else value for name, value in headers.items()}
    assert ask(url, "/echo", "POST", b"x=1", sent).status == status


def test_bodies_have_an_end(url: str) -> None:
    own = {"Sec-Fetch-Site": "same-origin"}
    assert ask(url, "/echo", "POST", b"x" * LARGEST_BODY, own).status == 200
    assert ask(url, "/echo", "POST", None, {**own, "Content-Length": str(LARGEST_BODY + 1)}).status == 413
    assert ask(url, "/echo", "POST", None, {**own, "Transfer-Encoding": "chunked"}).status == 411


@pytest.mark.parametrize(
    "path", ["/echo", "/image/none", "/static/base.css", "/echo?token=", "/echo?token=wrong", "/echo?token=%C3%A9"]
)
def test_without_the_token_nothing_is_shown(guarded: str, path: str) -> None:
    said = ask(guarded, path)
    assert said.status == 401
    assert TOKEN.encode() not in said.body


def test_the_token_becomes_a_cookie_and_leaves_the_address(guarded: str) -> None:
    said = ask(guarded, f"/echo?size=1&token={TOKEN}")
    assert (said.status, said.headers["location"]) == (303, "/echo?size=1")
    cookie = said.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    with_cookie = {"Cookie": cookie.split(";")[0]}
    assert ask(guarded, "/echo", headers=with_cookie).status == 200
    assert ask(guarded, "/echo", headers={**with_cookie, "Host": "lab.example"}).status == 200
    assert ask(guarded, "/echo", "POST", b"", {**with_cookie, "Sec-Fetch-Site": "cross-site"}).status == 403
    assert ask(guarded, f"/echo?token={TOKEN}", "POST", b"", {"Sec-Fetch-Site": "same-origin"}).status == 401
    assert ask(guarded, "/echo", headers={"Cookie": cookie.split(";")[0][:-1]}).status == 401


def test_the_redirect_stays_on_this_server(guarded: str) -> None:
    assert ask(guarded, f"//evil.example/?token={TOKEN}").headers["location"] == "/evil.example/"


def test_a_defect_is_told_to_the_log_and_not_to_the_page(url: str, caplog: pytest.LogCaptureFixture) -> None:
    said = ask(url, "/fails")
    assert said.status == 500
    assert b"secret" not in said.body
    deadline = time.monotonic() + 10
    while "a secret of the server" not in caplog.text:  # written after the answer was sent
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_asked_for_is_escaped_in_the_answer(url: str) -> None:
    said = ask(url, "/image/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert said.status == 404
    assert b"<script" not in said.body


def test_static_files_do_not_lead_out_of_their_folder(url: str) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        assert ask(url, path).status == 404, path


def test_an_address_that_others_reach_has_a_token() -> None:
    open_to_all = place("0.0.0.0", 0, None)  # noqa: S104 - what this test is about
    with open_to_all.listener:
        assert open_to_all.token is not None
        assert re.fullmatch(r"http://[^/]+:\d+/\?token=[\w-]{32}", open_to_all.url)
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "192.168.0.9", "lab")] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("token", ["short", "with spaces in it, long", "ünïcödé-ünïcödé-ünïcödé", "x" * 201])
def test_tokens_that_are_easily_guessed_or_break_urls_are_refused(token: str) -> None:
    with pytest.raises(ValueError, match="16 to 200"):
        place("127.0.0.1", 0, token)


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(bm.BiomedicaError, match=rf"127\.0\.0\.1:{port}: .* choose another port"):
            place("127.0.0.1", port, None)
    with pytest.raises(ValueError, match="port"):
        place("127.0.0.1", 70_000, None)


def test_the_package_of_pages_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib
    import sys

    import biomedica.web

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ModuleNotFoundError, match=r"uvicorn: pip install 'biomedica\[web\]'"):
        importlib.reload(biomedica.web)


def test_nothing_comes_from_other_hosts() -> None:
    folder = Path(bm.__file__).parent / "web"
    files = [path for kind in ("html", "css", "js") for path in folder.rglob(f"*.{kind}")]
    # Pages without a server have all within them, by hashes in their policy (test_offline.py, test_report.py, test_leaks.py).
    files = [path for path in files if path.name not in {"offline_base.html", "standalone_head.html"}]
    assert files
    outside = re.compile(r"(?:src|href)=[\"']?(?:https?:)?//|url\(|@import|\son\w+=|<style|style=|<script(?![^>]*src=)")
    assert [path.name for path in files if outside.search(path.read_text("utf-8"))] == []
