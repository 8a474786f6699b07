"""``srlab leaderboard``: who wins, by the files as they are now."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlab.cli import app
from srlab.cli.options import EqualWithin, Weighed
from srlab.cli.output import print_json, say, show

if TYPE_CHECKING:
    from rich.table import Table

    from srlab.show.leaderboard import Leaderboard
    from srlab.show.tables import Sheet

MOST_NOTES = 2  # on the terminal, without --notes


@app.command()
def leaderboard(
    study_dir: Annotated[
        Path, typer.Argument(metavar="STUDY_DIR", help="A study's folder, such as runs/srcnn.")
    ],
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the table to this file as CSV, unrounded.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write the table to this file as Markdown.")
    ] = None,
    latex: Annotated[
        Path | None, typer.Option("--latex", help="Write the table to this file as LaTeX (booktabs).")
    ] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Show all notes on how to read the table.")] = False,
    wide: Annotated[
        bool,
        typer.Option("--wide", help="Show one table with full names, however wide it is."),
    ] = False,
    weigh: Weighed = "images",
    equal_within: EqualWithin = 0.1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output.")
    ] = False,
) -> None:
    """Show who wins: the answer, then ranks, means and intervals on each test set, beside bicubic.

    You can run it at any time, also while the study runs.
    """
    from srlab.files import check_output, write_text
    from srlab.show.leaderboard import leaderboard as standings
    from srlab.show.tables import as_csv, as_dict, as_latex, as_markdown
    from srlab.verdicts.values import as_weigh

    for path, what, *suffixes in (
        (csv, "--csv", ".csv"),
        (markdown, "--markdown", ".md", ".markdown"),
        (latex, "--latex", ".tex"),
    ):
        if path is not None:
            check_output(path, *suffixes, what=what)
    board = standings(study_dir, equal_within=equal_within, weigh=as_weigh(weigh))
    for path, text in ((csv, as_csv), (markdown, as_markdown), (latex, as_latex)):
        if path is not None:
            write_text(path, text(board))
            say(f"wrote {path}")
    if as_json:
        print_json(as_dict(board))
    else:
        show_leaderboard(board, study_dir, with_notes=notes, is_wide=wide)


def show_leaderboard(
    board: "Leaderboard", folder: Path, *, with_notes: bool = False, is_wide: bool = False
) -> None:
    """The answer in a sentence, the standings as tables, and the two notes that matter most.

    `with_notes` shows the whole answer, what the columns mean, and all notes. If the terminal, or without
    one a page of 100 columns, is too narrow, names are shortened in their middle. If that is not enough, each
    test set has a table of its own. `is_wide` prints one table with whole names all the same.
    """
    from srlab.cli.tables import print_table
    from srlab.show.leaderboard import important_notes
    from srlab.show.tables import legend, measured_sheets
    from srlab.show.tables import notes as all_notes

    show(f"{board.name} (x{board.scale}): {board.question}")
    for sentence in board.answer if with_notes else board.headline:
        show(sentence, indent="  ")
    show("")
    for number, table in enumerate(_tables(board, is_wide=is_wide)):
        if number:
            show("")
        print_table(table, is_wide=is_wide)
    for sheet in measured_sheets(board):
        show("")
        print_table(_table(sheet) if is_wide else _narrow(sheet), is_wide=is_wide)
    show("")
    if with_notes:
        show(legend(board))
        show("")
    else:
        show(str(board.protocol), indent="  ")
    shown = all_notes(board) if with_notes else important_notes(board)[:MOST_NOTES]
    for note in shown:
        show(f"- {note}", indent="  ")
    left = len(all_notes(board)) - len(shown) - 1  # the protocol stands above
    if not with_notes and left > 0:
        show(f"{left} more {'note' if left == 1 else 'notes'}: srlab leaderboard {folder} --notes")


def _tables(board: "Leaderboard", *, is_wide: bool) -> "list[Table]":
    """One table if it fits with names that are not too short, else a narrow one for each test set."""
    from srlab.cli.tables import fits
    from srlab.show.tables import Sheet, cells, columns, sheets

    whole = Sheet(title="", headings=tuple(columns(board)), rows=tuple(map(tuple, cells(board))))
    if is_wide:
        return [_table(whole)]
    one = _narrow(whole)
    return [one] if fits(one, on_page=True) else [_narrow(sheet) for sheet in sheets(board)]


def _narrow(sheet: "Sheet") -> "Table":
    """The sheet as a table whose names are as short as its room needs them, and distinct all the same."""
    from srlab.cli.tables import narrowed

    def build(rows: Sequence[Sequence[str]]) -> "Table":
        return _table(replace(sheet, rows=tuple(map(tuple, rows))))

    return narrowed(build, sheet.rows, place=sheet.headings.index("variant"), on_page=True)


def _table(sheet: "Sheet") -> "Table":
    from srlab.cli.tables import make_table

    table = make_table(*sheet.headings, text=("variant",), title=sheet.title or None)
    for row in sheet.rows:
        table.add_row(*row)
    return table
