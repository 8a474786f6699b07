"""The Python door: verdicts on plain arrays of scores, of srlab or of any other tool. No files, no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from srlab.declare.metrics import Metric
from srlab.errors import UserError
from srlab.verdicts.compare import make_table, scored_of
from srlab.verdicts.spreads import Array
from srlab.verdicts.values import BICUBIC, Difference, Rank, Weigh, checked_rules


@dataclass(frozen=True, kw_only=True)
class Inference:
    """What the scores say.

    `pairs` are all pairs of variants, each once, the one with the better mean first. `ranks` are by variant;
    with one seed there are none. `means` are by variant, best first, bicubic's among them. `to_bicubic` and
    `to_base` are by variant. `primary` is the planned pair, tested alone. `left_out` are (variant, seed) of
    runs that lack a score.
    """

    pairs: tuple[Difference, ...]
    ranks: Mapping[str, Rank]
    means: Mapping[str, float]
    to_base: Mapping[str, Difference]
    to_bicubic: Mapping[str, Difference]
    primary: Difference | None
    left_out: tuple[tuple[str, int], ...]


def infer(
    scores: Mapping[str, ArrayLike | Mapping[int, ArrayLike]],
    *,
    test_sets: Sequence[str] | None = None,
    bicubic: ArrayLike | None = None,
    base: str | None = None,
    primary: tuple[str, str] | None = None,
    metric: str = "psnr_y",
    lower_is_better: bool = False,
    level: float = 0.95,
    equal_within: float | None = 0.1,
    weigh: Weigh = "images",
) -> Inference:
    """Who is better, worse or equal, and which place each variant may have.

    Args:
        scores: by variant an array [seeds, images], or by seed an array [images]. Row k of an array is
            seed k. Variants may have other seeds than each other. A row with NaN is no run. Images are the
            same for all, in one order.
        test_sets: the name of each image's test set [images]; by default all are of one set.
        bicubic: scores [images] that every variant is compared with too. With them each difference is also
            told in per cent of a gain.
        base: the variant that `to_base` compares with; by default the first.
        primary: two variants whose comparison was planned before the scores were known.
        metric: what the scores are called.
        lower_is_better: of the scores, as LPIPS is.
        level: of intervals and tests, in [0.5, 1).
        equal_within: in the unit of the scores; a pair is equal if its difference is shown to be smaller.
            None: no pair is.
        weigh: "images" counts each image once, "sets" each test set.

    Raises:
        UserError: the arrays do not fit together, or a name is not one of the variants.

    >>> generator = np.random.default_rng(0)
    >>> image = generator.normal(30, 3, 40)
    >>> noise = lambda: generator.normal(0, 0.02, (3, 1)) + generator.normal(0, 0.05, (1, 40))
    >>> found = infer({"new": image + 0.3 + noise(), "old": image + noise(), "same": image + noise()})
    >>> [(pair.variant, pair.other, pair.outcome) for pair in found.pairs]
    [('new', 'old', 'better'), ('new', 'same', 'better'), ('old', 'same', 'equal')]
    >>> found.ranks["new"].best, found.ranks["old"].best, found.ranks["old"].worst
    (1, 2, 3)
    """
    if not scores:
        raise UserError("there are no scores; give at least one variant")
    if BICUBIC in scores:
        raise UserError("bicubic is no variant: give its scores as bicubic=")
    rules = checked_rules(
        level=level, equal_within=0.1 if equal_within is None else equal_within, weigh=weigh
    )
    rows = {name: _rows(name, of) for name, of in scores.items()}
    counts = {len(row) for of in rows.values() for row in of.values()}
    baseline = None if bicubic is None else _one(bicubic, what="bicubic")
    if baseline is not None:
        counts.add(len(baseline))
    if len(counts) != 1 or not (num_images := counts.pop()):
        raise UserError("every variant, seed and bicubic must have a score of each image, in one order")
    names = [""] * num_images if test_sets is None else [str(name) for name in test_sets]
    if len(names) != num_images:
        raise UserError(f"test_sets has {len(names)} names for {num_images} images")
    for name in (*([base] if base is not None else []), *(primary or ())):
        if name not in rows:
            raise UserError(f"there is no variant {name!r}; there are {', '.join(rows)}")
    if primary is not None and (len(primary) != 2 or primary[0] == primary[1]):
        raise UserError("a planned comparison is of two different variants")
    scored = scored_of(
        {
            name: {seed: row for seed, row in of.items() if not np.isnan(row).any()}
            for name, of in rows.items()
        },
        names,
        baseline,
        metric=Metric(metric, better="lower" if lower_is_better else "higher"),
        band=equal_within,
        rules=rules,
    )
    table = make_table(scored, list(rows), base=base or next(iter(rows)))
    planned = scored.differences([primary]) if primary is not None else []
    return Inference(
        pairs=table.pairs,
        ranks={row.variant: row.rank for row in table.rows if row.rank is not None},
        means={row.variant: row.mean for row in table.rows if row.mean is not None},
        to_base={row.variant: row.to_base for row in table.rows if row.to_base is not None},
        to_bicubic={row.variant: row.to_bicubic for row in table.rows if row.to_bicubic is not None},
        primary=planned[0] if planned else None,
        left_out=tuple(
            (name, seed) for name, of in rows.items() for seed, row in of.items() if np.isnan(row).any()
        ),
    )


def _rows(name: str, scores: ArrayLike | Mapping[int, ArrayLike]) -> dict[int, Array]:
    if isinstance(scores, Mapping):
        return {seed: _one(row, what=f"{name}, seed {seed}") for seed, row in scores.items()}
    values = np.asarray(scores, dtype=float)
    if values.ndim != 2:
        raise UserError(
            f"{name}: its scores are an array [seeds, images], not one of {values.ndim} dimensions"
        )
    return dict(enumerate(values))


def _one(scores: ArrayLike, *, what: str) -> Array:
    values = np.asarray(scores, dtype=float)
    if values.ndim != 1:
        raise UserError(f"{what}: its scores are an array [images], not one of {values.ndim} dimensions")
    return values
