"""What a study will be able to see, before it is run: the smallest difference that is found with 80 %.

The model is that of `srlab.verdicts.inference`, with the spreads assumed: of trainings, and of images, whose
spread grows with the difference itself. docs/statistics.md says how well that holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np

from srlab.errors import UserError
from srlab.folder import store
from srlab.verdicts.inference import Design, Parts
from srlab.verdicts.judging import judge
from srlab.verdicts.spreads import Array
from srlab.verdicts.values import ALL_SETS, Verdicts

DIFFERENCES = tuple(np.geomspace(0.01, 2.0, 25).tolist())  # dB, of a power curve
WANTED = 0.8  # the power that a plan speaks of
_DRAWS = 4000
_STUDIES, _PAIRS = 150, 10  # that are drawn for what srlab estimates, and the pairs of each
_RUNS = 20_000  # of all drawn studies, where they are large: then each estimate varies little
_HALVINGS = 14
_SMALLEST, _LARGEST = 1e-4, 10.0  # dB
_FEWEST_PAIRS = 3  # with fewer, nothing shows how the spread between images grows


@dataclass(frozen=True, kw_only=True)
class Spreads:
    """Standard deviations in dB: `trainings` of one variant's, and of a difference between images.

    The latter is `images` for a small difference, and grows by `share` of the difference. `source` says where
    they are from.
    """

    trainings: float
    images: float
    share: float
    source: str


# Of docs/results/c4_rdn. Trainings of the studies C3 and C5 differ by 0.015 and 0.085 dB.
DEFAULT = Spreads(trainings=0.06, images=0.013, share=0.92, source="the published study C4 (RDN x2)")


@dataclass(frozen=True, kw_only=True)
class Sight:
    """The smallest differences in dB that so many seeds and images tell apart with 80 %.

    `one_pair` is of a planned comparison, `first_pair` of any pair before others of the study are told apart.
    None: no difference is found so often, however large.
    """

    seeds: int
    images: int
    one_pair: float | None
    first_pair: float | None


@dataclass(frozen=True, kw_only=True)
class PowerCurve:
    """With so many seeds and images: how often, from 0 to 1, each of `DIFFERENCES` is `found`.

    It is the first pair of all that is told apart, so by the strictest of Holm's corrections.
    """

    seeds: int
    images: int
    found: tuple[float, ...]


def spread_of(verdicts: Verdicts) -> Spreads | None:
    """What a study's verdicts tell of spreads, by psnr_y; None where no pair has two seeds and two images."""
    table = next(
        (one for one in verdicts.tables if one.scope == ALL_SETS and one.metric == "psnr_y"),
        next((one for one in verdicts.tables if one.metric == "psnr_y"), None),
    )
    found = []
    for pair in table.pairs if table is not None else ():
        whole, fixed = pair.interval, pair.on_these_images
        if pair.estimate is None or whole is None or fixed is None or len(pair.seeds) < 2:
            continue
        of_images = max(0.0, whole.standard_error**2 - fixed.standard_error**2) * pair.num_images
        found.append((fixed.standard_error**2 * len(pair.seeds) / 2, of_images, pair.estimate**2))
    if not found:
        return None
    trainings, images, squares = np.array(found).T
    base, share = DEFAULT.images, DEFAULT.share
    if len(found) >= _FEWEST_PAIRS and (images > 0).all():
        from scipy.optimize import nnls  # type: ignore[import-untyped]  # half a second

        # Relative errors count, or the pairs that differ most would decide alone.
        fitted, _ = nnls(np.stack([1 / images, squares / images], axis=1), np.ones(len(images)))
        base, share = (float(root) for root in np.sqrt(fitted))
    return Spreads(
        trainings=float(np.sqrt(np.median(trainings))),
        images=base,
        share=share,
        source=f"the study {verdicts.study}",
    )


def earlier_spread(folder: Path, *, variants: Sequence[str], scale: int) -> Spreads:
    """Of the study in `folder`, else of one beside it with the same scale, else the default.

    Of several, the one with most variants in common is taken, then the one with most runs.
    """
    for place in (folder, *_beside(folder, variants=variants, scale=scale)):
        try:
            found = spread_of(judge(place)) if store.is_study(place) else None
        except (UserError, OSError):
            continue
        if found is not None:
            return found
    return DEFAULT


def _beside(folder: Path, *, variants: Sequence[str], scale: int) -> Iterator[Path]:
    places = []
    if folder.parent.is_dir():
        for place in sorted(folder.parent.iterdir()):
            try:
                study = store.load_study(place) if place != folder and store.is_study(place) else None
            except (UserError, OSError):
                continue
            if study is not None and study.scale == scale:
                common = {variant.name for variant in study.variants} & set(variants)
                places.append((-len(common), -len(study.runs), place))
    return (place for *_, place in sorted(places))


