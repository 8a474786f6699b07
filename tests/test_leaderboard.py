"""What the leaderboard promises: means and spreads of what is there, a word for all that is not."""

import csv
import io
import math
import re
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from scored_study import ScoredStudy, noisy
from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.choice import load_choice, rates_of, update_choice
from srlab.folder.records import read_runs
from srlab.folder.schema import PlannedRun
from srlab.folder.scores import Score, save_scores
from srlab.folder.winner import winner
from srlab.show.as_json import as_dict
from srlab.show.grid.files import as_csv
from srlab.show.leaderboard import Standing, important_notes, leaderboard, notes_of_variants
from srlab.show.tables.board import board_as_markdown, board_grid, scores_grid
from stored_files import images_of, planned, save_run, save_study, stored_variant

RGB = EvaluationProtocol()


class Folder:
    """A study's folder, written by hand: two variants, the test sets given, with their images."""

    def __init__(self, path: Path, *, sets: dict[str, list[str]], note: str = "") -> None:
        self.path = path
        self.sets = sets
        self.variants = [stored_variant(name, multiply_adds=5) for name in ("a", "b")]
        self.runs: list[PlannedRun] = []
        self.notes = {name: note for name in sets if note}
        self.save()

    def save(self) -> None:
        save_study(self.path, self.variants, self.runs, images=images_of(self.sets), notes=self.notes)

    def plan(self, variant: str, *, rate: float = 1e-3, seed: int = 0) -> Path:
        self.runs.append(planned(variant, seed=seed, rate=rate))
        self.save()
        return self.path / self.runs[-1].name

    def run(
        self,
        variant: str,
        validation: float | None,
        *,
        rate: float = 1e-3,
        seed: int = 0,
        status: str = "finished",
        test: dict[str, list[float]] | None = None,
    ) -> None:
        folder = self.plan(variant, rate=rate, seed=seed)
        save_run(folder, variant, status=status, seconds=10.0 + seed)
        if validation is not None:
            self.score(folder / store.SCORES, {"validation": [validation]})
        if test is not None:
            self.score(folder / store.TEST_SCORES, test)

    def bicubic(self, test: dict[str, list[float]]) -> None:
        self.score(self.path / store.BASELINE / store.SCORES, {"validation": [20.0]})
        self.score(self.path / store.BASELINE / store.TEST_SCORES, test)

    def score(self, path: Path, values: dict[str, list[float]], protocol: EvaluationProtocol = RGB) -> None:
        save_scores(
            path,
            [
                Score(dataset=name, image=image, metric=metric, value=value if metric == "psnr_y" else 0.9)
                for name, numbers in values.items()
                for image, value in zip(self.sets.get(name, ["v"]), numbers, strict=True)
                for metric in ("psnr_y", "ssim_y")
            ],
            protocol=protocol,
            scale=2,
        )

    def row(self, name: str) -> Standing:
        return next(row for row in leaderboard(self.path).standings if row.name == name)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mine", sets={"one": list("uvwxy"), "two": list("klmno")})


def five(value: float) -> list[float]:
    return [value - 2, value - 1, value, value + 1, value + 2]


def test_a_row_is_the_mean_over_images_then_seeds_with_the_spread_between_seeds(folder: Folder) -> None:
    folder.bicubic({"one": five(28.0), "two": five(24.0)})
    for seed, value in enumerate((30.0, 30.5, 31.3)):
        folder.run("a", 29.0, seed=seed, test={"one": five(value), "two": five(25.0)})
    update_choice(folder.path)
    row = folder.row("a")
    assert row.tests["one"]["psnr_y"].mean == pytest.approx(30.6)
    assert row.tests["one"]["psnr_y"].sd == pytest.approx(statistics.stdev([30.0, 30.5, 31.3]))
    assert row.tests["two"]["psnr_y"].sd == 0
    assert row.gains == {"one": pytest.approx(2.6), "two": pytest.approx(1.0)}
    assert row.seconds == pytest.approx(11.0)
    assert row.learning_rate == 1e-3
    assert row.notes == ()


def test_one_seed_has_no_spread_and_says_so(folder: Folder) -> None:
    folder.run("a", 29.0, test={"one": five(30.0), "two": five(30.0)})
    update_choice(folder.path)
    assert folder.row("a").tests["one"]["psnr_y"].sd is None
    assert any(remark.startswith("one seed:") for remark in leaderboard(folder.path).remarks)


def test_rows_are_sorted_by_the_mean_over_test_sets_bicubic_among_them(folder: Folder) -> None:
    folder.bicubic({"one": five(29.0), "two": five(29.0)})
    folder.run("a", 40.0, test={"one": five(33.0), "two": five(20.0)})
    folder.run("b", 10.0, test={"one": five(30.0), "two": five(30.0)})
    update_choice(folder.path)
    board = leaderboard(folder.path)
    assert [row.name for row in board.standings] == ["b", "bicubic", "a"]
    assert folder.row("a").notes == ("mean not above bicubic's on two",)
    assert any("mean over all test images" in remark for remark in board.remarks)


