"""The report's tables, from verdicts: what stands in each cell, and the value behind it."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from srlab.show.report.grids import Cell, Column, Grid, GridRow, Tone, ends, spread
from srlab.show.report.published import Published, published
from srlab.show.report.texts import (
    NOTHING,
    TIMES,
    bounds,
    count,
    duration,
    listed,
    number,
    place,
    plural,
    rate,
    short_names,
    signed,
    whole,
)
from srlab.verdicts import (
    BICUBIC,
    Cost,
    Difference,
    ImageRow,
    Outcome,
    Row,
    Share,
    Table,
    Verdicts,
    is_ahead,
    metric_of,
)
from srlab.verdicts.words import equality, share

_MEAN = 2  # the place of the mean in a leaderboard
_PERCENT = 3  # the place of the per cent in a table of effects
_OF_COSTS = ("parameters", "multiply_adds", "learning_rate", "seconds")
_RATIOS = ("parameters_ratio", "multiply_adds_ratio")
_MARKS = {"authors": "", "copies": "", "one copy": ", found in one other paper or page only"}


def leaderboard_grid(
    table: Table, verdicts: Verdicts, *, study: Mapping[str, Any], costs: Mapping[str, Cost]
) -> Grid:
    """The standings under one metric on one scope; cost, and what was published, in columns of their own."""
    metric = metric_of(table.metric)
    numbers = {name: place_ for place_, name in enumerate(verdicts.variants)}
    known = dict(zip((row.variant for row in table.rows), published_of(table, study=study), strict=True))
    has_published = any(known.values())
    unit = f", {metric.unit}" if metric.unit else ""
    level = f"{100 * verdicts.level:g} %"
    tests = [test for row in table.rows for test in (row.to_base, row.to_bicubic) if test is not None]
    has_intervals = any(test.interval is not None for test in tests)
    with_interval = f" with its {level} interval" if has_intervals else ""
    better = "Lower" if metric.is_lower_better else "Higher"
    columns = [
        Column(
            key="rank",
            heading="rank",
            hint="Every place that the data allow",
            is_low_first=True,
        ),
        Column(key="variant", heading="variant", is_text=True, is_low_first=True),
        Column(
            key=table.metric,
            heading=f"{table.metric}{unit}",
            hint=f"{better} is better. Mean over images and seeds, ± standard deviation between seeds",
            is_low_first=metric.is_lower_better,
        ),
        Column(
            key="to_base",
            heading="against base",
            hint=f"Difference from {verdicts.base}{with_interval}",
        ),
        Column(
            key="to_bicubic",
            heading="against bicubic",
            hint=f"Difference from bicubic{with_interval}",
        ),
        Column(key="parameters", heading="parameters", is_low_first=True),
        Column(
            key="multiply_adds",
            heading="multiply-adds",
            hint="For an SR picture of 1280 x 720",
            is_low_first=True,
        ),
        Column(key="learning_rate", heading="rate", hint="Chosen learning rate"),
        Column(
            key="seconds",
            heading="training",
            hint="Processor time of one run, all threads. Time by the clock where it says so",
            is_low_first=True,
        ),
        Column(key="seeds", heading="seeds"),
    ]
    if has_published:
        columns.append(
            Column(
                key="published",
                heading="published",
                hint="Score of the nearest published network; see below the table",
            )
        )
    rows = []
    for row in table.rows:
        cost = costs.get(row.variant)
        cells = [
            Cell(
                text=place(row.rank),
                value=row.rank.best if row.rank else None,
                hint=_rank_hint(row),
                tone="" if row.rank else "dim",
            ),
            Cell(text=row.variant, value=row.variant, note="base" if row.variant == verdicts.base else ""),
            Cell(
                text=number(row.mean, metric.decimals),
                value=row.mean,
                note="" if row.sd is None else f"± {number(row.sd, metric.decimals)}",
                more=spread(row.sd),
                hint="" if row.mean is not None else "no complete set of scores yet",
            ),
            _to_base(row, metric.decimals),
            _difference(row.to_bicubic, metric.decimals),
            Cell(
                text=whole(cost.parameters) if cost else NOTHING,
                value=cost.parameters if cost else None,
                note=f"{count(cost.frozen)} frozen" if cost and cost.frozen else "",
            ),
            Cell(
                text=count(cost.multiply_adds) if cost else NOTHING,
                value=cost.multiply_adds if cost else None,
            ),
            Cell(text=rate(cost.learning_rate if cost else None), value=cost.learning_rate if cost else None),
            _training(cost),
            Cell(
                text=str(len(row.seeds)) if row.variant != BICUBIC else NOTHING,
                value=len(row.seeds) if row.variant != BICUBIC else None,
            ),
        ]
        if has_published:
            cells.append(_published_cell(known[row.variant], metric.decimals))
        kind = "bicubic" if row.variant == BICUBIC else "base" if row.variant == verdicts.base else ""
        rows.append(GridRow(cells=tuple(cells), variant=numbers.get(row.variant), kind=kind))
    grid = Grid(
        name=_file(f"leaderboard-{table.scope}-{table.metric}"),
        title=f"{titled(verdicts)}: {table.metric} on {_scope(table, verdicts)}",
        note=f"{better} is better. Protocol {verdicts.protocol}. Base: {verdicts.base}."
        + (f" Intervals: {level}." if has_intervals else ""),
        columns=tuple(columns),
        rows=tuple(rows),
    )
    return grid if costs else _of_scores_alone(grid)


def titled(verdicts: Verdicts) -> str:
    """What the verdicts are of: the study, and the scale if it is known."""
    return f"{verdicts.study}, x{verdicts.scale}" if verdicts.scale else verdicts.study


def _of_scores_alone(grid: Grid) -> Grid:
    """Without the columns and the row of which a file of scores says nothing."""
    grid = without(grid, _OF_COSTS)
    if any(row.kind == "bicubic" and row.cells[_MEAN].value is not None for row in grid.rows):
        return grid
    grid = replace(grid, rows=tuple(row for row in grid.rows if row.kind != "bicubic"))
    return without(grid, ("to_bicubic",))


def without(grid: Grid, keys: Collection[str]) -> Grid:
    """The grid without the columns of which nothing is known."""
    kept = [place for place, column in enumerate(grid.columns) if column.key not in keys]
    return replace(
        grid,
        columns=tuple(grid.columns[place] for place in kept),
        rows=tuple(replace(row, cells=tuple(row.cells[place] for place in kept)) for row in grid.rows),
    )


def _scope(table: Table, verdicts: Verdicts) -> str:
    if table.scope in verdicts.test_sets:
        return f"{table.scope} ({plural(table.num_images, 'image')})"
    sets = [f"{name} ({len(images)})" for name, images in verdicts.test_sets.items()]
    if verdicts.rules.weigh == "sets":
        return f"the mean of {listed(sets)}, in which each set counts once"
    return f"all images of {listed(sets)}, each of which counts once"


def _rank_hint(row: Row) -> str:
    if row.rank is None:
        return ""
    where = f"The data allow every place from {row.rank.best} to {row.rank.worst}"
    if row.rank.best == row.rank.worst:
        where = f"The data allow place {row.rank.best} only"
    tied = f". They show no difference from {listed(row.rank.tied_with)}" if row.rank.tied_with else ""
    equal = f". Shown to be equal to {listed(row.rank.equal_to)}" if row.rank.equal_to else ""
    return where + tied + equal


def _to_base(row: Row, decimals: int) -> Cell:
    """The difference from the base; no praise for what did not beat bicubic."""
    cell = _difference(row.to_base, decimals)
    if row.to_bicubic is None or is_ahead(row.to_bicubic) is not False or cell.tone != "better":
        return cell
    return replace(cell, tone="", hint=f"{cell.hint}; it did not beat bicubic")


def _difference(found: Difference | None, decimals: int) -> Cell:
    if found is None:
        return Cell(text=NOTHING, tone="dim")
    return Cell(
        text=signed(found.estimate, decimals),
        value=found.estimate,
        note=bounds(found.interval, decimals),
        more=ends(found.interval),
        hint=reading(found),
        tone=tone(found.outcome),
    )


def tone(outcome: Outcome) -> Tone:
    """How a cell with this outcome looks."""
    return outcome if outcome != "undecided" else ""


def reading(found: Difference) -> str:
    """What a test came to, in words."""
    words = [equality(found) if found.outcome == "equal" else found.outcome]
    if found.percent is not None:
        words.append(f"{share(found.percent)} of the gain of {found.other}")
    if found.p_holm is not None:
        words.append(f"p = {p_value(found.p_holm)} after Holm's correction")
    if found.reason:
        words.append(found.reason)
    if found.interval is not None:
        words.append(f"interval for other {found.interval.population}")
    return "; ".join(words)


def p_value(value: float) -> str:
    """A p-value: none is zero."""
    return "below 0.0001" if value < 0.0001 else f"{value:.2g}"


def published_of(table: Table, *, study: Mapping[str, Any]) -> list[Published | None]:
    """For each row of a table what was published of the network nearest to it."""
    declared = {variant["name"]: variant for variant in study["variants"]}
    return [
        published(
            None if row.variant == BICUBIC else declared.get(row.variant, {}),
            test_set=table.scope,
            num_images=table.num_images,
            scale=study["scale"],
            metric=table.metric,
        )
        for row in table.rows
    ]


def _training(cost: Cost | None) -> Cell:
    """Processor time, which other work beside it hardly changes; else time by the clock, and it says so."""
    if cost is None or cost.seconds is None:
        return Cell(text=NOTHING)
    if cost.processor_seconds is None:
        return Cell(text=duration(cost.seconds), value=cost.seconds, note="by the clock")
    return Cell(text=duration(cost.processor_seconds), value=cost.processor_seconds)


def _published_cell(found: Published | None, decimals: int) -> Cell:
    if found is None:
        return Cell(text=NOTHING, tone="dim")
    return Cell(
        text=number(found.value, decimals),
        value=found.value,
        note=found.network,
        hint=f"{found.network}: {found.source}{_MARKS[found.mark]}",
    )


def effects_grid(verdicts: Verdicts, *, scope: str, metric: str) -> Grid:
    """What each change of an option brings under a metric on a scope; main effects, then interactions."""
    decimals = metric_of(metric).decimals
    rows = []
    for effect in verdicts.effects:
        if (effect.scope, effect.metric) != (scope, metric):
            continue
        rows.append(
            GridRow(
                cells=(
                    Cell(
                        text=effect.name,
                        value=effect.name,
                        note=effect.remark or ("confounded" if effect.is_confounded else ""),
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
                    Cell(
                        text=NOTHING if effect.p_holm is None else p_value(effect.p_holm),
                        value=effect.p_holm,
                        hint=effect.reason,
                    ),
                    _percent(effect.percent),
                    Cell(
                        text=equality(effect) if effect.outcome == "equal" else effect.outcome,
                        value=effect.outcome,
                        hint=effect.reason,
                    ),
                    Cell(text=f"{effect.basis}, {plural(len(effect.pairs), 'pair')}", value=effect.basis),
                    Cell(text=f"{effect.parameters_ratio:.2f} {TIMES}", value=effect.parameters_ratio),
                    Cell(text=f"{effect.multiply_adds_ratio:.2f} {TIMES}", value=effect.multiply_adds_ratio),
                )
            )
        )
    grid = Grid(
        name=_file(f"effects-{scope}-{metric}"),
        title=f"{titled(verdicts)}: the effect of each change in {metric} on {scope}",
        note=f"Intervals: {100 * verdicts.level:g} %. p is after Holm's correction. "
        f"Protocol {verdicts.protocol}.",
        columns=(
            Column(key="change", heading="change", is_text=True, is_low_first=True),
            Column(key="effect", heading="effect"),
            Column(key="p_holm", heading="p", is_low_first=True),
            Column(key="percent", heading="% of gain", hint="Of what there is without it over bicubic"),
            Column(key="outcome", heading="outcome", is_text=True),
            Column(key="basis", heading="basis", is_text=True),
            Column(key="parameters_ratio", heading="parameters", is_low_first=True),
            Column(key="multiply_adds_ratio", heading="multiply-adds", is_low_first=True),
        ),
        rows=tuple(rows),
    )
    if not any(row.cells[_PERCENT].value is not None for row in rows):
        grid = without(grid, ("percent",))
    return grid if verdicts.costs else without(grid, _RATIOS)


def _percent(found: Share | None) -> Cell:
    if found is None:
        return Cell(text=NOTHING, tone="dim")
    return Cell(
        text=signed(found.estimate, 0),
        value=found.estimate,
        note=f"[{signed(found.low, 0)}, {signed(found.high, 0)}]",
        more=(("low", found.low), ("high", found.high)),
    )


def images_grid(verdicts: Verdicts, *, metric: str) -> Grid:
    """Every test image with each variant's score, those on which the variants disagree most first."""
    decimals = metric_of(metric).decimals
    names = [*verdicts.variants]
    rows = [row for row in verdicts.images if row.metric == metric]
    if any(BICUBIC in row.values for row in rows):
        names.insert(0, BICUBIC)
    short = short_names(verdicts.variants)
    columns = (
        Column(key="test_set", heading="set", is_text=True, is_low_first=True),
        Column(key="image", heading="image", is_text=True, is_low_first=True),
        Column(key="disagreement", heading="spread", hint="Largest minus smallest score of the variants"),
        *(Column(key=name, heading=short.get(name, name)) for name in names),
    )
    return Grid(
        name=_file(f"images-{metric}"),
        title=f"{titled(verdicts)}: {metric} of each test image, mean over the seeds",
        note=f"Protocol {verdicts.protocol}.",
        columns=columns,
        rows=tuple(
            GridRow(
                cells=(
                    Cell(text=row.test_set, value=row.test_set),
                    Cell(text=row.image, value=row.image),
                    Cell(text=number(row.disagreement, decimals), value=row.disagreement),
                    *(_score(row, name, decimals) for name in names),
                )
            )
            for row in rows
        ),
    )


def _score(row: ImageRow, name: str, decimals: int) -> Cell:
    tone_, hint = _standing(row, name)
    value = row.values.get(name)
    return Cell(text=number(value, decimals), value=value, tone=tone_, hint=hint)


def _standing(row: ImageRow, name: str) -> tuple[Tone, str]:
    """How a score of an image looks, and why: bicubic takes part."""
    value, bicubic = row.values.get(name), row.values.get(BICUBIC)
    if value is None or len(row.values) < 2:
        return "", ""
    is_lower_better = metric_of(row.metric).is_lower_better
    if value == (min if is_lower_better else max)(row.values.values()):
        return "better", "the best"
    if bicubic is None or name == BICUBIC or (value < bicubic if is_lower_better else value > bicubic):
        return "", ""
    return "warning", "did not beat bicubic"


def _file(name: str) -> str:
    """`name` as a file's: nothing in it leads elsewhere."""
    return "".join(letter if letter.isalnum() or letter in "_-" else "-" for letter in name)
