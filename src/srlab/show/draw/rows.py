"""Figures with a row for each name: the name to the left of its line, or above it on a narrow page."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
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

_LINE = 15.0  # pixels from line to line of a name
_WIDEST_NAME = 340.0
_AXIS = 46.0  # below the rows: numbers and the axis's name


@dataclass(frozen=True, kw_only=True)
class Rows:
    """An empty figure of rows, from the top. `names` are in lines, `heights` and margins in pixels."""

    figure: Figure
    axes: Axes
    names: Sequence[Sequence[str]]
    heights: Sequence[float]
    left: float
    right: float
    width: float

    def limit(self, low: float, high: float, axis_name: str, *, colors: Colors, size: Size) -> None:
        """The axis from `low` to `high`; before anything is written beside it."""
        self.axes.set_xlim(low, high)
        self.axes.xaxis.set_major_locator(
            MaxNLocator(nbins=7 if size == "wide" else 5, steps=[1, 2, 2.5, 5, 10])
        )
        self.axes.set_xlabel(axis_name, color=colors["dim"], fontsize=SMALL, labelpad=6, parse_math=False)

    @property
    def edges(self) -> tuple[float, float]:
        """The page's left and right edge on the axis."""
        low, high = self.axes.get_xlim()
        unit = (high - low) / (self.width - self.left - self.right)  # of the axis, in a pixel
        return low - self.left * unit, high + self.right * unit

    def write_name(self, number: int, middle: float, *, color: str, bold: bool = False) -> None:
        """The name of a row, its lines around `middle`."""
        lines = self.names[number]
        for place, line in enumerate(lines):
            y = middle + (place - (len(lines) - 1) / 2) * _LINE
            write(self.axes, self.edges[0], y, line, color=color, size=FONT, bold=bold)

    def height_of_name(self, number: int) -> float:
        """In pixels."""
        return len(self.names[number]) * _LINE


def make_rows(
    labels: Sequence[str],
    readings: Sequence[str],
    *,
    below: Sequence[float],
    beside: float,
    top: float,
    colors: Colors,
    size: Size,
) -> Rows:
    """Rows of names and, on the right of a wide page, readings.

    A row has `beside` pixels more than its name on a wide page, and `below` it so many on a narrow one.
    """
    width = WIDTHS[size]
    if size == "wide":
        left = min(_WIDEST_NAME, max(map(text_width, labels), default=0.0)) + 16
        right = max((text_width(reading, SMALL) for reading in readings), default=0.0) + 14
        names = [wrap(label, left - 16) for label in labels]
        heights = [len(name) * _LINE + beside for name in names]
    else:
        left = right = 14.0
        names = [wrap(label, width - 10) for label in labels]
        heights = [len(name) * _LINE + room for name, room in zip(names, below, strict=True)]
    figure = new_figure(size, sum(heights) + _AXIS + top)
    axes = place_axes(figure, left=left, right=right, top=top, bottom=_AXIS)
    style_axes(axes, colors, grid="x")
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks([])
    return Rows(figure=figure, axes=axes, names=names, heights=heights, left=left, right=right, width=width)
