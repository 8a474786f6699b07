"""PIL images in memory to `Picture` and back.

Files go through `srlab.pixels.images`, which keeps more of them (16-bit colour).
"""

import contextlib

import numpy as np
from PIL import Image, ImageOps

from srlab.errors import UserError
from srlab.pixels.images import Picture
from srlab.pixels.metadata import Metadata

_GRAY = ("1", "L", "LA", "La")
_COLOR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
_KEEPS_PROFILE = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX")
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def from_pil(image: Image.Image) -> Picture:
    """`image` upright, as its EXIF says, with its ICC profile; a palette becomes RGB(A), other colour spaces
    RGB.

    Raises:
        UserError: its mode holds no pixels that can be enlarged (as F), or values beyond 16 bits.
    """
    name = getattr(image, "filename", "") or "image"
    profile = image.info.get("icc_profile") or None
    if image.width == 0 or image.height == 0:
        raise UserError("an image needs at least one pixel")
    image.load()
    with contextlib.suppress(Exception):  # broken EXIF raises its own, and the first time alone
        image.getexif()
    upright = ImageOps.exif_transpose(image)
    if image.mode in _DEEP:
        values = np.asarray(upright)
        if values.min() < 0 or values.max() > 65535:
            raise UserError(
                f"a PIL image of mode {image.mode} must have values from 0 to 65535; this one has values "
                f"from {values.min()} to {values.max()}"
            )
        return Picture(
            name=name, pixels=values.astype(np.uint16)[:, :, None], metadata=Metadata(icc_profile=profile)
        )
    if image.mode not in _GRAY + _COLOR:
        raise UserError(
            f"a PIL image of mode {image.mode} cannot be enlarged; convert it to L, RGB or an array"
        )
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    mode = ("L" if image.mode in _GRAY else "RGB") + ("A" if has_alpha else "")
    pixels = np.asarray(upright if upright.mode == mode else upright.convert(mode))
    return Picture(
        name=name,
        pixels=pixels.reshape(upright.height, upright.width, -1),
        metadata=Metadata(icc_profile=profile if image.mode in _KEEPS_PROFILE else None),
    )


def to_pil(picture: Picture) -> Image.Image:
    """`picture` as L, LA, RGB, RGBA or I;16, with its ICC profile. PIL has no 16-bit colour."""
    pixels = picture.pixels
    if pixels.dtype == np.uint16 and pixels.shape[2] > 1:
        raise UserError("PIL has no 16-bit colour images; use a path or an array")
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
    if picture.metadata.icc_profile is not None:
        image.info["icc_profile"] = picture.metadata.icc_profile
    return image
