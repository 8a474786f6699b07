"""Training patches, as pairs: what the network gets, and what it is to make of it."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from srlab.show.draw.canvas import Sheet, plain_style, write_head

_DPI = 100
_CELL = 135  # pixels
_GAP = 8
_HEAD = 76  # for title and caption
_LABEL = 95  # to the left
_EDGE = 20
_NARROWEST = 600


def draw_pairs(lr: NDArray[np.floating], hr: NDArray[np.floating], *, title: str, caption: str) -> Figure:
    """LR [N, H, W, C] above HR [N, sH, sW, C], in [0, 1], each pixel as a square; C is 3, or 1 for gray."""
    width = max(_LABEL + len(lr) * (_CELL + _GAP) + 10, _NARROWEST)
    with plain_style():
        sheet = Sheet(width, _HEAD + 2 * (_CELL + _GAP) + 5, dpi=_DPI)
        write_head(sheet.figure, title, caption)
        for row, (name, patches) in enumerate((("LR", lr), ("HR", hr))):
            top = _HEAD + row * (_CELL + _GAP)
            sheet.write(name, _EDGE, top + _CELL / 2, size=11, bold=True)
            sheet.write(f"{patches.shape[2]} x {patches.shape[1]}", _EDGE, top + _CELL / 2 + 20)
            for column, patch in enumerate(patches):
                pixels = patch if patch.shape[2] == 3 else patch[:, :, 0]
                sheet.place(pixels, _LABEL + column * (_CELL + _GAP), top, _CELL, _CELL)
    return sheet.figure
