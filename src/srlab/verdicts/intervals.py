"""Confidence intervals and paired tests for scores that cross trainings with images.

A difference of two variants has a number for each seed and image. It varies between trainings, between images
and, left over, from cell to cell: a crossed random-effects model of two ways without replication (Searle,
Casella and McCulloch, Variance Components, 1992, chapter 4), with one mean for each test set. The mean's
variance is a sum of mean squares with few degrees of freedom each, a Behrens-Fisher problem; the quantile
lies between Satterthwaite's and Cochran's (Biometrics 20, 1964), which err in opposite directions.
docs/statistics.md has the reasons, and what was simulated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit  # type: ignore[import-untyped]

from srlab.verdicts.values import Interval, Population

Block = NDArray[np.float64]  # [seeds, images] of one test set

_NUM_DRAWS = 4_000
_SMALLEST_P = 1e-15


@dataclass(frozen=True, kw_only=True)
class Inference:
    """A mean with what can be said of it; without an interval, `reason` says why."""

    estimate: float | None
    interval: Interval | None
    on_these_images: Interval | None
    p_value: float | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the variance of a mean is made of, each part as a variance of the mean.

    `trainings` with its degrees of freedom (0 and 0 with one seed); `images` and `cells` (what is left over)
    with one for each test set.
    """

    trainings: float
    trainings_df: int
    images: tuple[float, ...]
    images_df: tuple[int, ...]
    cells: tuple[float, ...]

    @property
    def variance(self) -> float:
        """Of the mean, unbiased but for the components below zero, which count as zero."""
        return float(_variance(self.trainings, np.array([self.images]), np.array([self.cells]))[0])

    @property
    def weights(self) -> list[tuple[float, int]]:
        """The shares of the parts that have degrees of freedom, with these; they sum to 1."""
        parts = [(self.trainings, self.trainings_df), *zip(self.images, self.images_df, strict=True)]
        parts = [(variance, df) for variance, df in parts if df]
        total = sum(variance for variance, _ in parts)
        return [(variance / total if total else 1 / len(parts), df) for variance, df in parts]


def infer(blocks: Sequence[Block], *, level: float) -> Inference:
    """The mean over test sets (each counts once) of the mean over seeds and images, with its interval.

    Args:
        blocks: for each test set an array [seeds, images], the same seeds in each, at least one.
        level: of the intervals, in (0, 1).

    One seed leaves an interval over images, for these trained networks; one image in a set leaves none.

    >>> spread = np.array([[0.0, 0.1, 0.2], [0.1, 0.2, 0.3], [0.2, 0.3, 0.4]])
    >>> found = infer([spread], level=0.95)
    >>> round(found.estimate, 3), round(found.interval.low, 3), round(found.interval.high, 3)
    (0.2, -0.089, 0.489)
    """
    per_seed = np.mean([_row_means(block) for block in blocks], axis=0)
    if not np.isfinite(per_seed).all():
        return _not_finite(per_seed)
    estimate = float(per_seed.mean())
    num_seeds = len(per_seed)
    trainings = _over_trainings(per_seed, level=level) if num_seeds > 1 else None
    if any(block.shape[1] < 2 for block in blocks):
        return Inference(
            estimate=estimate,
            interval=None,
            on_these_images=trainings,
            p_value=None,
            reason="one test image says nothing about other images",
        )
    parts = mean_squares(blocks)
    population: Population = "trainings and images" if num_seeds > 1 else "images"
    return Inference(
        estimate=estimate,
        interval=_interval(estimate, parts, level=level, population=population),
        on_these_images=trainings,
        p_value=p_value(estimate, parts),
    )


def _row_means(block: Block) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # inf - inf: what cannot be said is looked for afterwards
        return np.asarray(block.mean(axis=1))


def _not_finite(per_seed: NDArray[np.float64]) -> Inference:
    same = per_seed[0] if np.isinf(per_seed).all() and len(set(per_seed.tolist())) == 1 else None
    return Inference(
        estimate=None if same is None else float(same),
        interval=None,
        on_these_images=None,
        p_value=None,
        reason="a picture was reproduced exactly, and an infinite PSNR has no spread",
    )


