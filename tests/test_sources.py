"""What a study with sources promises: sources first, of the same seed, and no run without its own."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.start import Start
from srlab.declare.study import Run, Study, Variant
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.choice import load_choice, outdated_starts
from srlab.folder.records import read_runs
from srlab.lab.comparison import compare
from srlab.lab.execution import Event
from srlab.lab.planning import make_plan
from srlab.lab.scheduler import Failure
from srlab.lab.sources import find_source, take_sources
from srlab.networks import SRResNetOptions
from srlab.networks.parts import is_part
from srlab.show.leaderboard import leaderboard
from srlab.show.pictures import write_pictures
from srlab.training.train import Outcome, train
from tiny_study import MACHINE, QUESTION, tiny_study
from tiny_study import write_pictures as write_images

SOURCE = SRResNetOptions(num_blocks=2, num_features=4)
NEW = SRResNetOptions(num_blocks=1, num_dense_blocks=1, num_features=4, trunk_conv=False)
KEPT = ("head", "body.0")
PROTOCOL = TrainingProtocol(num_steps=2, batch_size=2, lr_patch_size=8, precision="fp32")


def transfer(name: str = "tiny/transfer", *, freeze: bool = True, source: str = "tiny/original") -> Variant:
    return Variant(name=name, network=NEW, start=Start(source=source, keep=KEPT, freeze=freeze))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """The variant that starts from another is declared first, and trained after it all the same."""
    original = Variant(name="tiny/original", network=SOURCE, protocol=replace(PROTOCOL, num_steps=4))
    return tiny_study(
        tmp_path / "data",
        variants=(transfer(), original, Variant(name="tiny/scratch", network=NEW)),
        protocol=PROTOCOL,
        learning_rates=(1e-3,),
        seeds=(0, 1),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "tiny"


def carry_out(study: Study, folder: Path, events: list[Event] | None = None) -> list[Failure]:
    report = (lambda _: None) if events is None else events.append
    return compare(study, folder, MACHINE, question=QUESTION, announce=lambda _: None, report=report)


def weights(folder: Path, run: str) -> dict[str, torch.Tensor]:
    return load_file(folder / run / store.WEIGHTS)


def statuses(folder: Path) -> dict[str, str]:
    return {run.name: run.status for run in read_runs(folder)}


def test_a_frozen_part_is_the_source_s_of_the_same_seed_to_the_bit(study: Study, folder: Path) -> None:
    events: list[Event] = []
    assert carry_out(study, folder, events) == []
    assert set(statuses(folder).values()) == {"finished"}
    ended = [event.name for event in events if event.phase == "finished"]
    for seed in (0, 1):
        name, source = f"tiny-transfer-lr0.001-seed{seed}", f"tiny-original-lr0.001-seed{seed}"
        assert ended.index(source) < ended.index(name)
        trained, kept = weights(folder, name), weights(folder, source)
        scratch = weights(folder, f"tiny-scratch-lr0.001-seed{seed}")
        for tensor in trained:
            if is_part(tensor, KEPT):
                assert torch.equal(trained[tensor], kept[tensor]), tensor
        assert not torch.equal(trained["head.conv.weight"], scratch["head.conv.weight"])
        declared = json.loads((folder / name / store.RUN).read_text())
        assert declared["source"]["run"] == source
        assert declared["protocol"]["num_steps"] == 2
        assert "frozen" in (folder / name / "diagram.svg").read_text()
        assert "Frozen: head, body.0" in (folder / name / "summary.txt").read_text()
    assert not torch.equal(
        weights(folder, "tiny-transfer-lr0.001-seed0")["head.conv.weight"],
        weights(folder, "tiny-transfer-lr0.001-seed1")["head.conv.weight"],
    )
    costs = {row.name: row.frozen for row in store.load_study(folder).variants}
    assert costs["tiny/transfer"] > 0
    assert costs["tiny/original"] == costs["tiny/scratch"] == 0


def test_fine_tuning_starts_from_the_source_and_moves_away(study: Study, folder: Path) -> None:
    fine = replace(study, variants=(*study.variants[1:], transfer("tiny/fine", freeze=False)), seeds=(0,))
    assert carry_out(fine, folder) == []
    moved = weights(folder, "tiny-fine-lr0.001-seed0")["head.conv.weight"]
    source = weights(folder, "tiny-original-lr0.001-seed0")["head.conv.weight"]
    scratch = weights(folder, "tiny-scratch-lr0.001-seed0")["head.conv.weight"]
    assert 0 < (moved - source).abs().max() < (scratch - source).abs().max()


def test_the_source_is_its_run_at_the_chosen_rate_and_stays_so(study: Study, folder: Path) -> None:
    original = replace(study.variants[1], learning_rates=(1e-3, 1e-9))
    two = replace(study, variants=(study.variants[0], original), seeds=(0,))
    carry_out(two, folder)
    source = find_source(next(two.runs()), study=two, folder=folder)
    assert source is not None
    assert source.run == "tiny-original-lr0.001-seed0"
    choice = store.load_json(folder / store.CHOICE)
    choice["variants"]["tiny/original"]["learning_rate"] = 1e-9
    store.save_json(folder / store.CHOICE, choice)
    assert find_source(next(two.runs()), study=two, folder=folder) == source


def test_without_its_source_a_run_is_not_run_and_nothing_else_suffers(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = train

    def failing(run: object, **arguments: object) -> object:
        if run.variant.name == "tiny/original" and run.seed == 1:  # type: ignore[attr-defined]
            raise RuntimeError("broken")
        return honest(run, **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("srlab.lab.execution.train", failing)
    events: list[Event] = []
    failures = carry_out(study, folder, events)
    assert [failure.name for failure in failures] == ["tiny-original-lr0.001-seed1"]
    found = statuses(folder)
    assert found["tiny-transfer-lr0.001-seed1"] == "blocked"
    assert found["tiny-transfer-lr0.001-seed0"] == found["tiny-scratch-lr0.001-seed1"] == "finished"
    blocked = [event for event in events if event.phase == "blocked"]
    assert [event.name for event in blocked] == ["tiny-transfer-lr0.001-seed1"]
    assert "its source tiny-original-lr0.001-seed1 has failed" in blocked[0].reason
    assert [path.name for path in write_pictures(folder)][:1] == ["scores.png"]

    monkeypatch.setattr("srlab.lab.execution.train", honest)
    assert carry_out(study, folder) == []
    assert set(statuses(folder).values()) == {"finished"}


def failing_at(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the runs of these names fail."""

    def fail(run: Run, **arguments: Any) -> Outcome:
        if run.name in names:
            raise RuntimeError("broken")
        return train(run, **arguments)

    monkeypatch.setattr("srlab.lab.execution.train", fail)


