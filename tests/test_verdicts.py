"""What verdicts promise: right for any state of a study, and never more than its scores allow."""

import json
import math
import re
from dataclasses import fields, is_dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scored_study import ScoredStudy, Scores, noisy
from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.folder import store
from srlab.show.leaderboard import important_notes, leaderboard
from srlab.show.tables.board import board_grid
from srlab.verdicts import ALL_SETS, BICUBIC, Row, Table, Verdicts, judge
from srlab.verdicts.pareto import training_times
from srlab.verdicts.values import Weigh
from srlab.verdicts.words import verdict
from stored_files import PROTOCOL, save_run

ADVERSARIAL = {"kind": "adversarial", "adversarial_weight": 1e-3}


def study_of(path: Path, **variants: Scores) -> ScoredStudy:
    """One test set; each variant changes one option of its own."""
    images = next(iter(variants.values())).shape[1]
    study = ScoredStudy(path / "mine", sets={"one": images})
    for name, scores in variants.items():
        study.variant(name, scores, network={"activation": name})
    return study


def table_of(verdicts: Verdicts, **which: Any) -> Table:
    table = verdicts.table(**which)
    assert table is not None
    return table


def row_of(verdicts: Verdicts, variant: str, **which: Any) -> Row:
    return next(row for row in table_of(verdicts, **which).rows if row.variant == variant)


def test_each_variant_is_paired_with_the_base_by_seed_and_image(tmp_path: Path) -> None:
    ours, theirs = noisy(31, key=1), noisy(30, key=2)
    row = row_of(judge(study_of(tmp_path, base=theirs, ours=ours).write()), "ours")
    assert row.to_base is not None
    assert row.to_base.estimate == pytest.approx(np.mean(ours - theirs))
    assert row.to_base.interval is not None
    assert row.to_base.interval.standard_error < 0.1  # the spread of the images, 3 dB, cancels
    assert row.to_base.outcome == "better"
    assert (row.to_base.seeds, row.to_base.num_images) == ((0, 1, 2), 19)


def test_bicubic_stands_in_every_table_and_has_no_rank(tmp_path: Path) -> None:
    study = study_of(tmp_path, base=noisy(30), ours=noisy(31, key=1)).bicubic(
        {"one": noisy(28, seeds=1, key=9)}
    )
    verdicts = judge(study.write())
    bicubic = row_of(verdicts, BICUBIC)
    assert (bicubic.rank, bicubic.seeds, bicubic.to_base) == (None, (), None)
    to_bicubic = row_of(verdicts, "ours").to_bicubic
    assert to_bicubic is not None
    assert to_bicubic.estimate == pytest.approx(3, abs=0.1)
    assert to_bicubic.outcome == "better"


def test_variants_that_cannot_be_told_apart_share_a_rank(tmp_path: Path) -> None:
    verdicts = judge(study_of(tmp_path, a=noisy(32, key=1), b=noisy(32, key=2), c=noisy(30, key=3)).write())
    ranks = verdicts.ranks()
    assert [ranks[name].best for name in "abc"] == [1, 1, 3]
    assert [ranks[name].worst for name in "abc"] == [2, 2, 3]
    assert ranks["a"].tied_with == ("b",)


def test_sharing_a_rank_is_not_transitive_and_the_span_of_places_shows_it(tmp_path: Path) -> None:
    """The middle one can be told from neither, though the outer two can be told apart."""
    verdicts = judge(
        study_of(
            tmp_path,
            low=noisy(30.0, sd=0.05, key=1),
            middle=noisy(30.5, sd=1.5, key=2),
            high=noisy(31.0, sd=0.05, key=3),
        ).write()
    )
    places = {name: (rank.best, rank.worst) for name, rank in verdicts.ranks().items()}
    assert places == {"high": (1, 2), "middle": (1, 3), "low": (2, 3)}


