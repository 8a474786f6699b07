"""Every figure of a report: what it is called, what it says, and how it is drawn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite

import numpy as np
from matplotlib.figure import Figure

from srlab.show.draw.canvas import Size, plain_style
from srlab.show.draw.colors import FOR_THE_PAGE, Colors
from srlab.show.draw.curves import draw_curves
from srlab.show.draw.forest import ForestRow, draw_forest
from srlab.show.draw.pareto import CostAxis, draw_pareto
from srlab.show.draw.power import draw_power, in_words
from srlab.show.draw.ranking import RankedMean, draw_ranking
from srlab.show.draw.rates import draw_rates
from srlab.show.draw.svg import inline_svg
from srlab.show.tables.plane import DISTORTION, means_of_both
from srlab.show.texts import place, with_bounds
from srlab.verdicts import (
    BICUBIC,
    VALIDATION,
    Curve,
    Difference,
    Effect,
    Metric,
    Row,
    Table,
    Verdicts,
    is_ahead,
    metric_of,
)
from srlab.verdicts.compare import out_of_order
from srlab.verdicts.pareto import front, training_times
from srlab.verdicts.power import DIFFERENCES, WANTED, PowerCurve, power_curves
from srlab.words import listed, number, plural, rate

# They tell what psnr_y and ssim_y tell; their tables are there. GMSD is drawn where it can rank.
_NOT_DRAWN = ("psnr_rgb", "ssim_rgb", "gmsd_y")
_MOST_EFFECTS = 40


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure. `name` is a file's; `scope` and `metric` are empty if it is the same under all of them.

    `variants` are the names of what it draws variant by variant.
    """

    group: str
    name: str
    title: str
    description: str
    draw: Callable[[Colors, Size], Figure]
    scope: str = ""
    metric: str = ""
    variants: tuple[str, ...] = ()

    def inline(self, size: Size) -> str:
        """As SVG for the page."""
        with plain_style():
            figure = self.draw(FOR_THE_PAGE, size)
            return inline_svg(
                figure,
                key=f"{self.name}-{size}",
                title=self.title,
                description=self.description,
                variants=self.variants,
            )


def drawings(
    verdicts: Verdicts, *, bicubic: float | None, measured: Mapping[str, Mapping[str, float]] | None = None
) -> Iterator[Drawing]:
    """All figures for which there is something to draw.

    `bicubic` is its mean validation psnr_y; `measured` are further costs, by name and variant.
    """
    numbers = {name: place for place, name in enumerate(verdicts.variants)}
    for table in verdicts.tables:
        if table.metric in _NOT_DRAWN[: 2 if verdicts.is_adversarial else 3]:
            continue
        yield from _ranking(table)
        yield from _against_base(table, verdicts)
        yield from _effects(table.scope, table.metric, verdicts)
        yield from _pareto(table, verdicts, numbers, measured or {})
    yield from _power(verdicts)
    if verdicts.plane:
        yield from _plane(verdicts, numbers)
    if any(effect.scope == VALIDATION for effect in verdicts.effects):
        yield from _effects(VALIDATION, "psnr_y", verdicts)
    if any(curve.steps for curve in verdicts.curves):
        curves = [curve for curve in verdicts.curves if curve.steps]
        yield Drawing(
            group="curves",
            name="curves",
            title="Training curves",
            description=f"Validation psnr_y over the steps. {_ends(curves)}",
            draw=lambda colors, size: draw_curves(curves, numbers=numbers, colors=colors, size=size),
            variants=verdicts.variants,
        )
    means = [score.mean for one in verdicts.learning_rates for score in one.rates]
    if any(mean is not None and isfinite(mean) for mean in means):
        yield Drawing(
            group="rates",
            name="learning-rates",
            title="Sensitivity to the learning rate",
            description="Validation psnr_y of each variant at each learning rate. The table has the numbers.",
            draw=lambda colors, size: draw_rates(
                verdicts.learning_rates, numbers=numbers, bicubic=bicubic, colors=colors, size=size
            ),
            variants=verdicts.variants,
        )


def _ends(curves: list[Curve]) -> str:
    said = [
        f"{curve.variant}, seed {curve.seed}, at {number(curve.psnr_y[-1], 2)} dB"
        if curve.is_finished
        else f"{curve.variant}, rate {rate(curve.learning_rate)}, seed {curve.seed}, not finished, so far at "
        f"{number(curve.psnr_y[-1], 2)} dB"
        for curve in curves
    ]
    return f"{plural(len(curves), 'run')}: {listed(said)}."