@pytest.fixture
def two_rates(study: Study) -> Study:
    """A source with two rates, of which the first is better, and what starts from it."""
    original = replace(study.variants[1], learning_rates=(1e-3, 1e-9))
    return replace(study, variants=(study.variants[0], original), seeds=(0,))


GOOD, POOR = "tiny-original-lr0.001-seed0", "tiny-original-lr1e-09-seed0"


def test_nothing_starts_from_a_source_and_nothing_is_tested_before_its_rate_is_final(
    two_rates: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, GOOD)
    events: list[Event] = []
    carry_out(two_rates, folder, events)
    (blocked,) = (event for event in events if event.phase == "blocked")
    assert blocked.name == "tiny-transfer-lr0.001-seed0"
    assert blocked.reason == (f"its source tiny/original has no learning rate yet, because {GOOD} has failed")
    assert load_choice(folder)["tiny/original"].learning_rate is None
    assert not (folder / POOR / store.TEST).exists()
    row = next(row for row in leaderboard(folder).standings if row.name == "tiny/original")
    assert f"not final: {GOOD} has failed" in row.notes
    assert (row.learning_rate, row.tests) == (1e-9, {})

    monkeypatch.undo()
    assert carry_out(two_rates, folder) == []
    started = store.load_json(folder / "tiny-transfer-lr0.001-seed0" / store.RUN)["source"]["run"]
    assert started == GOOD
    assert not (folder / POOR / store.TEST).exists()
    assert load_choice(folder)["tiny/original"].superseded == ()
    assert not any("final" in note for row in leaderboard(folder).standings for note in row.notes)


