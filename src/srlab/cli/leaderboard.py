"""``srlab leaderboard``: who wins, by the files as they are now."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlab.cli import app
from srlab.cli.options import EqualWithin, Weighed
from srlab.cli.output import print_json, results, say, show, show_grid
from srlab.words import plural

if TYPE_CHECKING:
    from srlab.show.leaderboard import Leaderboard

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
    from srlab.show.as_json import as_dict
    from srlab.show.grid.files import as_csv
    from srlab.show.leaderboard import leaderboard as standings
    from srlab.show.tables.board import board_as_latex, board_as_markdown, scores_grid
    from srlab.verdicts.values import as_weigh

    for path, what, *suffixes in (
        (csv, "--csv", ".csv"),
        (markdown, "--markdown", ".md", ".markdown"),
        (latex, "--latex", ".tex"),
    ):
        if path is not None:
            check_output(path, *suffixes, what=what)
    board = standings(study_dir, equal_within=equal_within, weigh=as_weigh(weigh))
    for path, text in (
        (csv, as_csv(scores_grid(board))),
        (markdown, board_as_markdown(board)),
        (latex, board_as_latex(board)),
    ):
        if path is not None:
            write_text(path, text)
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
    from srlab.show.grid.terminal import fits
    from srlab.show.leaderboard import important_notes
    from srlab.show.tables.board import board_grid, legend, measured_grids
    from srlab.show.tables.board import notes as all_notes

    show(f"{board.name} (x{board.scale}): {board.question}")
    for sentence in board.answer if with_notes else board.headline:
        show(sentence, indent="  ")
    whole = replace(board_grid(board), title="")
    grids = [whole]
    if not is_wide and whole.groups and not fits(whole, results, on_page=True):
        grids = [whole.of_group(group) for group in ("", *whole.groups)]
    for grid in (*grids, *measured_grids(board)):
        show("")
        show_grid(grid, title=grid.title, on_page=True, is_wide=is_wide)
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
        show(f"{plural(left, 'more note')}: srlab leaderboard {folder} --notes")
