"""Does a study that adds seeds until it is decided keep its error, and what does that cost?

    python benchmarks/looks.py                  # the tables of docs/statistics.md, some minutes
    python benchmarks/looks.py --repeats 100    # the same, roughly

Seven variants and 119 images. At each look the variants of undecided pairs get more seeds. `any false alarm`
counts studies in which a pair of equal variants is told apart at any look.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from srlab.verdicts.family import holm, outcome_of
from srlab.verdicts.inference import Design
from srlab.verdicts.looks import LOOKS, error_rates
from srlab.verdicts.spreads import Array

VARIANTS, IMAGES = 7, 119
SETS = np.repeat([0, 1, 2], [5, 14, 100])
PAIRS = list(combinations(range(VARIANTS), 2))
BAND = 0.1
UNEQUAL = (2.0, 0.5, 1.0, 1.4, 0.7, 1.0, 0.5)
TRAININGS = [
    ("0.06 dB", 0.06 * np.ones(VARIANTS)),
    ("0.06 dB, unequal (factors 1/2 to 2)", 0.06 * np.array(UNEQUAL)),
    ("0.02 dB", 0.02 * np.ones(VARIANTS)),
]


@dataclass(frozen=True)
class Rule:
    """At which looks, each at which error rate."""

    name: str
    looks: Sequence[int]
    rates: Sequence[float]


RULES = [
    Rule("3 seeds, one look", (3,), (0.05,)),
    Rule("10 seeds, one look", (10,), (0.05,)),
    Rule("looks at 3, 5, 7, 10, each at 5 %", LOOKS, (0.05,) * 4),
    Rule("--until-decided", LOOKS, error_rates(LOOKS, 10, 0.05)),
]


def draw(generator: np.random.Generator, trainings: Array, difference: float) -> Array:
    """Scores [variants, 10 seeds, images]; the first variant is above the others by `difference`."""
    scores = trainings[:, None, None] * generator.standard_normal((VARIANTS, LOOKS[-1], 1))
    scores = scores + 0.02 / np.sqrt(2) * generator.standard_normal((VARIANTS, 1, IMAGES))
    scores[0] += difference * (1 + 0.92 * generator.standard_normal(IMAGES))
    return np.asarray(scores)


def carried_out(scores: Array, rule: Rule) -> tuple[set[tuple[int, int]], list[str], int]:
    """Pairs told apart at any look, the outcomes at the last one, and how many trainings that took."""
    contrasts = np.zeros((len(PAIRS), VARIANTS))
    for row, (one, other) in enumerate(PAIRS):
        contrasts[row, one], contrasts[row, other] = 1.0, -1.0
    seeds, apart, outcomes = np.zeros(VARIANTS, int), set(), ["undecided"] * len(PAIRS)
    for count, alpha in zip(rule.looks, rule.rates, strict=True):
        asked = {
            variant for pair, of in zip(PAIRS, outcomes, strict=True) if of == "undecided" for variant in pair
        }
        if not asked:
            break
        seeds[list(asked)] = count
        there = np.arange(scores.shape[1])[None, :] < seeds[:, None]
        sums = Design(scores=np.where(there[:, :, None], scores, np.nan), sets=SETS).test(contrasts)
        p = holm([float(one) for one in sums.p_values()], all_pairs_of=VARIANTS)
        p_equal = holm([float(one) for one in sums.equal_p_values(BAND)])
        outcomes = [
            outcome_of(float(estimate), one or 0.0, equal, is_lower_better=False, alpha=alpha)
            for estimate, one, equal in zip(sums.estimates, p, p_equal, strict=True)
        ]
        apart |= {pair for pair, of in zip(PAIRS, outcomes, strict=True) if of in ("better", "worse")}
    return apart, outcomes, int(seeds.sum())


def row(rule: Rule, trainings: Array, repeats: int) -> str:
    """False alarms where all are equal; what is found and what it costs where one is above by 0.1 dB."""
    alarms, found, decided, cost = 0, 0.0, 0.0, [0, 0]
    for difference in (0.0, 0.1):
        generator = np.random.default_rng(0)
        for _ in range(repeats):
            apart, outcomes, runs = carried_out(draw(generator, trainings, difference), rule)
            wrong = {pair for pair in apart if not difference or 0 not in pair}
            alarms += bool(wrong) and not difference
            if difference:
                found += sum(1 for pair in apart if 0 in pair) / (VARIANTS - 1)
                decided += sum(of != "undecided" for of in outcomes) / len(PAIRS)
            cost[difference > 0] += runs
    return " | ".join(
        [
            f"{100 * alarms / repeats:.1f}",
            f"{100 * found / repeats:.0f}",
            f"{100 * decided / repeats:.0f}",
            *(f"{each / repeats:.0f}" for each in cost),
        ]
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    print(
        "| trainings | rule | any false alarm | 0.1 dB found | decided | runs, all equal | runs, one above |"
    )
    print("|---|---|---:|---:|---:|---:|---:|")
    for name, trainings in TRAININGS:
        for rule in RULES:
            print(f"| {name} | {rule.name} | {row(rule, trainings, repeats)} |", flush=True)


if __name__ == "__main__":
    main()
