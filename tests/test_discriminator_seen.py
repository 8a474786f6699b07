"""A discriminator can be looked at: layers, diagram, counts, and histograms while it trains."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from killed_adversarial import RUN, train_adversarial
from srlab.cli import app
from srlab.errors import UserError
from srlab.lab.execution import describe_network
from srlab.networks import Discriminator, DiscriminatorOptions
from srlab.networks.diagram import picture_of
from srlab.networks.discriminator import meta_discriminator, multiply_adds_of_a_patch
from tiny_run import logged, metrics, tiny_run


def shown(*words: str) -> str:
    result = CliRunner().invoke(app, ["networks", "discriminator", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_layers_and_the_parameters_are_shown() -> None:
    text = shown()
    assert "Parameters: 23,565,505" in text
    assert "Running statistics: 3,712" in text
    assert "18,875,392" in text  # the dense layer
    assert "num_features = 64,64,128,128,256,256,512,512" in text


def test_options_and_patch_size_change_what_is_shown() -> None:
    text = shown("--set", "num_features=4,6", "--set", "dense_features=8", "--hr-patch-size", "20")
    assert "Parameters: 5,163" in text
    assert "HR patches of 20 x 20" in text


def test_the_counts_are_one_json_object() -> None:
    (row,) = json.loads(shown("--json"))["networks"]
    assert (row["parameters"], row["hr_patch_size"]) == (23_565_505, 96)
    assert row["multiply_adds"] == multiply_adds_of_a_patch(meta_discriminator(DiscriminatorOptions()))


def test_multiply_adds_are_counted_at_the_size_of_each_layer() -> None:
    network = Discriminator(DiscriminatorOptions(num_features=(4, 6), dense_features=8), hr_patch_size=5)
    assert multiply_adds_of_a_patch(network) == 27 * 4 * 25 + 36 * 6 * 9 + 54 * 8 + 8


def test_it_can_be_drawn(tmp_path: Path) -> None:
    shown("--plot", str(tmp_path / "d.svg"))
    drawing = (tmp_path / "d.svg").read_text()
    assert "stride 2" in drawing
    assert "18,432" in drawing


def test_the_diagram_says_what_goes_in_and_what_comes_out() -> None:
    boxes, _ = picture_of(Discriminator(DiscriminatorOptions(num_features=(4, 6)), hr_patch_size=20))
    assert boxes[0].lines[0] == "HR or SR patch"
    assert boxes[-1].lines[0] == "logit"
    assert sum(box.lines[0].startswith("conv") for box in boxes) == 2
    assert sum(box.lines[0] == "dense" for box in boxes) == 2


@pytest.mark.parametrize("words", [["discriminator", "--scale", "2"], ["edsr", "--hr-patch-size", "64"]])
def test_what_it_does_not_have_is_refused(words: list[str]) -> None:
    result = CliRunner().invoke(app, ["networks", *words])
    assert result.exit_code != 0


def test_a_run_with_a_discriminator_has_its_layers_and_its_diagram(tmp_path: Path) -> None:
    describe_network(tmp_path, RUN)
    assert "Discriminator of HR patches of 96 x 96" in (tmp_path / "discriminator.txt").read_text()
    assert "HR or SR patch" in (tmp_path / "discriminator.svg").read_text()


def test_a_run_without_a_discriminator_has_neither(tmp_path: Path) -> None:
    describe_network(tmp_path, tiny_run())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diagram.svg", "summary.txt"]


def test_tensorboard_has_histograms_of_its_weights_and_patch_scores_of_the_generator(tmp_path: Path) -> None:
    train_adversarial(tmp_path)
    tags = {tag for tag, _ in logged(tmp_path)}
    objective = RUN.variant.objective
    names = [name for name, _ in Discriminator(objective.discriminator).named_parameters()]  # type: ignore[union-attr]
    assert {f"discriminator_weights/{name}" for name in names} <= tags
    assert any(tag.startswith("weights/") for tag in tags)
    assert {"train/patches_psnr_y", "train/patches_ssim_y", "train/generator_gradient_norm"} <= tags
    assert metrics(tmp_path)[-1]["patches_psnr_y"] > 0


def test_a_run_goes_on_where_nothing_can_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise UserError("drawing needs a library that is not there")

    monkeypatch.setattr("srlab.lab.execution.plot", fails)
    monkeypatch.setattr("srlab.lab.execution.plot_discriminator", fails)
    describe_network(tmp_path, RUN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["discriminator.txt", "summary.txt"]
    assert caplog.text.count("has no diagram: drawing needs a library that is not there") == 2
