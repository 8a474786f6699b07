"""Many comparisons at once: Holm's correction, and the ranks that it allows."""

from collections.abc import Iterable, Mapping, Sequence

from srlab.verdicts.values import Difference, Rank


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values, in the order given; None if there is no test; it does not count.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979. The probability of any false alarm in the family stays at the level whatever the dependence.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for place, (p, index) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - place) * p))
        adjusted[index] = largest
    return adjusted


def ranks(variants: Iterable[str], pairs: Iterable[Difference]) -> dict[str, Rank]:
    """Where each variant may stand, from the outcomes of all pairs.

    Holm over all pairs makes the statements "u is better than v" all true at once with the level's
    probability, and with them the span of places (Al Mohamad, Goeman and van Zwet, "Simultaneous Confidence
    Intervals for Ranks With Application to Ranking Institutions", 2019).
    """
    better: dict[str, set[str]] = {variant: set() for variant in variants}
    for pair in pairs:
        if pair.outcome == "better":
            better[pair.other].add(pair.variant)
        elif pair.outcome == "worse":
            better[pair.variant].add(pair.other)
    return _ranks(better)


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
    return _ranks({variant: {other for worse, other in both if worse == variant} for variant in variants})


def _ranks(better: Mapping[str, set[str]]) -> dict[str, Rank]:
    """By variant, given the variants that are better beyond doubt than each."""
    found = {}
    for variant, above in better.items():
        below = {other for other, others in better.items() if variant in others}
        found[variant] = Rank(
            best=1 + len(above),
            worst=len(better) - len(below),
            tied_with=tuple(other for other in better if other not in {variant, *above, *below}),
        )
    return found
