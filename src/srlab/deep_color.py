"""16 bits a channel: what Pillow cannot read or write whole, as PNG and TIFF.

Pillow reads a 16-bit colour file by its upper bytes and writes none. OpenCV reads them; what is written here
is plain: one PNG filter, one TIFF strip, both compressed by zlib.
"""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels: gray, gray and alpha, RGB, RGBA
_PNG_FILTER_UP = 2


def decode_16_bit(
    data: bytes, upper: NDArray[np.uint8], *, turned: NDArray[np.intp]
) -> NDArray[np.uint16] | None:
    """The 16-bit pixels [H, W, C] of a colour file, upright; None where OpenCV cannot read it so.

    `upper` [H, W, C] are the upper bytes of the upright picture, as Pillow reads them: OpenCV turns some
    formats upright and others not, and swaps channels, so what it gives is only believed where its upper
    bytes are these. `turned` [H, W] holds, for each upright pixel, its index in the file's order.
    """
    import cv2

    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.size == 0:
        return None
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape[2] >= 3:
        pixels = pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]
    if (
        upper.shape[2] == 2 and pixels.shape[2] == 4
    ):  # gray and alpha, which OpenCV spreads over four channels
        pixels = pixels[:, :, [0, 3]]
    if pixels.shape[2] != upper.shape[2] or pixels.shape[0] * pixels.shape[1] != turned.size:
        return None
    for candidate in (pixels, pixels.reshape(-1, pixels.shape[2])[turned]):
        if candidate.shape == upper.shape and np.array_equal(candidate >> 8, upper):
            return np.ascontiguousarray(candidate)
    return None


def encode_png(pixels: NDArray[np.uint16], icc_profile: bytes | None) -> bytes:
    """A PNG file of pixels [H, W, C] with 1 to 4 channels. https://www.w3.org/TR/png-3/"""
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _PNG_FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOR_TYPES[channels], 0, 0, 0)
    chunks = [_chunk(b"IHDR", header)]
    if icc_profile is not None:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile)))
    chunks += [_chunk(b"IDAT", zlib.compress(filtered.tobytes())), _chunk(b"IEND", b"")]
    return _PNG_SIGNATURE + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_tiff(pixels: NDArray[np.uint16], icc_profile: bytes | None) -> bytes:
    """A TIFF file of pixels [H, W, C] with 1, 3 or 4 channels, as one strip (TIFF 6.0, Adobe, 1992)."""
    height, width, channels = pixels.shape
    strip = zlib.compress(pixels.astype("<u2").tobytes())
    short, long, undefined = 3, 4, 7
    entries: list[tuple[int, int, int, bytes]] = [  # tag, type, count, value
        (256, long, 1, struct.pack("<I", width)),
        (257, long, 1, struct.pack("<I", height)),
        (258, short, channels, struct.pack(f"<{channels}H", *[16] * channels)),  # bits per sample
        (259, short, 1, struct.pack("<H", 8)),  # compression: deflate
        (262, short, 1, struct.pack("<H", 1 if channels == 1 else 2)),  # black is zero, or RGB
        (273, long, 1, struct.pack("<I", 8)),  # where the strip lies
        (277, short, 1, struct.pack("<H", channels)),
        (278, long, 1, struct.pack("<I", height)),  # rows per strip
        (279, long, 1, struct.pack("<I", len(strip))),
    ]
    if channels == 4:
        entries.append((338, short, 1, struct.pack("<H", 2)))  # the extra sample is alpha, not premultiplied
    if icc_profile is not None:
        entries.append((34675, undefined, len(icc_profile), icc_profile))
    body = strip + b"\0" * (len(strip) % 2)
    directory = struct.pack("<H", len(entries))
    outside = b""  # values of more than 4 bytes, behind the directory
    outside_at = 8 + len(body) + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        directory += struct.pack("<HHI", tag, kind, count)
        if len(value) <= 4:
            directory += value.ljust(4, b"\0")
        else:
            directory += struct.pack("<I", outside_at + len(outside))
            outside += value + b"\0" * (len(value) % 2)
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory + struct.pack("<I", 0) + outside
