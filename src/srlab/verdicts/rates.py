"""How much a variant depends on its learning rate, on the validation images."""

from collections.abc import Mapping, Sequence
from math import isfinite

from srlab.folder.choice import rates_of
from srlab.folder.records import RunRecord
from srlab.verdicts.cells import Cells
from srlab.verdicts.compare import Scored
from srlab.verdicts.curves import spread
from srlab.verdicts.effects import Contrast, effects_of
from srlab.verdicts.values import VALIDATION, Change, Effect, RateScore, RateSensitivity, Rules


def sensitivity(
    variant: str,
    runs: Sequence[RunRecord],
    by_rate: Mapping[float, Cells],
    *,
    chosen: float | None,
    rules: Rules,
) -> RateSensitivity:
    """The variant's rates in the order of the plan; differences are to the chosen rate, paired by seed."""
    rates = rates_of(runs)
    scored = _as_one(by_rate, [variant], rules=rules)
    others = [rate.learning_rate for rate in rates if rate.learning_rate != chosen]
    pairs = [] if chosen is None else [(_at(variant, rate), _at(variant, chosen)) for rate in others]
    compared = {test.variant: test for test in scored.differences(pairs)}
    scores = []
    for rate in rates:
        means = scored.by_seed(_at(variant, rate.learning_rate))
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
                to_chosen=compared.get(_at(variant, rate.learning_rate)),
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
    variants: Sequence[str], by_rate: Mapping[float, Cells], *, rates: Sequence[float], rules: Rules
) -> list[Effect]:
    """What each learning rate brings over the first, averaged over the variants, on validation psnr_y."""
    scored = _as_one(by_rate, variants, rules=rules)
    contrasts = []
    for rate in rates[1:]:
        pairs = [
            (_at(variant, rates[0]), _at(variant, rate))
            for variant in variants
            if all(_at(variant, one) in scored.variants for one in (rates[0], rate))
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
    return effects_of(scored, contrasts, {}, {})


def _at(variant: str, rate: float) -> str:
    return f"{variant} at {rate:g}"


def _as_one(by_rate: Mapping[float, Cells], variants: Sequence[str], *, rules: Rules) -> Scored:
    """A variant at each rate as a variant of its own, so that they can be compared."""
    scores = {
        _at(variant, rate): cells.scores[variant]
        for rate, cells in by_rate.items()
        for variant in variants
        if variant in cells.scores
    }
    sets = next((cells.test_sets for cells in by_rate.values()), {VALIDATION: ()})
    cells = Cells(test_sets=sets, scores=scores)
    return cells.scored(list(scores), scope=VALIDATION, metric="psnr_y", rules=rules)
