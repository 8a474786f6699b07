"""What all figures of the report share: two sizes in which one unit is a CSS pixel, and quiet axes."""

import math
import textwrap
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from srlab.show.report.colors import Colors

Size = Literal["wide", "narrow"]
WIDTHS: dict[Size, int] = {"wide": 860, "narrow": 350}
FONT = 12.0
SMALL = 11.0
_INCH = 72  # SVG's units in an inch: so a unit is a pixel where the figure is shown in its own size
_BASELINE = 22.0  # pixels that an axis gets for the number of what lies beyond it
_LEGEND_LINE = 20.0  # pixels
_LETTER = 0.6  # of the font's size: the width of a letter, roughly and rather too much
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")


def new_figure(size: Size, height: float) -> Figure:
    """An empty figure of a size's width, `height` pixels high."""
    return Figure(figsize=(WIDTHS[size] / _INCH, height / _INCH), dpi=_INCH)


def place_axes(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with these margins, in pixels."""
    width, height = (side * _INCH for side in figure.get_size_inches())
    return figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )


def style_axes(axes: Axes, colors: Colors, *, grid: Literal["x", "y", "both"] = "y") -> None:
    """Thin, in the theme's colors, with a grid where values are read off."""
    axes.set_facecolor("none")
    axes.grid(visible=True, axis=grid, color=colors["line"], linewidth=1)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(colors["axis"])
    axes.tick_params(which="both", colors=colors["dim"], labelsize=SMALL, length=0, pad=5)
    axes.tick_params(axis="x", which="major", length=4, color=colors["axis"])
    axes.tick_params(axis="x", which="minor", length=0)


def write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    color: str,
    size: float = FONT,
    align: str = "left",
    bold: bool = False,
) -> None:
    """Text at a place given in the axes' data; no sign in it is taken for mathematics."""
    axes.text(
        x,
        y,
        text,
        color=color,
        fontsize=size,
        ha=align,
        va="center",
        fontweight="bold" if bold else "normal",
        parse_math=False,
    )


def draw_baseline(axes: Axes, value: float, colors: Colors, *, decimals: int = 2) -> None:
    """Bicubic's value as a dashed line; where it lies beyond the axis, its number with an arrow that way.

    The axis is then made a little longer, so that the number stands clear of what is drawn.
    """
    low, high = axes.get_ylim()
    text = f"bicubic {value:.{decimals}f}"
    room = (high - low) * _BASELINE / axes.bbox.height
    if value > high:
        axes.set_ylim(low, high + room)
        text, at, is_below = f"{text} ↑", 1.0, True
    elif value < low:
        axes.set_ylim(low - room, high)
        text, at, is_below = f"{text} ↓", 0.0, False
    else:
        axes.axhline(value, color=colors["dim"], linewidth=1, linestyle=(0, (4, 3)))
        at = (value - low) / (high - low)
        is_below = at > 0.9
    axes.annotate(
        text,
        (1, at),
        xycoords="axes fraction",
        xytext=(-2, -4 if is_below else 4),
        textcoords="offset points",
        ha="right",
        va="top" if is_below else "bottom",
        color=colors["dim"],
        fontsize=SMALL,
    )


def text_width(text: str, size: float = FONT) -> float:
    """Pixels that the longest line of `text` takes, about."""
    return max((len(line) for line in text.split("\n")), default=0) * _LETTER * size


def wrap(text: str, width: float, size: float = FONT) -> list[str]:
    """`text` in lines no wider than `width` pixels; a long name is broken where it must be."""
    letters = max(8, int(width / (_LETTER * size)))
    return textwrap.wrap(text, letters, break_on_hyphens=False) or [""]


def appearance(number: int) -> tuple[str, object]:
    """Marker and dashes of the variant with this place: with the color they tell 32 apart."""
    return MARKERS[number % len(MARKERS)], DASHES[number // 8 % len(DASHES)]


def add_legend(
    figure: Figure, names: Sequence[str], colors: Colors, *, has_lines: bool, has_markers: bool
) -> None:
    """What line and sign each variant has, below a figure that stands alone; the page has its own."""
    width, height = (side * _INCH for side in figure.get_size_inches())
    column = max(text_width(name, SMALL) for name in names) + 40
    per_row = max(1, int(width // column))
    extra = _LEGEND_LINE * math.ceil(len(names) / per_row) + 10
    figure.set_size_inches(width / _INCH, (height + extra) / _INCH)
    for axes in figure.axes:
        left, bottom, wide, high = axes.get_position().bounds
        scale = height / (height + extra)
        axes.set_position((left, (bottom * height + extra) / (height + extra), wide, high * scale))
    for number, name in enumerate(names):
        marker, dashes = appearance(number)
        row, place = divmod(number, per_row)
        y = (extra - 6 - _LEGEND_LINE * (row + 0.5)) / (height + extra)
        left = place * column / width
        figure.add_artist(
            Line2D(
                (left + 6 / width, left + 17 / width, left + 28 / width),
                (y, y, y),
                color=colors.series(number),
                linestyle=dashes if has_lines else "none",  # type: ignore[arg-type]
                linewidth=1.8,
                marker=marker if has_markers else None,
                markersize=6,
                markevery=[1],
            )
        )
        figure.text(
            left + 34 / width, y, name, color=colors["ink"], fontsize=SMALL, va="center", parse_math=False
        )
