"""What whole trainings promise; minutes each, so only `make test-slow` runs them."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SRLAB = [sys.executable, "-c", "from srlab.cli import main; main()"]
EVERYWHERE = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}


def srlab(*words: str, folder: Path) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [*SRLAB, *words], cwd=folder, env=EVERYWHERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def standings(folder: Path) -> dict[str, Any]:
    """Each variant's row of the leaderboard of the study in `folder`."""
    rows = json.loads(srlab("leaderboard", "runs/smoke", "--json", folder=folder))["standings"]
    return {row["variant"]: row for row in rows}


def test_every_residual_variant_of_the_study_that_newcomers_run_beats_bicubic(tmp_path: Path) -> None:
    srlab("study", "smoke", folder=tmp_path)
    scores = {name: row["tests"]["sample"]["psnr_y"]["mean"] for name, row in standings(tmp_path).items()}
    residual = [name for name in scores if "residual" in name]
    assert len(residual) == 3
    assert all(scores[name] > scores["bicubic"] + 0.5 for name in residual), scores


def test_a_study_killed_again_and_again_ends_as_one_left_alone(tmp_path: Path) -> None:
    words = ("study", "smoke", "--steps", "60", "--threads", "1", "--no-estimate")
    names = "vanilla,residual,pixel_shuffle_residual_leaky_relu"
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    alone.mkdir()
    killed.mkdir()
    srlab(*words, "--variants", names, folder=alone)
    moments = random.Random(0)
    for _ in range(8):
        process = subprocess.Popen(
            [*SRLAB, *words, "--variants", names],
            cwd=killed,
            env=EVERYWHERE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(4, 12))
        process.send_signal(signal.SIGKILL)
        process.wait()
    srlab(*words, "--variants", names, folder=killed)
    weights = sorted(path.relative_to(alone) for path in alone.rglob("weights.safetensors"))
    assert len(weights) == 3
    assert all((alone / path).read_bytes() == (killed / path).read_bytes() for path in weights)
    assert {name: row["tests"] for name, row in standings(alone).items()} == {
        name: row["tests"] for name, row in standings(killed).items()
    }


@pytest.mark.parametrize(
    "words",
    [
        ("resize.py", "--rounds", "1"),
        ("export.py", "srcnn/residual"),
        ("engines.py", "--variant", "srcnn/residual", "--side", "40", "--rounds", "1"),
        ("metrics.py", "--rounds", "1", "--height", "64", "--width", "48"),
        ("patches.py", "--repeats", "3"),
        ("train_step.py", "--rounds", "1", "--variants", "srcnn/residual"),
        ("coverage.py", "--repeats", "10"),
        ("outside_rules.py", "--repeats", "1"),
        ("power.py", "--repeats", "2"),
        ("looks.py", "--repeats", "2"),
        ("frozen_step.py", "--rounds", "1"),
        ("adversarial_step.py", "--rounds", "1", "--batch-size", "2"),
        ("many_runs.py", "--variants", "3", "--seeds", "2"),
        ("content_scale.py", "--images", "pictures"),
        ("gpu_steps.py", "--device", "cpu", "--only", "srcnn/vanilla", "--seconds", "0.1"),
        ("precision.py", "--steps", "2", "--seeds", "2", "--train", "pictures", "--validate", "pictures"),
    ],
    ids=lambda words: words[0],
)
def test_every_benchmark_runs(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "pictures" / "noise.png")
    script, *options = words
    if script == "outside_rules.py":
        pytest.importorskip("statsmodels", reason="is no dependency; the benchmark names what to install")
        pytest.importorskip("autorank", reason="is no dependency; the benchmark names what to install")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), *options],
        cwd=tmp_path,
        env=EVERYWHERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert any(character.isdigit() for character in done.stdout)