def test_holms_family_is_the_table_so_leaving_variants_out_recomputes(tmp_path: Path) -> None:
    names = {f"v{k}": noisy(30 + 0.02 * k, key=k) for k in range(6)}
    folder = study_of(tmp_path, **names).write()
    all_six, two = judge(folder), judge(folder, variants=["v0", "v5"])
    assert two.variants == ("v0", "v5")
    whole, alone = row_of(all_six, "v5").to_base, row_of(two, "v5").to_base
    assert whole is not None
    assert alone is not None
    assert whole.p_value == pytest.approx(alone.p_value)  # the study's spread between trainings stays
    assert alone.p_value == alone.p_holm
    assert whole.p_holm is not None
    assert alone.p_holm is not None
    assert whole.p_holm > alone.p_holm
    assert len(table_of(two).pairs) == 1


def test_leaving_images_out_recomputes(tmp_path: Path) -> None:
    scores = noisy(30, images=5)
    folder = study_of(tmp_path, base=scores).write()
    some = judge(folder, images={"one": ["i0", "i3"]})
    assert row_of(some, "base").mean == pytest.approx(scores[:, [0, 3]].mean())
    assert some.test_sets == {"one": ("i0", "i3")}


def test_a_run_whose_last_step_was_unlucky_is_named(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5})
    values = (28.0, 29.0, 29.5, 29.8, 30.0, 29.95, 30.02, 30.0)
    steady = [(10 * step, value, float(step)) for step, value in enumerate(values, start=1)]
    fell = [*steady, (90, 28.75, 9.0)]
    study.variant("a", noisy(30, images=5, seeds=2), network={"x": 0}, curve=steady)
    study.variant("b", noisy(30, images=5, seeds=1), network={"x": 1}, curve=fell)
    study.variant("b", noisy(30, images=5, seeds=1), seeds=(1,), curve=steady)
    (told,) = [remark for remark in judge(study.write()).remarks if remark.kind == "last step"]
    assert told.startswith(
        "1 run ended below the best validation of the run by far more than usual (b, seed 0, "
    )
    assert "by 1.27 dB)" in told
    assert told in important_notes(leaderboard(study.path))


def test_a_planned_comparison_is_tested_alone_and_comes_first(tmp_path: Path) -> None:
    names = {f"v{k}": noisy(30 + 0.06 * (k == 5), sd=0.03, key=k) for k in range(8)}
    study = study_of(tmp_path, **names)
    before = judge(study.write())
    assert before.primary == ()
    study.changes["primary"] = "v5", "v0"
    verdicts = judge(study.write())
    (test,) = verdicts.primary
    assert (test.variant, test.other) == ("v5", "v0")
    in_family = row_of(verdicts, "v5").to_base
    assert in_family is not None
    assert test.p_holm == test.p_value == pytest.approx(in_family.p_value)
    assert in_family.p_holm is not None
    assert test.p_holm is not None
    assert in_family.p_holm > test.p_holm
    assert re.match(r"The planned comparison: .*v5.* v0.* by psnr_y on one: \+0", verdicts.headline[0])
    assert [line.replace(" by psnr_y on one", "") for line in before.headline] == list(verdicts.headline[1:])
    assert leaderboard(study.path).primary == verdicts.primary
    assert judge(study.path, variants=["v1", "v5"]).primary == ()


@pytest.mark.parametrize(
    ("gain", "band", "said"), [(0.05, 0.1, "0.1 dB"), (0.05, 0.04, ""), (0.4, 0.1, ""), (0.4, 0.5, "0.5 dB")]
)
def test_a_decided_difference_within_the_band_is_called_small(
    tmp_path: Path, gain: float, band: float, said: str
) -> None:
    names = {f"v{k}": noisy(30 + gain * (k == 1), sd=0.005, key=k) for k in range(3)}
    study = study_of(tmp_path, **names)
    study.changes["primary"] = "v0", "v1"
    verdicts = judge(study.write(), equal_within=band)
    (test,) = verdicts.primary
    assert test.outcome == "worse"
    ahead = row_of(verdicts, "v1").to_base
    assert ahead is not None
    assert (
        f"v0 is worse than v1, by psnr_y on one, though by less than {said}: -" in verdicts.headline[0]
    ) == (said != "")
    assert verdict(ahead, against="v0").endswith(
        f"against v0, better by less than {said}" if said else "against v0, better"
    )


