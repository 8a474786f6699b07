"""The standings under one metric on one test set, or on all: what the report and `srlab verdict` show."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from srlab.folder.schema import StudyVariant
from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.published import Published, published
from srlab.show.tables.cells import (
    LEARNING_RATE,
    MISSING,
    MULTIPLY_ADDS,
    PARAMETERS,
    RANK,
    VARIANT,
    count_cell,
    difference_cell,
    file_name,
    name_cell,
    numbers_of,
    outcome_cell,
    parameters_cell,
    rank_cell,
    rate_cell,
    score_cell,
    titled,
)
from srlab.verdicts import BICUBIC, Cost, Row, Table, Verdicts, is_ahead, metric_of
from srlab.words import duration, listed, number, plural

_OF_COSTS = ("parameters", "multiply_adds", "learning_rate", "seconds")
_MARKS = {
    "authors": "",
    "copies": "",
    "one copy": ", found in one other paper or page only",
    "recalled": ", not read for srlab",
}


def leaderboard_grid(
    table: Table, verdicts: Verdicts, *, variants: Sequence[StudyVariant], costs: Mapping[str, Cost]
) -> Grid:
    """What ranks, what it is against the base and bicubic, what it cost, and what was published.

    Columns and a row of which nothing is known are left out.
    """
    how = metric_of(table.metric)
    numbers = numbers_of(verdicts)
    nearest = published_of(table, variants=variants, scale=verdicts.scale)
    known = dict(zip((row.variant for row in table.rows), nearest, strict=True))
    level = f"{100 * verdicts.level:g} %"
    tests = [test for row in table.rows for test in (row.to_base, row.to_bicubic) if test is not None]
    has_intervals = any(test.interval is not None for test in tests)
    with_interval = f" with its {level} interval" if has_intervals else ""
    better = "Lower" if how.is_lower_better else "Higher"
    columns = (
        RANK,
        VARIANT,
        Column(
            key=table.metric,
            heading=f"{table.metric}{how.after_name}",
            hint=f"{better} is better. Mean over images and seeds, ± standard deviation between seeds",
            is_low_first=how.is_lower_better,
        ),
        Column(
            key="to_base",
            heading="against base",
            hint=f"Difference from {verdicts.base}{with_interval}",
        ),
        Column(key="outcome", heading="verdict", is_text=True),
        Column(
            key="to_bicubic",
            heading="against bicubic",
            hint=f"Difference from bicubic{with_interval}",
        ),
        PARAMETERS,
        MULTIPLY_ADDS,
        LEARNING_RATE,
        Column(
            key="seconds",
            heading="training",
            hint="Processor time of one run, all threads. Time by the clock where it says so",
            is_low_first=True,
        ),
        Column(key="seeds", heading="seeds"),
        Column(
            key="published",
            heading="published",
            hint="Score of the nearest published network; see below the table",
        ),
    )
    rows = []
    for row in table.rows:
        cost = costs.get(row.variant)
        is_base, is_bicubic = row.variant == verdicts.base, row.variant == BICUBIC
        hint = "" if row.mean is not None else "no complete set of scores yet"
        cells = (
            rank_cell(row.rank, hint=_rank_hint(row)),
            name_cell(row.variant, note="base" if is_base else ""),
            score_cell(row.mean, row.sd, how, hint=hint),
            _to_base(row, how.decimals),
            outcome_cell(row.to_base),
            difference_cell(row.to_bicubic, how.decimals),
            parameters_cell(cost.parameters if cost else None, cost.frozen if cost else 0),
            count_cell(cost.multiply_adds if cost else None),
            rate_cell(cost.learning_rate if cost else None),
            _training(cost),
            MISSING if is_bicubic else Cell(text=str(len(row.seeds)), value=len(row.seeds)),
            _published_cell(known[row.variant], how.decimals),
        )
        kind = "bicubic" if is_bicubic else "base" if is_base else ""
        rows.append(GridRow(cells=cells, variant=numbers.get(row.variant), kind=kind))
    grid = Grid(
        name=file_name(f"leaderboard-{table.scope}-{table.metric}"),
        title=f"{titled(verdicts)}: {table.metric} on {_scope(table, verdicts)}",
        note=f"{better} is better. Protocol {verdicts.protocol}. Base: {verdicts.base}."
        + (f" Intervals: {level}." if has_intervals else ""),
        columns=columns,
        rows=tuple(rows),
    )
    if not any(known.values()):
        grid = grid.without(("published",))
    if costs:
        return grid
    grid = grid.without(_OF_COSTS)  # of scores alone, which may lack bicubic's too
    if any(row.variant == BICUBIC and row.mean is not None for row in table.rows):
        return grid
    return replace(grid, rows=tuple(row for row in grid.rows if row.kind != "bicubic")).without(
        ("to_bicubic",)
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
    cell = difference_cell(row.to_base, decimals)
    if row.to_bicubic is None or is_ahead(row.to_bicubic) is not False or cell.tone != "better":
        return cell
    return replace(cell, tone="", hint=f"{cell.hint}; it did not beat bicubic")


def published_of(table: Table, *, variants: Sequence[StudyVariant], scale: int) -> list[Published | None]:
    """For each row of a table what was published of the network nearest to it."""
    declared = {variant.name: variant for variant in variants}
    return [
        published(
            declared.get(row.variant),
            test_set=table.scope,
            num_images=table.num_images,
            scale=scale,
            metric=table.metric,
        )
        if row.variant == BICUBIC or row.variant in declared
        else None
        for row in table.rows
    ]


def _training(cost: Cost | None) -> Cell:
    """Processor time, which other work beside it hardly changes; else time by the clock, and it says so."""
    if cost is None or cost.seconds is None:
        return MISSING
    if cost.processor_seconds is None:
        return Cell(text=duration(cost.seconds), value=cost.seconds, note="by the clock")
    return Cell(text=duration(cost.processor_seconds), value=cost.processor_seconds)


def _published_cell(found: Published | None, decimals: int) -> Cell:
    if found is None:
        return MISSING
    return Cell(
        text=number(found.value, decimals),
        value=found.value,
        note=found.network,
        hint=f"{found.network}: {found.source}{_MARKS[found.mark]}",
    )
