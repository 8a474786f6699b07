"""Why a file is no picture that srlab reads, and whether a picture's file is there to its end.

Pillow stops reading when it has the pixels. So it does not notice that the end of a PNG or a GIF is missing.
"""

import os
import warnings
from pathlib import Path
from typing import BinaryIO

from PIL import TiffImagePlugin

from srlab.words import plural

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLORS, _CHANNELS, _KIND = 256, 257, 258, 259, 262, 277, 339


class DamagedError(Exception):
    """What is wrong with a file, in words that follow a colon."""


def check_end(file: BinaryIO, format_: str | None) -> None:
    """Raise a `DamagedError` where a PNG or a GIF is not whole. `format_` is Pillow's name; others pass."""
    if format_ == "PNG":
        _check_png(file)
    elif format_ == "GIF":
        _check_gif(file)


def damaged(path: Path, what: str) -> str:
    """The message for a damaged file."""
    return f"{path} is damaged or cut short: {what}; get the file again, or save the picture anew"


def begins_as_picture(start: bytes) -> bool:
    """Whether a file that begins with these 16 bytes says that it is a picture, of a known format."""
    return _kind(start) is not None


def no_picture(path: Path, start: bytes, formats: tuple[str, ...]) -> str:
    """Why a file that starts with `start` is not a picture in one of Pillow's `formats`."""
    kind = _kind(start)
    if kind in ("GIF", "AVIF", "HEIC") and "GIF" not in formats:
        return f"{path} is {kind}; for training and scoring, give PNG, JPEG, WebP, TIFF or BMP"
    if kind == "HEIC" and "HEIF" not in formats:
        return (
            f"{path} is HEIC; reading it needs the package pillow-heif; install it: pip install pillow-heif"
        )
    if kind == "AVIF" and "AVIF" not in formats:
        return (
            f"{path} is AVIF, which this version of Pillow cannot read; install a newer one: pip install "
            "-U pillow"
        )
    if kind == "TIFF":
        return _no_tiff(path)
    if kind is not None:
        return damaged(path, f"it begins as {kind}, but no picture follows")
    read = (
        "PNG, JPEG, WebP, TIFF or BMP"
        if "GIF" not in formats
        else "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or HEIC"
    )
    return f"{path} is not a picture ({read}), whatever its name says"


def _kind(start: bytes) -> str | None:
    """The format that the first 12 bytes of a file are the mark of."""
    if start[4:8] == b"ftyp":
        brand = start[8:12]
        return "AVIF" if brand in _AVIF_BRANDS else "HEIC" if brand in HEIC_BRANDS else None
    if start[:4] == b"RIFF":
        return "WebP" if start[8:12] == b"WEBP" else None
    marks = {
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"\xff\xd8\xff": "JPEG",
        b"GIF8": "GIF",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"II+\0": "TIFF",
        b"MM\0+": "TIFF",
    }
    return next((name for mark, name in marks.items() if start.startswith(mark)), None)


def _no_tiff(path: Path) -> str:
    """Why Pillow does not open a TIFF: it is damaged, or holds pixels of a kind that is not read."""
    try:
        tags = _tiff_tags(path)
        bits, kind = max(tags.get(_BITS, (1,))), tags.get(_KIND, (1,))[0]
        channels = tags.get(_CHANNELS, 1)
        sides = tags[_WIDTH], tags[_HEIGHT]
        if not (min(sides) >= 1 and 1 <= bits <= 64 and len(tags.get(_BITS, (1,))) in (1, channels)):
            raise DamagedError
    except Exception:  # each damage raises its own
        return damaged(path, "the directory of this TIFF is not whole")
    named = {2: "signed integers", 3: "floats"}.get(kind, "integers")
    pages = ", on several pages" if tags.next else ""
    pixels = f"{plural(channels, 'channel')} of {bits}-bit {named}{pages}"
    if not pages and channels <= 4 and (bits <= 8 or bits == 16) and named == "integers":
        return (
            f"{path} is a TIFF whose layout srlab cannot read (compression {tags.get(_COMPRESSION, 1)}, "
            f"colour kind {tags.get(_COLORS, 'unknown')}, {pixels}); save it as PNG"
        )
    return f"{path} is a TIFF of {pixels}; srlab reads 1 to 4 channels of 1 to 8 or 16 bits"


def _tiff_tags(path: Path) -> TiffImagePlugin.ImageFileDirectory_v2:
    """The first directory of a TIFF; Pillow's warnings about damage are errors here."""
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("error")
        start = file.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(start + (file.read(8) if 43 in start[2:4] else b""))
        file.seek(tags.next)
        tags.load(file)
        if tags.next and not file.seek(tags.next) < path.stat().st_size:
            raise DamagedError
    return tags


def _check_png(file: BinaryIO) -> None:
    """Go from chunk to chunk to the last one."""
    file.seek(8)
    while (start := _exactly(file, 8))[4:] != b"IEND":
        file.seek(int.from_bytes(start[:4], "big") + 4, os.SEEK_CUR)  # 4 of its checksum
    _exactly(file, 4)


def _check_gif(file: BinaryIO) -> None:
    """Go from block to block to the mark of the end."""
    file.seek(10)
    _pass_colors(file, _exactly(file, 3)[0])
    while (mark := _exactly(file, 1)) != b";":
        if mark == b",":  # a picture: its place and size, colours, and the size of its codes
            _pass_colors(file, _exactly(file, 9)[8])
            _exactly(file, 1)
        elif mark == b"!":
            _exactly(file, 1)
        else:
            continue  # Pillow passes over such bytes too
        while length := _exactly(file, 1)[0]:
            _exactly(file, length)


def _pass_colors(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        _exactly(file, 3 << ((flags & 7) + 1))


def _exactly(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise DamagedError("its end is missing")
    return content
