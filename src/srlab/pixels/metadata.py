"""What a picture file says about its picture: ICC profile, EXIF and XMP.

EXIF keeps what describes the photograph: camera, date, place, author, exposure. What describes the old file
is left out: its orientation (pixels are turned upright), layout, preview. The size in it becomes the new one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from PIL import Image, TiffImagePlugin

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
_SIZE_TAGS = (0xA002, 0xA003)  # width and height, in the EXIF directory
_KEPT = {  # tags of the main directory that describe the photograph, not the file
    0x010E,  # description
    0x010F,  # make of the camera
    0x0110,  # its model
    0x011A,  # pixels per unit, horizontally
    0x011B,  # and vertically
    0x0128,  # that unit
    0x0131,  # software
    0x0132,  # date and time
    0x013B,  # artist
    0x013C,  # computer
    0x4746,  # rating
    0x4749,
    0x8298,  # copyright
    *range(0x9C9B, 0x9CA0),  # Windows: title, comment, author, keywords, subject
}
_XMP_ORIENTATION = re.compile(  # an attribute in quotes of either kind, or an element
    rb"""(\btiff:Orientation(?:\s*=\s*["']|(?:\s[^<>]*)?>)\s*)[2-8](?=\s*["'<])"""
)
_ASCII, _BYTE, _SHORT, _LONG, _RATIONAL = 2, 1, 3, 4, 5


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The ICC profile, EXIF (a TIFF structure, no "Exif" in front) and XMP (an XML packet), where there."""

    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    def without_description(self) -> "Metadata":
        """The ICC profile alone, without which the colours would be others."""
        return Metadata(icc_profile=self.icc_profile)

    def for_size(self, height: int, width: int) -> "Metadata":
        """The same for a picture of another size."""
        if self.exif is None:
            return self
        exif = _load(self.exif)
        described = exif.get_ifd(EXIF_IFD)
        if not any(tag in described for tag in _SIZE_TAGS):
            return self
        return replace(self, exif=_to_bytes(exif, size=(height, width)))


@dataclass(frozen=True, kw_only=True)
class Directories:
    """EXIF as a TIFF file holds it: entries for the main directory, and directories of their own.

    `main` has type and values by tag. Each of `parts` gives the bytes of its directory for a place in the
    file, and for BigTIFF or not.
    """

    main: dict[int, tuple[int, tuple[int, ...] | bytes]] = field(default_factory=dict)
    parts: dict[int, Callable[[int, bool], bytes]] = field(default_factory=dict)


def read_metadata(image: Image.Image) -> tuple[Metadata, bool]:
    """What `image` says about itself, and whether all of it could be read. Its pixels must be loaded."""
    profile = image.info.get("icc_profile") or None
    whole = True
    exif = None
    try:
        Image.Exif().load(image.info.get("exif") or b"")  # Pillow itself passes over it where it is broken
        exif = _to_bytes(image.getexif())
    except Exception:  # each broken EXIF raises its own
        whole = False
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or None
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if xmp is not None:
        xmp = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    return Metadata(icc_profile=profile, exif=exif, xmp=xmp), whole


def exif_directories(exif: bytes | None) -> Directories:
    """`exif` taken apart for a TIFF file."""
    if exif is None:
        return Directories()
    loaded = _load(exif)
    main = {tag: entry for tag, value in loaded.items() if (entry := _entry(value)) is not None}
    parts: dict[int, Callable[[int, bool], bytes]] = {}
    for tag in (EXIF_IFD, GPS_IFD):
        values = loaded.get_ifd(tag)
        if values:
            parts[tag] = partial(_serialize, tag, values)
            main.pop(tag, None)
    return Directories(main=main, parts=parts)


def _to_bytes(exif: Image.Exif, *, size: tuple[int, int] | None = None) -> bytes | None:
    """The kept part of `exif`; None if nothing is left."""
    kept = Image.Exif()
    for tag in _KEPT & set(exif):
        kept[tag] = exif[tag]
    for tag in (EXIF_IFD, GPS_IFD):
        values = dict(exif.get_ifd(tag))
        if size is not None:
            values |= {
                name: side for name, side in zip(_SIZE_TAGS, size[::-1], strict=True) if name in values
            }
        if values:
            kept[tag] = values
    return kept.tobytes().removeprefix(b"Exif\0\0") if len(kept) else None


def _load(exif: bytes) -> Image.Exif:
    loaded = Image.Exif()
    loaded.load(b"Exif\0\0" + exif)
    return loaded


def _entry(value: Any) -> tuple[int, tuple[int, ...] | bytes] | None:
    """Type and values of a tag in a TIFF directory; None for what no kept tag is."""
    if isinstance(value, str):
        return _ASCII, value.encode() + b"\0"
    if isinstance(value, bytes):
        return _BYTE, value
    if isinstance(value, TiffImagePlugin.IFDRational):
        top, bottom = int(value.numerator), int(value.denominator)
        return _RATIONAL, top.to_bytes(4, "little") + bottom.to_bytes(4, "little")
    if isinstance(value, int) and value >= 0:
        return (_SHORT if value < 1 << 16 else _LONG), (value,)
    return None


def _serialize(tag: int, values: dict[int, Any], at: int, is_big: bool) -> bytes:
    header = b"II\x2b\x00\x08\x00\x00\x00" + bytes(8) if is_big else b"II\x2a\x00" + bytes(4)
    directory = TiffImagePlugin.ImageFileDirectory_v2(header, group=tag)
    for name, value in values.items():
        directory[name] = value
    return directory.tobytes(at)
