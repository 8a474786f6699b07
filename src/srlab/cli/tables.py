"""Tables on standard output, all in one style: as wide as the terminal, or as they are without one."""

from collections.abc import Collection

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from srlab.cli.output import results


def make_table(*headings: str, text: Collection[str]) -> Table:
    """An empty table without lines: the columns in `text` to the left, the others, numbers, to the right.

    Where a terminal is too narrow, cells go on in the next line, and nothing is cut off.
    """
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in text else "right", overflow="fold")
    return table


def print_table(table: Table) -> None:
    """Fold cells only where a terminal is too narrow; in a file or a pipe every row stays one line."""
    if results.is_terminal:
        results.print(table)
        return
    wide = Console(width=10_000, highlight=False)
    width = Measurement.get(wide, wide.options, table).maximum
    Console(width=max(width, 1), highlight=False).print(table)
