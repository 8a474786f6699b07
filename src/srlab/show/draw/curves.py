"""Curves of training, drawn in one way: for the report, as a picture, and live in a notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from srlab.show.draw.canvas import (
    DASHES,
    MARKERS,
    SMALL,
    TINY,
    Size,
    draw_baseline,
    limit_to_typical,
    name_axes,
    new_figure,
    place_axes,
    plain_style,
    style_axes,
    write_head,
)
from srlab.show.draw.colors import FOR_PAPERS, NUM_SERIES, Colors
from srlab.show.draw.svg import variant_id
from srlab.verdicts import Curve

MOST_SEED_LABELS = 20  # more do not fit beside the axes
_SEEDS = 46  # pixels beside the axes, for the seeds
_SEED_LINE = 12.5  # pixels from one seed's number to the next
_EARLY = 0.2  # of the steps: how the first rise looks does not set the axis
_INCHES = (9.0, 4.6)  # of a picture, without its legend
_ROW = 0.2  # inches a line of the legend
_LETTER = 0.066  # inches, at the legend's size
_PANEL = (4.6, 3.0)  # inches of a panel, side by side with others
_MOST_RANGE = 12.0  # dB: a start from random weights may lie far below all that follows


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one run logged, (step, value) in order of the steps.

    `number` is its variant's place, by which it has a color, and dashes unless `dashes` says which.
    """

    label: str
    number: int
    points: tuple[tuple[int, float], ...]
    is_strong: bool = True
    dashes: int | None = None
    seed: int | None = None

    @property
    def style(self) -> dict[str, Any]:
        """Its dashes and width."""
        dashes = self.number // NUM_SERIES if self.dashes is None else self.dashes
        return {"linestyle": DASHES[dashes % len(DASHES)], "linewidth": 1.8 if self.is_strong else 0.9}


def draw_lines(axes: Axes, lines: Sequence[Line], colors: Colors) -> None:
    """The lines over their steps.

    Where no run has more than one point, each has a hollow mark, of all shapes in turn, each smaller than
    the last: those at one place can be told apart.
    """
    is_single = bool(lines) and max(len(line.points) for line in lines) == 1
    for place, line in enumerate(lines):
        look: dict[str, Any] = {"marker": "o" if len(line.points) < 3 else None, "markersize": 4}
        if is_single:
            shape = place % len(MARKERS)
            look = {
                "marker": MARKERS[shape],
                "markersize": 13 - 9 * shape / len(MARKERS),
                "markeredgewidth": 1.6 if line.is_strong else 0.9,
                "fillstyle": "none",
            }
        axes.plot(
            [step for step, _ in line.points],
            [value for _, value in line.points],
            label=line.label,
            color=colors.series(line.number),
            gid=variant_id(line.number, seed=line.seed),
            **(line.style | ({"linestyle": "none"} if is_single else {})),
            **look,
        )
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def draw_curves(curves: Sequence[Curve], *, numbers: Mapping[str, int], colors: Colors, size: Size) -> Figure:
    """For the report: validation psnr_y over the steps; what is far below the others is cut off.

    The line of a run that has not finished is thin.
    Where a variant has several, each line ends at the number of its seed, if there is room for all of them.
    """
    figure = new_figure(size, 400 if size == "wide" else 330)
    has_seeds = len({curve.variant for curve in curves}) < len(curves) <= MOST_SEED_LABELS
    axes = place_axes(figure, left=52, right=_SEEDS if has_seeds else 14, top=26, bottom=46)
    style_axes(axes, colors)
    lines = [
        Line(
            label=curve.variant,
            number=numbers[curve.variant],
            points=tuple(zip(curve.steps, curve.psnr_y, strict=True)),
            is_strong=curve.is_finished,
            seed=curve.seed,
        )
        for curve in curves
    ]
    draw_lines(axes, lines, colors)
    steps = max((curve.steps[-1] for curve in curves), default=0)
    settled = [value for line in lines for step, value in line.points if step >= _EARLY * steps]
    if settled:
        limit_to_typical(axes, settled, ends=[curve.psnr_y[-1] for curve in curves])
    if has_seeds:
        _label_seeds(axes, lines, colors)
    if size == "narrow":
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    name_axes(axes, colors, x="step", y="validation psnr_y, dB")
    return figure


