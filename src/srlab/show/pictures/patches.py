"""Training patches, as pairs: what the network gets, and what it is to make of it."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from srlab.show.pictures.style import DIM, INK, plain_style

_CELL = 1.35  # inches
_GAP = 0.08
_HEAD = 0.72  # for title and caption
_LABEL = 0.95  # to the left


def draw_pairs(lr: NDArray[np.floating], hr: NDArray[np.floating], *, title: str, caption: str) -> Figure:
    """LR [N, H, W, C] above HR [N, sH, sW, C], in [0, 1], each pixel as a square; C is 3, or 1 for gray."""
    count = len(lr)
    width = max(_LABEL + count * (_CELL + _GAP) + 0.1, 6.0)
    height = _HEAD + 2 * (_CELL + _GAP) + 0.05
    with plain_style():
        figure = Figure(figsize=(width, height))
        for row, (name, patches) in enumerate((("LR", lr), ("HR", hr))):
            bottom = height - _HEAD - (row + 1) * (_CELL + _GAP)
            size = f"{patches.shape[2]} x {patches.shape[1]}"
            middle = (bottom + _CELL / 2) / height
            figure.text(0.15 / width, middle, name, fontsize=11, fontweight="bold", color=INK)
            figure.text(0.15 / width, middle - 0.2 / height, size, fontsize=8.5, color=DIM)
            for column, patch in enumerate(patches):
                left = _LABEL + column * (_CELL + _GAP)
                axes = figure.add_axes((left / width, bottom / height, _CELL / width, _CELL / height))
                pixels = patch if patch.shape[2] == 3 else patch[:, :, 0]
                axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                axes.set_axis_off()
        figure.text(0.15 / width, 1 - 0.3 / height, title, fontsize=12, fontweight="bold", color=INK)
        figure.text(0.15 / width, 1 - 0.52 / height, caption, fontsize=8.5, color=DIM)
    return figure
