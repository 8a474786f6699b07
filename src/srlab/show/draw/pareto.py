"""Quality against each cost; the line joins what nothing cheaper beats."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from srlab.show.draw.canvas import (
    SMALL,
    WIDTHS,
    Size,
    appearance,
    draw_baseline,
    new_figure,
    place_axes,
    style_axes,
)
from srlab.show.draw.colors import Colors
from srlab.show.draw.svg import variant_id
from srlab.verdicts.pareto import front
from srlab.words import count

_PANEL = 250.0  # pixels high, with its words
_FEW_DECADES = 2.5


@dataclass(frozen=True, kw_only=True)
class CostAxis:
    """One cost: its name with the unit, and each variant's, all above zero."""

    name: str
    values: Mapping[str, float]


def draw_pareto(
    axes_of_cost: Sequence[CostAxis],
    scores: Mapping[str, float],
    *,
    metric: str,
    is_lower_better: bool,
    behind: Collection[str],
    bicubic: float | None,
    decimals: int,
    numbers: Mapping[str, int],
    colors: Colors,
    size: Size,
) -> Figure:
    """A panel for each cost, the costs logarithmic, one mark for each variant in its color and shape.

    What is `behind` bicubic, which costs next to nothing, is on no front.
    """
    columns = (2 if len(axes_of_cost) in (1, 2, 4) else 3) if size == "wide" else 1
    rows = max(1, -(-len(axes_of_cost) // max(columns, 1)))
    figure = new_figure(size, rows * _PANEL)
    width = WIDTHS[size] / max(columns, 1)
    for place, cost in enumerate(axes_of_cost):
        row, column = divmod(place, columns)
        axes = place_axes(
            figure,
            left=column * width + 50,
            right=WIDTHS[size] - (column + 1) * width + 18,
            top=row * _PANEL + 26,
            bottom=(rows - row - 1) * _PANEL + 46,
        )
        best = front(
            {name: value for name, value in cost.values.items() if name not in behind},
            scores,
            is_lower_better=is_lower_better,
        )
        _draw(axes, cost, scores, best, numbers, colors)
        if bicubic is not None and isfinite(bicubic):
            draw_baseline(axes, bicubic, colors, decimals=decimals)
        axes.set_title(metric, loc="left", x=0, color=colors["dim"], fontsize=SMALL, pad=8, parse_math=False)
    return figure


def _draw(
    axes: Axes,
    cost: CostAxis,
    scores: Mapping[str, float],
    best: Sequence[str],
    numbers: Mapping[str, int],
    colors: Colors,
) -> None:
    style_axes(axes, colors, grid="both")
    axes.set_xscale("log")
    _ticks(axes, [value for name, value in cost.values.items() if name in scores])
    axes.step(
        [*(cost.values[name] for name in best), axes.get_xlim()[1]] if best else [],
        [*(scores[name] for name in best), *(scores[name] for name in best[-1:])],
        where="post",
        color=colors["axis"],
        linewidth=1.6,
    )
    for name, value in cost.values.items():
        if name not in scores:
            continue
        number = numbers[name]
        color = colors.series(number)
        axes.plot(
            [value],
            [scores[name]],
            marker=appearance(number)[0],
            markersize=9,
            markeredgecolor=color,
            markeredgewidth=1.6,
            markerfacecolor=color if name in best else colors["paper"],
            linestyle="none",
            gid=variant_id(number),
        )
    axes.margins(x=0, y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel(cost.name, color=colors["dim"], fontsize=SMALL, labelpad=6, parse_math=False)


def _round_numbers(low: float, high: float, leading: Sequence[float]) -> list[float]:
    """Those of `leading` times a power of ten that are between `low` and `high`."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    return [found for power in powers for first in leading if low < (found := first * 10.0**power) < high]


def _ticks(axes: Axes, values: Sequence[float]) -> None:
    """Few enough numbers to read, on an axis that spans at least a factor of four."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    middle = (low * high) ** 0.5
    low, high = min(low / 1.35, middle / 2), max(high * 1.35, middle * 2)
    axes.set_xlim(low, high)
    is_short = high / low < 10**_FEW_DECADES
    subs = (1.0, 2.0, 5.0) if is_short else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=subs, numticks=6 if is_short else 5))
    # With fewer than two of its numbers in sight, a LogLocator puts linear steps there, which overlap.
    if len(_round_numbers(low, high, (1.0, 2.0, 5.0))) < 2:
        axes.xaxis.set_major_locator(FixedLocator(_round_numbers(low, high, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: count(value) if value >= 1 else f"{value:g}")
    )
