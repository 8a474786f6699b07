"""The ranking as a picture: each variant's mean, and a line to the variants that it is not told apart from.

It says what a critical difference diagram says (Demsar, JMLR 7, 2006). There one length holds for all pairs;
here each pair has its own test.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from srlab.show.draw.canvas import SMALL, Size, write
from srlab.show.draw.colors import Colors
from srlab.show.draw.rows import make_rows

_ROOM = 24.0  # pixels for a line below its name


@dataclass(frozen=True, kw_only=True)
class RankedMean:
    """A variant: its mean, and the means of those that share a place with it, or are shown to be equal."""

    label: str
    mean: float
    tied: tuple[float, ...]
    equal: tuple[float, ...]
    reading: str


def draw_ranking(rows: Sequence[RankedMean], *, colors: Colors, size: Size, axis_name: str) -> Figure:
    """Rows in the order given, the best on top. On a narrow page a name stands above its line."""
    made = make_rows(
        [row.label for row in rows],
        [row.reading for row in rows],
        below=[_ROOM] * len(rows),
        beside=9.0,
        top=8.0,
        colors=colors,
        size=size,
    )
    means = [row.mean for row in rows]
    margin = 0.06 * ((max(means) - min(means)) or 1.0)
    made.limit(min(means) - margin, max(means) + margin, axis_name, colors=colors, size=size)
    axes = made.axes
    top = 0.0
    for number, (row, height) in enumerate(zip(rows, made.heights, strict=True)):
        middle = beside = top + height / 2
        if size == "narrow":
            middle, beside = top + height - _ROOM / 2, top + made.height_of_name(number) / 2 + 2
        made.write_name(number, beside, color=colors["ink"])
        write(axes, made.edges[1], beside, row.reading, color=colors["dim"], size=SMALL, align="right")
        for others, color, thickness in ((row.tied, "axis", 2.0), (row.equal, "accent", 4.0)):
            if others:
                ends = (min(row.mean, *others), max(row.mean, *others))
                axes.plot(ends, (middle, middle), color=colors[color], linewidth=thickness, zorder=2)
        axes.plot(
            [row.mean], [middle], marker="o", markersize=8, color=colors["ink"], zorder=3, clip_on=False
        )
        top += height
    return made.figure
