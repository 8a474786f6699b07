"""What putting a data set in its place promises: it is there whole, checked and on record, or not at all."""

import errno
import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from badserver import Answer, Server, running
from srlab.data import library
from srlab.data.archives import unpack_pictures
from srlab.data.catalogue import CATALOGUE, Entry, Mirror, is_present
from srlab.data.download import Patience
from srlab.errors import UserError
from srlab.folder.store import locked

QUICK = Patience(connect=2, stall=0.3, attempts=2, pause=0.001)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as state:
        yield state


def pixels(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (20, 20, 3), np.uint8)


def archive(count: int = 3, more: tuple[str, bytes] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for n in range(count):
            picture = io.BytesIO()
            Image.fromarray(pixels(n)).save(picture, "PNG")
            packed.writestr(f"Tiny/{n}.png", picture.getvalue())
        if more is not None:
            packed.writestr(*more)
    return buffer.getvalue()


GOOD = Answer(content=archive())


@pytest.fixture
def tiny(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A set of three images at two addresses of the local server."""
    mirrors = tuple(Mirror(url=f"{server.url}/{n}/tiny.zip", folder="Tiny", size=5_000) for n in (1, 2))
    entry = Entry(name="tiny", about="", num_images=3, terms="", homepage="", mirrors=mirrors)
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    return "tiny"


def get(server: Server, name: str, *answers: Answer) -> list[str]:
    said: list[str] = []
    server.answers = list(answers)
    library.get(name, report=said.append, patience=QUICK)
    return said


def visible(data: Path) -> list[str]:
    return sorted(path.name for path in data.iterdir() if path.name != ".downloads") if data.exists() else []


def folder(path: Path, count: int = 5, *, first: int = 0) -> Path:
    path.mkdir(parents=True)
    for n in range(first, first + count):
        Image.fromarray(pixels(n)).save(path / f"{n}.png")
    return path


def test_a_fetched_set_is_in_its_place_with_a_record_of_where_it_came_from(
    server: Server, tiny: str, data: Path
) -> None:
    said = get(server, tiny, GOOD)
    assert sorted(path.name for path in (data / "tiny").iterdir()) == [
        "0.png",
        "1.png",
        "2.png",
        "about.json",
    ]
    about = json.loads((data / "tiny" / "about.json").read_text())
    assert about["url"].endswith("/1/tiny.zip")
    assert about["images"] == 3
    assert about["verified"] is None
    assert any(
        "not verified, because no checksum was published" in words and about["sha256"] in words
        for words in said
    )
    assert list((data / ".downloads").glob("**/*.zip*")) == []


def test_a_published_checksum_is_held_against_the_file_and_recorded(
    server: Server, tiny: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = hashlib.md5(GOOD.content).hexdigest()
    mirror = Mirror(url=f"{server.url}/t.zip", folder="Tiny", checksum=f"md5:{md5}", checksum_from="Someone")
    entry = Entry(name="tiny", about="", num_images=3, terms="", homepage="", mirrors=(mirror,))
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    with pytest.raises(UserError, match="its md5 is"):
        get(server, tiny, Answer(content=archive(4)))
    assert visible(data) == []
    get(server, tiny, GOOD)
    assert (
        json.loads((data / "tiny" / "about.json").read_text())["verified"]
        == f"md5:{md5} as published by Someone"
    )


def test_a_set_that_is_there_is_not_fetched_again(server: Server, tiny: str) -> None:
    get(server, tiny, GOOD)
    assert get(server, tiny, GOOD)[0].startswith("tiny is already there")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "bad",
    [
        Answer(status=404),
        Answer(content=b"<!doctype html>", content_type="text/html"),
        Answer(content=b"<html>a page that calls itself an archive</html>"),
        Answer(content=archive(2)),
        Answer(content=archive(2, ("Tiny/bad.png", b"words"))),
        Answer(content=archive(2, ("../evil.png", b"words"))),
        Answer(content=archive(2, (f"Tiny/{'x' * 260}.png", b"words"))),
        Answer(content=GOOD.content[:-200]),
        Answer(content=GOOD.content, has_length=False, is_endless=True),
    ],
    ids=[
        "gone",
        "page",
        "disguised page",
        "too few",
        "no picture",
        "escaping path",
        "name too long",
        "cut short",
        "endless",
    ],
)
def test_the_next_mirror_is_asked_when_one_has_something_else(
    server: Server, tiny: str, data: Path, bad: Answer
) -> None:
    get(server, tiny, bad, GOOD)
    assert visible(data) == ["tiny"]
    assert json.loads((data / "tiny" / "about.json").read_text())["url"].endswith("/2/tiny.zip")


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENAMETOOLONG, "File name too long"), OSError(errno.EINVAL, "Invalid"), KeyError("x")],
)
def test_whatever_an_archive_does_the_next_mirror_is_asked(
    server: Server, tiny: str, data: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    unpack, asked = unpack_pictures, []

    def fail_once(*words: Any, **more: Any) -> Any:
        asked.append(words)
        if len(asked) == 1:
            raise error
        return unpack(*words, **more)

    monkeypatch.setattr(library, "unpack_pictures", fail_once)
    get(server, tiny, GOOD)
    assert json.loads((data / "tiny" / "about.json").read_text())["url"].endswith("/2/tiny.zip")


def test_an_archive_is_kept_when_the_disk_is_full(
    server: Server, tiny: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(library, "unpack_pictures", full)
        with pytest.raises(UserError, match="No space left on device"):
            get(server, tiny, GOOD)
    assert len(list((data / ".downloads").glob("**/*.zip"))) == 1
    get(server, tiny, GOOD)
    assert len(server.requests) == 1


def test_an_archive_that_was_no_good_is_not_kept_for_the_next_time(
    server: Server, tiny: str, data: Path
) -> None:
    with pytest.raises(UserError, match="has 2; "):
        get(server, tiny, Answer(content=archive(2)))
    get(server, tiny, GOOD)
    assert visible(data) == ["tiny"]


def test_when_no_mirror_has_it_the_error_says_what_each_did_and_nothing_is_left(
    server: Server, tiny: str, data: Path
) -> None:
    with pytest.raises(UserError, match=r"404.*; .*500.*`srlab data add tiny FOLDER`"):
        get(server, tiny, Answer(status=404), Answer(status=500))
    assert visible(data) == []
    assert not is_present(tiny)


def test_a_set_that_has_to_be_asked_for_says_where() -> None:
    with pytest.raises(UserError, match=r"manga109 .* ask for it at http\S+manga109"):
        library.get("manga109", report=print)


def test_sample_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert library.get("sample", report=print) == []
    assert "nothing to fetch" in capsys.readouterr().out


def test_the_parts_of_a_set_are_fetched_each(data: Path) -> None:
    for name in ("t91", "bsds200"):
        (data / name).mkdir(parents=True)
    assert library.get("291", report=print) == [data / "t91", data / "bsds200"]


def test_a_process_killed_in_a_download_leaves_no_set_and_the_next_goes_on(
    server: Server, tiny: str, data: Path
) -> None:
    half = len(GOOD.content) // 2
    server.answers = [Answer(content=GOOD.content, stall_after=half), GOOD]
    code = (
        "import sys; from srlab.data import library; "
        "from srlab.data.catalogue import CATALOGUE, Entry, Mirror; "
        "m = Mirror(url=sys.argv[1], folder='Tiny'); "
        "CATALOGUE['tiny'] = Entry("
        "name='tiny', about='', num_images=3, terms='', homepage='', mirrors=(m,)); "
        "library.get('tiny', report=print)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, CATALOGUE[tiny].mirrors[0].url], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while not any(path.stat().st_size == half for path in data.glob(".downloads/tiny/*.part")):
        assert time.monotonic() < deadline, "the download did not start"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not is_present(tiny)
    (data / ".incoming-tiny").mkdir()  # as if it had been killed while unpacking
    library.get(tiny, report=print, patience=QUICK)
    assert visible(data) == ["tiny"]
    assert server.ranges == [None, f"bytes={half}-"]


def test_two_processes_do_not_work_on_one_set(server: Server, tiny: str, data: Path) -> None:
    with (
        locked(data / ".downloads" / "tiny.lock", busy=""),
        pytest.raises(UserError, match="another srlab process is fetching or adding tiny"),
    ):
        get(server, tiny, GOOD)


def test_a_copy_is_added_and_the_original_left_alone(tmp_path: Path, data: Path) -> None:
    source = folder(tmp_path / "mine")
    before = sorted(source.iterdir())
    assert library.add("set5", source, report=print) == data / "set5"
    assert sorted(path.name for path in (data / "set5").glob("*.png")) == [path.name for path in before]
    assert sorted(source.iterdir()) == before
    assert is_present("set5")


def test_a_folder_with_hr_beside_lr_stands_for_its_hr(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(tmp_path / "Set5" / "HR")
    folder(tmp_path / "Set5" / "LR_x2", first=10)
    library.add("set5", tmp_path / "Set5", report=print)
    assert "using the pictures in" in capsys.readouterr().out
    assert (data / "set5" / "0.png").exists()


def test_adding_the_same_again_is_fine_and_another_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library.add("set5", folder(tmp_path / "mine"), report=print)
    library.add("set5", tmp_path / "mine", report=print)
    assert "with the same pictures" in capsys.readouterr().out
    with pytest.raises(UserError, match="set5 is already there with other pictures"):
        library.add("set5", folder(tmp_path / "other", first=50), report=print)


def test_a_folder_that_does_not_hold_the_set_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UserError, match=r"set5 has 5 images, but \S+ has 4"):
        library.add("set5", folder(tmp_path / "four", 4), report=print)
    (folder(tmp_path / "words", 4) / "9.png").write_text("these are words")
    with pytest.raises(UserError, match=r"9\.png"):
        library.add("set5", tmp_path / "words", report=print)
    with pytest.raises(UserError, match="does not exist"):
        library.add("set5", tmp_path / "nowhere", report=print)
    for name in ("291", "sample", "unknown"):
        with pytest.raises(UserError):
            library.add(name, tmp_path / "four", report=print)
    assert visible(data) == []


def test_a_disk_that_fills_up_leaves_nothing(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "mine")
    copied: list[Path] = []

    def full(origin: Path, target: Path) -> None:
        if len(copied) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        copied.append(target)
        Path(target).write_bytes(Path(origin).read_bytes())

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(
        UserError, match=r"set5 could not be stored in .*: No space left on device .*no part of it"
    ):
        library.add("set5", source, report=print)
    assert len(copied) == 3
    assert visible(data) == []


def test_the_parts_of_a_set_are_fetched_with_the_same_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def note(*_: object, patience: Patience | None, **__: object) -> None:
        asked.append(patience)

    monkeypatch.setattr(library, "_get_from_mirrors", note)
    library.get("291", report=lambda _: None, patience=QUICK)
    assert asked == [QUICK, QUICK]