@pytest.mark.parametrize("weigh", ["images", "sets"])
def test_each_image_counts_once_or_each_set(tmp_path: Path, weigh: Weigh) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"few": 5, "many": 20})
    study.variant("a", {"few": noisy(30, images=5), "many": noisy(20, images=20)}, network={"x": 1})
    verdicts = judge(study.write(), weigh=weigh)
    few, many = (row_of(verdicts, "a", scope=name).mean for name in ("few", "many"))
    assert few is not None
    assert many is not None
    assert row_of(verdicts, "a").mean == pytest.approx(
        (few + many) / 2 if weigh == "sets" else (5 * few + 20 * many) / 25
    )
    assert [table.scope for table in verdicts.tables] == [ALL_SETS, "few", "many"]


def test_one_seed_says_what_cannot_be_concluded(tmp_path: Path) -> None:
    verdicts = judge(study_of(tmp_path, a=noisy(30, seeds=1), b=noisy(32, seeds=1, key=1)).write())
    test = row_of(verdicts, "b").to_base
    assert test is not None
    assert test.interval is not None
    assert test.interval.population == "images"
    assert [remark.kind for remark in verdicts.remarks if remark.startswith("one seed:")] == ["one seed"]
    assert verdicts.ranks() == {}  # nothing is known of other trainings
    assert (test.outcome, "one training" in test.reason) == ("undecided", True)
    assert verdicts.headline[0].startswith(
        "ONE SEED cannot rank variants; of these trained networks, b has the highest psnr_y on one (+"
    )


@pytest.mark.parametrize(
    ("images", "seeds", "headline"),
    [
        (19, 3, "None of the 2 variants is above bicubic on one: b has the highest psnr_y, -"),
        (19, 1, "ONE SEED: none of the 2 variants is above bicubic on one: b has the highest psnr_y, -"),
        (1, 1, "ONE SEED: none of the 2 variants is above bicubic on one (b has the highest psnr_y, -"),
    ],
)
def test_the_first_sentence_says_that_no_variant_beat_bicubic(
    tmp_path: Path, images: int, seeds: int, headline: str
) -> None:
    study = study_of(
        tmp_path,
        a=noisy(30, seeds=seeds, images=images),
        b=noisy(34, seeds=seeds, images=images, key=1),
    ).bicubic(35.0)
    verdicts = judge(study.write())
    (first,) = verdicts.headline
    assert first.startswith(headline)
    assert " against bicubic" in first
    assert ("this proves nothing: " in first) == (images == 1)
    assert ("activation a → b: +" in verdicts.answer[-1]) == (
        images > 1
    )  # what proves nothing has no effects


def test_the_only_variant_is_told_against_bicubic(tmp_path: Path) -> None:
    verdicts = judge(study_of(tmp_path, a=noisy(30)).bicubic(35.0).write())
    assert verdicts.headline[0].startswith("a is not above bicubic on one: psnr_y -")


def test_the_answer_names_whose_mean_is_not_above_bicubic_s(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30), b=noisy(36, key=1)).bicubic(35.0)
    first, second = judge(study.write()).headline
    assert first.startswith("b is best by psnr_y on one (+")
    assert second == "Not above bicubic by its mean: a."


def test_one_image_has_no_interval_no_test_and_all_share_the_first_rank(tmp_path: Path) -> None:
    verdicts = judge(study_of(tmp_path, a=noisy(30, images=1), b=noisy(39, images=1, key=1)).write())
    test = row_of(verdicts, "b").to_base
    assert test is not None
    assert (test.interval, test.p_value, test.outcome) == (None, None, "undecided")
    assert "one test image" in test.reason
    assert {rank.best for rank in verdicts.ranks().values()} == {1}
    assert any("one has 1 image" in remark for remark in verdicts.remarks)


def test_five_images_say_what_an_interval_of_theirs_is_worth(tmp_path: Path) -> None:
    verdicts = judge(study_of(tmp_path, a=noisy(30, images=5)).write())
    assert any("less often: in 88 % with the 5 images of one" in remark for remark in verdicts.remarks)


