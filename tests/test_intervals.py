"""What intervals and tests promise: they hold the truth as often as they say, and raise no more alarms."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from srlab.errors import UserError
from srlab.verdicts import Interval, infer
from srlab.verdicts.family import holm
from srlab.verdicts.inference import Design, Parts, Sums, coverage_if_skewed
from srlab.verdicts.spreads import spreads

Array = NDArray[np.float64]

# Standard deviations in dB between images, trainings and what is left over. Between images: the differences
# of SRCNN's variants on Set5 and Set14 have 0.15 to 0.62. Between trainings: EDSR's have 0.07.
USUAL = (0.35, 0.08, 0.05)


def draw(
    generator: np.random.Generator,
    seeds: int,
    images: int,
    spread: tuple[float, float, float],
    trainings: Sequence[float] = (1.0, 1.0),
) -> Array:
    """Scores [variants, seeds, images] whose differences have these spreads; `trainings` are factors."""
    of_images, of_trainings, of_cells = (sd / math.sqrt(2) for sd in spread)
    num = len(trainings)
    return np.asarray(
        of_trainings * np.array(trainings)[:, None, None] * generator.standard_normal((num, seeds, 1))
        + of_images * generator.standard_normal((num, 1, images))
        + of_cells * generator.standard_normal((num, seeds, images))
    )


def all_pairs(num: int) -> Array:
    pairs = list(combinations(range(num), 2))
    contrasts = np.zeros((len(pairs), num))
    for row, (one, two) in enumerate(pairs):
        contrasts[row, one], contrasts[row, two] = 1.0, -1.0
    return contrasts


def judged(scores: Array, *, sets: Sequence[int] | None = None, baseline: Array | None = None) -> Sums:
    """All pairs; with a baseline, each variant less it."""
    where = np.zeros(scores.shape[2], int) if sets is None else np.array(sets)
    design = Design(scores=scores, sets=where, baseline=baseline)
    if baseline is None:
        return design.test(all_pairs(len(scores)))
    return design.test(np.eye(len(scores)), of_baseline=-np.ones(len(scores)))


def p_of(scores: Array) -> float:
    return float(judged(scores).p_values()[0])


def only(intervals: list[Interval | None]) -> Interval:
    (found,) = intervals
    assert found is not None
    return found


def sampling_error(share: float, repeats: int) -> float:
    """Three standard errors."""
    return 3 * math.sqrt(share * (1 - share) / repeats)


@pytest.mark.parametrize(("seeds", "images"), [(3, 5), (3, 19), (3, 100), (10, 19)])
@pytest.mark.parametrize("spread", [USUAL, (0.35, 0.35, 0.05)], ids=["usual", "unlike trainings"])
def test_intervals_hold_the_truth_as_often_as_they_say(
    seeds: int, images: int, spread: tuple[float, float, float]
) -> None:
    generator, repeats = np.random.default_rng((seeds, images)), 700
    share = sum(p_of(draw(generator, seeds, images, spread)) > 0.05 for _ in range(repeats)) / repeats
    assert 0.93 - sampling_error(0.93, repeats) <= share <= 0.97 + sampling_error(0.97, repeats)


@pytest.mark.parametrize(
    ("seeds", "images", "trainings"),
    [
        (3, 19, (1.0,) * 7),
        (3, 19, (1.0,) * 6 + (12.0,)),
        (3, 100, (0.5, 0.7, 0.7, 1.0, 1.4, 1.4, 2.0)),
        (5, 100, (1.0,) * 7),
    ],
    ids=["alike", "one wild", "unequal", "five seeds"],
)
def test_equal_variants_raise_no_more_alarms_than_the_level_says(
    seeds: int, images: int, trainings: tuple[float, ...]
) -> None:
    """Seven variants that differ by chance alone: any of 21 pairs told apart, in at most 5 % of studies."""
    generator, repeats = np.random.default_rng(seeds), 200
    alarms = sum(
        min(judged(draw(generator, seeds, images, USUAL, trainings)).p_values()) * 21 <= 0.05
        for _ in range(repeats)
    )
    assert alarms / repeats <= 0.05 + sampling_error(0.05, repeats)


def test_what_seven_variants_share_finds_what_each_pair_by_itself_does_not() -> None:
    """A third of a decibel, three seeds, 100 images: among 21 pairs, told apart more often than not."""
    generator, found = np.random.default_rng(1), 0
    for _ in range(60):
        scores = draw(generator, 3, 100, (0.2, 0.1, 0.05), (1.0,) * 7)
        scores[0] += 0.33
        found += sum(judged(scores).p_values()[:6] * 21 <= 0.05)
    assert found / 360 > 0.6


def test_a_spread_is_drawn_up_to_what_the_variants_share_and_a_wild_one_keeps_its_own() -> None:
    generator = np.random.default_rng(3)
    means = 0.05 * generator.standard_normal((8, 4)) + 0.0
    means[0] *= 0.01  # by luck alone its trainings look alike
    means[7] = 3.0 * generator.standard_normal(4)
    found = spreads(means)
    assert found.is_wild.tolist() == [False] * 7 + [True]
    assert found.variances[7] == pytest.approx(means[7].var(ddof=1), rel=0.05)
    assert found.variances[0] > 0.2 * 0.05**2
    assert (found.dfs[:7] > 3.5).all()  # more than three, which is what four seeds give by themselves
    assert found.dfs[7] <= 3
    assert found.pooled_df == pytest.approx(
        18, abs=0.3
    )  # seven variants of four seeds, less the seeds' means


def test_what_a_seed_brings_all_variants_alike_does_not_count_between_them_but_against_bicubic() -> None:
    generator = np.random.default_rng(4)
    scores = draw(generator, 5, 30, USUAL, (1.0,) * 4)
    luck = scores + np.array([-2.0, 1.0, 0.0, 1.5, -0.5])[:, None]
    assert judged(luck).p_values() == pytest.approx(judged(scores).p_values(), abs=0.02)
    bicubic = np.zeros(30)
    before, after = (only_first(judged(one, baseline=bicubic)) for one in (scores, luck))
    assert after > 3 * before


def only_first(tests: Sums) -> float:
    return float(np.sqrt(tests.parts.total[0]))


def test_two_variants_are_the_paired_analysis() -> None:
    scores = draw(np.random.default_rng(4), 3, 14, USUAL)
    difference = scores[0] - scores[1]
    found = only(judged(scores).fixed_intervals(0.95))
    expected = stats.t.interval(0.95, 2, loc=difference.mean(), scale=stats.sem(difference.mean(axis=1)))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.population == "trainings"
    assert only(judged(scores).intervals(0.95)).population == "trainings and images"


def test_one_seed_is_students_interval_over_the_images_and_says_so() -> None:
    scores = draw(np.random.default_rng(3), 1, 14, USUAL)
    difference = scores[0, 0] - scores[1, 0]
    tests = judged(scores)
    found = only(tests.intervals(0.95))
    expected = stats.t.interval(0.95, 13, loc=difference.mean(), scale=stats.sem(difference))
    assert (found.low, found.high) == pytest.approx(expected)
    assert tests.p_values()[0] == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)
    assert (found.population, tests.fixed_intervals(0.95)) == ("images", [None])


def test_test_sets_are_fixed_so_what_lies_between_them_is_no_spread() -> None:
    scores = draw(np.random.default_rng(5), 3, 20, (0.05, 0.02, 0.01))
    scores[0, :, :8] += 3.0  # all images of the first set alike
    apart = only(judged(scores, sets=[0] * 8 + [1] * 12).intervals(0.95))
    pooled = only(judged(scores).intervals(0.95))
    assert apart.standard_error < pooled.standard_error / 10
    assert (apart.low + apart.high) / 2 == pytest.approx(8 * 3 / 20, abs=0.1)


def test_a_set_of_one_image_has_the_spread_of_the_others_and_alone_it_has_none() -> None:
    scores = draw(np.random.default_rng(6), 3, 9, USUAL)
    assert only(judged(scores, sets=[0] + [1] * 8).intervals(0.95)).standard_error > 0
    alone = judged(scores[:, :, :1])
    assert alone.intervals(0.95) == [None]
    assert "one test image" in alone.reasons[0]
    assert alone.fixed_intervals(0.95) != [None]


def test_intervals_and_tests_agree_at_every_level() -> None:
    generator = np.random.default_rng(5)
    for _ in range(60):
        tests = judged(
            draw(generator, 3, 9, USUAL, (1.0, 1.0, 3.0)) + np.array([0.4, 0.0, 0.2])[:, None, None]
        )
        for level in (0.9, 0.95, 0.999):
            for p, interval in zip(tests.p_values(), tests.intervals(level), strict=True):
                assert interval is not None
                assert (p <= 1 - level) == (interval.low > 0 or interval.high < 0)


def test_equality_is_two_one_sided_tests() -> None:
    tests = judged(draw(np.random.default_rng(6), 5, 40, (0.05, 0.02, 0.01)))
    interval = only(tests.intervals(0.9))  # both ends within the band, each at 5 %
    widest = max(abs(interval.low), abs(interval.high))
    assert tests.equal_p_values(widest * 1.001)[0] < 0.05 < tests.equal_p_values(widest * 0.999)[0]
    assert tests.equal_p_values(1e-6)[0] > 0.5


def test_far_out_p_values_are_not_too_eager() -> None:
    """Holm looks at p-values of a thousandth, where Satterthwaite's alone would come ten times too often."""
    parts = Parts(variances=np.array([[0.3, 0.7]]), dfs=np.array([[2.0, 18.0]]))
    alone = 2 * stats.t.sf(8.0, parts.satterthwaite[0])
    assert parts.p_values(np.array([8.0]))[0] > 20 * alone
    quantiles = [float(parts.quantiles(alpha)[0]) for alpha in (0.2, 0.1, 0.05, 0.01, 0.001)]
    assert quantiles == sorted(quantiles)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_scores_without_any_spread_are_judged_as_they_are(value: float) -> None:
    scores = np.zeros((2, 3, 5))
    scores[0] += value
    tests = judged(scores)
    found = only(tests.intervals(0.95))
    assert (found.low, found.high) == pytest.approx((value, value))
    assert tests.p_values()[0] == pytest.approx(1.0 if value == 0 else 0.0, abs=1e-12)


