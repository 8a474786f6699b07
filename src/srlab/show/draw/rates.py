"""What each variant reaches at each learning rate."""

from collections.abc import Mapping, Sequence
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from srlab.show.draw.canvas import (
    SMALL,
    Size,
    appearance,
    draw_baseline,
    limit_to_typical,
    name_axes,
    new_figure,
    place_axes,
    style_axes,
    write,
)
from srlab.show.draw.colors import Colors
from srlab.show.draw.svg import variant_id
from srlab.verdicts import RateSensitivity
from srlab.words import TIMES, rate


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
        limit_to_typical(axes, known, ends=known)
    if bicubic is not None and known and isfinite(bicubic):
        draw_baseline(axes, bicubic, colors)
    _crosses(axes, sensitivities, numbers, colors)
    rates = sorted({score.learning_rate for one in sensitivities for score in one.rates})
    if rates:
        axes.set_xlim(rates[0] / 1.4, rates[-1] * 1.4)
    axes.xaxis.set_major_locator(FixedLocator(rates))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: rate(value)))
    name_axes(axes, colors, x="learning rate (logarithmic)", y="validation psnr_y, dB")
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
