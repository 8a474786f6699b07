"""Forest plots: an estimate and its interval in each row, around the line where there is no difference."""

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
from srlab.verdicts import Interval, Outcome

_LINE = 15.0  # pixels from line to line of a label
_GAP = 13.0  # between rows
_BAND = 8.0  # above and below an interval: what the line of no difference takes of a narrow page
_AXIS = 46.0  # below the rows: numbers and the axis's name
_TOP = 10.0
_COLORS: dict[Outcome, str] = {"better": "better", "worse": "worse", "equal": "accent", "undecided": "dim"}


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """One row; `reading` are its numbers in words. Without an estimate nothing is drawn in it."""

    label: str
    estimate: float | None = None
    interval: Interval | None = None
    outcome: Outcome = "undecided"
    reading: str = ""
    is_heading: bool = False


def draw_forest(
    rows: Sequence[ForestRow], *, colors: Colors, size: Size, axis_name: str, band: float | None = None
) -> Figure:
    """Rows from the top; what is decided stands out by color and fill.

    `band` shades the differences that count as equal, which are smaller than that. On a narrow page a row's
    words are above its interval, on a wide one beside it.
    """
    width = WIDTHS[size]
    readings = max((text_width(row.reading, SMALL) for row in rows), default=0)
    if size == "wide":
        left = min(340.0, max((text_width(row.label) for row in rows), default=0)) + 16
        right = readings + 14
        lines = [wrap(row.label, left - 16) for row in rows]
        heights = [len(found) * _LINE + _GAP for found in lines]
    else:
        left, right = 14.0, 14.0
        lines = [wrap(row.label, width - 10) for row in rows]
        heights = [
            len(found) * _LINE + (_GAP if row.is_heading else _GAP + 34)
            for found, row in zip(lines, rows, strict=True)
        ]
    total = sum(heights)
    figure = new_figure(size, total + _AXIS + _TOP)
    axes = place_axes(figure, left=left, right=right, top=_TOP, bottom=_AXIS)
    style_axes(axes, colors, grid="x")
    axes.grid(visible=size == "wide", axis="x")  # on a narrow page it would cross the words
    axes.set_ylim(total, 0)
    axes.set_yticks([])
    low, high = _limits(rows)
    axes.set_xlim(low, high)
    if band is not None:
        axes.axvspan(max(-band, low), min(band, high), color=colors["soft"], linewidth=0, zorder=0)
    if size == "wide":
        axes.axvline(0, color=colors["axis"], linewidth=1.2)
    unit = (high - low) / (width - left - right)  # of the axis, in a pixel
    top = 0.0
    for row, label, height in zip(rows, lines, heights, strict=True):
        middle = top + height / 2
        if size == "wide":
            _label(axes, low - left * unit, middle, label, row, colors)
            write(
                axes, high + right * unit, middle, row.reading, color=colors["dim"], size=SMALL, align="right"
            )
        else:
            words = top + _GAP / 2 + len(label) * _LINE / 2
            _label(axes, low - left * unit, words, label, row, colors)
            middle = top + _GAP / 2 + len(label) * _LINE + 9
            below = low - left * unit
            write(axes, below, middle + 15, row.reading, color=colors["dim"], size=SMALL)
            if not row.is_heading:  # between the words, never through them
                sides = (middle - _BAND, middle + _BAND)
                axes.plot((0, 0), sides, color=colors["axis"], linewidth=1.2, zorder=1)
        if row.estimate is not None:
            _interval(axes, row, row.estimate, middle, low, high, colors)
        top += height
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7 if size == "wide" else 5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel(axis_name, color=colors["dim"], fontsize=SMALL, labelpad=6, parse_math=False)
    return figure


def _limits(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """From the estimates, a good part of their intervals, and zero: a very wide interval leaves the axis."""
    estimates = [row.estimate for row in rows if row.estimate is not None] or [0.0]
    reach = max(max(map(abs, estimates)), 1e-4)
    low, high = min(0.0, *estimates), max(0.0, *estimates)
    for row in rows:
        if row.interval is not None and row.estimate is not None:
            low = min(low, max(row.interval.low, row.estimate - 2 * reach))
            high = max(high, min(row.interval.high, row.estimate + 2 * reach))
    margin = 0.06 * (high - low or reach)
    return low - margin, high + margin


def _label(axes: Axes, x: float, y: float, lines: Sequence[str], row: ForestRow, colors: Colors) -> None:
    for number, line in enumerate(lines):
        offset = (number - (len(lines) - 1) / 2) * _LINE
        write(axes, x, y + offset, line, color=colors["ink"], size=FONT, bold=row.is_heading)


def _interval(
    axes: Axes, row: ForestRow, estimate: float, y: float, low: float, high: float, colors: Colors
) -> None:
    color = colors[_COLORS[row.outcome]]
    is_sure = row.outcome != "undecided"
    if row.interval is not None:
        ends = max(row.interval.low, low), min(row.interval.high, high)
        axes.plot(ends, (y, y), color=color, linewidth=2.0, solid_capstyle="butt")
        for end, beyond, marker in (
            (ends[0], row.interval.low < low, "<"),
            (ends[1], row.interval.high > high, ">"),
        ):
            axes.plot(
                [end],
                [y],
                color=color,
                marker=marker if beyond else "|",
                markersize=6,
                markeredgewidth=1.6,
                clip_on=False,
            )
    axes.plot(
        [estimate],
        [y],
        marker="o",
        markersize=8.5,
        markeredgewidth=1.8,
        markeredgecolor=color,
        markerfacecolor=color if is_sure else colors["paper"],
        linestyle="none",
        clip_on=False,
    )
