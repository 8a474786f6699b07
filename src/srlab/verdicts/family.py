"""Many comparisons at once: Holm's correction, and the ranks that it allows."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from srlab.verdicts.values import Difference, Outcome, Rank


def holm(p_values: Sequence[float | None], *, all_pairs_of: int | None = None) -> list[float | None]:
    """Holm's adjusted p-values, in the order given; None if there is no test; it does not count.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979. The probability of any false alarm in the family stays at the level whatever the dependence.

    If the tests are of all pairs of so many means, Shaffer's version (Journal of the American Statistical
    Association 81, 1986) corrects by no more hypotheses than can be true at once: where one of three means
    differs from another, it differs from the third or that one does.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    >>> holm([0.01, 0.04, 0.03], all_pairs_of=3)
    [0.03, 0.04, 0.03]
    """
    possible = (len(p_values),) if all_pairs_of is None else _true_at_once(all_pairs_of)
    total = max(possible)
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for place, (p, index) in enumerate(tested):
        left = len(tested) - place
        true = max((number for number in possible if number <= total - place), default=left)
        largest = max(largest, min(1.0, min(left, true) * p))
        adjusted[index] = largest
    return adjusted


@lru_cache(maxsize=128)
def _true_at_once(num_means: int) -> tuple[int, ...]:
    """How many of all "these two are equal" may be true together.

    >>> _true_at_once(4)
    (0, 1, 2, 3, 6)
    """
    if num_means < 2:
        return (0,)
    numbers = {
        size * (size - 1) // 2 + others
        for size in range(1, num_means + 1)
        for others in _true_at_once(num_means - size)
    }
    return tuple(sorted(numbers))


def outcome_of(
    estimate: float, p: float, p_equal: float | None, *, is_lower_better: bool, alpha: float
) -> Outcome:
    """By corrected p-values. A difference that is shown is no equality, however small it is."""
    if p <= alpha and estimate != 0:
        return "better" if (estimate > 0) != is_lower_better else "worse"
    return "equal" if p_equal is not None and p_equal <= alpha else "undecided"


def ranks(variants: Iterable[str], pairs: Iterable[Difference]) -> dict[str, Rank]:
    """Where each variant may stand, from the outcomes of all pairs.

    Holm over all pairs makes the statements "u is better than v" all true at once with the level's
    probability, and with them the span of places (Al Mohamad, Goeman and van Zwet, "Simultaneous Confidence
    Intervals for Ranks With Application to Ranking Institutions", 2019).
    """
    better: dict[str, set[str]] = {variant: set() for variant in variants}
    equal: dict[str, set[str]] = {variant: set() for variant in better}
    for pair in pairs:
        if pair.outcome == "better":
            better[pair.other].add(pair.variant)
        elif pair.outcome == "worse":
            better[pair.variant].add(pair.other)
        elif pair.outcome == "equal":
            equal[pair.variant].add(pair.other)
            equal[pair.other].add(pair.variant)
    return _ranks(better, equal)


def plane_ranks(
    variants: Iterable[str], distortion: Iterable[Difference], perception: Iterable[Difference]
) -> dict[str, Rank]:
    """Ranks by two measures at once: behind a variant only if it is worse beyond doubt by both.

    Blau and Michaeli, "The Perception-Distortion Tradeoff", CVPR 2018: what is not
    beaten by both is admissible.
    """
    beaten = [
        {
            (pair.other, pair.variant) if pair.outcome == "better" else (pair.variant, pair.other)
            for pair in pairs
            if pair.outcome in ("better", "worse")
        }
        for pairs in (distortion, perception)
    ]
    both = beaten[0] & beaten[1]
    return _ranks({variant: {other for worse, other in both if worse == variant} for variant in variants}, {})


def _ranks(better: Mapping[str, set[str]], equal: Mapping[str, set[str]]) -> dict[str, Rank]:
    """By variant, given the variants that are better beyond doubt than each, and those equal to it."""
    below: dict[str, set[str]] = {variant: set() for variant in better}
    for variant, above in better.items():
        for other in above:
            below[other].add(variant)
    return {
        variant: Rank(
            best=1 + len(above),
            worst=len(better) - len(below[variant]),
            tied_with=tuple(other for other in better if other not in above | below[variant] | {variant}),
            equal_to=tuple(other for other in better if other in equal.get(variant, ())),
        )
        for variant, above in better.items()
    }
