"""Paired differences, and the tables that they make."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from math import isfinite

import numpy as np

from srlab.declare.metrics import Metric
from srlab.verdicts.family import holm, outcome_of, ranks
from srlab.verdicts.inference import Design, Sums
from srlab.verdicts.spreads import Array
from srlab.verdicts.values import (
    ALL_SETS,
    BICUBIC,
    Difference,
    Interval,
    Outcome,
    Rank,
    Row,
    Rules,
    Share,
    Table,
    metric_of,
)

_LEAST_SHARE = 1e-9  # of a variance; less is rounding
ONE_TRAINING = "one training of a variant says nothing about other trainings"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a family of tests says of one weighted sum; as `Difference` has it."""

    estimate: float | None
    seeds: tuple[int, ...]
    interval: Interval | None
    on_these_images: Interval | None
    p_value: float | None
    p_holm: float | None
    p_equal: float | None
    outcome: Outcome
    equal_within: float | None
    percent: Share | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Scores under one metric on one scope, with names: `variants`, `seeds`, `sets` are those of the design.

    A variant is here only with a run, and a run only with a score of every image. Within `band` differences
    are equal; None if that is no outcome.
    """

    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    sets: tuple[str, ...]
    design: Design
    scope: str
    metric: Metric
    band: float | None
    rules: Rules

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.variants)}

    def by_seed(self, variant: str) -> dict[int, float]:
        """The mean over the images of each run of a variant, or of bicubic (seed 0)."""
        if variant == BICUBIC:
            baseline = self.design.baseline
            return {} if baseline is None else {0: float(baseline @ self.design.weights)}
        if variant not in self._places:
            return {}
        row = self._places[variant]
        return {
            seed: float(mean)
            for seed, mean, there in zip(
                self.seeds, self.design.means[row], self.design.there[row], strict=True
            )
            if there
        }

    def findings(
        self,
        sums: Sequence[Mapping[str, float]],
        *,
        families: Sequence[object] | None = None,
        all_pairs_of: int | None = None,
    ) -> list[Finding | None]:
        """Of weighted sums of variants; None where they have no seed in common.

        `families` says for each sum of which family it is; by default all are of one. `all_pairs_of` is the
        number of variants if the sums are all of their pairs.
        """
        if not sums:
            return []
        contrasts, of_bicubic, is_there = self._arrays(sums)
        tests = self.design.test(contrasts, of_baseline=of_bicubic)
        rules, band = self.rules, self.band
        is_tested = tests.is_tested()
        p_values = [float(p) if known else None for p, known in zip(tests.p_values(), is_tested, strict=True)]
        p_equal: list[float | None] = [None] * len(sums)
        if band is not None:
            found = tests.equal_p_values(band)
            p_equal = [float(p) if known else None for p, known in zip(found, is_tested, strict=True)]
        family = [None] * len(sums) if families is None else list(families)
        p_holm, p_equal = _by_family(p_values, family, all_pairs_of), _by_family(p_equal, family)
        intervals, fixed = self._intervals(tests), tests.fixed_intervals(rules.level)
        percents = self._percents(contrasts, of_bicubic, tests)
        is_lower_better = self.metric.is_lower_better
        results: list[Finding | None] = []
        for index, seeds in enumerate(tests.seeds):
            if not seeds or not is_there[index]:
                results.append(None)
                continue
            estimate, p, reason = float(tests.estimates[index]), p_holm[index], tests.reasons[index]
            outcome: Outcome = "undecided"
            if not tests.over_trainings[index] and not of_bicubic[index]:
                reason = reason or ONE_TRAINING
            elif p is not None:
                outcome = outcome_of(
                    estimate, p, p_equal[index], is_lower_better=is_lower_better, alpha=rules.error
                )
            results.append(
                Finding(
                    estimate=None if np.isnan(estimate) else estimate,
                    seeds=tuple(self.seeds[column] for column in seeds),
                    interval=intervals[index],
                    on_these_images=fixed[index],
                    p_value=p_values[index],
                    p_holm=p,
                    p_equal=p_equal[index],
                    outcome=outcome,
                    equal_within=band,
                    percent=percents[index],
                    reason=reason,
                )
            )
        return results

    def _intervals(self, tests: Sums) -> list[Interval | None]:
        """For other trainings and images, with what makes them wide."""
        of_sets = [f"images of {name}" for name in self.sets] if len(self.sets) > 1 else ["images"]
        names = ("trainings", *of_sets)
        return [
            interval
            and replace(
                interval,
                variance_shares=tuple(
                    sorted(
                        (
                            (name, share)
                            for name, share in zip(names, shares, strict=True)
                            if share > _LEAST_SHARE
                        ),
                        key=lambda named: -named[1],
                    )
                ),
            )
            for interval, shares in zip(
                tests.intervals(self.rules.level), tests.shares().tolist(), strict=True
            )
        ]

    def _arrays(self, sums: Sequence[Mapping[str, float]]) -> tuple[Array, Array, list[bool]]:
        contrasts = np.zeros((len(sums), len(self.variants)))
        of_bicubic = np.zeros(len(sums))
        is_there = [True] * len(sums)
        for index, weights in enumerate(sums):
            for name, weight in weights.items():
                if name == BICUBIC:
                    of_bicubic[index] = weight
                    is_there[index] &= self.design.baseline is not None
                elif name in self._places:
                    contrasts[index, self._places[name]] = weight
                else:
                    is_there[index] = False
        return contrasts, of_bicubic, is_there

    def _percents(self, contrasts: Array, of_bicubic: Array, tests: Sums) -> list[Share | None]:
        """In per cent of the mean gain over bicubic of the variants with a weight below zero.

        That of a ratio, by what is left of each image's difference beside its share of the gain.
        """
        baseline = self.design.baseline
        if baseline is None or self.band is None or not np.isfinite(baseline).all():
            return [None] * len(contrasts)
        without = np.maximum(-contrasts, 0.0)
        sums = without.sum(axis=1)
        without /= np.where(sums > 0, sums, 1.0)[:, None]
        is_asked = (sums > 0) & (of_bicubic == 0)
        gains = self.design.test(without, of_baseline=np.where(is_asked, -1.0, 0.0))
        with np.errstate(invalid="ignore"):
            is_sure = (gains.p_values() <= 1 - self.rules.level) & (gains.estimates > 0)
        is_asked &= is_sure & np.isfinite(tests.estimates)
        ratios = np.where(is_asked, tests.estimates / np.where(is_asked, gains.estimates, 1.0), 0.0)
        rest = self.design.test(contrasts - ratios[:, None] * without, of_baseline=ratios)
        return [
            None
            if interval is None or not asked
            else Share(
                estimate=100 * ratio,
                low=100 * (ratio + (interval.low - estimate) / gain),
                high=100 * (ratio + (interval.high - estimate) / gain),
            )
            for interval, asked, ratio, estimate, gain in zip(
                rest.intervals(self.rules.level),
                is_asked.tolist(),
                ratios.tolist(),
                rest.estimates.tolist(),
                gains.estimates.tolist(),
                strict=True,
            )
        ]

    def differences(
        self, pairs: Sequence[tuple[str, str]], *, all_pairs_of: int | None = None
    ) -> list[Difference]:
        """One family of pairs, without those that have no seed in common."""
        sums = [{variant: 1.0, other: -1.0} for variant, other in pairs]
        found = self.findings(sums, all_pairs_of=all_pairs_of)
        return [
            Difference(
                variant=variant,
                other=other,
                scope=self.scope,
                metric=self.metric.name,
                num_images=len(self.design.sets),
                **vars(finding),
            )
            for (variant, other), finding in zip(pairs, found, strict=True)
            if finding is not None
        ]


def scored_of(
    scores: Mapping[str, Mapping[int, Array]],
    sets: Sequence[str],
    bicubic: Array | None,
    *,
    metric: Metric,
    band: float | None,
    rules: Rules,
    scope: str = ALL_SETS,
) -> Scored:
    """Of arrays [images] by variant and seed; `sets` names the test set of each image."""
    names = tuple(name for name, of in scores.items() if of)
    seeds = tuple(sorted({seed for name in names for seed in scores[name]}))
    values = np.full((len(names), len(seeds), len(sets)), np.nan)
    for row, name in enumerate(names):
        for seed, found in scores[name].items():
            values[row, seeds.index(seed)] = found
    numbers = {name: number for number, name in enumerate(dict.fromkeys(sets))}
    return Scored(
        variants=names,
        seeds=seeds,
        sets=tuple(numbers),
        design=Design(
            scores=values,
            sets=np.array([numbers[name] for name in sets], dtype=int),
            baseline=bicubic,
            weigh=rules.weigh,
        ),
        scope=scope,
        metric=metric,
        band=band,
        rules=rules,
    )


def _by_family(
    p_values: Sequence[float | None], families: Sequence[object], all_pairs_of: int | None = None
) -> list[float | None]:
    """Holm's p-values, within each family by itself."""
    adjusted: list[float | None] = [None] * len(p_values)
    for family in dict.fromkeys(families):
        members = [index for index, of in enumerate(families) if of == family]
        corrected = holm([p_values[index] for index in members], all_pairs_of=all_pairs_of)
        for index, p in zip(members, corrected, strict=True):
            adjusted[index] = p
    return adjusted


