"""What a study's declaration promises: every run once, and no comparison that would mean nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from srlab.errors import UserError
from srlab.networks import EDSROptions, preset
from srlab.objectives import PixelObjective
from srlab.protocol import EvaluationProtocol
from srlab.study import Study, TrainingProtocol, Variant, one_run
from tiny_study import tiny_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return tiny_study(tmp_path)


def test_runs_are_the_product_of_variants_rates_and_seeds(study: Study) -> None:
    runs = list(replace(study, seeds=(0, 5)).runs())
    assert len({run.name for run in runs}) == len(runs) == 2 * 2 * 2
    assert runs[0].name == "tiny-edsr-lr0.001-seed0"


def test_two_rates_never_share_a_folder(study: Study) -> None:
    rates = (1e-3, 1.0000001e-3, 1e-5)
    assert len({run.name for run in replace(study, learning_rates=rates).runs()}) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 5}, "the scale is 2, 3 or 4"),
        ({"variants": ()}, "names no variants"),
        ({"learning_rates": (1e-3, 1e-3)}, "names a learning rate twice"),
        ({"learning_rates": (-1.0,)}, "positive"),
        ({"seeds": (0, 0)}, "names a seed twice"),
        ({"seeds": (-1,)}, "whole number"),
        ({"test": ()}, "names no test data"),
        ({"train": "t91"}, r"\('t91',\), with the comma"),
        ({"name": "../elsewhere"}, "cannot name a study"),
        ({"learning_rates": (1, 1.0)}, "names a learning rate twice"),
    ],
)
def test_a_study_that_means_nothing_is_refused(
    study: Study, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        replace(study, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_steps": 0}, "at least 1"),
        ({"num_steps": True}, "whole number"),
        ({"schedule": "linear"}, "constant, step, cosine"),
        ({"schedule": "step"}, "needs halve_at"),
        ({"halve_at": (0.5,)}, "needs halve_at, and only it"),
        ({"schedule": "step", "halve_at": (1.5,)}, "between 0 and 1"),
        ({"precision": "fp8"}, "auto, fp32, bf16"),
        ({"gradient_clip_norm": 0.0}, "positive"),
        ({"adam_eps": 0.0}, "eps > 0"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainingProtocol(**{"num_steps": 4, **changes})  # type: ignore[arg-type]


def test_variants_that_do_not_differ_are_refused(study: Study) -> None:
    network = EDSROptions(num_blocks=1)
    one = Variant(name="one", network=network)
    with pytest.raises(UserError, match="the same network, objective, start and protocol"):
        replace(study, variants=(one, Variant(name="two", network=EDSROptions(num_blocks=1))))
    with pytest.raises(UserError, match="the same name"):
        replace(study, variants=(one, Variant(name="One", network=EDSROptions(num_blocks=2))))
    replace(study, variants=(one, Variant(name="two", network=network, objective=PixelObjective(loss="mse"))))


@pytest.mark.parametrize("name", ["", "../up", "a/b/c", "a b", ".hidden", "x/.y"])
def test_a_name_that_makes_no_folder_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="cannot name a variant"):
        Variant(name=name, network=EDSROptions())


def test_bicubic_is_no_name_for_a_variant(study: Study) -> None:
    with pytest.raises(UserError, match="bicubic stands in every leaderboard"):
        replace(study, variants=(Variant(name="bicubic", network=EDSROptions()),))


def test_variants_are_chosen_by_name_or_its_end(study: Study) -> None:
    assert [variant.name for variant in study.with_variants(["srcnn"]).variants] == ["tiny/srcnn"]
    both = study.with_variants(["tiny/srcnn", "edsr", "srcnn"])
    assert [variant.name for variant in both.variants] == ["tiny/srcnn", "tiny/edsr"]
    with pytest.raises(UserError, match="no variant 'vdsr'; it has tiny/edsr, tiny/srcnn"):
        study.with_variants(["vdsr"])


def test_a_short_name_of_two_variants_is_refused(study: Study) -> None:
    twins = (
        Variant(name="a/same", network=EDSROptions(num_blocks=1)),
        Variant(name="b/same", network=EDSROptions(num_blocks=2)),
    )
    with pytest.raises(UserError, match="a/same, b/same; write the one you mean in full"):
        replace(study, variants=twins).with_variants(["same"])


def test_one_run_is_a_study_whose_changes_are_in_its_name() -> None:
    study = one_run(
        "edsr/baseline",
        scale=4,
        learning_rate=1e-4,
        num_steps=10,
        changes={"num_blocks": "2", "activation": "leaky_relu:0.2"},
        train=("sample",),
        test=("sample",),
    )
    (run,) = study.runs()
    assert run.variant.name == "edsr/baseline+num_blocks-2+activation-leaky_relu-0.2"
    assert isinstance(run.variant.network, EDSROptions)
    assert run.variant.network.num_blocks == 2
    with pytest.raises(UserError, match="no option 'depth'"):
        one_run(
            "edsr/baseline",
            scale=4,
            learning_rate=1e-4,
            num_steps=1,
            changes={"depth": "2"},
            train=("a",),
            test=("b",),
        )


def test_a_luma_protocol_with_a_network_on_rgb_is_refused(study: Study) -> None:
    with pytest.raises(UserError, match="tiny/edsr, tiny/srcnn cannot be scored: it works on RGB"):
        replace(study, evaluation=EvaluationProtocol(color="luma"))
    luma = (Variant(name="tiny/luma", network=preset("srcnn/paper_915", scale=2)),)
    replace(study, variants=luma, evaluation=EvaluationProtocol(color="luma"))
