"""What srlab promises of one picture enlarged in two ways, in tiles of two sizes for example.

A convolution adds up in another order where the shape, the processor or the number of threads is another. So
the floats agree within 1e-5, and a pixel differs by one level at most, and only where its value lies within
1e-5 of the boundary at which it is rounded up.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TOLERANCE = 1e-5  # of values in [0, 1]


def assert_same_floats(found: Tensor, expected: Tensor) -> None:
    """Both are values of the same shape in [0, 1] or not far outside."""
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def assert_same_pixels(found: NDArray[Any], expected: NDArray[Any], *, values: NDArray[Any]) -> None:
    """`found` and `expected` are uint8 or uint16 [H, W] or [H, W, C]; `values` are the floats in [0, 1] from
    which `expected` was rounded."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape == values.shape
    peak = np.iinfo(expected.dtype).max
    apart = np.abs(found.astype(int) - expected.astype(int))
    levels = values.astype(np.float64) * peak
    from_boundary = np.abs(levels - (np.floor(levels) + 0.5))
    assert apart.max(initial=0) <= 1, f"pixels differ by up to {apart.max()} levels"
    wrong = (apart > 0) & (from_boundary > TOLERANCE * peak)
    assert not wrong.any(), (
        f"{wrong.sum()} of {wrong.size} pixels differ far from a rounding boundary, "
        f"by up to {from_boundary[wrong].max() / peak:.1e}"
    )
