"""What averaged weights promise: they are what is scored, and an interrupted run ends with the same ones."""

import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from typer.testing import CliRunner

from srlab.cli import app
from srlab.declare.protocol import TrainingProtocol, protocol_to_dict
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.checkpoints import load_checkpoint, load_weights, save_checkpoint
from srlab.lab.comparison import compare
from srlab.networks import build_network
from srlab.show.report.setting import _weights
from srlab.training.average import Average
from tiny_run import PROTOCOL, Noise, metrics, scores, tiny_run, train_tiny
from tiny_study import MACHINE, QUESTION, tiny_study, write_study_file

EMA = replace(PROTOCOL, ema=0.5)
BOTH = ("weights.safetensors", "last.safetensors")


class Stopped(Noise):
    """Batches up to a step, then Ctrl-C."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        if step == self.step:
            raise KeyboardInterrupt
        return super().batch(step, seed=seed)


def files(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in BOTH]


def test_an_average_forgets_the_start_and_then_decays_as_it_was_told() -> None:
    run = tiny_run(replace(PROTOCOL, ema=0.25))
    network = build_network(run.variant.network, scale=2)
    average = Average(network, run, decay=0.25)
    name, first = next(iter(network.named_parameters()))
    expected = first.detach().clone().double()
    for step, decay in ((1, 2 / 11), (2, 3 / 12), (3, 0.25), (4, 0.25)):
        with torch.no_grad():
            first.add_(step)
        average.update(network, step=step)
        expected = decay * expected + (1 - decay) * first.detach().double()
    torch.testing.assert_close(average.network.state_dict()[name].double(), expected)


def test_the_averaged_weights_are_the_runs_own_and_the_last_ones_lie_beside(tmp_path: Path) -> None:
    states: list[dict[str, Tensor]] = []
    update = Average.update

    def watched(average: Average, network: nn.Module, *, step: int) -> None:
        states.append({name: value.detach().clone() for name, value in network.state_dict().items()})
        update(average, network, step=step)  # type: ignore[arg-type]

    with patch.object(Average, "update", watched):
        train_tiny(tmp_path / "ema", tiny_run(EMA))
    train_tiny(tmp_path / "plain")
    averaged, last = (load_file(tmp_path / "ema" / name) for name in BOTH)
    plain = load_file(tmp_path / "plain" / "weights.safetensors")
    assert all(torch.equal(last[name], plain[name]) for name in plain)
    assert not (tmp_path / "plain" / "last.safetensors").exists()
    start = build_network(tiny_run().variant.network, scale=2)  # of another seed: only its kinds count
    for name, value in averaged.items():
        if not start.state_dict()[name].is_floating_point():
            assert torch.equal(value, last[name])  # how many batches were seen
            continue
        decays = [min(0.5, (1 + step) / (10 + step)) for step in range(1, 13)]
        weight = torch.tensor(decays).double().prod()  # what the start still counts, which is not known here
        expected = sum(
            (1 - decays[k]) * torch.tensor(decays[k + 1 :]).double().prod() * states[k][name].double()
            for k in range(12)
        )
        assert weight < 1e-4
        torch.testing.assert_close(value.double(), expected, rtol=1e-3, atol=1e-4)
        assert name.endswith("num_batches_tracked") or not torch.equal(value, last[name])


def test_the_averaged_network_is_the_one_that_is_validated(tmp_path: Path) -> None:
    def validate(network: nn.Module) -> dict[str, float]:
        assert not any(module.training for module in network.modules())
        return {"psnr_y": 30 + sum(float(value.double().sum()) for value in network.state_dict().values())}

    train_tiny(tmp_path, tiny_run(EMA), validate=validate)
    averaged = load_weights(tmp_path / "weights.safetensors").network
    assert metrics(tmp_path)[-1]["psnr_y"] == validate(averaged)["psnr_y"]
    last = load_weights(tmp_path / "last.safetensors").network
    assert metrics(tmp_path)[-1]["psnr_y"] != validate(last)["psnr_y"]


@pytest.mark.parametrize("step", [3, 6, 11])
def test_an_interrupted_run_ends_with_the_same_average(tmp_path: Path, step: int) -> None:
    train_tiny(tmp_path / "whole", tiny_run(EMA))
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parts", tiny_run(EMA), batches=Stopped(step))
    train_tiny(tmp_path / "parts", tiny_run(EMA))
    assert files(tmp_path / "whole") == files(tmp_path / "parts")


@pytest.mark.parametrize("name", BOTH)
def test_a_run_that_is_killed_while_it_keeps_its_weights_keeps_both(tmp_path: Path, name: str) -> None:
    train_tiny(tmp_path / "whole", tiny_run(EMA))
    rename = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if target.name == name:
            raise KeyboardInterrupt
        return rename(path, target)

    with patch.object(Path, "replace", killed), pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / "parts", tiny_run(EMA))
    train_tiny(tmp_path / "parts", tiny_run(EMA))
    assert files(tmp_path / "whole") == files(tmp_path / "parts")


def test_a_checkpoint_without_the_average_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path, tiny_run(EMA), batches=Stopped(6))
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    del state["average"]
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    with pytest.raises(UserError, match=r"not a complete checkpoint.*average.*delete it"):
        train_tiny(tmp_path, tiny_run(EMA))


def test_a_study_scores_the_averaged_weights_and_says_so(tmp_path: Path) -> None:
    study = tiny_study(tmp_path / "data", learning_rates=(1e-3,))
    study = study.with_protocol({"ema": 0.9})
    for jobs in (1, 2):
        folder = tmp_path / f"jobs{jobs}"
        machine = replace(MACHINE, jobs=jobs)
        assert not compare(
            study, folder, machine, question=QUESTION, announce=lambda _: None, report=lambda _: None
        )
        for run in study.runs():
            result = store.load_json(folder / run.name / "result.json")
            assert "averaged over the steps (ema 0.9)" in result["note"]
            assert (folder / run.name / "last.safetensors").exists()
        declared = store.load_study(folder)
        assert declared.protocol.ema == 0.9
        assert _weights(declared).startswith("averaged over the steps (ema 0.9)")
    for run in study.runs():
        assert files(tmp_path / "jobs1" / run.name) == files(tmp_path / "jobs2" / run.name)


def test_the_option_averages_and_is_part_of_the_protocol(tmp_path: Path) -> None:
    file = str(write_study_file(tmp_path))
    asked = ["study", file, "--plan", "--no-estimate", "--json"]
    assert json.loads(CliRunner().invoke(app, [*asked, "--ema", "0.99"]).stdout)["protocol"]["ema"] == 0.99
    assert "ema" not in json.loads(CliRunner().invoke(app, asked).stdout)["protocol"]
    for wrong in ("1", "0", "2"):
        result = CliRunner().invoke(app, [*asked, "--ema", wrong])
        assert isinstance(result.exception, UserError)


def test_a_study_from_before_there_were_averages_has_the_same_declaration() -> None:
    assert "ema" not in protocol_to_dict(TrainingProtocol(num_steps=1))
    with pytest.raises(UserError, match="ema must be above 0 and below 1, such as"):
        TrainingProtocol(num_steps=1, ema=1.0)


def test_scoring_draws_no_numbers_that_a_training_would_miss(tmp_path: Path) -> None:
    """Making the average leaves torch's generator as it is, and so do its validations."""
    train_tiny(tmp_path / "ema", tiny_run(EMA), validate=scores)
    train_tiny(tmp_path / "plain", validate=None)
    generators = [
        load_checkpoint(tmp_path / name / "checkpoint.pt")["generators"][0] for name in ("ema", "plain")
    ]
    assert torch.equal(*generators)
