"""What objectives promise: values that check themselves, and that JSON brings back."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from srlab.declare.objectives import (
    OFFICIAL_VGG19,
    AdversarialObjective,
    Objective,
    PixelObjective,
    objective_from_dict,
    objective_to_dict,
    remarks_on,
    with_settings,
    with_vgg,
)
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.errors import UserError
from srlab.networks import DiscriminatorOptions, SRCNNOptions
from tiny_study import tiny_study


@pytest.mark.parametrize(
    "objective",
    [
        PixelObjective(loss="charbonnier"),
        AdversarialObjective(),
        AdversarialObjective(content="vgg22", vgg="ab" * 32, vgg_path="/somewhere/vgg.pth"),
        AdversarialObjective(content="random", adversarial_weight=0, discriminator_learning_rate=2e-4),
        AdversarialObjective(content="pixels", pixel_weight=0.01, pixel_loss="mse"),
        AdversarialObjective(discriminator=DiscriminatorOptions(num_features=(8, 8), dense_features=16)),
    ],
)
def test_an_objective_survives_json(objective: Objective) -> None:
    assert objective_from_dict(json.loads(json.dumps(objective_to_dict(objective)))) == objective


def test_pixel_objectives_are_written_as_they_ever_were() -> None:
    assert objective_to_dict(PixelObjective(loss="mse")) == {"loss": "mse"}


def test_where_weights_lie_is_neither_compared_nor_written() -> None:
    here, there = (AdversarialObjective(vgg_path=path) for path in ("/here", "/there"))
    assert here == there
    assert "/here" not in json.dumps(objective_to_dict(here))


def test_weights_are_named_by_what_is_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "vgg.pth").write_bytes(b"weights")
    found = with_vgg(AdversarialObjective(content="vgg22"), tmp_path / "vgg.pth")
    assert found.vgg == hashlib.sha256(b"weights").hexdigest()
    assert found.vgg_path == str(tmp_path / "vgg.pth")
    assert found != AdversarialObjective(content="vgg22")


def test_an_objective_that_needs_no_weights_names_none(tmp_path: Path) -> None:
    (tmp_path / "vgg.pth").write_bytes(b"weights")
    objective = with_vgg(AdversarialObjective(content="random"), tmp_path / "vgg.pth")
    assert (objective.vgg, objective.vgg_path) == (None, None)
    assert replace(objective, content="vgg54").vgg == OFFICIAL_VGG19


def test_random_content_is_told_wherever_results_are_shown() -> None:
    (remark,) = remarks_on(AdversarialObjective(content="random"))
    assert "random" in remark
    assert remarks_on(AdversarialObjective()) == remarks_on(PixelObjective()) == ()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"content": "vgg16"}, "vgg54, vgg22, conv5_4, pixels, random, not 'vgg16'"),
        ({"adversarial_weight": -1}, "adversarial_weight must be a number of at least 0, not -1"),
        ({"pixel_weight": float("nan")}, "pixel_weight"),
        ({"pixel_loss": "l2"}, "l1, mse, charbonnier, not 'l2'"),
        ({"discriminator_learning_rate": 0}, "positive number, not 0"),
    ],
)
def test_a_wrong_option_is_told_with_what_there_is(values: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told):
        AdversarialObjective(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [{}, {"loss": "l1", "more": 1}, {"kind": "adversarial"}, {"kind": "diffusion", "loss": "l1"}],
)
def test_what_is_no_objective_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(UserError, match="objective"):
        objective_from_dict(values)


def test_missing_weights_are_told_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.pth with VGG19 weights does not exist"):
        with_vgg(AdversarialObjective(), tmp_path / "nowhere.pth")


def adversarial_study(data: Path, *, scale: int, lr_patch_size: int, luma: bool = False) -> Study:
    base = tiny_study(data)
    options = SRCNNOptions(num_features=(4, 4), color="luma" if luma else "rgb")
    variant = Variant(name="a/gan", network=options, objective=AdversarialObjective(content="pixels"))
    protocol = TrainingProtocol(num_steps=1, lr_patch_size=lr_patch_size)
    return replace(base, scale=scale, variants=(variant,), protocol=protocol)


@pytest.mark.parametrize(("scale", "needed"), [(2, 8), (3, 6), (4, 4)])
def test_patches_are_as_large_as_the_discriminator_needs_or_larger(
    tmp_path: Path, scale: int, needed: int
) -> None:
    adversarial_study(tmp_path, scale=scale, lr_patch_size=needed)
    adversarial_study(tmp_path, scale=scale, lr_patch_size=96 // scale)
    with pytest.raises(UserError, match=f"at least 16 x 16, not of .*; take --lr-patch-size {needed} or"):
        adversarial_study(tmp_path, scale=scale, lr_patch_size=needed - 1)


def test_the_discriminator_of_older_files_is_the_papers_and_is_not_written_down() -> None:
    values = objective_to_dict(AdversarialObjective())
    assert "discriminator" not in values
    read = objective_from_dict(values)
    assert isinstance(read, AdversarialObjective)
    assert read.discriminator == DiscriminatorOptions()


def test_the_options_of_a_discriminator_are_set_by_text() -> None:
    objective = with_settings(AdversarialObjective(), {"discriminator.num_features": "8x2,16"})
    assert objective.discriminator == DiscriminatorOptions(num_features=(8, 8, 16))
    with pytest.raises(UserError, match=r"Discriminator has no option 'depth'.*num_features, dense_features"):
        with_settings(AdversarialObjective(), {"discriminator.depth": "3"})
    with pytest.raises(UserError, match=r"no option 'discriminators'.*discriminator\.num_features"):
        with_settings(AdversarialObjective(), {"discriminators": "3"})


def test_a_network_that_works_on_luma_cannot_be_a_generator(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'a/gan': .* this one works on luma"):
        adversarial_study(tmp_path, scale=4, lr_patch_size=24, luma=True)
