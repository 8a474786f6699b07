"""Which variants are worth their cost: the Pareto front. Plain Python, for tables and plots alike."""

import math
from collections.abc import Iterable, Mapping

from srlab.verdicts.values import Cost


def front(
    costs: Mapping[str, float | None],
    scores: Mapping[str, float | None],
    *,
    is_lower_better: bool = False,
) -> tuple[str, ...]:
    """The names that no other beats, cheapest first.

    One beats another where it costs no more, scores no worse, and is better in one of the two. Names that tie
    in both are on the front together, or not at all. A name without a cost or a score (missing, None, NaN, or
    an infinite cost) is not on the front and beats nothing; an infinite score, the PSNR of an exact copy, is
    a score. `is_lower_better` is of the scores.

    >>> front({"a": 1, "b": 2, "c": 3, "d": 3}, {"a": 30.0, "b": 29.0, "c": 31.0, "d": 31.0})
    ('a', 'c', 'd')
    """
    sign = -1 if is_lower_better else 1
    known: dict[str, tuple[float, float]] = {}
    for name, cost in costs.items():
        score = scores.get(name)
        if cost is not None and score is not None and math.isfinite(cost) and not math.isnan(score):
            known[name] = (cost, sign * score)
    best = [name for name, found in known.items() if not any(_beats(one, found) for one in known.values())]
    return tuple(sorted(best, key=lambda name: known[name][0]))


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]


def training_times(costs: Iterable[Cost]) -> tuple[str, dict[str, float]]:
    """What one run of each variant took, with a name: processor time where every one that has ended has it,
    else time by the clock.
    """
    ended = [cost for cost in costs if cost.seconds is not None]
    processor = {cost.variant: cost.processor_seconds for cost in ended if cost.processor_seconds is not None}
    if ended and len(processor) == len(ended):
        return "processor seconds of one run", processor
    return "seconds of one run by the clock", {cost.variant: cost.seconds or 0.0 for cost in ended}
