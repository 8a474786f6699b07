"""How often do srlab's 95 % intervals hold the truth, and how often does Holm's family raise a false alarm?

    python benchmarks/coverage.py                  # the tables of docs/statistics.md, some minutes
    python benchmarks/coverage.py --repeats 500    # the same, roughly

Scores are drawn whose true difference is known, for designs of few seeds and images, and judged by srlab's
own code. Beside it stands what else could be used: Satterthwaite's or Cochran's quantile on the same
variance, and a percentile bootstrap that resamples seeds and images.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from srlab.verdicts.family import holm
from srlab.verdicts.intervals import infer, mean_squares, quantile

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]

DESIGNS = [(seeds, images) for seeds in (2, 3, 5, 10) for images in (5, 14, 19, 100)]
CLAIMED = [(seeds, images) for seeds in (3, 10) for images in (5, 19, 100)]


def normal(generator: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Mean 0, variance 1; as those below."""
    return generator.standard_normal(size)


def skewed(generator: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Exponential: a few images make most of the difference."""
    return generator.exponential(size=size) - 1


def mildly_skewed(generator: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Gamma of shape 4: skewness 1, as the PSNR differences of SRCNN's variants on Set5 and Set14 have."""
    return (generator.gamma(4.0, size=size) - 4) / 2


def heavy_tailed(generator: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Student's t with 5 degrees of freedom."""
    return generator.standard_t(5, size=size) / math.sqrt(5 / 3)


@dataclass(frozen=True)
class World:
    """How differences spread: standard deviations in dB between trainings, images and cells."""

    name: str
    trainings: float
    images: float
    cells: float
    of_images: Draw = normal

    def draw(self, generator: np.random.Generator, num_seeds: int, num_images: int) -> NDArray[np.float64]:
        """Differences [seeds, images] whose true mean is 0."""
        return np.asarray(
            self.trainings * generator.standard_normal((num_seeds, 1))
            + self.images * self.of_images(generator, (1, num_images))
            + self.cells * generator.standard_normal((num_seeds, num_images))
        )


WORLDS = [
    World("usual: images 0.35 dB, trainings 0.08, cells 0.05", 0.08, 0.35, 0.05),
    World("usual, mildly skewed images", 0.08, 0.35, 0.05, mildly_skewed),
    World("usual, heavy-tailed images", 0.08, 0.35, 0.05, heavy_tailed),
    World("usual, very skewed images", 0.08, 0.35, 0.05, skewed),
    World("trainings as images", 0.35, 0.35, 0.05),
    World("trainings only", 0.35, 0.0, 0.0),
    World("images only", 0.0, 0.35, 0.0),
    World("neither: cells only", 0.0, 0.0, 0.35),
]


def held_by_srlab(block: NDArray[np.float64]) -> bool:
    """Whether srlab's interval holds 0."""
    parts = mean_squares([block])
    return bool(abs(block.mean()) <= quantile(parts.weights, 0.025) * math.sqrt(parts.variance))


def held_by_satterthwaite(block: NDArray[np.float64]) -> bool:
    """The same variance with Satterthwaite's degrees of freedom."""
    parts = mean_squares([block])
    df = 1 / sum(weight**2 / of for weight, of in parts.weights)
    return bool(abs(block.mean()) <= stats.t.ppf(0.975, df) * math.sqrt(parts.variance))


def held_by_cochran(block: NDArray[np.float64]) -> bool:
    """The same variance with Student's quantiles weighted by its parts."""
    parts = mean_squares([block])
    q = sum(weight * stats.t.ppf(0.975, df) for weight, df in parts.weights)
    return bool(abs(block.mean()) <= q * math.sqrt(parts.variance))


def held_by_bootstrap(block: NDArray[np.float64], generator: np.random.Generator) -> bool:
    """Percentiles of 400 resamples of seeds and of images."""
    num_seeds, num_images = block.shape
    rows = generator.integers(num_seeds, size=(400, num_seeds, 1))
    columns = generator.integers(num_images, size=(400, 1, num_images))
    means = block[rows, columns].mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return bool(low <= 0 <= high)


def share(count: int, repeats: int) -> str:
    """In percent."""
    return f"{100 * count / repeats:.1f}"


def coverage_table(repeats: int) -> None:
    """A row for each world, a column for each design."""
    print("| spread of the differences | " + " | ".join(f"{m} x {n}" for m, n in DESIGNS) + " |")
    print("|---|" + "---:|" * len(DESIGNS))
    for world in WORLDS:
        row = []
        for design in DESIGNS:
            generator = np.random.default_rng(design)
            held = sum(held_by_srlab(world.draw(generator, *design)) for _ in range(repeats))
            row.append(share(held, repeats))
        print(f"| {world.name} | " + " | ".join(row) + " |", flush=True)


def method_table(repeats: int) -> None:
    """srlab's beside the others, in the usual world and where trainings spread as images do."""
    print("| spread, seeds x images | srlab | Satterthwaite | Cochran | percentile bootstrap |")
    print("|---|---:|---:|---:|---:|")
    for world in (WORLDS[0], WORLDS[4]):
        for design in CLAIMED:
            generator = np.random.default_rng(design)
            blocks = [world.draw(generator, *design) for _ in range(repeats)]
            few = blocks[: max(1, repeats // 4)]
            print(
                f"| {world.name}, {design[0]} x {design[1]} "
                f"| {share(sum(map(held_by_srlab, blocks)), repeats)} "
                f"| {share(sum(map(held_by_satterthwaite, blocks)), repeats)} "
                f"| {share(sum(map(held_by_cochran, blocks)), repeats)} "
                f"| {share(sum(held_by_bootstrap(block, generator) for block in few), len(few))} |",
                flush=True,
            )


def alarms_table(repeats: int) -> None:
    """Seven equal variants: how often any of the 21 pairs, or of the 6 against the base, is told apart."""
    print("| spread, seeds x images | any of 21 pairs | any of 6 against the base |\n|---|---:|---:|")
    for world, design in product((WORLDS[0], WORLDS[4]), CLAIMED):
        generator = np.random.default_rng(design)
        pairs_alarmed = base_alarmed = 0
        for _ in range(repeats):
            # Each variant has a spread of its own, so that differences have twice its variance.
            scores = [world.draw(generator, *design) / math.sqrt(2) for _ in range(7)]
            p_values = {
                (a, b): infer([scores[a] - scores[b]], level=0.95).p_value
                for a, b in combinations(range(7), 2)
            }
            pairs_alarmed += any(p is not None and p <= 0.05 for p in holm(list(p_values.values())))
            of_base = [p for (a, _), p in p_values.items() if a == 0]
            base_alarmed += any(p is not None and p <= 0.05 for p in holm(of_base))
        shares = share(pairs_alarmed, repeats), share(base_alarmed, repeats)
        print(f"| {world.name}, {design[0]} x {design[1]} | {shares[0]} | {shares[1]} |", flush=True)


def one_seed_table(repeats: int) -> None:
    """One seed: its interval over images, of these networks, and the same misread as of the variants."""
    print("| images | of these networks | misread as of the variants |\n|---:|---:|---:|")
    world = WORLDS[0]
    for num_images in (5, 14, 19, 100):
        generator = np.random.default_rng(num_images)
        of_networks = of_variants = 0
        for _ in range(repeats):
            training = world.trainings * generator.standard_normal()
            spread = math.hypot(world.images, world.cells)
            images = training + spread * generator.standard_normal((1, num_images))
            interval = infer([images], level=0.95).interval
            assert interval is not None
            of_networks += interval.low <= training <= interval.high
            of_variants += interval.low <= 0 <= interval.high
        shares = share(of_networks, repeats), share(of_variants, repeats)
        print(f"| {num_images} | {shares[0]} | {shares[1]} |", flush=True)


def far_out_table() -> None:
    """Alarms in multiples of the error rate, the worst over all proportions of trainings and images.

    For two independent mean squares, by quadrature over both: nothing is drawn.
    """
    print("| seeds x images, error rate | Satterthwaite | the middle | Cochran |\n|---|---:|---:|---:|")
    places, weights = np.polynomial.legendre.leggauss(80)
    even = (places + 1) / 2
    probabilities, weights = (
        even**2 * (3 - 2 * even),
        weights / 2 * 6 * even * (1 - even),
    )  # denser at the ends
    for seeds, images in ((2, 19), *CLAIMED):
        dfs = seeds - 1, images - 1
        first, second = (stats.chi2.ppf(probabilities, df) / df for df in dfs)
        for alpha in (0.05, 0.01, 0.001):
            worst = np.zeros(3)
            for proportion in (0.001, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 0.95, 0.999):
                one, two = proportion * first[:, None], (1 - proportion) * second[None]
                total = one + two
                df = total**2 / (one**2 / dfs[0] + two**2 / dfs[1])
                satterthwaite = stats.t.isf(alpha / 2, df)
                q = [stats.t.isf(alpha / 2, of) for of in dfs]
                cochran = (one * q[0] + two * q[1]) / total
                for index, used in enumerate((satterthwaite, (satterthwaite + cochran) / 2, cochran)):
                    alarms = 2 * stats.norm.sf(used * np.sqrt(total)) * weights[:, None] * weights[None]
                    worst[index] = max(worst[index], alarms.sum() / alpha)
            numbers = " | ".join(f"{ratio:.2f}" for ratio in worst)
            print(f"| {seeds} x {images}, {100 * alpha:g} % | {numbers} |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10_000)
    repeats = parser.parse_args().repeats
    coverage_table(repeats)
    print()
    method_table(max(4, repeats // 2))
    print()
    far_out_table()
    print()
    one_seed_table(repeats // 4)
    print()
    alarms_table(max(1, repeats // 10))


if __name__ == "__main__":
    main()
