"""A limit for the time of a request that nothing the server sends can put off.

The timeouts of httpx are for one wait each, so a server that sends a byte now and then never meets them. When
a `Deadline` passes, the connection is shut from another thread: the read that waits on it then ends, on every
system.
"""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any


class Deadline:
    """Shuts the connections of a request once the time that `set_to` gave is over.

    It learns of a connection by `trace`, which goes to httpx as the request's ``trace`` extension. Each
    request must open a connection of its own, since one that is used again is not told.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._connection: socket.socket | None = None
        self._why = ""
        self._is_over = False

    def __enter__(self) -> "Deadline":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._stop()

    @property
    def is_over(self) -> bool:
        """Whether it has passed; it stays so."""
        return self._is_over

    @property
    def why(self) -> str:
        """What did not come in time, as `set_to` was told."""
        return self._why

    def set_to(self, seconds: float, why: str) -> None:
        """From now on there are so many seconds; an earlier time no longer counts."""
        with self._lock:
            if self._is_over:
                return
            self._stop()
            self._why = why
            self._timer = threading.Timer(seconds, self._end)
            self._timer.daemon = True
            self._timer.start()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note the connection that was just opened, or went over to TLS."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._connection = info["return_value"].get_extra_info("socket")
                if self._is_over:
                    self._shut()

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            self._shut()

    def _shut(self) -> None:
        # An SSLSocket's own `shutdown` drops its TLS state while the other thread still reads by it.
        if self._connection is not None:
            with suppress(OSError):  # closed already
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
