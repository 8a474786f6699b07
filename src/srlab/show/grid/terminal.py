"""A table on a terminal, or as wide as it is where there is none."""

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from srlab.show.grid import Grid
from srlab.words import plain_minus

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
SHORTEST_NAME = 20  # below that a name says too little
PAGE = 100  # columns without a terminal, where a table is to fit a page


def print_grid(
    grid: Grid, console: Console, *, title: str = "", on_page: bool = False, is_wide: bool = False
) -> None:
    """The table with names as short as its room asks for, and all of them distinct.

    Cells are folded only where a terminal is too narrow all the same; in a file or a pipe every row stays one
    line. So it does where it `is_wide`, with whole names: the terminal then breaks the lines.
    """
    table = _table(grid, {}, title) if is_wide else _narrowed(grid, console, title=title, on_page=on_page)
    if console.is_terminal and not is_wide:
        console.print(table)
    else:
        width = max(_width(table), 1)
        Console(file=console.file, width=width, height=100, highlight=False).print(table)


def fits(grid: Grid, console: Console, *, on_page: bool = False) -> bool:
    """Whether nothing has to be folded.

    Without a terminal everything fits. Where it is `on_page`, only what has up to `PAGE` columns does, or up
    to as many as the variable COLUMNS says.
    """
    return _excess(_narrowed(grid, console, on_page=on_page), console, on_page=on_page) == 0


def _table(grid: Grid, short: Mapping[str, str], title: str) -> Table:
    """The table without lines, text to the left, numbers to the right; `short` are names by the long ones."""
    table = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    has_prose = any(column.is_prose for column in grid.columns)
    for column in grid.columns:
        table.add_column(
            column.heading,
            justify="left" if column.is_text else "right",
            overflow="fold",
            no_wrap=has_prose and not column.is_prose,
        )
    for row in grid.rows:
        cells = [
            replace(cell, text=short.get(cell.text, cell.text)) if column.is_name else cell
            for column, cell in zip(grid.columns, row.cells, strict=True)
        ]
        texts = [Text(plain_minus(cell.brief_line)) for cell in cells]
        table.add_row(*texts, style="bold" if row.kind == "mean" else None)
    return table


def _narrowed(grid: Grid, console: Console, *, on_page: bool, title: str = "") -> Table:
    """With names as short as needed; where two of them would look the same, they are longer, and fold."""
    table = _table(grid, {}, title)
    names = {
        row.cells[place].text
        for place, column in enumerate(grid.columns)
        if column.is_name
        for row in grid.rows
    }
    longest = max(map(len, names), default=0)
    width = max(longest - _excess(table, console, on_page=on_page), SHORTEST_NAME)
    for tried, part in product(range(width, longest), (2, 3)):
        short = {name: shortened(name, tried, part=part) for name in names}
        if len(set(short.values())) == len(short):
            return _table(grid, short, title)
    return table


def shortened(name: str, width: int, *, part: int = 2) -> str:
    """`name` in at most `width` characters: a long one loses its middle. One in `part` is of its beginning.

    >>> shortened("srcnn/pixel_shuffle_residual_leaky_relu", 20)
    'srcnn/pixe…eaky_relu'
    >>> shortened("srcnn/vanilla", 20)
    'srcnn/vanilla'
    """
    if len(name) <= width:
        return name
    kept = max(width - 1, 2)
    head = (kept + 1) // part
    return f"{name[:head]}{ELLIPSIS}{name[len(name) - (kept - head) :]}"


def _width(table: Table) -> int:
    """How many columns the table takes when nothing is folded."""
    endless = Console(width=10_000, highlight=False)
    return Measurement.get(endless, endless.options, table).maximum


def _excess(table: Table, console: Console, *, on_page: bool) -> int:
    """By how many columns the table is too wide."""
    if not console.is_terminal and not on_page:
        return 0
    return max(0, _width(table) - (console.width if console.is_terminal else _page()))


def _page() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) > 0 else PAGE
