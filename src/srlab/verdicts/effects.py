"""What each declared change brings, read off the variants that differ in nothing else.

An effect is the mean, over the settings of all other options that exist, of the difference between two
variants that differ in that change alone: in a full grid the main effect of the factorial model, and in any
other grid free of the assumption that effects add up. A two-way interaction is likewise the mean of
differences of differences. Where a change never comes alone, least squares of the main-effects model may
still separate it ("additive"); where that cannot either, it is named as confounded.

Each of these is a weighted sum of variants for every seed and image, so its interval is that of a paired
difference.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from srlab.verdicts.compare import Scored
from srlab.verdicts.options import Options, changes, describe, reverse
from srlab.verdicts.values import Change, Effect

Changes = tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a variant's capacity is measured by."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A weighted sum of variants that is an effect; the weights sum to zero."""

    changes: Changes
    interaction: Changes | None
    weights: Mapping[str, float]
    pairs: tuple[tuple[str, str], ...]
    is_matched: bool


def matched_pairs(options: Mapping[str, Options], *, base: str) -> dict[Changes, list[tuple[str, str]]]:
    """The changes that no smaller change of the study is part of, with the (without, with) that show each.

    A change leads away from the base's setting, or from the one that is declared first.
    """
    found: dict[Changes, list[tuple[str, str]]] = {}
    for one, two in combinations(options, 2):
        change = changes(options[one], options[two])
        if not change:
            continue
        if _leads_back(change, options, base):
            change, one, two = reverse(change), two, one
        found.setdefault(change, []).append((one, two))
    items = {change: _unordered(change) for change in found}
    known, sizes = set(found), sorted({len(item) for item in items.values()})
    there = set(items.values())

    def has_a_part(item: frozenset[Any]) -> bool:
        """Whether another change is a part of this one."""
        if 2 ** len(item) > len(there):
            return any(other < item for other in there)
        return any(
            frozenset(part) in there
            for size in sizes
            if size < len(item)
            for part in combinations(item, size)
        )

    return {
        change: pairs
        for change, pairs in found.items()
        if not has_a_part(items[change]) and not _is_difference_of_two(change, known, usual=options[base])
    }


def _is_difference_of_two(change: Changes, known: Set[Changes], *, usual: Options) -> bool:
    """Whether both settings of one option are compared with the base's already."""
    if len(change) > 1:
        return False
    (one,) = change
    settings = (
        Change(option=one.option, before=usual.get(one.option, ""), after=to)
        for to in (one.before, one.after)
    )
    return all((setting,) in known for setting in settings)


def _unordered(change: Changes) -> frozenset[tuple[str, frozenset[str]]]:
    return frozenset((one.option, frozenset((one.before, one.after))) for one in change)


def _leads_back(change: Changes, options: Mapping[str, Options], base: str) -> bool:
    usual = options[base]
    score = sum(
        (usual.get(one.option) == one.before) - (usual.get(one.option) == one.after) for one in change
    )
    if score:
        return score < 0
    first = change[0]
    for found in options.values():
        if found.get(first.option) in (first.before, first.after):
            return found.get(first.option) == first.after
    return False


def contrasts(options: Mapping[str, Options], *, base: str) -> list[Contrast]:
    """Main effects, then two-way interactions, that the variants in `options` allow."""
    mains = matched_pairs(options, base=base)
    found = [
        Contrast(
            changes=change, interaction=None, weights=_mean_of(pairs), pairs=tuple(pairs), is_matched=True
        )
        for change, pairs in mains.items()
    ]
    found += _additive(options, base=base, known=mains)
    found.sort(key=lambda contrast: len(contrast.changes))
    return [*found, *_interactions(mains)]