def _ranking(table: Table) -> Iterator[Drawing]:
    """Which variants share a place; nothing where none is ranked, or one alone."""
    means = {
        row.variant: row.mean
        for row in table.rows
        if row.rank is not None and row.mean is not None and isfinite(row.mean)
    }
    if len(means) < 2:
        return
    ranked = [(row.variant, row.rank) for row in table.rows if row.rank is not None and row.variant in means]
    wild = out_of_order(ranked)
    rows = []
    for name, rank in ranked:
        tied = [other for other in rank.tied_with if other in means and (name in wild or other not in wild)]
        rows.append(
            RankedMean(
                label=name,
                mean=means[name],
                tied=tuple(means[other] for other in tied),
                equal=tuple(means[other] for other in rank.equal_to if other in means),
                reading=f"rank {place(rank)}",
            )
        )
    known = metric_of(table.metric)
    said = "; ".join(f"{row.label}: {known.text(row.mean)}, {row.reading}" for row in rows)
    yield Drawing(
        group="ranking",
        name=_name("ranking", table.scope, table.metric),
        title=f"Who is told apart: {table.metric} on {table.scope}",
        description=f"Means and ranks. {said}.",
        draw=lambda colors, size: draw_ranking(
            rows, colors=colors, size=size, axis_name=f"{table.metric} on {table.scope}{known.after_name}"
        ),
        scope=table.scope,
        metric=table.metric,
    )


def _power(verdicts: Verdicts) -> Iterator[Drawing]:
    """What a study with these spreads finds."""
    curves = power_curves(verdicts)
    if not curves:
        return
    said = "; ".join(
        f"{in_words(curve, is_own=not at)}: {_in_sight(curve)}" for at, curve in enumerate(curves)
    )
    yield Drawing(
        group="power",
        name="power",
        title="How small a difference such a study finds",
        description=f"Found in {100 * WANTED:.0f} % of such studies. {said}.",
        draw=lambda colors, size: draw_power(curves, colors=colors, size=size),
    )


def _in_sight(curve: PowerCurve) -> str:
    """The smallest difference that is found often enough, between two of those that were tried."""
    if curve.found[-1] < WANTED:
        return "none"
    at = np.interp(WANTED, np.maximum.accumulate(curve.found), np.log(DIFFERENCES))
    return f"{np.exp(at):.2g} dB"


def _against_base(table: Table, verdicts: Verdicts) -> Iterator[Drawing]:
    found = [
        row.to_base
        for row in table.rows
        if row.to_base is not None and row.variant not in (verdicts.base, BICUBIC)
    ]
    if not any(map(_can_be_drawn, found)):
        return
    rows = [_row(difference.variant, difference, table.metric) for difference in found]
    yield Drawing(
        group="base",
        name=_name("against-base", table.scope, table.metric),
        title=f"Every variant against {verdicts.base}: {table.metric} on {table.scope}",
        description=_in_words(rows, verdicts.level),
        draw=partial(_forest, rows, table.metric, _band(found)),
        scope=table.scope,
        metric=table.metric,
    )


def _effects(scope: str, metric: str, verdicts: Verdicts) -> Iterator[Drawing]:
    effects = [effect for effect in verdicts.effects if (effect.scope, effect.metric) == (scope, metric)]
    main = [effect for effect in effects if effect.interaction is None]
    together = [effect for effect in effects if effect.interaction is not None]
    if not any(map(_can_be_drawn, effects)):
        return
    rows = [_row(_effect_name(effect), effect, metric) for effect in main]
    if together:
        rows.append(
            ForestRow(label="Interactions: how one change alters the effect of another", is_heading=True)
        )
        rows += [_row(_effect_name(effect), effect, metric) for effect in together]
    rows = rows[:_MOST_EFFECTS]
    yield Drawing(
        group="rate effects" if scope == VALIDATION else "effects",
        name=_name("effects", scope, metric),
        title=f"Option by option: {metric} on {scope}",
        description=_in_words(rows, verdicts.level),
        draw=partial(_forest, rows, metric, _band(effects)),
        scope=scope,
        metric=metric,
    )


def _effect_name(effect: Effect) -> str:
    return f"{effect.name} (confounded)" if effect.is_confounded else effect.name


def _row(label: str, found: Difference | Effect, metric: str) -> ForestRow:
    decimals = metric_of(metric).decimals
    return ForestRow(
        label=label,
        estimate=found.estimate if _can_be_drawn(found) else None,
        interval=found.interval,
        outcome=found.outcome,
        reading="not defined" if found.estimate is None else with_bounds(found, decimals),
    )


def _can_be_drawn(found: Difference | Effect) -> bool:
    """Whether there is a difference with a place on an axis: that to an exact copy is infinite."""
    return found.estimate is not None and isfinite(found.estimate)


def _in_words(rows: list[ForestRow], level: float) -> str:
    said = [f"{row.label}: {row.reading}, {row.outcome}" for row in rows if row.estimate is not None]
    has_intervals = any(row.interval is not None for row in rows)
    what = f"Differences with {100 * level:g} % intervals." if has_intervals else "Differences."
    return f"{what} {'; '.join(said)}."


def _band(found: Sequence[Difference | Effect]) -> float | None:
    """Within which differences count as equal, if any does."""
    return next((one.equal_within for one in found if one.equal_within is not None), None)


