"""What downloads promise: the file whole and right, or a clear error; never a half one, never two mixed."""

import hashlib
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from badserver import Answer, Server, running
from srlab.data.download import DownloadError, Patience, download
from srlab.errors import UserError

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
GOOD = Answer(content=CONTENT)
QUICK = Patience(connect=2, stall=0.3, attempts=3, pause=0.001)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        yield state


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file.zip"


def fetch(server: Server, target: Path, *answers: Answer, checksum: str | None = None) -> str:
    server.answers = list(answers)
    return download(f"{server.url}/file.zip", target, checksum=checksum, patience=QUICK)


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(server: Server, target: Path) -> None:
    assert fetch(server, target, GOOD) == sha256(CONTENT)
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == ["file.zip"]


def test_progress_tells_the_bytes_and_how_many_there_will_be(server: Server, target: Path) -> None:
    server.answers = [GOOD]
    told: list[tuple[int, int | None]] = []
    download(
        f"{server.url}/f", target, progress=lambda done, total: told.append((done, total)), patience=QUICK
    )
    assert told[-1] == (300_000, 300_000)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_line_that_breaks_off_is_taken_up_where_it_broke(server: Server, target: Path) -> None:
    fetch(server, target, Answer(content=CONTENT, break_after=100_000), GOOD)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]
    assert server.requests[1]["if-range"] == '"v1"'


def test_a_server_that_stalls_is_asked_again(server: Server, target: Path) -> None:
    fetch(server, target, Answer(content=CONTENT, stall_after=200_000), GOOD)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=200000-"]


def test_a_line_that_breaks_often_but_brings_something_is_not_given_up(server: Server, target: Path) -> None:
    pieces = [Answer(content=CONTENT, break_after=40_000)] * 7
    fetch(server, target, *pieces, GOOD)
    assert target.read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_everything_again(server: Server, target: Path) -> None:
    deaf = Answer(content=CONTENT, ignore_range=True)
    fetch(server, target, Answer(content=CONTENT, break_after=100_000), deaf)
    assert target.read_bytes() == CONTENT


def test_a_file_that_changes_between_two_tries_is_fetched_anew(server: Server, target: Path) -> None:
    fetch(server, target, Answer(content=CONTENT, break_after=100_000), Answer(content=OTHER, etag='"v2"'))
    assert target.read_bytes() == OTHER


def test_a_changed_file_is_noticed_when_the_server_ignores_the_question(server: Server, target: Path) -> None:
    changed = Answer(content=OTHER, etag='"v2"', ignore_if_range=True)
    fetch(server, target, Answer(content=CONTENT, break_after=100_000), changed)
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_nothing_is_joined_to_a_part_that_nobody_vouches_for(
    server: Server, target: Path, etag: str | None
) -> None:
    fetch(
        server,
        target,
        Answer(content=CONTENT, break_after=100_000, etag=etag),
        Answer(content=OTHER, etag=etag),
    )
    assert target.read_bytes() == OTHER
    assert server.ranges == [None, None]


def test_with_a_checksum_a_part_is_used_and_thrown_away_if_it_was_of_another_file(
    server: Server, target: Path
) -> None:
    broken = Answer(content=CONTENT, break_after=100_000, etag=None)
    fetch(server, target, broken, Answer(content=OTHER, etag=None), checksum=f"sha256:{sha256(OTHER)}")
    assert target.read_bytes() == OTHER
    assert server.ranges == [None, "bytes=100000-", None]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_file_of_another_checksum_is_refused_and_thrown_away(
    server: Server, target: Path, algorithm: str
) -> None:
    right = hashlib.new(algorithm, CONTENT).hexdigest()
    fetch(server, target, GOOD, checksum=f"{algorithm}:{right}")
    target.unlink()
    with pytest.raises(DownloadError, match=f"its {algorithm} is .*, but {right} was published"):
        fetch(server, target, Answer(content=OTHER), checksum=f"{algorithm}:{right}")
    assert leftovers(target) == []


def test_a_server_that_promises_more_than_it_has_is_given_up_with_the_bytes_that_arrived(
    server: Server, target: Path
) -> None:
    liar = Answer(content=CONTENT, promise=400_000, ignore_range=True)
    with pytest.raises(DownloadError, match=r"3 times in a row; .* after 300,000 bytes"):
        fetch(server, target, liar)
    assert not target.exists()


