"""Paired differences, and the tables that they make."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from math import isfinite
from typing import TypeVar

from srlab.verdicts.cells import Cells
from srlab.verdicts.family import holm, ranks
from srlab.verdicts.intervals import infer
from srlab.verdicts.values import (
    ALL_SETS,
    BICUBIC,
    Difference,
    Effect,
    Outcome,
    Row,
    Table,
    metric_of,
)

Tested = TypeVar("Tested", Difference, Effect)


def difference(
    cells: Cells, variant: str, other: str, *, scope: str, metric: str, level: float
) -> Difference | None:
    """`variant` minus `other`, a family of its own. None if they share no seed with scores."""
    seeds, blocks = cells.contrast({variant: 1.0, other: -1.0}, scope=scope, metric=metric)
    if not blocks:
        return None
    found = infer(blocks, level=level)
    alone = Difference(
        variant=variant,
        other=other,
        scope=scope,
        metric=metric,
        estimate=found.estimate,
        seeds=seeds,
        num_images=cells.num_images(scope),
        interval=found.interval,
        on_these_images=found.on_these_images,
        p_value=found.p_value,
        p_holm=found.p_value,
        outcome="not judged",
        reason=found.reason,
    )
    return corrected([alone], level=level)[0]


def corrected(family: Sequence[Tested], *, level: float) -> list[Tested]:
    """The family with Holm's p-values and the outcomes by them."""
    adjusted = holm([test.p_value for test in family])
    return [
        replace(test, p_holm=p, outcome=_outcome(test.estimate, p, metric=test.metric, level=level))
        for test, p in zip(family, adjusted, strict=True)
    ]


def _outcome(estimate: float | None, p_holm: float | None, *, metric: str, level: float) -> Outcome:
    if estimate is None or p_holm is None:
        return "not judged"
    if p_holm > 1 - level or estimate == 0:
        return "not told apart"
    return "better" if (estimate > 0) != metric_of(metric).is_lower_better else "worse"


def is_ahead(test: Difference) -> bool | None:
    """Whether the estimate is on the good side, whether or not it may be chance; None if it is not known.

    Of a difference from bicubic: whether the variant beat it.
    """
    if test.estimate is None:
        return None
    return test.estimate != 0 and (test.estimate > 0) != metric_of(test.metric).is_lower_better


def scopes(cells: Cells) -> tuple[str, ...]:
    """`ALL_SETS` where there are several test sets, then each."""
    sets = tuple(cells.test_sets)
    return (ALL_SETS, *sets) if len(sets) > 1 else sets


def make_table(
    cells: Cells, variants: Sequence[str], *, base: str, scope: str, metric: str, level: float
) -> Table:
    """One metric on one scope, with the three families: against the base, against bicubic, all pairs."""

    def compared(other: str) -> dict[str, Difference]:
        names = [variant for variant in variants if variant != other]
        found = [
            difference(cells, variant, other, scope=scope, metric=metric, level=level) for variant in names
        ]
        return {test.variant: test for test in corrected([t for t in found if t], level=level)}

    means = {name: cells.means(name, scope=scope, metric=metric) for name in (*variants, BICUBIC)}
    order = sorted((name for name in means if means[name]), key=_better_first(means, metric))
    pairs = corrected(
        [
            test
            for one, two in combinations([name for name in order if name != BICUBIC], 2)
            if (test := difference(cells, one, two, scope=scope, metric=metric, level=level)) is not None
        ],
        level=level,
    )
    places = ranks([name for name in order if name != BICUBIC], pairs)
    to_base, to_bicubic = compared(base), compared(BICUBIC)
    rows = []
    for name in (*order, *(name for name in means if name not in order)):
        by_seed = means[name]
        is_finite = all(map(isfinite, by_seed.values()))
        rows.append(
            Row(
                variant=name,
                mean=statistics.fmean(by_seed.values()) if by_seed else None,
                sd=statistics.stdev(by_seed.values()) if len(by_seed) > 1 and is_finite else None,
                seeds=() if name == BICUBIC else tuple(by_seed),
                rank=places.get(name),
                to_base=to_base.get(name),
                to_bicubic=to_bicubic.get(name),
            )
        )
    return Table(
        scope=scope, metric=metric, num_images=cells.num_images(scope), rows=tuple(rows), pairs=tuple(pairs)
    )


def _better_first(means: dict[str, dict[int, float]], metric: str) -> Callable[[str], float]:
    sign = 1 if metric_of(metric).is_lower_better else -1
    return lambda name: sign * statistics.fmean(means[name].values())
