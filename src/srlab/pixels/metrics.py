"""PSNR, SSIM and GMSD of one picture against another, as their papers and the published tables count them.

PSNR and SSIM are better when they are higher, GMSD when it is lower.

PSNR is in dB, its peak 255: ``10 log10(255^2 / mean squared error)``, infinite for equal pictures. SSIM is
Wang's `ssim_index.m` (Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to
Structural Similarity", IEEE Transactions on Image Processing 13(4), 2004): an 11x11 Gaussian window of sigma
1.5, only where it lies wholly inside, K1 = 0.01, K2 = 0.03, no downsampling; 1 for equal pictures.

GMSD is Xue, Zhang, Mou and Bovik's `GMSD.m` ("Gradient Magnitude Similarity Deviation: A Highly Efficient
Perceptual Image Quality Index", IEEE Transactions on Image Processing 23(2), 2014,
https://arxiv.org/abs/1308.3052): means of 2x2 pixels, gradients by Prewitt's filters, each with zeros beyond
the edge, c = 170, and the sample standard deviation of the similarity of the gradients' lengths. 0 for equal
pictures. It needs no weights. The authors chose c by people's judgements. Their Y goes from 0 to 255; here it
is that of PSNR and SSIM, from 16 to 235, on which the number is 5 to 10 % lower (bicubic, Set5, x4).

Each takes the two pictures in the range 0..255, quantized already, and `border`, the number of pixels to
leave out along each edge. The mean over pictures is the caller's.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srlab.errors import UserError

Pixels = NDArray[Any]  # uint8, or float in the same range

WINDOW_SIZE = 11
_WINDOW = np.exp(-((np.arange(WINDOW_SIZE) - WINDOW_SIZE // 2) ** 2) / (2 * 1.5**2))
_WINDOW /= _WINDOW.sum()
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_GMSD_C = 170.0  # the paper's, for pixels from 0 to 255
_AT_ONCE = 32  # rows and columns: few enough for a core's cache, and for a band matrix of few zeros
_AT_ONCE_ON_GPU = 1024  # few large products
_CPU = torch.device("cpu")


def psnr_y(sr: Pixels, hr: Pixels, *, border: int) -> float:
    """PSNR in dB on Y of RGB pictures uint8 [H, W, 3], not rounded, or on planes [H, W] as they are.

    >>> hr = np.zeros((4, 4), np.uint8)
    >>> round(psnr_y(hr + 1, hr, border=0), 4)  # 20 log10(255)
    48.1308
    >>> psnr_y(hr, hr, border=1)
    inf
    """
    return _psnr(*_cropped(to_plane(sr), to_plane(hr), border))


def ssim_y(sr: Pixels, hr: Pixels, *, border: int, device: torch.device = _CPU) -> float:
    """SSIM on Y of RGB pictures uint8 [H, W, 3], not rounded, or on planes [H, W] as they are.

    In float64 on any `device`.

    Two constant planes leave only the first factor, ``(2 a b + C1) / (a^2 + b^2 + C1)``:

    >>> hr = np.full((11, 11), 100, np.uint8)
    >>> round(ssim_y(2 * hr, hr, border=0), 6), round((40000 + 6.5025) / (50000 + 6.5025), 6)
    (0.800026, 0.800026)
    """
    return _ssim(*_cropped(to_plane(sr), to_plane(hr), border), device)


def gmsd_y(sr: Pixels, hr: Pixels, *, border: int) -> float:
    """GMSD on Y of RGB pictures uint8 [H, W, 3], not rounded, or on planes [H, W] as they are.

    It needs more than two pixels a side inside the border.

    >>> hr = np.array([[0, 0, 90, 90]] * 4, np.uint8)
    >>> gmsd_y(hr, hr, border=0)
    0.0
    >>> gmsd_y(hr // 2, hr, border=0) > 0
    True
    """
    return _gmsd(*_cropped(to_plane(sr), to_plane(hr), border))


def psnr_rgb(sr: Pixels, hr: Pixels, *, border: int) -> float:
    """PSNR in dB on pictures [H, W, 3]; the error is averaged over pixels and channels."""
    return _psnr(*_cropped(_rgb(sr), _rgb(hr), border))


def ssim_rgb(sr: Pixels, hr: Pixels, *, border: int, device: torch.device = _CPU) -> float:
    """SSIM on pictures [H, W, 3]: the mean over the three channels. In float64 on any `device`."""
    sr, hr = _cropped(_rgb(sr), _rgb(hr), border)
    return sum(_ssim(sr[:, :, channel], hr[:, :, channel], device) for channel in range(3)) / 3


def to_plane(picture: Pixels) -> Pixels:
    """Y of an RGB picture uint8 [H, W, 3] as float64 [H, W], in [16, 235], not rounded; a plane as it is."""
    if picture.ndim == 2:
        return picture
    r, g, b = (_rgb(picture)[:, :, channel] for channel in range(3))
    return 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255


def _rgb(picture: Pixels) -> Pixels:
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"an RGB picture is [H, W, 3], not {list(picture.shape)}")
    return picture


def _cropped(sr: Pixels, hr: Pixels, border: int) -> tuple[Pixels, Pixels]:
    if sr.shape != hr.shape:
        raise ValueError(f"the pictures differ in size: {list(sr.shape)} against {list(hr.shape)}")
    height, width = hr.shape[:2]
    if border < 0 or min(height, width) <= 2 * border:
        raise UserError(
            f"no pixel of an image of {width}x{height} pixels is left without {border} pixels along each edge"
        )
    inside = slice(border, height - border), slice(border, width - border)
    return sr[inside], hr[inside]


def _psnr(sr: Pixels, hr: Pixels) -> float:
    error = float(np.mean(np.square(np.subtract(sr, hr, dtype=np.float64))))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _ssim(sr: Pixels, hr: Pixels, device: torch.device) -> float:
    height, width = (side - WINDOW_SIZE + 1 for side in hr.shape)
    if min(height, width) < 1:
        raise UserError(
            f"SSIM needs {WINDOW_SIZE}x{WINDOW_SIZE} pixels inside the border that is left out; "
            f"this image has {hr.shape[1]}x{hr.shape[0]}"
        )
    at_once = _AT_ONCE if device.type == "cpu" else _AT_ONCE_ON_GPU
    total = 0.0
    for top in range(0, height, at_once):
        rows = slice(top, min(top + at_once, height) + WINDOW_SIZE - 1)
        planes = (torch.from_numpy(np.array(plane[rows])).to(device, torch.float64) for plane in (sr, hr))
        total += _similarities(*planes, at_once=at_once)
    return total / (height * width)


def _similarities(x: Tensor, y: Tensor, *, at_once: int) -> float:
    """The sum of SSIM over all windows of two planes float64 [H, W]."""
    height, width = x.shape
    maps = torch.stack([x, y, x.square().addcmul_(y, y), x * y], dim=1)  # [H, 4, W]
    maps = torch.mm(_band(height, x.device), maps.view(height, -1)).view(-1, width)
    ends = range(WINDOW_SIZE - 1, width, at_once)
    pieces = [maps[:, end - WINDOW_SIZE + 1 : end + at_once] for end in ends]
    means = torch.cat([torch.mm(piece, _band(piece.shape[1], x.device).T) for piece in pieces], dim=1)
    mean_x, mean_y, mean_squares, mean_product = means.view(-1, 4, means.shape[1]).unbind(1)
    product = mean_x * mean_y
    squares = mean_x.square().addcmul_(mean_y, mean_y)
    covariance = mean_product - product
    variances = mean_squares - squares
    numerator = product.mul_(2).add_(_C1) * covariance.mul_(2).add_(_C2)
    return float(numerator.div_(squares.add_(_C1) * variances.add_(_C2)).sum())


def _gmsd(sr: Pixels, hr: Pixels) -> float:
    if min(hr.shape) <= 2:  # its standard deviation is of at least four similarities
        raise UserError(
            f"GMSD needs 3x3 pixels inside the border that is left out; "
            f"this image has {hr.shape[1]}x{hr.shape[0]}"
        )
    lengths = [_gradient_lengths(np.asarray(plane, np.float64)) for plane in (sr, hr)]
    x, y = lengths
    similarities = (2 * x * y + _GMSD_C) / (x * x + y * y + _GMSD_C)
    return float(np.std(similarities, ddof=1))


def _gradient_lengths(plane: Pixels) -> Pixels:
    """Of a plane float64 [H, W] at half its size, rounded up: [(H + 1) // 2, (W + 1) // 2]."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)))
    half = (even[0::2, 0::2] + even[0::2, 1::2] + even[1::2, 0::2] + even[1::2, 1::2]) / 4
    wide = np.pad(half, 1)
    across = wide[:, 2:] - wide[:, :-2]  # [h + 2, w]
    down = wide[2:] - wide[:-2]  # [h, w + 2]
    lengths: Pixels = np.hypot(
        across[:-2] + across[1:-1] + across[2:], down[:, :-2] + down[:, 1:-1] + down[:, 2:]
    )
    return lengths / 3


@lru_cache(maxsize=128)
def _band(length: int, device: torch.device) -> Tensor:
    """The matrix [length - 10, length] that takes the window's weighted mean: faster than a convolution."""
    band = np.zeros((length - WINDOW_SIZE + 1, length))
    for row in range(len(band)):
        band[row, row : row + WINDOW_SIZE] = _WINDOW
    return torch.from_numpy(band).to(device)
