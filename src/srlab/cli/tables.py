"""Tables on standard output: as wide as the terminal, and as wide as they are where there is none."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from srlab.cli.output import results


def print_table(table: Table) -> None:
    """Fold cells only where a terminal is too narrow; in a file or a pipe every row stays one line."""
    if results.is_terminal:
        results.print(table)
        return
    wide = Console(width=10_000, highlight=False)
    width = Measurement.get(wide, wide.options, table).maximum
    Console(width=max(width, 1), highlight=False).print(table)