def mean_squares(blocks: Sequence[Block]) -> Parts:
    """The parts of the mean's variance, of finite `blocks` with at least two images each.

    The part of the trainings is of the seeds' means over all sets, since one training is scored on all of
    them; those of images and cells are of each set by itself.
    """
    num_sets = len(blocks)
    num_seeds = blocks[0].shape[0]
    images, cells = [], []
    for block in blocks:
        num_images = block.shape[1]
        of_image = block.mean(axis=0)
        images.append(float(of_image.var(ddof=1)) / num_images / num_sets**2)
        left = block - block.mean(axis=1, keepdims=True) - of_image + block.mean()
        df = (num_seeds - 1) * (num_images - 1)
        cells.append(float((left**2).sum()) / df / (num_seeds * num_images) / num_sets**2 if df else 0.0)
    per_seed = np.mean([block.mean(axis=1) for block in blocks], axis=0)
    return Parts(
        trainings=float(np.var(per_seed, ddof=1)) / num_seeds if num_seeds > 1 else 0.0,
        trainings_df=num_seeds - 1,
        images=tuple(images),
        images_df=tuple(block.shape[1] - 1 for block in blocks),
        cells=tuple(cells),
    )


def _variance(
    trainings: NDArray[np.float64] | float, images: NDArray[np.float64], cells: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of the mean; `images` and `cells` are [..., sets]. E[trainings + images - cells] is what is sought."""
    beyond_cells = np.maximum(images - cells, 0).sum(axis=-1)
    return np.asarray(np.maximum(trainings + beyond_cells, images.sum(axis=-1)))


def quantile(weights: Sequence[tuple[float, int]], tail: float) -> float:
    """Upper quantile at probability `tail` of mean / standard error, for a variance of weighted parts.

    Of Student's quantiles of the parts: weighted by the parts (Cochran's), or of one number of degrees of
    freedom that matches two moments of the variance (Satterthwaite's, Biometrics Bulletin 2, 1946), mixed as
    `caution` says. One part alone is Student's.

    >>> round(quantile([(1.0, 2)], 0.025), 3), round(quantile([(0.5, 2), (0.5, 18)], 0.025), 3)
    (4.303, 2.777)
    """
    cautious = caution(2 * tail, smallest_df=min(df for _, df in weights))
    cochran = -sum(weight * stdtrit(df, tail) for weight, df in weights)
    satterthwaite = -stdtrit(1 / sum(weight**2 / df for weight, df in weights), tail)
    return float(cautious * cochran + (1 - cautious) * satterthwaite)


def _quantiles(shares: NDArray[np.float64], dfs: NDArray[np.float64], tail: float) -> NDArray[np.float64]:
    """The same for many: `shares` are [..., parts] and sum to 1, `dfs` [parts]."""
    cochran = -(shares * stdtrit(dfs, tail)).sum(axis=-1)
    one_over_df, student = _student(tail)
    satterthwaite = np.interp((shares**2 / dfs).sum(axis=-1), one_over_df, student)
    cautious = caution(2 * tail, smallest_df=int(dfs.min()))
    return np.asarray(cautious * cochran + (1 - cautious) * satterthwaite)


@lru_cache(maxsize=64)
def _student(tail: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Student's upper quantiles for 1 / df from 0 to 1, so close together that a line between two will do."""
    one_over_df = np.linspace(0, 1, 4097)
    return one_over_df, -stdtrit(1 / np.maximum(one_over_df, 1e-9), tail)


def caution(alpha: float, *, smallest_df: int) -> float:
    """How much of Cochran's quantile, which errs by too few alarms, is in the mixture at error rate `alpha`.

    At 5 % half: there the two err by about as much in opposite directions. From 1 % on all of it: there
    Satterthwaite's raises several times too many alarms, and that is where Holm's correction looks. With two
    seeds all of it, too. From 5 % down to 1 % it rises with log(0.05 / alpha), without a jump, so
    that p-values and intervals agree.
    """
    if smallest_df < 2:
        return 1.0
    return min(1.0, max(0.5, 0.5 + 0.5 * math.log(0.05 / alpha) / math.log(5)))


def p_value(estimate: float, parts: Parts) -> float:
    """Two-sided: the level at which the interval would just touch zero, and at least 1e-15."""
    error = math.sqrt(parts.variance)
    if error == 0:
        return 1.0 if estimate == 0 else 0.0
    weights, ratio = parts.weights, abs(estimate) / error
    low, high = math.log(_SMALLEST_P), 0.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if quantile(weights, math.exp(middle) / 2) > ratio else (low, middle)
    return math.exp(high)


def _interval(estimate: float, parts: Parts, *, level: float, population: Population) -> Interval:
    error = math.sqrt(parts.variance)
    half = quantile(parts.weights, (1 - level) / 2) * error if error else 0.0
    return Interval(
        low=estimate - half,
        high=estimate + half,
        level=level,
        population=population,
        standard_error=error,
        coverage=coverage(parts, level=level),
    )


def _over_trainings(per_seed: NDArray[np.float64], *, level: float) -> Interval:
    """Student's interval over the seeds' means: these very images, other trainings."""
    error = float(per_seed.std(ddof=1)) / math.sqrt(len(per_seed))
    half = quantile([(1.0, len(per_seed) - 1)], (1 - level) / 2) * error
    mean = float(per_seed.mean())
    return Interval(
        low=mean - half,
        high=mean + half,
        level=level,
        population="trainings",
        standard_error=error,
        coverage=level,
    )


def coverage(parts: Parts, *, level: float) -> float:
    """The share of intervals that hold the true mean, for normal scores whose variances are those in `parts`.

    Mean squares of normal scores are independent multiples of chi-squared, and independent of the mean: so
    they are drawn, and for each the probability is exact. One part alone is Student's case: exactly `level`.
    """
    if not parts.variance or len(parts.weights) == 1:
        return level
    num_seeds = parts.trainings_df + 1
    cells = np.array(parts.cells)
    expected_images = np.maximum(np.array(parts.images), cells)
    expected_trainings = max(parts.trainings, float(cells.sum()))
    dfs = (parts.trainings_df, *parts.images_df, *(df * (num_seeds - 1) for df in parts.images_df))
    draws = _chi_squared(dfs)
    num_sets = len(parts.images)
    trainings = expected_trainings * draws[:, 0]
    images = expected_images * draws[:, 1 : 1 + num_sets]
    variance = _variance(trainings, images, cells * draws[:, 1 + num_sets :])
    observed = np.column_stack([trainings, images])
    has_df = np.array(dfs[: 1 + num_sets]) > 0
    shares = observed[:, has_df] / observed.sum(axis=1, keepdims=True)
    half = _quantiles(shares, np.array(dfs[: 1 + num_sets])[has_df], (1 - level) / 2) * np.sqrt(variance)
    truth = expected_trainings + float((expected_images - cells).sum())
    return float((2 * ndtr(half / math.sqrt(truth)) - 1).mean())


@lru_cache(maxsize=64)
def _chi_squared(dfs: tuple[int, ...]) -> NDArray[np.float64]:
    """Draws of chi-squared / df, [draws, parts]; a part without degrees of freedom is always 0."""
    generator = np.random.default_rng(0)
    draws = [generator.chisquare(df, _NUM_DRAWS) / df if df else np.zeros(_NUM_DRAWS) for df in dfs]
    return np.column_stack(draws)


@lru_cache(maxsize=64)
def coverage_if_skewed(num_images: int, *, level: float) -> float:
    """What Student's interval over `num_images` covers where one image in a few makes the difference.

    For exponential scores (skewness 2), simulated; the spread between trainings is none, the worst case.
    """
    generator = np.random.default_rng(num_images)
    num_repeats = max(2_000, 400_000 // num_images)
    scores = generator.exponential(size=(num_repeats, num_images))
    half = quantile([(1.0, num_images - 1)], (1 - level) / 2) / math.sqrt(num_images)
    held = np.abs(scores.mean(axis=1) - 1) <= half * scores.std(axis=1, ddof=1)
    return float(held.mean())
