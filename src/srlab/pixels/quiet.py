"""What C libraries write to standard error themselves, such as libtiff, kept from the user.

They write to the process's file descriptor, past Python. What Python code writes meanwhile is not lost.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from threading import Lock

_STDERR = 2  # the file descriptor

_lock = Lock()
_depth = 0
_kept: tuple[int, object, io.TextIOWrapper | None] | None = None


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Throw away what is written to the file descriptor of standard error; threads may overlap."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _depth, _kept
    with _lock:
        _depth += 1
        if _depth > 1:
            return
        try:
            kept = os.dup(_STDERR)
        except OSError:  # it is closed: nothing can reach the user
            return
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path on every system
            os.dup2(nothing.fileno(), _STDERR)
        _kept = kept, sys.stderr, _other_way(kept)


def _other_way(kept: int) -> io.TextIOWrapper | None:
    """Let Python's own standard error write to `kept` meanwhile, if it writes to the descriptor now."""
    before = sys.stderr
    try:
        if before is None or before.fileno() != _STDERR:
            return None
    except (OSError, ValueError):  # a notebook's or a test's own
        return None
    other = open(  # noqa: SIM115 - a descriptor, closed in `_leave`
        kept, "w", encoding=before.encoding, errors=before.errors, buffering=1, closefd=False
    )
    sys.stderr = other
    return other


def _leave() -> None:
    global _depth, _kept
    with _lock:
        _depth -= 1
        if _depth > 0 or _kept is None:
            return
        kept, before, other = _kept
        _kept = None
        if other is not None:
            other.flush()
            if sys.stderr is other:
                sys.stderr = before
        os.dup2(kept, _STDERR)
        os.close(kept)
