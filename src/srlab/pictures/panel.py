"""The second picture: one crop of one scene by the original, bicubic and the best variants."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from srlab.pictures.crop import Crop
from srlab.pictures.style import DIM, FRAME, INK, plain_style

DPI = 150
MOST_VARIANTS = 6

_CELL = 384  # pixels a crop is drawn in, at most
_TITLE = 62  # pixels above each crop: a name and a score
_GAP = 22
_EDGE = 36


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One picture of the panel: whole, uint8 [H, W, 3]; `note` stands below its name."""

    name: str
    pixels: NDArray[np.uint8]
    note: str = ""


def draw_panel(shown: Sequence[Shown], *, crop: Crop, title: str, caption: str) -> Figure:
    """`crop` of every picture, each pixel as a square, beside the first picture whole with a frame around the
    crop.

    The figure is laid out in pixels at `DPI`, and a crop's pixel is a whole number of them: nothing is
    smoothed.
    """
    columns = len(shown) if len(shown) <= 4 else -(-len(shown) // 2)
    rows = -(-len(shown) // columns)
    times = max(1, _CELL // crop.side)
    cell = crop.side * times
    grid_height = rows * (cell + _TITLE) + (rows - 1) * _GAP
    whole_height, whole_width = _fit(
        shown[0].pixels.shape[:2], height=grid_height - _TITLE, width=max(2 * cell, 560)
    )
    head = 66 + 27 * (caption.count("\n") + 1)
    width = max(2 * _EDGE + whole_width + 2 * _GAP + columns * cell + (columns - 1) * _GAP, 1250)
    height = head + grid_height + _EDGE

    with plain_style():
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)

        def place(pixels: NDArray[np.uint8], left: int, top: int, w: int, h: int, *, smooth: bool) -> None:
            axes = figure.add_axes((left / width, 1 - (top + h) / height, w / width, h / height))
            axes.imshow(pixels, interpolation="antialiased" if smooth else "nearest", aspect="auto")
            axes.set_axis_off()
            if smooth:
                frame = Rectangle(
                    (crop.left - 0.5, crop.top - 0.5),
                    crop.side,
                    crop.side,
                    fill=False,
                    edgecolor=FRAME,
                    linewidth=2,
                )
                axes.add_patch(frame)

        def write(
            text: str, left: int, top: int, *, size: float, color: str = INK, bold: bool = False
        ) -> None:
            figure.text(
                left / width,
                1 - top / height,
                text,
                fontsize=size,
                color=color,
                fontweight="bold" if bold else "normal",
                va="top" if "\n" in text else "baseline",
                linespacing=1.35,
            )

        write(title, _EDGE, 46, size=13, bold=True)
        write(caption, _EDGE, 62, size=8.5, color=DIM)
        write("whole picture, with the crop's frame", _EDGE, head + _TITLE - 10, size=8.5, color=DIM)
        place(shown[0].pixels, _EDGE, head + _TITLE, whole_width, whole_height, smooth=True)
        for index, one in enumerate(shown):
            row, column = divmod(index, columns)
            left = _EDGE + whole_width + 2 * _GAP + column * (cell + _GAP)
            top = head + row * (cell + _TITLE + _GAP)
            write(one.name, left, top + 24, size=_name_size(one.name, cell), bold=True)
            write(one.note, left, top + _TITLE - 10, size=8.5, color=DIM)
            place(crop.of(one.pixels), left, top + _TITLE, cell, cell, smooth=False)
    return figure


def _fit(size: tuple[int, ...], *, height: int, width: int) -> tuple[int, int]:
    """Height and width of a picture of `size` drawn as large as fits."""
    times = min(height / size[0], width / size[1])
    return max(1, round(size[0] * times)), max(1, round(size[1] * times))


def _name_size(name: str, cell: int) -> float:
    """Points in which `name`, bold, is no wider than its crop."""
    return max(5.5, min(10, cell / (0.66 * max(len(name), 1)) * 72 / DPI))
