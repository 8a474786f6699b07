"""Test images one by one: what each variant made of them, and where the variants disagree most."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from srlab.verdicts.cells import Cells
from srlab.verdicts.values import BICUBIC, ImageRow, metric_of


def image_rows(cells: Cells, variants: Sequence[str], metrics: Sequence[str]) -> tuple[ImageRow, ...]:
    """Every test image under every metric; those on which psnr_y differs most between variants come first."""
    rows = []
    for metric in metrics:
        for test_set, images in cells.test_sets.items():
            means = {
                name: found
                for name in (*variants, BICUBIC)
                if (found := _mean_by_image(cells, name, test_set, metric)) is not None
            }
            rows += [
                _image_row(test_set, image, metric, {name: float(of[at]) for name, of in means.items()})
                for at, image in enumerate(images)
                if means
            ]
    by_psnr = {(row.test_set, row.image): row.disagreement or 0.0 for row in rows if row.metric == "psnr_y"}
    return tuple(sorted(rows, key=lambda row: -by_psnr.get((row.test_set, row.image), 0.0)))


def _mean_by_image(cells: Cells, variant: str, test_set: str, metric: str) -> NDArray[np.float64] | None:
    seeds = cells.seeds(variant, scope=test_set, metric=metric)
    if not seeds:
        return None
    return np.asarray(np.mean([cells.scores[variant][seed][(test_set, metric)] for seed in seeds], axis=0))


def _image_row(test_set: str, image: str, metric: str, values: dict[str, float]) -> ImageRow:
    of_variants = {name: value for name, value in values.items() if name != BICUBIC}
    disagreement, best, worst = None, "", ""
    if len(of_variants) > 1:
        order = sorted(of_variants, key=lambda name: of_variants[name])
        low, high = of_variants[order[0]], of_variants[order[-1]]
        disagreement = 0.0 if low == high else high - low
        worst, best = (order[-1], order[0]) if metric_of(metric).is_lower_better else (order[0], order[-1])
    return ImageRow(
        test_set=test_set,
        image=image,
        metric=metric,
        values=values,
        disagreement=disagreement,
        best=best,
        worst=worst,
    )
