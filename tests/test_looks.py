"""What adding seeds promises: what is undecided gets more, and all looks together keep the error."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from scored_study import ScoredStudy, noisy
from srlab.cli import app
from srlab.declare.study import Study
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.looks import load_looks, note_look, save_looks, seeds_scored
from srlab.folder.records import StudyFolder
from srlab.folder.schema import Look
from srlab.lab import until_decided as module
from srlab.lab.comparison import compare
from srlab.lab.scheduler import Failure
from srlab.lab.until_decided import check_until_decided, undecided_variants, until_decided
from srlab.show.report.commands import read_commands
from srlab.verdicts import judge
from srlab.verdicts.looks import LOOKS, error_rates, planned_looks, rates_of, remark_on, spent
from tiny_study import MACHINE, QUESTION, tiny_study, write_study_file

UNTIL = [Look(seeds=count, most=10) for count in LOOKS]


# How the error is shared


def test_the_looks_spend_the_error_and_no_more() -> None:
    rates = error_rates(LOOKS, 10, 0.05)
    assert sum(rates) == pytest.approx(0.05)
    assert [round(100 * rate, 2) for rate in rates] == [0.03, 0.52, 1.36, 3.09]
    assert rates == pytest.approx(rates_of(UNTIL, 0.05))
    assert spent(1.0, 0.05) == pytest.approx(0.05)


def test_a_look_by_hand_has_the_whole_error_and_is_told() -> None:
    by_hand = [Look(seeds=3), Look(seeds=5)]
    assert rates_of(by_hand, 0.05) == [0.05, 0.05]
    told = remark_on(by_hand, 0.05)
    assert told is not None
    assert "after results with 3 seeds were known: 2 looks" in told
    assert "up to 10 %" in told
    assert remark_on(by_hand[:1], 0.05) is None
    mixed = remark_on([Look(seeds=3), *UNTIL[1:]], 0.05)
    assert mixed is not None
    assert "up to 10 %" in mixed


def test_a_look_until_decided_says_its_error_rate() -> None:
    told = remark_on(UNTIL[:2], 0.05)
    assert told is not None
    assert "this is the look at 5, after 3, and its tests have an error rate of 0.52 %" in told


def test_verdicts_are_by_the_error_rate_of_the_last_look(tmp_path: Path) -> None:
    folder = ScoredStudy(tmp_path, {"b100": 100})
    for place, name in enumerate("abc"):
        folder.variant(name, noisy(30 + 0.16 * place, seeds=3, images=100, sd=0.04, key=place))
    folder.write()
    outcomes = {}
    for name, looks in (("none", []), ("hand", [Look(seeds=3)]), ("until", UNTIL[:1])):
        if looks:
            save_looks(tmp_path, looks)
        found = judge(tmp_path)
        outcomes[name] = [pair.outcome for pair in found.tables[0].pairs]
        assert [pair.interval.level for pair in found.tables[0].pairs if pair.interval] == [0.95] * 3
        assert any(remark.kind == "looks" for remark in found.remarks) == (name == "until")
    assert outcomes["none"] == outcomes["hand"]
    assert outcomes["none"].count("undecided") < outcomes["until"].count("undecided")
    assert set(undecided_variants(tmp_path)) <= set("abc")


# Which variants get more seeds


def scored(folder: Path, apart: dict[str, float], *, sd: float = 0.06) -> Callable[[Study], list[Failure]]:
    """In place of trainings: scores of each variant, above 30 dB by so much."""

    def carry_out(study: Study) -> list[Failure]:
        made = ScoredStudy(folder, {"b100": 100})
        before = store.load_study(folder) if store.is_study(folder) else None
        wanted = {(run.variant, run.seed) for run in (before.runs if before else ())}
        wanted |= {(variant.name, seed) for variant in study.variants for seed in study.seeds}
        asked.append({variant.name: len(study.seeds) for variant in study.variants})
        for place, (name, gain) in enumerate(apart.items()):
            rows = noisy(30 + gain, seeds=10, images=100, sd=sd, key=place)
            seeds = sorted(seed for variant, seed in wanted if variant == name)
            made.variant(name, rows[seeds], seeds=seeds)
        made.changes["primary"] = study.primary or (before and before.primary)
        made.write()
        return []

    asked: list[dict[str, int]] = []
    carry_out.asked = asked  # type: ignore[attr-defined]
    return carry_out


@pytest.fixture
def study(tmp_path: Path) -> Study:
    tiny = tiny_study(tmp_path / "data", seeds=(0, 1, 2), max_seeds=10)
    third = replace(tiny.variants[0], name="tiny/third", protocol=replace(tiny.protocol, num_steps=5))
    return replace(tiny, variants=(*tiny.variants, third))


def test_only_undecided_variants_get_more_seeds_and_it_ends_when_all_is_decided(
    study: Study, tmp_path: Path
) -> None:
    carry_out = scored(tmp_path / "s", {"tiny/edsr": 0.0, "tiny/srcnn": 0.12, "tiny/third": 5.0})
    said: list[str] = []
    assert until_decided(study, tmp_path / "s", carry_out, say=said.append) == []
    asked = carry_out.asked  # type: ignore[attr-defined]
    assert asked[0] == {"tiny/edsr": 3, "tiny/srcnn": 3, "tiny/third": 3}
    assert asked[1] == {"tiny/edsr": 5, "tiny/srcnn": 5}
    assert said[0] == "undecided with 3 seeds: tiny/edsr, tiny/srcnn"
    looks = load_looks(tmp_path / "s")
    assert [look.seeds for look in looks] == list(LOOKS[: len(looks)])
    assert len(looks) > 1
    assert looks[-1].undecided == ()
    # Again: nothing new is asked for.
    again = scored(tmp_path / "s", {"tiny/edsr": 0.0, "tiny/srcnn": 0.12, "tiny/third": 5.0})
    until_decided(study, tmp_path / "s", again, say=said.append)
    assert again.asked == asked  # type: ignore[attr-defined]
    assert load_looks(tmp_path / "s") == looks


def test_it_ends_with_the_most_seeds_and_stays_undecided(study: Study, tmp_path: Path) -> None:
    few = replace(study, max_seeds=4)
    carry_out = scored(tmp_path / "s", {"tiny/edsr": 0.0, "tiny/srcnn": 0.01, "tiny/third": 0.11}, sd=0.2)
    until_decided(few, tmp_path / "s", carry_out, say=lambda _: None)
    assert [look.seeds for look in load_looks(tmp_path / "s")] == [3, 4]
    assert load_looks(tmp_path / "s")[-1].undecided


def test_one_test_image_decides_nothing_so_no_seed_is_added(tmp_path: Path) -> None:
    folder = ScoredStudy(tmp_path, {"one": 1})
    for place, name in enumerate("ab"):
        folder.variant(name, noisy(30 + place, seeds=3, images=1, key=place))
    folder.write()
    assert undecided_variants(tmp_path) == ()


def test_a_planned_pair_alone_decides_what_gets_more_seeds(study: Study, tmp_path: Path) -> None:
    planned = replace(study, primary=("tiny/third", "tiny/edsr"))
    carry_out = scored(tmp_path / "s", {"tiny/edsr": 0.0, "tiny/srcnn": 0.01, "tiny/third": 5.0})
    until_decided(planned, tmp_path / "s", carry_out, say=lambda _: None)
    assert [look.seeds for look in load_looks(tmp_path / "s")] == [3]


def test_a_failed_run_ends_it_before_a_look(study: Study, tmp_path: Path) -> None:
    failure = Failure(name="a", kind="unforeseen", reason="a bug", traceback="")
    assert until_decided(study, tmp_path, lambda _: [failure], say=lambda _: None) == [failure]
    assert load_looks(tmp_path) == ()


def test_a_look_that_was_cut_off_is_taken_again_and_one_that_is_there_is_kept(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_looks(tmp_path, [Look(seeds=3, most=10)])
    monkeypatch.setattr(module, "undecided_variants", lambda _: ("tiny/edsr",))
    assert module.look_at(tmp_path, study, 3) == ("tiny/edsr",)
    monkeypatch.setattr(module, "undecided_variants", lambda _: ())
    assert module.look_at(tmp_path, study, 3) == ("tiny/edsr",)
    assert load_looks(tmp_path) == (Look(seeds=3, most=10, undecided=("tiny/edsr",)),)


# Trained


def test_a_trained_study_adds_seeds_to_what_is_there_and_the_report_names_the_command(tmp_path: Path) -> None:
    study = tiny_study(tmp_path / "data", learning_rates=(1e-3,), seeds=(0, 1), max_seeds=4)
    folder = tmp_path / "runs"

    def carry_out(asked: Study) -> list[Failure]:
        return compare(
            asked, folder, MACHINE, question=QUESTION, announce=lambda _: None, report=lambda _: None
        )

    assert until_decided(study, folder, carry_out, say=lambda _: None) == []
    looks = load_looks(folder)
    assert [look.seeds for look in looks] == list(planned_looks(2, 4)[: len(looks)])
    assert seeds_scored(folder) == looks[-1].seeds
    command = read_commands(StudyFolder(folder)).lines[0]
    assert "--seeds 2 --until-decided --max-seeds 4" in command


# By hand


def test_seeds_that_are_added_by_hand_are_a_look_and_the_first_seed_is_none(tmp_path: Path) -> None:
    folder = ScoredStudy(tmp_path, {"b100": 20})

    def score(seeds: int) -> None:
        folder.variants, folder.runs = [], []
        for place, name in enumerate("ab"):
            folder.variant(name, noisy(30, seeds=seeds, images=20, key=place))
        folder.write()

    score(1)
    note_look(tmp_path, before=0)
    assert load_looks(tmp_path) == ()
    score(3)
    note_look(tmp_path, before=1)
    note_look(tmp_path, before=3)
    assert load_looks(tmp_path) == (Look(seeds=3),)
    score(5)
    note_look(tmp_path, before=3)
    assert load_looks(tmp_path) == (Look(seeds=3), Look(seeds=5))
    (tmp_path / store.LOOKS).unlink()  # as in a study from before looks were counted
    note_look(tmp_path, before=3)
    assert load_looks(tmp_path) == (Look(seeds=3), Look(seeds=5))
    assert any("2 looks" in remark for remark in judge(tmp_path).remarks)


def test_the_command_counts_looks_and_its_plan_says_what_more_seeds_may_cost(tmp_path: Path) -> None:
    file = str(write_study_file(tmp_path))
    folder = tmp_path / "runs"
    asked = ["study", file, "--out", str(folder)]
    for seeds in ("2", "3"):
        assert CliRunner().invoke(app, [*asked, "--seeds", seeds]).exit_code == 0
    assert load_looks(folder) == (Look(seeds=2), Look(seeds=3))
    planned = [*asked, "--seeds", "3", "--until-decided", "--max-seeds", "5", "--plan", "--no-estimate"]
    assert "looks at 3, 5 seeds; at most 4 runs more, time not estimated" in CliRunner().invoke(
        app, planned
    ).stdout.replace("\n", " ")
    found = json.loads(CliRunner().invoke(app, [*planned, "--json"]).stdout)["until_decided"]
    assert found == {"looks": [3, 5], "runs_at_most": 4, "seconds_at_most": None}


# What is refused


def test_what_cannot_be_is_refused_before_anything_starts(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="begin with two seeds or more"):
        replace(study, seeds=(0,))
    with pytest.raises(UserError, match="with no more than max_seeds: it has 3 and 2"):
        replace(study, max_seeds=2)
    save_looks(tmp_path, UNTIL[:1])
    check_until_decided(study, tmp_path)
    with pytest.raises(UserError, match="begun with --max-seeds 10"):
        check_until_decided(replace(study, max_seeds=7), tmp_path)
    earlier = SimpleNamespace(variants=study.variants[:-1])
    monkeypatch.setattr("srlab.lab.until_decided.begun", lambda _: earlier)
    with pytest.raises(UserError, match=f"looked at before {study.variants[-1].name} came"):
        check_until_decided(study, tmp_path)
    result = CliRunner().invoke(app, ["study", "smoke", "--max-seeds", "5", "--plan", "--no-estimate"])
    assert "--max-seeds is of --until-decided" in str(result.exception)
    result = CliRunner().invoke(app, ["study", "srgan", "--until-decided", "--plan", "--no-estimate"])
    assert "add seeds by hand" in str(result.exception)


@pytest.mark.parametrize(
    "wrong", ['{"looks": 3}', '{"looks": [{"seeds": "3"}]}', '{"looks": [{"seeds": 5, "most": 3}]}']
)
def test_a_file_of_looks_that_something_else_changed_is_refused(tmp_path: Path, wrong: str) -> None:
    (tmp_path / store.LOOKS).write_text(wrong)
    with pytest.raises(UserError, match=r"looks\.json was not written by srlab"):
        load_looks(tmp_path)


def test_more_seeds_are_the_smallest_numbers_that_are_free(study: Study) -> None:
    assert replace(study, seeds=(4, 0)).with_seeds(4).seeds == (4, 0, 1, 2)
    assert study.with_seeds(2).seeds == (0, 1, 2)
    assert np.unique(study.with_seeds(10).seeds).tolist() == list(range(10))