def test_a_server_that_promises_less_than_it_has_gives_a_file_that_the_checksum_refuses(
    server: Server, target: Path
) -> None:
    liar = Answer(content=CONTENT, promise=100_000)
    with pytest.raises(DownloadError, match="its sha256 is"):
        fetch(server, target, liar, checksum=f"sha256:{sha256(CONTENT)}")
    assert leftovers(target) == []


def test_a_rest_that_is_shorter_than_promised_is_not_taken_for_the_end(server: Server, target: Path) -> None:
    cut = Answer(content=CONTENT, break_after=100_000)
    fetch(server, target, cut, Answer(content=CONTENT, promise=50_000), GOOD)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_part_that_is_already_everything_is_not_fetched_again(server: Server, target: Path) -> None:
    with pytest.raises(DownloadError):
        fetch(server, target, Answer(content=CONTENT, promise=300_001, ignore_range=True))
    server.requests.clear()
    fetch(server, target, GOOD)
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=300000-"]


def test_a_server_without_lengths_is_believed(server: Server, target: Path) -> None:
    fetch(server, target, Answer(content=CONTENT, has_length=False))
    assert target.read_bytes() == CONTENT


def test_a_busy_server_is_asked_again_and_a_refusal_is_final(server: Server, target: Path) -> None:
    fetch(server, target, Answer(status=503, content=b"busy"), GOOD)
    assert target.read_bytes() == CONTENT
    target.unlink()
    server.requests.clear()
    with pytest.raises(DownloadError, match=r"/file\.zip: the server answered 404 Not Found"):
        fetch(server, target, Answer(status=404, content=b"gone"))
    assert len(server.requests) == 1


def test_a_web_page_in_place_of_the_file_is_refused(server: Server, target: Path) -> None:
    with pytest.raises(DownloadError, match="a web page instead of the file"):
        fetch(server, target, Answer(content=b"<!doctype html>", content_type="text/html; charset=utf-8"))
    assert leftovers(target) == []


def test_a_server_that_sends_without_end_is_left_and_nothing_kept(server: Server, target: Path) -> None:
    server.answers = [Answer(content=CONTENT, has_length=False, is_endless=True)]
    with pytest.raises(
        DownloadError, match="sends more than 1,000,000 bytes, and the file should be smaller"
    ):
        download(f"{server.url}/f", target, most_bytes=1_000_000, patience=QUICK)
    assert leftovers(target) == []
    assert len(server.requests) == 1


def test_a_file_that_says_it_is_larger_than_it_can_be_is_not_begun(server: Server, target: Path) -> None:
    server.answers = [GOOD]
    with pytest.raises(DownloadError, match="sends more than 299,999 bytes"):
        download(f"{server.url}/f", target, most_bytes=299_999, patience=QUICK)
    assert leftovers(target) == []
    assert download(f"{server.url}/f", target, most_bytes=300_000, patience=QUICK) == sha256(CONTENT)


@pytest.mark.parametrize("has_length", [True, False])
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(
    server: Server, target: Path, has_length: bool
) -> None:
    """Each byte comes in time, so that no wait for a byte is too long."""
    patience = replace(QUICK, stall=10, window=0.2, slowest=1000)
    server.answers = [Answer(content=CONTENT, has_length=has_length, drip_every=0.05)]
    with pytest.raises(
        DownloadError, match=r"only \d+ bytes arrived in \d+ s, 3 times in a row; .* to continue after"
    ):
        download(f"{server.url}/f", target, patience=patience)
    assert len(server.requests) == 3


REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /file\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_the_body_of_a_redirect_is_not_read(server: Server, target: Path) -> None:
    """It may be endless, and would lie in memory."""
    page = Answer(raw=REDIRECT, again=b"10000\r\n" + bytes(65536) + b"\r\n", times=1000, drip_every=0)
    assert fetch(server, target, page, GOOD) == sha256(CONTENT)
    assert server.sent_again < 30e6  # what the system takes before the connection is closed


