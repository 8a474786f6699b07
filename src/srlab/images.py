"""Picture files to pixels and back.

Read: PNG, JPEG, WebP, TIFF and BMP, told by what is in the file and not by its name; gray, colour, 1 to 16
bits a channel; upright, whatever the camera's EXIF orientation says. CMYK becomes RGB. A file of several
pictures (an animation, a TIFF of pages) is refused, since there is no telling which one is meant; of a
camera's MPO, the first is the photograph.

Pillow's names of modes and formats are used throughout. No torch.
"""

import contextlib
import hashlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from srlab.deep_color import decode_16_bit, encode_png, encode_tiff
from srlab.errors import REMEDIES, UserError
from srlab.files import write_atomically

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_LONGEST_SIDE = {"JPEG": 65535, "WEBP": 16383}
_ORIENTATION = 0x0112  # EXIF
_BITS_PER_SAMPLE = 258  # TIFF
_PNG_BITS_AT, _PNG_COLOR_TYPE_AT, _PNG_GRAY_ALPHA = 24, 25, 4  # bytes of IHDR, always the first chunk


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture with everything that an enlargement keeps.

    `pixels` are uint8 or uint16 [H, W, C]; C is 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha).
    Alpha is not premultiplied.
    """

    name: str
    pixels: Pixels
    icc_profile: bytes | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype not in (np.uint8, np.uint16) or self.pixels.ndim != 3:
            raise ValueError(
                f"pixels are uint8 or uint16 [H, W, C], not {self.pixels.dtype} {self.pixels.shape}"
            )
        if self.pixels.shape[2] not in (1, 2, 3, 4) or self.pixels.size == 0:
            raise ValueError(f"a picture has 1 to 4 channels and at least one pixel, not {self.pixels.shape}")

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.pixels.shape[2] in (2, 4)


@dataclass(frozen=True, kw_only=True)
class _Decoded:
    pixels: Pixels  # [H, W, C]
    colors: int | None  # of its palette, if it has one
    icc_profile: bytes | None


def list_images(folder: Path) -> list[Path]:
    """The pictures directly in `folder`, told by suffix in any case, by name; hidden files are left out.

    A link that leads nowhere is among them, so that reading it says so: a set never shrinks in silence.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UserError(f"the folder {folder} {what}")
    paths = [
        path
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if path.suffix.lower() in SUFFIXES
        and not path.name.startswith(".")
        and (path.is_file() or (path.is_symlink() and not path.exists()))
    ]
    if not paths:
        raise UserError(f"the folder {folder} holds no pictures ({' '.join(SUFFIXES)})")
    return paths


