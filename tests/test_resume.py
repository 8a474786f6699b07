"""What resuming promises: a run killed at any moment and started again ends as if it had been left alone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from killed_runs import KILLS, RANDOM, WHOLE
from srlab.folder.checkpoints import load_checkpoint, save_checkpoint
from srlab.training.train import CHECKPOINT, Progress
from tiny_run import Noise, events, logged, metrics, train_tiny

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")

ENDS = [*KILLS, RANDOM]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run for each kill, carried to its end, and one that was left alone."""
    folder = tmp_path_factory.mktemp("killed")
    program = Path(__file__).with_name("killed_runs.py")
    done = subprocess.run([sys.executable, program, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_run_ends_with_the_same_weights_bit_for_bit(runs: Path, name: str) -> None:
    weights = runs / name / "weights.safetensors"
    assert weights.read_bytes() == (runs / WHOLE / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_run_ends_with_the_same_optimizer_and_generator(runs: Path, name: str) -> None:
    found, expected = (load_checkpoint(runs / run / "checkpoint.pt") for run in (name, WHOLE))
    assert same(found["update"], expected["update"])
    assert same(found["generators"], expected["generators"])


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_run_logs_each_step_once(runs: Path, name: str) -> None:
    once = logged(runs / WHOLE)
    assert set(once.values()) == {1}
    assert logged(runs / name) == once
    assert sum(event.HasField("graph_def") for event in events(runs / name)) == 1


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_run_shows_the_same_curves_in_tensorboard(runs: Path, name: str) -> None:
    found, expected = (EventAccumulator(str(runs / run / "tensorboard")).Reload() for run in (name, WHOLE))
    for tag in ("train/loss", "train/learning_rate", "validation/psnr_y"):
        curves = [[(point.step, point.value) for point in log.Scalars(tag)] for log in (found, expected)]
        assert curves[0] == curves[1]


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_run_has_the_same_lines_in_its_metrics(runs: Path, name: str) -> None:
    times = {"seconds": 0, "processor_seconds": 0}
    found, expected = ([line | times for line in metrics(runs / run)] for run in (name, WHOLE))
    assert found == expected


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_run_leaves_nothing_half_written(runs: Path, name: str) -> None:
    names = {path.name for path in (runs / name).iterdir()}
    assert names == {"checkpoint.pt", "metrics.jsonl", "tensorboard", "weights.safetensors"}


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, torch.Tensor):
        return torch.equal(found, expected)
    if isinstance(expected, dict):
        return set(found) == set(expected) and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


class Stopped(Noise):
    """Interrupted before its seventh step."""

    def batch(self, step: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step == 6:
            raise KeyboardInterrupt
        return super().batch(step, seed=seed)


def test_a_run_reports_at_once_from_which_step_it_goes_on(tmp_path: Path) -> None:
    first: list[Progress] = []
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, batches=Stopped(), progress=first)
    assert {report.resumed_at for report in first} == {0}
    step = load_checkpoint(tmp_path / CHECKPOINT)["position"]["step"]
    assert step > 0
    later: list[Progress] = []
    train_tiny(tmp_path, progress=later)
    assert later[0].step == step
    assert {report.resumed_at for report in later} == {step}


def test_processor_time_adds_up_over_sessions_as_time_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = [0.0]
    monkeypatch.setattr("time.process_time", lambda: spent[0])

    class OneSecond(Noise):
        """A second of the processor goes into each step."""

        def batch(self, step: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
            spent[0] += seed == 5  # the run's; the curve's patches are cut with another
            return super().batch(step, seed=seed)

    class OneSecondUntilStopped(OneSecond, Stopped):
        pass

    whole = train_tiny(tmp_path / "whole", batches=OneSecond())
    assert whole.processor_seconds == 12
    assert [line["processor_seconds"] for line in metrics(tmp_path / "whole")] == list(range(1, 13))

    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "twice", batches=OneSecondUntilStopped())
    assert train_tiny(tmp_path / "twice", batches=OneSecond()).processor_seconds == 12


def test_a_checkpoint_from_before_processor_time_goes_on_without_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, batches=Stopped())
    state = load_checkpoint(tmp_path / CHECKPOINT)
    del state["position"]["processor_seconds"]
    save_checkpoint(tmp_path / CHECKPOINT, state)
    assert train_tiny(tmp_path).processor_seconds is None
    assert "processor_seconds" not in metrics(tmp_path)[-1]
