"""Forest plots: an estimate and its interval in each row, around the line where there is no difference."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srlab.show.draw.canvas import SMALL, Size, write
from srlab.show.draw.colors import Colors
from srlab.show.draw.rows import make_rows
from srlab.verdicts import Interval, Outcome

_GAP = 13.0  # pixels between rows
_BAND = 8.0  # above and below an interval: what the line of no difference takes of a narrow page
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
    is_wide = size == "wide"
    made = make_rows(
        [row.label for row in rows],
        [row.reading for row in rows],
        below=[_GAP if row.is_heading else _GAP + 34 for row in rows],
        beside=_GAP,
        top=10.0,
        colors=colors,
        size=size,
    )
    axes = made.axes
    axes.grid(visible=is_wide, axis="x")  # on a narrow page it would cross the words
    low, high = _limits(rows)
    made.limit(low, high, axis_name, colors=colors, size=size)
    left, right = made.edges
    if band is not None:
        axes.axvspan(max(-band, low), min(band, high), color=colors["soft"], linewidth=0, zorder=0)
    if is_wide:
        axes.axvline(0, color=colors["axis"], linewidth=1.2)
    top = 0.0
    for number, (row, height) in enumerate(zip(rows, made.heights, strict=True)):
        middle = top + height / 2
        if is_wide:
            made.write_name(number, middle, color=colors["ink"], bold=row.is_heading)
            write(axes, right, middle, row.reading, color=colors["dim"], size=SMALL, align="right")
        else:
            name = made.height_of_name(number)
            made.write_name(number, top + _GAP / 2 + name / 2, color=colors["ink"], bold=row.is_heading)
            middle = top + _GAP / 2 + name + 9
            write(axes, left, middle + 15, row.reading, color=colors["dim"], size=SMALL)
            if not row.is_heading:  # between the words, never through them
                sides = (middle - _BAND, middle + _BAND)
                axes.plot((0, 0), sides, color=colors["axis"], linewidth=1.2, zorder=1)
        if row.estimate is not None:
            _interval(axes, row, row.estimate, middle, low, high, colors)
        top += height
    return made.figure


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
