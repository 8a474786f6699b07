"""Does a study find the differences that `srlab study --plan` says it will, in 80 % of cases?

    python benchmarks/power.py                  # the table of docs/statistics.md, some minutes
    python benchmarks/power.py --repeats 100    # the same, roughly

For each design the plan's smallest differences are computed. Then studies are drawn in which one variant
lies above the others by just that much, and judged by srlab's own code.
"""

import argparse

import numpy as np

from srlab.verdicts.inference import Design
from srlab.verdicts.power import DEFAULT, Spreads, smallest
from srlab.verdicts.spreads import Array

SETS = {19: (5, 14), 100: (100,), 119: (5, 14, 100)}
DESIGNS = [(2, 3, 119), (4, 3, 119), (7, 3, 100), (7, 3, 119), (7, 5, 19), (7, 5, 119), (7, 10, 119)]
UNEQUAL = (2.0, 0.5, 1.0, 1.4, 0.7, 1.0, 0.5)
WORLDS: list[tuple[str, Spreads, tuple[float, ...]]] = [
    ("as assumed by default", DEFAULT, (1.0,)),
    (
        "images 0.35 dB, whatever the difference",
        Spreads(trainings=0.06, images=0.35, share=0, source=""),
        (1.0,),
    ),
    ("trainings unequal (factors 1/2 to 2)", DEFAULT, UNEQUAL),
]


def draw(
    generator: np.random.Generator,
    spread: Spreads,
    factors: tuple[float, ...],
    difference: float,
    design: tuple[int, int, int],
) -> Array:
    """Scores [variants, seeds, images]; the first variant lies above the others by `difference`."""
    variants, seeds, images = design
    # The median is what a plan assumes of trainings that differ unequally.
    of_each = np.resize(factors, variants)[:, None, None]
    trainings = spread.trainings * of_each * generator.standard_normal((variants, seeds, 1))
    own = spread.images / np.sqrt(2) * generator.standard_normal((variants, 1, images))
    scores = trainings + own
    scores[0] += difference * (1 + spread.share * generator.standard_normal(images))
    return np.asarray(scores)


def found(world: tuple[str, Spreads, tuple[float, ...]], design: tuple[int, int, int], repeats: int) -> str:
    """A row: the smallest differences, and in how many per cent of studies they are found."""
    name, spread, factors = world
    variants, seeds, images = design
    sets = np.repeat(np.arange(len(SETS[images])), SETS[images])
    contrasts = np.zeros((variants - 1, variants))
    contrasts[:, 0] = 1.0
    contrasts[np.arange(variants - 1), np.arange(1, variants)] = -1.0
    cells = []
    for alpha in (0.05, 0.05 / (variants * (variants - 1) // 2)):
        difference = smallest(
            spread, num_variants=variants, num_seeds=seeds, set_sizes=SETS[images], alpha=alpha
        )
        if difference is None:
            cells.append("none")
            continue
        generator = np.random.default_rng(design)
        hits = 0.0
        for _ in range(repeats):
            sums = Design(scores=draw(generator, spread, factors, difference, design), sets=sets).test(
                contrasts
            )
            hits += float(((sums.p_values() <= alpha) & (sums.estimates > 0)).mean())
        cells.append(f"{difference:.2f} dB: {100 * hits / repeats:.0f}")
    return f"| {name} | {' x '.join(map(str, design))} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    print("| spread | variants x seeds x images | one planned pair | first of all pairs |")
    print("|---|---|---:|---:|")
    for world in WORLDS:
        for design in DESIGNS:
            print(found(world, design, repeats), flush=True)


if __name__ == "__main__":
    main()
