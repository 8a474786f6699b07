"""Putting data sets of the catalogue where they belong: from the internet, or from a copy that one already
has.

A set is there whole or not at all: it is put together in a hidden folder beside its place, every file of it
is read as a picture and counted, and then the folder is renamed. Beside the pictures lies ``about.json``,
which says where they came from and what was verified.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from srlab.data.archives import is_disk_full, unpack_pictures
from srlab.data.catalogue import Entry, Mirror, data_folder, entry, is_present, set_folder
from srlab.data.datasets import SetImage, picture_folder, read_images
from srlab.data.download import DownloadError, Patience, Progress, download
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.folder.store import locked, now, save_json
from srlab.pixels.images import list_images

ABOUT = "about.json"
Report = Callable[[str], None]


def get(
    name: str, *, report: Report, progress: Progress | None = None, patience: Patience | None = None
) -> list[Path]:
    """Fetch a set of the catalogue, or all parts of it, and return the folders; nothing is done where it is
    there.

    `report` is told in words what happens. Mirrors are tried in turn; when none has it, the `UserError` says
    what each one did. A download that was interrupted continues where it stopped.
    """
    known = entry(name)
    if known.parts:
        return [
            folder
            for part in known.parts
            for folder in get(part, report=report, progress=progress, patience=patience)
        ]
    if name == "sample":
        report("sample comes with scikit-image, so there is nothing to fetch")
        return []
    folder = set_folder(name)
    if is_present(name):
        report(f"{name} is already there: {folder}")
        return [folder]
    if not known.mirrors:
        raise UserError(
            f"{name} can only be had on request ({known.terms}): ask for it at {known.homepage}, then add "
            f"your copy with `srlab data add {name} FOLDER`"
        )
    with _changing(name):
        if not is_present(name):  # it may have come while we waited
            _get_from_mirrors(known, folder, report=report, progress=progress, patience=patience)
    return [folder]


def add(name: str, source: Path, *, report: Report) -> Path:
    """Copy `source`, a folder with the pictures of a set of the catalogue, to its place; return that folder.

    `source` itself is left as it is. If a folder holds ``HR`` beside LR pictures, its ``HR`` is taken. A
    `UserError` if a file is no plain picture, if there are not as many as the set has, or if other pictures
    are there under this name.
    """
    known = entry(name)
    if known.parts or name == "sample":
        parts = (
            (f"consists of {' and '.join(known.parts)}: add those")
            if known.parts
            else "comes with scikit-image"
        )
        raise UserError(f"{name} {parts}")
    if not source.is_dir():
        raise UserError(f"the folder {source} {'is a file' if source.exists() else 'does not exist'}")
    if picture_folder(source) != source:
        source = picture_folder(source)
        report(f"using the pictures in {source}")
    files = list_images(source)
    images = _checked(known, files, where=str(source))
    with _changing(name):
        folder = set_folder(name)
        if is_present(name):
            if _content(read_images(name, list_images(folder))) != _content(images):
                raise UserError(
                    f"{name} is already there with other pictures: {folder}; to replace it, move that "
                    "folder away first"
                )
            report(f"{name} is already there, with the same pictures: {folder}")
            return folder
        with _incoming(name) as incoming:
            for path in files:
                shutil.copyfile(path, incoming / path.name)
            _settle(incoming, folder, images, {"added": now()})
    report(f"added {name}, {len(images)} images: {folder}")
    return folder


def _get_from_mirrors(
    known: Entry, folder: Path, *, report: Report, progress: Progress | None, patience: Patience | None
) -> None:
    archives = _downloads() / known.name
    problems = []
    for mirror in known.mirrors:
        report(f"fetching {known.name} from {mirror.url}")
        try:
            _get_from(mirror, known, folder, archives, report=report, progress=progress, patience=patience)
        except DownloadError as error:
            problems.append(f"{urlsplit(mirror.url).hostname}: {error.why}")
            report(str(error))
            continue
        shutil.rmtree(archives, ignore_errors=True)
        return
    raise UserError(
        f"{known.name} could not be fetched ({'; '.join(problems)}); try again later, or add your own copy "
        f"with `srlab data add {known.name} FOLDER`"
    )


def _get_from(
    mirror: Mirror,
    known: Entry,
    folder: Path,
    archives: Path,
    *,
    report: Report,
    progress: Progress | None,
    patience: Patience | None,
) -> None:
    # Two mirrors may give one name to two files.
    key = hashlib.sha256(mirror.url.encode()).hexdigest()[:8]
    archive = archives / f"{key}-{PurePosixPath(urlsplit(mirror.url).path).name}"
    if archive.exists():
        sha256 = sha256_of(archive)  # broken off while it was unpacked
    else:
        sha256 = download(
            mirror.url,
            archive,
            checksum=mirror.checksum,
            most_bytes=mirror.most_bytes,
            progress=progress,
            patience=patience,
        )
    verified = f"{mirror.checksum} as published by {mirror.checksum_from}" if mirror.checksum else None
    report(
        f"verified: {verified}"
        if verified
        else f"not verified, because no checksum was published; sha256 {sha256}"
    )
    with _incoming(known.name) as incoming:
        try:
            files = unpack_pictures(archive, incoming, folder=mirror.folder)
            images = _checked(known, sorted(files, key=lambda path: path.name), where=mirror.url)
        except Exception as error:
            # Whatever it is, the archive would do it again next time. On a full disk it is not to blame.
            if is_disk_full(error):
                raise
            archive.unlink(missing_ok=True)
            why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            raise DownloadError(mirror.url, why) from error
        about = {"url": mirror.url, "sha256": sha256, "verified": verified, "fetched": now()}
        _settle(incoming, folder, images, about)
    report(f"got {known.name}, {len(images)} images: {folder}")


def _checked(known: Entry, files: list[Path], *, where: str) -> tuple[SetImage, ...]:
    """The files read as pictures, as many as the set has."""
    if len(files) != known.num_images:
        raise UserError(
            f"{known.name} has {known.num_images} images, but {where} has {len(files)}; name a folder with "
            "exactly those images (you can also use any folder by its path, without adding it)"
        )
    return read_images(known.name, files)


def _content(images: tuple[SetImage, ...]) -> list[tuple[str, str]]:
    return sorted((image.name, image.sha256) for image in images)


def _settle(incoming: Path, folder: Path, images: tuple[SetImage, ...], about: dict[str, Any]) -> None:
    hashes = {image.name: image.sha256 for image in images}
    save_json(incoming / ABOUT, {"images": len(images), **about, "pixels_sha256": hashes})
    incoming.replace(folder)


def _downloads() -> Path:
    return data_folder() / ".downloads"


@contextmanager
def _changing(name: str) -> Iterator[None]:
    """Let no other process change this set meanwhile."""
    busy = f"another srlab process is fetching or adding {name}; wait until it ends"
    with locked(_downloads() / f"{name}.lock", busy=busy):
        yield


@contextmanager
def _incoming(name: str) -> Iterator[Path]:
    """A hidden folder beside the set's place, gone afterwards unless it was renamed."""
    incoming = data_folder() / f".incoming-{name}"
    shutil.rmtree(incoming, ignore_errors=True)  # of a process that was killed
    incoming.mkdir(parents=True)
    try:
        yield incoming
    except OSError as error:
        name_of = error.filename2 or error.filename or incoming
        raise UserError(
            f"{name} could not be stored in {data_folder()}: {error.strerror or error} ({name_of}); no "
            "part of it was left there"
        ) from error
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
