"""Write pictures to files, from top to bottom. PNG and TIFF never need the whole picture in memory.

JPEG, WebP, BMP, AVIF and HEIC do, since their encoders want all of it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srlab.errors import REMEDIES, UserError
from srlab.files import is_stream, write_atomically
from srlab.pixels.images import HEIC_SUFFIXES, Layout, Picture, has_avif, register_heic
from srlab.pixels.metadata import Metadata
from srlab.pixels.strips import write_png, write_tiff

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}
LOSSY = ("JPEG", "WEBP", "AVIF", "HEIF")  # formats that a quality means something for
IN_STRIPS = ("PNG", "TIFF")
_NAMES = {"WEBP": "WebP", "HEIF": "HEIC"}
_LONGEST_SIDE = {"JPEG": 65535, "WEBP": 16383, "AVIF": 65536, "HEIF": 16384, "BMP": 2**31 - 1}
_QUALITY = {"JPEG": 95, "AVIF": 90, "HEIF": 90}  # of WebP none: lossless
_ENCODING = {"JPEG": 0.5, "BMP": 0.0, "WEBP": 8.0, "AVIF": 8.0, "HEIF": 8.0}  # bytes a pixel beside it
_LONGEST_SEGMENT = 65_000  # of EXIF and of XMP in a JPEG


def write_picture(path: Path, picture: Picture, *, quality: int | None = None) -> None:
    """Write `picture` in the format of `path`'s suffix, whole or not at all; folders are made.

    As `write_strips`, of a picture that is in memory.
    """
    write_strips(path, [picture.pixels], layout=picture.layout, metadata=picture.metadata, quality=quality)


def write_strips(
    path: Path,
    strips: Iterable[NDArray[Any]],
    *,
    layout: Layout,
    metadata: Metadata,
    quality: int | None = None,
) -> None:
    """Write the rows in `strips`, uint8 or uint16 [rows, W, C], top first, in the format of `path`'s suffix.

    The file is whole or not there; folders are made. PNG, TIFF, BMP and WebP keep each pixel. JPEG is written
    at quality 95 without subsampling, AVIF and HEIC at 90, or at `quality` (1 to 100), which makes WebP lossy
    too. WebP, AVIF and HEIC have no gray, so gray is written as RGB. So is gray with alpha in a 16-bit TIFF.
    BMP has no place for metadata, and a JPEG for no EXIF or XMP of more than 64 kB.

    Raises:
        UserError: the format cannot hold the picture (16 bits, alpha, size; raised before the first strip is
            asked for), or the file cannot be written.
        ValueError: the rows are not those of `layout`.
    """
    check_writable(path, layout, quality=quality)
    strips = _checked(strips, layout)
    format_ = FORMATS[path.suffix.lower()]

    def write(part: Path) -> None:
        if format_ in IN_STRIPS:
            if format_ == "TIFF" and layout.channels == 2 and layout.bits == 16:
                rows: Iterable[NDArray[Any]] = (strip[:, :, [0, 0, 0, 1]] for strip in strips)
                channels = 4  # gray and alpha is valid TIFF, but few programs read it in 16 bits
            else:
                rows, channels = strips, layout.channels
            encode = write_png if format_ == "PNG" else write_tiff
            size = (layout.height, layout.width)
            encode(part, rows, size=size, channels=channels, bits=layout.bits, metadata=metadata)
        else:
            _write_whole(part, format_, strips, layout, metadata, quality)

    try:
        write_atomically(path, write)
    except UserError:
        raise
    except OSError as error:
        remedy = f"; {REMEDIES[error.errno]}" if error.errno in REMEDIES else ""
        raise UserError(f"{path} could not be written: {error.strerror or error}{remedy}") from error


def format_of(path: Path) -> str:
    """Pillow's name of the format that `path`'s suffix means; a `UserError` if it means none."""
    format_ = FORMATS.get(path.suffix.lower())
    if format_ is not None:
        return format_
    if is_stream(path):
        raise UserError(
            f"{path} is not a plain file, and its name has no suffix of a picture format; use a name such as "
            "large.png (a pipe of that name works too)"
        )
    kind = f"the suffix {path.suffix}" if path.suffix else "no suffix"
    raise UserError(f"{path} has {kind}; srlab takes the format from the suffix, one of {' '.join(FORMATS)}")


def check_writable(path: Path, layout: Layout, *, quality: int | None = None) -> None:
    """Raise `UserError` if the format of `path`'s suffix cannot hold a picture of that layout."""
    format_ = format_of(path)
    check_installed(path)
    name = _NAMES.get(format_, format_)
    if quality is not None and format_ not in LOSSY:
        raise UserError(f"{path}: {name} is lossless and has no quality; leave the quality out")
    if quality is not None and not 1 <= quality <= 100:
        raise UserError(f"the quality must be a number from 1 to 100, not {quality}")
    if layout.has_alpha and format_ in ("JPEG", "BMP"):
        raise UserError(
            f"{path}: {name} cannot hold an alpha channel; write PNG, TIFF or WebP, or put the picture on "
            "a colour (--flatten white)"
        )
    if layout.bits == 16 and format_ not in IN_STRIPS:
        raise UserError(
            f"{path}: {name} holds only 8 bits a channel, and the picture has 16; write PNG or TIFF"
        )
    limit = _LONGEST_SIDE.get(format_, 2**31 - 1)
    if max(layout.height, layout.width) > limit:
        raise UserError(
            f"{path}: {name} ends at {limit} pixels a side, and the picture has "
            f"{layout.width}x{layout.height} pixels; PNG and TIFF hold it"
        )


