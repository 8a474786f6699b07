"""Fetching a file over HTTP, however badly the line or the server behaves.

What has arrived is kept beside the target as ``NAME.part``, with ``NAME.part.json`` saying what it is a part
of; so a download that was interrupted, even by SIGKILL or a power cut, continues where it stopped. It
continues only if the server confirms that the file has not changed (``If-Range`` with its ETag or date), or
if there is a published checksum. Otherwise it starts again. The target appears once it is whole and its
checksum, if one is known, is right. No download lasts for ever. A server that sends almost nothing, or more
than the file can have, is left. What comes before the file has a time limit (`Deadline`).
"""

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from srlab.data.deadline import Deadline
from srlab.errors import UserError
from srlab.folder.store import save_json

Progress = Callable[[int, int | None], None]  # bytes there, bytes in all (None: the server does not say)

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be other ones soon
_CHANGED = "the file on the server changed"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to come back.

    `stall` is for a wait for the next bytes, `answer` for all that comes before the file: every redirect, and
    the headers of the answer that brings it.

    `attempts` in a row that bring next to nothing give up; the pause before the n-th is
    ``pause * 2^(n - 1)``. Next to nothing is less than `slowest` bytes a second, over `window` seconds or
    over a whole attempt.
    """

    connect: float = 20.0
    stall: float = 30.0
    answer: float = 120.0
    window: float = 60.0
    slowest: float = 1000.0
    attempts: int = 5
    pause: float = 1.0


class DownloadError(UserError):
    """This address cannot give the file; another one may. `why` is the message without the address."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url}: {why}")
        self.why = why


class _TryAgainError(Exception):
    """The transfer broke off; what has arrived stays, unless `from_scratch`."""

    def __init__(self, why: str, *, from_scratch: bool = False) -> None:
        super().__init__(why)
        self.from_scratch = from_scratch


