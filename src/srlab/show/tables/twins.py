"""A study beside its twins, which have a part of the steps: whether the order of the variants holds."""

from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.tables.cells import (
    MISSING,
    VARIANT,
    difference_cell,
    name_cell,
    numbers_of,
    rank_cell,
    score_cell,
    titled,
)
from srlab.verdicts import Row, Table, Verdicts, metric_of
from srlab.words import sentences


def twins_grid(verdicts: Verdicts) -> Grid:
    """Ranks, means and differences from the base under what ranks, of the study and of each twin."""
    tables = {"all": verdicts.tables[0]} if verdicts.twins else {}
    tables |= {f"1of{twin.part}": twin.table for twin in verdicts.twins}
    columns = [VARIANT]
    for key, table in tables.items():
        steps = "all steps" if key == "all" else f"{key.replace('of', '/')} of them"
        how = metric_of(table.metric)
        columns += [
            Column(key=f"rank_{key}", heading=f"rank, {steps}", is_low_first=True),
            Column(key=key, heading=f"{table.metric}{how.after_name}", is_low_first=how.is_lower_better),
            Column(key=f"to_base_{key}", heading="against base"),
        ]
    numbers = numbers_of(verdicts)
    shown = [row.variant for row in verdicts.tables[0].rows] if verdicts.twins else []
    rows = []
    for name in shown:
        cells = [name_cell(name)]
        for table in tables.values():
            cells += _cells(table, next((row for row in table.rows if row.variant == name), None))
        kind = "base" if name == verdicts.base else "" if name in numbers else "bicubic"
        rows.append(GridRow(cells=tuple(cells), variant=numbers.get(name), kind=kind))
    return Grid(
        name="twins",
        title=f"{titled(verdicts)}: does the order hold for a shorter training?",
        note="Each training has a schedule of its own. "
        + sentences([remark for remark in verdicts.remarks if remark.kind == "twin"]),
        columns=tuple(columns),
        rows=tuple(rows),
    )


def _cells(table: Table, row: Row | None) -> list[Cell]:
    if row is None:
        return [MISSING, MISSING, MISSING]
    how = metric_of(table.metric)
    return [
        rank_cell(row.rank),
        score_cell(row.mean, row.sd, how),
        difference_cell(row.to_base, how.decimals),
    ]
