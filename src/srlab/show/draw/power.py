"""How often a study finds a difference of each size."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from srlab.show.draw.canvas import (
    DASHES,
    SMALL,
    Size,
    name_axes,
    new_figure,
    place_axes,
    style_axes,
    write,
)
from srlab.show.draw.colors import Colors
from srlab.verdicts.power import DIFFERENCES, WANTED, PowerCurve
from srlab.words import plural

_TICKS = (0.01, 0.03, 0.1, 0.3, 1.0)
_LINE = 18.0  # pixels of a line of the legend


def draw_power(curves: Sequence[PowerCurve], *, colors: Colors, size: Size) -> Figure:
    """A line for each number of seeds and images, the study's own first and thick."""
    legend = _LINE * len(curves) + 8
    figure = new_figure(size, 280 + legend)
    axes = place_axes(figure, left=52, right=20, top=26, bottom=46 + legend)
    style_axes(axes, colors)
    axes.set_xscale("log")
    axes.axhline(100 * WANTED, color=colors["dim"], linewidth=1, linestyle=(0, (4, 3)))
    for number, curve in enumerate(curves):
        axes.plot(
            DIFFERENCES,
            [100 * share for share in curve.found],
            color=colors.series(number),
            linestyle=DASHES[number],
            linewidth=2.6 if number == 0 else 1.6,
        )
    axes.set_xlim(DIFFERENCES[0], DIFFERENCES[-1])
    axes.set_ylim(0, 102)
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    name_axes(axes, colors, x="true difference in psnr_y, dB (logarithmic)", y="found, %")
    below = figure.add_axes((0, 0, 1, legend / (280 + legend)))
    below.set_axis_off()
    below.set_xlim(0, figure.bbox.width)
    below.set_ylim(legend, 0)
    for number, curve in enumerate(curves):
        middle = _LINE * (number + 0.5)
        below.plot((52, 92), (middle, middle), color=colors.series(number), linestyle=DASHES[number])
        write(below, 100, middle, in_words(curve, is_own=number == 0), color=colors["ink"], size=SMALL)
    return figure


def in_words(curve: PowerCurve, *, is_own: bool) -> str:
    """How many seeds and images a curve is of."""
    words = f"{plural(curve.seeds, 'seed')}, {plural(curve.images, 'test image')}"
    return f"{words} (this study)" if is_own else words