@pytest.mark.parametrize("left_out", ["rate", "seed"])
def test_what_fails_every_time_can_be_left_out(
    two_rates: Study, folder: Path, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    seed = "1" if left_out == "seed" else "0"
    broken = f"tiny-original-lr0.001-seed{seed}"
    failing_at(monkeypatch, broken)
    asked = replace(two_rates, seeds=(0, 1)) if left_out == "seed" else two_rates
    carry_out(asked, folder)
    carry_out(asked, folder)
    assert load_choice(folder)["tiny/original"].waits_for == (broken,)
    transfer, original = two_rates.variants
    without = replace(two_rates, variants=(transfer, replace(original, learning_rates=(1e-9,))))
    assert carry_out(two_rates if left_out == "seed" else without, folder) == []
    choice = load_choice(folder)["tiny/original"]
    assert choice.learning_rate == (1e-3 if left_out == "seed" else 1e-9)
    assert choice.left_out == (broken,)
    assert statuses(folder)["tiny-transfer-lr0.001-seed0"] == "finished"
    rows = {row.name: row for row in leaderboard(folder).standings}
    assert all(row.tests for row in rows.values())
    assert f"the last command left out {broken}, which did not end" in rows["tiny/original"].notes


def test_a_variant_keeps_its_place_while_an_added_seed_is_not_finished(
    two_rates: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(two_rates, folder)
    before = load_choice(folder)["tiny/original"]
    failing_at(monkeypatch, "tiny-original-lr0.001-seed1")
    carry_out(replace(two_rates, seeds=(0, 1)), folder)
    waiting = load_choice(folder)["tiny/original"]
    assert waiting.learning_rate is None
    row = next(row for row in leaderboard(folder).standings if row.name == "tiny/original")
    assert row.learning_rate == 1e-3
    assert row.tests
    monkeypatch.undo()
    assert carry_out(replace(two_rates, seeds=(0, 1)), folder) == []
    after = load_choice(folder)["tiny/original"]
    assert (after.learning_rate, after.since) == (before.learning_rate, before.since)
    assert after.superseded == ()
    assert after.previous is None


def test_a_run_whose_source_diverged_is_not_waited_for(
    two_rates: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(run: Run, **arguments: Any) -> Outcome:
        if run.name == "tiny-original-lr0.001-seed1":
            return Outcome(status="diverged", step=1, seconds=0.1, loss=None, reason="the loss is nan")
        return train(run, **arguments)

    monkeypatch.setattr("srlab.lab.execution.train", diverge)
    transfer, original = two_rates.variants
    rates = replace(transfer, learning_rates=(1e-3, 1e-4))
    one = replace(original, learning_rates=(1e-3,))
    assert carry_out(replace(two_rates, variants=(rates, one), seeds=(0, 1)), folder) == []
    assert statuses(folder)["tiny-transfer-lr0.0001-seed1"] == "blocked"
    choice = load_choice(folder)["tiny/transfer"]
    assert choice.waits_for == ()
    assert choice.learning_rate is not None


def test_a_start_from_a_rate_that_is_no_longer_chosen_is_said(two_rates: Study, folder: Path) -> None:
    transfer, original = two_rates.variants
    poor = replace(two_rates, variants=(transfer, replace(original, learning_rates=(1e-9,))))
    carry_out(poor, folder)
    assert outdated_starts(folder) == {}
    carry_out(two_rates, folder)
    how = "it started from tiny/original at the learning rate 1e-09, but the chosen one is 0.001 now"
    assert outdated_starts(folder) == {"tiny/transfer": how}
    row = next(row for row in leaderboard(folder).standings if row.name == "tiny/transfer")
    assert how in row.notes

    shutil.rmtree(folder / "tiny-transfer-lr0.001-seed0")
    assert carry_out(two_rates, folder) == []
    assert outdated_starts(folder) == {}
    assert store.load_json(folder / "tiny-transfer-lr0.001-seed0" / store.RUN)["source"]["run"] == GOOD


def test_a_source_whose_rate_is_not_final_is_not_taken_from_another_study(
    two_rates: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = two_rates.with_variants(["original"])
    failing_at(monkeypatch, GOOD)
    carry_out(source, folder)
    with pytest.raises(UserError, match=rf"finish that study first \({GOOD} has failed\)"):
        take_sources(two_rates, folder)
    values = store.load_json(folder / store.CHOICE)  # as it was written before rates had to be final
    old = values["variants"]["tiny/original"] | {"learning_rate": 1e-9, "psnr_y": 20.0}
    del old["waits_for"], old["left_out"]
    store.save_json(folder / store.CHOICE, values | {"variants": {"tiny/original": old}})
    with pytest.raises(UserError, match=f"has not finished {GOOD}, on which the learning rate"):
        take_sources(two_rates, folder)
    monkeypatch.undo()
    carry_out(source, folder)
    assert take_sources(two_rates, folder).variants[1].learning_rates == (1e-3,)


def test_a_plan_says_what_waits_for_what(study: Study, folder: Path) -> None:
    from srlab.cli.plan import plan_as_dict, waits_for

    plan = make_plan(study, folder, MACHINE)
    waits = {run.name: waits_for(run, plan) for run, _ in plan.runs}
    assert waits["tiny-transfer-lr0.001-seed0"] == "tiny/original"
    assert waits["tiny-scratch-lr0.001-seed0"] is None
    described = {row["name"]: row for row in plan_as_dict(plan, question=QUESTION)["variants"]}
    assert described["tiny/original"]["steps"] == 4
    assert described["tiny/transfer"]["frozen"] > 0


def test_a_weights_file_is_a_source_too_and_told_by_its_content(
    study: Study, folder: Path, tmp_path: Path
) -> None:
    carry_out(study.with_variants(["original"]), folder)
    file = tmp_path / "mine.safetensors"
    file.write_bytes((folder / "tiny-original-lr0.001-seed0" / store.WEIGHTS).read_bytes())
    from_file = replace(study, variants=(transfer(source=str(file)),), seeds=(0,))
    other = tmp_path / "runs" / "other"
    assert carry_out(from_file, other) == []
    head = weights(other, "tiny-transfer-lr0.001-seed0")["head.conv.weight"]
    assert torch.equal(head, load_file(file)["head.conv.weight"])

    file.write_bytes((folder / "tiny-original-lr0.001-seed1" / store.WEIGHTS).read_bytes())
    with pytest.raises(UserError, match=r"another source\.weights"):
        carry_out(from_file, other)
    file.unlink()
    with pytest.raises(UserError, match="to start from does not exist"):
        carry_out(from_file, tmp_path / "runs" / "third")
    assert not (tmp_path / "runs" / "third" / store.STUDY).exists()


def test_sources_can_be_taken_from_a_finished_study(study: Study, folder: Path, tmp_path: Path) -> None:
    carry_out(study.with_variants(["original"]), folder)
    asked = replace(study, variants=study.variants[:2], learning_rates=(1e-4,))
    taken = take_sources(asked, folder)
    other = tmp_path / "runs" / "taker"
    events: list[Event] = []
    assert carry_out(taken, other, events) == []
    assert not any(event.phase == "training" for event in events if event.name.startswith("tiny-original"))
    name = "tiny-original-lr0.001-seed0"
    assert (other / name / store.WEIGHTS).read_bytes() == (folder / name / store.WEIGHTS).read_bytes()
    assert "copied from" in store.load_json(other / name / store.RESULT)["reason"]
    assert store.load_json(other / name / store.RUN)["protocol"]["num_steps"] == 4
    assert store.load_json(other / "tiny-transfer-lr0.0001-seed0" / store.RUN)["source"]["run"] == name
    assert carry_out(taken, other) == []


def test_a_source_that_diverges_everywhere_is_named(study: Study, folder: Path) -> None:
    steep = replace(study, learning_rates=(1e30,), seeds=(0,)).with_variants(["transfer"])
    events: list[Event] = []
    assert carry_out(steep, folder, events) == []
    (blocked,) = (event for event in events if event.phase == "blocked")
    assert blocked.reason == "its source tiny/original has diverged"


def test_new_seeds_of_a_variant_declared_otherwise_are_refused(study: Study, folder: Path) -> None:
    carry_out(replace(study, seeds=(0,)), folder)
    longer = replace(study.variants[1], protocol=replace(PROTOCOL, num_steps=9))
    unstarted = replace(study.variants[0], start=None, network=replace(NEW, num_plain_blocks=1))
    unfrozen = transfer(freeze=False)
    for changed in (longer, unfrozen):
        others = tuple(known for known in study.variants if known.name != changed.name)
        with pytest.raises(UserError, match="another"):
            carry_out(replace(study, variants=(changed, *others), seeds=(1,)), folder)
    with pytest.raises(UserError, match="another"):
        carry_out(replace(study, variants=(unstarted,), seeds=(1,)), folder)
    assert not any(folder.glob("*seed1"))


def test_all_seeds_start_from_one_rate_of_the_source(study: Study, folder: Path) -> None:
    first = replace(study, learning_rates=(1e-9,), seeds=(0,)).with_variants(["transfer"])
    carry_out(first, folder)
    carry_out(replace(first, learning_rates=(1e-3, 1e-9)), folder)
    assert store.load_json(folder / store.CHOICE)["variants"]["tiny/original"]["learning_rate"] == 1e-3
    later = replace(first, learning_rates=(1e-3,), seeds=(1,))
    run = next(run for run in later.runs() if run.variant.start is not None)
    with pytest.raises(UserError, match=r"original-lr1e-09-seed1 has not finished"):
        find_source(run, study=later, folder=folder)


def test_what_a_taken_run_was_trained_with_is_its_own(study: Study, folder: Path, tmp_path: Path) -> None:
    source = replace(study, seeds=(0,)).with_variants(["original"])
    carry_out(source, folder)
    asked = replace(study, variants=study.variants[:2], seeds=(0,))
    other_images = replace(asked, train=(write_images(tmp_path / "other", 3, seed=9),))
    taken = tmp_path / "runs" / "taker"
    assert carry_out(take_sources(other_images, folder), taken) == []
    name = "tiny-original-lr0.001-seed0"
    there, here = (store.load_json(where / name / store.RUN) for where in (folder, taken))
    assert here["data"] == there["data"]
    assert here["data"] != store.load_study(taken).data
    with pytest.raises(UserError, match="was used to train or validate"):
        carry_out(take_sources(replace(other_images, test=study.train), folder), tmp_path / "leak")
    mse = replace(study.variants[1], objective=PixelObjective(loss="mse"))
    with pytest.raises(
        UserError, match=r"differ in their objective.*objective.loss \(l1 there, mse asked for\)"
    ):
        take_sources(replace(asked, variants=(study.variants[0], mse)), folder)
    folder.rename(tmp_path / "moved")
    assert carry_out(take_sources(other_images, tmp_path / "moved"), taken) == []


def test_a_study_that_has_no_source_to_give_is_refused(study: Study, folder: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        take_sources(study, folder)
    carry_out(study.with_variants(["original"]), folder)
    with pytest.raises(UserError, match="starts from another one; leave --source out"):
        take_sources(study.with_variants(["scratch"]), folder)
    with pytest.raises(UserError, match="seed2 is not finished, and seed 2 starts from it"):
        take_sources(replace(study, seeds=(2,)), folder)
    other = replace(study.variants[1], network=replace(SOURCE, num_blocks=3))
    with pytest.raises(UserError, match="differ in their network"):
        take_sources(replace(study, variants=(study.variants[0], other)), folder)


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ((transfer(),), "there is no variant 'tiny/original' to start from"),
        (
            (
                transfer("a", source="b"),
                replace(transfer("b", source="a"), network=replace(NEW, num_blocks=2)),
            ),
            "a starts from b starts from a, which is a circle; one of them must start from random weights",
        ),
        (
            (Variant(name="tiny/original", network=replace(SOURCE, num_features=5)), transfer()),
            r"variant 'tiny/transfer': head.conv.weight of tiny/original has the shape \[5",
        ),
    ],
)
def test_a_start_that_cannot_be_is_refused(study: Study, variants: tuple[Variant, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        replace(study, variants=variants)


def test_variants_that_differ_in_their_start_alone_are_variants(study: Study) -> None:
    replace(study, variants=(*study.variants, transfer("tiny/fine", freeze=False)))
    with pytest.raises(UserError, match="the same network, objective, start and protocol"):
        replace(study, variants=(*study.variants, transfer("tiny/again")))
    with pytest.raises(UserError, match="leaves nothing to train"):
        Start(source="tiny/original", freeze=True)
    whole = Start(source="tiny/original", keep=("head", "body", "tail"), freeze=True)
    with pytest.raises(UserError, match="freezes every part"):
        replace(study, variants=(Variant(name="a", network=SOURCE, start=whole), study.variants[1]))


def test_choosing_a_variant_brings_its_source_along(study: Study) -> None:
    assert {variant.name for variant in study.with_variants(["transfer"]).variants} == {
        "tiny/transfer",
        "tiny/original",
    }


def test_more_steps_keep_the_proportion_of_a_variant_that_has_its_own(study: Study) -> None:
    longer = study.with_steps(10)
    assert longer.protocol.num_steps == 10
    assert [longer.protocol_of(variant).num_steps for variant in longer.variants] == [10, 20, 10]
    assert longer.with_protocol({"batch_size": 7}).variants[1].protocol == replace(
        PROTOCOL, num_steps=20, batch_size=7
    )