def test_an_infinite_psnr_gives_no_interval_and_no_nan_and_where_all_have_it_no_difference() -> None:
    scores = np.stack([np.full((2, 4), 30.0), np.full((2, 4), 31.0), np.full((2, 4), 32.0)])
    scores[0, :, 0] = math.inf
    found = infer(dict(zip("abc", scores, strict=True)))
    by_pair = {frozenset((pair.variant, pair.other)): pair for pair in found.pairs}
    assert by_pair[frozenset("bc")].estimate == pytest.approx(1.0)
    one = by_pair[frozenset("ab")]
    assert (one.estimate, one.interval, one.p, one.outcome) == (math.inf, None, None, "undecided")
    assert "infinite" in one.reason
    scores[1, :, 0] = math.inf
    both = infer({"a": scores[1], "b": scores[0]})
    assert both.pairs[0].estimate == pytest.approx(0.75)


def test_few_images_of_which_one_decides_are_covered_less_and_it_is_known_how_much() -> None:
    held = [coverage_if_skewed(images, level=0.95) for images in (5, 14, 100)]
    assert held == pytest.approx([0.88, 0.91, 0.94], abs=0.012)


def test_holm_is_holms() -> None:
    assert holm([0.01, 0.04, 0.03, None, 0.005]) == pytest.approx([0.03, 0.06, 0.06, None, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_of_all_pairs_no_more_are_corrected_for_than_can_be_equal_at_once() -> None:
    """Of four means that are not all equal, at most three pairs are equal."""
    p_values = [0.01, 0.012, 0.015, 0.02, 0.3, 0.9]
    assert holm(p_values, all_pairs_of=4) == pytest.approx([0.06, 0.06, 0.06, 0.06, 0.6, 0.9])
    assert holm(p_values) == pytest.approx([0.06, 0.06, 0.06, 0.06, 0.6, 0.9])
    assert holm([0.008, 0.012, 0.015, 0.02, 0.3, 0.9], all_pairs_of=4)[:4] == pytest.approx(
        [0.048, 0.048, 0.048, 0.06]
    )
    assert holm([0.008, 0.016, 0.4, None, None, None], all_pairs_of=4)[1] == pytest.approx(0.032)


def four(generator: np.random.Generator) -> dict[str, Array]:
    """`best` is 0.5 dB above `even` and `other`, which are equal, and `low` 0.3 below."""
    scores = draw(generator, 3, 60, (0.08, 0.03, 0.02), (1.0,) * 4)
    scores += generator.normal(30, 3, 60)
    gains = {"best": 0.5, "even": 0.0, "other": 0.0, "low": -0.3}
    return {name: scores[row] + gain for row, (name, gain) in enumerate(gains.items())}


def test_the_door_takes_plain_arrays_and_gives_four_outcomes_and_ranks() -> None:
    found = infer(four(np.random.default_rng(7)), primary=("low", "other"), base="even")
    outcomes = {(pair.variant, pair.other): pair.outcome for pair in found.pairs}
    assert len(outcomes) == 6
    assert {outcome for pair, outcome in outcomes.items() if "best" in pair or "low" in pair} == {"better"}
    assert {outcome for pair, outcome in outcomes.items() if set(pair) == {"even", "other"}} == {"equal"}
    assert [
        (rank.best, rank.worst) for rank in map(found.ranks.get, ("best", "even", "other", "low")) if rank
    ] == [
        (1, 1),
        (2, 3),
        (2, 3),
        (4, 4),
    ]
    assert found.ranks["even"].equal_to == ("other",)
    assert found.primary is not None
    assert (found.primary.outcome, found.primary.p_holm == found.primary.p) == ("worse", True)
    assert set(found.to_base) == {"best", "other", "low"}
    undecided = infer(four(np.random.default_rng(7)), equal_within=None)
    assert {pair.outcome for pair in undecided.pairs} == {"better", "undecided"}


def test_the_door_takes_ragged_seeds_and_leaves_out_what_lacks_a_score() -> None:
    scores = four(np.random.default_rng(8))
    by_seed = {name: dict(enumerate(rows)) for name, rows in scores.items()}
    by_seed["even"][2][4] = np.nan
    del by_seed["low"][0]
    found = infer(by_seed)
    assert found.left_out == (("even", 2),)
    pairs = {frozenset((pair.variant, pair.other)): pair for pair in found.pairs}
    assert pairs[frozenset(("even", "low"))].seeds == (1,)
    assert pairs[frozenset(("even", "low"))].interval is not None
    assert pairs[frozenset(("best", "other"))].seeds == (0, 1, 2)


def test_an_interval_says_what_makes_it_wide() -> None:
    scores = np.tile([0.1, 0.7, 0.3, 0.4, 0.3, 0.4], (3, 1))  # trainings agree, two images do not
    other = np.zeros((3, 6))
    by_set = infer({"a": scores, "b": other}, test_sets=["few"] * 2 + ["many"] * 4).pairs[0]
    of_few = 2 * np.var([0.1, 0.7], ddof=1)  # of the sum of two images, then of four
    of_many = 4 * np.var([0.3, 0.4, 0.3, 0.4], ddof=1)
    assert by_set.interval is not None
    assert [name for name, _ in by_set.interval.variance_shares] == ["images of few", "images of many"]
    assert by_set.interval.variance_shares[0][1] == pytest.approx(of_few / (of_few + of_many))

    unlike = scores + np.array([[-1.0], [0.0], [1.0]])  # trainings disagree
    found = infer({"a": unlike, "b": other}).pairs[0].interval
    assert found is not None
    of_trainings, of_images = 1 / 3, np.var(scores[0], ddof=1) / 6
    assert [name for name, _ in found.variance_shares] == ["trainings", "images"]
    assert found.variance_shares[0][1] == pytest.approx(of_trainings / (of_trainings + of_images))


def test_with_bicubic_a_difference_is_told_in_per_cent_of_the_gain() -> None:
    """An effect in proportion to each image's gain: the interval of the ratio is narrower."""
    generator = np.random.default_rng(9)
    bicubic, gains = generator.normal(30, 3, 40), generator.uniform(0.2, 4.0, 40)
    noise = draw(generator, 3, 40, (0.02, 0.02, 0.01))
    found = infer(
        {"base": bicubic + gains + noise[0], "leaky": bicubic + 0.86 * gains + noise[1]}, bicubic=bicubic
    )
    test = found.to_base["leaky"]
    assert test.percent is not None
    assert test.estimate is not None
    assert test.interval is not None
    assert test.percent.low < -14 < test.percent.high
    of_decibels = (test.interval.high - test.interval.low) / abs(test.estimate)
    assert (test.percent.high - test.percent.low) / abs(test.percent.estimate) < of_decibels / 1.5
    assert found.to_bicubic["leaky"].outcome == "better"
    assert found.to_bicubic["leaky"].percent is None


def test_one_seed_ranks_nothing_and_decides_nothing_between_variants() -> None:
    found = infer({name: rows[:1] for name, rows in four(np.random.default_rng(10)).items()})
    assert found.ranks == {}
    assert {pair.outcome for pair in found.pairs} == {"undecided"}
    assert all("one training" in pair.reason and pair.interval for pair in found.pairs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scores": {}}, "no scores"),
        ({"scores": {"a": np.zeros(3)}}, "array \\[seeds, images\\]"),
        ({"scores": {"a": np.zeros((2, 3)), "b": np.zeros((2, 4))}}, "a score of each image"),
        ({"scores": {"a": np.zeros((2, 3))}, "test_sets": ["x"]}, "1 names for 3 images"),
        ({"scores": {"a": np.zeros((2, 3))}, "bicubic": np.zeros(2)}, "a score of each image"),
        ({"scores": {"a": np.zeros((2, 3))}, "base": "z"}, "no variant 'z'; there are a"),
        ({"scores": {"a": np.zeros((2, 3))}, "primary": ("a", "a")}, "two different variants"),
        ({"scores": {"a": np.zeros((2, 3))}, "level": 95}, "at least 0.5"),
        ({"scores": {"a": np.zeros((2, 3))}, "weigh": "pixels"}, "images or sets, not 'pixels'"),
        ({"scores": {"a": np.zeros((2, 3))}, "equal_within": 0.0}, "above 0"),
        ({"scores": {"bicubic": np.zeros((2, 3))}}, "bicubic is no variant"),
    ],
)
def test_the_door_refuses_what_does_not_fit(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        infer(**arguments)  # type: ignore[arg-type]