def sights(
    spread: Spreads,
    *,
    num_variants: int,
    num_seeds: int,
    set_sizes: Sequence[int],
    level: float = 0.95,
    looks: Mapping[int, float] | None = None,
) -> list[Sight]:
    """What a study sees as it is planned, with five seeds, with 100 images more, and with both.

    Five seeds and more images are left out where the study has as many. `looks` are the error rates by number
    of seeds, of a study that adds seeds until it is decided.
    """
    rates = looks or dict.fromkeys([num_seeds, *([5] if num_seeds < 5 else [])], 1 - level)
    sets = [tuple(set_sizes), *([(*set_sizes, 100)] if sum(set_sizes) < 100 else [])]
    num_pairs = max(1, num_variants * (num_variants - 1) // 2)
    return [
        Sight(
            seeds=count,
            images=sum(sizes),
            **{
                name: smallest(
                    spread, num_variants=num_variants, num_seeds=count, set_sizes=sizes, alpha=error / tests
                )
                for name, tests in (("one_pair", 1), ("first_pair", num_pairs))
            },
        )
        for sizes in sets
        for count, error in rates.items()
    ]


def power_curves(verdicts: Verdicts) -> list[PowerCurve]:
    """How often differences are found by a study with the spreads that this one has, by psnr_y.

    The first curve is of the study's own seeds and test images. Then come more seeds, more images, and both.
    Empty where the study tells no spreads.
    """
    spread, ranked = spread_of(verdicts), verdicts.ranks()
    if spread is None or len(ranked) < 2:
        return []
    table = verdicts.table(metric="psnr_y")
    counts = [len(row.seeds) for row in table.rows if row.variant in ranked] if table is not None else []
    num_seeds = min(counts, default=0)
    sizes = tuple(map(len, verdicts.test_sets.values()))
    if num_seeds < 2 or sum(sizes) < 2:
        return []
    more_sizes = [(*sizes, 100)] if sum(sizes) < 100 else []
    alpha = verdicts.rules.error / (len(ranked) * (len(ranked) - 1) // 2)
    return [
        PowerCurve(
            seeds=seeds,
            images=sum(images),
            found=tuple(
                power(
                    difference,
                    spread,
                    num_variants=len(ranked),
                    num_seeds=seeds,
                    set_sizes=images,
                    alpha=alpha,
                )
                for difference in DIFFERENCES
            ),
        )
        for images in (sizes, *more_sizes)
        for seeds in (num_seeds, 2 * num_seeds)
    ]


def smallest(
    spread: Spreads, *, num_variants: int, num_seeds: int, set_sizes: Sequence[int], alpha: float
) -> float | None:
    """The smallest difference in dB that is found with a power of 80 % at the error rate `alpha`."""
    if num_seeds < 2 or sum(set_sizes) < 2 or num_variants < 2:
        return None
    low, high = np.log(_SMALLEST), np.log(_LARGEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = power(
            float(np.exp(middle)),
            spread,
            num_variants=num_variants,
            num_seeds=num_seeds,
            set_sizes=set_sizes,
            alpha=alpha,
        )
        low, high = (low, middle) if found >= WANTED else (middle, high)
    return None if high == np.log(_LARGEST) else float(np.exp(high))


def power(
    difference: float,
    spread: Spreads,
    *,
    num_variants: int,
    num_seeds: int,
    set_sizes: Sequence[int],
    alpha: float,
) -> float:
    """The probability that a pair that differs by `difference` dB is told apart at the error rate `alpha`.

    Drawn, always with the same numbers. The trainings of all variants differ alike, and how much srlab takes
    them to differ is srlab's own estimate.
    """
    sizes = np.array(set_sizes, dtype=float)
    # The images' degrees of freedom: Satterthwaite's, over sets of one spread.
    own = np.where(sizes > 1, sizes - 1, (sizes - 1).sum())
    images_df = sizes.sum() ** 2 / (sizes**2 / own).sum()
    of_images = (spread.images**2 + (spread.share * difference) ** 2) / sizes.sum()
    of_trainings = 2 * spread.trainings**2 / num_seeds
    variances, dfs = _estimates(num_variants, num_seeds)
    generator = np.random.default_rng(0)
    found = difference + np.sqrt(of_images + of_trainings) * generator.standard_normal(_DRAWS)
    drawn = of_images * generator.chisquare(images_df, _DRAWS) / images_df
    parts = Parts(
        variances=np.stack([of_trainings * variances, drawn], axis=1),
        dfs=np.stack([dfs, np.full(_DRAWS, images_df)], axis=1),
    )
    return float(np.mean((found > 0) & (parts.p_values(found / np.sqrt(parts.total)) <= alpha)))


@lru_cache(maxsize=64)
def _estimates(num_variants: int, num_seeds: int) -> tuple[Array, Array]:
    """What srlab estimates of the variance that trainings bring a pair whose true one is 1, and the dfs."""
    generator = np.random.default_rng(1)
    if num_variants == 2:  # nothing is shared
        df = num_seeds - 1
        return generator.chisquare(df, _DRAWS) / df, np.full(_DRAWS, float(df))
    pairs = list(combinations(range(num_variants), 2))[:_PAIRS]
    contrasts = np.zeros((len(pairs), num_variants))
    for row, (one, other) in enumerate(pairs):
        contrasts[row, one], contrasts[row, other] = 1.0, -1.0
    found = []
    for _ in range(max(10, min(_STUDIES, _RUNS // (num_variants * num_seeds)))):
        scores = np.sqrt(num_seeds / 2) * generator.standard_normal((num_variants, num_seeds, 1))
        parts = Design(scores=scores, sets=np.zeros(1, int)).test(contrasts).parts
        found.append(np.stack([parts.variances[:, 0], parts.dfs[:, 0]], axis=1))
    variances, dfs = np.resize(np.concatenate(found), (_DRAWS, 2)).T
    return variances, dfs
