"""What ``srlab compare`` and ``srlab leaderboard`` promise to print: the verdict first, in a line."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from scored_study import ScoredStudy, noisy
from srlab.cli import main
from srlab.folder import store
from srlab.show.grid.files import latex_text
from srlab.show.leaderboard import leaderboard
from srlab.show.tables.board import board_as_latex, board_grid, legend
from stored_files import stored_variant


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 14, "two": 5})
    for key, (name, gain) in enumerate((("net/vanilla", 0.0), ("net/skip", 1.0), ("net/alike", 0.0))):
        scores = {"one": noisy(30 + gain, images=14, key=key), "two": noisy(30 + gain, images=5, key=key + 9)}
        study.variant(name, scores, network={"skip": name})
    study.bicubic({"one": noisy(28, seeds=1, images=14), "two": noisy(28, seeds=1, images=5)})
    return study.write()


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["srlab", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(str(ended.value.code or 0))


def test_the_first_line_is_the_verdict_on_the_pair(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "compare", folder, "skip", "vanilla") == 0
    first, change, *others = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"net/skip is better than net/vanilla, by psnr_y on the 19 images of one and two: "
        r"\+\d\.\d\d dB \[\+\d\.\d\d, \+\d\.\d\d\]\. "
        r"That is \+\d+ % \[\+\d+, \+\d+\] of what net/vanilla gains over bicubic\.",
        first,
    )
    assert change == "What changes from net/vanilla to net/skip: skip net/vanilla → net/skip."
    assert any("for other trainings on these very images" in line for line in others)


def test_what_cannot_be_told_apart_is_said_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "compare", folder, "alike", "vanilla") == 0
    assert "net/alike and net/vanilla are equal within 0.1 dB, by psnr_y on the 1" in capsys.readouterr().out
    narrow = ("--equal-within", "0.001", "--weigh", "sets")
    assert run(monkeypatch, "compare", folder, "alike", "vanilla", *narrow) == 0
    undecided = (
        "The data do not decide between net/alike and net/vanilla, by psnr_y on the mean of one and two: "
    )
    assert undecided in capsys.readouterr().out
    assert run(monkeypatch, "compare", folder, "alike", "vanilla", "--weigh", "pixels") == 2
    assert "images or sets, not 'pixels'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("skip", "vanilla"),
            r"net/skip is \d\.\d\d dB above net/vanilla",
        ),
        (
            ("vanilla", "skip"),
            r"net/vanilla is \d\.\d\d dB below net/skip",
        ),
        (("vanilla", "twin"), "net/vanilla and net/twin are equal"),
    ],
)
def test_where_nothing_can_be_tested_it_says_what_is_known_and_speaks_of_no_interval_and_no_rank(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, str],
    said: str,
) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 1})
    for name, gain in (("net/vanilla", 0.0), ("net/skip", 1.0), ("net/twin", 0.0)):
        study.variant(name, {"one": noisy(30 + gain, seeds=1, images=1)}, network={"skip": name})
    study.bicubic({"one": noisy(28, seeds=1, images=1)})
    assert run(monkeypatch, "compare", study.write(), *words) == 0
    out = capsys.readouterr().out
    first = out.splitlines()[0]
    cannot = "in psnr_y on one, but no test can say whether this is chance"
    assert re.match(rf"{said} {cannot}\. This holds for the networks of seed 0; ", first)
    assert "- seeds: 0\n" in out
    assert "each variant was trained at one learning rate, so a better one may lie below or above it" in out
    remarks = out[out.index("- seeds: ") :]
    assert not re.search(r"interval|rank|were chosen", remarks)
    assert run(monkeypatch, "leaderboard", tmp_path / "mine", "--notes") == 0
    notes = capsys.readouterr().out
    assert "Gain is psnr_y in dB over bicubic. " in notes
    assert "one seed: no ranks; another training may give another order" in notes


def test_seeds_have_a_column_only_where_sets_differ_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5, "two": 5})
    for key, name in enumerate(("a", "b")):
        study.variant(name, {"one": noisy(30, images=5, key=key), "two": noisy(31, images=5, key=key + 4)})
    assert run(monkeypatch, "compare", study.write(), "a", "b") == 0
    said = capsys.readouterr().out
    assert "\n- seeds: 0, 1, 2\n" in said
    assert "seed numbers" not in said
    scores = tmp_path / "mine" / study.runs[-1].name / store.TEST_SCORES
    values = store.load_json(scores)
    values["scores"] = [score for score in values["scores"] if score["dataset"] != "two"]
    store.save_json(scores, values)
    assert run(monkeypatch, "compare", tmp_path / "mine", "a", "b") == 0
    said = capsys.readouterr().out
    assert "seeds:" not in said
    (last,) = re.findall(r"^two +psnr_y .*", said, re.MULTILINE)
    assert last.endswith("  0, 1")
    assert "seed numbers" in said


def test_bicubic_can_be_the_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "compare", folder, "vanilla", "bicubic", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["variant"], values["other"], values["changes"]) == ("net/vanilla", "bicubic", [])
    (first, *_) = values["differences"]
    assert first["scope"] == "all sets"
    assert first["outcome"] == "better"
    assert first["interval"]["low"] < first["estimate"] < first["interval"]["high"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("skip", "skip"), "net/skip is compared with itself"),
        (("skip", "z"), "the study has no variant 'z'; it has net/vanilla, net/skip, net/alike"),
        (("skip", "vanila"), "did you mean net/vanilla? It has net/vanilla, net/skip, net/alike"),
        (("bicubic", "skip"), "bicubic comes second"),
        (("skip", "vanilla", "--level", "95"), "at least 0.5 and below 1, such as 0.95, not 95"),
        (("skip", "vanilla", "--level", "1e-300"), "at least 0.5 and below 1, such as 0.95, not 1e-300"),
        (("skip", "vanilla", "--level", "nan"), "at least 0.5 and below 1, such as 0.95, not nan"),
    ],
)
def test_a_wrong_pair_is_refused_in_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    assert run(monkeypatch, "compare", folder, *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_pair_without_common_scores_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5}).variant("a", noisy(30, images=5))
    study.variants.append(stored_variant("b", network={"skip": 1}))
    study.plan("b", seed=0)
    assert run(monkeypatch, "compare", study.write(), "a", "b") == 2
    assert "cannot be compared yet (b: no run finished)" in capsys.readouterr().err


def test_the_leaderboard_shows_ranks_intervals_and_the_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "leaderboard", folder, "--wide") == 0
    out = capsys.readouterr().out
    assert "net/skip is best by psnr_y on the 19 images of one and two" in out
    rows = {line.split()[1]: line for line in out.splitlines() if re.match(r" *[123-]+ +net/", line)}
    assert [line.split()[0] for line in rows.values()] == ["1", "2-3", "2-3"]
    assert re.search(r"\+\d\.\d\d \[\+\d\.\d\d, \+\d\.\d\d\]", rows["net/skip"])


def test_its_csv_has_ranks_and_the_ends_of_the_intervals(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(monkeypatch, "leaderboard", folder, "--csv", tmp_path / "board.csv") == 0
    text = (tmp_path / "board.csv").read_text(encoding="utf-8")
    first = next(csv.DictReader(text.splitlines()))
    assert (first["variant"], first["rank"], first["rank_worst"]) == ("net/skip", "1", "1")
    for name in ("gain_psnr_y", "over_base_psnr_y"):
        assert float(first[f"{name}_low"]) < float(first[name]) < float(first[f"{name}_high"])


def test_its_latex_has_a_row_for_each_variant_and_nothing_unescaped(folder: Path) -> None:
    board = leaderboard(folder)
    text = board_as_latex(board)
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
    assert body.count(r"\\") == len(board.standings)
    assert {row.count("&") for row in body.strip().splitlines()} == {len(board_grid(board).columns) - 1}
    assert not re.search(r"(?<!\\)[_%#]", text.partition("\n")[2])
    assert latex_text("a_b & 5 % ±") == r"a\_b \& 5 \% $\pm$"


def test_latex_itself_accepts_it(folder: Path, tmp_path: Path) -> None:
    document = (
        r"\documentclass{article}\usepackage[utf8]{inputenc}\usepackage{booktabs}"
        rf"\begin{{document}}{board_as_latex(leaderboard(folder))}\end{{document}}"
    )
    (tmp_path / "board.tex").write_text(document, encoding="utf-8")
    try:
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "board.tex"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("needs pdflatex")
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-800:]


def test_where_the_terminal_is_narrow_each_set_has_a_table_of_its_own(folder: Path) -> None:
    whole = board_grid(leaderboard(folder))
    assert whole.groups == ["one", "two"]
    ranks, one, two = (whole.of_group(group) for group in ("", "one", "two"))
    assert [column.heading for column in ranks.columns] == [
        "rank",
        "variant",
        "parameters",
        "mult-adds",
        "rate",
        "all psnr_y",
        "s by the clock",
    ]
    assert [column.heading for column in one.columns] == ["variant", "psnr_y", "ssim_y", "gain"]
    for grid in (ranks, one, two):
        headings = [column.heading for column in grid.columns]
        rows = [[cell.line for cell in row.cells] for row in grid.rows]
        widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
        assert sum(widths) + 2 * (len(widths) - 1) <= 80


LONG = "net/one_long_name_that_says_much_about_the_change_a"
LONGER = "net/one_long_name_that_says_much_about_the_change_and_more"


@pytest.fixture
def of_long_names(tmp_path: Path) -> Path:
    study = ScoredStudy(tmp_path / "long", sets={"one": 19, "two": 5})
    for key, name in enumerate(("net/vanilla", LONG, LONGER)):
        scores = {"one": noisy(30 + key, key=key), "two": noisy(32 + key, images=5, key=key)}
        study.variant(name, scores, network={"skip": name})
    return study.write()


def on_terminal(
    monkeypatch: pytest.MonkeyPatch, folder: Path, columns: int, *words: str
) -> tuple[list[str], str]:
    """The lines that `srlab leaderboard` shows on a terminal of so many columns, and the same as one line."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, color_system=None, width=columns, highlight=False)
    for place in ("output", "leaderboard"):
        monkeypatch.setattr(f"srlab.cli.{place}.results", console)
    assert run(monkeypatch, "leaderboard", folder, *words) == 0
    lines = shown.getvalue().splitlines()
    return lines, " ".join(line.strip() for line in lines)


