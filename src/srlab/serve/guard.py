"""Who may ask for what: the door before every page.

- The Host that a browser names must be one of the server's. Otherwise a stranger's page could read this one,
by a name of its own that leads here (DNS rebinding). An address in digits cannot be such a name.
- What changes something must come from a page of this server, by Origin and Sec-Fetch-Site. A request without
them comes from no browser.
- With a token, nothing is answered without it. The address has it once, a cookie keeps it.
- A body is counted while it is read, whatever its Content-Length says, and must arrive in time.
- Every answer forbids scripts and pictures from elsewhere, and other pages around this one.
"""

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from srlab.serve.limits import Limits
from srlab.words import num_bytes

CONTENT_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_READ_ONLY = ("GET", "HEAD")
_DIGITS = 18  # of a number that is read; of thousands of digits, Python makes none


@dataclass(frozen=True, kw_only=True)
class Door:
    """`names` are what the server may be called, in small letters; `is_open` where it listens on all of the
    machine's addresses, of which each may be named in digits. `cookie` is the name of the token's.
    """

    names: frozenset[str]
    is_open: bool = False
    token: str | None = None
    cookie: str = "srlab"

    def knows(self, host: str) -> bool:
        """Whether a Host header, with or without a port, names this server."""
        name = urlsplit(f"//{host}").hostname or ""
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.is_open


class Guard:
    """The door as a layer around an application."""

    def __init__(self, app: ASGIApp, *, door: Door, limits: Limits) -> None:
        self.app = app
        self.door = door
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        refused = self._refusal(request) or self._ask_for_token(request)
        if refused is None:
            await self.app(scope, _counted(receive, self.limits), _with_headers(send))
        else:
            await refused(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        hosts = request.headers.getlist("host")
        try:
            is_known = len(hosts) == 1 and self.door.knows(hosts[0])
        except ValueError:  # no address at all, such as [::1
            is_known = False
        if not is_known:
            return _plain(
                400,
                f"This server is not called {', '.join(hosts) or 'nothing'}. Open the address that srlab "
                "serve printed. Its owner can add a name with --allow-host.",
            )
        if request.method not in _READ_ONLY and not _is_from_here(request.headers):
            return _plain(403, "This request comes from another page. Open this server's own page for it.")
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            return _plain(400, "The Content-Length of this request is not a number.")
        if len(length) > _DIGITS or int(length) > self.limits.max_bytes:
            return _plain(413, too_large(self.limits))
        return None

    def _ask_for_token(self, request: Request) -> Response | None:
        token = self.door.token
        if token is None:
            return None
        given = request.query_params.get("token")
        if given is not None and _is_same(given, token) and request.method in _READ_ONLY:
            rest = [pair for pair in request.query_params.multi_items() if pair[0] != "token"]
            # From the root and with one slash: //elsewhere would lead to another server.
            place = "/" + request.url.path.lstrip("/\\") + (f"?{urlencode(rest)}" if rest else "")
            answer = RedirectResponse(place, status_code=303)
            answer.set_cookie(self.door.cookie, token, httponly=True, samesite="lax", path="/")
            return answer
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        held = (request.cookies.get(self.door.cookie, ""), bearer if kind.lower() == "bearer" else "")
        if any(_is_same(one, token) for one in held):
            return None
        return _plain(
            401,
            "This page needs its token. Open the address that srlab serve printed, which ends with "
            "?token= and the token.",
        )


def too_large(limits: Limits) -> str:
    """The message for a body of more bytes than are taken."""
    return f"The file is too large: this page takes at most {num_bytes(limits.max_bytes)}."


def _is_from_here(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers["host"]
    except ValueError:  # no address at all, such as http://[
        return False


def _is_same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _plain(status: int, text: str) -> Response:
    """The rest of the body is not read, so the connection ends."""
    return PlainTextResponse(text + "\n", status_code=status, headers={"Connection": "close"})


def _counted(receive: Receive, limits: Limits) -> Receive:
    """`receive` until the body is too large or too slow: then an error that the application answers."""
    taken = 0
    end = asyncio.get_running_loop().time() + limits.reading_seconds

    async def counted() -> Message:
        nonlocal taken
        if taken < 0:  # the body is whole; what follows is the end of the connection, whenever it comes
            return await receive()
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "The file took too long to arrive.", {"Connection": "close"}) from None
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limits.max_bytes:
                raise HTTPException(413, too_large(limits), {"Connection": "close"})
            if not message.get("more_body", False):
                taken = -1
        return message

    return counted


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
