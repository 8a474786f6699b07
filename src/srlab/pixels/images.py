"""Picture files to pixels.

It reads PNG, JPEG, WebP, TIFF and BMP, told by what is in the file and not by its name; gray, colour, 1 to 16
bits a channel; upright, whatever the camera's EXIF orientation says. CMYK becomes RGB. A file of several
pictures (an animation, a TIFF of pages) is refused, since nobody can tell which one is meant. Of a camera's
MPO the first picture is taken, which is the photograph. To be enlarged, but not to train on or to score, it
also reads GIF (its first picture), AVIF and HEIC.

A picture's size is known before it is decoded, and one of more pixels than `max_pixels` is refused: a file
of a few kilobytes may hold gigabytes. `srlab.pixels.picture_files` writes.

Pillow's names of modes and formats are used throughout. No torch.
"""

import contextlib
import hashlib
import io
import logging
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError, features

from srlab.errors import REMEDIES, UserError
from srlab.pixels.damage import DamagedError, check_end, damaged, no_picture
from srlab.pixels.deep_color import decode_16_bit
from srlab.pixels.metadata import Metadata, read_metadata
from srlab.pixels.quiet import quiet_libraries

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

MAX_PIXELS = 128_000_000
MAX_PIXELS_VARIABLE = "SRLAB_MAX_PIXELS"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
HEIC_SUFFIXES = (".heic", ".heif")
ENLARGED_SUFFIXES = (*SUFFIXES, ".gif", ".avif", *HEIC_SUFFIXES)
_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
_ORIENTATION = 0x0112  # EXIF
_TIFF_WIDTH, _TIFF_HEIGHT, _BITS_PER_SAMPLE = 256, 257, 258
_TIFF_PLANAR, _TIFF_KIND = 284, 339
_PNG_TEXTS = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")  # chunks that an orientation may be in
_PNG_BITS_AT, _PNG_COLOR_TYPE_AT, _PNG_GRAY_ALPHA = 24, 25, 4  # bytes of IHDR, always the first chunk
_BAND_BYTES = 1 << 24  # of pixels that are taken over from Pillow at a time
_TURNED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {  # by EXIF orientation; views, no copies
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
_pillows_limit = Lock()
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else what it logs goes to standard error


@dataclass(frozen=True, kw_only=True, eq=False)
class HRImage:
    """A picture to train on or to score.

    `name` is the file's stem; `pixels` are uint8 [H, W, 3], of a gray file the same channel three times.
    """

    name: str
    pixels: NDArray[np.uint8]
    is_gray: bool

    def pixel_hash(self) -> str:
        """SHA-256 over size and pixels: equal for one picture under two names or in two formats."""
        header = "x".join(map(str, self.pixels.shape)).encode() + b":"
        return hashlib.sha256(header + np.ascontiguousarray(self.pixels).tobytes()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Height, width, channels (1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha) and bits a channel (8 or
    16) of a picture.
    """

    height: int
    width: int
    channels: int
    bits: int

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.channels in (2, 4)

    @property
    def num_bytes(self) -> int:
        """What its pixels take in memory."""
        return self.height * self.width * self.channels * self.bits // 8

    def enlarged(self, scale: int) -> "Layout":
        """The same with `scale` times the height and the width."""
        return replace(self, height=scale * self.height, width=scale * self.width)


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture with everything that an enlargement keeps.

    `pixels` are uint8 or uint16 [H, W, C]; C is 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha).
    Alpha is not premultiplied. `notes` tell the user what was changed.
    """

    name: str
    pixels: Pixels
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.dtype not in (np.uint8, np.uint16) or self.pixels.ndim != 3:
            raise ValueError(
                f"pixels must be uint8 or uint16 [H, W, C], not {self.pixels.dtype} {self.pixels.shape}"
            )
        if self.pixels.shape[2] not in (1, 2, 3, 4) or self.pixels.size == 0:
            raise ValueError(
                f"a picture needs 1 to 4 channels and at least one pixel; got the shape {self.pixels.shape}"
            )

    @property
    def layout(self) -> Layout:
        """Its size, channels and depth."""
        height, width, channels = self.pixels.shape
        return Layout(height=height, width=width, channels=channels, bits=8 * self.pixels.itemsize)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a picture file says before it is decoded: the `layout` that its `Picture` will have, and the bytes
    of memory that decoding it takes at most, those of its pixels included.
    """

    layout: Layout
    decoding_bytes: int


@dataclass(frozen=True, kw_only=True)
class _Decoded:
    pixels: Pixels  # [H, W, C]
    colors: int | None  # of its palette, if it has one
    metadata: Metadata
    notes: tuple[str, ...]


def list_images(folder: Path, *, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """The pictures directly in `folder`, told by suffix in any case, by name; hidden files are left out.

    A folder, a pipe or a link that leads nowhere is among them if its name says a picture, and reading it is
    an error: nothing is left out in silence.
    """
    if not folder.is_dir():
        other = "is not a folder" if folder.exists() else "does not exist"
        what = "is a file, not a folder" if folder.is_file() else other
        raise UserError(f"the folder {folder} {what}")
    paths = [
        path
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]
    if not paths:
        raise UserError(f"the folder {folder} holds no pictures ({' '.join(suffixes)})")
    return paths


def pixel_limit(asked: int | None = None) -> int:
    """The most pixels that a picture may have: as `asked`, or as SRLAB_MAX_PIXELS says, or `MAX_PIXELS`."""
    if asked is not None:
        return asked
    text = os.environ.get(MAX_PIXELS_VARIABLE)
    if text is None:
        return MAX_PIXELS
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        raise UserError(
            f"{MAX_PIXELS_VARIABLE} must be a number of pixels, such as {MAX_PIXELS}; it is {text!r}"
        )
    return int(text)


def read_hr_image(path: Path, *, max_pixels: int | None = None) -> HRImage:
    """The picture at `path` as training and scoring see it; 16 bits are rounded to 8.

    Alpha and palettes are a `UserError`: below transparent pixels there is no true colour, and a palette's
    few colours are not what the scene looked like; neither can be made smaller and compared.
    """
    decoded = _decode(path, formats=_FORMATS, max_pixels=max_pixels)
    if decoded.colors is not None:
        raise UserError(
            f"{path} has a palette of {decoded.colors} colours, so its colours are not the original ones; "
            "train and score on the original, or convert the file to RGB yourself"
        )
    pixels = decoded.pixels
    if pixels.shape[2] in (2, 4):
        raise UserError(
            f"{path} has an alpha channel, and transparent pixels have no colour to score; flatten it to "
            "RGB first"
        )
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    is_gray = pixels.shape[2] == 1
    rgb = np.repeat(pixels, 3, axis=2) if is_gray else pixels
    return HRImage(name=path.stem, pixels=np.ascontiguousarray(rgb, np.uint8), is_gray=is_gray)


def crop_to_multiple(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Without the bottom rows and right columns that make H and W no multiple of `scale`; never resized.

    >>> crop_to_multiple(np.zeros((7, 9, 3), np.uint8), 4).shape
    (4, 8, 3)
    """
    height, width = (side - side % scale for side in pixels.shape[:2])
    if height == 0 or width == 0:
        raise UserError(
            f"an image of {_size(pixels)} is too small for x{scale}: it needs at least {scale}x{scale} pixels"
        )
    return pixels[:height, :width]


def read_picture(path: Path, *, max_pixels: int | None = None) -> Picture:
    """The picture at `path` with its depth, alpha and metadata, upright; a palette becomes RGB or RGBA."""
    decoded = _decode(path, formats=_enlarged_formats(), max_pixels=max_pixels)
    return Picture(name=path.stem, pixels=decoded.pixels, metadata=decoded.metadata, notes=decoded.notes)


def read_hr_layout(path: Path, *, max_pixels: int | None = None) -> Layout:
    """What `read_hr_image` will give of the file at `path`, which is not decoded."""
    with _opened(path, formats=_FORMATS, max_pixels=max_pixels) as image:
        height, width = _upright_size(path, image)
        return Layout(height=height, width=width, channels=3, bits=8)


def read_header(path: Path, *, max_pixels: int | None = None) -> Header:
    """What the file at `path` says of its picture, which is not decoded.

    Raises:
        UserError: it is not a picture that `read_picture` reads, or it has too many pixels.
    """
    with _opened(path, formats=_enlarged_formats(), max_pixels=max_pixels) as image:
        bits = _bits(path, image)
        mode = _mode(path, image, bits)
        height, width = _upright_size(path, image)
        layout = Layout(height=height, width=width, channels=len(mode), bits=16 if bits == 16 else 8)
        held = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}.get(image.mode, 4)
        if image.format in ("AVIF", "HEIF", "WEBP"):
            held += 8  # their decoders keep the picture in one or two layouts of their own
        elif bits == 16 and not image.mode.startswith("I"):
            held += 5 * len(mode)  # OpenCV's pixels, and Pillow's upper bytes to compare them with
        decoding = height * width * held + layout.num_bytes + 2 * _BAND_BYTES
        return Header(layout=layout, decoding_bytes=decoding)


def _enlarged_formats() -> tuple[str, ...]:
    """The formats that pictures to be enlarged may have, with the plugins that are installed."""
    formats: tuple[str, ...] = (*_FORMATS, "GIF")
    if has_avif():
        formats += ("AVIF",)
    return (*formats, "HEIF") if register_heic() else formats


def has_avif() -> bool:
    """Whether this Pillow reads and writes AVIF; before 11.2 it does not know the name, and would warn."""
    return "avif" in features.modules and bool(features.check("avif"))


def register_heic() -> bool:
    """Let Pillow read and write HEIC by the package pillow-heif; False where it is not installed."""
    try:
        import pillow_heif  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return False
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener()
    return True


def _decode(path: Path, *, formats: tuple[str, ...], max_pixels: int | None) -> _Decoded:
    with _opened(path, formats=formats, max_pixels=max_pixels) as image:
        with path.open("rb") as file:
            check_end(file, image.format)
        notes = []
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format == "GIF":
            notes.append(f"{path.name} has {frames} pictures; srlab uses the first")
        orientation = _orientation(image)
        bits = _bits(path, image)
        with _any_size() if image.format == "TIFF" else contextlib.nullcontext():  # it asks again
            image.load()
        metadata, whole = read_metadata(image)
        if not whole:
            notes.append(f"the EXIF of {path.name} is damaged and is left out")
        left = 1 if orientation == 1 else _orientation(image)  # some plugins turn it themselves
        turned = _TURNED.get(left, _as_it_is)
        mode = _mode(path, image, bits)
        colors = None
        if image.mode in ("P", "PA"):
            colors = len(image.getcolors(256) or ())
        if image.mode == "CMYK":
            transform = _from_cmyk(metadata.icc_profile)
            pixels: Pixels = _cmyk_to_rgb(image, transform)
            if transform is not None:
                by = "by its ICC profile"
            elif metadata.icc_profile is None:
                by = "as for ideal inks, because it has no ICC profile"
            else:
                by = "as for ideal inks, because its ICC profile is damaged or not for CMYK"
            notes.append(f"{path.name} is CMYK; it is converted to RGB {by}")
            metadata = replace(metadata, icc_profile=None)
        elif image.mode.startswith("I"):
            pixels = _gray_16_bit(image)
        else:
            pixels = _to_array(image, mode)
        pixels = turned(pixels)
        if bits == 16 and pixels.dtype == np.uint8:
            pixels = _color_16_bit(path, image, pixels.astype(np.uint8, copy=False), orientation)
        return _Decoded(pixels=pixels, colors=colors, metadata=metadata, notes=tuple(notes))


@contextlib.contextmanager
def _opened(path: Path, *, formats: tuple[str, ...], max_pixels: int | None) -> Iterator[Image.Image]:
    """The picture at `path`, its header read, its pixels not yet; one picture, and not too large.

    Raises:
        UserError: it is not that, or the file is another one at the end than at the beginning.
    """
    with _open(path) as file:
        before = os.fstat(file.fileno())
        start = file.read(16)
        if not start:
            raise UserError(f"{path} is empty (0 bytes)")
        try:
            with _damage_named(path, start, formats):
                # A file and not its path: Pillow would map it into memory, and the process would be killed
                # if another program then cut the file short.
                with _any_size():
                    image = Image.open(file, formats=sorted(formats))
                with image:
                    _check_size(path, image, pixel_limit(max_pixels))
                    yield image
        except UserError:
            _check_unchanged(path, before)  # then what was found wrong may be wrong itself
            raise
        _check_unchanged(path, before)


def _open(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():  # reading a device or a pipe may never end
            raise UserError(f"{path} is {'a folder' if path.is_dir() else 'not a plain file'}, not a picture")
        return path.open("rb")
    except FileNotFoundError:
        if path.is_symlink():
            raise UserError(f"{path} is a link to {path.readlink()}, which does not exist") from None
        raise UserError(f"the picture {path} does not exist") from None
    except OSError as error:
        remedy = f"; {REMEDIES[error.errno]}" if error.errno in REMEDIES else ""
        raise UserError(f"{path} could not be read: {error.strerror or error}{remedy}") from error


def _check_size(path: Path, image: Image.Image, limit: int) -> None:
    if image.width * image.height > limit:
        raise UserError(
            f"{path} has {image.width}x{image.height} pixels, more than the limit of {limit:,}; "
            f"if the size is right, raise the limit with --max-pixels, or with {MAX_PIXELS_VARIABLE} "
            "for every command"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in ("MPO", "GIF"):
        raise UserError(
            f"{path} holds {frames} pictures (an animation or pages); save each as a separate file"
        )


def changed(path: Path) -> str:
    """The message for a file that another program writes while it is read."""
    return f"{path} was changed while it was read; run the command again when the file is complete"


def _check_unchanged(path: Path, before: os.stat_result) -> None:
    """Raise `UserError` if the file at `path` is another one, or was written to."""
    try:
        now = path.stat()
        is_same = (now.st_ino, now.st_size, now.st_mtime_ns) == (
            before.st_ino,
            before.st_size,
            before.st_mtime_ns,
        )
    except OSError:
        is_same = False
    if not is_same:
        raise UserError(changed(path))


@contextlib.contextmanager
def _any_size() -> Iterator[None]:
    """Pillow's own limit, which is one for all pictures of the process, is lifted for so long."""
    with _pillows_limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


@contextlib.contextmanager
def _damage_named(path: Path, start: bytes, formats: tuple[str, ...]) -> Iterator[None]:
    """Whatever a damaged file makes Pillow raise, as a `UserError` that names the file."""
    is_tiff = start.startswith((b"II", b"MM"))  # libtiff writes to standard error itself
    with quiet_libraries() if is_tiff else contextlib.nullcontext(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata
        try:
            yield
        except (UserError, MemoryError):
            raise
        except UnidentifiedImageError:
            raise UserError(no_picture(path, start, formats)) from None
        except DamagedError as error:
            raise UserError(damaged(path, str(error))) from None
        except Exception as error:  # OSError, SyntaxError, struct.error, ...: each decoder has its own
            is_short = str(error).startswith("image file is truncated")
            what = "its end is missing" if is_short else f"it cannot be decoded ({error})"
            raise UserError(damaged(path, what)) from error


def _upright_size(path: Path, image: Image.Image) -> tuple[int, int]:
    """Height and width of the upright picture, told without decoding it."""
    orientation = _png_orientation(path) if image.format == "PNG" else _orientation(image)
    width, height = image.size
    if image.format == "TIFF":  # Pillow may have turned its size already: the file's own, then
        tags = getattr(image, "tag_v2", {})
        width, height = tags.get(_TIFF_WIDTH, width), tags.get(_TIFF_HEIGHT, height)
    return (width, height) if orientation >= 5 else (height, width)


def _orientation(image: Image.Image) -> int:
    """1 to 8, as EXIF counts; 1 if there is no such number, or the EXIF is broken."""
    if image.format == "PNG":
        image.load()  # `getexif` would, and damage to the pixels is no matter of EXIF
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # each broken EXIF raises its own; Pillow raises it the first time alone
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _png_orientation(path: Path) -> int:
    """Of the PNG at `path`, wherever in the file its EXIF is.

    Pillow decodes a PNG to look behind its pixels. So it gets a picture of one pixel with the same texts.
    """
    with path.open("rb") as file:
        parts = [file.read(8), _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))]
        texts = []
        while len(start := file.read(8)) == 8 and start[4:] != b"IEND":
            length = int.from_bytes(start[:4], "big")
            if start[4:] in _PNG_TEXTS:
                texts.append(_png_chunk(start[4:], file.read(length)))
                length = 0
            file.seek(length + 4, os.SEEK_CUR)
    parts += [*texts, _png_chunk(b"IDAT", zlib.compress(b"\0\0")), _png_chunk(b"IEND", b"")]
    with Image.open(io.BytesIO(b"".join(parts)), formats=["PNG"]) as image:
        return _orientation(image)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _as_it_is(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels


def _bits(path: Path, image: Image.Image) -> int:
    """Bits a channel, as the file holds them; Pillow shows it for gray only."""
    if image.format == "PNG":
        return _ihdr(path)[_PNG_BITS_AT]
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,))
        return int(max(bits))
    return 8


def _ihdr(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_PNG_COLOR_TYPE_AT + 1)


def _mode(path: Path, image: Image.Image, bits: int) -> str:
    """Pillow's mode of 8 bits, one letter for each channel, that the picture is read as."""
    if bits <= 16 and 2 in getattr(image, "tag_v2", {}).get(_TIFF_KIND, ()):  # to Pillow -1 is the brightest
        raise UserError(
            f"{path} has signed integers of {bits} bits a channel, and only unsigned ones are read; convert "
            "it to unsigned integers"
        )
    if image.mode.startswith(("I", "F")):
        if bits != 16 or image.mode.startswith("F"):
            kind = "floats of " if image.mode.startswith("F") else ""
            raise UserError(f"{path} has {kind}{bits} bits a channel; srlab reads 1 to 8 and 16")
        return "LA" if "transparency" in image.info else "L"
    if bits > 8 and bits != 16:
        raise UserError(f"{path} has {bits} bits a channel; srlab reads 1 to 8 and 16")
    if image.mode == "CMYK":
        return "RGB"
    gray = image.mode in ("1", "L", "LA", "La")
    if not gray and image.mode not in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise UserError(
            f"{path} has the colour mode {image.mode}, which srlab cannot read; convert it to RGB"
        )
    if bits == 16 and image.format == "PNG" and _ihdr(path)[_PNG_COLOR_TYPE_AT] == _PNG_GRAY_ALPHA:
        return "LA"  # to Pillow it is RGBA
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    return ("L" if gray else "RGB") + ("A" if has_alpha else "")


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The loaded picture from top to bottom, so that what converts it holds no second one."""
    rows = max(1, _BAND_BYTES // (4 * image.width))
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _to_array(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    """The picture's pixels [H, W, C] in `mode`."""
    pixels = np.empty((image.height, image.width, len(mode)), np.uint8)
    for rows, band in _bands(image):
        if mode == "LA" and image.mode == "RGBA":
            pixels[rows] = np.asarray(band)[:, :, [0, 3]]
        else:
            values = np.asarray(band if band.mode == mode else band.convert(mode))
            pixels[rows] = values.reshape(band.height, band.width, -1)
    return pixels


def _gray_16_bit(image: Image.Image) -> NDArray[np.uint16]:
    pixels = np.asarray(image).astype(np.uint16)[:, :, None]
    key = image.info.get("transparency")
    if key is None:
        return pixels
    return np.concatenate([pixels, np.where(pixels == key, 0, 65535).astype(np.uint16)], axis=2)


def _color_16_bit(
    path: Path, image: Image.Image, upper: NDArray[np.uint8], orientation: int
) -> NDArray[np.uint16]:
    if "transparency" in image.info:
        raise UserError(
            f"{path} has 16 bits a channel and one transparent colour, which srlab cannot read; save it "
            "with an alpha channel"
        )
    with quiet_libraries():  # libpng writes to standard error itself
        pixels = decode_16_bit(path.read_bytes(), upper, turn=_TURNED.get(orientation, _as_it_is))
    if pixels is None:
        way = "in a layout that srlab cannot read; save it as a 16-bit PNG"
        if getattr(image, "tag_v2", {}).get(_TIFF_PLANAR) == 2:
            way = (
                "and each channel in a plane of its own, as pages would be, which srlab cannot read; save it "
                "as a 16-bit PNG, each page by itself"
            )
        raise UserError(f"{path} has 16 bits a channel {way}")
    return pixels


def _from_cmyk(profile: bytes | None) -> ImageCms.ImageCmsTransform | None:
    """The transform from CMYK to sRGB by `profile`; None if there is no profile, or it cannot be used."""
    if profile is None:
        return None
    with contextlib.suppress(ImageCms.PyCMSError, OSError):
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), "CMYK", "RGB"
        )
    return None


def _cmyk_to_rgb(image: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> NDArray[np.uint8]:
    """To RGB [H, W, 3] by `transform`; without one as if the inks were ideal."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        rgb = None if transform is None else ImageCms.applyTransform(band, transform)
        pixels[rows] = np.asarray(band.convert("RGB") if rgb is None else rgb)
    return pixels


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]} pixels"
