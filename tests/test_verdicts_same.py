"""What remarks promise of scores that are equal, and of scores that must not stand beside each other."""

from pathlib import Path

import numpy as np
import pytest

from scored_study import RGB, ScoredStudy, noisy
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.scores import Score, load_scores, save_scores
from srlab.show.leaderboard import leaderboard
from srlab.show.tables.board import board_as_markdown
from srlab.verdicts import BICUBIC, judge

SETS = {"one": 4, "two": 4}
PERCEPTUAL = "lpips_squeeze"


def study(tmp_path: Path) -> ScoredStudy:
    return ScoredStudy(tmp_path, sets=SETS).bicubic({name: noisy(28, seeds=1, images=4) for name in SETS})


def like_bicubic(seeds: int = 2) -> dict[str, np.ndarray]:
    return {name: np.repeat(noisy(28, seeds=1, images=4), seeds, axis=0) for name in SETS}


def equal_ones(folder: Path) -> list[str]:
    return [remark for remark in judge(folder).remarks if "the same" in remark]


def test_a_network_that_adds_nothing_to_bicubic_is_named_here_and_in_the_leaderboard(tmp_path: Path) -> None:
    made = study(tmp_path).variant("a", noisy(30, images=4)).variant("dead", like_bicubic())
    folder = made.write()
    (remark,) = equal_ones(folder)
    assert remark.startswith("dead scores the same as bicubic on every image at each of 2 seeds, so ")
    assert remark in leaderboard(folder).remarks
    assert remark in board_as_markdown(leaderboard(folder))


def test_a_millionth_of_a_decibel_is_no_difference_and_a_thousandth_of_one_image_is(tmp_path: Path) -> None:
    almost = {name: scores + 5e-7 for name, scores in like_bicubic().items()}
    assert equal_ones(study(tmp_path / "almost").variant("dead", almost).write())
    almost["two"][1, 3] += 1e-3
    assert not equal_ones(study(tmp_path / "not").variant("alive", almost).write())


def test_variants_that_score_alike_are_named_together(tmp_path: Path) -> None:
    twins = {name: noisy(30, images=4, key=1) for name in SETS}
    made = study(tmp_path).variant("a", twins).variant("b", noisy(31, images=4)).variant("c", twins)
    (remark,) = equal_ones(made.write())
    assert remark.startswith("a and c score the same on every image at each of 3 seeds, so ")


def test_seeds_that_make_no_difference_are_named_since_trainings_always_differ(tmp_path: Path) -> None:
    fixed = {name: np.repeat(noisy(27, seeds=1, images=4, key=5), 3, axis=0) for name in SETS}
    (remark,) = equal_ones(study(tmp_path).variant("bilinear", fixed).write())
    assert remark.startswith("bilinear scores the same on every image at each of 3 seeds, so ")


def test_of_incomplete_scores_nothing_is_said(tmp_path: Path) -> None:
    half = {"one": like_bicubic()["one"]}
    assert not equal_ones(study(tmp_path).variant("running", half).write())


def with_perceptual(tmp_path: Path, weights: dict[str, dict[str, str]]) -> Path:
    """Variants a, b, c and bicubic, each with a perceptual score of its own weights."""
    made = study(tmp_path)
    for place, name in enumerate("abc"):
        made.variant(name, noisy(30, seeds=1, images=4, key=place))
    folder = made.write()
    for name, of_name in weights.items():
        run = folder / (store.BASELINE if name == BICUBIC else f"{name}-lr0.001-seed0")
        scores = [
            Score(dataset=test_set, image=f"i{index}", metric=PERCEPTUAL, value=0.1)
            for test_set, count in SETS.items()
            for index in range(count)
        ]
        save_scores(run / store.PERCEPTUAL_SCORES, scores, protocol=RGB, scale=2, weights=of_name)
    return folder


def scored(folder: Path) -> set[str]:
    table = judge(folder).table(metric=PERCEPTUAL)
    return {row.variant for row in table.rows if row.mean is not None} if table else set()


def test_perceptual_scores_of_the_same_weights_are_compared_without_a_word(tmp_path: Path) -> None:
    folder = with_perceptual(tmp_path, {name: {"squeezenet": "1"} for name in (BICUBIC, "a", "b", "c")})
    assert scored(folder) == {BICUBIC, "a", "b", "c"}
    assert not any("other weights" in remark for remark in judge(folder).remarks)


def test_perceptual_scores_of_other_weights_never_stand_beside_the_others_and_are_named(
    tmp_path: Path,
) -> None:
    weights = {BICUBIC: {"squeezenet": "1"}, "a": {"squeezenet": "1"}, "b": {"squeezenet": "2"}, "c": {}}
    folder = with_perceptual(tmp_path, weights)
    assert scored(folder) == {BICUBIC, "a"}
    (remark,) = [remark for remark in leaderboard(folder).remarks if "other weights" in remark]
    assert remark.startswith(f"{PERCEPTUAL} of b (seed 0) and c (seed 0) was computed with other weights")
    assert "`srlab perceptual`" in remark
    assert judge(folder).table() is not None  # psnr_y needs no weights, and stays


def test_files_of_one_metric_and_two_weights_are_not_read_as_one(tmp_path: Path) -> None:
    for name in "ab":
        score = Score(dataset="one", image=name, metric=PERCEPTUAL, value=0.1)
        save_scores(tmp_path / name, [score], protocol=RGB, scale=2, weights={"squeezenet": name})
    with pytest.raises(UserError, match="computed with different weights"):
        load_scores(tmp_path / "a", tmp_path / "b")
