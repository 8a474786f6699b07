"""Where a command's words go: results to standard output, everything else to standard error."""

import json
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from srlab.show.grid import Grid

messages = Console(stderr=True, highlight=False)
results = Console(highlight=False)


def printable(text: str) -> str:
    r"""`text` in one line whatever it quotes: a file's name may hold line breaks and worse.

    >>> printable("two" + chr(10) + "lines.png")
    'two\\nlines.png'
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
    )


def say(text: str) -> None:
    """A message, one line on standard error."""
    messages.print(printable(text), markup=False, soft_wrap=True)


def show(text: str, *, indent: str = "") -> None:
    """A sentence on standard output: one line, which a terminal shows between words, the rest indented."""
    lines = [printable(text)]
    if results.is_terminal and text:
        lines = textwrap.wrap(
            lines[0],
            width=results.width,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    for line in lines:
        results.print(line, markup=False, soft_wrap=True)


def show_grid(grid: "Grid", *, title: str = "", on_page: bool = False, is_wide: bool = False) -> None:
    """A table on standard output, as `srlab.show.grid.terminal.print_grid` has it."""
    from srlab.show.grid.terminal import print_grid

    print_grid(grid, results, title=title, on_page=on_page, is_wide=is_wide)


def show_path(path: Path) -> None:
    """A file that was written, on a line of its own on standard output."""
    results.print(printable(str(path)), markup=False, soft_wrap=True)


def print_json(values: Any) -> None:
    """One JSON object on standard output; a number that JSON does not have is an error here."""
    sys.stdout.write(json.dumps(values, indent=2, allow_nan=False) + "\n")
