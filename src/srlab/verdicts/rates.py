"""How much a variant depends on its learning rate, on the validation images."""

from collections.abc import Mapping, Sequence
from math import isfinite

from srlab.folder.choice import rates_of
from srlab.folder.records import RunRecord
from srlab.verdicts.cells import Cells
from srlab.verdicts.compare import corrected, difference
from srlab.verdicts.curves import spread
from srlab.verdicts.effects import Contrast, effects_of
from srlab.verdicts.values import VALIDATION, Change, Difference, Effect, RateScore, RateSensitivity


def sensitivity(
    variant: str,
    runs: Sequence[RunRecord],
    by_rate: Mapping[float, Cells],
    *,
    chosen: float | None,
    level: float,
) -> RateSensitivity:
    """The variant's rates in the order of the plan; differences are to the chosen rate, paired by seed."""
    rates = rates_of(runs)
    together = _as_one(by_rate, [variant])
    compared: dict[float, Difference] = {}
    for rate in rates:
        if chosen is None or rate.learning_rate == chosen:
            continue
        names = _at(variant, rate.learning_rate), _at(variant, chosen)
        found = difference(together, *names, scope=VALIDATION, metric="psnr_y", level=level)
        if found is not None:
            compared[rate.learning_rate] = found
    compared = dict(zip(compared, corrected(list(compared.values()), level=level), strict=True))
    scores = []
    for rate in rates:
        means = together.means(_at(variant, rate.learning_rate), scope=VALIDATION, metric="psnr_y")
        found_spread = spread(list(means.values())) if means else None
        scores.append(
            RateScore(
                learning_rate=rate.learning_rate,
                mean=found_spread.mean if found_spread else None,
                sd=found_spread.sd if found_spread else None,
                seeds=tuple(means),
                diverged=rate.diverged,
                missing=rate.missing,
                is_chosen=rate.learning_rate == chosen,
                to_chosen=compared.get(rate.learning_rate),
            )
        )
    known = [score.mean for score in scores if score.mean is not None and isfinite(score.mean)]
    tried = [score.learning_rate for score in scores if score.mean is not None]
    return RateSensitivity(
        variant=variant,
        rates=tuple(scores),
        range_db=max(known) - min(known) if len(known) > 1 else None,
        at_edge=len(scores) > 2 and len(tried) > 1 and chosen in (min(tried), max(tried)),
    )


def rate_effects(
    variants: Sequence[str], by_rate: Mapping[float, Cells], *, rates: Sequence[float], level: float
) -> list[Effect]:
    """What each learning rate brings over the first, averaged over the variants, on validation psnr_y."""
    together = _as_one(by_rate, variants)
    contrasts = []
    for rate in rates[1:]:
        pairs = [
            (_at(variant, rates[0]), _at(variant, rate))
            for variant in variants
            if all(_at(variant, one) in together.scores for one in (rates[0], rate))
        ]
        if pairs:
            weights = {
                name: sign / len(pairs) for pair in pairs for name, sign in zip(pair, (-1, 1), strict=True)
            }
            change = Change(option="learning rate", before=f"{rates[0]:g}", after=f"{rate:g}")
            contrasts.append(
                Contrast(
                    changes=(change,), interaction=None, weights=weights, pairs=tuple(pairs), is_matched=True
                )
            )
    return effects_of(together, contrasts, {}, {}, scope=VALIDATION, metric="psnr_y", level=level)


def _at(variant: str, rate: float) -> str:
    return f"{variant} at {rate:g}"


def _as_one(by_rate: Mapping[float, Cells], variants: Sequence[str]) -> Cells:
    """A variant at each rate as a variant of its own, so that they can be compared."""
    scores = {
        _at(variant, rate): cells.scores[variant]
        for rate, cells in by_rate.items()
        for variant in variants
        if variant in cells.scores
    }
    sets = next((cells.test_sets for cells in by_rate.values()), {VALIDATION: ()})
    return Cells(test_sets=sets, scores=scores)