def test_missing_cells_are_listed_and_in_no_mean(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30), b=noisy(31, key=1))
    save_run(study.plan("b", seed=3), status="diverged", seconds=5.0, step=10)
    study.plan("b", seed=4)
    verdicts = judge(study.write())
    assert [(cell.variant, cell.seed, cell.reason) for cell in verdicts.missing] == [
        ("b", 3, "diverged at the chosen rate 0.001"),
        ("b", 4, "not started at the chosen rate 0.001"),
    ]
    assert not verdicts.is_complete
    assert verdicts.answer[0].endswith(": 1 of 8 runs has not ended.")
    assert row_of(verdicts, "b").seeds == (0, 1, 2)
    (of_a, of_b) = verdicts.costs
    assert (of_b.runs, of_b.ended, of_b.diverged) == (5, 4, 1)
    assert of_b.tuning_seconds == of_a.tuning_seconds + 5.0


def test_only_the_seeds_that_both_have_are_compared_and_it_is_said(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30))
    study.variant("b", noisy(31, seeds=2, key=1), seeds=(1, 2), network={"activation": "b"})
    verdicts = judge(study.write())
    test = row_of(verdicts, "b").to_base
    assert test is not None
    assert test.seeds == (1, 2)
    assert any(remark.startswith("b has other seeds than the rest") for remark in verdicts.remarks)


def test_without_a_common_seed_nothing_is_compared(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30, seeds=1))
    study.variant("b", noisy(31, seeds=1, key=1), seeds=(7,), network={"activation": "b"})
    verdicts = judge(study.write())
    assert row_of(verdicts, "b").to_base is None
    assert verdicts.ranks() == {}


def test_a_seed_that_diverged_is_missing_and_the_study_is_finished_all_the_same(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30), b=noisy(31, key=1))
    run = study.path / "b-lr0.001-seed1"
    save_run(run, status="diverged", seconds=10.0, step=7)
    for name in (store.TEST_SCORES, store.SCORES):
        (run / name).unlink()
    verdicts = judge(study.write())
    assert [(cell.seed, cell.is_final) for cell in verdicts.missing] == [(1, True)]
    assert verdicts.is_complete
    assert "Not finished" not in verdicts.answer[0]


def test_times_that_other_work_has_spoilt_are_named_and_the_median_stands_for_them(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30), b=noisy(31, key=1))
    assert not any("took up to" in remark for remark in judge(study.write()).remarks)
    save_run(study.path / "b-lr0.001-seed1", "b", status="finished", seconds=80.0, step=100)
    verdicts = judge(study.path)
    assert any("took up to 8.0 times as long" in remark for remark in verdicts.remarks)
    assert {cost.seconds for cost in verdicts.costs} == {10.0}
    for path in study.path.glob(f"*/{store.RESULT}"):  # by processor time it was not slower
        store.save_json(path, store.load_json(path) | {"processor_seconds": 9.0})
    assert not any("took up to" in remark for remark in judge(study.path).remarks)


def test_training_is_compared_by_processor_time_and_a_busy_machine_is_named(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30), b=noisy(31, key=1))
    folder = study.write()

    def took(variant: str, *, seconds: float, processor: float) -> None:
        for seed in range(3):
            run = folder / f"{variant}-lr0.001-seed{seed}"
            save_run(run, variant, status="finished", seconds=seconds, processor_seconds=processor, step=100)

    took("a", seconds=416.0, processor=60.0)
    (of_a, of_b) = judge(folder).costs
    assert (of_a.processor_seconds, of_a.is_busy) == (60.0, True)
    assert (of_b.processor_seconds, of_b.is_busy, of_b.seconds) == (None, False, 10.0)  # an older result
    times = training_times(judge(folder).costs)
    assert times == ("seconds of one run by the clock", {"a": 416.0, "b": 10.0})
    took("b", seconds=66.0, processor=65.0)
    times = training_times(judge(folder).costs)
    assert times == ("processor seconds of one run", {"a": 60.0, "b": 65.0})
    board = leaderboard(folder)
    grid = board_grid(board)
    shown = {row.cells[1].text: [cell.text for cell in row.cells[-2:]] for row in grid.rows}
    assert [column.heading for column in grid.columns[-2:]] == ["cpu s", "clock s"]
    assert (shown["a"], shown["b"]) == (["60", "busy machine"], ["65", "66"])