@pytest.mark.parametrize("columns", [80, 100])
def test_on_a_terminal_the_answer_comes_first_then_the_table_then_two_notes_at_most(
    of_long_names: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    lines, text = on_terminal(monkeypatch, of_long_names, columns)
    assert max(map(len, lines)) <= columns
    (headline,) = leaderboard(of_long_names).headline
    assert headline.count(". ") == 0
    assert text.index(headline) < text.index("rank")
    assert sum(line.startswith("- ") for line in lines) <= 2
    assert re.search(rf"\d+ more notes: srlab leaderboard \S*{of_long_names.name}", text)
    shortened = {line.split()[1] for line in lines if re.match(r" *[\d-]+ +net/", line)}
    assert len(shortened) == 3  # nothing folded, and no two alike
    assert any("…" in name for name in shortened)


@pytest.mark.parametrize(("variable", "columns"), [(None, 100), ("120", 120), ("wide", 100)])
def test_without_a_terminal_it_fits_100_columns_or_as_many_as_columns_says(
    of_long_names: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str | None,
    columns: int,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if variable is not None:
        monkeypatch.setenv("COLUMNS", variable)

    def rows(*words: str) -> list[str]:
        assert run(monkeypatch, "leaderboard", of_long_names, *words) == 0
        return [
            line for line in capsys.readouterr().out.splitlines() if re.match(r" *([\d-]+ +net/|rank)", line)
        ]

    narrow, wide = rows(), rows("--wide")
    assert max(map(len, narrow)) <= columns
    assert len({line.split()[1] for line in narrow if "net/" in line}) == 3
    assert max(map(len, wide)) > 120
    assert {LONG, LONGER} <= {line.split()[1] for line in wide}


def test_wide_shows_whole_names_in_one_table_and_notes_all_that_there_is(
    of_long_names: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, _ = on_terminal(monkeypatch, of_long_names, 100, "--wide")
    (row,) = (line for line in lines if re.match(rf" *[\d-]+ +{LONGER}", line))
    assert len(row) > 100
    _, text = on_terminal(monkeypatch, of_long_names, 100, "--notes")
    board = leaderboard(of_long_names)
    assert all(note in text for note in (*board.answer, *board.remarks))
    assert " ".join(legend(board).split()) in text
    assert "The time is that of one run's training, by the clock." in text


def test_the_notes_say_what_the_columns_of_time_mean(
    of_long_names: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in of_long_names.glob(f"*/{store.RESULT}"):
        store.save_json(path, store.load_json(path) | {"processor_seconds": 4.0})
    _, text = on_terminal(monkeypatch, of_long_names, 100, "--notes")
    assert "Cpu s is processor time, all threads; compare by it." in text
    assert "Busy machine: other work ran beside it, so the clock showed more than 1.5 times as much." in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["leaderboard", "mine", "--csv", "mine/study.json"], "the file for --csv must end in .csv"),
        (["leaderboard", "mine", "--markdown", "a.tex"], "the file for --markdown must end in .md or"),
        (["leaderboard", "mine", "--latex", "mine/study.lock"], "the file for --latex must end in .tex"),
        (["leaderboard", "mine", "--csv", "mine"], "mine is a folder; name a file for --csv, such as mine/"),
        (["leaderboard", "mine", "--csv", "f", "--markdown", "f"], "the file for --csv must end in .csv"),
        (["report", "mine", "--out", "mine/study.json"], "the file for the report must end in .html or"),
        (["report", "mine", "--out", "photo.png"], "the file for the report must end in .html or .htm"),
    ],
)
def test_no_output_takes_the_place_of_another_kind_of_file(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder.parent)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run(monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()} == before


def test_an_earlier_output_is_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "board.csv").write_text("of yesterday")
    assert run(monkeypatch, "leaderboard", folder, "--csv", tmp_path / "board.csv") == 0
    assert (tmp_path / "board.csv").read_text(encoding="utf-8").startswith("rank,")
