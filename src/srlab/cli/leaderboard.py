"""``srlab leaderboard``: who wins, right at any time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlab.cli import app
from srlab.cli.output import print_json, results, say, show

if TYPE_CHECKING:
    from rich.table import Table

    from srlab.leaderboard import Leaderboard
    from srlab.tables import Sheet


@app.command()
def leaderboard(
    study_dir: Annotated[
        Path, typer.Argument(metavar="STUDY_DIR", help="A study's folder, such as runs/srcnn.")
    ],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write it to this file as CSV, unrounded.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write it to this file as Markdown.")
    ] = None,
    latex: Annotated[
        Path | None, typer.Option("--latex", help="Write it to this file as a LaTeX table (booktabs).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Show who wins: ranks, means and intervals, per test set, beside bicubic. Right at any time."""
    from srlab.files import check_output, write_text
    from srlab.leaderboard import leaderboard as standings
    from srlab.tables import as_csv, as_dict, as_latex, as_markdown

    for path, what, *suffixes in (
        (csv, "--csv", ".csv"),
        (markdown, "--markdown", ".md", ".markdown"),
        (latex, "--latex", ".tex"),
    ):
        if path is not None:
            check_output(path, *suffixes, what=what)
    board = standings(study_dir)
    for path, text in ((csv, as_csv), (markdown, as_markdown), (latex, as_latex)):
        if path is not None:
            write_text(path, text(board))
            say(f"wrote {path}")
    if as_json:
        print_json(as_dict(board))
    else:
        show_leaderboard(board)


def show_leaderboard(board: "Leaderboard") -> None:
    """The standings as tables on standard output, with what must be known to read them.

    One wide table where there is room, or no terminal; else a narrow one for each test set.
    """
    from srlab.cli.tables import print_table
    from srlab.tables import Sheet, cells, columns, measured_sheets, notes, sheets

    show(f"{board.name} (x{board.scale}): {board.question}")
    show(board.answer)
    whole = Sheet(title="", headings=tuple(columns(board)), rows=tuple(map(tuple, cells(board))))
    wide = _table(whole)
    if results.is_terminal and _width(wide) > results.width:
        for sheet in sheets(board):
            print_table(_table(sheet))
    else:
        print_table(wide)
    for sheet in measured_sheets(board):
        show("")
        print_table(_table(sheet))
    for note in notes(board):
        show(f"- {note}", indent="  ")


def _width(table: "Table") -> int:
    """How wide the table is when nothing is folded."""
    from rich.console import Console
    from rich.measure import Measurement

    endless = Console(width=10_000)
    return Measurement.get(endless, endless.options, table).maximum


def _table(sheet: "Sheet") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=sheet.title or None, title_justify="left")
    for heading in sheet.headings:
        table.add_column(heading, justify="left" if heading == "variant" else "right", overflow="fold")
    for row in sheet.rows:
        table.add_row(*row)
    return table
