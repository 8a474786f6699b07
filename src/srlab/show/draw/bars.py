"""Every run's validation scores as horizontal bars, best on top."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from srlab.show.draw.canvas import TINY, plain_style, style_axes, write_head
from srlab.show.draw.colors import FOR_PAPERS
from srlab.verdicts import metric_of

_ROW = 0.27  # inches a run
INK, DIM, WARNING = (FOR_PAPERS[name] for name in ("ink", "dim", "series-1"))
CHOSEN, OTHERS = FOR_PAPERS["accent"], FOR_PAPERS["axis"]
_SMALLEST_SPAN = {"psnr_y": 0.2, "ssim_y": 0.004}  # below it a difference is not blown up to fill the axis


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One run's row. `scores` holds its mean validation scores by metric; without it `status` says why.

    `is_chosen`: its learning rate is its variant's choice.
    """

    name: str
    status: str = "finished"
    scores: dict[str, float] | None = None
    is_chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Where an axis starts and ends: of PSNR and SSIM never at zero, which would hide the differences."""

    start: float
    end: float


def axis_for(metric: str, values: Sequence[float], baseline: float | None) -> Axis:
    """The range that shows how `values` differ from one another and from bicubic's `baseline`.

    Of a distance, where lower is better, it goes from zero to above the largest.

    A value far below the others (a run that hardly learnt) does not stretch it: its bar is cut off at the
    start. These are at most one run, or a quarter of them where that is more: the others and bicubic reach
    some way down from the best score, and what lies more than twice as far down is cut off.

    >>> axis_for("psnr_y", [30.0, 31.0, 5.0], 29.0)
    Axis(start=28.75, end=31.5)
    """
    known = [*values, *([baseline] if baseline is not None else [])]
    if metric_of(metric).is_lower_better:
        return Axis(start=0.0, end=1.25 * max(known) or 1.0)
    best = max(known)
    typical = best - statistics.median(known)
    shown = sorted(values)[max(1, len(values) // 4) :]
    lengths = [best - value for value in (baseline, *shown[:1]) if value is not None]
    reach = max(*lengths, typical, _SMALLEST_SPAN[metric])
    lowest = min((value for value in known if value >= best - 2 * reach), default=best)
    span = max(best - lowest, _SMALLEST_SPAN[metric])
    start = best - 1.125 * span
    return Axis(start=0.0 if start < 0 <= min(known) else start, end=best + 0.25 * span)


def draw_bars(
    bars: Sequence[Bar],
    *,
    title: str,
    caption: str,
    baseline: dict[str, float] | None,
    is_validation: bool = True,
    distance: str | None = None,
) -> Figure:
    """All runs, those with scores best first, the others below with the word that says why they have none.

    psnr_y and ssim_y have a panel each; bicubic's is a dashed line through it. With `distance`, a perceptual
    one, the runs are in the order of that, lowest first, and its panel takes the place of ssim_y's. Unless
    `is_validation`, the legend does not speak of learning rates.
    """
    metrics = ("psnr_y", "ssim_y") if distance is None else (distance, "psnr_y")

    def order(bar: Bar) -> float:
        assert bar.scores is not None
        return -bar.scores["psnr_y"] if distance is None else bar.scores[distance]

    bars = [bar if bar.scores and all(m in bar.scores for m in metrics) else _unscored(bar) for bar in bars]
    scored = sorted((bar for bar in bars if bar.scores), key=order)
    rows = [*scored, *(bar for bar in bars if not bar.scores)]
    longest = max((len(bar.name) for bar in rows), default=0)
    left, right, gap, panel = 0.35 + 0.073 * longest, 0.25, 0.35, 4.1
    top, bottom = 1.3, 1.15
    width = left + 2 * panel + gap + right
    height = top + bottom + _ROW * max(len(rows), 1)
    with plain_style():
        figure = Figure(figsize=(width, height))
        body = [bottom / height, _ROW * max(len(rows), 1) / height]
        panels = [
            figure.add_axes((left / width, body[0], panel / width, body[1])),
            figure.add_axes(((left + panel + gap) / width, body[0], panel / width, body[1])),
        ]
        for axes, metric in zip(panels, metrics, strict=True):
            _draw_panel(axes, rows, metric=metric, baseline=(baseline or {}).get(metric))
        panels[0].set_yticks(range(len(rows)), [bar.name for bar in rows])
        panels[1].set_yticks([])
        for label, bar in zip(panels[0].get_yticklabels(), rows, strict=True):
            label.set_color(INK if bar.scores else DIM)
        write_head(figure, title, caption)
        figure.legend(
            handles=_legend(rows, baseline, metrics, rates=is_validation),
            loc="lower left",
            bbox_to_anchor=(0.15 / width, 0.1 / height),
            ncols=4,
            frameon=False,
            fontsize=8.5,
            labelcolor=INK,
        )
    return figure


def _unscored(bar: Bar) -> Bar:
    """A run without the scores that are drawn."""
    return Bar(name=bar.name, status=bar.status, is_chosen=bar.is_chosen)


def _draw_panel(axes: Axes, rows: Sequence[Bar], *, metric: str, baseline: float | None) -> None:
    how = metric_of(metric)
    name = f"{metric} in {how.unit}" if how.unit else metric
    name += ", lower is better" if how.is_lower_better else ""
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    style_axes(axes, FOR_PAPERS, grid="x", size=TINY)
    values = [bar.scores[metric] for bar in rows if bar.scores]
    if not values and baseline is None:
        axes.set_xticks([])
        axes.set_xlabel(f"{name}: no run has scores yet")
    else:
        axis = axis_for(metric, values, baseline)
        axes.set_xlim(axis.start, axis.end)
        start = "zero" if axis.start == 0 else f"{how.text(axis.start)}, not at zero"
        axes.set_xlabel(f"{name} (the axis starts at {start})")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        if baseline is not None:
            text = f"bicubic {how.text(baseline)}"
            axes.axvline(baseline, color=INK, linestyle=(0, (4, 3)), linewidth=1.1)
            axes.annotate(
                text,
                (baseline, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="left" if baseline < axis.start + 0.2 * (axis.end - axis.start) else "center",
                fontsize=8.5,
                color=INK,
            )
    left, right = axes.get_xlim()
    for row, bar in enumerate(rows):
        if bar.scores is None:
            axes.text(left + 0.01 * (right - left), row, bar.status, va="center", fontsize=8.5, color=WARNING)
        else:
            _draw_bar(axes, row, bar, bar.scores[metric], metric=metric, baseline=baseline)


def _draw_bar(axes: Axes, row: int, bar: Bar, value: float, *, metric: str, baseline: float | None) -> None:
    start, end = axes.get_xlim()
    color = _color(bar, value, baseline, metric)
    label = metric_of(metric).text(value)
    if value <= start:
        label = f"« {label}, off the axis"
    axes.barh(row, max(value - start, 0), left=start, height=0.68, color=color)
    axes.text(
        max(value, start) + 0.012 * (end - start),
        row,
        label,
        va="center",
        fontsize=8.5,
        color=INK,
        fontweight="bold" if bar.is_chosen else "normal",
        bbox={"facecolor": FOR_PAPERS["paper"], "edgecolor": "none", "pad": 0.6},
    )


def _color(bar: Bar, value: float, baseline: float | None, metric: str) -> str:
    sign = -1 if metric_of(metric).is_lower_better else 1
    if baseline is not None and sign * value <= sign * baseline:
        return WARNING
    return CHOSEN if bar.is_chosen else OTHERS


def _legend(
    rows: Sequence[Bar], baseline: dict[str, float] | None, metrics: Sequence[str], *, rates: bool
) -> list[Patch | Line2D]:
    drawn = {
        _color(bar, bar.scores[metric], (baseline or {}).get(metric), metric)
        for bar in rows
        if bar.scores
        for metric in metrics
    }
    said = {WARNING: "did not beat bicubic"}
    if rates:
        said = {CHOSEN: "at its variant's chosen learning rate", OTHERS: "at another learning rate", **said}
    handles: list[Patch | Line2D] = [
        Patch(color=color, label=label) for color, label in said.items() if color in drawn
    ]
    if baseline is not None:
        handles.append(Line2D([], [], color=INK, linestyle=(0, (4, 3)), linewidth=1.1, label="bicubic"))
    return handles