def check_installed(path: Path) -> None:
    """Raise `UserError` if the format of `path`'s suffix needs a plugin that is not installed."""
    suffix = path.suffix.lower()
    if suffix in HEIC_SUFFIXES and not register_heic():
        raise UserError(
            f"{path}: writing HEIC needs the package pillow-heif; install it: pip install pillow-heif"
        )
    if suffix == ".avif" and not has_avif():
        raise UserError(
            f"{path}: this version of Pillow cannot write AVIF; install a newer one: pip install -U pillow"
        )


def encoding_bytes(path: Path, layout: Layout) -> int:
    """What the encoder of `path`'s format holds of a picture in memory, beside the strip that it gets."""
    format_ = format_of(path)
    if format_ in IN_STRIPS:
        return 16 << 20
    pixel = 1 if layout.channels == 1 else 4  # as Pillow keeps them
    return int(layout.height * layout.width * (pixel + _ENCODING[format_]))


def _checked(strips: Iterable[NDArray[Any]], layout: Layout) -> Iterator[NDArray[Any]]:
    """`strips` as they are; a ValueError where they are not the rows of `layout`."""
    shape, dtype = (layout.width, layout.channels), np.dtype(f"uint{layout.bits}")
    missing = layout.height
    for strip in strips:
        missing -= len(strip)
        if strip.ndim != 3 or strip.shape[1:] != shape or strip.dtype != dtype or missing < 0:
            raise ValueError(f"rows {strip.dtype} {strip.shape} do not fit into a picture of {layout}")
        yield strip
    if missing:
        raise ValueError(f"{missing} rows are missing from a picture of {layout}")


def _write_whole(
    part: Path,
    format_: str,
    strips: Iterable[NDArray[Any]],
    layout: Layout,
    metadata: Metadata,
    quality: int | None,
) -> None:
    image = Image.new(("L", "LA", "RGB", "RGBA")[layout.channels - 1], (layout.width, layout.height))
    top = 0
    for strip in strips:
        rows = np.ascontiguousarray(strip[:, :, 0] if layout.channels == 1 else strip)
        image.paste(Image.fromarray(rows), (0, top))
        top += len(strip)
    kept = dict(_kept(format_, metadata))
    chosen = _QUALITY.get(format_) if quality is None else quality
    if format_ == "JPEG":
        kept |= {"quality": chosen, "subsampling": 0}
    elif format_ == "WEBP":
        kept |= {"lossless": True, "exact": True} if chosen is None else {"quality": chosen, "exact": True}
    elif format_ in ("AVIF", "HEIF"):
        kept |= {"quality": chosen}
    with part.open("wb") as file:
        image.save(file, format_, **kept)


def _kept(format_: str, metadata: Metadata) -> Iterator[tuple[str, Any]]:
    """The metadata as Pillow's writer of the format takes it."""
    if format_ == "BMP":
        return
    limit = _LONGEST_SEGMENT if format_ == "JPEG" else 1 << 62
    if metadata.icc_profile is not None:
        yield "icc_profile", metadata.icc_profile
    elif format_ == "WEBP":
        yield "icc_profile", b""
    if metadata.exif is not None and len(metadata.exif) <= limit:
        yield "exif", b"Exif\0\0" + metadata.exif
    if metadata.xmp is not None and len(metadata.xmp) <= limit:
        yield "xmp", metadata.xmp
