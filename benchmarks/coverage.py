"""How often do srlab's 95 % intervals hold the truth, and its families raise a false alarm? What is found?

    python benchmarks/coverage.py                  # the tables of docs/statistics.md, some minutes
    python benchmarks/coverage.py --repeats 100    # the same, roughly

Scores are drawn whose true differences are known, and judged by srlab's own code. Beside it stands the rule
that srlab had before: each test set counts once, and each pair by itself tells how much trainings differ.
"""

import argparse
import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]
from scipy.special import stdtrit  # type: ignore[import-untyped]

from srlab.verdicts import infer
from srlab.verdicts.inference import Design, Parts
from srlab.verdicts.spreads import Array

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

SETS = {5: (5,), 19: (5, 14), 119: (5, 14, 100)}
EFFECT = 0.3  # dB, that is to be found
PUBLISHED = Path(__file__).parents[1] / "docs" / "results" / "srcnn" / "tables"


def normal(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Mean 0, variance 1; as those below."""
    return generator.standard_normal(size)


def skewed(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Exponential: a few images make most of a difference."""
    return generator.exponential(size=size) - 1


def heavy_tailed(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
    """Student's t with 5 degrees of freedom."""
    return generator.standard_t(5, size=size) / math.sqrt(5 / 3)


def multiplicative(generator: np.random.Generator, size: tuple[int, ...]) -> Array:
    """In proportion to each image's gain over bicubic, which is the same for all variants (lognormal)."""
    gains = generator.lognormal(0, 0.6, size=(1, *size[1:]))
    return np.asarray(gains / math.exp(0.36) * generator.standard_normal(size))


@dataclass(frozen=True)
class World:
    """How differences of two spread: standard deviations in dB between trainings, images and cells.

    The first set's images spread `first_set` times as much as the others. `factors` are of the trainings'
    spread, by variant, in turn. A variant whose training dips falls by
    `dip` dB with probability 0.2; the first one does, and what it loses on average counts as its own.
    """

    name: str
    trainings: float = 0.08
    images: float = 0.35
    cells: float = 0.05
    of_images: Draw = normal
    factors: Sequence[float] = field(default=(1.0,))
    dip: float = 0.0
    first_set: float = 1.0

    def draw(self, generator: np.random.Generator, variants: int, seeds: int, images: int) -> Array:
        """Scores [variants, seeds, images] whose true differences are 0."""
        factors = np.resize(self.factors, variants)[:, None, None]
        trainings = self.trainings * factors * generator.standard_normal((variants, seeds, 1))
        dips = generator.random((1, seeds, 1)) < 0.2
        trainings[:1] -= self.dip * (dips - 0.2)
        own = self.images * self.of_images(generator, (variants, 1, images))
        own[:, :, : SETS[images][0]] *= self.first_set
        cells = self.cells * generator.standard_normal((variants, seeds, images))
        return np.asarray((trainings + own + cells) / math.sqrt(2))


WORLDS = [
    World("usual: images 0.35 dB, trainings 0.08, cells 0.05"),
    World("usual, skewed images", of_images=skewed),
    World("usual, heavy-tailed images", of_images=heavy_tailed),
    World("usual, multiplicative images", of_images=multiplicative),
    World("usual, set5 spreads twice as much", first_set=2.0),
    World("trainings as images", trainings=0.35),
    World("unequal trainings (factors 1/2 to 2)", factors=(2.0, 0.5, 1.0, 1.4, 0.7, 1.0, 0.5)),
    World("one wild variant (10 times)", factors=(10.0, *[1.0] * 20)),
    World("unequal, and trainings alone differ", images=0.05, factors=(2.0, 0.5, 1.0, 1.4, 0.7, 1.0, 0.5)),
    World("one variant dips by 0.8 dB", dip=0.8 * math.sqrt(2)),
    World("one variant dips by 0.3 dB", dip=0.3 * math.sqrt(2)),
]
DESIGNS = [(2, 3, 19), (4, 3, 19), (7, 2, 19), (7, 3, 5), (7, 3, 19), (7, 3, 119), (7, 5, 119), (7, 10, 119)]


def all_pairs(variants: int) -> Array:
    """A row for each pair: the first less the second."""
    pairs = list(combinations(range(variants), 2))
    contrasts = np.zeros((len(pairs), variants))
    for row, (one, two) in enumerate(pairs):
        contrasts[row, one], contrasts[row, two] = 1.0, -1.0
    return contrasts


def set_of(images: int) -> NDArray[np.int_]:
    """The number of each image's test set."""
    return np.repeat(np.arange(len(SETS[images])), SETS[images])


@dataclass(frozen=True)
class Judged:
    """Estimates of all pairs with their standard errors; `rejects` by their ratio and the error rate."""

    estimates: Array
    errors: Array
    rejects: Callable[[Array, float], NDArray[np.bool_]]

    def is_apart(self, alpha: float, *, truth: float = 0.0) -> NDArray[np.bool_]:
        """Which pairs are told apart from `truth`."""
        return self.rejects((self.estimates - truth) / self.errors, alpha)


def by_srlab(scores: Array, images: int) -> Judged:
    """All images once, and what all variants tell of trainings."""
    sums = Design(scores=scores, sets=set_of(images)).test(all_pairs(len(scores)))

    def rejects(ratios: Array, alpha: float) -> NDArray[np.bool_]:
        return np.asarray(sums.parts.p_values(ratios) <= alpha)

    return Judged(sums.estimates, np.sqrt(sums.parts.total), rejects)


def as_before(scores: Array, images: int) -> Judged:
    """Each set once, each pair by itself; between Satterthwaite's and Cochran's quantile."""
    sets, (seeds,) = set_of(images), scores.shape[1:2]
    differences = np.tensordot(all_pairs(len(scores)), scores, axes=1)  # [pairs, seeds, images]
    per_seed, parts, dfs, cells = [], [], [], []
    for number in range(sets.max() + 1):
        block = differences[:, :, sets == number]
        count = block.shape[2]
        per_seed.append(block.mean(axis=2))
        weight = count * (sets.max() + 1) ** 2
        parts.append(block.mean(axis=1).var(axis=1, ddof=1) / weight)
        dfs.append(count - 1)
        left = block - block.mean(axis=2, keepdims=True) - block.mean(axis=1, keepdims=True)
        left += block.mean(axis=(1, 2), keepdims=True)
        df = (seeds - 1) * (count - 1)
        cells.append((left**2).sum(axis=(1, 2)) / df / seeds / weight)
    of_seeds = np.mean(per_seed, axis=0)
    trainings = of_seeds.var(axis=1, ddof=1) / seeds
    of_images = np.array(parts)
    variance = np.maximum(
        trainings + np.maximum(of_images - np.array(cells), 0).sum(axis=0), of_images.sum(axis=0)
    )
    all_parts, all_dfs = np.stack([trainings, *of_images], axis=1), np.array([seeds - 1, *dfs], float)
    shares = all_parts / all_parts.sum(axis=1, keepdims=True)

    def rejects(ratios: Array, alpha: float) -> NDArray[np.bool_]:
        caution = min(1.0, max(0.5, 0.5 + 0.5 * math.log(0.05 / alpha) / math.log(5))) if seeds > 2 else 1.0
        cochran = -(shares * stdtrit(all_dfs, alpha / 2)).sum(axis=1)
        satterthwaite = -stdtrit(1 / (shares**2 / all_dfs).sum(axis=1), alpha / 2)
        return np.asarray(np.abs(ratios) > caution * cochran + (1 - caution) * satterthwaite)

    return Judged(of_seeds.mean(axis=1), np.sqrt(variance), rejects)


RULES = {"before": as_before, "now": by_srlab}


def world_table(repeats: int) -> None:
    """Coverage, alarms among all pairs, and how often 0.3 dB is found among them, before and now."""
    print("| spread | variants x seeds x images | coverage | any false alarm | 0.3 dB found |")
    print("|---|---:|---:|---:|---:|")
    for world in WORLDS:
        for design in DESIGNS:
            generator = np.random.default_rng(design)
            counts = {name: np.zeros(3) for name in RULES}
            for _ in range(repeats):
                scores = world.draw(generator, *design)
                for name, rule in RULES.items():
                    judged = rule(scores, design[2])
                    alpha = 0.05 / len(judged.estimates)  # what the first of Holm's tests has
                    counts[name] += (
                        1 - judged.is_apart(0.05).mean(),
                        judged.is_apart(alpha).any(),
                        judged.is_apart(alpha, truth=EFFECT).mean(),
                    )
            cells = [
                " -> ".join(f"{100 * counts[name][k] / repeats:.1f}" for name in RULES) for k in range(3)
            ]
            print(f"| {world.name} | {' x '.join(map(str, design))} | {' | '.join(cells)} |", flush=True)


def _of_one_df(parts: Parts, ratios: Array) -> Array:
    """Satterthwaite's p-values."""
    return np.asarray(2 * stats.t.sf(ratios, parts.satterthwaite))


def _of_parts(parts: Parts, ratios: Array) -> Array:
    """The parts' own p-values, weighted by the parts."""
    shares = parts.variances / parts.total[:, None]
    return np.asarray(2 * (shares * stats.t.sf(ratios[:, None], parts.dfs)).sum(axis=1))


def far_out_table() -> None:
    """Alarms in multiples of the error rate, the worst over proportions of two parts; nothing is drawn."""
    print("| degrees of freedom, error rate | Satterthwaite | srlab | the parts' |\n|---|---:|---:|---:|")
    places, weights = np.polynomial.legendre.leggauss(60)
    even = (places + 1) / 2
    at, weights = even**2 * (3 - 2 * even), weights / 2 * 6 * even * (1 - even)  # denser at the ends
    for dfs in ((2, 18), (4, 18), (8, 18)):
        draws = np.meshgrid(*(stats.chi2.ppf(at, df) / df for df in dfs), indexing="ij")
        share = np.outer(weights, weights).ravel()
        for alpha in (0.05, 0.01, 0.001):
            worst = np.zeros(3)
            for proportion in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
                variances = np.stack([proportion * draws[0], (1 - proportion) * draws[1]], axis=-1)
                parts = Parts(variances=variances.reshape(-1, 2), dfs=np.broadcast_to(dfs, (len(share), 2)))
                rules: tuple[Callable[[Array], Array], ...] = (
                    partial(_of_one_df, parts),
                    parts.p_values,
                    partial(_of_parts, parts),
                )
                for index, rule in enumerate(rules):
                    low, high = np.full(len(share), 1.0), np.full(len(share), 500.0)
                    for _ in range(30):
                        middle = np.sqrt(low * high)
                        is_short = rule(middle) > alpha
                        low, high = np.where(is_short, middle, low), np.where(is_short, high, middle)
                    alarms = (2 * stats.norm.sf(low * np.sqrt(parts.total)) * share).sum() / alpha
                    worst[index] = max(worst[index], alarms)
            numbers = " | ".join(f"{ratio:.2f}" for ratio in worst)
            print(f"| {dfs[0]} and {dfs[1]}, {100 * alpha:g} % | {numbers} |", flush=True)


def one_seed_table(repeats: int) -> None:
    """One seed, if its intervals were read as being about the variants: any false alarm among 21 pairs."""
    print("| images | any false alarm, misread |\n|---:|---:|")
    for images in SETS:
        generator = np.random.default_rng(images)
        judged = (by_srlab(WORLDS[0].draw(generator, 7, 1, images), images) for _ in range(repeats))
        alarms = sum(bool(one.is_apart(0.05 / 21).any()) for one in judged)
        print(f"| {images} | {100 * alarms / repeats:.1f} |", flush=True)


def equality_table(repeats: int) -> None:
    """Seven variants that are equal, and seven of which one lies 0.1 dB above the rest."""
    print("| variants x seeds x images, trainings | pairs shown to be equal | any wrongly at 0.1 dB |")
    print("|---|---:|---:|")
    for trainings in (0.03, 0.08):
        for design in ((7, 3, 19), (7, 3, 119), (7, 5, 119)):
            world = World("", trainings=trainings, images=0.1)
            generator = np.random.default_rng(design)
            equal = wrong = 0.0
            for _ in range(repeats):
                scores = world.draw(generator, *design)
                for shift in (0.0, 0.1):
                    found = infer({str(k): one + shift * (k == 0) for k, one in enumerate(scores)})
                    is_equal = {(p.variant, p.other): p.outcome == "equal" for p in found.pairs}
                    if shift:
                        wrong += any(value for pair, value in is_equal.items() if "0" in pair)
                    else:
                        equal += sum(is_equal.values()) / len(is_equal)
            label = f"{' x '.join(map(str, design))}, {trainings:g} dB"
            print(f"| {label} | {100 * equal / repeats:.1f} | {100 * wrong / repeats:.1f} |", flush=True)


def published() -> tuple[list[str], Array, NDArray[np.int_], Array]:
    """Of the published SRCNN study: names, means [variants, images], sets, and seeds' sd [variants, sets]."""
    with (PUBLISHED / "images-psnr_y.csv").open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["test_set"], reverse=True)
    names = [name for name in rows[0] if name.startswith("srcnn/")]
    sets = ["set5", "set14"]
    means = np.array([[float(row[name]) for row in rows] for name in names])
    spread = np.zeros((len(names), len(sets)))
    for place, name in enumerate(sets):
        with (PUBLISHED / f"leaderboard-{name}-psnr_y.csv").open(encoding="utf-8") as file:
            found = {row["variant"]: row["psnr_y_sd"] for row in csv.DictReader(file)}
        spread[:, place] = [float(found[one]) for one in names]
    return names, means, np.array([sets.index(row["test_set"]) for row in rows]), spread


def trainings_like_the_published(generator: np.random.Generator, spread: Array, *, exact: bool) -> Array:
    """Deviations [variants, 3 seeds, sets]; half of their variance is alike in all variants, as it was there.

    With `exact` the three seeds have just the standard deviations that were published.
    """
    z = math.sqrt(0.5) * generator.standard_normal((len(spread), 3))
    z += math.sqrt(0.5) * generator.standard_normal((1, 3))
    if exact:
        z = (z - z.mean(axis=1, keepdims=True)) / z.std(axis=1, ddof=1, keepdims=True)
    return np.asarray(z[:, :, None] * spread[:, None, :])


def published_table(repeats: int) -> None:
    """How many of its 21 pairs are decided, and how often one wrongly if its estimates were the truth."""
    names, means, sets, spread = published()
    generator = np.random.default_rng(0)
    decided, apart, wrongly = [], [], 0
    for index in range(repeats):
        exact = index % 2 == 0
        columns = np.arange(len(sets))
        if not exact:  # other images of the same kind: drawn again within each set
            columns = np.concatenate(
                [generator.choice(columns[sets == k], (sets == k).sum()) for k in (0, 1)]
            )
        draws = trainings_like_the_published(generator, spread, exact=exact)
        scores = means[:, None, columns] + draws[:, :, sets[columns]]
        found = infer(
            dict(zip(names, scores, strict=True)), test_sets=[f"set{sets[column]}" for column in columns]
        )
        if exact:
            decided.append(sum(pair.outcome != "undecided" for pair in found.pairs))
            apart.append(sum(pair.outcome in ("better", "worse") for pair in found.pairs))
            continue
        truth = {name: float(row.mean()) for name, row in zip(names, means, strict=True)}
        wrong = 0
        for pair in found.pairs:
            true = truth[pair.variant] - truth[pair.other]
            wrong += pair.outcome == "better" and true <= 0
            wrong += pair.outcome == "worse" and true >= 0
            wrong += pair.outcome == "equal" and abs(true) >= 0.1
        wrongly += wrong > 0
    print(
        f"published SRCNN study: {min(decided)} to {max(decided)} of 21 pairs decided (median "
        f"{np.median(decided):.0f}, {np.median(apart):.0f} of them told apart); any wrongly in "
        f"{100 * wrongly / (repeats // 2):.1f} % of {repeats // 2} studies drawn from its estimates"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    published_table(repeats)
    print()
    world_table(repeats)
    print()
    far_out_table()
    print()
    one_seed_table(repeats)
    print()
    equality_table(max(1, repeats // 4))


if __name__ == "__main__":
    main()
