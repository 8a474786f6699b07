"""What the leaderboard promises of costs: multiply-adds beside parameters, and what was measured."""

from dataclasses import replace
from pathlib import Path

import pytest

from profiled_study import SETTING, made_profile
from scored_study import ScoredStudy, noisy
from srlab.cli.leaderboard import show_leaderboard
from srlab.folder.profile_store import add_profile
from srlab.show.leaderboard import leaderboard
from srlab.show.tables import as_dict, as_markdown, columns, measured_sheets, sheets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    study = ScoredStudy(tmp_path, sets={"one": 19}).bicubic(28.0)
    study.variant("net/large", noisy(31), parameters=2_000_000_000)
    return study.variant("net/small", noisy(30), parameters=1_000_000).write()


def test_multiply_adds_stand_beside_parameters(folder: Path) -> None:
    board = leaderboard(folder)
    (ranks, *_) = sheets(board)
    place = ranks.headings.index("mult-adds")
    assert [row[place] for row in ranks.rows] == ["20.0 G", "10.0 M", ""]  # bicubic has none
    assert "multiply-adds" in columns(board)


def test_where_nothing_was_measured_nothing_is_said_of_it(folder: Path) -> None:
    board = leaderboard(folder)
    assert measured_sheets(board) == []
    assert as_dict(board)["measured"] == []
    assert "measured" not in as_markdown(board)


def test_what_was_measured_is_a_table_of_its_own_that_fits_80_columns(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_profile(folder, made_profile(folder))
    board = leaderboard(folder)
    (sheet,) = measured_sheets(board)
    assert sheet.title == "measured for 1280 x 720: cpu, 2 threads, fp32 (a CPU)"
    assert sheet.headings == ("variant", "ms", "peak MB", "ms a training step")
    assert sheet.rows == (
        ("net/large", "400", "200", "20"),
        ("net/small", "200", "300", "20"),
        ("bicubic", "10", "100", "–"),  # noqa: RUF001 - a dash is what a table has where nothing is
    )
    widths = [max(map(len, column)) for column in zip(sheet.headings, *sheet.rows, strict=True)]
    assert sum(widths) + 2 * (len(widths) - 1) <= 80
    assert "| net/large | 400 | 200 | 20 |" in as_markdown(board)
    show_leaderboard(board, folder)
    assert "peak MB" in capsys.readouterr().out


def test_two_settings_are_two_tables_and_unrounded_in_json(folder: Path) -> None:
    add_profile(folder, made_profile(folder))
    add_profile(folder, made_profile(folder, setting=replace(SETTING, threads=1), factor=1.2345678))
    one, two = as_dict(leaderboard(folder))["measured"]
    assert (one["setting"]["threads"], two["setting"]["threads"]) == (2, 1)
    found = two["costs"]["milliseconds for 1280 x 720 (cpu, 1 thread, fp32)"]
    assert found["net/large"] == pytest.approx(493.82712)
    assert len(measured_sheets(leaderboard(folder))) == 2
