"""What `srlab serve` promises: who may ask, what is taken, what comes of it, and that it ends."""

import asyncio
import io
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

import srlab
from report_study import ReportStudy
from served import served, study_with_weights
from srlab.cli import main
from srlab.errors import UserError
from srlab.serve.app import Server
from srlab.serve.desk import Desk, Made, QueueFullError, Result
from srlab.serve.guard import Door, Guard
from srlab.serve.helper import Helper, HelperError
from srlab.serve.limits import Limits
from srlab.serve.running import Ready, _is_news, ready
from srlab.serve.studies import read_view, stamp_of
from srlab.serve.worker import Networks, enlarge

TOKEN = "a-token-of-23-letters-0"
HERE = Door(names=frozenset({"localhost", "127.0.0.1"}))
LOCKED = Door(names=frozenset({"example.org"}), token=TOKEN)


# The door


async def _read_all(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the body and says how long it was."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(body)} bytes of {scope['path']}")(scope, receive, send)


def asked(
    door: Door, method: str, address: str, limits: Limits | None = None, **options: Any
) -> httpx.Response:
    async def ask() -> httpx.Response:
        guard = Guard(_read_all, door=door, limits=limits or Limits())
        transport = httpx.ASGITransport(app=guard, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, address, **options)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:1", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("192.168.0.7", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_only_its_own_names_lead_to_a_server(host: str, status: int) -> None:
    assert asked(HERE, "GET", "http://localhost/", headers={"Host": host}).status_code == status


