"""Runs while they train, side by side: what they descend, what they reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from srlab.show.pictures.style import DIM, INK, plain_style

_MOST_COLORS = 10  # of matplotlib's palette
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
_HEIGHT = 3.0  # inches of the panels
_WIDTH = 4.6  # inches a panel
_ROW = 0.19  # inches a line of the legend
_MOST_RANGE = 12.0  # dB: a start from random weights may lie far below all that follows


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one run logged: (step, value) in order of the steps. Lines of one label look alike."""

    label: str
    variant: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines over the steps; `level` is a horizontal one, with its name."""

    title: str
    lines: tuple[Line, ...]
    is_loss: bool = False
    level: tuple[str, float] | None = None


def draw_training(panels: Sequence[Panel], *, title: str, status: str) -> Figure:
    """The panels in a row, one legend for all: a color for each variant, dashes for each label of one.

    A loss is drawn on a logarithmic axis. Of the other panels no more than the upper 12 is shown.
    """
    lines = [line for panel in panels for line in panel.lines]
    variants = list(dict.fromkeys(line.variant for line in lines))
    labels = {line.label: line.variant for line in lines}
    looks: dict[str, dict[str, Any]] = {
        label: {
            "color": mpl.color_sequences["tab10"][variants.index(variant) % _MOST_COLORS],
            "linestyle": _DASHES[
                [other for other, its in labels.items() if its == variant].index(label) % len(_DASHES)
            ],
        }
        for label, variant in labels.items()
    }
    rows = -(-len(labels) // len(panels))
    width, legend = _WIDTH * len(panels), 0.15 + _ROW * rows
    height = _HEIGHT + 1.2 + legend
    with plain_style():
        figure = Figure(figsize=(width, height))
        for index, panel in enumerate(panels):
            axes = figure.add_axes(
                (
                    (index + 0.15) / len(panels),
                    (legend + 0.5) / height,
                    0.82 / len(panels),
                    (_HEIGHT - 0.25) / height,
                )
            )
            _draw(axes, panel, looks)
        handles = [
            mpl.lines.Line2D([], [], label=label, linewidth=1.8, **look) for label, look in looks.items()
        ]
        figure.legend(
            handles=handles,
            ncols=len(panels),
            loc="lower left",
            bbox_to_anchor=(0.1 / width, 0.0),
            frameon=False,
            fontsize=8,
            labelspacing=0.3,
        )
        figure.text(0.2 / width, 1 - 0.28 / height, title, fontsize=12, fontweight="bold", color=INK)
        figure.text(0.2 / width, 1 - 0.5 / height, status, fontsize=8.5, color=DIM)
    return figure


def _draw(axes: Axes, panel: Panel, looks: dict[str, dict[str, Any]]) -> None:
    values = [value for line in panel.lines for _, value in line.points]
    for line in panel.lines:
        if line.points:
            axes.plot(
                *zip(*line.points, strict=True),
                linewidth=1.5,
                marker="o" if len(line.points) < 12 else None,
                markersize=3,
                **looks[line.label],
            )
    if panel.level is not None:
        name, level = panel.level
        values.append(level)
        axes.axhline(level, color=DIM, linewidth=1, linestyle=":")
        axes.annotate(
            f"{name} {level:.2f}",
            (0.01, level),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            xytext=(0, 3),
            fontsize=7.5,
            color=DIM,
        )
    if panel.is_loss and values and min(values) > 0:
        axes.set_yscale("log")
    elif values and max(values) - min(values) > _MOST_RANGE:
        axes.set_ylim(bottom=max(values) - _MOST_RANGE)
    axes.set_title(panel.title, fontsize=9, color=INK, loc="left")
    axes.set_xlabel("step")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, color="#e4e7eb", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
