"""Training curves, and what each variant reaches at each learning rate."""

from collections.abc import Mapping, Sequence
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from srlab.show.report.colors import Colors
from srlab.show.report.plots.canvas import (
    SMALL,
    Size,
    appearance,
    draw_baseline,
    new_figure,
    place_axes,
    style_axes,
    write,
)
from srlab.show.report.svg import variant_id
from srlab.show.report.texts import TIMES, rate
from srlab.verdicts import Curve, RateSensitivity

_SMALLEST_SPAN = 0.5  # dB: less is not blown up to fill the axis
_LARGEST_SPAN = 8.0  # dB
MOST_SEED_LABELS = 20  # more do not fit beside the axes
_SEEDS = 46  # pixels beside the axes, for the seeds
_SEED_LINE = 12.5  # pixels from one seed's number to the next
_EARLY = 0.2  # of the steps: how the first rise looks does not set the axis


def draw_curves(curves: Sequence[Curve], *, numbers: Mapping[str, int], colors: Colors, size: Size) -> Figure:
    """Validation psnr_y over the steps, a line for each run; what is far below the others is cut off.

    The line of a run that has not finished is thin.
    Where a variant has several, each line ends at the number of its seed, if there is room for all of them.
    """
    figure = new_figure(size, 400 if size == "wide" else 330)
    has_seeds = len({curve.variant for curve in curves}) < len(curves) <= MOST_SEED_LABELS
    axes = place_axes(figure, left=52, right=_SEEDS if has_seeds else 14, top=26, bottom=46)
    style_axes(axes, colors)
    for curve in curves:
        number = numbers[curve.variant]
        _, dashes = appearance(number)
        axes.plot(
            curve.steps,
            curve.psnr_y,
            color=colors.series(number),
            linestyle=dashes,
            linewidth=1.8 if curve.is_finished else 0.9,
            marker="o" if len(curve.steps) < 3 else None,
            markersize=4,
            gid=variant_id(number, seed=curve.seed),
        )
    steps = max((curve.steps[-1] for curve in curves), default=0)
    settled = [
        value
        for curve in curves
        for step, value in zip(curve.steps, curve.psnr_y, strict=True)
        if step >= _EARLY * steps
    ]
    if settled:
        _limit(axes, settled, ends=[curve.psnr_y[-1] for curve in curves])
    if has_seeds:
        _label_seeds(axes, curves, numbers, colors)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6 if size == "wide" else 4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _name(axes, colors, x="step", y="validation psnr_y, dB")
    return figure


def _label_seeds(axes: Axes, curves: Sequence[Curve], numbers: Mapping[str, int], colors: Colors) -> None:
    """Right of the axes each curve's seed, in the curve's color, with a thin line to the curve's end."""
    (low, high), (left, right) = axes.get_ylim(), axes.get_xlim()
    axes.set_ylim(low, high)
    axes.set_xlim(left, right)  # what is drawn beside the axes does not move them
    pixel = (right - left) / axes.bbox.width
    by_end = sorted(curves, key=lambda curve: curve.psnr_y[-1])
    ends = [min(max((curve.psnr_y[-1] - low) / (high - low), 0.0), 1.0) for curve in by_end]
    for curve, end, place in zip(by_end, ends, spread(ends, _SEED_LINE / axes.bbox.height), strict=True):
        color, gid = (
            colors.series(numbers[curve.variant]),
            variant_id(numbers[curve.variant], seed=curve.seed),
        )
        x = (curve.steps[-1], right + 16 * pixel)
        y = [low + share * (high - low) for share in (end, place)]
        axes.plot(x, y, color=color, linewidth=0.8, alpha=0.6, clip_on=False, gid=gid)
        axes.text(
            right + 19 * pixel, y[1], str(curve.seed), color=color, fontsize=SMALL, va="center", gid=gid
        )
    above = high + 0.03 * (high - low)
    axes.text(right + 10 * pixel, above, "seed", color=colors["dim"], fontsize=SMALL, va="bottom")


def spread(places: Sequence[float], gap: float) -> list[float]:
    """`places`, ascending, moved as little as it takes to be `gap` apart, and in [0, 1] if there is room.

    >>> [round(place, 2) for place in spread([0.5, 0.5, 0.98], 0.1)]
    [0.5, 0.6, 0.98]
    """
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + gap) if found else place)
    most = 1.0
    for index in range(len(found) - 1, -1, -1):
        found[index] = min(found[index], most)
        most = found[index] - gap
    return found