def download(
    url: str,
    path: Path,
    *,
    checksum: str | None = None,
    most_bytes: int | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> str:
    """Fetch `url` to `path` and return its SHA-256.

    `checksum` is ``sha256:...`` or ``md5:...``, or how it begins, where no more is published. A server that
    refuses, stalls, breaks off for good or sends more than `most_bytes`, and a file that is not the one of
    the checksum, are a `DownloadError`; a disk that is full or read-only is a `UserError` that says so. In
    every case `path` does not exist, and what can still be used lies in its ``.part``.
    """
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    wanted = _Wanted(
        url=url,
        part=part,
        has_checksum=checksum is not None,
        most_bytes=most_bytes,
        progress=progress,
        patience=patience or Patience(),
    )
    timeout = httpx.Timeout(wanted.patience.stall, connect=wanted.patience.connect)
    # No connection is used again: a `Deadline` knows only those that were opened under it.
    with httpx.Client(timeout=timeout, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        pieces = _receive(client, wanted)
        sha256, problem = _verify(part, checksum)
        if problem and pieces > 1:
            # They may be of two files that a server passed off as one: once more, from the first byte.
            _forget(part)
            _receive(client, wanted)
            sha256, problem = _verify(part, checksum)
    if problem:
        _forget(part)
        raise DownloadError(url, f"{problem}; the file was deleted")
    part.replace(path)
    _forget(part)
    return sha256


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What is to be fetched, and how."""

    url: str
    part: Path
    has_checksum: bool
    most_bytes: int | None
    progress: Progress | None
    patience: Patience

    def is_too_much(self, size: int | None) -> bool:
        """Whether the file is larger than it can be."""
        return size is not None and self.most_bytes is not None and size > self.most_bytes

    def check_size(self, size: int | None) -> None:
        """A `DownloadError` if the file is larger than it can be; what came is thrown away."""
        if self.is_too_much(size):
            _forget(self.part)
            raise DownloadError(
                self.url,
                f"the server sends more than {self.most_bytes:,} bytes, and the file should be smaller",
            )


def _receive(client: httpx.Client, wanted: _Wanted) -> int:
    """Fill the part to the end, over as many requests as it takes; in how many pieces it came."""
    part, patience = wanted.part, wanted.patience
    furthest = _size(part)
    pieces = 2 if furthest else 1
    failures = 0
    while True:
        begun = time.monotonic()
        try:
            _transfer(client, wanted)
            return pieces
        except httpx.TimeoutException:
            why = f"the server sent nothing for {patience.stall:g} s"
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            if (lasting := _lasting(error, wanted.url)) is not None:
                raise DownloadError(wanted.url, lasting) from error
            why = str(error) or type(error).__name__
        except httpx.InvalidURL as error:
            raise DownloadError(wanted.url, f"this is not a valid address ({error})") from error
        except _TryAgainError as again:
            why = str(again)
            if again.from_scratch:
                _forget(part)
        # A long file over a bad line may need many requests; only those that bring next to nothing count.
        new = _size(part) - furthest
        seconds = time.monotonic() - begun
        failures = 0 if new > 0 and new >= patience.slowest * seconds else failures + 1
        furthest = max(furthest, _size(part))
        pieces += 1
        if failures >= patience.attempts:
            size = _size(part)
            kept = f"; run the same command again to continue after {size:,} bytes" if size else ""
            raise DownloadError(wanted.url, f"{why}, {failures} times in a row{kept}")
        time.sleep(patience.pause * 2 ** max(failures - 1, 0))


def _lasting(error: httpx.HTTPError, url: str) -> str | None:
    """Why asking again is useless, in words; None if it may help."""
    if isinstance(error, httpx.TooManyRedirects):
        return "the address redirects in a circle"
    if isinstance(error, httpx.UnsupportedProtocol):
        return f"the address redirects to one that is not http or https ({error})"
    if isinstance(error, httpx.RemoteProtocolError) and "location header" in str(error):
        return f"the address redirects to an invalid one ({error})"
    target = error.request.url
    if target.host != httpx.URL(url).host and _is_unknown_host(error):
        return f"the address redirects to {target.host}, which does not exist"
    return None


def _is_unknown_host(error: BaseException | None) -> bool:
    """Whether the name server said that there is no such host."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno == socket.EAI_NONAME
        error = error.__cause__ or error.__context__
    return False


def _transfer(client: httpx.Client, wanted: _Wanted) -> None:
    """One request: the rest of the file if part of it is there, else the whole."""
    url, part = wanted.url, wanted.part
    state = _state(part, url)
    start = _size(part) if state is not None else 0
    vouched = None if state is None else state["validator"]
    if not vouched and not wanted.has_checksum:
        start = 0
    # "identity": a compressed transfer has no lengths to go on from.
    headers = {"Accept-Encoding": "identity", "User-Agent": "srlab"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if vouched:
            headers["If-Range"] = vouched
    with _deadline(wanted.patience) as deadline, _answer(client, url, headers, deadline) as response:
        if start and response.status_code == 416 and _total(response) == start:
            return  # broken off exactly at the end
        if start and response.status_code == 416:
            raise _TryAgainError(
                "the file on the server is shorter than the part downloaded before", from_scratch=True
            )
        if response.status_code in _PASSING:
            raise _TryAgainError(f"the server answered {response.status_code} {response.reason_phrase}")
        if response.status_code not in (200, 206):
            raise DownloadError(url, f"the server answered {response.status_code} {response.reason_phrase}")
        if response.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise DownloadError(url, "the server sent a web page instead of the file")
        if response.status_code == 206:
            _check_continuation(response, start=start, state=state)
            total = _total(response)
        else:
            start, total = 0, _content_length(response)
        wanted.check_size(total)
        if response.status_code == 200:
            _start_anew(part, url, response, total)
        _append(response, wanted, deadline, start=start, total=total)


@contextmanager
def _deadline(patience: Patience) -> Iterator[Deadline]:
    """A `Deadline` for the answer; an error, or an end, that comes of its passing is a `_TryAgainError`."""
    with Deadline() as deadline:
        deadline.set_to(patience.answer, f"no answer came within {patience.answer:g} s")
        try:
            yield deadline
        except httpx.TransportError as error:
            if not deadline.is_over:
                raise
            raise _TryAgainError(deadline.why) from error


@contextmanager
def _answer(
    client: httpx.Client, url: str, headers: dict[str, str], deadline: Deadline
) -> Iterator[httpx.Response]:
    """The answer at the end of all redirects, without its body.

    httpx would read the body of a redirect whole, however long it is; here it is never read.
    """
    request = client.build_request("GET", url, headers=headers, extensions={"trace": deadline.trace})
    for _ in range(client.max_redirects + 1):
        response = client.send(request, stream=True)
        try:
            if response.next_request is None:
                yield response
                return
            request = response.next_request
        finally:
            response.close()
    raise httpx.TooManyRedirects(f"more than {client.max_redirects} redirects", request=request)


def _check_continuation(response: httpx.Response, *, start: int, state: dict[str, Any] | None) -> None:
    """That a 206 is the rest of what is there: servers have been seen to ignore If-Range."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if state is None or found is None or int(found[1]) != start:
        raise _TryAgainError(
            "the server sent another part of the file than the one requested", from_scratch=True
        )
    validator = _validator(response)
    if validator and state["validator"] and validator != state["validator"]:
        raise _TryAgainError(_CHANGED, from_scratch=True)
    if state["size"] is not None and _total(response) not in (None, state["size"]):
        raise _TryAgainError(_CHANGED, from_scratch=True)


def _start_anew(part: Path, url: str, response: httpx.Response, total: int | None) -> None:
    with _disk_named(part):
        _forget(part)
        part.touch()
        save_json(_state_path(part), {"url": url, "validator": _validator(response), "size": total})


def _append(
    response: httpx.Response, wanted: _Wanted, deadline: Deadline, *, start: int, total: int | None
) -> None:
    patience, done = wanted.patience, start
    since, before = time.monotonic(), start
    # For what is no byte of the file, such as the end of a chunk: any byte of it is seen below before that.
    seconds_left = patience.window + patience.stall
    too_late = f"almost nothing of the file arrived in {seconds_left:g} s"
    deadline.set_to(seconds_left, too_late)
    with _disk_named(wanted.part), wanted.part.open("r+b") as file:
        file.seek(start)
        # Raw: some servers call a .tar.gz "encoded", and unpacking it here would spoil its checksum.
        # As they come, not gathered: what has arrived is not lost when the line breaks.
        for chunk in response.iter_raw():
            file.write(chunk)
            file.flush()  # so that a kill loses nothing that had arrived
            done += len(chunk)
            if wanted.is_too_much(done):
                break
            if wanted.progress is not None:
                wanted.progress(done, total)
            seconds = time.monotonic() - since
            if seconds >= patience.window:
                if done - before < patience.slowest * seconds:
                    raise _TryAgainError(f"only {done - before:,} bytes arrived in {seconds:.0f} s")
                since, before = time.monotonic(), done
                deadline.set_to(seconds_left, too_late)
        os.fsync(file.fileno())
    wanted.check_size(done)
    if deadline.is_over:  # without a length, the end of the connection would be taken for the file's
        raise _TryAgainError(deadline.why)
    if total is not None and done != total:
        raise _TryAgainError(f"{done:,} of {total:,} bytes arrived")


def _verify(part: Path, checksum: str | None) -> tuple[str, str]:
    """SHA-256 of the file, and what is wrong with it ("" if nothing is)."""
    algorithm, _, expected = (checksum or "sha256:").partition(":")
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", algorithm}}
    with part.open("rb") as file:
        while chunk := file.read(2**20):
            for digest in digests.values():
                digest.update(chunk)
    found = digests[algorithm].hexdigest()
    wrong = not found.startswith(expected.lower())
    problem = f"its {algorithm} is {found}, but {expected} was published" if wrong else ""
    return digests["sha256"].hexdigest(), problem


@contextmanager
def _disk_named(path: Path) -> Iterator[None]:
    """A full or read-only disk as a `UserError` that names the file, which Python's own leaves out."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} could not be written: {error.strerror or error}; the part that arrived is kept; run "
            "the same command again to continue"
        ) from error


def _state_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _state(part: Path, url: str) -> dict[str, Any] | None:
    """What `part` is a part of, or None if that is not known or it is of another address."""
    try:
        state = json.loads(_state_path(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    usable = isinstance(state, dict) and state.keys() >= {"url", "validator", "size"} and state["url"] == url
    return state if usable and part.exists() else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _state_path(part).unlink(missing_ok=True)


def _validator(response: httpx.Response) -> str:
    """What identifies this version of the file to the server; weak ETags may not be used for that (RFC
    9110).
    """
    etag = str(response.headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(response.headers.get("Last-Modified", ""))


def _content_length(response: httpx.Response) -> int | None:
    length = str(response.headers.get("Content-Length", ""))
    return int(length) if length.isdecimal() else None


def _total(response: httpx.Response) -> int | None:
    found = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
