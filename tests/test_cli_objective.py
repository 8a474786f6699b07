"""What the options of an objective promise: each reaches its variants, and a wrong one is refused."""

from pathlib import Path

import pytest

from srlab.cli.changes import with_objective
from srlab.declare.objectives import AdversarialObjective, with_settings
from srlab.declare.studies import load_study
from srlab.errors import UserError
from srlab.networks import DiscriminatorOptions


def test_settings_reach_the_adversarial_variants_and_no_others() -> None:
    study = load_study("srgan").study
    asked = with_objective(study, "pixels", ["pixel_weight=0.5", "pixel_loss=mse"], None)
    expected = AdversarialObjective(
        content="pixels",
        adversarial_weight=3e-3,
        pixel_weight=0.5,
        pixel_loss="mse",
        discriminator_learning_rate=3e-4,
        discriminator=DiscriminatorOptions(num_features=(32, 32, 64, 64), dense_features=64),
    )
    for before, after in zip(study.variants, asked.variants, strict=True):
        assert after.objective == (expected if before.name.startswith("srgan/") else before.objective)


def test_docs_say_how_the_shipped_study_takes_the_papers_weights_and_discriminator() -> None:
    page = (Path(__file__).parent.parent / "docs" / "gan.md").read_text()
    block = page.split("The paper's weights and discriminator are these options:")[1].split("\n\n")[1]
    words = block.replace("\\\n", " ").split()
    settings = [words[i + 1] for i, word in enumerate(words) if word == "--objective"]
    study = load_study("srgan").study
    papers = with_objective(study, None, settings, None)
    pairs = zip(study.variants, papers.variants, strict=True)
    gans = [(ours, theirs) for ours, theirs in pairs if ours.name.startswith("srgan/")]
    assert len(gans) == 2
    for ours, theirs in gans:
        assert isinstance(ours.objective, AdversarialObjective)
        assert (ours.objective.adversarial_weight, ours.objective.pixel_weight) == (3e-3, 10)
        assert study.rates_of(ours) == (5e-5,)
        assert theirs.objective == AdversarialObjective(pixel_loss="mse")  # whose weight is 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pixels_weight": "1"}, "has no option 'pixels_weight'; it has adversarial_weight, content"),
        ({"pixel_weight": "much"}, "pixel_weight must be a number, not 'much'"),
        ({"pixel_weight": "-1"}, "pixel_weight must be a number of at least 0"),
        ({"content": "vgg"}, "the content must be one of vgg54"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        with_settings(AdversarialObjective(), settings)


def test_a_rate_can_be_given_and_taken_back() -> None:
    own = with_settings(AdversarialObjective(), {"discriminator_learning_rate": "3e-4"})
    assert own.discriminator_learning_rate == 3e-4
    assert with_settings(own, {"discriminator_learning_rate": "none"}) == AdversarialObjective()


def test_vgg_weights_that_no_variant_uses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="srgan/original needs no VGG19 weights, since its content is pixels"):
        with_objective(load_study("srgan").study, "pixels", [], tmp_path / "none.pth")


def test_a_study_without_a_discriminator_has_no_use_for_them(tmp_path: Path) -> None:
    study = load_study("smoke").study
    for content, settings in (("pixels", []), (None, ["a=1"])):
        with pytest.raises(UserError, match="apply to adversarial variants, but study 'smoke' has none"):
            with_objective(study, content, settings, None)
    with pytest.raises(UserError, match="--vgg is for losses that compare VGG19's features"):
        with_objective(study, None, [], tmp_path)
