"""The second picture: one crop of one scene by the original, bicubic and the best variants."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from srlab.show.pictures.crop import Crop
from srlab.show.pictures.style import DIM, FRAME, INK, plain_style

DPI = 150
MOST_VARIANTS = 6

_CELL = 384  # pixels a crop is drawn in, at most
_NOTE = 37  # pixels above each crop for a score, below its name
_LINE = 25  # pixels a line of a name
_NAME = 10  # points
_LETTER = 0.66  # of its size is a bold letter wide
_SMALL_LETTER = 10.5  # pixels, of the caption
_GAP = 22
_EDGE = 36
_LONGEST = 2.75  # times its height is the widest arrangement of two rows, where there is a choice
_AS_FULL = 0.03  # so much more of it may be empty if that shows the whole picture larger


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
    smoothed. All names are of one size; a long one takes more lines.
    """
    times = max(1, _CELL // crop.side)
    cell = crop.side * times
    names = [wrapped(one.name, int(cell / (_LETTER * _NAME * DPI / 72))) for one in shown]
    above = _NOTE + _LINE * max(name.count("\n") + 1 for name in names)
    grid = arrange(len(shown), shown[0].pixels.shape[:2], cell=cell, above=above)
    head = 66 + 27 * (caption.count("\n") + 1)
    written = max(len(line) for line in caption.split("\n")) * _SMALL_LETTER
    width = 2 * _EDGE + max(grid.columns * (cell + _GAP) - _GAP, round(written), 1178)
    height = head + grid.rows * (cell + above + _GAP) - _GAP + _EDGE

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
            text: str,
            left: int,
            top: int,
            *,
            size: float,
            color: str = INK,
            bold: bool = False,
            align: Literal["top", "baseline"] = "baseline",
        ) -> None:
            figure.text(
                left / width,
                1 - top / height,
                text,
                fontsize=size,
                color=color,
                fontweight="bold" if bold else "normal",
                va=align,
                linespacing=1.35 if align == "top" else 1.1,
            )

        write(title, _EDGE, 46, size=13, bold=True)
        write(caption, _EDGE, 62, size=8.5, color=DIM, align="top")
        write("whole picture, with the crop's frame", _EDGE, head + above - 10, size=8.5, color=DIM)
        place(shown[0].pixels, _EDGE, head + above, grid.whole_width, grid.whole_height, smooth=True)
        for one, name, (row, column) in zip(shown, names, grid.free(), strict=False):
            left, top = _EDGE + column * (cell + _GAP), head + row * (cell + above + _GAP)
            write(name, left, top + above - _NOTE, size=_NAME, bold=True)
            write(one.note, left, top + above - 10, size=8.5, color=DIM)
            place(crop.of(one.pixels), left, top + above, cell, cell, smooth=False)
    return figure


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Places of one crop each, of which the whole picture takes `across` x `down` at the top left.

    The whole picture's size is in pixels.
    """

    rows: int
    columns: int
    across: int
    down: int
    whole_height: int
    whole_width: int

    def free(self) -> list[tuple[int, int]]:
        """Row and column of each place for a crop, as one reads."""
        return [
            (row, column)
            for row in range(self.rows)
            for column in range(self.columns)
            if row >= self.down or column >= self.across
        ]


def arrange(count: int, whole: tuple[int, ...], *, cell: int, above: int) -> Grid:
    """Of the grids for `count` crops of `cell` pixels a side the one that leaves the least empty.

    `whole` is the height and width of the picture that is shown whole, `above` the pixels over every crop.
    Of grids nearly as full as the fullest it is the one with the largest whole picture.
    """
    found: list[tuple[float, Grid]] = []
    for rows, across, down in ((1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2), (2, 3, 2)):
        columns = max(across, -(-(count + across * down) // rows))
        width = columns * (cell + _GAP) - _GAP
        height = rows * (cell + above + _GAP) - _GAP
        tall, wide = _fit(
            whole,
            height=down * (cell + above + _GAP) - _GAP - above,
            width=across * (cell + _GAP) - _GAP,
        )
        used = (tall * wide + count * cell**2) / (width * (height - rows * above))
        is_too_wide = count > 4 if rows == 1 else width > _LONGEST * height
        grid = Grid(rows=rows, columns=columns, across=across, down=down, whole_height=tall, whole_width=wide)
        found.append((used - is_too_wide, grid))
    fullest = max(used for used, _ in found)
    return max(
        (grid for used, grid in found if used >= fullest - _AS_FULL), key=lambda grid: grid.whole_height
    )


def wrapped(name: str, letters: int) -> str:
    """`name` in the fewest lines of at most `letters`, about equally long.

    It is broken after an underscore or a slash, and elsewhere only if a whole line has neither.
    """
    parts = re.findall(r"[^_/]*[_/]|[^_/]+", name)
    fewest = len(_lines(parts, letters))
    shortest = min(letters, max(map(len, parts), default=0))
    tried = (_lines(parts, length) for length in range(shortest, letters + 1))
    return "\n".join(next(lines for lines in tried if len(lines) == fewest))


def _lines(parts: Sequence[str], letters: int) -> list[str]:
    lines = [""]
    for part in parts:
        if len(lines[-1]) + len(part) > letters and lines[-1]:
            lines.append("")
        lines[-1] += part
        while len(lines[-1]) > letters:
            lines[-1:] = [lines[-1][:letters], lines[-1][letters:]]
    return lines


def _fit(size: tuple[int, ...], *, height: int, width: int) -> tuple[int, int]:
    """Height and width of a picture of `size` drawn as large as fits."""
    times = min(height / size[0], width / size[1])
    return max(1, round(size[0] * times)), max(1, round(size[1] * times))
