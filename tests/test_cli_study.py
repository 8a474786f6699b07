"""What study, train and leaderboard promise: plans without data, exact resume, exit codes."""

import csv
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from srlab.cli import main
from srlab.cli.parsing import parse_changes, parse_names, parse_rates, parse_seeds
from srlab.declare.protocol import TrainingProtocol
from srlab.errors import UserError
from srlab.lab import execution
from srlab.training.train import train
from tiny_study import start_srlab, write_pictures, write_study_file

Srlab = Callable[..., tuple[int, str, str]]


@pytest.fixture
def srlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Srlab:
    """Run a command in this process: its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["srlab", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def one_line(message: str) -> bool:
    return len(message.strip().splitlines()) == 1 and message.startswith("srlab: ")


@pytest.mark.parametrize("text", ["", "x", "1,x", "-1", "0", "2000", ",", "1.5"])
def test_seeds_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--seeds"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["", "x", "1e-3,x", "0", "-1e-3", "inf", "nan"])
def test_rates_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--learning-rates"):
        parse_rates(text)


@pytest.mark.parametrize("setting", ["activation", "=prelu", "activation="])
def test_an_option_without_key_or_value_is_refused(setting: str) -> None:
    with pytest.raises(UserError, match="--set takes KEY=VALUE"):
        parse_changes([setting])


def test_an_option_named_twice_and_an_empty_list_are_refused() -> None:
    with pytest.raises(UserError, match="twice"):
        parse_changes(["a=1", "a=2"])
    with pytest.raises(UserError, match="give at least one name"):
        parse_names(" , ", option="--test")


def test_a_plan_needs_no_data_and_starts_nothing(
    srlab: Srlab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "nothing"))
    code, out, err = srlab("study", "edsr", "--plan", "--json", "--no-estimate")
    assert (code, err) == (0, "")
    plan: dict[str, Any] = json.loads(out)
    assert len(plan["runs"]) == 7 * 5 * 3
    assert plan["runs"][0]["steps"] == 10_000
    assert plan["seconds"] is None
    assert any("div2k_train" in missing for missing in plan["missing_data"])
    parameters = {variant["name"]: variant["parameters"] for variant in plan["variants"]}
    assert parameters["edsr/vanilla"] == 1_517_571
    assert list(tmp_path.iterdir()) == []


def test_a_plan_for_people_says_what_it_costs(srlab: Srlab, tmp_path: Path) -> None:
    file = str(write_study_file(tmp_path))
    code, out, err = srlab("study", file, "--plan", "--seeds", "2", "--threads", "1")
    assert code == 0
    assert "timing a few steps of tiny/edsr (1 of 2; --no-estimate leaves it out)" in err
    assert "time: measured here and now" in out
    _, untimed, err = srlab("study", file, "--plan", "--no-estimate")
    assert "timing" not in err
    assert "measured" not in untimed
    assert "Does it work?" in out
    assert "tiny-srcnn-lr0.001-seed1" in out
    assert "tiny: 4 runs, 4 left to do, about" in out
    assert "missing data" not in out


def test_options_change_the_study(srlab: Srlab, tmp_path: Path) -> None:
    words = ["--variants", "srcnn", "--learning-rates", "1e-2,1e-5", "--seeds", "4,", "--steps", "7"]
    words += ["--batch-size", "3", "--lr-patch-size", "9", "--test", "set5,here", "--precision", "fp32"]
    code, out, _ = srlab(
        "study", str(write_study_file(tmp_path)), "--plan", "--json", "--no-estimate", *words
    )
    assert code == 0
    plan = json.loads(out)
    assert [(run["name"], run["steps"]) for run in plan["runs"]] == [
        ("tiny-srcnn-lr0.01-seed4", 7),
        ("tiny-srcnn-lr1e-05-seed4", 7),
    ]
    assert (plan["protocol"]["batch_size"], plan["protocol"]["lr_patch_size"]) == (3, 9)
    assert plan["test"] == ["set5", "here"]
    assert plan["folder"] == "runs/tiny"


def test_every_setting_of_the_protocol_can_be_changed(srlab: Srlab, tmp_path: Path) -> None:
    words = ["--schedule", "cosine", "--optimizer", "sgd", "--validate-every", "2"]
    words += ["--validation-images", "1", "--protocol", "momentum=0.9", "--protocol", "warmup_steps=3"]
    _, out, _ = srlab("study", str(write_study_file(tmp_path)), "--plan", "--json", "--no-estimate", *words)
    protocol = json.loads(out)["protocol"]
    asked = {
        "schedule": "cosine",
        "optimizer": "sgd",
        "validate_every": 2,
        "validation_images": 1,
        "momentum": 0.9,
        "warmup_steps": 3,
    }
    assert {name: protocol[name] for name in asked} == asked


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("momentun=0.9", "did you mean momentum?"),
        ("batch_size=8", "--protocol cannot set batch_size; use --batch-size 8"),
        ("validate_every=8", "--protocol cannot set validate_every; use --validate-every 8"),
        ("validate-every=8", "--protocol cannot set validate-every; use --validate-every 8"),
        ("validate_evry=8", "did you mean --validate-every?"),
        ("num_steps=8", "use --steps 8"),
        ("steps=8", "use --steps 8"),
        ("momentum=much", "momentum must be a number, not 'much'"),
        ("momentum", "--protocol takes KEY=VALUE"),
        ("momentum=0.9", "the optimizer adam has no momentum"),
    ],
)
def test_a_setting_that_the_protocol_does_not_have_is_refused(
    srlab: Srlab, tmp_path: Path, setting: str, message: str
) -> None:
    code, _, err = srlab("study", str(write_study_file(tmp_path)), "--plan", "--protocol", setting)
    assert code == 2
    assert one_line(err)
    assert message in err


@pytest.mark.parametrize("command", [["study", "smoke"], ["train", "srcnn/vanilla", "--test", "sample"]])
def test_an_unknown_setting_lists_those_that_only_the_option_protocol_sets(
    srlab: Srlab, command: list[str]
) -> None:
    words = ["--train", "sample", "--plan", "--protocol", "colour=red"]
    code, _, err = srlab(*command, *words)
    assert code == 2
    listed = err.strip().partition("its settings are ")[2].split(", ")
    hints = {each.name for each in fields(TrainingProtocol)}
    with_options = {"num_steps", "batch_size", "lr_patch_size", "schedule", "optimizer", "precision"}
    assert set(listed) == hints - with_options - {"ema", "validate_every", "validation_images"}


def test_other_training_data_do_not_keep_the_studys_validation_data(srlab: Srlab) -> None:
    _, out, _ = srlab("study", "edsr", "--plan", "--json", "--no-estimate", "--train", "t91")
    assert json.loads(out)["validate"] == []


def test_a_study_ends_with_its_leaderboard_and_the_files_it_wrote(srlab: Srlab, tmp_path: Path) -> None:
    words = ["study", str(write_study_file(tmp_path)), "--threads", "1", "--no-estimate"]
    code, out, err = srlab(*words)
    assert code == 0
    assert "2 runs, 2 left to do, time not estimated" in err
    assert "tiny-edsr-lr0.001-seed0 finished" in err
    assert "bicubic" in out
    assert (tmp_path / "runs/tiny/leaderboard.md").read_text().startswith("# tiny: Does it work?")
    assert "runs/tiny/leaderboard.csv" in out
    for line in out.splitlines():
        if line.startswith("runs/"):
            assert Path(line).is_file()

    code, out, err = srlab(*words, "--json")
    assert code == 0
    assert {row["variant"] for row in json.loads(out)["standings"]} == {"bicubic", "tiny/edsr", "tiny/srcnn"}
    assert "0 left to do" in err

    code, out, _ = srlab("leaderboard", "runs/tiny", "--json", "--csv", "a.csv", "--markdown", "a.md")
    assert code == 0
    assert json.loads(out)["study"] == "tiny"
    assert Path("a.csv").read_text() == (tmp_path / "runs/tiny/leaderboard.csv").read_text()
    assert Path("a.md").read_text() == (tmp_path / "runs/tiny/leaderboard.md").read_text()

    code, _, err = srlab(*words, "--steps", "9")
    assert code == 2
    assert one_line(err)
    assert "number of steps (4 there, 9 asked for)" in err
    code, _, err = srlab(*words[:-1], "--steps", "9", "--seeds", "2", "--plan")
    assert code == 2
    assert one_line(err)  # told before anything is timed


def test_training_one_variant_is_a_study_of_one_run(srlab: Srlab, tmp_path: Path) -> None:
    words = ["train", "srcnn/residual", "--scale", "2", "--set", "num_features=4,4", "--steps", "2"]
    words += [
        "--train",
        write_pictures(tmp_path / "train", 2, seed=1),
        "--batch-size",
        "1",
        "--lr-patch-size",
        "8",
    ]
    words += [
        "--test",
        write_pictures(tmp_path / "set", 1, seed=2),
        "--threads",
        "1",
        "--no-estimate",
        "--json",
    ]
    code, out, _ = srlab(*words)
    assert code == 0
    assert json.loads(out)["folder"] == "runs/train-srcnn-residual+num_features-4-4-x2"
    assert {row["variant"] for row in json.loads(out)["standings"]} == {
        "bicubic",
        "srcnn/residual+num_features-4-4",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["study", "nothing"], "there is no study"),
        (["study", "smoke", "--variants", "srresnet"], "no variant 'srresnet'; it has srcnn/vanilla"),
        (
            ["study", "smoke", "--plan", "--device", "abacus"],
            "--device: there is no device 'abacus'; use auto, cpu, cuda or cuda:1",
        ),
        (["study", "smoke", "--plan", "--precision", "fp8"], "auto, fp32, bf16"),
        (["study", "smoke", "--train", "no/such/folder"], "no/such/folder"),
        (["study", "smoke", "--out", "file"], "file should be a folder, but a file has that name"),
        (["leaderboard", "file"], "is not the folder of a study"),
        (["train", "vdsr/paper", "--train", "a", "--test", "b"], "exists at x2, x3, x4: choose one"),
        (["train", "srcnn/vanilla", "--scale", "4", "--train", "sample", "--test", "sample"], "exists at x2"),
        (
            ["train", "edsr/none", "--scale", "4", "--train", "sample", "--test", "sample"],
            "there is no variant",
        ),
        (
            ["train", "edsr/baseline", "--scale", "4", "--train", "a", "--test", "b", "--set", "dropout=1"],
            "no option 'dropout'",
        ),
        (["leaderboard", "."], "is not the folder of a study"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(srlab: Srlab, words: list[str], message: str) -> None:
    Path("file").touch()
    code, out, err = srlab(*words)
    assert (code, out) == (2, "")
    assert one_line(err)
    assert message in err
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_validation_data_that_other_training_data_put_aside_are_told(srlab: Srlab, tmp_path: Path) -> None:
    study = write_study_file(tmp_path)
    text = study.read_text()
    study.write_text(
        text.replace(
            "    test=(", f"    validate=({write_pictures(tmp_path / 'val', 1, seed=5)!r},),\n    test=("
        )
    )
    more = write_pictures(tmp_path / "more", 3, seed=6)
    said = "the study's validation data"
    words = ("study", str(study), "--no-estimate")
    code, _, err = srlab(*words, "--plan", "--train", more)
    assert (code, said in err) == (0, True)
    for others in ((), ("--train", more, "--validate", str(tmp_path / "val"))):
        assert said not in srlab(*words, "--plan", *others)[2]
    _, _, err = srlab(*words, "--train", more, "--variants", "srcnn", "--threads", "1")
    assert said in err


def test_a_run_that_was_interrupted_has_one_name_everywhere(srlab: Srlab, tmp_path: Path) -> None:
    study = write_study_file(tmp_path)
    words = ("study", str(study), "--no-estimate", "--threads", "1", "--variants", "srcnn")
    assert srlab(*words)[0] == 0
    (tmp_path / "runs/tiny/tiny-srcnn-lr0.001-seed0/result.json").unlink()
    for out in (srlab(*words, "--plan")[1], srlab("leaderboard", "runs/tiny", "--notes")[1]):
        assert "running, or interrupted" in out


def test_a_variant_that_exists_at_one_scale_is_trained_at_that(srlab: Srlab) -> None:
    code, out, _ = srlab(
        *("train", "edsr/vanilla", "--train", "a", "--test", "b", "--plan", "--no-estimate", "--json")
    )
    assert (code, json.loads(out)["scale"]) == (0, 4)


@pytest.mark.parametrize("file", ["choice.json", "tiny-edsr-lr0.001-seed0/result.json"])
@pytest.mark.parametrize("content", ["[]", "{}", "null", "{"])
def test_a_file_that_something_else_changed_is_one_line(
    srlab: Srlab, tmp_path: Path, file: str, content: str
) -> None:
    study = write_study_file(tmp_path)
    assert srlab("study", str(study), "--out", "runs/tiny", "--no-estimate", "--variants", "edsr")[0] == 0
    (tmp_path / "runs" / "tiny" / file).write_text(content)
    code, _, err = srlab("leaderboard", "runs/tiny")
    assert code == 2
    assert one_line(err)
    assert file in err


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        (ZeroDivisionError("a bug"), 1, "a bug"),
        (OSError(13, "Permission denied", "here"), 2, "here cannot be used: permission denied; change its"),
    ],
)
def test_a_failed_run_is_one_line_at_the_end_and_an_exit_code(
    srlab: Srlab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: int, said: str
) -> None:
    def fail(run, **rest):  # type: ignore[no-untyped-def]
        if run.variant.name == "tiny/srcnn":
            raise error
        return train(run, **rest)

    monkeypatch.setattr(execution, "train", fail)
    code, _, err = srlab("study", str(write_study_file(tmp_path)), "--threads", "1", "--no-estimate")
    assert code == expected
    assert "tiny/srcnn: 1 of 1 runs failed" in srlab("leaderboard", "runs/tiny", "--notes")[1]
    assert "Traceback" not in err
    (line,) = [
        line for line in err.splitlines() if line.startswith("srlab: tiny-srcnn-lr0.001-seed0 failed:")
    ]
    assert said in line


def test_a_failure_without_details_names_no_file_of_them(
    srlab: Srlab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    study = (
        "study",
        str(write_study_file(tmp_path)),
        "--threads",
        "1",
        "--no-estimate",
        "--variants",
        "edsr",
    )
    assert srlab(*study)[0] == 0
    monkeypatch.setattr(execution, "score_tests", full)
    more = write_pictures(tmp_path / "more", 1, seed=5)
    code, _, err = srlab(*study, "--test", f"{tmp_path / 'set'},{more}")
    assert code == 2
    assert "no space is left" in err
    assert "failure.txt" not in err


def test_an_interrupted_study_says_that_the_same_command_goes_on(
    srlab: Srlab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(run, **rest):  # type: ignore[no-untyped-def]  # noqa: ARG001
        raise KeyboardInterrupt

    monkeypatch.setattr(execution, "train", interrupt)
    code, _, err = srlab("study", str(write_study_file(tmp_path)), "--threads", "1", "--no-estimate")
    assert code == 130
    assert "run the same command again: it continues" in err


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker processes in /proc")
def test_a_study_killed_with_its_workers_ends_as_one_left_alone(srlab: Srlab, tmp_path: Path) -> None:
    path = write_study_file(tmp_path, steps=200, every=20)
    words = ["study", str(path), "--threads", "1", "--no-estimate"]
    killed = start_srlab([*words, "--jobs", "2", "--out", "killed"])
    try:
        runs = [tmp_path / "killed" / f"tiny-{name}-lr0.001-seed0" for name in ("edsr", "srcnn")]
        until = time.monotonic() + 300
        while not (runs[0] / "checkpoint.pt").exists() and not (runs[0] / "result.json").exists():
            assert killed.poll() is None, killed.communicate()
            assert time.monotonic() < until
            time.sleep(0.005)
        workers = children_of(killed.pid)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    assert workers
    until = time.monotonic() + 10
    while any(is_alive(worker) for worker in workers):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not all((run / "result.json").exists() for run in runs), "it was killed too late to show anything"

    assert srlab(*words, "--out", "killed")[0] == 0
    assert srlab(*words, "--out", "whole")[0] == 0
    for run in runs:
        ours = load_file(run / "weights.safetensors")
        theirs = load_file(tmp_path / "whole" / run.name / "weights.safetensors")
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    boards = [board_without_time(tmp_path / out / "leaderboard.csv") for out in ("killed", "whole")]
    assert boards[0] == boards[1]


def board_without_time(path: Path) -> list[dict[str, str]]:
    times = {"seconds", "processor_seconds", "busy_machine"}
    with path.open() as file:
        return [
            {name: value for name, value in row.items() if name not in times} for row in csv.DictReader(file)
        ]


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def test_what_is_not_final_is_said_with_what_to_do(
    srlab: Srlab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    study = write_study_file(tmp_path)
    text = study.read_text().replace("learning_rates=(1e-3,)", "learning_rates=(1e-3, 1e-4)")
    study.write_text(text)

    def fail(run: Any, **rest: Any) -> Any:
        if run.name == "tiny-edsr-lr0.0001-seed0":
            raise ZeroDivisionError("a bug")
        return train(run, **rest)

    monkeypatch.setattr(execution, "train", fail)
    code, out, err = srlab("study", str(study), "--no-estimate")
    assert code == 1
    assert "tiny/srcnn" in out
    said = " ".join(err.split())
    assert "tiny/edsr is not scored on the test sets yet: tiny-edsr-lr0.0001-seed0 has" in said
    assert "leave its rate out of --learning-rates or its seed out of --seeds" in said
    assert not (tmp_path / "runs" / "tiny" / "tiny-edsr-lr0.001-seed0" / "test").exists()
    code, out, err = srlab("study", str(study), "--no-estimate", "--learning-rates", "1e-3")
    assert code == 0
    assert "not scored" not in err