def _label_seeds(axes: Axes, lines: Sequence[Line], colors: Colors) -> None:
    """Right of the axes each line's seed, in the line's color, with a thin line to its end."""
    (low, high), (left, right) = axes.get_ylim(), axes.get_xlim()
    axes.set_ylim(low, high)
    axes.set_xlim(left, right)  # what is drawn beside the axes does not move them
    pixel = (right - left) / axes.bbox.width
    by_end = sorted(lines, key=lambda line: line.points[-1][1])
    ends = [min(max((line.points[-1][1] - low) / (high - low), 0.0), 1.0) for line in by_end]
    for line, end, place in zip(by_end, ends, spread(ends, _SEED_LINE / axes.bbox.height), strict=True):
        color, gid = colors.series(line.number), variant_id(line.number, seed=line.seed)
        x = (line.points[-1][0], right + 16 * pixel)
        y = [low + share * (high - low) for share in (end, place)]
        axes.plot(x, y, color=color, linewidth=0.8, alpha=0.6, clip_on=False, gid=gid)
        axes.text(right + 19 * pixel, y[1], str(line.seed), color=color, fontsize=SMALL, va="center", gid=gid)
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


def draw_all_runs(lines: Sequence[Line], *, title: str, caption: str) -> Figure:
    """For a picture: validation psnr_y of every run that has a point, whatever its rate.

    The legend names the runs in the order in which they end, best first, with the value of the last step. The
    steps start at 0.
    """
    shown = sorted((line for line in lines if line.points), key=lambda line: -line.points[-1][1])
    longest = max((len(line.label) for line in shown), default=0)
    width, height = _INCHES[0] + 1.0 + _LETTER * longest, max(_INCHES[1], 1.9 + _ROW * len(shown))
    with plain_style():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0.7 / width, 0.7 / height, (_INCHES[0] - 0.9) / width, 1 - 2 / height))
        style_axes(axes, FOR_PAPERS, size=TINY)
        draw_lines(axes, shown, FOR_PAPERS)
        axes.set_xlim(left=0)
        name_axes(axes, FOR_PAPERS, x="step", y="validation psnr_y, dB", size=TINY)
        if shown:
            is_single = max(len(line.points) for line in shown) == 1
            axes.legend(
                handles=axes.lines,
                labels=[f"{line.label}: {line.points[-1][1]:.2f}" for line in shown],
                loc="upper left",
                bbox_to_anchor=(1.01, 1.0),
                frameon=False,
                fontsize=7.5,
                markerscale=0.6 if is_single else 1.0,
            )
        else:
            axes.text(0.5, 0.5, "no run has been validated yet", ha="center", transform=axes.transAxes)
        write_head(figure, title, caption)
    return figure


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines over the steps, for a live view; `bicubic` is its value, a horizontal line."""

    title: str
    lines: tuple[Line, ...]
    is_loss: bool = False
    bicubic: float | None = None


def draw_training(panels: Sequence[Panel], *, title: str, status: str) -> Figure:
    """For a live view: the panels in a row, with one legend for all.

    A loss is drawn on a logarithmic axis. Of the other panels no more than the upper 12 is shown.
    """
    looks = {line.label: line for panel in panels for line in panel.lines}
    wide, high = _PANEL
    width, legend = wide * len(panels), 0.25 + _ROW * -(-len(looks) // len(panels))
    height = high + 1.3 + legend
    with plain_style():
        figure = Figure(figsize=(width, height))
        for index, panel in enumerate(panels):
            left, bottom = (index + 0.13) / len(panels), (legend + 0.5) / height
            axes = figure.add_axes((left, bottom, 0.84 / len(panels), (high - 0.25) / height))
            _draw_panel(axes, panel)
        figure.legend(
            handles=[
                Line2D([], [], label=label, color=FOR_PAPERS.series(line.number), **line.style)
                for label, line in looks.items()
            ],
            ncols=len(panels),
            loc="lower left",
            bbox_to_anchor=(0.1 / width, 0.0),
            frameon=False,
            fontsize=8,
            labelspacing=0.3,
        )
        write_head(figure, title, status)
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    style_axes(axes, FOR_PAPERS, size=TINY)
    draw_lines(axes, panel.lines, FOR_PAPERS)
    axes.set_xlim(left=0)
    name_axes(axes, FOR_PAPERS, x="step", y=panel.title, size=TINY)
    values = [value for line in panel.lines for _, value in line.points]
    if panel.is_loss and values and min(values) > 0:
        axes.set_yscale("log")
    if panel.bicubic is not None:
        draw_baseline(axes, panel.bicubic, FOR_PAPERS)
        values.append(panel.bicubic)
    if not panel.is_loss and values and max(values) - min(values) > _MOST_RANGE:
        axes.set_ylim(bottom=max(values) - _MOST_RANGE)
