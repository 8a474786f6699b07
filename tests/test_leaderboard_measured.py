"""What the leaderboard promises of costs: multiply-adds beside parameters, and what was measured."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from profiled_study import SETTING, made_profile
from scored_study import ScoredStudy, noisy
from srlab.cli.leaderboard import show_leaderboard
from srlab.folder.profile_store import add_profile
from srlab.show.as_json import as_dict
from srlab.show.leaderboard import leaderboard
from srlab.show.tables.board import board_as_markdown, board_grid, measured_grids
from srlab.words import NOTHING


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    study = ScoredStudy(tmp_path, sets={"one": 19}).bicubic(28.0)
    study.variant("net/large", noisy(31), parameters=2_000_000_000)
    return study.variant("net/small", noisy(30), parameters=1_000_000).write()


def test_multiply_adds_stand_beside_parameters(folder: Path) -> None:
    grid = board_grid(leaderboard(folder))
    assert [cell.text for cell in grid.column("multiply_adds")] == [
        "20 G",
        "10 M",
        NOTHING,
    ]  # bicubic has none
    assert "multiply-adds" in [column.heading for column in grid.columns]


def test_where_nothing_was_measured_nothing_is_said_of_it(folder: Path) -> None:
    board = leaderboard(folder)
    assert measured_grids(board) == []
    assert as_dict(board)["measured"] == []
    assert "measured" not in board_as_markdown(board)


def test_what_was_measured_is_a_table_of_its_own_that_fits_80_columns(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_profile(folder, made_profile(folder))
    board = leaderboard(folder)
    (grid,) = measured_grids(board)
    assert grid.title == "measured for 1280 x 720: cpu, 2 threads, fp32 (a CPU)"
    headings = [column.heading for column in grid.columns]
    rows = [[cell.line for cell in row.cells] for row in grid.rows]
    assert headings == ["variant", "ms", "peak MB", "ms a step"]
    assert rows == [
        ["net/large", "400", "200", "20"],
        ["net/small", "200", "300", "20"],
        ["bicubic", "10", "100", NOTHING],
    ]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    assert sum(widths) + 2 * (len(widths) - 1) <= 80
    assert "| net/large | 400 | 200 | 20 |" in board_as_markdown(board)
    show_leaderboard(board, folder)
    assert "peak MB" in capsys.readouterr().out


def test_two_settings_are_two_tables_and_unrounded_in_json(folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    add_profile(folder, made_profile(folder, setting=replace(SETTING, threads=1), factor=1.2345678))
    one, two = as_dict(leaderboard(folder))["measured"]
    assert (one["setting"]["threads"], two["setting"]["threads"]) == (2, 1)
    found = two["costs"]["milliseconds for 1280 x 720 (cpu, 1 thread, fp32)"]
    assert found["net/large"] == pytest.approx(493.82712)
    assert len(measured_grids(leaderboard(folder))) == 2
