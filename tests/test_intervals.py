"""What intervals and tests promise: they hold the truth as often as they say, and raise no more alarms."""

import math
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from srlab.verdicts.family import holm
from srlab.verdicts.intervals import (
    Inference,
    caution,
    coverage,
    coverage_if_skewed,
    infer,
    mean_squares,
    p_value,
    quantile,
)

CLAIMED = [(seeds, images) for seeds in (3, 10) for images in (5, 19, 100)]

# Standard deviations in dB between images, trainings and what is left over. Between images: the differences
# of SRCNN's variants on Set5 and Set14 have 0.15 to 0.62. Between trainings: EDSR's have 0.07.
USUAL = (0.35, 0.08, 0.05)


def draw(
    generator: np.random.Generator, seeds: int, images: int, spread: tuple[float, float, float]
) -> NDArray[np.float64]:
    of_images, of_trainings, of_cells = spread
    return np.asarray(
        of_trainings * generator.standard_normal((seeds, 1))
        + of_images * generator.standard_normal((1, images))
        + of_cells * generator.standard_normal((seeds, images))
    )


def share_held(seeds: int, images: int, spread: tuple[float, float, float], *, repeats: int = 1500) -> float:
    generator = np.random.default_rng((seeds, images))
    held = 0
    for _ in range(repeats):
        block = draw(generator, seeds, images, spread)
        parts = mean_squares([block])
        held += abs(block.mean()) <= quantile(parts.weights, 0.025) * math.sqrt(parts.variance)
    return held / repeats


def sampling_error(share: float, repeats: int = 1500) -> float:
    """Three standard errors."""
    return 3 * math.sqrt(share * (1 - share) / repeats)


@pytest.mark.parametrize(("seeds", "images"), CLAIMED)
@pytest.mark.parametrize(
    "spread",
    [USUAL, (0.15, 0.08, 0.05), (0.35, 0.35, 0.05)],
    ids=["usual", "alike images", "unlike trainings"],
)
def test_intervals_hold_the_truth_as_often_as_they_say(
    seeds: int, images: int, spread: tuple[float, float, float]
) -> None:
    share = share_held(seeds, images, spread)
    assert 0.93 - sampling_error(0.93) <= share <= 0.97 + sampling_error(0.97)


@pytest.mark.parametrize(
    "spread", [(0.35, 0.0, 0.0), (0.0, 0.35, 0.0)], ids=["images only", "trainings only"]
)
@pytest.mark.parametrize(("seeds", "images"), [(3, 5), (3, 100), (10, 19)])
def test_where_one_kind_of_spread_is_absent_they_hold_it_too(
    seeds: int, images: int, spread: tuple[float, float, float]
) -> None:
    assert abs(share_held(seeds, images, spread) - 0.95) <= 0.02


def test_without_either_spread_they_err_on_the_safe_side() -> None:
    assert share_held(3, 19, (0.0, 0.0, 0.35)) > 0.97


@pytest.mark.parametrize(("seeds", "images"), CLAIMED)
def test_the_coverage_that_an_interval_names_is_the_coverage_it_has(seeds: int, images: int) -> None:
    """For all proportions of the spreads the six designs keep between 93 and 97 % (97.1 at 3 x 5)."""
    for of_trainings in (0.02, 0.08, 0.35, 2.0):
        of_images, of_cells = 0.35, 0.05
        parts = mean_squares([np.eye(seeds, images)])  # the degrees of freedom are those of the design
        cells = of_cells**2 / seeds / images
        named = coverage(
            type(parts)(
                trainings=of_trainings**2 / seeds + cells,
                trainings_df=seeds - 1,
                images=(of_images**2 / images + cells,),
                images_df=(images - 1,),
                cells=(cells,),
            ),
            level=0.95,
        )
        assert 0.93 <= named <= 0.973
        if of_trainings == 0.08:
            share = share_held(seeds, images, USUAL)
            assert abs(named - share) <= sampling_error(named)


def test_a_percentile_bootstrap_would_not_do() -> None:
    """The reason for all this: of 95 % it keeps less than 91 with three seeds and five images."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        block = draw(generator, 3, 5, USUAL)
        rows, columns = generator.integers(3, size=(200, 3, 1)), generator.integers(5, size=(200, 1, 5))
        low, high = np.quantile(block[rows, columns].mean(axis=(1, 2)), [0.025, 0.975])
        held += low <= 0 <= high
    assert held / 400 < 0.91


def test_equal_variants_raise_no_more_alarms_than_the_level_says() -> None:
    """Seven variants that differ by chance alone: any of 21 pairs told apart, in at most 5 % of studies."""
    for seeds, images in ((3, 19), (10, 5)):
        generator = np.random.default_rng(seeds)
        alarms = 0
        for _ in range(120):
            scores = [draw(generator, seeds, images, USUAL) for _ in range(7)]
            found = [p_of(scores[a] - scores[b]) for a, b in combinations(range(7), 2)]
            alarms += min(p for p in holm(found) if p is not None) <= 0.05
        assert alarms / 120 <= 0.05 + sampling_error(0.05, 120)


def test_far_out_tests_are_not_too_eager_either() -> None:
    """Holm looks at p-values of a thousandth, where Satterthwaite's would come ten times too often."""
    generator = np.random.default_rng(1)
    repeats = 4000
    found = [p_of(draw(generator, 3, 19, (0.35, 0.2, 0.05))) for _ in range(repeats)]
    assert np.mean(np.array(found) <= 0.001) <= 0.003


