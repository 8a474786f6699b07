"""srlab's verdicts beside those of two other tools, on scores whose true differences are known.

    python -m pip install statsmodels autorank
    python benchmarks/outside_rules.py                  # the table of docs/statistics.md, about an hour
    python benchmarks/outside_rules.py --repeats 10     # the same, roughly

Each tool is used as its documentation says. autorank (1.3) ranks variants over images; each image has the
mean over the seeds. statsmodels (0.15) fits a mixed model to each pair's differences, with seeds and images
as crossed random effects, by REML; its z-tests are corrected by Holm's method.
"""

import argparse
import contextlib
import io
import warnings
from collections.abc import Callable
from itertools import combinations

import numpy as np
from coverage import EFFECT, WORLDS, set_of
from numpy.typing import NDArray

from srlab.verdicts import infer
from srlab.verdicts.family import holm
from srlab.verdicts.spreads import Array

Apart = set[tuple[int, int]]  # pairs that are told apart

DESIGNS = [(2, 3, 19), (4, 3, 19)]
SPREADS = (0, 1, 5, 8)  # of WORLDS
SCENES = 3.0  # dB between images, alike for all variants, as PSNR has it


def by_srlab(scores: Array, images: int) -> Apart:
    """As `srlab verdict` does it."""
    names = {str(place): rows for place, rows in enumerate(scores)}
    found = infer(names, test_sets=[str(number) for number in set_of(images)])
    return {
        (min(pair), max(pair))
        for one in found.pairs
        if one.outcome in ("better", "worse")
        for pair in [(int(one.variant), int(one.other))]
    }


def by_autorank(scores: Array, images: int) -> Apart:
    """Its own choice of tests, at 5 %."""
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from autorank import autorank  # type: ignore[import-not-found,import-untyped,unused-ignore]

    assert scores.shape[2] == images
    data = pd.DataFrame({str(place): rows.mean(axis=0) for place, rows in enumerate(scores)})
    with contextlib.redirect_stdout(io.StringIO()):
        found = autorank(data, alpha=0.05, verbose=False)
    if found.pvalue >= 0.05:
        return set()
    pairs = list(combinations(range(len(scores)), 2))
    if len(pairs) == 1:
        return set(pairs)
    table = found.rankdf
    if found.posthoc == "nemenyi":
        ranks = table["meanrank"]
        return {(a, b) for a, b in pairs if abs(ranks[str(a)] - ranks[str(b)]) > found.cd}
    low, high = table["ci_lower"], table["ci_upper"]
    return {(a, b) for a, b in pairs if low[str(a)] > high[str(b)] or low[str(b)] > high[str(a)]}


def by_mixed_model(scores: Array, images: int) -> Apart:
    """A model for each pair: difference = test set + seed + image + rest."""
    import pandas as pd
    import statsmodels.formula.api as smf  # type: ignore[import-not-found,import-untyped,unused-ignore]

    sets, pairs = set_of(images), list(combinations(range(len(scores)), 2))
    weights = np.bincount(sets) / images
    p_values = []
    for a, b in pairs:
        rows = [
            {"d": d, "seed": seed, "image": image, "test_set": sets[image], "all": 0}
            for (seed, image), d in np.ndenumerate(scores[a] - scores[b])
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a variance of zero lies at the edge, and it says so
            fitted = smf.mixedlm(
                "d ~ 0 + C(test_set)",
                pd.DataFrame(rows),
                groups="all",
                vc_formula={"seed": "0 + C(seed)", "image": "0 + C(image)"},
            ).fit(reml=True)
            p_values.append(float(np.squeeze(fitted.t_test(weights[None, :]).pvalue)))
    return {pair for pair, p in zip(pairs, holm(p_values), strict=True) if p is not None and p <= 0.05}


RULES: dict[str, Callable[[Array, int], Apart]] = {
    "srlab": by_srlab,
    "autorank": by_autorank,
    "mixed model": by_mixed_model,
}


def measure(rule: Callable[[Array, int], Apart], scores: list[Array], images: int) -> tuple[float, float]:
    """In how many studies of equal variants any pair is told apart; how often 0.3 dB is found."""
    alarms = sum(bool(rule(one, images)) for one in scores) / len(scores)
    found = 0.0
    for one in scores:
        shift: NDArray[np.float64] = np.zeros((len(one), 1, 1))
        shift[0] = EFFECT
        apart = rule(one + shift, images)
        found += sum(0 in pair for pair in apart) / (len(one) - 1)
    return alarms, found / len(scores)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    print("| spread | variants x seeds x images | rule | any false alarm | 0.3 dB found |")
    print("|---|---|---|---:|---:|")
    for place in SPREADS:
        world = WORLDS[place]
        for design in DESIGNS:
            generator = np.random.default_rng(design)
            scenes = generator.normal(30, SCENES, design[2])
            scores = [world.draw(generator, *design) + scenes for _ in range(repeats)]
            for name, rule in RULES.items():
                alarms, found = measure(rule, scores, design[2])
                label = f"{world.name} | {' x '.join(map(str, design))} | {name}"
                print(f"| {label} | {100 * alarms:.1f} | {100 * found:.1f} |", flush=True)


if __name__ == "__main__":
    main()
