"""16 bits a channel in colour, which Pillow reads by its upper bytes only. OpenCV reads them whole."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # that are compared at a time


def decode_16_bit(
    data: bytes, upper: NDArray[np.uint8], *, turn: Callable[[NDArray[Any]], NDArray[Any]]
) -> NDArray[np.uint16] | None:
    """The 16-bit pixels [H, W, C] of a colour file, upright; None if OpenCV cannot read it so.

    `upper` [H, W, C] are the upper bytes of the upright picture, as Pillow reads them: OpenCV turns some
    formats upright and others not, and swaps channels, so what it gives is only believed where its upper
    bytes are these. `turn` makes upright what lies as in the file.
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
    for candidate in (pixels, turn(pixels)):
        if candidate.shape == upper.shape and all(
            np.array_equal(candidate[top : top + _ROWS] >> 8, upper[top : top + _ROWS])
            for top in range(0, len(upper), _ROWS)
        ):
            return np.ascontiguousarray(candidate)
    return None
