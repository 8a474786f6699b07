"""Tables on standard output, all in one style: as wide as the terminal, or as they are without one."""

import os
from collections.abc import Callable, Collection, Sequence
from itertools import product

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from srlab.cli.output import results

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
SHORTEST_NAME = 20  # below that a name says too little
PAGE = 100  # columns without a terminal, where a table is to fit a page


def make_table(
    *headings: str, text: Collection[str], words: Collection[str] = (), title: str | None = None
) -> Table:
    """An empty table without lines: the columns in `text` to the left, the others, numbers, to the right.

    Where a terminal is too narrow, cells go on in the next line, and nothing is cut off. Where there are
    columns in `words`, only these give way: they are prose, and break between words.
    """
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for heading in headings:
        table.add_column(
            heading,
            justify="left" if heading in text else "right",
            overflow="fold",
            no_wrap=bool(words) and heading not in words,
        )
    return table


def print_table(table: Table, *, is_wide: bool = False) -> None:
    """Fold cells only where a terminal is too narrow; in a file or a pipe every row stays one line.

    So it does where it `is_wide`: the terminal then breaks the lines.
    """
    if results.is_terminal and not is_wide:
        results.print(table)
    else:
        width = max(width_of(table), 1)
        Console(file=results.file, width=width, height=100, highlight=False).print(table)


def width_of(table: Table) -> int:
    """How many columns the table takes when nothing is folded."""
    endless = Console(width=10_000, highlight=False)
    return Measurement.get(endless, endless.options, table).maximum


def excess(table: Table, *, on_page: bool = False) -> int:
    """By how many columns the table is wider than the terminal; 0 where it fits.

    Without a terminal it always fits. Where it is `on_page`, only up to `PAGE` columns, or up to as many as
    the variable COLUMNS says.
    """
    if not results.is_terminal and not on_page:
        return 0
    return max(0, width_of(table) - (results.width if results.is_terminal else _page()))


def fits(table: Table, *, on_page: bool = False) -> bool:
    """Whether it is not too wide, by the rules of `excess`."""
    return excess(table, on_page=on_page) == 0


def _page() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) > 0 else PAGE


def narrowed(
    build: Callable[[Sequence[Sequence[str]]], Table],
    rows: Sequence[Sequence[str]],
    *,
    place: int = 0,
    on_page: bool = False,
) -> Table:
    """The table of `rows` whose names, in the column at `place`, are as short as `excess` asks for.

    Where two of them would look the same, they are longer, and fold.
    """
    table = build(rows)
    names = {row[place] for row in rows}
    longest = max(map(len, names), default=0)
    width = max(longest - excess(table, on_page=on_page), SHORTEST_NAME)
    short = {name: name for name in names}
    for tried, part in product(range(width, longest), (2, 3)):
        found = {name: shortened(name, tried, part=part) for name in names}
        if len(set(found.values())) == len(found):
            short = found
            break
    return build([[short[cell] if at == place else cell for at, cell in enumerate(row)] for row in rows])


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
