"""MATLAB's bicubic imresize once more, from its definition, in fractions: slow, without rounding errors.

And pictures to try it on, made of whole numbers, so that they are the same everywhere.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray


def keys(x: Fraction) -> Fraction:
    """The cubic convolution kernel of Keys (1981), equation 4 with a = -1/2."""
    x = abs(x)
    if x <= 1:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
    if x <= 2:
        return -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2
    return Fraction(0)


def source(index: int, length: int, border: str) -> int:
    """Which input pixel stands at `index`, inside the image or beyond its edge."""
    if border == "replicate":
        return min(max(index, 0), length - 1)
    while not 0 <= index < length:  # mirror at the edge, as often as it takes
        index = -1 - index if index < 0 else 2 * length - 1 - index
    return index


def weights(length: int, new_length: int, border: str) -> list[dict[int, Fraction]]:
    """For each output pixel: input pixel -> weight."""
    scale = Fraction(new_length, length)
    shrink = min(scale, Fraction(1))  # the kernel is widened when shrinking
    rows = []
    for output in range(new_length):
        center = (output + Fraction(1, 2)) / scale - Fraction(1, 2)
        reach = 2 / shrink
        seen = range(math.floor(center - reach), math.ceil(center + reach) + 1)
        values = {index: keys(shrink * (center - index)) for index in seen}
        total = sum(values.values())
        row: dict[int, Fraction] = {}
        for index, value in values.items():
            place = source(index, length, border)
            row[place] = row.get(place, Fraction(0)) + value / total
        rows.append(row)
    return rows


def matrix(length: int, new_length: int, border: str) -> NDArray[np.float64]:
    """The same as a matrix [new_length, length]."""
    result = np.zeros((new_length, length))
    for output, row in enumerate(weights(length, new_length, border)):
        for index, weight in row.items():
            result[output, index] = float(weight)
    return result


def exact_resize_uint8(image: NDArray[np.uint8], size: tuple[int, int], border: str) -> NDArray[np.uint8]:
    """Each pass in whole numbers, rounded half up and clipped; the pass that shrinks more comes first."""
    scales = [Fraction(size[axis], image.shape[axis]) for axis in (0, 1)]
    for axis in sorted((0, 1), key=lambda axis: scales[axis]):
        lines = np.moveaxis(image, axis, 0)
        result = np.empty((size[axis], *lines.shape[1:]), np.uint8)
        for output, row in enumerate(weights(len(lines), size[axis], border)):
            unit = math.lcm(*(weight.denominator for weight in row.values()))
            total: Any = sum(
                int(weight * unit) * lines[index].astype(np.int64) for index, weight in row.items()
            )
            result[output] = np.clip((2 * total + unit) // (2 * unit), 0, 255)
        image = np.moveaxis(result, 0, axis)
    return image


def made_picture(height: int, width: int, *, channels: int = 3, seed: int = 1) -> NDArray[np.uint8]:
    """Slopes, stripes, hard edges and noise: uint8 [height, width, channels]."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    noise = (seed + 1) * 2654435761 + y * 40503 + x * 12820163
    noise = (noise ^ (noise >> 13)) * 1274126177 % 2**32
    planes = []
    for channel in range(channels):
        slope = (3 * x + 2 * y + 40 * channel) % 512
        stripes = 60 * ((x * (channel + 1) + y) // 5 % 2)
        disc = 90 * ((x - width // 2) ** 2 + (y - height // 2) ** 2 < (min(height, width) // 3) ** 2)
        grain = (noise >> (8 + channel)) % 24
        planes.append(np.clip(np.abs(slope - 256) // 2 + stripes + disc + grain - 20, 0, 255))
    return np.stack(planes, axis=2).astype(np.uint8)
