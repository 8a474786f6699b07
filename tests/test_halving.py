"""What halving promises: short trainings choose the rate, and none of them is among what is compared."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from srlab.cli import app
from srlab.declare.study import TRIAL_SEED, Study
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.choice import load_choice
from srlab.folder.records import StudyFolder, read_runs
from srlab.folder.trials import trial_folder
from srlab.lab import execution
from srlab.lab.claims import declare_study
from srlab.lab.comparison import compare
from srlab.lab.halving import check_halving, choose_rates, find_search, make_whole_plan
from srlab.lab.planning import make_plan
from srlab.lab.scheduler import Failure
from srlab.show.report.commands import read_commands
from srlab.training.train import train
from srlab.verdicts import judge
from stored_files import images_of
from tiny_study import MACHINE, QUESTION, tiny_study, write_study_file

RATES = (1e-2, 1e-3, 3e-4, 1e-4, 1e-5)
NAMES = ("tiny/edsr", "tiny/srcnn")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    found = tiny_study(tmp_path / "data", learning_rates=RATES, seeds=(0, 1), rate_search="halving")
    return found.with_steps(8)


def fake_round(study: Study, folder: Path, scores: Mapping[str, Mapping[float, float | None]]) -> None:
    """What a round leaves behind: its study, and the rates that it tried with their psnr_y."""
    plan = make_plan(study, folder, MACHINE)
    declared = declare_study(plan, question=QUESTION, data="0" * 64, images=images_of({}), notes={})
    store.save(folder / store.STUDY, declared)
    store.save_json(
        folder / store.CHOICE,
        {
            "variants": {
                name: {
                    "learning_rate": next(iter(of)),
                    "psnr_y": 30.0,
                    "since": None,
                    "is_complete": True,
                    "waits_for": [],
                    "left_out": [],
                    "superseded": [],
                    "rates": [
                        {
                            "learning_rate": rate,
                            "psnr_y": psnr,
                            "finished": [] if psnr is None else [TRIAL_SEED],
                            "diverged": [TRIAL_SEED] if psnr is None else [],
                            "missing": [],
                        }
                        for rate, psnr in of.items()
                    ],
                }
                for name, of in scores.items()
            }
        },
    )


def test_all_rates_are_tried_the_better_half_goes_on_and_the_best_is_left(
    study: Study, tmp_path: Path
) -> None:
    search = find_search(study, tmp_path)
    first, second = search.trials
    assert [trial.is_settled for trial in search.trials] == [True, False]
    assert [trial.study.protocol.num_steps for trial in search.trials] == [2, 4]
    assert [len(list(trial.study.runs())) for trial in search.trials] == [10, 6]
    assert set(search.waiting) == set(NAMES)
    assert {run.seed for trial in search.trials for run in trial.study.runs()} == {TRIAL_SEED}

    by_rate = dict(zip(RATES, (None, 31.0, 32.0, 30.0, 29.0), strict=True))
    other = dict(zip(RATES, (None, None, None, None, 20.0), strict=True))
    fake_round(first.study, first.folder, {NAMES[0]: by_rate, NAMES[1]: other})
    search = find_search(study, tmp_path)
    assert search.waiting == (NAMES[0],)
    (_, second) = search.trials
    assert second.is_settled
    assert [run.learning_rate for run in second.study.runs()] == [1e-3, 3e-4, 1e-4]  # of tiny/edsr alone
    assert search.study.rates_of(search.study.variants[1]) == (1e-5,)

    fake_round(second.study, second.folder, {NAMES[0]: {1e-3: 33.0, 3e-4: 32.5, 1e-4: 34.0}})
    search = find_search(study, tmp_path)
    assert search.waiting == ()
    assert [search.study.rates_of(variant) for variant in search.study.variants] == [(1e-4,), (1e-5,)]
    assert search.study.seeds == (0, 1)


def test_where_every_rate_diverged_the_smallest_one_shows_it(study: Study, tmp_path: Path) -> None:
    first = find_search(study, tmp_path).trials[0]
    fake_round(first.study, first.folder, {name: dict.fromkeys(RATES) for name in NAMES})
    search = find_search(study, tmp_path)
    assert search.waiting == ()
    assert search.study.rates_of(search.study.variants[0]) == (1e-5,)


def test_a_rate_that_is_added_is_tried_too(study: Study, tmp_path: Path) -> None:
    first = find_search(study, tmp_path).trials[0]
    fake_round(first.study, first.folder, {name: dict.fromkeys(RATES, 30.0) for name in NAMES})
    more = replace(study, learning_rates=(3e-2, *RATES))
    search = find_search(more, tmp_path)
    assert set(search.waiting) == set(NAMES)
    assert not search.trials[1].is_settled


def test_a_rate_that_is_left_out_is_not_chosen(study: Study, tmp_path: Path) -> None:
    first = find_search(study, tmp_path).trials[0]
    scores = {rate: 30.0 + place for place, rate in enumerate(RATES)}
    fake_round(first.study, first.folder, {name: scores for name in NAMES})
    fewer = find_search(replace(study, learning_rates=RATES[:-1]), tmp_path).trials[1].study
    assert all(RATES[-1] not in fewer.rates_of(variant) for variant in fewer.variants)
    assert all(RATES[-2] in fewer.rates_of(variant) for variant in fewer.variants)


def carry_out(study: Study, folder: Path) -> list[Failure]:
    def once(asked: Study, place: Path, is_tested: bool) -> list[Failure]:
        from srlab.data.datasets import split

        images = split(train=study.train, validate=study.validate, test=study.test if is_tested else ())
        return compare(
            asked,
            place,
            replace(MACHINE, jobs=jobs),
            question=QUESTION,
            announce=lambda _: None,
            report=lambda _: None,
            images=images,
        )

    jobs = 1
    chosen, failures = choose_rates(study, folder, once)
    return failures if chosen is None else failures + once(chosen, folder, True)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("weights.safetensors")
    }


def test_a_study_trains_the_chosen_rate_alone_and_an_interrupted_one_ends_alike(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert carry_out(study, whole) == []
    runs = read_runs(whole)
    assert [run.status for run in runs] == ["finished"] * 4  # two variants, one rate each, two seeds
    chosen = {name: entry.learning_rate for name, entry in load_choice(whole).items()}
    best = {name: entry.learning_rate for name, entry in load_choice(trial_folder(whole, 2)).items()}
    assert chosen == best
    assert len(files(whole)) == 10 + 6 + 4
    assert not list((whole / "rates").rglob("test/scores.json"))
    assert store.load_study(whole).rate_search == "halving"

    verdicts = judge(whole)
    assert [len(one.rates) for one in verdicts.learning_rates] == [5, 5]
    assert [cost.runs for cost in verdicts.costs] == [5 + 3 + 2] * 2
    assert any("chosen by halving" in remark for remark in verdicts.remarks)
    command = read_commands(StudyFolder(whole)).lines[0]
    (asked,) = re.findall(r"--learning-rates (\S+)", command)
    assert tuple(map(float, asked.split(","))) == RATES
    assert "--rate-search halving" in command

    trained: list[str] = []

    def interrupted(run, **arguments):  # type: ignore[no-untyped-def]
        trained.append(run.name)
        if len(trained) in (4, 13, 18):  # in each round, and at last
            raise KeyboardInterrupt
        return train(run, **arguments)

    monkeypatch.setattr(execution, "train", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            carry_out(study, parts)
    assert carry_out(study, parts) == []
    assert files(parts) == files(whole)
    before = len(trained)
    assert carry_out(study, parts) == []
    assert len(trained) == before


def test_a_failed_trial_keeps_its_variant_waiting_and_stops_no_other(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def failing(run, **arguments):  # type: ignore[no-untyped-def]
        if run.variant.name == NAMES[0] and run.learning_rate == 1e-3:
            raise ValueError("a bug")
        return train(run, **arguments)

    monkeypatch.setattr(execution, "train", failing)
    failures = carry_out(study, tmp_path / "s")
    assert {failure.reason for failure in failures} == {"ValueError: a bug"}
    assert {run.variant for run in read_runs(tmp_path / "s")} == {NAMES[1]}
    planned = replace(study, primary=NAMES)
    assert carry_out(planned, tmp_path / "planned")
    assert not store.is_study(tmp_path / "planned")  # what is planned is stored before the first run
    monkeypatch.setattr(execution, "train", train)
    assert carry_out(study, tmp_path / "s") == []
    assert {run.variant for run in read_runs(tmp_path / "s")} == set(NAMES)


def test_a_plan_counts_the_trials_and_what_follows(study: Study, tmp_path: Path) -> None:
    plan = make_whole_plan(study, tmp_path / "s", MACHINE, measure_seconds=0.1)
    assert [len(stage.runs) for stage in plan.stages] == [10, 6, 4]
    assert plan.seconds_left is not None
    steps = 10 * 2 + 6 * 4 + 4 * 8
    each = {name: cost.seconds_per_step or 0 for name, cost in plan.costs.items()}
    assert plan.seconds_left.training == pytest.approx(steps / 2 * sum(each.values()))
    grid = make_whole_plan(replace(study, rate_search="grid"), tmp_path / "s", MACHINE)
    assert [len(stage.runs) for stage in grid.stages] == [20]


def test_the_command_plans_and_carries_out_a_halving(tmp_path: Path) -> None:
    file = str(write_study_file(tmp_path))
    folder = tmp_path / "runs"
    asked = [
        "study",
        file,
        "--out",
        str(folder),
        "--rate-search",
        "halving",
        "--learning-rates",
        "1e-2,1e-3,1e-4",
    ]
    plan = CliRunner().invoke(app, [*asked, "--plan", "--no-estimate"]).stdout
    assert "then 4 runs of 2 steps at the better half of the rates" in plan
    assert "then 2 runs of 4 steps at the chosen rates" in plan
    assert re.search(
        r"^rates/1of4/\S+-lr0.01-seed\d+ +1 +0.01 ", plan, flags=re.MULTILINE
    )  # of a quarter of 4 steps
    assert "12 runs, 12 left to do" in plan
    found = json.loads(CliRunner().invoke(app, [*asked, "--plan", "--no-estimate", "--json"]).stdout)
    assert [trial["runs"] for trial in found["rate_search"]["trials"]] == [6, 4]
    assert found["runs"] == []
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert len(read_runs(folder)) == 2
    found = json.loads(CliRunner().invoke(app, [*asked, "--plan", "--no-estimate", "--json"]).stdout)
    assert (found["left"], len(found["runs"]), found["rate_search"]["is_settled"]) == (0, 2, True)
    refused = CliRunner().invoke(app, [*asked[:4], "--learning-rates", "1e-2,1e-3,1e-4"])
    assert "--rate-search halving, not grid" in str(refused.exception)


def test_what_cannot_be_halved_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rate_search must be grid or halving"):
        replace(study, rate_search="random")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="is that of the trials"):
        replace(study, seeds=(0, TRIAL_SEED))
    taken = replace(study, variants=(replace(study.variants[0], taken_from="there"), study.variants[1]))
    with pytest.raises(UserError, match="use --rate-search grid"):
        check_halving(taken, tmp_path)
