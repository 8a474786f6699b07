"""What a killed study promises: killed at any moment, or its workers, it ends as if left alone."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from killed_studies import Kill, killed, random_kills, start
from srlab.folder import store
from srlab.folder.records import logged_lines, read_runs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


def whole(folder: Path, data: Path, num_seeds: int) -> Path:
    process = start(folder, data, num_seeds, jobs=1)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()
    return folder


def without_times(values: Any) -> Any:
    if isinstance(values, dict):
        times = ("since", "seconds", "processor_seconds")
        return {key: without_times(value) for key, value in values.items() if key not in times}
    return [without_times(value) for value in values] if isinstance(values, list) else values


def assert_equal(folder: Path, expected: Path) -> None:
    """The files that a study is read by are equal, but for times; nothing half-written is left."""
    assert {run.status for run in read_runs(folder)} == {"finished"}
    names = {str(path.relative_to(expected)) for path in expected.rglob("*") if "tfevents" not in path.name}
    assert {
        str(path.relative_to(folder)) for path in folder.rglob("*") if "tfevents" not in path.name
    } == names
    for name in names:
        found, wanted = folder / name, expected / name
        if name.endswith((".safetensors", ".png", "scores.json", "run.json", "summary.txt")):
            assert found.read_bytes() == wanted.read_bytes(), name
        elif wanted.name in (store.CHOICE, store.RESULT, store.STUDY):
            a, b = (without_times(json.loads(path.read_text())) for path in (found, wanted))
            assert a == b, name
        elif wanted.name == store.METRICS:
            a, b = (
                without_times([line.values for line in logged_lines(path.parent)]) for path in (found, wanted)
            )
            assert a == b, name


def test_a_study_with_a_transfer_and_a_gan_ends_the_same_over_kills_of_it_and_of_its_workers(
    tmp_path: Path,
) -> None:
    expected = whole(tmp_path / "whole", tmp_path / "data", 1)
    kills = [Kill(after=1, worker=True, of_run="tiny-original-lr0.001-seed0"), Kill(after=45, worker=False)]
    assert killed(tmp_path / "killed", tmp_path / "data", 1, kills) == ["worker", "main"]
    assert_equal(tmp_path / "killed", expected)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_study_ends_the_same_over_many_kills(tmp_path: Path, seed: int) -> None:
    expected = whole(tmp_path / "whole", tmp_path / "data", 2)
    assert len(killed(tmp_path / "killed", tmp_path / "data", 2, random_kills(12, seed=seed))) >= 8
    assert_equal(tmp_path / "killed", expected)
