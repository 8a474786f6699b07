"""Taking the pictures out of a zip or tar archive that somebody else made, without trusting it.

Nothing of the archive's own paths, owners, modes or links reaches the disk: the plain picture files of one of
its folders are copied, each under its bare name. An archive is refused if it has a path that leads outside, a
link in place of a picture, or far more bytes than its pictures could have.
"""

import errno
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from srlab.errors import UserError
from srlab.pixels.images import SUFFIXES

MOST_MEMBERS = 200_000
MOST_TIMES_LARGER = 20  # BMP packs well, but not better than this
ALWAYS_ALLOWED = 100 * 2**20  # bytes
MOST_NAME = 255  # bytes of a file's name
_CHUNK = 2**20
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    gzip.BadGzipFile,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # zip: a password is needed
    NotImplementedError,  # zip: a compression that Python does not have
    ValueError,
)


@dataclass(frozen=True, kw_only=True)
class _Member:
    path: PurePosixPath
    size: int  # as declared
    is_folder: bool
    is_plain: bool  # a file with bytes of its own: no link or device
    open: Callable[[], IO[bytes] | None]


def unpack_pictures(archive: Path, into: Path, *, folder: str) -> list[Path]:
    """Copy the pictures directly in the archive's `folder` ("" for its root) to `into`, and return their
    paths.

    If the archive has no such folder, but all its pictures lie in one other folder, they are taken from
    there. `into` exists and is empty; after an error it may hold some of the files. A file that is no
    archive, is damaged, hostile, or holds no pictures is a `UserError`.
    """
    most_bytes = _most_bytes(archive)
    with _members(archive) as members:
        by_folder: dict[PurePosixPath, list[_Member]] = {}
        declared = 0
        for count, member in enumerate(members, 1):
            declared += member.size
            if count > MOST_MEMBERS or declared > most_bytes:
                raise UserError(
                    f"{archive.name} would unpack to more than {MOST_MEMBERS} files or {most_bytes:,} "
                    "bytes, far more than its pictures need; it was not unpacked"
                )
            if member.path.is_absolute() or ".." in member.path.parts or ":" in str(member.path):
                raise UserError(
                    f"{archive.name} has a path that leads outside the archive: {member.path}; it was not "
                    "unpacked"
                )
            if not member.is_folder and _is_picture(member.path):
                by_folder.setdefault(member.path.parent, []).append(member)
        chosen = _chosen(archive, by_folder, PurePosixPath(folder))
        return _copy(archive, chosen, into, most_bytes=most_bytes)


def is_disk_full(error: BaseException) -> bool:
    """Whether the disk has no room, or the user may not write more: no fault of an archive."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
    return isinstance(error, OSError) and error.errno in full


def _chosen(
    archive: Path, by_folder: dict[PurePosixPath, list[_Member]], folder: PurePosixPath
) -> list[_Member]:
    if folder in by_folder:
        return by_folder[folder]
    if len(by_folder) == 1:
        return next(iter(by_folder.values()))
    found = ", ".join(sorted(map(str, by_folder))[:8]) or "none"
    raise UserError(f"{archive.name} has no folder {folder} of pictures; folders with pictures: {found}")


def _copy(archive: Path, members: list[_Member], into: Path, *, most_bytes: int) -> list[Path]:
    paths: list[Path] = []
    written = 0
    for member in members:
        if len(member.path.name.encode(errors="surrogateescape")) > MOST_NAME:
            raise UserError(
                f"{archive.name} has a file whose name is longer than {MOST_NAME} bytes "
                f"({member.path.name[:40]}...); it was not unpacked"
            )
        path = into / member.path.name
        source = member.open() if member.is_plain else None
        if source is None:
            raise UserError(
                f"{archive.name} holds a link or device where a picture was expected: {member.path}"
            )
        if path.exists():
            raise UserError(f"{archive.name} holds {member.path} twice; it was not unpacked")
        with source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > most_bytes:
                    raise UserError(
                        f"{archive.name} unpacks to more than {most_bytes:,} bytes, more than it declares; "
                        "it was not unpacked"
                    )
                target.write(chunk)
        paths.append(path)
    return paths


def _is_picture(path: PurePosixPath) -> bool:
    """Whether it is a picture, and not a file that macOS and others hide beside pictures."""
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in SUFFIXES and not hidden


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    """The archive's members, readable while open; whatever damage makes Python raise, as a `UserError`."""
    try:
        if _start(archive).startswith(b"PK"):
            with zipfile.ZipFile(archive) as opened:
                yield _zip_members(opened)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as packed:
                yield _tar_members(packed)
                _read_to_the_end(packed, archive)
        else:
            raise UserError(f"{archive.name} is neither a zip nor a tar archive{_what_instead(archive)}")
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError(f"{archive.name} is damaged or locked: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise UserError(f"{archive.name} is damaged: {error}") from error  # bz2 says so without a number


def _what_instead(archive: Path) -> str:
    is_page = _start(archive).lstrip().lower().startswith((b"<!doctype", b"<html"))
    return ", but a web page" if is_page else ""


def _read_to_the_end(packed: tarfile.TarFile, archive: Path) -> None:
    """gzip, bz2 and xz have their checksums at the end, which nothing before has reached."""
    left = _most_bytes(archive)
    while packed.fileobj is not None and (chunk := packed.fileobj.read(_CHUNK)):
        left -= len(chunk)
        if left < 0:
            raise UserError(f"{archive.name} has much data after its last file; it was not unpacked")


def _most_bytes(archive: Path) -> int:
    return archive.stat().st_size * MOST_TIMES_LARGER + ALWAYS_ALLOWED


def _path(name: str) -> PurePosixPath:
    """Old Windows programs wrote backslashes; left alone, they would lead elsewhere when unpacked there."""
    return PurePosixPath(name.replace("\\", "/"))


def _start(archive: Path) -> bytes:
    with archive.open("rb") as file:
        return file.read(512)


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        yield _Member(
            path=_path(info.filename),
            size=info.file_size,
            is_folder=info.is_dir(),
            is_plain=kind in (0, stat.S_IFREG),
            open=lambda info=info: archive.open(info),  # type: ignore[misc]
        )


def _tar_members(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        yield _Member(
            path=_path(info.name),
            size=info.size,
            is_folder=info.isdir(),
            is_plain=info.isreg(),
            open=lambda info=info: archive.extractfile(info),  # type: ignore[misc]
        )
