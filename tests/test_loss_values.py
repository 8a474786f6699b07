"""What losses as values promise: equal where they mean the same, whole as text, and plain about mistakes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from srlab.cli.changes import with_loss, with_objective
from srlab.declare.loss_values import (
    L1,
    MSE,
    Charbonnier,
    Gradient,
    LossValue,
    Perceptual,
    Sum,
    Weighted,
    parse_loss,
)
from srlab.declare.objectives import (
    OFFICIAL_VGG19,
    PixelObjective,
    objective_from_dict,
    objective_to_dict,
    remarks_on,
    with_vgg,
)
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.studies import load_study
from srlab.declare.study import Study, Variant
from srlab.errors import UserError
from srlab.networks import SRCNNOptions
from tiny_study import tiny_study

SUM = Sum(L1(), 0.1 * Perceptual("vgg22"), 0.05 * Gradient())
TEXT = "l1+0.1*perceptual:vgg22+0.05*gradient"


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (L1(), "l1"),
        (MSE(), "mse"),
        (Charbonnier(), "charbonnier"),
        (Charbonnier(0.01), "charbonnier:0.01"),
        (2 * MSE(), "2*mse"),
        (L1() * 1e-05, "1e-05*l1"),
        (L1() + 0.5 * MSE(), "l1+0.5*mse"),
        (SUM, TEXT),
    ],
)
def test_a_loss_and_its_text_are_the_same(loss: LossValue, text: str) -> None:
    assert str(loss) == text
    assert parse_loss(text) == loss


@pytest.mark.parametrize(
    "same",
    [
        Sum(0.05 * Gradient(), 0.1 * Perceptual("vgg22"), L1()),
        L1() + 0.05 * Gradient() + 0.1 * Perceptual("vgg22"),
        Sum(L1(), 0.5 * Sum(0.2 * Perceptual("vgg22"), 0.1 * Gradient())),
    ],
)
def test_the_order_of_the_parts_does_not_matter_and_sums_inside_are_opened(same: LossValue) -> None:
    assert same == SUM
    assert hash(same) == hash(SUM)


def test_plus_in_a_number_does_not_end_a_part() -> None:
    assert parse_loss(" 1e+2 * l1 + gradient ") == Sum(100 * L1(), Gradient())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("l2", "no loss 'l2'; it must be one of l1, mse, charbonnier, gradient and perceptual:CONTENT"),
        ("", "has an empty part"),
        ("l1+", r"'l1\+' has an empty part; write it like l1"),
        ("x*l1", "the weight of l1 must be a positive number, not 'x'"),
        ("0*l1", "the weight of l1 must be a positive number, not 0.0"),
        ("-1*l1", "the weight of l1 must be a positive number, not -1.0"),
        ("nan*l1", "the weight of l1 must be a positive number, not 'nan'"),
        ("l1:2", "l1 takes nothing after a colon"),
        ("charbonnier:0", "eps of 'charbonnier:0' must be a positive number"),
        ("perceptual", "perceptual needs a content, such as perceptual:vgg22"),
        ("perceptual:vgg16", "one of vgg22, vgg54, conv5_4, random, not 'vgg16'"),
        ("l1+2*l1", "names l1 twice"),
    ],
)
def test_a_text_that_is_no_loss_is_told_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        PixelObjective(loss=text)


def test_what_is_no_loss_in_python_is_told_too() -> None:
    for make in (
        lambda: Sum(),
        lambda: Sum("l1"),  # type: ignore[arg-type]
        lambda: float("inf") * L1(),
        lambda: Weighted(True, L1()),
        lambda: PixelObjective(loss=1),  # type: ignore[arg-type]
    ):
        with pytest.raises(UserError, match=r"loss|weight"):
            make()


@pytest.mark.parametrize("loss", [L1(), Charbonnier(0.5), 2 * MSE(), SUM, Perceptual("random")])
def test_an_objective_of_any_loss_survives_json(loss: LossValue) -> None:
    objective = PixelObjective(loss=loss)
    assert objective_from_dict(json.loads(json.dumps(objective_to_dict(objective)))) == objective


def test_equal_losses_make_equal_objectives() -> None:
    assert PixelObjective(loss="l1") == PixelObjective(loss=L1()) == PixelObjective(loss=Sum(1 * L1()))
    assert PixelObjective(loss=TEXT) == PixelObjective(loss=SUM) != PixelObjective(loss="l1")


def test_what_older_files_have_is_still_read_and_written_alike() -> None:
    for name in ("l1", "mse", "charbonnier"):
        assert objective_to_dict(objective_from_dict({"loss": name})) == {"loss": name}


def test_a_perceptual_loss_names_its_weights_and_no_other_loss_does(tmp_path: Path) -> None:
    assert PixelObjective(loss=SUM).vgg == OFFICIAL_VGG19
    assert PixelObjective(loss="perceptual:random").vgg is None
    (tmp_path / "vgg.pth").write_bytes(b"weights")
    own = with_vgg(PixelObjective(loss=SUM), tmp_path / "vgg.pth")
    assert own != PixelObjective(loss=SUM)
    assert objective_from_dict(objective_to_dict(own)) == own
    assert str(tmp_path) not in json.dumps(objective_to_dict(own))


def test_a_perceptual_loss_on_random_features_is_told() -> None:
    (remark,) = remarks_on(PixelObjective(loss="l1+perceptual:random"))
    assert "random features" in remark


def perceptual_study(data: Path, *, content: str, lr_patch_size: int, luma: bool = False) -> Study:
    options = SRCNNOptions(num_features=(4, 4), color="luma" if luma else "rgb")
    objective = PixelObjective(loss=f"l1+perceptual:{content}")
    variant = Variant(name="a/b", network=options, objective=objective)
    protocol = TrainingProtocol(num_steps=1, lr_patch_size=lr_patch_size)
    return replace(tiny_study(data), scale=2, variants=(variant,), protocol=protocol)


def test_a_perceptual_loss_takes_patches_of_any_size_that_its_layer_can_see(tmp_path: Path) -> None:
    perceptual_study(tmp_path, content="vgg22", lr_patch_size=9)
    perceptual_study(tmp_path, content="vgg54", lr_patch_size=15)  # the border is 7
    with pytest.raises(UserError, match=r"at least 16 x 16 HR pixels, but gets 14 x 14; .*size 15 or more"):
        perceptual_study(tmp_path, content="vgg54", lr_patch_size=14)


def test_a_perceptual_loss_is_for_networks_that_work_on_rgb(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'a/b': a perceptual loss needs .* this one works on luma"):
        perceptual_study(tmp_path, content="vgg22", lr_patch_size=9, luma=True)


def test_the_command_line_sets_the_loss_of_all_variants_without_a_discriminator(tmp_path: Path) -> None:
    (tmp_path / "vgg.pth").write_bytes(b"weights")
    study = with_objective(with_loss(load_study("smoke").study, TEXT), None, [], tmp_path / "vgg.pth")
    for variant in study.variants:
        assert isinstance(variant.objective, PixelObjective)
        assert variant.objective.loss == SUM
        assert variant.objective.vgg_path == str(tmp_path / "vgg.pth")
