"""What all figures share: one style, quiet axes, sizes in which a unit is a pixel, and how they are saved."""

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from srlab.files import write_bytes
from srlab.show.draw.colors import FOR_PAPERS, Colors
from srlab.show.draw.crop import Crop

Size = Literal["wide", "narrow"]
WIDTHS: dict[Size, int] = {"wide": 860, "narrow": 350}
FONT = 12.0
SMALL = 11.0
TINY = 9.0  # in a picture, whose units are larger
_INCH = 72  # SVG's units in an inch: so a unit is a pixel where the figure is shown in its own size
_BASELINE = 22.0  # pixels that an axis gets for the number of what lies beyond it
_LEGEND_LINE = 20.0  # pixels
_SMALLEST_SPAN = 0.5  # dB: less is not blown up to fill the axis
_LARGEST_SPAN = 8.0  # dB
_MOST_PIXELS = 60_000  # a side; matplotlib ends at 65,535
_LETTER = 0.6  # of the font's size: the width of a letter, roughly and rather too much
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")


@contextmanager
def plain_style() -> Iterator[None]:
    """matplotlib's own settings, whatever the user's are, with ours on top; undone afterwards."""
    settings: dict[Any, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 9.0,
        "figure.facecolor": FOR_PAPERS["paper"],
        "axes.labelcolor": FOR_PAPERS["dim"],
        "axes.formatter.useoffset": False,
        "svg.hashsalt": "srlab",
        "svg.fonttype": "none",
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        with mpl.rc_context(settings):
            yield


def save_figure(figure: Figure, path: Path, *, dpi: float = 130) -> None:
    """Write a figure as PNG or SVG, by `path`'s suffix, whole or not at all.

    A very long one has fewer than `dpi` pixels an inch.
    """
    dpi = min(dpi, _MOST_PIXELS / max(figure.get_size_inches()))
    format_ = path.suffix[1:]
    metadata = {"Date": None} if format_ == "svg" else None  # the same scores give the same file

    drawn = io.BytesIO()
    with plain_style():
        figure.savefig(drawn, format=format_, dpi=dpi, metadata=metadata)
    write_bytes(path, drawn.getvalue())


def write_head(figure: Figure, title: str, caption: str) -> None:
    """What a picture is, and how to read it, at its top: 0.5 inches, and 0.17 for a line of the caption."""
    width, height = figure.get_size_inches()
    ink, dim, left = FOR_PAPERS["ink"], FOR_PAPERS["dim"], 0.2 / width
    figure.text(left, 1 - 0.35 / height, title, fontsize=13, fontweight="bold", color=ink)
    top = 1 - 0.48 / height
    figure.text(left, top, caption, fontsize=8.5, color=dim, va="top", linespacing=1.35)


class Sheet:
    """A figure on which pictures and words are laid out in pixels, from the top left."""

    def __init__(self, width: float, height: float, *, dpi: float) -> None:
        self._width, self._height = width, height
        self.figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)

    def write(self, text: str, left: float, bottom: float, *, size: float = 8.5, bold: bool = False) -> None:
        """Words whose last line stands at `bottom`: names bold, all else dim."""
        self.figure.text(
            left / self._width,
            1 - bottom / self._height,
            text,
            fontsize=size,
            color=FOR_PAPERS["ink" if bold else "dim"],
            fontweight="bold" if bold else "normal",
            linespacing=1.1,
        )

    def place(
        self,
        pixels: NDArray[Any],
        left: float,
        top: float,
        width: float,
        height: float,
        *,
        frame: Crop | None = None,
    ) -> None:
        """A picture, each pixel as a square; or a whole one, smoothed, with a `frame` around a crop.

        [H, W, 3] in uint8 or [0, 1], or [H, W] in [0, 1] for gray.
        """
        axes = self.figure.add_axes(
            (
                left / self._width,
                1 - (top + height) / self._height,
                width / self._width,
                height / self._height,
            )
        )
        axes.imshow(
            np.asarray(pixels),
            interpolation="nearest" if frame is None else "antialiased",
            aspect="auto",
            cmap="gray",
            vmin=0,
            vmax=1,
        )
        axes.set_axis_off()
        if frame is not None:
            corner = (frame.left - 0.5, frame.top - 0.5)
            color = FOR_PAPERS["frame"]
            axes.add_patch(
                Rectangle(corner, frame.side, frame.side, fill=False, edgecolor=color, linewidth=2)
            )


def new_figure(size: Size, height: float) -> Figure:
    """An empty figure of a size's width, `height` pixels high."""
    return Figure(figsize=(WIDTHS[size] / _INCH, height / _INCH), dpi=_INCH)


def place_axes(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with these margins, in pixels."""
    width, height = (side * _INCH for side in figure.get_size_inches())
    return figure.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    )


def style_axes(
    axes: Axes, colors: Colors, *, grid: Literal["x", "y", "both"] = "y", size: float = SMALL
) -> None:
    """Thin, in the theme's colors, with a grid where values are read off; `size` is that of numbers."""
    axes.set_facecolor("none")
    axes.grid(visible=True, axis=grid, color=colors["line"], linewidth=1)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(colors["axis"])
    axes.tick_params(which="both", colors=colors["dim"], labelsize=size, length=0, pad=5)
    axes.tick_params(axis="x", which="major", length=4, color=colors["axis"])
    axes.tick_params(axis="x", which="minor", length=0)


def name_axes(axes: Axes, colors: Colors, *, x: str, y: str, size: float = SMALL) -> None:
    """Names, the vertical axis's above it, and few round numbers on that one."""
    axes.set_xlabel(x, color=colors["dim"], fontsize=size, labelpad=6)
    axes.set_title(y, loc="left", x=0, color=colors["dim"], fontsize=size, pad=8)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))


def limit_to_typical(axes: Axes, values: Sequence[float], *, ends: Sequence[float]) -> None:
    """From the best down to what is typical; a run that learnt nothing does not flatten the others."""
    best, typical = max(values), sorted(ends)[len(ends) // 2]
    quarter = sorted(values)[len(values) // 4]
    reach = max(3 * (best - typical), best - quarter, _SMALLEST_SPAN)
    low = min(value for value in values if value >= best - min(reach, _LARGEST_SPAN))
    middle, half = (low + best) / 2, max(best - low, _SMALLEST_SPAN) / 2
    axes.set_ylim(middle - 1.12 * half, middle + 1.12 * half)


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
