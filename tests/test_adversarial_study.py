"""What a study with a discriminator promises: the same commands, labels on trials, nothing by half."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from killed_adversarial import SMALL
from srlab.cli.plan import missing_data, remarks
from srlab.declare.objectives import RANDOM_REMARK, AdversarialObjective, Content
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.errors import UserError
from srlab.lab.comparison import compare
from srlab.lab.planning import make_plan
from srlab.lab.scheduler import Failure
from srlab.networks import EDSROptions
from srlab.show.leaderboard import leaderboard
from tiny_study import MACHINE, tiny_study, write_pictures


def gan_study(data: Path, content: Content) -> Study:
    return replace(
        tiny_study(data),
        scale=4,
        variants=(
            Variant(
                name="tiny/gan",
                network=EDSROptions(num_blocks=1, num_features=4),
                objective=AdversarialObjective(content=content, discriminator=SMALL),
            ),
        ),
        learning_rates=(1e-4,),
        protocol=TrainingProtocol(num_steps=2, batch_size=2, lr_patch_size=24, precision="fp32"),
        train=(write_pictures(data / "large", 2, seed=3, size=100),),
    )


def carry_out(study: Study, folder: Path) -> list[Failure]:
    return compare(study, folder, MACHINE, question="?", announce=lambda _: None, report=lambda _: None)


def test_a_gan_on_random_features_runs_from_end_to_end_and_is_labelled(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    assert carry_out(gan_study(tmp_path, "random"), folder) == []
    run = folder / "tiny-gan-lr0.0001-seed0"
    declared = json.loads((run / "run.json").read_text())["objective"]
    assert (declared["kind"], declared["content"], declared["vgg"]) == ("adversarial", "random", None)
    assert RANDOM_REMARK in json.loads((run / "result.json").read_text())["remarks"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    shown = {"content", "adversarial", "discriminator_real", "discriminator_fake", "generator_gradient_norm"}
    assert all(shown <= line.keys() for line in lines)
    assert (run / "test" / "set" / "0.png").is_file()
    rows = {row.name: row for row in leaderboard(folder).standings}
    assert RANDOM_REMARK in rows["tiny/gan"].notes
    assert "gmsd_y" in rows["tiny/gan"].tests["set"]  # it is there without `srlab perceptual`
    assert rows["tiny/gan"].rank is None  # one seed ranks nothing


def test_a_plan_says_which_weights_are_missing_and_what_is_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    for content, missing, told in (("vgg54", "srlab data get vgg19", False), ("random", "", True)):
        plan = make_plan(gan_study(tmp_path, content), tmp_path / "study", MACHINE)  # type: ignore[arg-type]
        assert missing in "".join(missing_data(plan))
        assert remarks(plan) == ([f"tiny/gan: {RANDOM_REMARK}"] if told else [])


def test_a_study_whose_weights_are_missing_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    with pytest.raises(UserError, match="srlab data get vgg19"):
        carry_out(gan_study(tmp_path, "vgg54"), tmp_path / "study")
    assert not (tmp_path / "study").exists()