def read_hr_image(path: Path) -> HRImage:
    """The picture at `path` as training and scoring see it; 16 bits are rounded to 8.

    Alpha and palettes are a `UserError`: below transparent pixels there is no true colour, and a palette's
    few colours are not what the scene looked like; neither can be made smaller and compared.
    """
    decoded = _decode(path)
    if decoded.colors is not None:
        raise UserError(
            f"{path} has a palette of {decoded.colors} colours, which is no true picture of its scene; "
            "train and score on the original, or convert the file to RGB yourself"
        )
    pixels = decoded.pixels
    if pixels.shape[2] in (2, 4):
        raise UserError(
            f"{path} has an alpha channel, and what colour lies under transparent pixels cannot be scored; "
            "flatten it to RGB first"
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


def read_picture(path: Path) -> Picture:
    """The picture at `path` with its depth, alpha and ICC profile, upright; a palette becomes RGB or RGBA."""
    decoded = _decode(path)
    return Picture(name=path.stem, pixels=decoded.pixels, icc_profile=decoded.icc_profile)


def write_picture(path: Path, picture: Picture) -> None:
    """Write `picture` in the format of `path`'s suffix, whole or not at all; folders are made.

    PNG, TIFF, BMP and WebP (lossless) keep each pixel; JPEG is written at quality 95 without subsampling.
    WebP has no gray and holds it as RGB, 16-bit TIFF likewise for gray and alpha; BMP has no place for the
    ICC profile. What else the format cannot hold (16 bits, alpha, size) is a `UserError` that names those
    that can.
    """
    data = _encode(path, picture)
    try:
        write_atomically(path, lambda part: part.write_bytes(data))
    except OSError as error:
        remedy = f"; {REMEDIES[error.errno]}" if error.errno in REMEDIES else ""
        raise UserError(f"{path} could not be written: {error.strerror or error}{remedy}") from error


def check_writable(path: Path, picture: Picture, *, scale: int = 1) -> None:
    """A `UserError` if the format of `path`'s suffix cannot hold `picture` enlarged by `scale`."""
    format_ = _FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise UserError(
            f"{path}: {path.suffix or 'no suffix'} is none of the formats written: {' '.join(SUFFIXES)}"
        )
    if picture.has_alpha and format_ in ("JPEG", "BMP"):
        raise UserError(f"{path}: {format_} holds no alpha channel; PNG, TIFF and WebP do")
    if picture.pixels.dtype == np.uint16 and format_ not in ("PNG", "TIFF"):
        raise UserError(
            f"{path}: {format_} holds 8 bits a channel, and the picture has 16; PNG and TIFF hold them"
        )
    height, width = (scale * side for side in picture.pixels.shape[:2])
    limit = _LONGEST_SIDE.get(format_, 2**31 - 1)
    if max(height, width) > limit:
        raise UserError(
            f"{path}: {format_} ends at {limit} pixels a side, and the picture has {width}x{height} pixels"
        )


def _encode(path: Path, picture: Picture) -> bytes:
    check_writable(path, picture)
    format_ = _FORMATS[path.suffix.lower()]
    pixels = picture.pixels
    if pixels.dtype == np.uint16:
        deep = pixels.astype(np.uint16, copy=False)
        if format_ == "PNG":
            return encode_png(deep, picture.icc_profile)
        if deep.shape[2] == 2:  # valid TIFF, but few programs read it
            deep = deep[:, :, [0, 0, 0, 1]]
        return encode_tiff(deep, picture.icc_profile)
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
    buffer = io.BytesIO()
    if format_ == "JPEG":
        image.save(buffer, format_, quality=95, subsampling=0, icc_profile=picture.icc_profile)
    elif format_ == "WEBP":
        image.save(buffer, format_, lossless=True, exact=True, icc_profile=picture.icc_profile or b"")
    elif format_ == "TIFF":
        image.save(buffer, format_, compression="tiff_adobe_deflate", icc_profile=picture.icc_profile)
    elif format_ == "PNG":
        image.save(buffer, format_, icc_profile=picture.icc_profile)
    else:
        image.save(buffer, format_)
    return buffer.getvalue()


def _decode(path: Path) -> _Decoded:
    try:
        if path.exists() and not path.is_file():  # reading a device or a pipe may never end
            raise UserError(f"{path} is {'a folder' if path.is_dir() else 'no plain file'}, and no picture")
        data = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise UserError(f"{path} is a link to {path.readlink()}, which is not there") from None
        raise UserError(f"there is no picture {path}") from None
    except OSError as error:
        raise UserError(f"{path} could not be read: {error.strerror or error}") from error
    if not data:
        raise UserError(f"{path} is empty (0 bytes)")
    with _damage_named(path), Image.open(io.BytesIO(data), formats=sorted(set(_FORMATS.values()))) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":
            raise UserError(
                f"{path} holds {frames} pictures (an animation or pages); give each as a file of its own"
            )
        orientation = image.getexif().get(
            _ORIENTATION, 1
        )  # Pillow forgets it where loading turns the picture
        bits = _bits(image, data)
        image.load()
        return _pixels(path, image, data, orientation=orientation, bits=bits)


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Whatever a damaged file makes Pillow raise, as a `UserError` that names the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata, and sizes between Pillow's warning and its limit
            yield
    except (UserError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UserError(
            f"{path} is not a picture (PNG, JPEG, WebP, TIFF or BMP), whatever its name says"
        ) from None
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} claims to be larger than any picture that is read: {error}") from None
    except (
        Exception
    ) as error:  # OSError, SyntaxError, ValueError, struct.error, ...: each decoder has its own
        raise UserError(f"{path} is damaged or cut short: {error}") from error


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits a channel, as the file holds them; Pillow shows it for gray only."""
    if image.format == "PNG":
        return data[_PNG_BITS_AT]
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,))
        return int(max(bits))
    return 8


def _pixels(path: Path, image: Image.Image, data: bytes, *, orientation: int, bits: int) -> _Decoded:
    profile = image.info.get("icc_profile") or None
    if image.mode.startswith(("I", "F")) and (bits != 16 or image.mode.startswith("F")):
        raise UserError(f"{path} has {bits} bits a channel; 1 to 8 and 16 are read")
    upright = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        return _Decoded(pixels=_gray_16_bit(upright), colors=None, icc_profile=profile)
    if image.mode in ("P", "PA"):
        colors = len(image.getcolors(256) or ())
        transparent = image.mode == "PA" or "transparency" in image.info
        rgb = upright.convert("RGBA" if transparent else "RGB")
        return _Decoded(pixels=np.asarray(rgb), colors=colors, icc_profile=profile)
    if image.mode == "CMYK":
        return _Decoded(pixels=np.asarray(_cmyk_to_rgb(upright, profile)), colors=None, icc_profile=None)
    gray = image.mode in ("1", "L", "LA", "La")
    if not gray and image.mode not in ("RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise UserError(f"{path} has colours of the kind {image.mode}, which is not read; convert it to RGB")
    has_alpha = image.mode in ("LA", "La", "RGBA", "RGBa") or "transparency" in image.info
    mode = ("L" if gray else "RGB") + ("A" if has_alpha else "")
    converted = upright if upright.mode == mode else upright.convert(mode)
    pixels = np.ascontiguousarray(converted, np.uint8).reshape(upright.height, upright.width, -1)
    if bits == 16:
        if image.format == "PNG" and data[_PNG_COLOR_TYPE_AT] == _PNG_GRAY_ALPHA:  # to Pillow it is RGBA
            pixels = pixels[:, :, [0, 3]]
        deep = _color_16_bit(path, image, data, pixels, orientation)
        return _Decoded(pixels=deep, colors=None, icc_profile=profile)
    if bits > 8:
        raise UserError(f"{path} has {bits} bits a channel; 1 to 8 and 16 are read")
    return _Decoded(pixels=pixels, colors=None, icc_profile=profile)


def _gray_16_bit(image: Image.Image) -> NDArray[np.uint16]:
    pixels = np.asarray(image).astype(np.uint16)[:, :, None]
    key = image.info.get("transparency")
    if key is None:
        return pixels
    return np.concatenate([pixels, np.where(pixels == key, 0, 65535).astype(np.uint16)], axis=2)


def _color_16_bit(
    path: Path, image: Image.Image, data: bytes, upper: NDArray[np.uint8], orientation: int
) -> NDArray[np.uint16]:
    if "transparency" in image.info:
        raise UserError(
            f"{path} has 16 bits a channel and one transparent colour, which is not read; "
            "give it an alpha channel"
        )
    height, width = upper.shape[:2] if orientation < 5 else upper.shape[1::-1]
    order = Image.fromarray(np.arange(height * width, dtype=np.int32).reshape(height, width))
    if orientation != 1:
        order.getexif()[_ORIENTATION] = orientation
        order = ImageOps.exif_transpose(order)
    pixels = decode_16_bit(data, upper, turned=np.asarray(order).astype(np.intp))
    if pixels is None:
        raise UserError(
            f"{path} has 16 bits a channel, laid out in a way that is not read; save it as a 16-bit PNG"
        )
    return pixels


def _cmyk_to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """To sRGB by the file's profile; without one, or with a broken one, as if the inks were ideal."""
    if profile is not None:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
    return image.convert("RGB")


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]} pixels"
