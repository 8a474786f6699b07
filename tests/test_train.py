"""What training promises: a run as declared, the last step's weights, and an end that is always said."""

import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from srlab.declare.protocol import TrainingProtocol
from srlab.errors import UserError
from srlab.folder.checkpoints import load_checkpoint, load_weights, save_checkpoint
from srlab.networks import BicubicOptions, NetworkOptions, SRCNNOptions, VDSROptions
from srlab.training.train import Progress, train
from tiny_run import CPU, PREVIEW, PROTOCOL, TINY, Noise, metrics, scores, tiny_run, train_tiny

TINY_LUMA = VDSROptions(num_features=(4, 4), color="luma", gray_residual=False)

VALID_LUMA = SRCNNOptions(kernel_sizes=(3, 1, 3), num_features=(4, 4), color="luma")


def weights(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


class Unused:
    """Batches that nobody may ask for."""

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        raise AssertionError((step, seed))


class Stopped(Noise):
    """Batches up to a step, then Ctrl-C."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        if step == self.step:
            raise KeyboardInterrupt
        return super().batch(step, seed=seed)


class Poisoned(Noise):
    """Batches of which one holds a NaN."""

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        lr, hr = super().batch(step, seed=seed)
        return lr, hr * math.nan if step == 6 else hr


# What a run ends with


def test_a_run_keeps_the_weights_of_its_last_step(tmp_path: Path) -> None:
    outcome = train_tiny(tmp_path)
    assert (outcome.status, outcome.step, outcome.reason) == ("finished", 12, None)
    assert outcome.loss == metrics(tmp_path)[-1]["loss"]
    kept = load_weights(tmp_path / "weights.safetensors")
    last = load_checkpoint(tmp_path / "checkpoint.pt")
    assert last["position"]["step"] == 12
    for name, tensor in kept.network.state_dict().items():
        assert torch.equal(tensor, last["network"][name])


def test_a_run_learns(tmp_path: Path) -> None:
    class Gray:
        def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
            return torch.full((2, 3, 6, 6), 0.5), torch.full((2, 3, 12, 12), 0.5 + 0 * (step + seed))

    train_tiny(tmp_path, tiny_run(replace(PROTOCOL, num_steps=60), learning_rate=0.01), batches=Gray())
    losses = [line["loss"] for line in metrics(tmp_path)]
    assert losses[-1] < losses[0] / 5


def test_the_same_run_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        train_tiny(tmp_path / folder, tiny_run(seed=seed))
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")


def test_a_network_without_parameters_ends_at_step_0_with_its_file(tmp_path: Path) -> None:
    outcome = train_tiny(tmp_path, tiny_run(network=BicubicOptions()), batches=Unused())
    assert (outcome.status, outcome.step, outcome.loss) == ("finished", 0, None)
    loaded = load_weights(tmp_path / "weights.safetensors")
    assert loaded.network(torch.zeros(1, 3, 5, 4)).shape == (1, 3, 10, 8)


@pytest.mark.parametrize("network", [TINY_LUMA, VALID_LUMA], ids=["same", "valid"])
def test_luma_networks_are_trained_on_luma_and_validated_in_colour(
    tmp_path: Path, network: NetworkOptions
) -> None:
    outcome = train_tiny(tmp_path, tiny_run(network=network), batches=Noise(channels=1))
    assert outcome.status == "finished"
    assert metrics(tmp_path)[-1]["psnr_y"] > 0


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = train_tiny(tmp_path)
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    assert train_tiny(tmp_path, batches=Unused(), validate=None) == first
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()} == before


def test_progress_is_reported_to_the_end(tmp_path: Path) -> None:
    progress: list[Progress] = []
    train_tiny(tmp_path, progress=progress)
    assert [report.step for report in progress] == list(range(1, 13))
    assert progress[0].psnr_y is None
    assert progress[-1].psnr_y == metrics(tmp_path)[-1]["psnr_y"]
    assert all(report.num_steps == 12 for report in progress)
    assert sorted(report.seconds for report in progress) == [report.seconds for report in progress]


# What does not change the weights


def train_observed(
    folder: Path, protocol: TrainingProtocol, *, validate: bool, preview: bool
) -> tuple[bytes, bytes]:
    """The weights that the run ends with, and torch's generator."""
    train_tiny(
        folder,
        tiny_run(protocol),
        validate=scores if validate else None,
        preview=PREVIEW if preview else None,
        precision="bf16",
    )
    return weights(folder), load_checkpoint(folder / "checkpoint.pt")["generators"][0].numpy().tobytes()


def test_neither_validation_nor_logs_nor_checkpoints_change_weights_or_generator(tmp_path: Path) -> None:
    seldom = replace(PROTOCOL, validate_every=100, checkpoint_every=100)
    often = replace(PROTOCOL, validate_every=1, checkpoint_every=2)
    bare = train_observed(tmp_path / "bare", seldom, validate=False, preview=False)
    assert train_observed(tmp_path / "watched", often, validate=True, preview=True) == bare


def test_validation_sees_the_network_in_inference_mode_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    seen = []

    def validate(network: nn.Module) -> dict[str, float]:
        seen.append(any(module.training for module in network.modules()))
        seen.append(torch.is_grad_enabled())
        seen.append(torch.is_autocast_enabled("cpu"))
        return {}

    torch.set_grad_enabled(True)
    train_tiny(tmp_path, validate=validate, precision="bf16")
    assert seen == [False] * 9
    assert torch.is_grad_enabled()


# How a run goes on


@pytest.mark.parametrize("step", [0, 3, 4, 6, 11])
def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path: Path, step: int) -> None:
    whole = train_tiny(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parts", batches=Stopped(step))
    resumed = train_tiny(tmp_path / "parts")
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")
    assert (whole.status, whole.step, whole.loss) == (resumed.status, resumed.step, resumed.loss)


def test_an_interrupted_fp16_run_goes_on_with_the_scale_of_its_loss(tmp_path: Path) -> None:
    train_tiny(tmp_path / "whole", precision="fp16")
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parts", batches=Stopped(6), precision="fp16")
    train_tiny(tmp_path / "parts", precision="fp16")
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")


def test_the_time_of_validations_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"monotonic": 0.0, "process_time": 0.0}
    for name in now:
        monkeypatch.setattr(time, name, lambda name=name: now[name])

    def passes(seconds: float) -> None:
        for name in now:
            now[name] += seconds

    class Slow(Noise):
        def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
            passes(1.0 if seed == 5 else 0.0)  # not where the patches of the curve are cut
            return super().batch(step, seed=seed)

    def validate(_: nn.Module) -> dict[str, float]:
        passes(1000.0)
        return {"psnr_y": 30.0}

    outcome = train_tiny(tmp_path, batches=Slow(), validate=validate)
    assert (outcome.seconds, outcome.processor_seconds) == (PROTOCOL.num_steps, PROTOCOL.num_steps)