def _mean_of(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for without, with_it in pairs:
        weights[without] = weights.get(without, 0.0) - 1 / len(pairs)
        weights[with_it] = weights.get(with_it, 0.0) + 1 / len(pairs)
    return weights


def _interactions(mains: Mapping[Changes, Sequence[tuple[str, str]]]) -> list[Contrast]:
    found = []
    for first, second in combinations(mains, 2):
        if {one.option for one in first} & {one.option for one in second}:
            continue
        pairs_of_second = set(mains[second])
        squares = [
            (low, high)
            for low, high in combinations(mains[first], 2)
            if (low[0], high[0]) in pairs_of_second and (low[1], high[1]) in pairs_of_second
        ]
        squares += [
            (high, low)
            for low, high in combinations(mains[first], 2)
            if (high[0], low[0]) in pairs_of_second and (high[1], low[1]) in pairs_of_second
        ]
        if squares:
            weights: dict[str, float] = {}
            for low, high in squares:
                for variant, sign in ((low[0], 1), (low[1], -1), (high[0], -1), (high[1], 1)):
                    weights[variant] = weights.get(variant, 0.0) + sign / len(squares)
            found.append(
                Contrast(
                    changes=first,
                    interaction=second,
                    weights=weights,
                    pairs=tuple(pair for square in squares for pair in square),
                    is_matched=True,
                )
            )
    return found


def _additive(options: Mapping[str, Options], *, base: str, known: Iterable[Changes]) -> list[Contrast]:
    """Changes of one option that only the main-effects model separates."""
    names = list(options)
    if any(options[name].keys() != options[base].keys() for name in names):
        return []  # two architectures: their options do not mean the same
    columns: list[Change] = [
        Change(option=option, before=usual, after=level)
        for option, usual in options[base].items()
        for level in dict.fromkeys(options[name][option] for name in names)
        if level != usual
    ]
    design = np.array(
        [
            [1.0, *(float(options[name][column.option] == column.after) for column in columns)]
            for name in names
        ]
    )
    solution = np.linalg.pinv(design)  # [columns, variants]
    identity = solution @ design
    known_items = {_unordered(change) for change in known}
    found = []
    for index, column in enumerate(columns, start=1):
        unit = np.eye(len(columns) + 1)[index]
        if _unordered((column,)) in known_items or not np.allclose(identity[index], unit, atol=1e-9):
            continue
        weights = {
            name: float(weight)
            for name, weight in zip(names, solution[index], strict=True)
            if abs(weight) > 1e-9
        }
        found.append(
            Contrast(changes=(column,), interaction=None, weights=weights, pairs=(), is_matched=False)
        )
    return found


def unknown(found: Sequence[Contrast]) -> tuple[str, ...]:
    """The options whose effect no data of the study can tell, each with what it is confounded with."""
    mains = [frozenset(change.option for change in one.changes) for one in found if one.interaction is None]
    alone = {option for one in mains if len(one) == 1 for option in one}
    options = dict.fromkeys(change.option for one in found for change in one.changes)
    remarks = []
    for option in options:
        company = [one - {option} for one in mains if option in one]
        smallest = dict.fromkeys(one for one in company if not any(other < one for other in company))
        if option not in alone:
            words = ", or with ".join(" and ".join(sorted(one)) for one in smallest)
            remarks.append(f"{option} never changes alone, only with {words}; so its own effect is unknown")
    return tuple(remarks)


def effects(
    scored: Scored, options: Mapping[str, Options], sizes: Mapping[str, Size], *, base: str
) -> list[Effect]:
    """Every main effect and two-way interaction on one scope under one metric."""
    there = {name: of for name, of in options.items() if name in scored.variants}
    if not there:
        return []
    if base not in there:
        base = next(iter(there))
    planned = {(one.changes, one.interaction): one for one in contrasts(options, base=base)}
    found = contrasts(there, base=base)
    missing = {
        (one.changes, one.interaction): len(planned[(one.changes, one.interaction)].pairs) - len(one.pairs)
        for one in found
        if (one.changes, one.interaction) in planned
    }
    return effects_of(scored, found, sizes, missing)


def effects_of(
    scored: Scored,
    contrasts: Sequence[Contrast],
    sizes: Mapping[str, Size],
    missing: Mapping[tuple[Changes, Changes | None], int],
) -> list[Effect]:
    """The contrasts with their intervals; `missing` is how many pairs each lacks.

    Holm's families are three: changes of one option, changes that are confounded, interactions.
    """
    families = [
        "interactions" if one.interaction is not None else "confounded" if _is_confounded(one) else "alone"
        for one in contrasts
    ]
    findings = scored.findings([one.weights for one in contrasts], families=families)
    effects = []
    for contrast, finding in zip(contrasts, findings, strict=True):
        if finding is None:
            continue
        ratios = _ratios(contrast, sizes)
        lacking = missing.get((contrast.changes, contrast.interaction), 0)
        effects.append(
            Effect(
                name=_name(contrast),
                changes=contrast.changes,
                interaction=contrast.interaction,
                scope=scored.scope,
                metric=scored.metric.name,
                estimate=finding.estimate,
                interval=finding.interval,
                p_value=finding.p_value,
                p_holm=finding.p_holm,
                p_equal=finding.p_equal,
                outcome=finding.outcome,
                equal_within=finding.equal_within,
                percent=None if contrast.interaction is not None else finding.percent,
                basis="matched" if contrast.is_matched else "additive",
                is_confounded=_is_confounded(contrast),
                pairs=contrast.pairs,
                parameters_ratio=ratios[0],
                multiply_adds_ratio=ratios[1],
                remark=_remark(contrast, ratios, lacking),
                reason=finding.reason,
            )
        )
    return effects


def _is_confounded(contrast: Contrast) -> bool:
    is_interaction = contrast.interaction is not None
    return len(contrast.changes) + len(contrast.interaction or ()) > 1 + is_interaction


def _name(contrast: Contrast) -> str:
    name = describe(contrast.changes)
    return name if contrast.interaction is None else f"{name} × {describe(contrast.interaction)}"  # noqa: RUF001


def _ratios(contrast: Contrast, sizes: Mapping[str, Size]) -> tuple[float, float]:
    """With / without, geometric mean over the pairs; 1 if a variant has none."""

    def ratio(pairs: Sequence[tuple[int, int]]) -> float:
        logs = [math.log(after / before) for before, after in pairs if before > 0 and after > 0]
        return math.exp(sum(logs) / len(logs)) if logs else 1.0

    pairs = [
        (sizes[without], sizes[with_it])
        for without, with_it in contrast.pairs
        if without in sizes and with_it in sizes
    ]
    return (
        ratio([(one.parameters, two.parameters) for one, two in pairs]),
        ratio([(one.multiply_adds, two.multiply_adds) for one, two in pairs]),
    )


def _remark(contrast: Contrast, ratios: tuple[float, float], lacking: int) -> str:
    remarks = []
    if len(contrast.changes) > 1 and contrast.interaction is None:
        names = " and ".join(change.option for change in contrast.changes)
        remarks.append(f"{names} change together, so the effect of each is unknown")
    if contrast.interaction is None:
        size = [
            f"{ratio:.3g} times the {what}"
            for ratio, what in zip(ratios, ("parameters", "multiply-adds"), strict=True)
            if abs(math.log(ratio)) > math.log(1.05)
        ]
        if size:
            remarks.append(f"confounded with size: {' and '.join(size)}")
    if not contrast.is_matched:
        remarks.append("holds if effects add up: no two variants differ in this alone")
    if lacking > 0:
        remarks.append(f"{lacking} of {lacking + len(contrast.pairs)} pairs are missing")
    return "; ".join(remarks)