@pytest.mark.parametrize("other", ["protocol", "scale"])
def test_scores_of_another_protocol_or_scale_meet_no_others(tmp_path: Path, other: str) -> None:
    study = study_of(tmp_path, a=noisy(30), b=noisy(31, key=1))
    path = study.path / "b-lr0.001-seed1" / store.TEST_SCORES
    study.save_scores(
        path,
        "psnr_y",
        {"one": np.full(19, 99.0)},
        protocol=EvaluationProtocol(border="symmetric") if other == "protocol" else EvaluationProtocol(),
        scale=3 if other == "scale" else 2,
    )
    verdicts = judge(study.write())
    row = row_of(verdicts, "b")
    assert row.seeds == (0, 2)
    assert row.mean is not None
    assert row.mean < 40
    assert [(cell.variant, cell.seed) for cell in verdicts.missing] == [("b", 1)]


def test_a_set_with_an_image_missing_does_not_count(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30, images=5))
    study.sets = {"one": 6}
    verdicts = judge(study.write())
    assert verdicts.tables == ()
    assert len(verdicts.missing) == 3


def test_pictures_reproduced_exactly_leave_no_nan_anywhere(tmp_path: Path) -> None:
    perfect, partly = np.full((2, 5), math.inf), noisy(30, seeds=2, images=5)
    partly[0, 0] = math.inf
    study = study_of(
        tmp_path, perfect=perfect, again=perfect, partly=partly, plain=noisy(30, seeds=2, images=5)
    )
    study.bicubic({"one": noisy(28, seeds=1, images=5)})
    verdicts = judge(study.write())
    assert not list(nans(verdicts))
    same = next(
        pair for pair in table_of(verdicts).pairs if {pair.variant, pair.other} == {"perfect", "again"}
    )
    assert (same.estimate, same.outcome) == (0.0, "equal")
    assert row_of(verdicts, "plain").to_base is not None


