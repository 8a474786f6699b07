"""The ranking as a picture: each variant's mean, and a line to the variants that it is not told apart from.

It says what a critical difference diagram says (Demsar, JMLR 7, 2006). There one length holds for all pairs;
here each pair has its own test.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from srlab.show.draw.canvas import (
    FONT,
    SMALL,
    WIDTHS,
    Size,
    new_figure,
    place_axes,
    style_axes,
    text_width,
    wrap,
    write,
)
from srlab.show.draw.colors import Colors

_ROW = 24.0  # pixels
_LINE = 15.0  # from line to line of a name
_AXIS = 46.0
_TOP = 8.0


@dataclass(frozen=True, kw_only=True)
class RankedMean:
    """A variant: its mean, and the means of those that share a place with it, or are shown to be equal."""

    label: str
    mean: float
    tied: tuple[float, ...]
    equal: tuple[float, ...]
    reading: str


def draw_ranking(rows: Sequence[RankedMean], *, colors: Colors, size: Size, axis_name: str) -> Figure:
    """Rows in the order given, the best on top. On a narrow page a name stands above its line."""
    width = WIDTHS[size]
    right = max(text_width(row.reading, SMALL) for row in rows) + 14
    if size == "wide":
        left = min(340.0, max(text_width(row.label) for row in rows)) + 16
        names = [wrap(row.label, left - 16) for row in rows]
        heights = [max(_ROW, len(found) * _LINE + 6) for found in names]
    else:
        left = 14.0
        names = [wrap(row.label, width - 10) for row in rows]
        heights = [len(found) * _LINE + _ROW for found in names]
    total = sum(heights)
    figure = new_figure(size, total + _AXIS + _TOP)
    axes = place_axes(figure, left=left, right=right, top=_TOP, bottom=_AXIS)
    style_axes(axes, colors, grid="x")
    axes.set_ylim(total, 0)
    axes.set_yticks([])
    means = [row.mean for row in rows]
    margin = 0.06 * ((max(means) - min(means)) or 1.0)
    low, high = min(means) - margin, max(means) + margin
    axes.set_xlim(low, high)
    unit = (high - low) / (width - left - right)  # of the axis, in a pixel
    top = 0.0
    for row, name, height in zip(rows, names, heights, strict=True):
        middle = top + (height / 2 if size == "wide" else height - _ROW / 2)
        first = middle - (len(name) - 1) / 2 * _LINE if size == "wide" else top + _LINE / 2 + 2
        for number, line in enumerate(name):
            write(axes, low - left * unit, first + number * _LINE, line, color=colors["ink"], size=FONT)
        write(axes, high + right * unit, middle, row.reading, color=colors["dim"], size=SMALL, align="right")
        for others, color, thickness in ((row.tied, "axis", 2.0), (row.equal, "accent", 4.0)):
            if others:
                ends = (min(row.mean, *others), max(row.mean, *others))
                axes.plot(ends, (middle, middle), color=colors[color], linewidth=thickness, zorder=2)
        axes.plot(
            [row.mean], [middle], marker="o", markersize=8, color=colors["ink"], zorder=3, clip_on=False
        )
        top += height
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7 if size == "wide" else 5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel(axis_name, color=colors["dim"], fontsize=SMALL, labelpad=6, parse_math=False)
    return figure