def out_of_order(ranks: Sequence[tuple[str, Rank]]) -> list[str]:
    """Of variants in the order of their means those that may stand before one with a better mean.

    What is known of them does not suffice: few seeds, or seeds that differ much.
    """
    return [
        name
        for place, (name, rank) in enumerate(ranks)
        if any(rank.best < better.best for _, better in ranks[:place])
    ]


def is_ahead(test: Difference) -> bool | None:
    """Whether the estimate is on the good side, whether or not it may be chance; None if it is not known.

    Of a difference from bicubic: whether the variant beat it.
    """
    if test.estimate is None:
        return None
    return test.estimate != 0 and (test.estimate > 0) != metric_of(test.metric).is_lower_better


def make_table(scored: Scored, variants: Sequence[str], *, base: str) -> Table:
    """Of `variants`, those without scores last: against the base, against bicubic, and all pairs."""
    means = {name: scored.by_seed(name) for name in (*variants, BICUBIC)}
    order = sorted((name for name in means if means[name]), key=_better_first(means, scored.metric))
    trained = [name for name in order if name != BICUBIC]
    pairs = scored.differences(list(combinations(trained, 2)), all_pairs_of=len(trained))
    places = ranks(trained, pairs) if max((len(means[name]) for name in trained), default=0) > 1 else {}
    to_base, to_bicubic = (
        {
            test.variant: test
            for test in scored.differences([(name, other) for name in trained if name != other])
        }
        for other in (base, BICUBIC)
    )
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
        scope=scored.scope,
        metric=scored.metric.name,
        num_images=len(scored.design.sets),
        rows=tuple(rows),
        pairs=tuple(pairs),
    )


def _better_first(means: Mapping[str, Mapping[int, float]], metric: Metric) -> Callable[[str], float]:
    sign = 1 if metric.is_lower_better else -1
    return lambda name: sign * statistics.fmean(means[name].values())
