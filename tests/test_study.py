"""What a study's declaration promises: every run once, and no comparison that would mean nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import EvaluationProtocol, TrainingProtocol
from srlab.declare.start import Start
from srlab.declare.study import Study, Variant, one_run
from srlab.errors import UserError
from srlab.networks import BicubicOptions, EDSROptions, preset
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
        ({"scale": 5}, "the scale must be 2, 3 or 4"),
        ({"variants": ()}, "has no variants"),
        ({"learning_rates": (1e-3, 1e-3)}, "names a learning rate twice"),
        ({"learning_rates": (-1.0,)}, "positive"),
        ({"seeds": (0, 0)}, "names a seed twice"),
        ({"seeds": (-1,)}, "whole number"),
        ({"test": ()}, "has no test data"),
        ({"train": "t91"}, r"\('t91',\), with the comma"),
        ({"name": "../elsewhere"}, "is not a valid name of a study"),
        ({"primary": ("edsr", "other")}, "has no variant 'other'; it has tiny/edsr"),
        ({"primary": ("edsr", "tiny/edsr")}, "compares 'tiny/edsr' with itself|names 'edsr' twice"),
        ({"primary": ("edsr",)}, "of two variants, such as"),
        ({"primary": "edsr"}, r"primary must be a tuple of names"),
        ({"learning_rates": (1, 1.0)}, "names a learning rate twice"),
        ({"learning_rates": (float("inf"),)}, "tuple of numbers, and inf is not a number"),
        ({"learning_rates": ("1e-3",)}, "tuple of numbers, and '1e-3' is not a number"),
        ({"learning_rates": 1e-3}, r"\(0.001,\), with the comma"),
        ({"name": None}, "None is not a valid name of a study"),
        ({"scale": 2.0}, "the scale must be 2, 3 or 4, not 2.0"),
        ({"variants": ("edsr/baseline",)}, "one of its variants must be a Variant, not 'edsr/baseline'"),
        ({"protocol": None}, "its protocol must be a TrainingProtocol, not None"),
        ({"evaluation": "rgb"}, "its evaluation must be an EvaluationProtocol, not 'rgb'"),
        ({"seeds": (True,)}, "a seed must be a whole number"),
        ({"seeds": 3}, r"\(3,\), with the comma"),
        ({"train": (5,)}, "train must be a tuple of names or paths, and 5 is neither"),
        ({"train": Path("tr")}, r"tr'\),\), with the comma"),
        ({"train": ("",)}, "and '' is neither"),
        ({"validate": None}, r"validate must be a tuple of names, not None; an empty one is \(\)"),
        ({"test": ("te", "te")}, "test names 'te' twice"),
        ({"test": ("te", Path("te"))}, "test names 'te' twice"),
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
        (
            {"halve_at": (0.5,)},
            "the step schedule needs halve_at, such as halve_at=0.5; no other schedule takes it",
        ),
        ({"schedule": "step", "halve_at": (1.5,)}, "between 0 and 1"),
        ({"precision": "fp8"}, "auto, fp32, bf16"),
        ({"gradient_clip_norm": 0.0}, "positive"),
        ({"adam_eps": 0.0}, "adam_eps > 0"),
        ({"optimizer": "rmsprop"}, "adam, adamw, sgd"),
        ({"momentum": 0.9}, "the optimizer adam has no momentum"),
        ({"optimizer": "sgd", "momentum": 1.0}, "at least 0 and below 1"),
        ({"optimizer": "sgd", "adam_eps": 1e-7}, "the optimizer sgd has no adam_eps"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0"),
        ({"adjustable_clip": 0.0}, "adjustable_clip must be positive"),
        ({"warmup_steps": -1}, "warmup_steps must be a whole number from 0"),
        ({"num_steps": 5, "warmup_steps": 6}, "the number of steps, 5"),
        ({"validation_images": 0}, "validation_images must be a whole number of at least 1"),
        ({"adam_eps": float("inf")}, "adam_eps must be a number, not inf"),
        ({"adam_eps": None}, "adam_eps must be a number, not None"),
        ({"adam_betas": (0.9,)}, "two adam_betas"),
        ({"adam_betas": 0.9}, r"adam_betas must be a tuple of numbers; for one value"),
        ({"gradient_clip_norm": float("inf")}, "gradient_clip_norm must be a number, not inf"),
        ({"gradient_clip_norm": 10**400}, "gradient_clip_norm must be a number"),
        ({"flips": "no"}, "flips must be True or False, not 'no'"),
        ({"jpeg_noise": 1}, "jpeg_noise must be True or False, not 1"),
        ({"schedule": ["step"]}, "constant, step, cosine"),
        ({"halve_at": None}, "halve_at must be a tuple of numbers, not None"),
        ({"num_steps": None}, "whole number"),
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": None}, "its network must be the options of a network, such as .*, not None"),
        (
            {"network": "edsr/baseline"},
            "its network must be the options of a network, such as .*, not 'edsr/baseline'",
        ),
        (
            {"objective": "mse"},
            r"its objective must be an objective, such as PixelObjective\(loss=\"mse\"\), not 'mse'",
        ),
        ({"start": "tiny/edsr"}, "its start must be a Start, or None, not 'tiny/edsr'"),
        ({"protocol": {}}, "its protocol must be a TrainingProtocol, .*, not {}"),
        ({"taken_from": 1}, "its taken_from must be the folder of another study, or None, not 1"),
        ({"learning_rates": ()}, "cannot have its own learning rates; leave learning_rates out"),
        ({"learning_rates": (None,)}, "tuple of numbers, and None is not a number"),
        ({"name": 5}, "5 is not a valid name of a variant"),
    ],
)
def test_a_variant_that_is_not_one_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Variant(**{"name": "one", "network": EDSROptions(), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": None}, "source must be a variant's name or a weights file, not None"),
        ({"freeze": "yes"}, "freeze must be True or False, not 'yes'"),
        ({"keep": "body"}, r"\('body',\), with the comma"),
        ({"keep": (1,)}, "and 1 is neither"),
    ],
)
def test_a_start_that_is_not_one_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Start(**{"source": "one", **changes})  # type: ignore[arg-type]


def test_paths_lists_and_other_numbers_are_taken_for_what_they_mean(study: Study) -> None:
    changes = {"train": [Path("tr")], "seeds": range(2), "learning_rates": [np.float32(0.5)]}
    natural = replace(study, **changes)  # type: ignore[arg-type]
    assert (natural.train, natural.seeds, natural.learning_rates) == (("tr",), (0, 1), (0.5,))
    assert hash(replace(study.protocol, schedule="step", halve_at=[0.5])) == hash(  # type: ignore[arg-type]
        replace(study.protocol, schedule="step", halve_at=(0.5,))
    )
    assert Start(source=Path("a.safetensors")).is_file  # type: ignore[arg-type]


def test_a_name_whose_runs_folder_would_be_too_long_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at most 200 letters"):
        Variant(name="n" * 201, network=EDSROptions())
    longest = Variant(name="n" * 200, network=EDSROptions(), learning_rates=(2.2250738585072014e-308,))
    for run in replace(study, variants=(longest,), seeds=(2**32 - 1,)).runs():
        (tmp_path / run.name).mkdir()


@pytest.mark.parametrize("name", ["", "../up", "a/b/c", "a b", ".hidden", "x/.y"])
def test_a_name_that_makes_no_folder_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="is not a valid name of a variant"):
        Variant(name=name, network=EDSROptions())


def test_bicubic_is_no_name_for_a_variant(study: Study) -> None:
    with pytest.raises(UserError, match="every leaderboard includes bicubic"):
        replace(study, variants=(Variant(name="bicubic", network=EDSROptions()),))
    with pytest.raises(UserError, match="every leaderboard includes bicubic"):
        replace(study, variants=(Variant(name="enlarged", network=BicubicOptions()),))


def test_a_planned_comparison_has_full_names_and_goes_with_its_variants(study: Study) -> None:
    first, second = (variant.name for variant in study.variants)
    planned = replace(study, primary=(second.rpartition("/")[2], first))
    assert planned.primary == (second, first)
    assert planned.with_variants([first, second]).primary == (second, first)
    assert planned.with_variants([first]).primary is None


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
    with pytest.raises(UserError, match="tiny/edsr, tiny/srcnn works on RGB and cannot be scored"):
        replace(study, evaluation=EvaluationProtocol(color="luma"))
    luma = (Variant(name="tiny/luma", network=preset("srcnn/paper_915", scale=2)),)
    replace(study, variants=luma, evaluation=EvaluationProtocol(color="luma"))