def draw_rates(
    sensitivities: Sequence[RateSensitivity],
    *,
    numbers: Mapping[str, int],
    bicubic: float | None,
    colors: Colors,
    size: Size,
) -> Figure:
    """Validation psnr_y at each learning rate, a line for each variant; a ring around what was chosen.

    Seeds that diverged are crosses at the foot.
    """
    figure = new_figure(size, 380 if size == "wide" else 330)
    axes = place_axes(figure, left=52, right=20, top=26, bottom=46)
    style_axes(axes, colors)
    axes.set_xscale("log")
    for one in sensitivities:
        number = numbers[one.variant]
        marker, dashes = appearance(number)
        found = sorted((rate_, mean) for rate_, mean in _means(one))
        color = colors.series(number)
        axes.plot(
            [x for x, _ in found],
            [y for _, y in found],
            color=color,
            linestyle=dashes,
            linewidth=1.6,
            marker=marker,
            markersize=6,
            gid=variant_id(number),
        )
        for score in one.rates:
            if score.is_chosen and score.mean is not None and isfinite(score.mean):
                axes.plot(
                    [score.learning_rate],
                    [score.mean],
                    marker="o",
                    markersize=13,
                    markerfacecolor="none",
                    markeredgecolor=color,
                    markeredgewidth=1.4,
                    linestyle="none",
                    gid=variant_id(number),
                )
    known = [mean for one in sensitivities for _, mean in _means(one)]
    if known:
        _limit(axes, known, ends=known)
    if bicubic is not None and known and isfinite(bicubic):
        draw_baseline(axes, bicubic, colors)
    _crosses(axes, sensitivities, numbers, colors)
    rates = sorted({score.learning_rate for one in sensitivities for score in one.rates})
    if rates:
        axes.set_xlim(rates[0] / 1.4, rates[-1] * 1.4)
    axes.xaxis.set_major_locator(FixedLocator(rates))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    _name(axes, colors, x="learning rate (logarithmic)", y="validation psnr_y, dB")
    return figure


def _means(one: RateSensitivity) -> list[tuple[float, float]]:
    """Rates with their means; that of exact copies, whose PSNR is infinite, has no place in a picture."""
    return [
        (score.learning_rate, score.mean)
        for score in one.rates
        if score.mean is not None and isfinite(score.mean)
    ]


def _crosses(
    axes: Axes, sensitivities: Sequence[RateSensitivity], numbers: Mapping[str, int], colors: Colors
) -> None:
    low, high = axes.get_ylim()
    lost = [
        (score.learning_rate, one.variant) for one in sensitivities for score in one.rates if score.diverged
    ]
    at: dict[float, int] = {}
    for learning_rate, variant in lost:
        step = at[learning_rate] = at.get(learning_rate, -1) + 1
        axes.plot(
            [learning_rate * 1.06**step],
            [low + 0.035 * (high - low)],
            marker="x",
            markersize=7,
            markeredgewidth=2,
            color=colors.series(numbers[variant]),
            linestyle="none",
            gid=variant_id(numbers[variant]),
        )
    if lost:
        write(
            axes,
            axes.get_xlim()[0],
            low + 0.09 * (high - low),
            f"{TIMES} diverged",
            color=colors["dim"],
            size=SMALL,
        )


def _limit(axes: Axes, values: Sequence[float], *, ends: Sequence[float]) -> None:
    """From the best down to what is typical; a run that learnt nothing does not flatten the others."""
    best, typical = max(values), sorted(ends)[len(ends) // 2]
    quarter = sorted(values)[len(values) // 4]
    reach = max(3 * (best - typical), best - quarter, _SMALLEST_SPAN)
    low = min(value for value in values if value >= best - min(reach, _LARGEST_SPAN))
    middle, half = (low + best) / 2, max(best - low, _SMALLEST_SPAN) / 2
    axes.set_ylim(middle - 1.12 * half, middle + 1.12 * half)


def _name(axes: Axes, colors: Colors, *, x: str, y: str) -> None:
    axes.set_xlabel(x, color=colors["dim"], fontsize=SMALL, labelpad=6)
    axes.set_title(y, loc="left", x=0, color=colors["dim"], fontsize=SMALL, pad=8)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
