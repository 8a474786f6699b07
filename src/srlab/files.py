"""Files written whole or not at all, and the names that a user gives them. Needs no torch."""

import contextlib
import errno
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from srlab.errors import UserError, naming

_LONG_NAME = 100  # bytes; most file systems take 255
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}  # opened anew, a file behind them would be written over


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a file beside `path`, then rename it, so that no reader sees half a file.

    The bytes are on the disk before the name is: after a power cut, too, the file is whole or not there. If
    `write` fails, `path` is as it was and nothing is left beside it; what a killed process left there, the
    next one removes. A link is followed, a device or a pipe is written into. An `OSError` names `path`.
    """
    if is_stream(path):
        _write_into(path, write)
        return
    with naming(path), contextlib.suppress(FileNotFoundError):
        path.stat()  # before the work: a name that is too long, a link to itself, a file for a folder
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    start, end = _partial_name(target)
    partial = target.with_name(f"{start}{os.getpid()}{end}")
    with naming(path, beside=partial):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        partial.open("xb").close()
        try:
            write(partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def remove(path: Path) -> None:
    """Remove the file at `path`, if there is one, and what killed processes have left of writing it."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        _remove_leftovers(path)


def write_bytes(path: Path, content: bytes) -> None:
    """`content`, whole or not at all; a file that holds it already is left as it is, also on a full disk."""
    if not (path.is_file() and not is_stream(path) and path.read_bytes() == content):
        write_atomically(path, lambda part: part.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """`text` as UTF-8, as `write_bytes` does it."""
    write_bytes(path, text.encode())


def is_stream(path: Path) -> bool:
    """Whether `path` is a device, a pipe or a standard stream: it is written into, never replaced."""
    return str(path) in _STANDARD or (path.exists() and not path.is_file() and not path.is_dir())


def check_output(path: Path, *suffixes: str, what: str) -> None:
    """Raise `UserError` if `what` cannot go to `path`: a folder, or a file with none of `suffixes`.

    So no option writes over a study's own files. A link counts as what it leads to; a stream may have any
    name.
    """
    if is_stream(path):
        return
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file for {what}, such as {path / f'name{suffixes[0]}'}")
    target = Path(os.path.realpath(path))
    wanted = " or ".join(suffixes)
    if path.suffix.lower() not in suffixes:
        raise UserError(f"the file for {what} must end in {wanted}; {path} does not")
    if target.suffix.lower() not in suffixes:
        raise UserError(
            f"the file for {what} must end in {wanted}, and {path} is a link to {target}; give another name"
        )


def _write_into(path: Path, write: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        write(whole)
        content = whole.read_bytes()
    number = _STANDARD.get(str(path))
    if number is not None:
        sys.stdout.flush()
        sys.stderr.flush()
    with naming(path), open(path if number is None else number, "ab", closefd=number is None) as stream:
        stream.write(content)


def _partial_name(target: Path) -> tuple[str, str]:
    """What stands before and after the process's number in the name of the file beside `target`.

    A long name would be too long with the number, so its hash takes its place.
    """
    name = target.name
    if len(os.fsencode(name)) > _LONG_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return f".{name}.", ".part"


def _remove_leftovers(target: Path) -> None:
    """Remove what processes that are no more have left of writing `target`."""
    start, end = _partial_name(target)
    for path in target.parent.iterdir():
        is_partial = path.name.startswith(start) and path.name.endswith(end)
        number = path.name[len(start) : -len(end)] if is_partial else ""
        # This process writes one file at a time.
        if number.isdecimal() and (int(number) == os.getpid() or not is_at_work(int(number))):
            with contextlib.suppress(OSError):
                path.unlink()


def is_at_work(process: int) -> bool:
    """Whether a process has this id."""
    if sys.platform == "win32":  # there is no asking there without ending it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
