"""One crop of one scene by the original, bicubic and the best variants, as a picture or for a narrow page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from srlab.show.draw.canvas import Sheet, plain_style, write_head
from srlab.show.draw.crop import Crop

DPI = 150
MOST_VARIANTS = 6

_CELL = 384  # pixels a crop is drawn in, at most
_NOTE = 37  # pixels above each crop for a score, below its name
_LINE = 25  # pixels a line of a name
_NAME = 10  # points
_LETTER = 0.66  # of its size is a bold letter wide
_SMALL_LETTER = 10.5  # pixels, of the caption
_GAP = 22
_EDGE = 30
_LONGEST = 2.75  # times its height is the widest arrangement of two rows, where there is a choice
_AS_FULL = 0.03  # so much more of it may be empty if that shows the whole picture larger

NARROW_DPI = 96
_NARROW_COLUMNS = 3
_NARROW_CELL = 256
_NARROW_GAP = 14
_NARROW_HEAD = 34
_LABEL = 42  # pixels above a crop: a name and a score


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
    places = arrange(len(shown), shown[0].pixels.shape[:2], cell=cell, above=above)
    head = 78 + 27 * (caption.count("\n") + 1)
    written = max(len(line) for line in caption.split("\n")) * _SMALL_LETTER
    width = 2 * _EDGE + max(places.columns * (cell + _GAP) - _GAP, round(written), 1178)
    height = head + places.rows * (cell + above + _GAP) - _GAP + _EDGE
    with plain_style():
        sheet = Sheet(width, height, dpi=DPI)
        write_head(sheet.figure, title, caption)
        sheet.write("whole picture, with the crop's frame", _EDGE, head + above - 10)
        size = places.whole_width, places.whole_height
        sheet.place(shown[0].pixels, _EDGE, head + above, *size, frame=crop)
        for one, name, (row, column) in zip(shown, names, places.free(), strict=False):
            left, top = _EDGE + column * (cell + _GAP), head + row * (cell + above + _GAP)
            sheet.write(name, left, top + above - _NOTE, size=_NAME, bold=True)
            sheet.write(one.note, left, top + above - 10)
            sheet.place(crop.of(one.pixels), left, top + above, cell, cell)
    return sheet.figure


def draw_narrow(shown: Sequence[Shown], *, crop: Crop, title: str) -> Figure:
    """The same for a narrow page: the first picture whole and small, then each crop, three in a row."""
    times = max(1, _NARROW_CELL // crop.side)
    cell = crop.side * times
    rows = -(-(len(shown) + 1) // _NARROW_COLUMNS)
    width = _NARROW_COLUMNS * cell + (_NARROW_COLUMNS + 1) * _NARROW_GAP
    height = _NARROW_HEAD + rows * (cell + _LABEL + _NARROW_GAP)
    whole = Shown(name="whole", pixels=shown[0].pixels, note=f"{shown[0].name}, with the crop's frame")
    with plain_style():
        sheet = Sheet(width, height, dpi=NARROW_DPI)
        sheet.write(title, _NARROW_GAP, 22, size=12, bold=True)
        for index, one in enumerate((whole, *shown)):
            row, column = divmod(index, _NARROW_COLUMNS)
            left = _NARROW_GAP + column * (cell + _NARROW_GAP)
            top = _NARROW_HEAD + row * (cell + _LABEL + _NARROW_GAP)
            size = min(_NAME, cell / (_LETTER * len(one.name)) * 72 / NARROW_DPI)
            sheet.write(one.name, left, top + 18, size=size, bold=True)
            sheet.write(one.note, left, top + 35)
            if one is whole:
                tall, wide = _fit(one.pixels.shape, height=cell, width=cell)
                sheet.place(one.pixels, left, top + _LABEL, wide, tall, frame=crop)
            else:
                sheet.place(crop.of(one.pixels), left, top + _LABEL, cell, cell)
    return sheet.figure


@dataclass(frozen=True, kw_only=True)
class Places:
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


def arrange(count: int, whole: tuple[int, ...], *, cell: int, above: int) -> Places:
    """Of the grids for `count` crops of `cell` pixels a side the one that leaves the least empty.

    `whole` is the height and width of the picture that is shown whole, `above` the pixels over every crop.
    Of grids nearly as full as the fullest it is the one with the largest whole picture.
    """
    found: list[tuple[float, Places]] = []
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
        places = Places(
            rows=rows, columns=columns, across=across, down=down, whole_height=tall, whole_width=wide
        )
        found.append((used - is_too_wide, places))
    fullest = max(used for used, _ in found)
    return max(
        (places for used, places in found if used >= fullest - _AS_FULL),
        key=lambda places: places.whole_height,
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
