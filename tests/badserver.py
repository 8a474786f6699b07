"""A local HTTP server that misbehaves as it is told, for the tests of downloads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How one request is answered. The default is a good server that supports ranges and vouches by ETag."""

    content: bytes = b""
    status: int | None = None
    break_after: int | None = None  # bytes of the body, then the connection is cut
    stall_after: int | None = None  # bytes of the body, then nothing more comes
    promise: int | None = None  # Content-Length, whatever is sent
    ignore_range: bool = False
    ignore_if_range: bool = False
    etag: str | None = '"v1"'
    content_type: str = "application/octet-stream"
    has_length: bool = True
    drip_every: float | None = None  # seconds between two bytes of the body
    is_endless: bool = False  # the body again and again, until the client has gone
    raw: bytes | None = None  # sent as it is, in place of a proper answer; all but the next three is ignored
    again: bytes = b""  # sent after `raw` so many `times`, `drip_every` seconds apart
    times: int = 0
    location: str | None = None  # where the request is to go instead, with a status that says so


@dataclass
class Server:
    """`answers` are used up one a request; the last one answers all further requests."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    sent_again: int = 0  # bytes of `Answer.again` so far
    let_go: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def ranges(self) -> list[str | None]:
        """The Range header of each request so far."""
        return [request.get("range") for request in self.requests]


@contextmanager
def running() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.close_connection = True
            state.requests.append({key.lower(): value for key, value in self.headers.items()})
            answer = state.next_answer()
            if answer.raw is not None:
                self.wfile.write(answer.raw)
                for _ in range(answer.times):
                    if state.let_go.wait(answer.drip_every):
                        return
                    self.wfile.write(answer.again)  # raises when the client has gone
                    state.sent_again += len(answer.again)
                return
            asked = self.headers.get("Range")
            vouched = self.headers.get("If-Range")
            start = 0
            is_current = vouched in (None, answer.etag) or answer.ignore_if_range
            if asked and not answer.ignore_range and is_current:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
            total = len(answer.content)
            body = answer.content[start:]
            self.send_response(answer.status or (416 if start >= total > 0 else 206 if start else 200))
            if start and start >= total:
                self.send_header("Content-Range", f"bytes */{total}")
                body = b""
            elif start:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            if answer.etag:
                self.send_header("ETag", answer.etag)
            self.send_header("Content-Type", answer.content_type)
            if answer.location is not None:
                self.send_header("Location", answer.location)
            if answer.has_length:
                self.send_header(
                    "Content-Length", str(len(body) if answer.promise is None else answer.promise)
                )
            self.send_header("Connection", "close")
            self.end_headers()
            if answer.drip_every is not None:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    if state.let_go.wait(answer.drip_every):
                        return
            while answer.is_endless and not state.let_go.is_set():
                self.wfile.write(body)  # raises when the client has gone
            cut = answer.break_after if answer.break_after is not None else answer.stall_after
            self.wfile.write(body if cut is None else body[:cut])
            self.wfile.flush()
            if answer.stall_after is not None:
                state.let_go.wait(20)

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that was killed

    server = QuietServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