def p_of(block: NDArray[np.float64]) -> float:
    return p_value(float(block.mean()), mean_squares([block]))


def test_the_estimate_of_the_variance_is_unbiased() -> None:
    generator = np.random.default_rng(2)
    blocks = [draw(generator, 4, 8, (0.3, 0.4, 0.1)) for _ in range(4000)]
    expected = 0.3**2 / 8 + 0.4**2 / 4 + 0.1**2 / 32
    assert np.mean([mean_squares([block]).variance for block in blocks]) == pytest.approx(expected, rel=0.05)


def test_one_seed_is_students_interval_over_the_images_and_says_so() -> None:
    block = np.random.default_rng(3).normal(0.2, 0.3, (1, 14))
    found = infer([block], level=0.95)
    assert found.interval is not None
    expected = stats.t.interval(0.95, 13, loc=block.mean(), scale=stats.sem(block[0]))
    assert (found.interval.low, found.interval.high) == pytest.approx(expected)
    assert found.p_value == pytest.approx(stats.ttest_1samp(block[0], 0).pvalue)
    assert found.interval.population == "images"
    assert found.interval.coverage == 0.95
    assert found.on_these_images is None


def test_several_seeds_generalise_over_both_and_beside_it_over_trainings_alone() -> None:
    block = np.random.default_rng(4).normal(0.2, 0.3, (3, 14))
    found = infer([block], level=0.95)
    assert found.interval is not None
    assert found.on_these_images is not None
    assert found.interval.population == "trainings and images"
    expected = stats.t.interval(0.95, 2, loc=block.mean(), scale=stats.sem(block.mean(axis=1)))
    assert (found.on_these_images.low, found.on_these_images.high) == pytest.approx(expected)
    assert found.on_these_images.population == "trainings"


def test_one_image_has_no_interval_but_that_over_trainings() -> None:
    found = infer([np.array([[0.1], [0.2], [0.4]])], level=0.95)
    assert (found.interval, found.p_value) == (None, None)
    assert "one test image" in found.reason
    assert found.on_these_images is not None


def test_each_set_counts_once_whatever_its_size() -> None:
    small, large = np.full((2, 5), 1.0), np.full((2, 100), 3.0)
    assert infer([small, large], level=0.95).estimate == 2.0


def test_one_training_is_scored_on_all_sets_so_its_luck_counts_once() -> None:
    """Seeds shift both sets together: the mean over sets varies as much as one set, not less."""
    luck = np.array([[-0.3], [0.0], [0.3]])
    flat = luck + np.zeros((3, 6))
    both, alone = infer([flat, flat], level=0.95).interval, infer([flat], level=0.95).interval
    assert both is not None
    assert alone is not None
    assert both.standard_error == pytest.approx(alone.standard_error)


def test_intervals_and_tests_agree() -> None:
    generator = np.random.default_rng(5)
    for _ in range(300):
        block = draw(generator, 3, 9, USUAL) + 0.2
        found = infer([block], level=0.95)
        assert found.interval is not None
        assert found.p_value is not None
        assert (found.p_value <= 0.05) == (found.interval.low > 0 or found.interval.high < 0)


def test_caution_grows_as_the_level_falls_so_p_values_have_one_order() -> None:
    weights = [(0.3, 2), (0.7, 18)]
    quantiles = [quantile(weights, alpha / 2) for alpha in (0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.001)]
    assert quantiles == sorted(quantiles)
    assert [caution(alpha, smallest_df=2) for alpha in (0.5, 0.05, 0.01, 0.001)] == [0.5, 0.5, 1.0, 1.0]
    assert caution(0.05, smallest_df=1) == 1.0


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_scores_without_any_spread_are_judged_as_they_are(value: float) -> None:
    found = infer([np.full((3, 5), value)], level=0.95)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (value, value)
    assert found.p_value == (1.0 if value == 0 else 0.0)


@pytest.mark.parametrize(
    ("block", "estimate"),
    [
        (np.array([[math.inf, 1.0], [math.inf, 2.0]]), math.inf),
        (np.array([[math.inf, -math.inf]]), None),
        (np.array([[math.inf, 1.0], [0.0, 2.0]]), None),
    ],
)
def test_an_infinite_psnr_gives_no_interval_and_no_nan(
    block: NDArray[np.float64], estimate: float | None
) -> None:
    found = infer([block], level=0.95)
    assert found == Inference(
        estimate=estimate, interval=None, on_these_images=None, p_value=None, reason=found.reason
    )
    assert "infinite" in found.reason


def test_few_images_of_which_one_decides_are_covered_less_and_it_is_known_how_much() -> None:
    held = [coverage_if_skewed(images, level=0.95) for images in (5, 14, 100)]
    assert held == pytest.approx([0.88, 0.91, 0.94], abs=0.012)


def test_holm_is_holms() -> None:
    assert holm([0.01, 0.04, 0.03, None, 0.005]) == pytest.approx([0.03, 0.06, 0.06, None, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
