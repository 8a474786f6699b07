"""What a twin promises: the same study for a part of the steps says whether the order holds."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scored_study import ScoredStudy, noisy
from srlab.cli import app
from srlab.declare.studies import load_study
from srlab.errors import UserError
from srlab.folder.records import read_runs
from srlab.folder.twins import twin_folder
from srlab.show.leaderboard import important_notes, leaderboard
from srlab.show.report import write_report
from srlab.show.tables.twins import twins_grid
from srlab.verdicts import judge
from srlab.verdicts.pair import compare_pair
from srlab.words import NOTHING
from stored_files import PROTOCOL
from tiny_study import write_study_file

QUARTER = {"a": 30.0, "b": 30.6, "c": 29.0}
SHORT = replace(PROTOCOL, num_steps=PROTOCOL.num_steps // 4)
WHOLE = {"a": 31.0, "b": 30.5, "c": 29.5}


def scored(folder: Path, means: dict[str, float], *, sd: float = 0.01) -> ScoredStudy:
    study = ScoredStudy(folder, sets={"one": 19}).bicubic(28.0)
    for key, (name, mean) in enumerate(means.items()):
        study.variant(name, {"one": noisy(mean, sd=sd, key=key)}, network={"x": key})
    return study


def beside(folder: Path, whole: dict[str, float], quarter: dict[str, float], *, sd: float = 0.01) -> Path:
    scored(folder, whole, sd=sd).write()
    shorter = scored(twin_folder(folder, 4), quarter, sd=sd)
    shorter.changes["protocol"] = SHORT
    shorter.write()
    return folder


def test_an_order_that_both_trainings_show_otherwise_is_said_first(tmp_path: Path) -> None:
    verdicts = judge(beside(tmp_path / "s", WHOLE, QUARTER))
    (twin,) = verdicts.twins
    assert (twin.part, twin.num_pairs, twin.is_complete) == (4, 3, True)
    assert twin.tau == pytest.approx((2 - 1) / 3)  # two pairs agree, one does not
    (flip,) = twin.flips
    assert (flip.whole.variant, flip.whole.other, flip.is_shown) == ("a", "b", True)
    assert (flip.shorter.variant, flip.shorter.other) == ("b", "a")
    said = "with 1/4 of the steps the order is another for 1 of 3 pairs (Kendall's tau 0.33); the verdicts "
    said += "are opposite for a against b"
    assert said in important_notes(leaderboard(tmp_path / "s"))


def test_an_order_that_may_be_chance_is_told_as_such(tmp_path: Path) -> None:
    (twin,) = judge(beside(tmp_path, {"a": 30.01, "b": 30.0}, {"a": 30.0, "b": 30.01}, sd=0.3)).twins
    means = {row.variant: row.mean for row in twin.table.rows}
    whole = {row.variant: row.mean for row in judge(tmp_path).tables[0].rows}
    agrees = (means["a"] > means["b"]) == (whole["a"] > whole["b"])  # type: ignore[operator]
    assert [flip.is_shown for flip in twin.flips] == ([] if agrees else [False])


def test_the_same_order_is_said_too(tmp_path: Path) -> None:
    verdicts = judge(beside(tmp_path, WHOLE, {name: mean - 1 for name, mean in WHOLE.items()}))
    assert (verdicts.twins[0].tau, verdicts.twins[0].flips) == (1, ())
    assert "with 1/4 of the steps the order of the variants is the same" in verdicts.remarks


def test_only_variants_of_both_count_and_other_images_say_nothing(tmp_path: Path) -> None:
    beside(tmp_path / "s", WHOLE, {"a": 30.0, "b": 30.6})
    assert judge(tmp_path / "s").twins[0].num_pairs == 1
    assert judge(tmp_path / "s", variants=["b", "c"]).twins[0].tau is None
    scored(tmp_path / "t", WHOLE).write()
    other = ScoredStudy(twin_folder(tmp_path / "t", 4), sets={"one": 7})
    other.changes["protocol"] = SHORT
    other.variant("a", noisy(30, images=7)).variant("b", noisy(31, images=7)).write()
    assert judge(tmp_path / "t").twins == ()


def test_the_report_and_json_have_both_orders(tmp_path: Path) -> None:
    folder = beside(tmp_path / "s", WHOLE, QUARTER)
    grid = twins_grid(judge(folder))
    rows = [[cell.text for cell in row.cells] for row in grid.rows]
    assert [(row[0], row[1], row[4]) for row in rows] == [
        ("a", "1", "2"),
        ("b", "2", "1"),
        ("c", "3", "3"),
        ("bicubic", NOTHING, NOTHING),
    ]
    page = write_report(folder)[0].read_text(encoding="utf-8")
    assert "Does the order hold for a shorter training?" in page
    found = json.loads(CliRunner().invoke(app, ["leaderboard", str(folder), "--json"]).stdout)["twins"]
    assert [(one["part"], one["flips"]) for one in found] == [
        ("1/4", [{"better": "a", "better_in_twin": "b", "is_shown": True}])
    ]


def test_the_command_plans_and_carries_out_the_twin_before_the_study(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    asked = ["study", str(write_study_file(tmp_path)), "--out", str(folder), "--budgets", "1/2,1"]
    plan = CliRunner().invoke(app, [*asked, "--plan", "--no-estimate"]).stdout.splitlines()
    runs = [line.split()[:2] for line in plan if "-lr" in line]
    assert [steps for name, steps in runs if name.startswith("budgets/1of2/")] == ["2", "2"]
    assert [steps for name, steps in runs if not name.startswith("budgets/")] == ["4", "4"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    steps = {place: {run.steps for run in read_runs(place)} for place in (folder, twin_folder(folder, 2))}
    assert steps == {folder: {4}, twin_folder(folder, 2): {2}}
    assert "with 1/2 of the steps" in CliRunner().invoke(app, ["leaderboard", str(folder), "--notes"]).stdout
    done = json.loads(CliRunner().invoke(app, [*asked, "--plan", "--no-estimate", "--json"]).stdout)
    assert done["left"] == 0


@pytest.mark.parametrize("text", ["0.25", "4", "1/0", "1/4,1/4", "", "1/4/2"])
def test_what_is_no_part_of_the_steps_is_refused(text: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["study", "smoke", "--plan", "--budgets", text, "--out", str(tmp_path)])
    assert isinstance(result.exception, UserError)
    assert "--budgets" in str(result.exception)


def test_a_study_that_takes_runs_has_no_twin() -> None:
    study = load_study("srresnet").study
    taken = replace(study.variants[0], taken_from="somewhere")
    with pytest.raises(UserError, match="takes its runs from another study"):
        replace(study, variants=(taken, *study.variants[1:]), budgets=(4,))


def test_what_is_no_twin_is_left_out_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    folder = beside(tmp_path / "s", WHOLE, QUARTER)
    assert len(judge(folder).twins) == 1
    shutil.copytree(twin_folder(folder, 4), twin_folder(folder, 7))  # it has no seventh of the steps
    assert [twin.part for twin in judge(folder).twins] == [4]
    (twin_folder(folder, 4) / "study.json").write_text("{")
    verdicts = judge(folder)
    assert verdicts.twins == ()
    (said,) = (remark for remark in verdicts.remarks if remark.kind == "twin")
    assert said.startswith("the study with 1/4 of the steps is left out: ")


def test_while_the_shorter_study_runs_its_folder_is_named(tmp_path: Path) -> None:
    scored(twin_folder(tmp_path / "s", 4), QUARTER).write()
    with pytest.raises(UserError, match=r"has only begun.*look at .*budgets/1of4"):
        judge(tmp_path / "s")


def test_a_part_of_less_than_a_step_is_refused() -> None:
    with pytest.raises(UserError, match=r"1/100 of 8 steps is less than one step"):
        replace(load_study("smoke").study.with_steps(8), budgets=(100,))


def test_one_pair_is_told_of_these_two_alone(tmp_path: Path) -> None:
    folder = beside(tmp_path / "s", WHOLE, QUARTER)
    said = "with 1/4 of the steps the order of a and b is another"
    assert said in compare_pair(folder, "a", "b").remarks


def test_a_variant_that_only_the_shorter_study_has_is_in_no_pair(tmp_path: Path) -> None:
    folder = beside(tmp_path / "s", {"a": 31.0, "b": 30.5, "c": 29.5}, QUARTER)
    for run in folder.glob("c-*"):
        shutil.rmtree(run)
    verdicts = judge(folder)
    assert verdicts.twins[0].variants == ("a", "b")
    assert "with 1/4 of the steps the order of a and b is another" in verdicts.remarks
