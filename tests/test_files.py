"""What writing a file promises: it is whole or as it was, nothing else is touched, and nothing is left."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from srlab.errors import UserError
from srlab.files import check_output, remove, write_atomically, write_text

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and devices")


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    write_text(path, "before")

    def fail(part: Path) -> None:
        part.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_holds_it_already_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    write_text(path, "values\n")
    before = path.stat()
    write_text(path, "values\n")
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    write_text(path, "others\n")
    assert path.read_bytes() == b"others\n"


def test_a_file_of_the_user_that_ends_in_part_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "values.csv.part"
    own.write_text("mine")
    write_text(tmp_path / "values.csv", "theirs")
    assert own.read_text() == "mine"


def test_what_a_killed_process_left_is_removed_by_the_next_one_and_no_more(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        f".values.csv.{dead.pid}.part": False,
        f".values.csv.{os.getpid()}.part": False,  # of a process that had our number, as in a container
        f".values.csv.{os.getppid()}.part": True,  # which is at work
        f".others.csv.{dead.pid}.part": True,
        ".values.csv.mine.part": True,
    }
    for name in names:
        (tmp_path / name).write_text("half")
    write_text(tmp_path / "values.csv", "whole")
    assert {name: (tmp_path / name).exists() for name in names} == names
    assert (tmp_path / "values.csv").read_text() == "whole"


@posix
def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    there = tmp_path / "there" / "values.csv"
    write_text(there, "before")
    link = tmp_path / "link.csv"
    link.symlink_to(there)
    write_text(link, "after")
    assert link.is_symlink()
    assert there.read_text() == "after"
    assert list(there.parent.iterdir()) == [there]


@posix
def test_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text(pipe, "values")
    reader.join(timeout=20)
    assert found == ["values"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@posix
def test_standard_output_is_written_in_its_place_wherever_it_goes(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from srlab.files import write_text\n"
        "print('one'); write_text(Path('/dev/stdout'), 'two\\n'); print('three')"
    )
    with (tmp_path / "out.txt").open("w") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out.txt").read_text() == "one\ntwo\nthree\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.txt"]


@posix
def test_what_the_system_refuses_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "values")
    (tmp_path / "loop").symlink_to("loop")
    for name in (".", 300 * "a", "file/below", "loop"):
        path = tmp_path / name
        with pytest.raises(OSError, match=r".") as caught:
            write_text(path, "values")
        assert caught.value.filename == str(path)


@posix
def test_a_name_as_long_as_the_system_takes_is_written_and_its_leftovers_are_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (255 * "a", 127 * "é"):  # the file beside would have a longer name
        path = tmp_path / name

        def fail_as_killed(part: Path) -> None:
            part.rename(part.with_name(part.name.replace(str(os.getpid()), str(dead.pid))))
            raise OSError("killed")

        with pytest.raises(OSError, match="killed"):
            write_atomically(path, fail_as_killed)
        assert len(list(tmp_path.iterdir())) == 1
        write_text(path, "values")
        assert list(tmp_path.iterdir()) == [path]
        path.unlink()


@posix
def test_what_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "values")
    (tmp_path / "loop").symlink_to("loop")

    def work(_: Path) -> None:
        raise AssertionError("this takes an hour")

    for name in (300 * "a", "file/below", "loop"):
        with pytest.raises(OSError, match=r"too long|Not a directory|Too many levels"):
            write_atomically(tmp_path / name, work)


def test_only_a_file_with_a_fitting_suffix_can_be_an_output(tmp_path: Path) -> None:
    for name in ("a.csv", "A.CSV"):
        check_output(tmp_path / name, ".csv", what="a table")
    for name in ("study.json", "weights.safetensors", "photo.png", "csv", ".csv", "a.csv.gz"):
        with pytest.raises(UserError, match=r"the file for a table must end in \.csv; .* does not"):
            check_output(tmp_path / name, ".csv", what="a table")
    with pytest.raises(UserError, match=r"is a folder; name a file for a table, such as .*name\.csv"):
        check_output(tmp_path, ".csv", what="a table")


@posix
def test_an_output_may_be_a_stream_and_a_link_counts_as_what_it_leads_to(tmp_path: Path) -> None:
    for stream in ("/dev/null", "/dev/stdout"):
        check_output(Path(stream), ".csv", what="a table")
    (tmp_path / "good.csv").symlink_to(tmp_path / "a.csv")
    check_output(tmp_path / "good.csv", ".csv", what="a table")
    (tmp_path / "study.json").write_text("{}")
    (tmp_path / "bad.csv").symlink_to(tmp_path / "study.json")
    with pytest.raises(UserError, match=r"bad\.csv is a link to .*study\.json"):
        check_output(tmp_path / "bad.csv", ".csv", what="a table")


def test_what_a_killed_process_left_goes_with_the_file_that_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leftover = tmp_path / f".failure.txt.{dead.pid}.part"
    leftover.write_text("half")
    remove(tmp_path / "failure.txt")
    assert not leftover.exists()
    remove(tmp_path / "nothing" / "failure.txt")
