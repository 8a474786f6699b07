"""The server from its first line to its last: the address, the token, the end."""

import asyncio
import contextlib
import ipaddress
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from srlab.errors import UserError
from srlab.files import is_at_work
from srlab.folder.records import StudyFolder
from srlab.serve.app import Server
from srlab.serve.guard import Door
from srlab.serve.limits import Limits

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CONNECTIONS = 200
_PATIENCE = 2  # seconds for answers on their way when the server ends
_SILENCE = 10.0  # seconds for the head of a connection's first request
_FOLDER = "srlab-serve-"  # then the process's number


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A server that listens at `address` and answers as soon as it runs."""

    address: str
    server: uvicorn.Server
    listener: socket.socket

    def run(self) -> None:
        """Answer until it is interrupted (Ctrl-C, SIGTERM or SIGHUP) or `server.should_exit`."""
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            self.server.run(sockets=[self.listener])


@contextlib.contextmanager
def ready(
    studies: Sequence[Path] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    names: Sequence[str] = (),
    limits: Limits | None = None,
    device: str = "auto",
    tell: Callable[[str], None],
) -> Iterator[Ready]:
    """A server of these studies. Its results are in a folder of their own, which is removed at the end, or by
    the next server if this one is killed.

    Args:
        studies: folders, finished or not.
        host: the address to listen on.
        port: 0 takes any free one.
        token: what visitors need; with any other address than the machine's own, one is made.
        names: others that lead here, such as that of a proxy.
        limits: what it takes and keeps.
        device: where the networks run.
        tell: gets what its owner has to know.

    Raises:
        UserError: a folder is not a study's, the port is taken, or the token is too short.
    """
    for study in studies:
        StudyFolder(study).study  # noqa: B018 - told now, and not by a page
    if token is not None and not _TOKEN.fullmatch(token):
        raise UserError(
            "the token must have at least 16 signs, of A-Z, a-z, 0-9, - and _; leave --token out, and srlab "
            "makes one"
        )
    limits = limits or Limits()
    _remove_left()
    with (
        _listening(host, port) as listener,
        _hung_up_is_terminated(),
        tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", ignore_cleanup_errors=True) as folder,
    ):
        address, port = listener.getsockname()[:2]
        if token is None and not _ip(address).is_loopback:
            token = secrets.token_urlsafe(24)
        pages = Server(studies, folder=Path(folder), limits=limits, device=device, tell=tell)
        config = uvicorn.Config(
            pages.app(_door(listener, host, names=names, token=token)),
            http=_Connection,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_level="warning",
            access_log=False,  # it would have the token
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_PATIENCE,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        yield Ready(address=_address(host, port, token), server=uvicorn.Server(config), listener=listener)


class _Connection(H11Protocol):
    """A connection that is closed if it asks for nothing: it takes the place of another."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(_SILENCE, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.scope is None:
            self.transport.close()


def _remove_left() -> None:
    """Remove the results of servers that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        found = re.match(rf"{_FOLDER}(\d+)-", path.name)
        if found is not None and not is_at_work(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _hung_up_is_terminated() -> Iterator[None]:
    """SIGHUP, of a terminal that is closed, ends the server as SIGTERM does; not under nohup."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the log is about anything else than what ends because Ctrl-C was pressed."""
    error = record.exc_info[1] if record.exc_info else None
    text = record.getMessage()
    is_end = "CancelledError" in text or text.startswith("Cancel ")
    return not is_end and not isinstance(error, asyncio.CancelledError)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; 0 is any free port."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if sys.platform != "win32":  # there it would let two servers share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_CONNECTIONS)
        except OSError:
            listener.close()
            raise
        return listener
    except (OSError, UnicodeError) as error:  # a name with an empty or a long part
        why = error.strerror if isinstance(error, OSError) else "no such name"
        raise UserError(
            f"srlab serve cannot listen on {host}:{port} ({why or error}); choose another --port, or --port "
            "0 for any free one"
        ) from error


def _door(listener: socket.socket, host: str, *, names: Sequence[str], token: str | None) -> Door:
    """Which names lead to this server: what the user says, and what the machine is called."""
    address, port = listener.getsockname()[:2]
    is_open = _ip(address).is_unspecified
    own = (socket.gethostname(), socket.getfqdn()) if is_open else ()
    known = {host, address, *_LOOPBACK, *own, *names}
    return Door(
        names=frozenset(name.strip("[]").lower() for name in known),
        is_open=is_open,
        token=token,
        cookie=f"srlab-{port}",  # cookies do not tell ports apart
    )


def _address(host: str, port: int, token: str | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + ("" if token is None else f"?token={token}")


def _ip(address: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address":
    return ipaddress.ip_address(address.partition("%")[0])  # without the zone of IPv6