def test_what_lacks_a_set_comes_after_what_has_all(folder: Folder) -> None:
    folder.run("a", 40.0, test={"one": five(50.0)})
    folder.run("b", 10.0, test={"one": five(30.0), "two": five(30.0)})
    update_choice(folder.path)
    assert [row.name for row in leaderboard(folder.path).standings] == ["b", "a"]
    assert "two: 1 of 1 seeds missing" in folder.row("a").notes


def test_a_set_of_which_an_image_is_missing_does_not_count(folder: Folder) -> None:
    folder.run("a", 29.0, test={"one": five(30.0), "two": five(30.0)})
    update_choice(folder.path)
    folder.sets["one"].append("z")
    folder.save()
    assert set(folder.row("a").tests) == {"two"}


def test_scores_of_another_protocol_never_meet_these(folder: Folder) -> None:
    folder.run("a", 29.0, test={"one": five(30.0), "two": five(30.0)})
    update_choice(folder.path)
    run = folder.path / "a-lr0.001-seed0"
    folder.score(run / store.TEST_SCORES, {"one": five(99.0)}, EvaluationProtocol(border="symmetric"))
    assert folder.row("a").tests == {}


def test_what_diverged_failed_or_is_missing_is_said_with_how_many(folder: Folder) -> None:
    folder.run("a", 29.0, seed=0, test={"one": five(30.0), "two": five(30.0)})
    folder.run("a", None, seed=1, status="diverged")
    store.write_text(folder.plan("a", seed=2) / store.FAILURE, "it failed")
    save_run(folder.plan("a", seed=3))
    folder.plan("a", seed=4)
    folder.run("b", None, status="diverged")
    update_choice(folder.path)
    notes = "; ".join(folder.row("a").notes)
    for expected in (
        "1 of 5 runs diverged",
        "1 of 5 runs failed",
        "1 of 5 runs missing (running, or interrupted)",
        "1 of 5 runs missing (not started)",
        "one: 4 of 5 seeds missing",
    ):
        assert expected in notes
    assert folder.row("a").tests["one"]["psnr_y"].num_seeds == 1
    assert folder.row("b").notes == ("1 of 1 runs diverged", "no run finished")
    assert any("3 of 6 runs have not ended" in remark for remark in leaderboard(folder.path).remarks)


def test_a_study_without_any_run_yet_is_right_too(folder: Folder) -> None:
    folder.plan("a")
    folder.plan("b")
    board = leaderboard(folder.path)
    assert [row.tests for row in board.standings] == [{}, {}]
    assert "validation psnr_y" in [column.heading for column in board_grid(board).columns]
    assert all("no learning rate chosen yet" in row.notes for row in board.standings)
    assert board_as_markdown(board)
    assert as_csv(scores_grid(board))


def test_while_it_runs_the_rate_that_leads_is_shown_with_its_validation_score(folder: Folder) -> None:
    folder.run("a", 29.0, rate=1e-4)
    folder.run("a", 30.0, rate=1e-3)
    row = folder.row("a")
    assert (row.learning_rate, row.validation["psnr_y"].mean) == (1e-3, 30.0)
    assert row.notes == ("no learning rate is chosen yet; this one leads so far",)


def test_few_images_and_the_sets_own_note_are_said(tmp_path: Path) -> None:
    few = Folder(tmp_path / "few", sets={"one": ["x"]})
    assert any("one has 1 image, which is too few" in remark for remark in leaderboard(few.path).remarks)
    noted = Folder(tmp_path / "noted", sets={"one": ["x"]}, note="one test image: this proves nothing")
    assert "one has one test image: this proves nothing" in leaderboard(noted.path).remarks


def test_the_winner_is_named_where_another_leads_on_the_test_sets(folder: Folder) -> None:
    """The winner goes by validation, the order of the rows by the test sets."""
    folder.run("a", 29.0, test={"one": five(31.0), "two": five(31.0)})
    folder.run("b", 30.0, test={"one": five(30.0), "two": five(30.0)})
    update_choice(folder.path)
    (remark,) = (remark for remark in leaderboard(folder.path).remarks if remark.kind == "winner")
    assert "takes b, which has the highest validation psnr_y" in remark
    assert remark in important_notes(leaderboard(folder.path))
    assert winner(folder.path).variant == "b"


def test_nothing_is_said_of_a_winner_that_leads(folder: Folder) -> None:
    folder.run("a", 30.0, test={"one": five(31.0), "two": five(31.0)})
    folder.run("b", 29.0, test={"one": five(30.0), "two": five(30.0)})
    update_choice(folder.path)
    assert not [remark for remark in leaderboard(folder.path).remarks if remark.kind == "winner"]


def test_the_protocol_stands_under_every_leaderboard(folder: Folder) -> None:
    board = leaderboard(folder.path)
    assert board.remarks[0] == str(RGB)
    assert str(RGB) in board_as_markdown(board)
    assert as_dict(board)["protocol"] == str(RGB)