def _forest(rows: list[ForestRow], metric: str, band: float | None, colors: Colors, size: Size) -> Figure:
    known = metric_of(metric)
    better = "lower is better" if known.is_lower_better else "higher is better"
    return draw_forest(
        rows,
        colors=colors,
        size=size,
        axis_name=f"difference in {metric}{known.after_name} ({better})",
        band=band,
    )


def _pareto(
    table: Table, verdicts: Verdicts, numbers: Mapping[str, int], measured: Mapping[str, Mapping[str, float]]
) -> Iterator[Drawing]:
    scores = {
        row.variant: row.mean
        for row in table.rows
        if row.mean is not None and row.variant in numbers and isfinite(row.mean)
    }
    axes = cost_axes(verdicts, measured)
    if len(scores) < 2 or not axes:
        return
    metric = metric_of(table.metric)
    behind = {
        row.variant for row in table.rows if row.to_bicubic is not None and is_ahead(row.to_bicubic) is False
    }
    bicubic = next((row.mean for row in table.rows if row.variant == BICUBIC), None)
    said = dict.fromkeys(_front_in_words(axis, scores, metric, behind) for axis in axes)
    yield Drawing(
        group="pareto",
        name=_name("cost", table.scope, table.metric),
        title=f"Quality and cost: {table.metric} on {table.scope}",
        description=". ".join(said) + ".",
        draw=lambda colors, size: draw_pareto(
            axes,
            scores,
            metric=f"{table.metric} on {table.scope}{metric.after_name}"
            + (", lower is better" if metric.is_lower_better else ""),
            is_lower_better=metric.is_lower_better,
            behind=behind,
            bicubic=bicubic,
            decimals=metric.decimals,
            numbers=numbers,
            colors=colors,
            size=size,
        ),
        scope=table.scope,
        metric=table.metric,
        variants=verdicts.variants,
    )


def _front_in_words(axis: CostAxis, scores: Mapping[str, float], metric: Metric, behind: set[str]) -> str:
    ahead = {name: cost for name, cost in axis.values.items() if name not in behind}
    best = front(ahead, scores, is_lower_better=metric.is_lower_better)
    if not best:
        return "No variant beats bicubic"
    return f"By {axis.name.lower()}, no cheaper variant is as good as {listed(best)}"


def _plane(verdicts: Verdicts, numbers: Mapping[str, int]) -> Iterator[Drawing]:
    """Distortion against perception."""
    means = means_of_both(verdicts)
    known = {
        metric: {name: value for name, value in found.items() if value is not None and isfinite(value)}
        for metric, found in means.items()
    }
    distortion, (metric, perception) = known[DISTORTION], list(known.items())[-1]
    bicubic = {name: row.mean for name in known if (row := _row_of_bicubic(verdicts, name)) is not None}
    behind = {
        name
        for name in perception
        if name in distortion and _beats_in_both(bicubic, distortion[name], perception[name], metric)
    }
    best = listed(front({name: perception[name] for name in perception if name not in behind}, distortion))
    yield Drawing(
        group="plane",
        name="distortion-perception",
        title="Distortion and perception",
        description=f"{DISTORTION} against {metric}. "
        + (f"No variant beats {best} in both." if best else "Bicubic beats every variant in both."),
        draw=lambda colors, size: draw_pareto(
            [CostAxis(name=f"{metric} (lower is better)", values=perception)],
            distortion,
            metric=f"{DISTORTION}, dB",
            is_lower_better=False,
            behind=behind,
            bicubic=None,
            decimals=2,
            numbers=numbers,
            colors=colors,
            size=size,
        ),
        variants=verdicts.variants,
    )


def _row_of_bicubic(verdicts: Verdicts, metric: str) -> Row | None:
    table = verdicts.table(metric=metric)
    return next((row for row in table.rows if row.variant == BICUBIC), None) if table else None


def _beats_in_both(
    bicubic: Mapping[str, float | None], distortion: float, perception: float, metric: str
) -> bool:
    """Whether bicubic is at least as good in both."""
    ours, theirs = bicubic.get(DISTORTION), bicubic.get(metric)
    return ours is not None and theirs is not None and ours >= distortion and theirs <= perception


def cost_axes(verdicts: Verdicts, measured: Mapping[str, Mapping[str, float]]) -> list[CostAxis]:
    """The costs that differ between variants or are known of more than one, each variant's above zero."""
    times, seconds = training_times(verdicts.costs)
    known = {
        "parameters": {cost.variant: float(cost.parameters) for cost in verdicts.costs},
        "multiply-adds for 1280 x 720": {cost.variant: float(cost.multiply_adds) for cost in verdicts.costs},
        times: seconds,
        **measured,
    }
    axes = []
    for name, values in known.items():
        there = {name_: value for name_, value in values.items() if value > 0 and name_ != BICUBIC}
        if len(there) > 1:
            axes.append(CostAxis(name=name, values=there))
    return axes


def _name(group: str, scope: str, metric: str) -> str:
    """A file's name, and an id of the page: letters that neither takes for its own."""
    return "".join(sign if sign.isalnum() else "-" for sign in f"{group}-{scope}-{metric}")
