"""The verdicts of a study, computed again from its ``scores.csv`` with NumPy and SciPy and nothing of srlab.

Written after docs/statistics.md, one number after the other, so that a reader can follow it.
"""

import csv
import gzip
import math
from collections.abc import Collection, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special, stats  # type: ignore[import-untyped]

from scored_study import ScoredStudy, noisy
from srlab.show.data_files import write_data
from srlab.verdicts import Table, judge, judge_scores, read_scores

RESULTS = Path(__file__).parents[1] / "docs" / "results"
GOLDEN = Path(__file__).parent / "golden" / "studies"
ALPHA, BAND = 0.05, 0.1

Array = NDArray[np.float64]


def read(path: Path, metric: str) -> tuple[list[str], Array, Array]:
    """Names of the variants, their scores [variants, seeds, images], and the set of each image."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == metric]
    images = list(dict.fromkeys((row["set"], row["image"]) for row in rows))
    variants = [name for name in dict.fromkeys(row["variant"] for row in rows) if name != "bicubic"]
    seeds = sorted({row["seed"] for row in rows if row["seed"]})
    scores = np.full((len(variants), len(seeds), len(images)), np.nan)
    for row in rows:
        if row["variant"] != "bicubic":
            place = variants.index(row["variant"]), seeds.index(row["seed"])
            scores[(*place, images.index((row["set"], row["image"])))] = float(row["value"])
    names = list(dict.fromkeys(name for name, _ in images))
    return variants, scores, np.array([names.index(name) for name, _ in images], dtype=float)


def prior(variances: Array, dfs: Array) -> tuple[float, float]:
    """The variance that all share and how many degrees of freedom that is worth (Smyth 2004)."""
    logs = np.log(variances) - special.digamma(dfs / 2) + np.log(dfs / 2)
    if len(logs) < 3:
        return float(np.average(variances, weights=dfs)), math.inf
    excess = np.var(logs, ddof=1) - special.polygamma(1, dfs / 2).mean()
    if excess <= 0:
        return math.exp(logs.mean()), math.inf
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-6, 1e9, xtol=1e-13, rtol=1e-14)
    return math.exp(logs.mean() + special.digamma(half) - math.log(half)), 2 * half


def find_wild(variances: Array, dfs: Array) -> set[int]:
    """At most a quarter of the variants: those whose spread the others cannot explain."""
    order = np.argsort(variances)
    for number in range(max(1, len(order) // 4), 0, -1):
        rest, suspect = order[:-number], order[-number]
        center, worth = prior(variances[rest], dfs[rest])
        worth = min(worth, dfs[rest].sum())
        if stats.f.sf(variances[suspect] / center, dfs[suspect], worth) < 0.01 / len(order):
            return set(order[-number:].tolist())
    return set()


def moderate(variances: Array, dfs: Array) -> tuple[Array, Array, float, set[int]]:
    """Each variance drawn up to the mean of all, its degrees of freedom, their sum, and who is wild."""
    raised = np.maximum(variances, 0.05 * np.median(variances[variances > 0]))
    wild = find_wild(raised, dfs) if len(variances) > 2 else set()
    calm = [place for place in range(len(variances)) if place not in wild]
    pooled = float(dfs[calm].sum())
    mean = np.average(variances[calm], weights=dfs[calm])
    worth = prior(raised[calm], dfs[calm])[1]
    found, worths = variances.astype(float), dfs.astype(float)
    for place in calm:
        own = 0.0 if math.isinf(worth) else dfs[place] / (worth + dfs[place])
        drawn = (1 - own) * mean + own * variances[place]
        found[place] = max(variances[place], drawn)
        uncertainty = drawn**2 / min(worth + dfs[place], pooled) + (found[place] - drawn) ** 2 / dfs[place]
        worths[place] = found[place] ** 2 / uncertainty
    return found, worths, pooled, wild


def spreads(means: Array) -> tuple[Array, Array, float, set[int]]:
    """Between the trainings of each variant, after what a seed brings all variants alike is taken out."""
    number, seeds = means.shape
    rough = moderate(means.var(axis=1, ddof=1), np.full(number, seeds - 1.0))[0]
    usual = np.median(rough)
    weights = np.ones(number) if number < 3 else usual / np.maximum(rough, usual)
    variant_of, seed_of = np.divmod(np.arange(number * seeds), seeds)
    design = np.hstack([np.eye(number)[variant_of], np.eye(seeds)[seed_of]])
    root = np.sqrt(np.repeat(weights, seeds))
    weighted = design * root[:, None]
    hat = weighted @ np.linalg.pinv(weighted)
    residuals = (means.ravel() - (hat @ (means.ravel() * root)) / root).reshape(number, seeds)
    dfs = (1 - np.diag(hat)).reshape(number, seeds).sum(axis=1)
    return moderate((residuals**2).sum(axis=1) / dfs, dfs)


def p_value(ratio: float, variances: Array, dfs: Array) -> float:
    """Two-sided: the parts' own with the weight 2 / (the fewest df), the rest Satterthwaite's."""
    shares = variances / variances.sum()
    own = 2 * (shares * stats.t.sf(ratio, dfs)).sum()
    caution = min(1.0, 2 / dfs[shares > 0].min())
    satterthwaite = 2 * stats.t.sf(ratio, 1 / (shares**2 / dfs).sum())
    return float(caution * own + (1 - caution) * satterthwaite)


def partitions(number: int, largest: int) -> Iterator[list[int]]:
    """All ways to write a number as a sum: of so many variants, groups that are equal."""
    if number == 0:
        yield []
    for first in range(min(number, largest), 0, -1):
        for rest in partitions(number - first, first):
            yield [first, *rest]


def corrected(p_values: list[float], true_at_once: Collection[int] = ()) -> list[float]:
    """Holm's p-values; with the numbers of hypotheses that may be true at once, Shaffer's (1986)."""
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = [0.0] * len(order), 0.0
    for place, index in enumerate(order):
        left = len(order) - place
        left = max([number for number in true_at_once if number <= left], default=left)
        largest = max(largest, min(1.0, left * p_values[index]))
        adjusted[index] = largest
    return adjusted


def recompute(path: Path, metric: str = "psnr_y") -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """Of each pair estimate, low, high, p after Holm and outcome; of each variant best and worst place."""
    variants, scores, sets = read(path, metric)
    num_seeds, num_images = scores.shape[1:]
    spread, spread_dfs, pooled, wild = spreads(scores.mean(axis=2))
    order = sorted(range(len(variants)), key=lambda place: -scores[place].mean())
    found, equal_p = {}, []
    for one, two in combinations(order, 2):
        by_image = (scores[one] - scores[two]).mean(axis=0)
        estimate = by_image.mean()
        parts = [spread[place] / num_seeds for place in (one, two)]
        uncertain = [part**2 / spread_dfs[place] for part, place in zip(parts, (one, two), strict=True)]
        calm = [index for index, place in enumerate((one, two)) if place not in wild]
        over = max(sum(uncertain[index] for index in calm), sum(parts[index] for index in calm) ** 2 / pooled)
        over += sum(uncertain[index] for index in (0, 1) if index not in calm)
        blocks = [by_image[sets == name] for name in np.unique(sets)]
        of_sets = [block.var(ddof=1) / len(block) * (len(block) / num_images) ** 2 for block in blocks]
        over_sets = sum(part**2 / (len(block) - 1) for part, block in zip(of_sets, blocks, strict=True))
        of = np.array([sum(parts), sum(of_sets)])  # of the trainings, and of the images
        worth = np.array([sum(parts) ** 2 / over, sum(of_sets) ** 2 / over_sets])
        error = math.sqrt(of.sum())
        half = error * optimize.brentq(lambda x, of=of, worth=worth: p_value(x, of, worth) - ALPHA, 0, 1e6)
        inside = BAND - abs(estimate)
        one_sided = p_value(abs(inside) / error, of, worth) / 2
        equal_p.append(one_sided if inside > 0 else 1 - one_sided)
        found[variants[one], variants[two]] = [
            estimate,
            estimate - half,
            estimate + half,
            p_value(abs(estimate) / error, of, worth),
        ]
    groups = partitions(len(variants), len(variants))
    together = {sum(math.comb(size, 2) for size in sizes) for sizes in groups}
    adjusted = corrected([values[3] for values in found.values()], together), corrected(equal_p)
    for values, p, equal in zip(found.values(), *adjusted, strict=True):
        outcome = "equal" if equal <= ALPHA else "undecided"
        values[3:] = [p, ("better" if values[0] > 0 else "worse") if p <= ALPHA else outcome]
    places = {
        name: (
            1 + sum(pair[1] == name and values[4] == "better" for pair, values in found.items()),
            len(variants) - sum(pair[0] == name and values[4] == "better" for pair, values in found.items()),
        )
        for name in variants
    }
    return found, places


def with_a_wild_variant(folder: Path) -> Path:
    study = ScoredStudy(folder, sets={"one": 14, "two": 5})
    for key, (name, gain, sd) in enumerate(
        [("a", 0.0, 0.02), ("b", 0.6, 0.02), ("c", 0.02, 0.02), ("d", 0.3, 0.9), ("e", 0.61, 0.03)]
    ):
        shift = np.random.default_rng(50 + key).normal(0, sd, (4, 1))
        scores = {
            test_set: noisy(30 + gain, seeds=4, images=images, sd=0.02, key=key) + shift
            for test_set, images in study.sets.items()
        }
        study.variant(f"net/{name}", scores)
    return study.write()


def agree(path: Path, table: Table) -> None:
    """The table's pairs and ranks are those that come out of the file `path`."""
    found, places = recompute(path)
    assert set(found) == {(pair.variant, pair.other) for pair in table.pairs}
    for pair in table.pairs:
        assert pair.interval is not None
        *numbers, outcome = found[pair.variant, pair.other]
        expected = [pair.estimate, pair.interval.low, pair.interval.high, pair.p_holm]
        assert numbers == pytest.approx(expected, rel=1e-6, abs=1e-9), (pair.variant, pair.other)
        assert outcome == pair.outcome
    ranks = {row.variant: row.rank for row in table.rows if row.rank is not None}
    assert places == {variant: (rank.best, rank.worst) for variant, rank in ranks.items()}


@pytest.mark.parametrize("name", ["golden", "wild"])
def test_the_pairs_and_ranks_of_a_study_come_out_of_its_file(name: str, tmp_path: Path) -> None:
    study = GOLDEN / "plain" if name == "golden" else with_a_wild_variant(tmp_path / "study")
    write_data(study, tmp_path / "data")
    table = judge(study).tables[0]
    agree(tmp_path / "data" / "scores.csv", table)
    if name == "wild":
        assert {pair.outcome for pair in table.pairs} == {"better", "equal", "undecided"}


@pytest.mark.parametrize("name", ["c3_edsr", "c4_rdn"])
def test_the_published_verdicts_come_out_of_the_published_scores(name: str) -> None:
    path = RESULTS / name / "scores.csv.gz"
    agree(path, judge_scores(read_scores(path)).tables[0])
