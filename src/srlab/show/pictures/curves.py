"""The training curves: validation psnr_y over the steps, a line for each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from srlab.show.pictures.style import DIM, INK, plain_style

MOST_COLORS = 10  # of matplotlib's palette; from there on they begin again, dashed
_INCHES = (9.0, 4.6)  # without the legend
_ROW = 0.2  # inches a line of the legend
_LETTER = 0.066  # inches, at the legend's size
_MARKS = "osD^vPX<>*"  # of runs with a single point, which may cover each other


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One run's validation psnr_y in dB at each step at which it was taken, in order of the steps."""

    variant: str
    name: str
    points: tuple[tuple[int, float], ...]
    is_chosen: bool = False


def draw_curves(curves: Sequence[Curve], *, title: str, caption: str) -> Figure:
    """A line for each run that has a point, in its variant's color, bold at the variant's chosen rate.

    The legend names the runs in the order in which they end, best first. Where no run has more than one point
    each has a hollow mark, of ten shapes in turn, each smaller than the last: those at one place can be told
    apart. The steps start at 0.
    """
    shown = sorted((curve for curve in curves if curve.points), key=lambda curve: -curve.points[-1][1])
    variants = list(dict.fromkeys(curve.variant for curve in curves))
    longest = max((len(curve.name) for curve in shown), default=0)
    width, height = _INCHES[0] + 1.0 + _LETTER * longest, max(_INCHES[1], 1.7 + _ROW * len(shown))
    with plain_style():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0.8 / width, 0.6 / height, (_INCHES[0] - 1) / width, 1 - 1.7 / height))
        is_single = bool(shown) and max(len(curve.points) for curve in shown) == 1
        for place, curve in enumerate(shown):
            number = variants.index(curve.variant)
            (line,) = axes.plot(
                *zip(*curve.points, strict=True),
                label=f"{curve.name}: {curve.points[-1][1]:.2f}",
                color=mpl.color_sequences["tab10"][number % MOST_COLORS],
                linestyle="-" if number < MOST_COLORS else "--",
                linewidth=2.0 if curve.is_chosen else 0.9,
                alpha=1.0 if curve.is_chosen else 0.6,
                marker="o" if len(curve.points) < 30 else None,
                markersize=3,
            )
            if is_single:
                line.set(linestyle="none", fillstyle="none", **_mark(place, curve))
        axes.set_xlim(left=0)
        axes.set_xlabel("step")
        axes.set_ylabel("validation psnr_y in dB", color=DIM)
        axes.grid(visible=True, color="#e4e7eb", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        scale = 0.6 if is_single else 1.0
        if shown:
            axes.legend(
                loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=7.5, markerscale=scale
            )
        else:
            axes.text(0.5, 0.5, "no run has been validated yet", ha="center", transform=axes.transAxes)
        figure.text(0.2 / width, 1 - 0.35 / height, title, fontsize=13, fontweight="bold", color=INK)
        figure.text(0.2 / width, 1 - 0.5 / height, caption, fontsize=8.5, color=DIM, va="top")
    return figure


def _mark(place: int, curve: Curve) -> dict[str, Any]:
    return {
        "marker": _MARKS[place % len(_MARKS)],
        "markersize": 13 - 9 * (place % len(_MARKS)) / len(_MARKS),
        "markeredgewidth": 1.6 if curve.is_chosen else 0.9,
    }
