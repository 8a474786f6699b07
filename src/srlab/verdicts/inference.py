"""Weighted sums of variants, such as a difference of two: estimates, intervals and tests, many at once.

A score crosses a training (a seed of a variant) with an image. The estimate is the mean over the images, each
once; the test set is a fixed effect. Its variance has a part of the trainings (`srlab.verdicts.spreads`) and
one of the images within each set. These have few degrees of freedom each, a Behrens-Fisher problem; the
p-value lies between Satterthwaite's (Biometrics Bulletin 2, 1946), which is too small, and the mean of
Student's for the parts, which is too large. docs/statistics.md has the reasons, and what was simulated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # type: ignore[import-untyped]

from srlab.verdicts.spreads import Array, Spreads, spreads
from srlab.verdicts.values import Interval, Population, Weigh

_HALVINGS = 38
_WIDEST = 1e7  # standard errors: half an interval has no more
_SMALLEST_P = 1e-15
_CAUTION = 2.0  # over the fewest degrees of freedom of a part: the weight of the cautious p-value

EXACT = "a picture was reproduced exactly, and an infinite PSNR has no spread"
ONE_IMAGE = "one test image says nothing about other images"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the variances of means are made of: `variances` and `dfs` [tests, parts]; no part without a df."""

    variances: Array
    dfs: Array

    @cached_property
    def total(self) -> Array:
        """The variance of each mean."""
        return np.asarray(self.variances.sum(axis=1))

    @cached_property
    def _shares(self) -> Array:
        shares: Array = self.variances / np.where(self.total > 0, self.total, 1.0)[:, None]
        return shares

    @cached_property
    def satterthwaite(self) -> Array:
        """One number of degrees of freedom that matches two moments of the variance."""
        return 1 / np.maximum((self._shares**2 / self.dfs).sum(axis=1), 1e-9)

    @cached_property
    def _caution(self) -> Array:
        """How much the parts' own p-values count: the less a part is known, the more."""
        fewest = np.where(self._shares > 0, self.dfs, np.inf).min(axis=1)
        return np.minimum(1.0, _CAUTION / fewest)

    def p_values(self, ratios: Array) -> Array:
        """Two-sided, of means that are `ratios` standard errors from what is tested."""
        below = -np.abs(ratios)
        of_parts = (self._shares * stdtr(self.dfs, below[:, None])).sum(axis=1)
        p = 2 * (self._caution * of_parts + (1 - self._caution) * stdtr(self.satterthwaite, below))
        return np.asarray(np.clip(p, _SMALLEST_P, 1.0))

    def quantiles(self, alpha: float) -> Array:
        """How many standard errors an interval that leaves out `alpha` reaches to each side."""
        low, high = np.zeros(len(self.total)), np.full(len(self.total), np.log(_WIDEST))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            is_short = self.p_values(np.expm1(middle)) > alpha
            low, high = np.where(is_short, middle, low), np.where(is_short, high, middle)
        return np.asarray(np.expm1((low + high) / 2))


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What is known of many weighted sums; arrays are [tests], NaN where there is nothing to say.

    `parts` are of other trainings and other images (of other images alone where `num_seeds` is 1, or a
    variant has one training), `fixed` of other trainings on these very images. `of_sets` [tests, sets] is
    what the images of each set add to the variance. `seeds` are the columns that all variants of the sum
    have.
    """

    estimates: Array
    seeds: tuple[tuple[int, ...], ...]
    over_trainings: NDArray[np.bool_]
    parts: Parts
    fixed: Parts
    of_sets: Array
    reasons: tuple[str, ...]

    def is_tested(self) -> NDArray[np.bool_]:
        """Where there are an interval and a test."""
        return np.isfinite(self.estimates) & np.isfinite(self.parts.total)

    def p_values(self, *, against: float = 0.0) -> Array:
        """Two-sided, of the hypothesis that the sum is `against`."""
        return _p_values(self.estimates - against, self.parts)

    def equal_p_values(self, within: float) -> Array:
        """Of two one-sided tests: that the sum is not between -`within` and `within`."""
        one_sided = []
        for distance in (self.estimates + within, within - self.estimates):
            p = _p_values(distance, self.parts) / 2
            one_sided.append(np.where(distance > 0, p, 1 - p))
        return np.maximum(*one_sided)

    def shares(self) -> Array:
        """Of the variance of each sum, [tests, 1 + sets]: of the trainings, and of the images of each set."""
        variances = np.column_stack([self.parts.variances[:, 0], self.of_sets])
        total = variances.sum(axis=1, keepdims=True)
        return np.asarray(variances / np.where(total > 0, total, 1.0))

    def intervals(self, level: float) -> list[Interval | None]:
        """For other trainings and other images."""
        populations: list[Population] = [
            "trainings and images" if it else "images" for it in self.over_trainings
        ]
        return _intervals(self.estimates, self.parts, populations, level=level)

    def fixed_intervals(self, level: float) -> list[Interval | None]:
        """For other trainings on these very images."""
        return _intervals(self.estimates, self.fixed, ["trainings"] * len(self.estimates), level=level)


def _p_values(distances: Array, parts: Parts) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = np.sqrt(parts.total)
        ratios = np.where(errors > 0, distances / errors, np.inf)
        p = parts.p_values(np.nan_to_num(ratios, nan=0.0))
    p = np.where(errors == 0, np.where(distances == 0, 1.0, 0.0), p)
    return np.where(np.isfinite(distances) & np.isfinite(errors), p, np.nan)


def _intervals(
    estimates: Array, parts: Parts, populations: Sequence[Population], *, level: float
) -> list[Interval | None]:
    errors = np.sqrt(parts.total)
    halves = np.where(errors > 0, parts.quantiles(1 - level) * errors, errors)
    return [
        Interval(
            low=float(estimate - half),
            high=float(estimate + half),
            level=level,
            population=population,
            standard_error=float(error),
        )
        if np.isfinite(estimate) and np.isfinite(error)
        else None
        for estimate, half, error, population in zip(estimates, halves, errors, populations, strict=True)
    ]


@dataclass(frozen=True, kw_only=True)
class Design:
    """All scores under one metric: `scores` [variants, seeds, images], NaN where a run is not there.

    `sets` [images] numbers the test set of each image. `baseline` [images] are scores that no training makes
    differ, such as bicubic's. `weigh` "images" counts each image once, "sets" each set.
    """

    scores: Array
    sets: NDArray[np.int_]
    baseline: Array | None = None
    weigh: Weigh = "images"

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """[variants, seeds]: which runs are there."""
        return np.asarray(~np.isnan(self.scores).any(axis=2))

    @cached_property
    def weights(self) -> Array:
        """How much each image counts; they sum to 1."""
        counts = np.bincount(self.sets)
        if self.weigh == "images":
            return np.full(len(self.sets), 1 / len(self.sets))
        return np.asarray(1 / counts[self.sets] / (counts > 0).sum())

    @cached_property
    def means(self) -> Array:
        """[variants, seeds]: over the images."""
        with np.errstate(invalid="ignore"):
            return np.where(self.there, self.scores @ self.weights, np.nan)

    @cached_property
    def _is_finite(self) -> NDArray[np.bool_]:
        """[variants]: whether no score is infinite."""
        return np.asarray(~np.isinf(self.scores).any(axis=(1, 2)))

    @cached_property
    def spreads(self) -> Spreads:
        """Between trainings, shared over the variants."""
        return spreads(np.where(self._is_finite[:, None], self.means, np.nan))

    def test(self, contrasts: Array, *, of_baseline: Array | None = None) -> Sums:
        """The weighted sums of variants that `contrasts` [tests, variants] has.

        `of_baseline` [tests] is the baseline's weight in each; with it weights sum to zero. A sum uses the
        seeds that all its variants have.
        """
        baseline = np.zeros(len(contrasts)) if of_baseline is None else of_baseline
        is_used = contrasts != 0
        has_infinite = (is_used & ~self._is_finite).any(axis=1)
        if self.baseline is not None and np.isinf(self.baseline).any():
            has_infinite |= baseline != 0
        seeds = (is_used @ ~self.there) == 0  # [tests, seeds]
        found = _Found.empty(seeds, num_sets=int(self.sets.max()) + 1)
        for pattern in np.unique(seeds[~has_infinite], axis=0):
            if pattern.any():
                rows = np.flatnonzero(~has_infinite & (seeds == pattern).all(axis=1))
                self._test_finite(found, rows, pattern, contrasts[rows], baseline[rows])
        for row in np.flatnonzero(has_infinite & seeds.any(axis=1)):
            self._test_infinite(found, int(row), contrasts[row], float(baseline[row]))
        return found.tests()

    def _test_finite(
        self,
        found: "_Found",
        rows: NDArray[np.int_],
        seeds: NDArray[np.bool_],
        contrasts: Array,
        baseline: Array,
    ) -> None:
        is_used = (contrasts != 0).any(axis=0)
        per_image = np.zeros((len(is_used), self.scores.shape[2]))
        per_image[is_used] = self.scores[is_used][:, seeds].mean(axis=1)
        differences = contrasts @ per_image
        if self.baseline is not None:
            differences[baseline != 0] += np.outer(baseline[baseline != 0], self.baseline)
        found.estimates[rows] = differences @ self.weights
        self._add_images(found, rows, differences)
        spread, count = self.spreads, int(seeds.sum())
        is_known = ((contrasts != 0) <= (spread.dfs > 0)).all(axis=1)
        squares = contrasts**2 / count
        of_variants = squares * spread.variances
        shares = np.abs(contrasts) / np.maximum(np.abs(contrasts).sum(axis=1, keepdims=True), 1e-300)
        alike = contrasts.sum(axis=1) ** 2 / count * (shares @ spread.beyond)
        dfs = np.where(spread.dfs > 0, spread.dfs, 1.0)
        calm = (of_variants * ~spread.is_wild).sum(axis=1)
        over_df = (of_variants**2 / dfs * ~spread.is_wild).sum(axis=1)
        over_df = np.maximum(over_df, calm**2 / max(spread.pooled_df, 1.0))
        over_df += (of_variants**2 / dfs * spread.is_wild).sum(axis=1) + alike**2 / max(spread.seeds_df, 1)
        total = of_variants.sum(axis=1) + alike
        found.over_trainings[rows] = is_known
        found.trainings[rows] = np.where(is_known, total, 0.0)
        found.trainings_df[rows] = np.divide(
            total**2, over_df, out=np.full(len(rows), max(spread.pooled_df, 1.0)), where=over_df > 0
        )

    def _add_images(self, found: "_Found", rows: NDArray[np.int_], differences: Array) -> None:
        counts = np.bincount(self.sets)
        squares = np.zeros((len(rows), len(counts)))
        for index in range(len(counts)):
            block = differences[:, self.sets == index]
            squares[:, index] = ((block - block.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        dfs = counts - 1
        if not dfs.sum():
            found.reasons.update(dict.fromkeys(rows.tolist(), ONE_IMAGE))
            return
        pooled = (
            squares.sum(axis=1, keepdims=True) / dfs.sum()
        )  # a set of one image has the spread of the others
        variances = np.where(dfs > 0, squares / np.maximum(dfs, 1), pooled)
        variances *= np.bincount(self.sets, self.weights) ** 2 / counts
        total = variances.sum(axis=1)
        over_df = (variances**2 / np.where(dfs > 0, dfs, dfs.sum())).sum(axis=1)
        found.of_sets[rows] = variances
        found.images[rows] = total
        found.images_df[rows] = np.divide(
            total**2, over_df, out=np.full(len(rows), float(dfs.sum())), where=over_df > 0
        )

    def _test_infinite(self, found: "_Found", row: int, contrast: Array, baseline: float) -> None:
        """Where all variants of a sum have an infinite score, they differ by nothing there."""
        is_used, seeds = contrast != 0, found.seeds[row]
        scores = self.scores[is_used]
        others = (
            []
            if not baseline or self.baseline is None
            else [np.broadcast_to(self.baseline, scores.shape[1:])]
        )
        is_equal = np.isinf([*scores[:, seeds], *(other[seeds] for other in others)]).all(axis=0)
        cells = np.zeros(scores.shape[1:], bool)
        cells[seeds] = is_equal
        scores = np.where(cells, 0.0, scores)
        over_seeds = None
        if others and self.baseline is not None:
            over_seeds = np.where(cells.any(axis=0), 0.0, self.baseline)
        if np.isinf(scores[:, seeds]).any() or (over_seeds is not None and np.isinf(over_seeds).any()):
            with np.errstate(invalid="ignore"):
                each = np.tensordot(contrast[is_used], scores[:, seeds], axes=1)
                if over_seeds is not None:
                    each = each + baseline * over_seeds
                means = each.mean(axis=1)
            if np.isinf(means).all() and len(set(means.tolist())) == 1:
                found.estimates[row] = means[0]
            found.reasons[row] = EXACT
            return
        alone = Design(scores=scores, sets=self.sets, baseline=over_seeds, weigh=self.weigh)
        found.put(row, alone.test(contrast[None, is_used], of_baseline=np.array([baseline])))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What `Design.test` fills row by row."""

    seeds: NDArray[np.bool_]
    estimates: Array
    over_trainings: NDArray[np.bool_]
    trainings: Array
    trainings_df: Array
    images: Array
    images_df: Array
    of_sets: Array
    reasons: dict[int, str]

    @classmethod
    def empty(cls, seeds: NDArray[np.bool_], *, num_sets: int) -> "_Found":
        number = len(seeds)
        return cls(
            seeds=seeds,
            estimates=np.full(number, np.nan),
            over_trainings=np.zeros(number, bool),
            trainings=np.zeros(number),
            trainings_df=np.ones(number),
            images=np.full(number, np.nan),
            images_df=np.ones(number),
            of_sets=np.zeros((number, num_sets)),
            reasons={},
        )

    def put(self, row: int, one: Sums) -> None:
        """The only test of `one` as this row."""
        self.estimates[row], self.over_trainings[row] = one.estimates[0], one.over_trainings[0]
        self.trainings[row], self.trainings_df[row] = one.parts.variances[0, 0], one.parts.dfs[0, 0]
        self.images[row], self.images_df[row] = one.parts.variances[0, 1], one.parts.dfs[0, 1]
        self.of_sets[row] = one.of_sets[0]
        if one.reasons[0]:
            self.reasons[row] = one.reasons[0]

    def tests(self) -> Sums:
        return Sums(
            estimates=self.estimates,
            seeds=tuple(tuple(np.flatnonzero(seeds).tolist()) for seeds in self.seeds),
            over_trainings=self.over_trainings,
            parts=Parts(
                variances=np.column_stack([self.trainings, self.images]),
                dfs=np.column_stack([self.trainings_df, self.images_df]),
            ),
            fixed=Parts(
                variances=np.where(self.over_trainings, self.trainings, np.nan)[:, None],
                dfs=self.trainings_df[:, None],
            ),
            of_sets=self.of_sets,
            reasons=tuple(self.reasons.get(row, "") for row in range(len(self.seeds))),
        )


@lru_cache(maxsize=64)
def coverage_if_skewed(num_images: int, *, level: float) -> float:
    """What Student's interval over `num_images` covers where one image in a few makes the difference.

    For exponential scores (skewness 2), simulated; the spread between trainings is none, the worst case.
    """
    generator = np.random.default_rng(num_images)
    num_repeats = max(2_000, 400_000 // num_images)
    scores = generator.exponential(size=(num_repeats, num_images))
    half = -stdtrit(num_images - 1, (1 - level) / 2) / math.sqrt(num_images)
    held = np.abs(scores.mean(axis=1) - 1) <= half * scores.std(axis=1, ddof=1)
    return float(held.mean())
