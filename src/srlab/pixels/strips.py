"""PNG and TIFF written from top to bottom, some rows at a time: the whole picture is never in memory.

Pillow writes a picture only when all of it is there, and neither format in 16-bit colour. Both are simple
where nothing but zlib is used: one filter for each PNG row, one predictor for each TIFF strip.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from srlab.pixels.metadata import Metadata, exif_directories

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels: gray, gray and alpha, RGB, RGBA
_WORK_BYTES = 1 << 20  # of rows that are filtered, or make a TIFF strip, at a time

_BIG_TIFF_FROM = (1 << 32) - (1 << 24)  # bytes of pixels; classic TIFF counts up to 4 GiB
_SHORT, _LONG, _UNDEFINED, _LONG8 = 3, 4, 7, 16


def write_png(
    path: Path,
    strips: Iterable[NDArray[Any]],
    *,
    size: tuple[int, int],
    channels: int,
    bits: int,
    metadata: Metadata,
) -> None:
    """A PNG of the rows in `strips`, each uint8 or uint16 [rows, W, channels], top first.

    `size` is the picture's height and width. ICC profile, EXIF and XMP go into their chunks.
    https://www.w3.org/TR/png-3/
    """
    height, width = size
    pixel_bytes = channels * bits // 8
    above = np.zeros(width * pixel_bytes, np.uint8)
    deflate = zlib.compressobj()
    with path.open("wb") as file:
        file.write(_PNG_SIGNATURE)
        _chunk(
            file, b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _PNG_COLOR_TYPES[channels], 0, 0, 0)
        )
        if metadata.icc_profile is not None:
            _chunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc_profile))
        if metadata.exif is not None:
            _chunk(file, b"eXIf", metadata.exif)
        if metadata.xmp is not None:
            _chunk(file, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
        for rows in _cut(strips, max(1, _WORK_BYTES // len(above))):
            lines = rows.astype(f">u{bits // 8}").reshape(len(rows), -1).view(np.uint8)
            packed = deflate.compress(_filtered(lines, above, pixel_bytes).tobytes())
            if packed:
                _chunk(file, b"IDAT", packed)
            above = lines[-1]
        _chunk(file, b"IDAT", deflate.flush())
        _chunk(file, b"IEND", b"")


def write_tiff(
    path: Path,
    strips: Iterable[NDArray[Any]],
    *,
    size: tuple[int, int],
    channels: int,
    bits: int,
    metadata: Metadata,
) -> None:
    """A TIFF of the rows in `strips`, as in `write_png`: Deflate with horizontal differencing.

    BigTIFF where the pixels may not fit into 4 GiB. (TIFF 6.0, Adobe, 1992; Technical Note 3, 2002.)
    """
    height, width = size
    row_bytes = width * channels * bits // 8
    rows_per_strip = min(height, max(1, _WORK_BYTES // row_bytes))
    is_big = height * row_bytes >= _BIG_TIFF_FROM
    offsets: list[int] = []
    counts: list[int] = []
    with path.open("wb") as file:
        file.write(
            struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if is_big else struct.pack("<2sHI", b"II", 42, 0)
        )
        for rows in _cut(strips, rows_per_strip):
            rows = rows.astype(f"<u{bits // 8}")
            rows[:, 1:] -= rows[:, :-1].copy()  # predictor 2: each pixel less its left neighbour
            packed = zlib.compress(rows.tobytes())
            offsets.append(file.tell())
            counts.append(file.write(packed))
        file.write(b"\0" * (file.tell() % 2))  # directories lie at even places
        exif = exif_directories(metadata.exif)
        pointers: dict[int, int] = {}
        for tag, directory in exif.parts.items():
            pointers[tag] = file.tell()
            data = directory(file.tell(), is_big)
            file.write(data + b"\0" * (len(data) % 2))
        pointer = _LONG8 if is_big else _LONG
        entries: dict[int, tuple[int, tuple[int, ...] | bytes]] = {
            256: (_LONG, (width,)),
            257: (_LONG, (height,)),
            258: (_SHORT, (bits,) * channels),  # bits per sample
            259: (_SHORT, (8,)),  # compression: Deflate
            262: (_SHORT, (1 if channels < 3 else 2,)),  # black is zero, or RGB
            273: (pointer, tuple(offsets)),
            277: (_SHORT, (channels,)),
            278: (_LONG, (rows_per_strip,)),
            279: (pointer, tuple(counts)),
            317: (_SHORT, (2,)),  # the predictor
        }
        if channels in (2, 4):
            entries[338] = (_SHORT, (2,))  # the extra sample is alpha, not premultiplied
        if metadata.xmp is not None:
            entries[700] = (1, metadata.xmp)
        if metadata.icc_profile is not None:
            entries[34675] = (_UNDEFINED, metadata.icc_profile)
        entries |= exif.main
        entries |= {tag: (pointer, (at,)) for tag, at in pointers.items()}
        at = file.tell()
        file.write(_directory(entries, at, is_big=is_big))
        file.seek(8 if is_big else 4)
        file.write(struct.pack("<Q" if is_big else "<I", at))


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def _cut(strips: Iterable[NDArray[Any]], count: int) -> Iterator[NDArray[Any]]:
    """The same rows in strips of `count` each, the last of what is left."""
    held: list[NDArray[Any]] = []
    waiting = 0
    for strip in strips:
        while len(strip):
            part, strip = strip[: count - waiting], strip[count - waiting :]
            held.append(part)
            waiting += len(part)
            if waiting == count:
                yield np.concatenate(held)
                held, waiting = [], 0
    if held:
        yield np.concatenate(held)


def _filtered(lines: NDArray[np.uint8], above: NDArray[np.uint8], pixel_bytes: int) -> NDArray[np.uint8]:
    """Rows of bytes [N, B] -> [N, 1 + B], each by the PNG filter whose differences are smallest in sum.

    `above` [B] is the row before them. That rule is the one that the PNG specification recommends.
    """
    up = np.concatenate([above[None], lines[:-1]])
    left, corner = np.zeros_like(lines), np.zeros_like(lines)
    left[:, pixel_bytes:] = lines[:, :-pixel_bytes]
    corner[:, pixel_bytes:] = up[:, :-pixel_bytes]
    average = ((left.astype(np.uint16) + up) >> 1).astype(np.uint8)
    best, least = np.zeros((len(lines), 1 + lines.shape[1]), np.uint8), None
    for kind, guess in enumerate((None, left, up, average, _paeth(left, up, corner))):
        differences = lines if guess is None else lines - guess
        sums = np.minimum(differences, 0 - differences).sum(axis=1, dtype=np.int64)
        chosen = np.ones(len(lines), bool) if least is None else sums < least
        best[chosen, 0], best[chosen, 1:] = kind, differences[chosen]
        least = sums if least is None else np.minimum(least, sums)
    return best


def _paeth(left: NDArray[np.uint8], up: NDArray[np.uint8], corner: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of the three neighbours, the one nearest to left + up - corner; ties in this order."""
    a, b, c = (part.astype(np.int16) for part in (left, up, corner))
    to_left, to_up = np.abs(b - c), np.abs(a - c)
    to_corner = np.abs(a + b - 2 * c)
    return np.where(
        (to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner)
    )


def _directory(entries: dict[int, tuple[int, tuple[int, ...] | bytes]], at: int, *, is_big: bool) -> bytes:
    """The TIFF directory that lies at the place `at` of the file, by tag: type and values."""
    count_code, place_code = ("Q", "Q") if is_big else ("H", "I")
    place = struct.calcsize(f"<{place_code}")
    codes = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
    directory = struct.pack(f"<{count_code}", len(entries))
    outside = b""  # values that do not fit into their entry, behind the directory
    outside_at = at + len(directory) + len(entries) * (4 + 2 * place) + place
    for tag, (kind, values) in sorted(entries.items()):
        data = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{codes[kind]}", *values)
        count = len(data) // 8 if kind == 5 else len(values)
        directory += struct.pack(f"<HH{place_code}", tag, kind, count)
        if len(data) <= place:
            directory += data.ljust(place, b"\0")
        else:
            directory += struct.pack(f"<{place_code}", outside_at + len(outside))
            outside += data + b"\0" * (len(data) % 2)
    return directory + struct.pack(f"<{place_code}", 0) + outside
