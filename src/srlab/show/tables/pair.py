"""One pair on every test set, under every metric."""

from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.tables.cells import DOUBT, MISSING, difference_cell, doubt_cell, p_value
from srlab.verdicts import metric_of
from srlab.verdicts.pair import Pair
from srlab.words import NOTHING


def pair_grid(pair: Pair) -> Grid:
    """The seeds of each difference have a column where they are not the same for all."""
    columns = (
        Column(key="test_set", heading="test set", is_text=True),
        Column(key="metric", heading="metric", is_text=True),
        Column(key="difference", heading="A - B"),
        Column(key="interval", heading=f"{100 * pair.level:g} % interval"),
        Column(key="p", heading="p"),
        DOUBT,
        Column(key="images", heading="images"),
        Column(key="seeds", heading="seed numbers"),
    )
    rows = []
    for test in pair.differences:
        how = metric_of(test.metric)
        difference = difference_cell(test, how.decimals)
        rows.append(
            GridRow(
                cells=(
                    Cell(text=test.scope),
                    Cell(text=test.metric),
                    Cell(text="undefined")
                    if test.estimate is None
                    else Cell(text=f"{difference.text} {how.unit}".strip(), value=test.estimate),
                    Cell(text=difference.note or NOTHING) if test.interval else MISSING,
                    Cell(text=p_value(test.p_value), value=test.p_value),
                    doubt_cell(test),
                    Cell(text=str(test.num_images), value=test.num_images),
                    Cell(text=", ".join(map(str, test.seeds))),
                )
            )
        )
    grid = Grid(name="pair", columns=columns, rows=tuple(rows))
    return grid if len({test.seeds for test in pair.differences}) > 1 else grid.without(("seeds",))