def test_a_perfect_score_is_infinite_and_can_be_written(folder: Folder) -> None:
    folder.bicubic({"one": five(28.0), "two": five(28.0)})
    for seed in (0, 1):
        folder.run("a", math.inf, seed=seed, test={"one": [math.inf] * 5, "two": five(30.0)})
    update_choice(folder.path)
    update_choice(folder.path)
    assert load_choice(folder.path)["a"].psnr_y == math.inf
    values = as_dict(leaderboard(folder.path))
    store.save_json(folder.path / "values.json", values)
    assert values["standings"][0]["tests"]["one"]["psnr_y"] == {"mean": "inf", "sd": None, "seeds": 2}


def test_csv_has_a_line_for_each_variant_and_set_unrounded(folder: Folder) -> None:
    folder.bicubic({"one": five(28.0), "two": five(24.0)})
    folder.run("a", 29.0, test={"one": five(30.123456789), "two": five(25.0)})
    update_choice(folder.path)
    rows = list(csv.DictReader(io.StringIO(as_csv(scores_grid(leaderboard(folder.path))))))
    assert [(row["variant"], row["test_set"]) for row in rows] == [
        (variant, name) for variant in ("a", "bicubic", "b") for name in ("one", "two")
    ]
    assert float(rows[0]["psnr_y"]) == pytest.approx(30.123456789, abs=1e-12)
    assert rows[0]["psnr_y_sd"] == ""
    assert rows[0]["protocol"] == "rgb-replicate"


def test_the_table_for_people_has_as_many_cells_as_headings(folder: Folder) -> None:
    folder.run("a", 29.0, test={"one": five(30.0), "two": five(30.0)})
    folder.run("a", 29.0, seed=1, test={"one": five(31.0), "two": five(30.0)})
    update_choice(folder.path)
    board = leaderboard(folder.path)
    assert "30.50 ± 0.71" in [cell.line for cell in board_grid(board).rows[0].cells]


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the folder of a study"):
        leaderboard(tmp_path)


def test_the_rate_is_chosen_by_the_mean_over_seeds_on_validation(folder: Folder) -> None:
    for seed, (low, high) in enumerate(((30.0, 33.0), (30.0, 28.0))):
        folder.run("a", low, rate=1e-4, seed=seed, test={"one": five(99.0), "two": five(99.0)})
        folder.run("a", high, rate=1e-3, seed=seed)
    assert update_choice(folder.path).variants["a"].learning_rate == 1e-3


def test_a_rate_at_which_a_seed_diverged_is_chosen_only_if_no_rate_is_whole(folder: Folder) -> None:
    folder.run("a", 35.0, rate=1e-3, seed=0)
    folder.run("a", None, rate=1e-3, seed=1, status="diverged")
    folder.run("a", 30.0, rate=1e-4, seed=0)
    assert update_choice(folder.path).variants["a"].learning_rate == 1e-3
    folder.run("a", 30.0, rate=1e-4, seed=1)
    choice = update_choice(folder.path).variants["a"]
    assert (choice.learning_rate, choice.is_complete) == (1e-4, True)
    assert [old.learning_rate for old in choice.superseded] == [1e-3]


def test_of_rates_none_of_which_is_whole_the_one_with_most_seeds_is_chosen(folder: Folder) -> None:
    for seed in range(3):
        folder.run(
            "a",
            None if seed == 2 else 30.0,
            rate=1e-4,
            seed=seed,
            status="finished" if seed < 2 else "diverged",
        )
        folder.run(
            "a",
            35.0 if seed == 0 else None,
            rate=1e-3,
            seed=seed,
            status="finished" if seed < 1 else "diverged",
        )
    choice = update_choice(folder.path).variants["a"]
    assert (choice.learning_rate, choice.is_complete) == (1e-4, False)


def test_of_equal_rates_the_first_of_the_plan_is_chosen(folder: Folder) -> None:
    folder.run("a", 30.0, rate=3e-4)
    folder.run("a", 30.0, rate=1e-3)
    assert update_choice(folder.path).variants["a"].learning_rate == 3e-4
    assert len(rates_of(read_runs(folder.path))) == 2


def test_a_note_that_is_true_of_several_variants_is_said_once(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path, sets={"one": 3}).variant("a", noisy(30)).variant("b", noisy(31))
    a, b = leaderboard(study.bicubic(28.0).write()).standings[:2]
    rows = [replace(a, notes=("diverged", "missing")), replace(b, notes=("diverged",))]
    assert notes_of_variants(rows) == ("every variant: diverged", f"{a.name}: missing")
    rows.append(replace(b, name="c", notes=()))
    assert notes_of_variants(rows) == (f"{a.name}, {b.name}: diverged", f"{a.name}: missing")


def test_names_mean_nothing_but_themselves_in_markdown(tmp_path: Path) -> None:
    name = "my|set <b>`x`*y*</b> [a](b)"
    board = leaderboard(Folder(tmp_path / "odd", sets={name: ["x"]}).path)
    text = board_as_markdown(board)
    assert r"my\|set &lt;b&gt;\`x\`\*y\*&lt;/b&gt; [a\](b)" in text
    assert name not in text
    assert "<b>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({re.sub(r"\\\|", "", row).count("|") for row in rows}) == 1  # no cell is split by a name