def nans(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from nans(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from nans(tuple(value.values()))
    elif isinstance(value, tuple):
        for item in value:
            yield from nans(item)


def gan_study(path: Path, *, lpips: bool = True, seeds: int = 3) -> Path:
    """psnr: best PSNR and worst LPIPS; gan: the reverse; both beaten by neither; bad: worst by both."""
    study = ScoredStudy(path / "mine", sets={"one": 19})
    declared: list[tuple[str, float, float, dict[str, Any]]] = [
        ("psnr", 32.0, 0.4, {"loss": "mse"}),
        ("gan", 30.0, 0.1, ADVERSARIAL),
        ("bad", 29.0, 0.5, {**ADVERSARIAL, "adversarial_weight": 1.0}),
    ]
    for key, (name, psnr, perception, objective) in enumerate(declared):
        study.variant(
            name,
            noisy(psnr, key=key, seeds=seeds),
            objective=objective,
            lpips=noisy(perception, sd=0.005, key=10 + key, seeds=seeds) if lpips else None,
        )
    return study.write()


def test_a_gan_is_ranked_by_distortion_and_perception_together(tmp_path: Path) -> None:
    verdicts = judge(gan_study(tmp_path))
    assert verdicts.is_adversarial
    assert {name: rank.best for name, rank in verdicts.ranks().items()} == {"psnr": 1, "gan": 1, "bad": 3}
    assert [row.variant for row in table_of(verdicts, metric="lpips_squeeze").rows][:3] == [
        "gan",
        "psnr",
        "bad",
    ]
    to_base = row_of(verdicts, "gan", metric="lpips_squeeze").to_base
    assert to_base is not None
    assert to_base.estimate is not None
    assert (to_base.estimate < 0, to_base.outcome) == (True, "better")  # low is good


def test_one_seed_of_a_gan_ranks_nothing(tmp_path: Path) -> None:
    verdicts = judge(gan_study(tmp_path, seeds=1))
    assert verdicts.ranks() == {}
    assert verdicts.headline == ("ONE SEED cannot rank variants: another training may give another order.",)


def test_a_gan_without_perceptual_scores_is_not_ranked(tmp_path: Path) -> None:
    verdicts = judge(gan_study(tmp_path, lpips=False))
    assert verdicts.ranks() == {}
    assert verdicts.headline[0].startswith("There is no ranking: ")
    assert any("psnr_y alone would be unfair" in remark for remark in verdicts.remarks)


@pytest.mark.parametrize(
    ("psnr", "distance", "said"),
    [
        (33.0, None, "psnr_y"),
        (31.0, 0.05, "lpips_squeeze"),
        (33.0, 0.05, "psnr_y and lpips_squeeze"),
        (31.0, 0.3, ""),
    ],
)
def test_the_headline_of_a_gan_study_says_by_which_metric_bicubic_is_better_than_all(
    tmp_path: Path, psnr: float, distance: float | None, said: str
) -> None:
    folder = gan_study(tmp_path)
    study = ScoredStudy(folder, sets={"one": 19})
    study.bicubic({"one": noisy(psnr, seeds=1, key=20)})
    if distance is not None:
        path = folder / store.BASELINE / "test" / "perceptual.json"
        study.save_scores(path, "lpips_squeeze", {"one": noisy(distance, sd=0.005, seeds=1, key=21)[0]})
    headline = judge(folder).headline
    sentence = f"Bicubic has a better mean {said} than every variant on one."
    assert headline[-1] == sentence if said else "Bicubic" not in headline[-1]


def test_where_a_gan_study_has_no_ranking_bicubic_s_psnr_y_is_named_all_the_same(tmp_path: Path) -> None:
    folder = gan_study(tmp_path, lpips=False)
    ScoredStudy(folder, sets={"one": 19}).bicubic({"one": noisy(33.0, seeds=1, key=20)})
    assert judge(folder).headline == (
        "There is no ranking: a variant was trained with a discriminator, and perceptual scores are missing.",
        "Bicubic has a better mean psnr_y than every variant on one.",
    )


def test_runs_that_have_not_ended_have_curves_and_their_time_counts(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5})
    study.variant("a", noisy(30, images=5, seeds=1), curve=[(50, 20.0, 5.0), (100, 30.0, 10.0)])
    study.variant("b", noisy(30, images=5, seeds=1))
    for run in study.path.glob("b-*"):  # of b nothing has finished, so there is no chosen rate
        (run / store.RESULT).unlink()
        store.write_text(
            run / store.METRICS,
            '{"step": 20, "psnr_y": 28.5, "seconds": 150.0}\n{"step": 30, "seconds": 313.0}\n',
        )
    verdicts = judge(study.write())
    curves = {curve.variant: curve for curve in verdicts.curves}
    assert (curves["a"].is_finished, curves["b"].is_finished) == (True, False)
    assert (curves["b"].steps, curves["b"].psnr_y, curves["b"].learning_rate) == ((20,), (28.5,), 1e-3)
    assert [cost.tuning_seconds for cost in verdicts.costs] == [10.0, 313.0]
    assert verdicts.costs[1].tuning_multiply_adds == pytest.approx(
        0.3 * verdicts.costs[0].tuning_multiply_adds
    )
    assert verdicts.costs[1].seconds is None
    assert "b" not in verdicts.budgets[0].psnr_y


def test_budgets_are_equal_in_steps_samples_multiply_adds_and_seconds(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5})
    slow = [(50, 28.0, 20.0), (100, 30.0, 40.0)]
    fast = [(50, 28.5, 5.0), (100, 29.0, 10.0)]
    study.variant("slow", noisy(30, images=5), network={"x": 0}, curve=slow, parameters=4000)
    study.variant("fast", noisy(30, images=5), network={"x": 1}, curve=fast, parameters=1000)
    verdicts = judge(study.write())
    budgets = {budget.kind: budget for budget in verdicts.budgets}
    assert budgets["steps"].amount == 100
    assert budgets["samples"].amount == 100 * PROTOCOL.batch_size
    assert {name: spread.mean for name, spread in budgets["steps"].psnr_y.items()} == {
        "slow": 30.0,
        "fast": 29.0,
    }
    assert budgets["seconds"].amount == 10.0
    assert budgets["seconds"].psnr_y["fast"].mean == 29.0
    assert budgets["seconds"].left_out == {"slow": "its first validation came after that"}
    assert budgets["multiply_adds"].left_out == {"slow": "its first validation came after that"}
    pixels = PROTOCOL.batch_size * (PROTOCOL.lr_patch_size * 2) ** 2
    assert budgets["multiply_adds"].amount == pytest.approx(100 * 3 * 10_000 * pixels / (1280 * 720))


