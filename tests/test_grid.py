"""What a table promises: written five ways from one value, and whoever shows less of it chooses columns."""

import csv
import io
import math

import pytest
from rich.console import Console

from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.grid.files import as_csv, as_latex, as_markdown
from srlab.show.grid.html import as_html, downloads
from srlab.show.grid.terminal import fits, print_grid
from srlab.words import MINUS

NAME = "net/long_name"
GRID = Grid(
    name="n",
    title="a|b & 5 %",
    columns=(
        Column(key="variant", heading="variant", is_text=True, is_name=True),
        Column(key="parameters", heading="parameters", short="params"),
        Column(key="one_gain", heading="one gain", short="gain", group="one"),
        Column(key="two_gain", heading="two gain", short="gain", group="two"),
    ),
    rows=(
        GridRow(
            cells=(
                Cell(text=NAME, value=NAME),
                Cell(text="1,501", value=1501, note="576 frozen"),
                Cell(text=f"{MINUS}0.35", value=-0.351, note="[0.00, +1.00]", more=(("low", 0.001),)),
                Cell(text="∞", value=math.inf),
            )
        ),
        GridRow(cells=(Cell(text="x|y<z>", value='q"r,s'), *(Cell(text="_5 %") for _ in range(3)))),
    ),
)


def shown(grid: Grid, *, width: int = 100) -> str:
    file = io.StringIO()
    print_grid(grid, Console(file=file, force_terminal=True, color_system=None, width=width))
    return file.getvalue()


def test_a_note_in_words_stands_in_parentheses_and_an_interval_does_not() -> None:
    for text in (shown(GRID), as_markdown(GRID), as_latex(GRID)):
        assert "1,501 (576 frozen)" in text
        assert "0.35 [0.00, +1.00]" in text


def test_each_writer_has_its_own_minus() -> None:
    assert "-0.35 [" in shown(GRID)
    assert f"{MINUS}0.35 [" in as_markdown(GRID)
    assert "$-$0.35 [" in as_latex(GRID)
    assert f">{MINUS}0.35 <small>" in as_html(GRID, "id")


def test_each_writer_escapes_what_its_format_takes_for_its_own() -> None:
    assert r"x\|y&lt;z&gt;" in as_markdown(GRID)
    assert NAME in as_markdown(GRID)  # within a word, _ means nothing there
    assert r"net/long\_name" in as_latex(GRID)
    assert r"x\textbar{}y\textless{}z\textgreater{}" in as_latex(GRID)
    assert r"5 \%" in as_latex(GRID)
    assert "x|y&lt;z&gt;" in as_html(GRID, "id")
    assert 'data-value="q&#34;r,s"' in as_html(GRID, "id")


def test_csv_has_values_and_never_what_is_read() -> None:
    heading, first, second = csv.reader(io.StringIO(as_csv(GRID)))
    assert heading == ["variant", "parameters", "one_gain", "one_gain_low", "two_gain"]
    assert first == [NAME, "1501", "-0.351", "0.001", "inf"]
    assert second == ['q"r,s', "", "", "", ""]


def test_a_page_offers_the_same_files() -> None:
    assert [downloads(GRID).count(f"n.{suffix}") for suffix in ("csv", "md", "tex")] == [1, 1, 1]


def test_fewer_columns_are_a_choice_of_the_same_cells() -> None:
    (row, _) = GRID.only(("two_gain", "variant")).rows
    assert row.cells == (GRID.rows[0].cells[3], GRID.rows[0].cells[0])
    assert GRID.without(("parameters", "one_gain")).only(("two_gain", "variant")).rows[0] == row


def test_a_group_is_a_narrow_table_with_the_names() -> None:
    assert GRID.groups == ["one", "two"]
    one = GRID.of_group("one")
    assert (one.title, [column.heading for column in one.columns]) == ("one", ["variant", "gain"])
    assert [column.heading for column in GRID.of_group("").columns] == ["variant", "params"]


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="1 cells for 4 columns"):
        Grid(name="n", columns=GRID.columns, rows=(GridRow(cells=(Cell(text="a"),)),))


def test_what_is_too_wide_does_not_fit() -> None:
    for width, is_wide_enough in ((40, False), (90, True)):
        console = Console(file=io.StringIO(), force_terminal=True, width=width)
        assert fits(GRID, console) is is_wide_enough
