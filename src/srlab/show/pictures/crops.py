"""A scene for a narrow page: its crop by each variant, and the whole picture small."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from srlab.show.pictures.crop import Crop
from srlab.show.pictures.panel import Shown
from srlab.show.pictures.style import DIM, FRAME, INK, plain_style

DPI = 96

_COLUMNS = 3
_CELL = 256  # pixels a crop is drawn in, at most
_LABEL = 42  # pixels above it: a name and a score
_GAP = 14
_HEAD = 34
_LETTER = 0.62  # of its size is a bold letter wide


def draw_crops(shown: tuple[Shown, ...], *, crop: Crop, title: str) -> Figure:
    """The first picture whole, with the crop's frame, then `crop` of every picture, each pixel as a square.

    Laid out in pixels at `DPI`, so that nothing is smoothed but the whole picture.
    """
    times = max(1, _CELL // crop.side)
    cell = crop.side * times
    rows = -(-(len(shown) + 1) // _COLUMNS)
    width = _COLUMNS * cell + (_COLUMNS + 1) * _GAP
    height = _HEAD + rows * (cell + _LABEL + _GAP)
    with plain_style():
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)

        def place(index: int, name: str, note: str, pixels: NDArray[np.uint8], *, is_whole: bool) -> None:
            row, column = divmod(index, _COLUMNS)
            left, top = _GAP + column * (cell + _GAP), _HEAD + row * (cell + _LABEL + _GAP)
            size = min(10.0, cell / (_LETTER * len(name)) * 72 / DPI)
            figure.text(
                left / width, 1 - (top + 18) / height, name, fontsize=size, fontweight="bold", color=INK
            )
            figure.text(left / width, 1 - (top + 35) / height, note, fontsize=8.5, color=DIM)
            tall, wide = pixels.shape[:2]
            part = cell / max(tall, wide)
            h, w = round(tall * part), round(wide * part)
            bottom = 1 - (top + _LABEL + h) / height
            axes = figure.add_axes((left / width, bottom, w / width, h / height))
            axes.imshow(pixels, interpolation="antialiased" if is_whole else "nearest", aspect="auto")
            axes.set_axis_off()
            if is_whole:
                corner = (crop.left - 0.5, crop.top - 0.5)
                axes.add_patch(
                    Rectangle(corner, crop.side, crop.side, fill=False, edgecolor=FRAME, linewidth=1.5)
                )

        figure.text(_GAP / width, 1 - 22 / height, title, fontsize=12, fontweight="bold", color=INK)
        place(0, "whole", f"{shown[0].name}, with the crop's frame", shown[0].pixels, is_whole=True)
        for index, one in enumerate(shown, start=1):
            place(index, one.name, one.note, crop.of(one.pixels), is_whole=False)
    return figure