def with_processor_time(study: Path, *, neighbour: str = "", in_logs: bool = True) -> None:
    """Each run of 10 processor seconds; beside `neighbour`'s runs another program took half of the time."""
    for run in study.glob("*-seed*"):
        factor = 2 if neighbour and run.name.startswith(neighbour) else 1
        result = store.load_json(run / store.RESULT)
        store.save_json(run / store.RESULT, result | {"seconds": factor * 10.0, "processor_seconds": 10.0})
        lines = [json.loads(line) for line in (run / store.METRICS).read_text().splitlines()]
        for line in lines:
            if in_logs:
                line["processor_seconds"] = line["seconds"]
            line["seconds"] *= factor
        store.write_text(run / store.METRICS, "\n".join(map(json.dumps, lines)))


@pytest.mark.parametrize("in_logs", [True, False])
def test_a_run_that_a_neighbour_slowed_is_where_it_would_be_alone(tmp_path: Path, in_logs: bool) -> None:
    def judged(neighbour: str) -> Verdicts:
        study = ScoredStudy(tmp_path / f"beside{neighbour}", sets={"one": 5})
        curve = [(50, 28.0, 5.0), (100, 30.0, 10.0)]
        study.variant("slowed", noisy(30, images=5), network={"x": 0}, curve=curve)
        study.variant("other", noisy(30, images=5), network={"x": 1}, curve=curve)
        with_processor_time(study.write(), neighbour=neighbour, in_logs=in_logs)
        return judge(study.path)

    alone, beside = judged(""), judged("slowed")
    assert {curve.seconds[-1] for curve in beside.curves} == {10.0, 20.0}
    assert {curve.is_spread for curve in beside.curves} == {not in_logs}
    assert beside.budgets == alone.budgets
    assert [budget.kind for budget in alone.budgets][-1] == "processor_seconds"
    assert alone.budgets[-1].amount == 10.0
    times = [[one.processor_seconds_to_target for one in verdicts.progress] for verdicts in (alone, beside)]
    assert times == [[10.0, 10.0]] * 2


def test_one_run_without_processor_time_leaves_all_to_the_clock(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5})
    curve = [(50, 28.0, 5.0), (100, 30.0, 10.0)]
    for name in ("new", "old"):
        study.variant(name, noisy(30, images=5), network={"x": name}, curve=curve)
    with_processor_time(study.write())
    old = next(iter(sorted(study.path.glob("old*"))))
    save_run(old, "old", status="finished", seconds=10.0, step=100)
    text = (old / store.METRICS).read_text()
    store.write_text(old / store.METRICS, re.sub(r', "processor_seconds": [\d.]+', "", text))
    verdicts = judge(study.path)
    assert [budget.kind for budget in verdicts.budgets][-1] == "seconds"
    assert [one.processor_seconds_to_target for one in verdicts.progress] == [None, None]
    assert [one.seconds_to_target for one in verdicts.progress] == [10.0, 10.0]


