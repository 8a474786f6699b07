"""What carrying out a study promises: what is left is done once, and what fails stops nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from msgspec import structs
from safetensors.torch import load_file

from srlab.declare.study import Study
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.choice import load_choice
from srlab.folder.records import read_runs
from srlab.folder.winner import winner
from srlab.lab import execution
from srlab.lab.comparison import compare
from srlab.lab.execution import Event
from srlab.lab.scheduler import Failure
from srlab.show.leaderboard import leaderboard
from srlab.training.machine import Machine
from srlab.training.train import Outcome, train
from srlab.use import scoring
from tiny_study import MACHINE, QUESTION, tiny_study, write_pictures

RUN_FILES = {
    "diagram.svg",
    "metrics.jsonl",
    "provenance.json",
    "result.json",
    "run.json",
    "run.lock",
    "scores.json",
    "summary.txt",
    "tensorboard",
    "weights.safetensors",
}


def silent(_: object) -> None:
    pass


def carry_out(
    study: Study,
    folder: Path,
    *,
    machine: Machine = MACHINE,
    report: Callable[[Event], None] = silent,
) -> list[Failure]:
    return compare(study, folder, machine, question=QUESTION, announce=silent, report=report)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return tiny_study(tmp_path / "data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "tiny"


def modified(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}


def test_a_study_ends_with_every_run_scored_and_the_chosen_ones_tested(study: Study, folder: Path) -> None:
    events: list[Event] = []
    assert carry_out(study, folder, report=events.append) == []
    runs = read_runs(folder)
    assert [run.status for run in runs] == ["finished"] * 4
    choice = load_choice(folder)
    for run in runs:
        is_chosen = choice[run.variant].learning_rate == run.learning_rate
        assert {path.name for path in run.folder.iterdir()} == RUN_FILES | ({"test"} if is_chosen else set())
        assert run.validation is not None
        assert "validation does not choose the step" in store.load_json(run.folder / store.RESULT)["note"]
        if is_chosen:
            assert sorted(path.name for path in (run.folder / "test" / "set").iterdir()) == ["0.png", "1.png"]
    assert (folder / "bicubic" / "test" / "set" / "0.png").exists()
    assert {standing.name for standing in leaderboard(folder).standings if standing.tests} == {
        "bicubic",
        "tiny/edsr",
        "tiny/srcnn",
    }
    assert {event.phase for event in events} == {"training", "scoring", "finished"}


def test_the_same_call_again_does_nothing(study: Study, folder: Path) -> None:
    carry_out(study, folder)
    before, board = modified(folder), leaderboard(folder)
    events: list[Event] = []
    assert carry_out(study, folder, report=events.append) == []
    assert events == []
    assert modified(folder) == before
    assert leaderboard(folder) == board


def test_a_later_seed_is_run_beside_what_is_there(study: Study, folder: Path) -> None:
    study = replace(study, learning_rates=(1e-3,))
    carry_out(study, folder)
    before = modified(folder)
    carry_out(replace(study, seeds=(1,)), folder)
    assert {path: when for path, when in modified(folder).items() if path in before} == before
    spread = next(row for row in leaderboard(folder).standings if row.name == "tiny/edsr").tests["set"][
        "psnr_y"
    ]
    assert spread.num_seeds == 2
    assert spread.sd is not None


def test_a_test_set_added_later_is_scored_without_training(
    study: Study, folder: Path, tmp_path: Path
) -> None:
    carry_out(study, folder)
    before = modified(folder)
    more = write_pictures(tmp_path / "data" / "more", 1, seed=9)
    assert carry_out(replace(study, test=(more,)), folder) == []
    assert modified(folder) == before
    board = leaderboard(folder)
    assert board.test_sets == ("set", "more")
    assert all(set(row.tests) == {"set", "more"} for row in board.standings)


def test_a_change_of_what_was_started_stops_it_before_anything_is_written(study: Study, folder: Path) -> None:
    carry_out(study, folder)
    before = (folder / store.STUDY).read_text()
    changed = replace(study, protocol=replace(study.protocol, num_steps=8), seeds=(0, 1))
    with pytest.raises(UserError, match=r"number of steps \(4 there, 8 asked for\)"):
        carry_out(changed, folder)
    assert (folder / store.STUDY).read_text() == before
    assert not list(folder.glob("*seed1"))


def test_changed_images_are_noticed(study: Study, folder: Path, tmp_path: Path) -> None:
    carry_out(study, folder)
    write_pictures(tmp_path / "data" / "train", 3, seed=77)
    with pytest.raises(
        UserError, match=r"the train images differ from those .* 2 there, 2 here, among them 0"
    ):
        carry_out(replace(study, seeds=(0, 1)), folder)


def test_a_failed_run_stops_no_other_and_is_tried_again(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_edsr(run, **rest):  # type: ignore[no-untyped-def]
        if run.variant.name == "tiny/edsr":
            raise ZeroDivisionError("a bug")
        return train(run, **rest)

    monkeypatch.setattr(execution, "train", fail_for_edsr)
    failures = carry_out(study, folder)
    assert [(failure.name.partition("-lr")[0], failure.kind) for failure in failures] == [
        ("tiny-edsr", "unforeseen")
    ] * 2
    failed = [run for run in read_runs(folder) if run.status == "failed"]
    assert len(failed) == 2
    assert "ZeroDivisionError: a bug" in (failed[0].folder / store.FAILURE).read_text()
    notes = next(row for row in leaderboard(folder).standings if row.name == "tiny/edsr").notes
    assert "2 of 2 runs failed" in notes
    monkeypatch.undo()
    assert carry_out(study, folder) == []
    assert not (failed[0].folder / store.FAILURE).exists()


def test_a_full_disk_is_that_runs_failure_alone(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(run, **rest):  # type: ignore[no-untyped-def]
        if run.variant.name == "tiny/edsr":
            raise OSError(28, "No space left on device")
        return train(run, **rest)

    monkeypatch.setattr(execution, "train", full)
    failures = carry_out(study, folder)
    assert {failure.kind for failure in failures} == {"user"}
    assert "no space is left" in failures[0].reason
    assert [run.status for run in read_runs(folder)].count("finished") == 2


def test_a_diverged_run_is_a_result_and_not_tried_again(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(run, **rest):  # type: ignore[no-untyped-def]
        if run.learning_rate == 1e-3 and run.variant.name == "tiny/edsr":
            return Outcome(
                status="diverged", step=3, seconds=0.5, loss=None, reason="the loss is nan at step 3"
            )
        return train(run, **rest)

    monkeypatch.setattr(execution, "train", diverge)
    assert carry_out(study, folder) == []
    monkeypatch.undo()
    assert carry_out(study, folder) == []
    assert [run.status for run in read_runs(folder)].count("diverged") == 1
    assert load_choice(folder)["tiny/edsr"].learning_rate == 1e-4
    row = next(row for row in leaderboard(folder).standings if row.name == "tiny/edsr")
    assert "1 of 2 runs diverged" in row.notes


def test_an_interruption_goes_through_and_the_same_call_goes_on(study: Study, folder: Path) -> None:
    reference = folder.parent / "whole"
    carry_out(study, reference)

    def interrupt(event: Event) -> None:
        if event.progress is not None and event.name.startswith("tiny-srcnn"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(study, folder, report=interrupt)
    assert [run.status for run in read_runs(folder)] == ["finished", "started", "not started", "not started"]
    assert carry_out(study, folder) == []
    for run in read_runs(folder):
        ours, theirs = (load_file(place / run.name / store.WEIGHTS) for place in (folder, reference))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_better_rate_added_later_supersedes_the_choice_and_keeps_its_scores(
    study: Study, folder: Path
) -> None:
    carry_out(replace(study, learning_rates=(1e-7,)), folder)
    assert load_choice(folder)["tiny/edsr"].learning_rate == 1e-7
    carry_out(replace(study, learning_rates=(1e-2, 1e-3)), folder)
    choice = load_choice(folder)["tiny/edsr"]
    assert choice.learning_rate != 1e-7
    (old,) = choice.superseded
    assert old.learning_rate == 1e-7
    assert (old.superseded or "") >= (old.since or "") > ""
    assert (folder / "tiny-edsr-lr1e-07-seed0" / store.TEST_SCORES).exists()
    row = next(row for row in leaderboard(folder).standings if row.name == "tiny/edsr")
    assert row.learning_rate == choice.learning_rate


def test_scoring_that_was_cut_off_is_finished_by_the_same_call(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture, saved = scoring.save_picture, []

    def interrupt(path: Path, pixels: object) -> None:
        if "bicubic" not in str(path):
            saved.append(path)
        if len(saved) == 2:
            raise KeyboardInterrupt
        save_picture(path, pixels)

    monkeypatch.setattr(scoring, "save_picture", interrupt)
    with pytest.raises(KeyboardInterrupt):
        carry_out(study, folder)
    assert all(not row.tests for row in leaderboard(folder).standings if row.name != "bicubic")
    monkeypatch.undo()
    assert carry_out(study, folder) == []
    assert all(row.tests for row in leaderboard(folder).standings)


def test_a_run_keeps_the_threads_it_was_declared_with(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(event: Event) -> None:
        if event.progress is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(study, folder, report=interrupt)
    used: list[int] = []
    monkeypatch.setattr(execution, "use_threads", used.append)
    carry_out(study, folder, machine=replace(MACHINE, threads=2))
    assert used[:2] == [1, 2]
    provenance = store.load_json(folder / "tiny-edsr-lr0.001-seed0" / store.PROVENANCE)
    assert len(provenance["sessions"]) == 2
    assert provenance["sessions"][0]["ended"] is None


def test_a_second_srlab_on_the_same_study_is_refused(study: Study, folder: Path) -> None:
    with (
        store.locked(folder / "study.lock", busy="free"),
        pytest.raises(UserError, match="another srlab process is working on the study"),
    ):
        carry_out(study, folder)


def test_a_test_image_that_was_trained_on_is_refused_before_anything_starts(
    study: Study, folder: Path
) -> None:
    with pytest.raises(UserError, match="is in train and"):
        carry_out(replace(study, test=study.train), folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("role", "size", "message"),
    [
        ("train", 12, "0 is 12x12 .*--lr-patch-size 6, which fits all"),
        ("validate", 1, "0 is 1x1 pixels, too small to be scored at x2"),
        ("test", 14, "0 is 14x14 pixels, too small to be scored at x2"),
    ],
)
def test_images_too_small_are_refused_before_anything_is_written(
    study: Study, folder: Path, tmp_path: Path, role: str, size: int, message: str
) -> None:
    small = write_pictures(tmp_path / "small", 1, seed=3, size=size)
    changes = {"validate": (write_pictures(tmp_path / "more", 1, seed=4),), role: (small,)}
    with pytest.raises(UserError, match=message):
        carry_out(replace(study, **changes), folder)  # type: ignore[arg-type]
    assert not folder.exists()


def test_bicubic_is_scored_anew_if_the_images_change_before_the_first_run(
    study: Study, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(execution.TrainTask, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            carry_out(study, folder)
    assert (folder / store.BASELINE / store.TEST_SCORES).exists()
    study = replace(study, validate=(write_pictures(tmp_path / "more", 1, seed=4, size=60),))
    write_pictures(tmp_path / "data" / "set", 2, seed=9)
    carry_out(study, folder)
    carry_out(study, tmp_path / "other")
    for name in (store.SCORES, store.TEST_SCORES):
        assert (folder / store.BASELINE / name).read_text() == (
            tmp_path / "other" / store.BASELINE / name
        ).read_text()


def test_what_a_kill_at_the_very_end_or_a_deleted_file_left_undone_is_done(
    study: Study, folder: Path
) -> None:
    study = replace(study, learning_rates=(1e-3,))
    carry_out(study, folder)
    board, before = leaderboard(folder), modified(folder)
    run = read_runs(folder)[0].folder
    (run / "checkpoint.pt").write_bytes(b"left")
    (run / store.SCORES).unlink()
    assert carry_out(study, folder) == []
    assert not (run / "checkpoint.pt").exists()
    assert leaderboard(folder) == board
    assert modified(folder) == before


@pytest.mark.parametrize("name", ["tiny-edsr-lr0.001-seed0", "bicubic"])
@pytest.mark.parametrize("file", [store.SCORES, store.TEST_SCORES])
@pytest.mark.parametrize("gone", ["image", "metric"])
def test_scores_that_lack_an_image_or_a_metric_are_made_again(
    study: Study, folder: Path, name: str, file: str, gone: str
) -> None:
    study = replace(study, learning_rates=(1e-3,))
    carry_out(study, folder)
    path, trained = folder / name / file, modified(folder)
    before = path.read_bytes()
    values = store.load_json(path)
    values["scores"] = [row for row in values["scores"] if row[gone] != values["scores"][-2][gone]]
    store.save_json(path, values)
    assert carry_out(study, folder) == []
    assert path.read_bytes() == before
    assert modified(folder) == trained


def without_gmsd(path: Path) -> None:
    """The scores as an srlab wrote them that had no GMSD yet."""
    values = store.load_json(path)
    values["scores"] = [row for row in values["scores"] if row["metric"] != "gmsd_y"]
    store.save_json(path, values)


def test_a_study_from_before_gmsd_gets_that_alone_and_from_its_pictures(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = replace(study, learning_rates=(1e-3,))
    carry_out(study, folder)
    tests = sorted(folder.glob("*/test/scores.json"))
    before = {path: path.read_bytes() for path in tests}
    for path in [*tests, *folder.glob("*/scores.json")]:
        without_gmsd(path)
    old = leaderboard(folder)
    assert "gmsd_y" not in old.metrics
    assert not any("missing" in note for row in old.standings for note in row.notes)
    validation = {path: path.read_bytes() for path in folder.glob("*/scores.json")}

    def no_network(*_: object, **__: object) -> object:
        raise AssertionError("a network is asked again for what its stored picture says")

    monkeypatch.setattr(scoring, "evaluate_network", no_network)
    assert carry_out(study, folder) == []
    assert {path: path.read_bytes() for path in tests} == before
    assert {path: path.read_bytes() for path in validation} == validation  # it chooses nothing here


def test_a_score_that_is_there_is_never_changed(study: Study, folder: Path) -> None:
    study = replace(study, learning_rates=(1e-3,))
    carry_out(study, folder)
    path = folder / "tiny-edsr-lr0.001-seed0" / store.TEST_SCORES
    without_gmsd(path)
    values = store.load_json(path)
    values["scores"][0]["value"] = 12.5
    store.save_json(path, values)
    carry_out(study, folder)
    assert store.load_json(path)["scores"][0]["value"] == 12.5


@pytest.mark.parametrize("change", [{}, {"learning_rate": 0.5, "psnr_y": 99.0}])
def test_a_choice_that_something_else_changed_is_refused_and_made_again(
    study: Study, folder: Path, change: dict[str, float]
) -> None:
    study = replace(study, learning_rates=(1e-3,))
    carry_out(study, folder)
    before, values = load_choice(folder), store.load_json(folder / store.CHOICE)
    old = values["variants"].pop("tiny/edsr")
    if change:
        values["variants"]["tiny/edsr"] = old | change
    store.save_json(folder / store.CHOICE, values)
    with pytest.raises(UserError, match=r"choice\.json .* chooses again"):
        winner(folder)
    assert carry_out(study, folder) == []
    made, again = (
        {name: structs.replace(choice, since=None) for name, choice in choices.items()}
        for choices in (before, load_choice(folder))
    )
    assert again == made


def test_a_finished_run_that_cannot_be_scored_again_is_a_failure_of_its_own(
    study: Study, folder: Path
) -> None:
    study = replace(study, learning_rates=(1e-3,))
    carry_out(study, folder)
    first, second = (run.folder for run in read_runs(folder))
    for path in (first / store.SCORES, first / store.WEIGHTS, second / store.SCORES):
        path.unlink()
    (failure,) = carry_out(study, folder)
    assert (failure.name, failure.kind) == (first.name, "user")
    assert "weights.safetensors does not exist" in failure.reason
    assert (second / store.SCORES).exists()


def test_the_traceback_of_a_failed_test_scoring_is_kept_until_it_succeeds(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = replace(study, learning_rates=(1e-3,))
    save_picture = scoring.save_picture

    def fail(path: Path, pixels: object) -> None:
        if "tiny-srcnn" in str(path):
            raise ZeroDivisionError("a bug")
        save_picture(path, pixels)

    monkeypatch.setattr(scoring, "save_picture", fail)
    (failure,) = carry_out(study, folder)
    kept = folder / failure.name / store.TEST / store.FAILURE
    assert "Traceback" in kept.read_text()
    assert "a bug" in kept.read_text()
    assert {run.status for run in read_runs(folder)} == {"finished"}
    monkeypatch.undo()
    assert carry_out(study, folder) == []
    assert not kept.exists()
