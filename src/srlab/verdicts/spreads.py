"""How much trainings of each variant differ, shared over the variants of a study.

Three seeds tell little of one variant's spread, but the study's variants together tell much. So each variance
is drawn towards the study's by empirical Bayes (Smyth, "Linear models and empirical Bayes methods for
assessing differential expression in microarray experiments", 2004). docs/statistics.md has the reasons, and
what was simulated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, fdtrc, polygamma  # type: ignore[import-untyped]

Array = NDArray[np.float64]

_WILD = 0.01  # over the number of variants: how improbable a spread is that the others do not share
_MOST_WILD = 4  # one in so many variants may be wild
_LEAST_DF = 0.1  # with less, a variance is not known
_SMALLEST = (
    0.05  # times the median: what a variance counts for at least, since logarithms of small ones vary most
)


@dataclass(frozen=True, kw_only=True)
class Spreads:
    """Of each variant: `variances` between trainings with their degrees of freedom `dfs` [variants].

    `pooled_df` is what all variants but the wild ones have together: no sum of theirs has more. `is_wild`
    where a variant keeps its own variance. `beyond` is what a variant's variance has above that because a
    seed brings all variants something alike. It cancels in a difference of two variants, and has `seeds_df`.
    """

    variances: Array
    dfs: Array
    pooled_df: float
    is_wild: NDArray[np.bool_]
    beyond: Array
    seeds_df: int


def spreads(means: Array) -> Spreads:
    """Of the means [variants, seeds] of each run's scores; NaN where there is no run.

    What a seed brings all variants alike is taken out first (two-way least squares, weighted by each
    variant's spread). For two variants that is the paired analysis.
    """
    there = ~np.isnan(means)
    counts = there.sum(axis=1)
    centred = means - np.nansum(means, axis=1, keepdims=True) / np.maximum(counts, 1)[:, None]
    alone = np.nansum(centred**2, axis=1) / np.maximum(counts - 1, 1)
    dfs: Array = np.maximum(counts - 1.0, 0.0)
    repeated = counts > 1
    paired = alone
    is_wild = np.zeros(len(dfs), bool)
    if repeated.sum() > 1:
        rough, _, _, is_wild = moderated(alone, dfs, is_wild)
        usual = float(np.median(rough[repeated]))
        is_alike = repeated.sum() < 3 or usual == 0
        weights = np.ones(len(dfs)) if is_alike else usual / np.maximum(rough, usual)
        paired, dfs = _paired(means, there, weights)
    variances, dfs, pooled_df, is_wild = moderated(paired, dfs, is_wild)
    dfs = np.where(repeated, dfs, 0.0)
    shared = repeated & ~is_wild
    common = max(0.0, float((alone - variances)[shared].mean())) if shared.any() else 0.0
    return Spreads(
        variances=variances,
        dfs=dfs,
        pooled_df=pooled_df,
        is_wild=is_wild,
        beyond=np.maximum(common, alone - variances),
        seeds_df=max(int(there.any(axis=0).sum()) - 1, 0),
    )


def _floor(variances: Array) -> float:
    known = variances[variances > 0]
    return _SMALLEST * float(np.median(known)) if len(known) else 1.0


def _paired(means: Array, there: NDArray[np.bool_], weights: Array) -> tuple[Array, Array]:
    """Each variant's variance and degrees of freedom, beside what a seed brings all alike.

    Residuals of variant + seed by weighted least squares; each has its share, 1 - leverage, of its variant's
    variance.
    """
    num_variants, num_seeds = means.shape
    rows, columns = np.nonzero(there)
    design = np.zeros((len(rows), num_variants + num_seeds))
    design[np.arange(len(rows)), rows] = 1.0
    design[np.arange(len(rows)), num_variants + columns] = 1.0
    root = np.sqrt(weights[rows])
    weighted = design * root[:, None]
    inverse = np.linalg.pinv(weighted)
    residuals = means[rows, columns] - design @ (inverse @ (means[rows, columns] * root))
    leverage = np.einsum("ij,ji->i", weighted, inverse)
    dfs = np.bincount(rows, 1 - leverage, num_variants).astype(float)
    dfs[dfs < _LEAST_DF] = 0.0
    squares = np.bincount(rows, residuals**2, num_variants).astype(float)
    return np.divide(squares, dfs, out=np.zeros(num_variants), where=dfs > 0), dfs


def moderated(
    variances: Array, dfs: Array, is_wild: NDArray[np.bool_]
) -> tuple[Array, Array, float, NDArray[np.bool_]]:
    """The variances drawn towards their mean: with `dfs`, the pooled one, and which are wild.

    None is drawn down: a variance above the mean stays, and what it has above counts with its own degrees of
    freedom alone. A wild one is no part of the mean; they are looked for unless some are known. Two variants
    share one variance.
    """
    is_known = dfs > 0
    if not is_known.any():
        return variances.copy(), np.zeros(len(variances)), 0.0, is_wild
    raised = np.maximum(variances, _floor(variances[is_known]))
    if is_known.sum() > 2 and not is_wild.any():
        is_wild = _wild(raised, dfs, is_known)
    shared = is_known & ~is_wild
    pooled_df = float(dfs[shared].sum())
    mean = float((variances * dfs)[shared].sum() / pooled_df)
    _, prior = _prior(raised[shared], dfs[shared])
    weight = 1.0 if np.isinf(prior) else prior / (prior + dfs)
    drawn = weight * mean + (1 - weight) * variances
    drawn_dfs = np.minimum(prior + dfs, pooled_df)
    total = np.where(is_known, np.maximum(variances, drawn), drawn)
    beyond = np.divide((total - drawn) ** 2, dfs, out=np.zeros(len(dfs)), where=is_known)
    over = drawn**2 / drawn_dfs + beyond
    total_dfs = np.divide(total**2, over, out=np.full(len(dfs), pooled_df), where=over > 0)
    return np.where(is_wild, variances, total), np.where(is_wild, dfs, total_dfs), pooled_df, is_wild


def _wild(variances: Array, dfs: Array, is_known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The few that are larger than the rest could make them: by an F-test of the smallest one of them."""
    order = [index for index in np.argsort(variances) if is_known[index]]
    is_wild = np.zeros(len(variances), bool)
    for count in range(max(1, len(order) // _MOST_WILD), 0, -1):
        rest, suspect = order[:-count], order[-count]
        center, prior = _prior(variances[rest], dfs[rest])
        prior = min(prior, float(dfs[rest].sum()))
        if fdtrc(dfs[suspect], prior, variances[suspect] / center) < _WILD / len(order):
            is_wild[order[-count:]] = True
            break
    return is_wild


def _prior(variances: Array, dfs: Array) -> tuple[float, float]:
    """What the variances have in common, and its degrees of freedom, by moments of the logarithms."""
    logs = np.log(variances) - digamma(dfs / 2) + np.log(dfs / 2)
    if len(logs) < 3:
        return float((variances * dfs).sum() / dfs.sum()), float("inf")
    excess = float(logs.var(ddof=1) - polygamma(1, dfs / 2).mean())
    if excess <= 0:
        return float(np.exp(logs.mean())), float("inf")
    prior = 2 * _trigamma_inverse(excess)
    return float(np.exp(logs.mean() + digamma(prior / 2) - np.log(prior / 2))), prior


def _trigamma_inverse(value: float) -> float:
    """Newton's method on one over trigamma, which is convex.

    >>> round(_trigamma_inverse(float(polygamma(1, 2.5))), 6)
    2.5
    """
    x = 0.5 + 1 / value
    for _ in range(30):
        now = float(polygamma(1, x))
        x += now * (1 - now / value) / float(polygamma(2, x))
    return x
