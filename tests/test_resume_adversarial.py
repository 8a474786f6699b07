"""What resuming an adversarial run promises: killed at any moment, both networks end as if left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from killed_adversarial import KILLS
from killed_runs import RANDOM, WHOLE
from srlab.folder.checkpoints import load_checkpoint
from test_resume import same
from tiny_run import metrics

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")

ENDS = [*KILLS, RANDOM]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    program = Path(__file__).with_name("killed_adversarial.py")
    done = subprocess.run([sys.executable, program, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_gan_ends_with_the_same_generator_bit_for_bit(runs: Path, name: str) -> None:
    weights = runs / name / "weights.safetensors"
    assert weights.read_bytes() == (runs / WHOLE / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_gan_ends_with_the_same_discriminator_and_both_optimizers(runs: Path, name: str) -> None:
    found, expected = (load_checkpoint(runs / run / "checkpoint.pt")["update"] for run in (name, WHOLE))
    assert same(found, expected)
    running = [key for key in expected["discriminator"] if key.endswith("running_var")]
    assert len(running) == 7
    assert len(expected["generator_optimizer"]) > 0
    assert len(expected["discriminator_optimizer"]) == 8 * 2 + 7 * 2 + 2 * 2


@pytest.mark.parametrize("name", ENDS)
def test_a_killed_gan_has_the_same_lines_in_its_metrics(runs: Path, name: str) -> None:
    times = {"seconds": 0, "processor_seconds": 0}
    found, expected = ([line | times for line in metrics(runs / run)] for run in (name, WHOLE))
    assert found == expected
    assert {"discriminator_real", "discriminator_fake", "generator_gradient_norm"} <= expected[0].keys()
