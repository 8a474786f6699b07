"""What each change of an option brings."""

from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.tables.cells import (
    DOUBT,
    MISSING,
    doubt_cell,
    ends,
    file_name,
    outcome_cell,
    p_value,
    titled,
    tone,
)
from srlab.show.texts import bounds
from srlab.verdicts import Effect, Share, Verdicts, metric_of
from srlab.words import TIMES, plural, signed, span


def effects_grid(verdicts: Verdicts, *, scope: str, metric: str) -> Grid:
    """Under a metric on a scope; main effects, then interactions. Of scores alone there are no costs."""
    decimals = metric_of(metric).decimals
    effects = [effect for effect in verdicts.effects if (effect.scope, effect.metric) == (scope, metric)]
    grid = Grid(
        name=file_name(f"effects-{scope}-{metric}"),
        title=f"{titled(verdicts)}: the effect of each change in {metric} on {scope}",
        note=f"Intervals: {100 * verdicts.level:g} %. p is after Holm's correction. "
        f"Protocol {verdicts.protocol}.",
        columns=(
            Column(key="change", heading="change", is_text=True, is_low_first=True, is_name=True),
            Column(key="effect", heading="effect"),
            Column(key="p_holm", heading="p", is_low_first=True),
            Column(key="percent", heading="% of gain", hint="Of what there is without it over bicubic"),
            Column(key="outcome", heading="outcome", is_text=True),
            DOUBT,
            Column(key="basis", heading="basis", is_text=True),
            Column(key="parameters_ratio", heading="parameters", is_low_first=True),
            Column(key="multiply_adds_ratio", heading="multiply-adds", is_low_first=True),
        ),
        rows=tuple(GridRow(cells=_cells(effect, decimals)) for effect in effects),
    )
    if all(effect.percent is None for effect in effects):
        grid = grid.without(("percent",))
    return grid if verdicts.costs else grid.without(("parameters_ratio", "multiply_adds_ratio"))


def _cells(effect: Effect, decimals: int) -> tuple[Cell, ...]:
    return (
        Cell(
            text=effect.name,
            value=effect.name,
            note=effect.remark or ("confounded" if effect.is_confounded else ""),
            brief="confounded" if effect.is_confounded else "",
            tone="warning" if effect.is_confounded else "",
        ),
        Cell(
            text=signed(effect.estimate, decimals),
            value=effect.estimate,
            note=bounds(effect.interval, decimals),
            more=ends(effect.interval),
            hint=effect.reason,
            tone=tone(effect.outcome),
        ),
        Cell(text=p_value(effect.p_holm), value=effect.p_holm, hint=effect.reason),
        _percent(effect.percent),
        outcome_cell(effect, hint=effect.reason),
        doubt_cell(effect),
        Cell(text=f"{effect.basis}, {plural(len(effect.pairs), 'pair')}", value=effect.basis),
        _ratio(effect.parameters_ratio),
        _ratio(effect.multiply_adds_ratio),
    )


def _percent(found: Share | None) -> Cell:
    if found is None:
        return MISSING
    return Cell(
        text=signed(found.estimate, 0),
        value=found.estimate,
        note=span(found.low, found.high, 0),
        more=(("low", found.low), ("high", found.high)),
    )


def _ratio(value: float) -> Cell:
    return Cell(text=f"{value:.2f} {TIMES}", value=value)
