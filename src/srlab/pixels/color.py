"""RGB <-> YCbCr as MATLAB's rgb2ycbcr has it (ITU-R BT.601, "studio swing"), and pixels <-> tensors.

With R, G and B in [0, 1]::

    255 Y  =  16 +  65.481 R + 128.553 G +  24.966 B     in [16, 235]
    255 Cb = 128 -  37.797 R -  74.203 G + 112.000 B     in [16, 240]
    255 Cr = 128 + 112.000 R -  93.786 G -  18.214 B     in [16, 240]
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_TO_YCBCR = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_OFFSET = np.array([16, 128, 128]) / 255
_TO_RGB = np.linalg.inv(_TO_YCBCR)


def rgb_to_ycbcr(rgb: Tensor) -> Tensor:
    """RGB [..., 3, H, W] in [0, 1] -> YCbCr of the same shape, Y in [16, 235] / 255.

    Differentiable; bf16 and fp16 are computed in, and give, float32.

    >>> white = torch.ones(3, 1, 1)
    >>> (255 * rgb_to_ycbcr(white)).flatten().round(decimals=3).tolist()
    [235.0, 128.0, 128.0]
    """
    channels = _channels(rgb, "RGB")
    return torch.stack([_weighted(channels, _TO_YCBCR[i]) + float(_OFFSET[i]) for i in range(3)], dim=-3)


def ycbcr_to_rgb(ycbcr: Tensor) -> Tensor:
    """The reverse of `rgb_to_ycbcr`. Not clamped: YCbCr outside RGB's cube gives RGB outside [0, 1]."""
    channels = _channels(ycbcr, "YCbCr")
    centred = [channel - float(offset) for channel, offset in zip(channels, _OFFSET, strict=True)]
    return torch.stack([_weighted(centred, _TO_RGB[i]) for i in range(3)], dim=-3)


def luma(rgb: Tensor) -> Tensor:
    """RGB [..., 3, H, W] in [0, 1] -> Y [..., 1, H, W] in [16, 235] / 255."""
    return (_weighted(_channels(rgb, "RGB"), _TO_YCBCR[0]) + float(_OFFSET[0])).unsqueeze(-3)


def luma_uint8(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB [H, W, 3] -> Y [H, W] in 16..235, rounded half up, as MATLAB's rgb2ycbcr gives for uint8.

    Counted in whole numbers, so that halves are exact.

    >>> luma_uint8(np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)).tolist()
    [[16, 235, 81]]
    """
    r, g, b = (pixels[..., i].astype(np.int32) for i in range(3))
    return (16 + (65481 * r + 128553 * g + 24966 * b + 127500) // 255000).astype(np.uint8)


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Pixels uint8 [H, W, C] -> float32 [C, H, W] in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float().div_(255)


def to_uint8(image: Tensor) -> NDArray[np.uint8]:
    """Tensor [C, H, W] on any device, 1 being white -> pixels uint8 [H, W, C], clipped and rounded half up.

    >>> to_uint8(torch.tensor([-0.1, 0.5, 1.1]).reshape(3, 1, 1)).tolist()
    [[[0, 128, 255]]]
    """
    levels = image.detach().to(torch.promote_types(image.dtype, torch.float32)).mul(255).add_(0.5)
    return np.ascontiguousarray(levels.clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy())


def _channels(image: Tensor, space: str) -> tuple[Tensor, ...]:
    if image.shape[-3] != 3:
        raise ValueError(f"{space} needs 3 channels before H and W; got the shape {tuple(image.shape)}")
    return image.to(torch.promote_types(image.dtype, torch.float32)).unbind(-3)


def _weighted(channels: list[Tensor] | tuple[Tensor, ...], weights: NDArray[np.float64]) -> Tensor:
    first, second, third = channels
    return first * float(weights[0]) + second * float(weights[1]) + third * float(weights[2])
