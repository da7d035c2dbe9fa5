"""Who may ask for pages, and what pages may do.

Sources: OWASP's cheat sheets on cross-site request forgery (verifying the origin with standard headers) and on content
security policy; the Fetch Metadata specification of the W3C.
"""

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CSP", "Guard", "check_token", "is_loopback", "new_token"]

CSP = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; form-action 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from other hosts, nothing inline: a caption that reached a page as markup could still do nothing."""
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Tells other hosts nothing. `no-referrer` would also take the origin out of our own forms, by which they are known.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE = ("GET", "HEAD")
LARGEST_BODY = 1 << 20
SHORTEST_TOKEN, LONGEST_TOKEN = 16, 200


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def new_token() -> str:
    """A token of 192 random bits."""
    return secrets.token_urlsafe(24)


def check_token(token: str) -> None:
    """Refuse a token that is easily guessed or cannot stand in a URL.

    Raises:
        ValueError: It is such a one.
    """
    plain = token.isascii() and all(letter.isalnum() or letter in "-_.~" for letter in token)
    if not (plain and SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN):
        raise ValueError(f"a token has {SHORTEST_TOKEN} to {LONGEST_TOKEN} letters, digits, or any of -_.~")


@dataclass(frozen=True)
class Guard:
    """Stands before an application and lets through only what may ask.

    - Without a token only requests by a name of this machine: a page elsewhere whose name was made to lead here (DNS
      rebinding) sends its own.
    - With a token only requests that have it, in a cookie that `?token=` sets.
    - What changes something only from our own pages, and no larger than `LARGEST_BODY`.

    Every answer says what its page may do.
    """

    app: ASGIApp
    token: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let the application do it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._refusal(Request(scope)) or self.app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that the application does not see."""
        host = request.headers.get("host", "")
        if self.token is None and not is_loopback(_name(host)):
            return _refused(421, f"{host!r:.80} is not a name of this machine; open the address that was printed")
        if self.token is not None:
            answer = self._without_token(request, self.token)
            if answer is not None:
                return answer
        if request.method in SAFE:
            return None
        if not _is_own(request.headers, host):
            return _refused(403, "only pages of this server may change anything")
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            return _refused(411, "the length of the request is missing")
        return _refused(413, f"more than {LARGEST_BODY:,} bytes") if int(length) > LARGEST_BODY else None

    def _without_token(self, request: Request, token: str) -> Response | None:
        # Servers on other ports of this host share its cookies.
        cookie = f"biomedica-{hashlib.sha256(token.encode()).hexdigest()[:12]}"
        if _same(request.cookies.get(cookie, ""), token):
            return None
        given = request.query_params.get("token", "")
        if request.method not in SAFE or not _same(given, token):
            return _refused(401, "open the address with ?token=… that was printed where this server was started")
        # The token leaves the address, lest it be sent around with a copied link.
        rest = urlencode([pair for pair in parse_qsl(request.url.query) if pair[0] != "token"])
        # Not `//…`, which would be another host.
        path = "/" + request.url.path.lstrip("/")
        answer = RedirectResponse(path + f"?{rest}" * bool(rest), status_code=303)
        # Lax: a link in a mail still opens the page; what changes something asks for the origin anyway.
        answer.set_cookie(cookie, token, httponly=True, samesite="lax", secure=request.url.scheme == "https")
        return answer


def _refused(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status, {"Cache-Control": "no-store"})


def _is_own(headers: Headers, host: str) -> bool:
    """Whether a request comes from a page of this server, as browsers say and scripts of other pages cannot deny."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return bool(host) and urlsplit(headers.get("origin", "")).netloc == host


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())