@pytest.mark.parametrize(
    ("raw", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"", b"H"),
        (b"HTTP/1.1 302 Found\r\nLocation: /", b"a"),
    ],
    ids=["interim answers", "a header", "a status line", "a location"],
)
def test_an_answer_that_comes_byte_by_byte_is_given_up(
    server: Server, target: Path, raw: bytes, again: bytes
) -> None:
    """Each byte comes in time, so that no wait for a byte is too long."""
    server.answers = [Answer(raw=raw, again=again, times=100, drip_every=0.02)]
    with pytest.raises(DownloadError, match=r"no answer came within 0\.2 s, 3 times in a row"):
        download(f"{server.url}/f", target, patience=replace(QUICK, stall=10, answer=0.2))
    assert len(server.requests) == 3
    assert server.sent_again < 3 * 100 * len(again)  # left on the way, not at the end
    assert leftovers(target) == []


def test_redirects_share_the_time_for_an_answer(server: Server, target: Path) -> None:
    server.answers = [Answer(raw=REDIRECT[:9], again=REDIRECT[9:], times=1, drip_every=0.15)]
    with pytest.raises(DownloadError, match=r"no answer came within 0\.4 s, 3 times in a row"):
        download(f"{server.url}/f", target, patience=replace(QUICK, stall=10, answer=0.4))


def test_the_time_for_an_answer_is_not_for_the_file(server: Server, target: Path) -> None:
    content = bytes(range(30))
    server.answers = [Answer(content=content, drip_every=0.05)]
    patience = replace(QUICK, stall=10, answer=1)
    assert download(f"{server.url}/f", target, patience=patience) == sha256(content)
    assert len(server.requests) == 1


def test_a_body_that_brings_no_byte_of_the_file_is_given_up(server: Server, target: Path) -> None:
    """Bytes between two chunks of a chunked transfer, each in time."""
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"
    server.answers = [Answer(raw=start, again=b"a", times=200, drip_every=0.02)]
    patience = replace(QUICK, window=0.1, stall=0.2)
    with pytest.raises(DownloadError, match=r"nothing of the file arrived in 0\.3 s, 3 times in a row"):
        download(f"{server.url}/f", target, patience=patience)
    assert server.sent_again < 3 * 200


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/f", "the address redirects in a circle"),
        ("http://127.0.0.1:port/f", "the address redirects to an invalid one"),
        ("ftp://example.org/f", "the address redirects to one that is not http or https"),
        (
            "http://no-such-host.invalid/f",
            "the address redirects to no-such-host.invalid, which does not exist",
        ),
        (None, "the server answered 302 Found"),
    ],
)
def test_an_address_that_leads_nowhere_is_not_asked_again(
    server: Server, target: Path, location: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = socket.getaddrinfo

    def find_none(host: Any, *others: Any, **more: Any) -> Any:  # whatever the name server here says
        if host == "no-such-host.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return find(host, *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", find_none)
    with pytest.raises(DownloadError) as caught:
        fetch(server, target, Answer(status=302, location=location))
    assert message in caught.value.why
    assert "in a row" not in caught.value.why
    assert len(server.requests) == (21 if location == "/f" else 1)


def test_an_address_that_leads_to_a_refusal_is_not_asked_again(server: Server, target: Path) -> None:
    with pytest.raises(DownloadError, match="the server answered 404"):
        fetch(server, target, Answer(status=302, location="/gone"), Answer(status=404))
    assert len(server.requests) == 2


def test_an_address_where_nobody_answers_is_given_up(target: Path) -> None:
    with running() as state:
        url = state.url
    with pytest.raises(DownloadError, match=r"3 times in a row$"):
        download(url, target, patience=QUICK)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system refuses to write more into one file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_refuses_is_named_and_what_came_is_used_later(server: Server, target: Path) -> None:
    with (
        largest_file(270_000),
        pytest.raises(UserError, match=r"file\.zip\.part could not be written: File too large"),
    ):
        fetch(server, target, GOOD)
    assert not target.exists()
    fetch(server, target, GOOD)
    assert target.read_bytes() == CONTENT
    assert server.ranges[-1] is not None


def test_a_download_killed_on_the_way_goes_on_where_it_was(server: Server, target: Path) -> None:
    server.answers = [Answer(content=CONTENT, stall_after=200_000), GOOD]
    url = f"{server.url}/file.zip"
    code = (
        "import sys, pathlib; from srlab.data.download import download; "
        "download(sys.argv[1], pathlib.Path(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, url, str(target)])
    part = target.with_name("file.zip.part")
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size == 200_000):
        assert time.monotonic() < deadline, "the download did not start"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    download(url, target, patience=QUICK)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=200000-"]