def test_the_way_to_the_bases_last_score_counts_only_if_every_seed_got_there(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5})
    one = noisy(30, seeds=1, images=5)
    study.variant("base", one, network={"x": 0}, curve=[(50, 28.0, 5.0), (100, 30.0, 10.0)])
    study.variant("base", one, seeds=(1,), curve=[(50, 28.0, 5.0), (100, 32.0, 10.0)])
    study.variant("quick", one, network={"x": 1}, curve=[(50, 30.0, 5.0), (100, 32.0, 10.0)])
    study.variant("quick", one, seeds=(1,), curve=[(50, 31.0, 5.0), (100, 32.0, 10.0)])
    base, quick = judge(study.write()).progress
    assert base.target == 31.0
    assert (base.num_seeds, base.reached, base.steps_to_target) == (2, 1, None)
    assert (quick.reached, quick.steps_to_target, quick.seconds_to_target) == (2, 62.5, 6.25)
    assert quick.area is not None
    assert quick.area.mean == pytest.approx(31.25)


def test_the_image_on_which_variants_disagree_most_comes_first(tmp_path: Path) -> None:
    ours, theirs = noisy(30, images=5, key=1), noisy(30, images=5, key=1)
    ours[:, 3] += 4.0
    first = judge(study_of(tmp_path, theirs=theirs, ours=ours).write()).images[0]
    assert (first.image, first.best, first.worst) == ("i3", "ours", "theirs")
    assert first.disagreement == pytest.approx(4.0)


def test_a_study_of_which_nothing_has_run_is_right_too(tmp_path: Path) -> None:
    study = study_of(tmp_path, a=noisy(30))
    study.runs = []
    study.path = tmp_path / "empty"
    study.plan("a", seed=0)
    verdicts = judge(study.write())
    assert verdicts.tables == ()
    assert verdicts.answer == verdicts.headline == ("There is no answer yet: no variant has test scores.",)
    assert verdicts.missing[0].reason == "no run finished"


def test_the_base_is_the_first_variant_or_the_one_that_is_named(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 5})
    for key, name in enumerate(("srcnn/vanilla", "srcnn/prelu")):
        study.variant(name, noisy(30, images=5, key=key), network={"activation": name})
    folder = study.write()
    assert judge(folder).base == "srcnn/vanilla"
    assert judge(folder, base="prelu").base == "srcnn/prelu"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": "z"}, "no variant 'z'; it has a, b"),
        ({"variants": ["z"]}, "no variant 'z'"),
        ({"variants": []}, "no variant is left"),
        ({"images": {"two": ["i0"]}}, "no test set 'two'; it has one"),
        ({"images": {"one": ["z"]}}, "one has no image 'z'"),
        ({"level": 95}, "at least 0.5 and below 1"),
    ],
)
def test_what_is_not_of_the_study_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    folder = study_of(tmp_path, a=noisy(30, images=5), b=noisy(30, images=5, key=1)).write()
    with pytest.raises(UserError, match=message):
        judge(folder, **options)


def test_all_pairs_are_there_once(tmp_path: Path) -> None:
    verdicts = judge(study_of(tmp_path, **{name: noisy(30, key=k) for k, name in enumerate("abcd")}).write())
    found = {frozenset((pair.variant, pair.other)) for pair in table_of(verdicts).pairs}
    assert found == {frozenset(pair) for pair in combinations("abcd", 2)}


def test_the_same_folder_gives_the_same_verdicts(tmp_path: Path) -> None:
    folder = study_of(tmp_path, a=noisy(30), b=noisy(30.1, key=1)).write()
    assert judge(folder) == judge(folder)


def test_a_set_that_tells_more_apart_by_itself_is_named_in_the_answer(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"few": 3, "many": 40})
    for key, (name, gain) in enumerate((("base", 0.0), ("ours", 0.2))):
        few = noisy(30, images=3, sd=1.0, key=key)
        study.variant(name, {"few": few, "many": noisy(30 + gain, images=40, key=key)}, network={"x": key})
    verdicts = judge(study.write())
    assert {rank.best for rank in verdicts.ranks().values()} == {1}
    assert "On many alone the data show more: ours is best." in verdicts.answer
