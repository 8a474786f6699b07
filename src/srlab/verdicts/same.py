"""Variants whose scores do not differ at all: what was changed does not show in any picture's scores."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from srlab.verdicts.cells import Cells
from srlab.verdicts.values import BICUBIC
from srlab.words import listed

TOLERANCE = 1e-6  # of every score: rounding of one file and another, less than any picture can differ by
_PSNR = "psnr_y"

_Scores = Mapping[tuple[str, str], NDArray[np.float64]]


def same_scores(cells: Cells, variants: Sequence[str]) -> list[str]:
    """Which variants score the same as bicubic, as another variant, or at every seed; complete scores only.

    Equal scores do not prove equal pictures, and the words do not say so.
    """
    by_seed = {name: _complete(cells, name) for name in (*variants, BICUBIC)}
    there = [name for name in variants if by_seed[name]]
    bicubic = by_seed[BICUBIC].get(0)
    like_bicubic = [
        name for name in there if bicubic and all(_is_same(one, bicubic) for one in by_seed[name].values())
    ]
    found = [
        f"{name} scores the same as bicubic on every image{_seeds(len(by_seed[name]))}, so no score "
        "shows what it adds to bicubic"
        for name in like_bicubic
    ]
    rest = [name for name in there if name not in like_bicubic]
    groups = list(_groups(rest, by_seed))
    found += [
        f"{listed(group)} score the same on every image{_seeds(len(by_seed[group[0]]))}, so no score "
        "shows the difference between them"
        for group in groups
    ]
    found += [
        f"{name} scores the same on every image{_seeds(len(by_seed[name]))}, so no score "
        "shows which training it had"
        for name in rest
        if len(by_seed[name]) > 1 and _is_constant(list(by_seed[name].values()))
    ]
    return found


def _complete(cells: Cells, name: str) -> dict[int, _Scores]:
    """By seed the scores of a variant that has psnr_y of every image of every set."""
    wanted = {(test_set, _PSNR) for test_set in cells.test_sets}
    by_seed = cells.scores.get(name, {})
    return {seed: found for seed, found in by_seed.items() if wanted and wanted <= found.keys()}


def _is_same(one: _Scores, other: _Scores) -> bool:
    """Whether all that both have is equal; `isclose` takes two infinite PSNRs for equal."""
    shared = one.keys() & other.keys()
    return all(np.allclose(one[key], other[key], rtol=0, atol=TOLERANCE) for key in shared)


def _is_constant(scores: Sequence[_Scores]) -> bool:
    return all(_is_same(scores[0], other) for other in scores[1:])


def _groups(names: Sequence[str], by_seed: Mapping[str, Mapping[int, _Scores]]) -> Iterator[list[str]]:
    """Variants of the same seeds that are equal at each of them, at least two."""
    left = list(names)
    while left:
        first, *others = left
        group = [first] + [
            name
            for name in others
            if by_seed[name].keys() == by_seed[first].keys()
            and all(_is_same(scores, by_seed[first][seed]) for seed, scores in by_seed[name].items())
        ]
        left = [name for name in others if name not in group]
        if len(group) > 1:
            yield group


def _seeds(number: int) -> str:
    return "" if number == 1 else f" at each of {number} seeds"