def test_an_address_in_digits_leads_to_a_server_that_listens_on_all() -> None:
    door = Door(names=frozenset({"lab"}), is_open=True)
    for host, status in (("192.168.0.7:80", 200), ("[fe80::1]:80", 200), ("lab", 200), ("evil.example", 400)):
        assert asked(door, "GET", "http://lab/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser
        ({"Origin": "http://localhost:8000"}, 200),
        ({"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://localhost:9999"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_what_changes_something_comes_from_its_own_page(headers: dict[str, str], status: int) -> None:
    answer = asked(HERE, "POST", "http://localhost:8000/upscale", headers=headers, content=b"x")
    assert answer.status_code == status


def test_without_the_token_nothing_is_answered() -> None:
    wrong: list[dict[str, str]] = [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "srlab=wrong"}]
    for headers in wrong:
        answer = asked(LOCKED, "GET", "http://example.org/static/page.css", headers=headers)
        assert (answer.status_code, "needs its token" in answer.text) == (401, True)
    assert asked(LOCKED, "GET", "http://example.org/?token=wrong").status_code == 401
    assert asked(LOCKED, "POST", f"http://example.org/upscale?token={TOKEN}").status_code == 401


def test_the_address_with_the_token_sets_a_cookie_that_opens_every_page() -> None:
    answer = asked(LOCKED, "GET", f"http://example.org/study/1?token={TOKEN}&a=b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/study/1?a=b")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    for headers in ({"Cookie": cookie.partition(";")[0]}, {"Authorization": f"Bearer {TOKEN}"}):
        assert asked(LOCKED, "GET", "http://example.org/study/1", headers=headers).status_code == 200


def test_the_way_from_the_token_leads_to_no_other_server() -> None:
    answer = asked(LOCKED, "GET", f"http://example.org//evil.example/?token={TOKEN}")
    assert answer.headers["location"] == "/evil.example/"


def test_a_body_that_says_how_large_it_is_is_refused_unread() -> None:
    small = Limits(max_bytes=1000)
    assert asked(HERE, "POST", "http://localhost/", small, content=b"x" * 1000).text == "1000 bytes of /"
    assert asked(HERE, "POST", "http://localhost/", small, content=b"x" * 1001).status_code == 413
    many = {"Content-Length": "9" * 5000}
    assert asked(HERE, "POST", "http://localhost/", small, headers=many, content=b"x").status_code == 413


def test_every_answer_forbids_what_comes_from_elsewhere() -> None:
    for door in (HERE, LOCKED):  # an answer, and a refusal
        headers = asked(door, "GET", "http://localhost/").headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


# The application, without the process that works


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def answered(folder: Path, limits: Limits, *requests: Mapping[str, Any]) -> list[httpx.Response]:
    """What the application answers to requests, one after the other; nothing that it queues is done."""

    async def ask() -> list[httpx.Response]:
        app = Server([], folder=folder, limits=limits, tell=print).app(HERE)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.request(**request) for request in requests]

    return asyncio.run(ask())


async def in_pieces(*pieces: bytes, seconds: float = 0) -> AsyncIterator[bytes]:
    """A body without a Content-Length."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(seconds)


def test_a_body_is_counted_while_it_is_read(tmp_path: Path) -> None:
    start = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
    content = in_pieces(start, *[b"x" * 100] * 11)
    (answer,) = answered(
        tmp_path,
        Limits(max_bytes=1000),
        {"method": "POST", "url": "/upscale", "headers": FORM, "content": content},
    )
    assert (answer.status_code, answer.text) == (
        413,
        "The file is too large: this page takes at most 1.0 kB.\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_body_that_trickles_is_given_up(tmp_path: Path) -> None:
    content = in_pieces(b"--b\r\n", b"x", seconds=20)
    (answer,) = answered(
        tmp_path,
        Limits(reading_seconds=0.05),
        {"method": "POST", "url": "/upscale", "headers": FORM, "content": content},
    )
    assert (answer.status_code, answer.text) == (408, "The file took too long to arrive.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_more_than_may_wait_is_refused_and_told_when_to_come_again(tmp_path: Path) -> None:
    request = {
        "method": "POST",
        "url": "/upscale",
        "files": {"picture": ("a.png", png())},
        "data": {"network": "0-0"},
    }
    first, second = answered(tmp_path, Limits(queue=1), request, request)
    assert first.status_code == 303
    assert second.status_code == 503
    assert second.headers["retry-after"] == "60"
    assert second.text == "The queue is full (1 picture). Try again in a minute.\n"


def test_a_fault_of_srlabs_own_is_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError("a secret")

    monkeypatch.setattr("srlab.serve.pages.Pages.start", fail)
    (answer,) = answered(tmp_path, Limits(), {"method": "GET", "url": "/"})
    assert answer.status_code == 500
    assert "fault of srlab's own" in answer.text
    assert "secret" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_full_disk_is_told_without_a_path_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_upload: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("srlab.serve.app._save", full)
    files = {"picture": ("a.png", png())}
    request = {"method": "POST", "url": "/upscale", "files": files, "data": {"network": "0-0"}}
    (answer,) = answered(tmp_path, Limits(), request)
    assert (answer.status_code, answer.text) == (507, "The server's disk is full. Try again later.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_form_with_a_field_that_is_too_long_is_told_in_plain_words(tmp_path: Path) -> None:
    files = {"picture": ("a.png", png())}
    request = {"method": "POST", "url": "/upscale", "files": files, "data": {"network": "9" * 1001}}
    (answer,) = answered(tmp_path, Limits(), request)
    assert answer.status_code == 400
    assert answer.text.startswith("This form cannot be read. It takes one picture, and at most 100 other")


def test_the_report_of_a_study_whose_folder_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> httpx.Response:
        server = Server([tmp_path / "gone"], folder=tmp_path, limits=Limits(), tell=print)

        async def refuse(_task: object, *, seconds: float) -> AsyncIterator[dict[str, Any]]:
            yield {"fault": f"OSError: full: {tmp_path}{os.sep}report-1", "seconds": seconds}

        monkeypatch.setattr(server.reporter, "ask", refuse)
        transport = httpx.ASGITransport(app=server.app(HERE), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/study/1/report")

    answer = asyncio.run(ask())
    assert answer.status_code == 503
    assert answer.text == "The report of gone cannot be written now: OSError: full: report-1\n"


# The queue


class FakeHelper:
    """Makes what it is asked for at once, or fails as often as it is told."""

    def __init__(self, *, failures: int = 0, size: int = 100) -> None:
        self.failures, self.size = failures, size

    async def start(self) -> None:
        pass

    async def ask(self, task: Mapping[str, Any], *, seconds: float) -> AsyncIterator[dict[str, Any]]:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise HelperError(f"it took longer than {seconds:.0f} seconds")
        for place, job in enumerate(task["jobs"]):
            Path(job["out"]).write_bytes(bytes(self.size))
            yield {"made": place, "seconds": 0.1, "bytes": self.size, "notes": []}
        yield {"is_done": True}


def desk(folder: Path, helper: FakeHelper, **limits: Any) -> Desk:
    return Desk(folder, cast(Helper, helper), Limits(**limits), tell=print)


def arrived(desk: Desk) -> Result:
    result = desk.open()
    result.made.append(
        Made(label="bicubic", model="bicubic", scale=2, file="a.png", path=result.folder / "0.png")
    )
    desk.submit(result)
    return result


def worked(desk: Desk, count: int) -> list[Result]:
    """So many pictures, after all are done."""

    async def work() -> list[Result]:
        results = [arrived(desk) for _ in range(count)]
        task = asyncio.create_task(desk.work())
        while any(result.state in ("waiting", "working") for result in results):
            await asyncio.sleep(0.001)
        task.cancel()
        return results

    return asyncio.run(work())


def test_a_queue_has_an_end_and_what_is_dropped_leaves_a_place(tmp_path: Path) -> None:
    full = desk(tmp_path, FakeHelper(), queue=2)
    first, _ = arrived(full), full.open()
    with pytest.raises(QueueFullError):
        full.open()
    full.drop(first)
    assert arrived(full).state == "waiting"
    assert full.find(first.id) is None
    assert not first.folder.exists()


def test_the_oldest_results_are_put_away_when_they_are_too_many(tmp_path: Path) -> None:
    few = desk(tmp_path, FakeHelper(), kept=2)
    results = worked(few, 5)
    assert [few.find(one.id) is not None for one in results] == [False, False, False, True, True]
    assert sorted(tmp_path.iterdir()) == sorted(one.folder for one in results[3:])


def test_the_oldest_results_are_put_away_when_they_are_too_large_together(tmp_path: Path) -> None:
    small = desk(tmp_path, FakeHelper(size=100), kept_bytes=250)
    assert [small.find(one.id) is not None for one in worked(small, 4)] == [False, False, True, True]


def test_old_results_are_put_away_and_the_last_one_too(tmp_path: Path) -> None:
    short = desk(tmp_path, FakeHelper(), kept_seconds=0.05)
    results = worked(short, 2)
    time.sleep(0.06)
    short.tidy()
    assert [short.find(one.id) for one in results] == [None, None]


def test_one_that_fails_is_told_and_the_next_one_is_done(tmp_path: Path) -> None:
    first, second = worked(desk(tmp_path, FakeHelper(failures=1), max_seconds=7), 2)
    assert (first.state, second.state) == ("failed", "done")
    assert first.message == "picture could not be enlarged: it took longer than 7 seconds."
    assert not first.is_at_fault


def test_a_disk_that_is_full_at_work_is_no_fault_of_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(part: Path, *_: object, **_options: object) -> None:
        raise OSError(28, "No space left on device", str(part))

    monkeypatch.setattr("srlab.pixels.picture_files.write_png", full)
    told: list[str] = []
    mine = Desk(tmp_path, cast(Helper, FakeHelper()), Limits(), tell=told.append)
    result = arrived(mine)
    result.name = "a.png"
    result.picture.write_bytes(png())
    jobs = [{"model": "bicubic", "scale": 2, "out": str(result.made[0].path), "name": "a-x2.png"}]
    task = {"picture": str(result.picture), "jobs": jobs, "archive": "", "max_pixels": 5000}
    enlarge(task, lambda **answer: mine._note(result, answer), networks=Networks("cpu"))
    assert (result.state, result.is_at_fault) == ("failed", False)
    assert result.message == "a.png could not be enlarged: the server cannot store it. Try later."
    assert "0.png could not be written: No space left" in told[0]


def test_ids_cannot_be_guessed(tmp_path: Path) -> None:
    ids = {desk(tmp_path, FakeHelper()).open().id for _ in range(20)}
    assert len(ids) == 20
    assert min(map(len, ids)) >= 22  # 16 random bytes


def test_a_process_that_takes_too_long_is_ended_and_another_one_works() -> None:
    async def work() -> None:
        helper = Helper("report")
        task = {"study": "/nowhere", "out": "/nowhere/report.html"}
        with pytest.raises(HelperError, match="longer than"):
            async for _ in helper.ask(task, seconds=0.01):
                pass
        assert helper.pid is None
        process = await helper.start()
        assert helper.pid == process.pid
        assert process.returncode is None
        await helper.stop()
        assert (helper.pid, process.returncode is None) == (None, False)

    asyncio.run(work())


def test_a_process_whose_server_is_gone_ends_by_itself() -> None:
    command = [sys.executable, "-m", "srlab.serve.worker", "report", "cpu"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        try:
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()


# Pictures


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study_with_weights(tmp_path_factory.mktemp("study"))


TOLD: list[str] = []  # what the owner of the server below was told


@pytest.fixture(scope="module")
def server(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    broken = ReportStudy(has_pictures=False, seeds=(0,)).write(tmp_path_factory.mktemp("broken"))
    with served([study, broken], limits=Limits(max_pixels=5000, queue=25), told=TOLD) as ready_:
        (broken / "study.json").write_text("{")
        yield ready_


@pytest.fixture
def client(server: Ready) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, timeout=60) as client:
        yield client


def png(width: int = 24, height: int = 20, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    rng = np.random.default_rng(width)
    channels = len(mode) if mode != "L" else 1
    pixels = rng.integers(0, 256, (height, width, channels)).astype(np.uint8)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def sent(client: httpx.Client, content: bytes, *networks: str, name: str = "photo.png") -> httpx.Response:
    data: dict[str, Any] = {"network": list(networks or ("1-1",)), "scale": "2"}
    return client.post("/upscale", files={"picture": (name, content)}, data=data)


def finished(client: httpx.Client, answer: httpx.Response) -> str:
    """The place of the result, once it is there."""
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"]
    for _ in range(600):
        state = client.get(f"{place}/state").json()["state"]
        if state in ("done", "failed"):
            return str(place)
        time.sleep(0.05)
    raise AssertionError("it takes too long")


def test_a_picture_is_enlarged_by_what_was_chosen_and_by_bicubic(client: httpx.Client, study: Path) -> None:
    place = finished(client, sent(client, png(mode="RGBA"), "1-1", "0-0"))
    page = client.get(place).text
    expected: list[tuple[str, str | Path | None]] = [
        ("bicubic", "bicubic"),
        ("srcnn/skip", study),
        ("srcnn/pixel", None),
    ]
    for number, (label, model) in enumerate(expected):
        assert label in page.replace("<wbr>", "")
        found = client.get(f"{place}/{number}.png")
        assert found.headers["content-type"] == "image/png"
        lr = np.asarray(Image.open(io.BytesIO(png(mode="RGBA"))))
        sr = srlab.load(model, scale=2, device="cpu").upscale(lr)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(found.content))), sr)


def test_a_download_has_a_plain_name_and_an_archive_has_all(client: httpx.Client) -> None:
    place = finished(client, sent(client, png(), name='../../my "new" photo ü.png'))
    found = client.get(f"{place}/1.png?download").headers["content-disposition"]
    assert found == 'attachment; filename="my-22new-22-photo-srcnn-skip-x2.png"'
    archive = client.get(f"{place}/all.zip")
    assert archive.headers["content-disposition"] == 'attachment; filename="my-22new-22-photo-x2.zip"'
    with zipfile.ZipFile(io.BytesIO(archive.content)) as file:
        assert file.namelist() == ["my-22new-22-photo-bicubic-x2.png", "my-22new-22-photo-srcnn-skip-x2.png"]
        assert file.read(file.namelist()[1]) == client.get(f"{place}/1.png").content


def test_a_variant_that_cannot_be_loaded_is_told_without_paths_and_the_others_are_there(
    client: httpx.Client, study: Path
) -> None:
    place = finished(client, sent(client, png(), "1-0", "1-1"))
    page = client.get(place, headers={"Accept": "text/html"}).text
    assert "srcnn/vanilla: this network cannot be used here" in page
    assert str(study) not in page
    assert any(str(study) in line for line in TOLD)
    assert client.get(f"{place}/1.png").status_code == 404
    assert client.get(f"{place}/2.png").status_code == 200


def test_a_picture_is_refused_before_it_is_decoded_if_it_has_too_many_pixels(client: httpx.Client) -> None:
    bomb = bytearray(png())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # what the header says
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    answer = sent(client, bytes(bomb))
    assert answer.status_code == 413
    assert "photo.png has 60000x60000 pixels, and this page takes at most 5,000 pixels" in answer.text


def test_a_file_whose_end_is_missing_is_told_on_its_page(client: httpx.Client) -> None:
    place = finished(client, sent(client, png()[:-20]))
    answer = client.get(place)
    assert answer.status_code == 400
    assert answer.text.startswith("photo.png ")
    assert "/" not in answer.text
    assert client.get(f"{place}/all.zip").status_code == 404


@pytest.mark.parametrize(
    ("files", "data", "said"),
    [
        (None, {"network": "1-1"}, "Choose a picture first"),
        ({"picture": ("", b"")}, {"network": "1-1"}, "Choose a picture first"),
        ({"picture": ("a.png", png())}, {}, "Choose at least one network"),
        ({"picture": ("a.png", png())}, {"network": "9-9"}, "not here any more"),
        ({"picture": ("a.png", png())}, {"network": "../../etc/passwd"}, "not here any more"),
        ({"picture": ("a.png", png())}, {"network": ["1-1", "0-1"]}, "networks of one scale"),
        ({"picture": ("a.png", png())}, {"network": "1-1", "scale": "4"}, "at least one network"),
    ],
)
def test_a_form_that_lacks_something_is_told_what(
    client: httpx.Client, files: Any, data: Any, said: str
) -> None:
    answer = client.post("/upscale", files=files, data=data)
    assert (answer.status_code, said in answer.text) == (400, True), answer.text


def broken_files() -> list[bytes]:
    """A hundred of them, none like another; each is wrong before its pixels are read."""
    rng = np.random.default_rng(0)
    noise = [rng.bytes(int(length)) for length in rng.integers(1, 400, 40)]
    starts = [png(), b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0", b"MM\0*", b"RIFF0000WEBPVP8 ", b"BM"]
    cut = [start[:8] + rng.bytes(20) for start in starts for _ in range(7)]
    other = [
        b"",
        b"%PDF-1.7",
        b"<svg/>",
        b"#!/bin/sh\nrm -rf /",
        b"PK\3\4",
    ]
    return (noise + cut + other + [b"x" * n for n in range(1, 20)])[:100]


def test_a_hundred_broken_files_twenty_at_once_are_each_refused_plainly(client: httpx.Client) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda content: sent(client, content, name="a.png"), broken_files()))
    assert len(answers) == 100
    assert {answer.status_code for answer in answers} <= {400, 413, 415}
    for answer in answers:
        assert answer.text.count("\n") == 1
        assert answer.text.startswith("a.png ")
        assert "/tmp" not in answer.text
    assert client.get(finished(client, sent(client, png()))).status_code == 200


def test_addresses_that_lead_nowhere_are_told(client: httpx.Client) -> None:
    for path in (
        "/result/unknown",
        "/result/unknown/0.png",
        "/result/../../etc/passwd",
        "/static/../app.py",
        "/static/%2e%2e%2fapp.py",
        "/study/99",
        "/study/0",
        "/study/x",
        f"/study/{'9' * 5000}",
        f"/result/unknown/{'9' * 5000}.png",
        "/study/1/report/x",
        "/nothing",
    ):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert answer.text.endswith(".\n")
    assert client.post("/").status_code == 405
    assert "<h1>Nothing here</h1>" in client.get("/nothing", headers={"Accept": "text/html"}).text


# Studies


def test_a_study_shows_its_leaderboard_as_it_is_now(client: httpx.Client) -> None:
    page = client.get("/study/1").text
    assert "Does a skip help?" in page
    assert page.index("srcnn/<wbr>skip") < page.index("srcnn/<wbr>vanilla")


@pytest.mark.slow
def test_a_report_is_written_when_it_is_asked_for_and_runs_its_own_script_alone(client: httpx.Client) -> None:
    report = client.get("/study/1/report")
    assert "<h1" in report.text
    policy = report.headers["content-security-policy"]
    assert re.search(r"script-src 'sha256-[^']+'", policy)
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]


def test_a_study_that_cannot_be_read_is_told_and_no_error(client: httpx.Client) -> None:
    answer = client.get("/study/2")
    assert answer.status_code == 200
    assert "The study cannot be read now" in answer.text
    report = client.get("/study/2/report")
    assert report.status_code == 503
    assert "cannot be written now" in report.text


def test_a_running_study_is_another_one_when_a_run_has_finished(tmp_path: Path) -> None:
    study = study_with_weights(tmp_path)
    (result,) = study.glob("variant0-lr0.001-seed1/result.json")
    stored = result.read_bytes()
    result.unlink()
    stamp, view = stamp_of(study), read_view(study)
    assert view.is_open
    assert dict(view.states)["running, or interrupted"] == 1
    result.write_bytes(stored)
    after = read_view(study)
    assert stamp_of(study) != stamp
    assert after.digest != view.digest
    assert not after.is_open
    assert [(choice.name, choice.is_first) for choice in after.choices] == [
        ("srcnn/vanilla", False),
        ("srcnn/skip", True),
    ]
    assert read_view(study).digest == after.digest


# From the first line to the last


def test_a_wrong_study_port_or_token_is_told_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="study"), ready([tmp_path], tell=print):
        pass
    with pytest.raises(UserError, match="at least 16 signs"), ready(token="short", tell=print):
        pass
    with (
        ready(tell=print) as other,
        pytest.raises(UserError, match="choose another --port"),
        ready(port=int(other.address.rpartition(":")[2].strip("/")), tell=print),
    ):
        pass


def test_any_other_address_than_the_machines_own_needs_a_token() -> None:
    with ready(tell=print) as server:
        assert server.address.startswith("http://127.0.0.1:")
        assert "token" not in server.address
    with ready(host="0.0.0.0", tell=print) as server:
        assert re.fullmatch(r"http://0.0.0.0:\d+/\?token=[\w-]{32}", server.address)


def test_what_a_killed_server_has_left_is_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {f"srlab-serve-{gone.pid}-a": False, f"srlab-serve-{os.getppid()}-a": True, "srlab-serve-x": True}
    for name in names:
        (tmp_path / name).mkdir()
    with ready(tell=print):
        assert {name: (tmp_path / name).exists() for name in names} == names
        assert len(list(tmp_path.glob(f"srlab-serve-{os.getpid()}-*"))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_a_terminal_that_is_closed_ends_a_server_as_sigterm_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with ready(tell=print):
            signal.raise_signal(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with ready(tell=print):  # nohup srlab serve
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGHUP, hangup)
    assert seen == [signal.SIGTERM]
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_asks_for_nothing_is_closed(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srlab.serve.running._SILENCE", 0.05)
    port = client.base_url.port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nHost: ")  # and no more
        assert silent.recv(1) == b""
    assert client.get("/").status_code == 200


def test_what_ends_by_ctrl_c_is_not_logged() -> None:
    def logged(text: str, error: BaseException) -> bool:
        found = (type(error), error, None)
        return _is_news(logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, text, (), found))

    assert not logged("Exception in ASGI application", asyncio.CancelledError())
    assert logged("Exception in ASGI application", ValueError())


def test_without_its_packages_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("srlab.cli.serve.find_spec", lambda name: None if name == "uvicorn" else name)
    monkeypatch.setattr(sys, "argv", ["srlab", "serve"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "uvicorn is missing; install them: pip install" in " ".join(capsys.readouterr().err.split())


def test_no_other_command_loads_the_servers_packages() -> None:
    code = "import sys, srlab, srlab.cli; sys.exit(bool({'starlette', 'uvicorn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_ctrl_c_ends_the_server_its_worker_and_its_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "srlab", "serve", "--port", "0", "--device", "cpu"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            _interrupt(process, tmp_path)
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []


def _interrupt(process: "subprocess.Popen[str]", folder: Path) -> None:
    """End a server by Ctrl-C once it answers; an error if it or its worker is then there."""
    assert process.stderr is not None
    line = process.stderr.readline()
    address = line.partition(" is at ")[2].partition(" ")[0]
    for _ in range(200):
        workers = psutil.Process(process.pid).children()
        if workers:
            break
        time.sleep(0.05)
    assert httpx.get(address).status_code == 200
    (results,) = folder.glob("srlab-serve-*")
    assert results.stat().st_mode & 0o077 == 0
    with socket.create_connection(("127.0.0.1", httpx.URL(address).port or 0)) as upload:
        head = "POST /upscale HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n"
        upload.sendall(f"{head}Content-Type: {FORM['Content-Type']}\r\n\r\n--b".encode())
        for _ in range(200):
            if any(results.iterdir()):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""
    assert workers
    assert psutil.wait_procs(workers, timeout=5)[1] == []