def test_the_time_of_all_sessions_is_counted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, batches=Stopped(6))
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    state["position"]["seconds"] += 1000
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    assert 1000 < train_tiny(tmp_path).seconds < 1100


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (tiny_run(seed=6), "another run"),
        (tiny_run(replace(PROTOCOL, num_steps=13)), "another num_steps"),
        (tiny_run(network=TINY), "is for another network"),
    ],
    ids=["seed", "length", "network"],
)
def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path, other: object, named: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, batches=Stopped(6))
    with pytest.raises(UserError, match=named):
        train_tiny(tmp_path, other)  # type: ignore[arg-type]


def test_the_checkpoint_of_another_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, batches=Stopped(6))
    with pytest.raises(UserError, match="another precision: 'fp32', not 'bf16'"):
        train_tiny(tmp_path, precision="bf16")


def test_a_damaged_checkpoint_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, batches=Stopped(6))
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(UserError, match="delete it, and the run starts again from its first step"):
        train_tiny(tmp_path)
    checkpoint.unlink()
    assert train_tiny(tmp_path).status == "finished"


@pytest.mark.parametrize("part", ["network", "optimizer"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_checkpoint_with_numbers_that_are_not_finite_is_damaged_and_ends_no_run(
    tmp_path: Path, part: str, value: float
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, batches=Stopped(6))
    checkpoint = tmp_path / "checkpoint.pt"
    state = load_checkpoint(checkpoint)
    tensors = state["network"] if part == "network" else state["update"]["optimizer"][0]
    tensor = next(tensor for tensor in tensors.values() if tensor.ndim > 0)
    tensor[(0,) * tensor.ndim] = value
    save_checkpoint(checkpoint, state)
    with pytest.raises(UserError, match=r"is damaged: .* not finite.*; delete it, and the run starts again"):
        train_tiny(tmp_path)
    checkpoint.unlink()
    assert train_tiny(tmp_path).status == "finished"


@pytest.mark.parametrize("key", ["position", "network", "update", "generators"])
def test_a_checkpoint_that_lacks_a_part_is_an_error_that_says_what_to_do(tmp_path: Path, key: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, batches=Stopped(6))
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    for broken in (
        {name: value for name, value in state.items() if name != key},
        state | {key: 7},
        state | {key: {}},
    ):
        save_checkpoint(tmp_path / "checkpoint.pt", broken)
        with pytest.raises(UserError, match=r"checkpoint\.pt|checkpoint's"):
            train_tiny(tmp_path)


# How a run ends early


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(tmp_path: Path) -> None:
    protocol = replace(PROTOCOL, num_steps=800, validate_every=400, checkpoint_every=4)
    outcome = train_tiny(tmp_path, tiny_run(protocol), batches=Poisoned())
    assert (outcome.status, outcome.step, outcome.loss) == ("diverged", 8, None)
    assert outcome.reason == "loss not finite from a step between 5 and 8 on"
    assert not (tmp_path / "weights.safetensors").exists()
    assert metrics(tmp_path)[-1] | {"seconds": 0, "processor_seconds": 0, "gradient_norm": 0} == {
        "step": 8,
        "loss": None,
        "gradient_norm": 0,
        "learning_rate": 1e-3,
        "seconds": 0,
        "processor_seconds": 0,
    }
    assert load_checkpoint(tmp_path / "checkpoint.pt")["position"]["step"] == 4


def test_a_diverged_run_diverges_again_if_it_is_asked_again(tmp_path: Path) -> None:
    first, again = (train_tiny(tmp_path, batches=Poisoned()) for _ in range(2))
    assert first.status == "diverged"
    assert (again.status, again.step, again.reason) == (first.status, first.step, first.reason)
    assert [line["step"] for line in metrics(tmp_path)] == [1, 2, 3, 4, 5, 6, 7]


def test_weights_that_are_not_finite_end_the_run_though_its_loss_is(tmp_path: Path) -> None:
    class Glaring(Noise):
        def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
            lr, hr = super().batch(step, seed=seed)
            return lr * (1e25 if step == 6 else 1), hr  # the variance that batch norm remembers is infinite

    outcome = train_tiny(tmp_path, tiny_run(replace(PROTOCOL, num_steps=7)), batches=Glaring())
    assert (outcome.status, outcome.reason) == (
        "diverged",
        "weights not finite from a step between 7 and 7 on",
    )
    assert outcome.loss is not None
    assert not (tmp_path / "weights.safetensors").exists()
    assert load_checkpoint(tmp_path / "checkpoint.pt")["position"]["step"] == 4


FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from tiny_run import *
torch.set_num_threads(1)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    train_tiny(Path(sys.argv[1]))
except OSError as error:
    print("OSError")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("limit", [1000, 20_000], ids=["logs", "checkpoint"])
def test_a_full_disk_is_an_os_error_and_leaves_nothing_half_written(tmp_path: Path, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path, str(limit)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("OSError\n", "", 0)
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.jsonl", "tensorboard"}
    assert train_tiny(tmp_path).status == "finished"


def test_the_graph_that_cannot_be_traced_does_not_stop_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no trace of it")

    monkeypatch.setattr("srlab.training.monitor.trace", broken)
    assert train_tiny(tmp_path).status == "finished"
    assert "TensorBoard will not show the graph of this network: no trace of it" in caplog.text


def test_training_writes_no_file_of_the_study(tmp_path: Path) -> None:
    train_tiny(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"checkpoint.pt", "metrics.jsonl", "tensorboard", "weights.safetensors"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_run_on_a_gpu_can_be_interrupted_and_ends_with_usable_weights(
    tmp_path: Path, precision: str
) -> None:
    for batches in (Stopped(6), Noise()):
        try:
            outcome = train(
                tiny_run(),
                batches=batches,
                validate=None,
                preview=PREVIEW,
                folder=tmp_path,
                device=torch.device("cuda"),
                precision=precision,  # type: ignore[arg-type]
                report=lambda _: None,
            )
        except KeyboardInterrupt:
            continue
    assert outcome.status == "finished"
    assert load_weights(tmp_path / "weights.safetensors").network(PREVIEW[0]).device == CPU
