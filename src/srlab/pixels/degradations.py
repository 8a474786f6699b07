"""HR -> LR of a whole picture, in one place, so that training and evaluation cannot differ.

Both published protocols make LR with MATLAB's bicubic; they differ in what is made smaller and in the
rounding (`srlab.declare.protocol`). HR must have been cropped to a multiple of the scale
(`srlab.pixels.images.crop_to_multiple`).
"""

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from srlab.pixels.border import Border
from srlab.pixels.color import luma_uint8
from srlab.pixels.images import HRImage
from srlab.pixels.resize import resize, resize_uint8

_CPU = torch.device("cpu")


def degrade(
    hr: NDArray[np.uint8], *, scale: int, border: Border = "replicate", device: torch.device = _CPU
) -> NDArray[np.uint8]:
    """LR [H, W, 3] of HR [sH, sW, 3], both uint8: MATLAB's ``imresize`` of a uint8 picture, bit by bit.

    It is the same on any `device` that has float64.
    """
    return resize_uint8(hr, size=_lr_size(hr, scale), border=border, device=device)


def degrade_luma(hr: NDArray[np.uint8], *, scale: int, border: Border = "replicate") -> NDArray[np.float32]:
    """LR [H, W] in [0, 1] (that is, Y / 255, not rounded) of the uint8 luma [sH, sW] of an HR picture.

    The kernel overshoots at edges, so a value can lie a little outside what uint8 luma could hold.
    """
    levels = torch.from_numpy(np.ascontiguousarray(hr)).to(torch.float64)
    small = resize(levels, size=_lr_size(hr, scale), border=border)
    return np.asarray((small / 255).to(torch.float32).numpy())


def luma_plane(image: HRImage) -> NDArray[np.uint8]:
    """Y [H, W] of a picture as uint8: BT.601 of a colour picture, a gray picture's own values."""
    return np.ascontiguousarray(image.pixels[..., 0]) if image.is_gray else luma_uint8(image.pixels)


def jpeg_noise(lr: NDArray[np.uint8], *, quality: int) -> NDArray[np.uint8]:
    """`lr` [H, W, 3] or [H, W] after JPEG compression at `quality` (1 to 95), same shape.

    Pillow's defaults: colour with chroma at half resolution, luma as a gray JPEG.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(lr)).save(buffer, format="JPEG", quality=quality)
    with Image.open(buffer) as compressed:
        return np.asarray(compressed)


def _lr_size(hr: NDArray[np.uint8], scale: int) -> tuple[int, int]:
    height, width = hr.shape[:2]
    if height % scale or width % scale or not height or not width:
        raise ValueError(f"HR of {height}x{width} is not a multiple of {scale}; crop it first")
    return height // scale, width // scale
