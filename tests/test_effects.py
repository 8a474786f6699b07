"""What effects promise: each change of options by itself, and a word for what cannot be told apart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scored_study import ScoredStudy, noisy
from srlab.declare.start import Start
from srlab.verdicts import Effect, Verdicts, judge
from srlab.verdicts.effects import contrasts
from srlab.verdicts.options import changes, options_of
from stored_files import PROTOCOL, stored_variant

RELU = {"activation": "relu"}
PRELU = {"activation": "prelu"}


def grid(path: Path, *, skip: float, prelu: float, both: float, leave_out: str = "") -> Verdicts:
    """A full grid of two options with these effects in dB, and `both` more where both are."""
    study = ScoredStudy(path / "grid", sets={"one": 19})
    cells: list[tuple[str, dict[str, Any], float]] = [
        ("plain", {"skip": None, **RELU}, 0.0),
        ("skip", {"skip": "bicubic", **RELU}, skip),
        ("prelu", {"skip": None, **PRELU}, prelu),
        ("both", {"skip": "bicubic", **PRELU}, skip + prelu + both),
    ]
    for key, (name, network, gain) in enumerate(cells):
        if name != leave_out:
            study.variant(name, noisy(30 + gain, sd=0.01, key=key), network=network)
    return judge(study.write())


def effect(verdicts: Verdicts, name: str) -> Effect:
    (found,) = [one for one in verdicts.effects if one.name == name and one.scope == "one"]
    return found


def test_in_a_full_grid_they_are_the_main_effects_and_the_interaction(tmp_path: Path) -> None:
    verdicts = grid(tmp_path, skip=1.9, prelu=0.0, both=0.4)
    skip = effect(verdicts, "skip none → bicubic")
    prelu = effect(verdicts, "activation relu → prelu")
    together = effect(verdicts, "skip none → bicubic × activation relu → prelu")  # noqa: RUF001
    assert skip.estimate == pytest.approx(1.9 + 0.4 / 2, abs=0.03)
    assert prelu.estimate == pytest.approx(0.4 / 2, abs=0.03)
    assert together.estimate == pytest.approx(0.4, abs=0.05)
    assert skip.pairs == (("plain", "skip"), ("prelu", "both"))
    for one in (skip, prelu, together):
        assert one.outcome == "better"
        assert one.interval is not None
        assert one.interval.low < (one.estimate or 0) < one.interval.high
        assert one.basis == "matched"
        assert not one.is_confounded


def test_they_are_what_least_squares_of_the_factorial_model_gives(tmp_path: Path) -> None:
    verdicts = grid(tmp_path, skip=0.7, prelu=-0.2, both=0.1)
    table = verdicts.table()
    assert table is not None
    means = {row.variant: row.mean for row in table.rows}
    order = ["plain", "skip", "prelu", "both"]
    skip, prelu = np.array([-1, 1, -1, 1]) / 2, np.array([-1, -1, 1, 1]) / 2
    design = np.column_stack([np.ones(4), skip, prelu, 2 * skip * prelu])
    solution = np.linalg.lstsq(design, np.array([means[name] for name in order], dtype=float), rcond=None)[0]
    estimates = [
        effect(verdicts, name).estimate for name in ("skip none → bicubic", "activation relu → prelu")
    ]
    assert estimates == pytest.approx(solution[1:3])


def test_no_effect_is_not_shown_as_one(tmp_path: Path) -> None:
    prelu = effect(grid(tmp_path, skip=1.9, prelu=0.0, both=0.0), "activation relu → prelu")
    assert prelu.outcome == "equal"


def test_without_the_fourth_cell_each_change_is_read_off_its_pair_and_there_is_no_interaction(
    tmp_path: Path,
) -> None:
    verdicts = grid(tmp_path, skip=1.9, prelu=0.3, both=0.0, leave_out="both")
    assert effect(verdicts, "skip none → bicubic").pairs == (("plain", "skip"),)
    assert [one.interaction for one in verdicts.effects if one.interaction] == []


def test_a_change_that_never_comes_alone_is_named_as_confounded(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 19})
    study.variant("plain", noisy(30, key=1), network={"skip": None, "padding": "valid"})
    study.variant("skip", noisy(31, key=2), network={"skip": "bicubic", "padding": "same"})
    verdicts = judge(study.write())
    (found,) = [one for one in verdicts.effects if one.scope == "one"]
    assert found.is_confounded
    assert [change.option for change in found.changes] == ["skip", "padding"]
    assert "so the effect of each is unknown" in found.remark
    assert len(verdicts.unknown_effects) == 2
    assert "skip never changes alone, only with padding" in verdicts.unknown_effects[0]


def test_a_change_that_comes_with_size_is_named_with_how_much(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 19})
    study.variant("small", noisy(30, key=1), network={"num_blocks": 4}, parameters=1000)
    study.variant("large", noisy(31, key=2), network={"num_blocks": 16}, parameters=8800)
    (found,) = [one for one in judge(study.write()).effects if one.scope == "one"]
    assert found.parameters_ratio == pytest.approx(8.8)
    assert found.remark == "confounded with size: 8.8 times the parameters and 8.8 times the multiply-adds"
    assert not found.is_confounded  # one option: what grows with it is part of it, and said


def test_what_only_an_additive_model_separates_is_marked_so(tmp_path: Path) -> None:
    """Of three options two change at a time, and never one alone."""
    study = ScoredStudy(tmp_path / "mine", sets={"one": 19})
    for key, (name, options, gain) in enumerate(
        (
            ("none", (0, 0, 0), 0.0),
            ("ab", (1, 1, 0), 0.1 + 0.2),
            ("bc", (0, 1, 1), 0.2 + 0.4),
            ("ac", (1, 0, 1), 0.1 + 0.4),
        )
    ):
        network = dict(zip(("a", "b", "c"), map(str, options), strict=True))
        study.variant(name, noisy(30 + gain, sd=0.01, key=key), network=network)
    verdicts = judge(study.write())
    for option, gain in (("a", 0.1), ("b", 0.2), ("c", 0.4)):
        found = effect(verdicts, f"{option} 0 → 1")
        assert found.estimate == pytest.approx(gain, abs=0.03)
        assert found.basis == "additive"
        assert "holds if effects add up" in found.remark


def test_a_pair_that_is_missing_is_said(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 19})
    study.variant("plain", noisy(30, key=1), network={"skip": None, **RELU})
    study.variant("skip", noisy(31, key=2), network={"skip": "bicubic", **RELU})
    study.variant("prelu", noisy(30, key=3), network={"skip": None, **PRELU})
    study.variants.append(
        stored_variant("both", network={"architecture": "SRCNN", "skip": "bicubic", **PRELU})
    )
    study.plan("both", seed=0)
    skip = effect(judge(study.write()), "skip none → bicubic")
    assert skip.pairs == (("plain", "skip"),)
    assert "1 of 2 pairs are missing" in skip.remark


def test_learning_rates_are_compared_on_validation_scores(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5})
    for variant in ("a", "b"):
        study.variant(variant, noisy(30, images=5), rate=1e-3, validation=30.0, network={"skip": variant})
        study.variant(variant, noisy(30, images=5), rate=1e-4, validation=29.0, network={"skip": variant})
    verdicts = judge(study.write())
    (found,) = [one for one in verdicts.effects if one.scope == "validation"]
    assert found.name == "learning rate 0.001 → 0.0001"
    assert found.estimate == pytest.approx(-1.0)
    (of_a, _) = verdicts.learning_rates
    assert of_a.range_db == pytest.approx(1.0)
    assert [score.is_chosen for score in of_a.rates] == [True, False]
    assert of_a.rates[1].to_chosen is not None
    assert of_a.rates[1].to_chosen.estimate == pytest.approx(-1.0)


def test_the_edge_of_the_rates_is_told_only_where_there_is_a_middle(tmp_path: Path) -> None:
    """Of two rates the better one is always the smallest or largest."""
    for number in (2, 3):
        study = ScoredStudy(tmp_path / str(number), sets={"one": 5})
        for variant, rates in (("a", (1e-3, 1e-4, 1e-5)), ("b", (1e-4, 1e-3, 1e-5))):
            for place, rate in enumerate(rates[:number]):
                study.variant(variant, noisy(30, images=5), rate=rate, validation=30.0 - place)
        verdicts = judge(study.write())
        assert [one.at_edge for one in verdicts.learning_rates] == [number == 3, False]
        told = [remark for remark in verdicts.remarks if remark.kind == "rates"]
        assert any("was the best for a, so a better one" in remark for remark in told) == (number == 3)
        assert any("only two learning rates were tried" in remark for remark in told) == (number == 2)


def test_loss_start_and_own_training_are_options_too() -> None:
    network = {"architecture": "EDSR"}
    plain = options_of(stored_variant("a", network=network), protocol=PROTOCOL)
    other = options_of(
        stored_variant(
            "b",
            network=network,
            objective={"loss": "mse"},
            start=Start(source="edsr/vanilla", keep=("stem",), freeze=True),
            protocol=replace(PROTOCOL, num_steps=20),
        ),
        protocol=PROTOCOL,
    )
    assert [(one.option, one.after) for one in changes(plain, other)] == [
        ("objective.loss", "mse"),
        ("start", "edsr/vanilla"),
        ("training.num_steps", "20"),
    ]


def test_between_two_architectures_the_architecture_is_the_change() -> None:
    networks = (
        {"architecture": "SRCNN", "activation": "relu"},
        {"architecture": "EDSR", "activation": "prelu", "num_blocks": 4},
    )
    one, two = (options_of(stored_variant("a", network=network), protocol=PROTOCOL) for network in networks)
    assert [change.option for change in changes(one, two)] == ["architecture"]


def test_a_change_that_smaller_ones_explain_is_no_effect_of_its_own() -> None:
    options = {
        "plain": {"a": "0", "b": "0"},
        "a": {"a": "1", "b": "0"},
        "ab": {"a": "1", "b": "1"},
    }
    found = contrasts(options, base="plain")
    assert [[change.option for change in one.changes] for one in found] == [["a"], ["b"]]


def test_settings_of_one_option_are_compared_with_the_bases_not_with_each_other() -> None:
    options = {name: {"activation": name} for name in ("relu", "prelu", "leaky_relu")}
    found = contrasts(options, base="relu")
    assert [one.pairs for one in found] == [(("relu", "prelu"),), (("relu", "leaky_relu"),)]
