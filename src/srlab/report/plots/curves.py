"""Training curves, and what each variant reaches at each learning rate."""

from collections.abc import Mapping, Sequence
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from srlab.report.colors import Colors
from srlab.report.plots.canvas import SMALL, Size, appearance, new_figure, place_axes, style_axes, write
from srlab.report.svg import variant_id
from srlab.report.texts import TIMES, rate
from srlab.verdicts import Curve, RateSensitivity

_SMALLEST_SPAN = 0.5  # dB: less is not blown up to fill the axis
_LARGEST_SPAN = 8.0  # dB
_EARLY = 0.2  # of the steps: how the first rise looks does not set the axis


def draw_curves(
    curves: Sequence[Curve], *, numbers: Mapping[str, int], bicubic: float | None, colors: Colors, size: Size
) -> Figure:
    """Validation psnr_y over the steps, a line for each run; what is far below the others is cut off."""
    figure = new_figure(size, 400 if size == "wide" else 330)
    axes = place_axes(figure, left=52, right=14, top=26, bottom=46)
    style_axes(axes, colors)
    for curve in curves:
        number = numbers[curve.variant]
        _, dashes = appearance(number)
        axes.plot(
            curve.steps,
            curve.psnr_y,
            color=colors.series(number),
            linestyle=dashes,
            linewidth=1.8,
            marker="o" if len(curve.steps) < 3 else None,
            markersize=4,
            gid=variant_id(number),
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
    if bicubic is not None and settled and bicubic >= axes.get_ylim()[0]:
        _baseline(axes, bicubic, colors)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6 if size == "wide" else 4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _name(axes, colors, x="step", y="validation psnr_y, dB")
    return figure


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
    if bicubic is not None and known and bicubic >= axes.get_ylim()[0]:
        _baseline(axes, bicubic, colors)
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


def _baseline(axes: Axes, value: float, colors: Colors) -> None:
    axes.axhline(value, color=colors["dim"], linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"bicubic {value:.2f}",
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=colors["dim"],
        fontsize=SMALL,
    )


def _name(axes: Axes, colors: Colors, *, x: str, y: str) -> None:
    axes.set_xlabel(x, color=colors["dim"], fontsize=SMALL, labelpad=6)
    axes.set_title(y, loc="left", x=0, color=colors["dim"], fontsize=SMALL, pad=8)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
