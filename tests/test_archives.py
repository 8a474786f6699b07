"""What unpacking promises: the pictures of one folder under their bare names, and nothing else."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlab.data.archives import ALWAYS_ALLOWED, unpack_pictures
from srlab.errors import UserError


def png(value: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


Members = dict[str, bytes | tarfile.TarInfo]


def tarred(path: Path, members: Members, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_the_pictures_of_the_folder_come_out_and_nothing_else(
    tmp_path: Path, into: Path, suffix: str
) -> None:
    members = {
        "top/HR/a.png": png(1),
        "top/HR/b.JPG": png(2),
        "top/HR/readme.txt": b"words",
        "top/HR/.hidden.png": png(3),
        "__MACOSX/top/HR/._a.png": b"fork",
        "top/LR/a.png": png(4),
        "run.sh": b"rm -rf /",
        "top/HR/folder.png/": b"",
    }
    path = tmp_path / f"set.{suffix}"
    if suffix == "zip":
        zipped(path, members)
    else:
        tarred(path, dict(members), "w:" + suffix.removeprefix("tar").removeprefix("."))
    unpack_pictures(path, into, folder="top/HR")
    assert names(into) == ["a.png", "b.JPG"]
    assert (into / "a.png").read_bytes() == png(1)


def test_another_folder_is_taken_if_it_is_the_only_one_with_pictures(tmp_path: Path, into: Path) -> None:
    unpack_pictures(zipped(tmp_path / "a.zip", {"Other/a.png": png()}), into, folder="T91")
    assert names(into) == ["a.png"]


def test_paths_of_old_windows_programs_are_understood(tmp_path: Path, into: Path) -> None:
    unpack_pictures(zipped(tmp_path / "a.zip", {"T91\\a.png": png(), "x\\b.png": png()}), into, folder="T91")
    assert names(into) == ["a.png"]


def test_an_archive_without_the_folder_names_those_it_has(tmp_path: Path, into: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"x/a.png": png(), "y/a.png": png()})
    with pytest.raises(UserError, match=r"a\.zip has no folder HR of pictures; folders with pictures: x, y"):
        unpack_pictures(path, into, folder="HR")


@pytest.mark.parametrize("name", ["../a.png", "HR/../../a.png", "/etc/a.png", "..\\a.png", "C:a.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_that_leads_outside_is_refused(tmp_path: Path, into: Path, name: str, kind: str) -> None:
    members = {"HR/good.png": png(), name: png()}
    pack = zipped if kind == "zip" else tarred
    path = pack(tmp_path / f"a.{kind}", dict(members))
    with pytest.raises(UserError, match="a path that leads outside"):
        unpack_pictures(path, into, folder="HR")
    assert names(tmp_path) == sorted(["into", path.name])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_device_in_place_of_a_picture_is_refused(tmp_path: Path, into: Path, kind: bytes) -> None:
    path = tarred(tmp_path / "a.tar", {"a": special("HR/a.png", kind, "/etc/passwd")})
    with pytest.raises(UserError, match="a link or device where a picture was expected"):
        unpack_pictures(path, into, folder="HR")
    assert names(into) == []


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path: Path, into: Path) -> None:
    info = zipfile.ZipInfo("HR/a.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UserError, match="a link or device where a picture was expected"):
        unpack_pictures(tmp_path / "a.zip", into, folder="HR")


def test_links_elsewhere_in_the_archive_are_left_out(tmp_path: Path, into: Path) -> None:
    members: Members = {"HR/a.png": png(), "l": special("link", tarfile.SYMTYPE, "HR")}
    unpack_pictures(tarred(tmp_path / "a.tar", members), into, folder="HR")
    assert names(into) == ["a.png"]


def test_a_name_that_comes_twice_is_refused(tmp_path: Path, into: Path) -> None:
    members = {"HR/a.png": png(), "./HR/a.png": png(1)}
    with pytest.raises(UserError, match="twice"):
        unpack_pictures(tarred(tmp_path / "a.tar", dict(members)), into, folder="HR")


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, into: Path) -> None:
    zeros = bytes(2**20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(ALWAYS_ALLOWED // 2**20 + 20):
            archive.writestr(f"HR/{number}.png", zeros)
    with pytest.raises(UserError, match="far more than its pictures need"):
        unpack_pictures(tmp_path / "a.zip", into, folder="HR")
    assert names(into) == []


def test_damage_of_any_kind_is_an_error_that_names_the_archive(tmp_path: Path, into: Path) -> None:
    noise = {"HR/a.png": png() + np.random.default_rng(0).bytes(50_000)}
    whole = tarred(tmp_path / "whole.tgz", dict(noise)).read_bytes()
    spoilt_zip = bytearray(zipped(tmp_path / "whole.zip", noise).read_bytes())
    spoilt_zip[200] ^= 255
    for name, content in {
        "cut.tgz": whole[: len(whole) // 2],
        "crc.tgz": whole[:-8] + bytes(8),
        "spoilt.zip": bytes(spoilt_zip),
        "cut.zip": bytes(spoilt_zip[:1000]),
        "empty.zip": b"",
        "words.zip": b"these are only words",
        "nothing.gz": gzip.compress(b"nothing"),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            unpack_pictures(tmp_path / name, into, folder="HR")
        for path in into.iterdir():
            path.unlink()


def test_a_web_page_named_zip_is_called_one(tmp_path: Path, into: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"\n<!DOCTYPE html><html>Please accept our cookies</html>")
    with pytest.raises(UserError, match="neither a zip nor a tar archive, but a web page"):
        unpack_pictures(tmp_path / "a.zip", into, folder="HR")
