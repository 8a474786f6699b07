"""Distortion and perception together: what a study with an adversarial variant is ranked by."""

from collections.abc import Mapping

from srlab.show.grid import Column, Grid, GridRow
from srlab.show.tables.cells import RANK, VARIANT, name_cell, numbers_of, rank_cell, score_cell, titled
from srlab.verdicts import PERCEPTION, Verdicts, metric_of

DISTORTION = "psnr_y"


def means_of_both(verdicts: Verdicts) -> Mapping[str, Mapping[str, float | None]]:
    """By metric, distortion's first, the mean of each variant in the table that ranks."""
    perception = next((name for name in PERCEPTION if verdicts.table(metric=name) is not None), None)
    tables = {name: verdicts.table(metric=name) for name in (DISTORTION, perception) if name is not None}
    return {
        metric: {row.variant: row.mean for row in table.rows if row.variant in verdicts.variants}
        for metric, table in tables.items()
        if table is not None
    }


def plane_grid(verdicts: Verdicts) -> Grid:
    """Ranks by both, best first; no row where `Verdicts.plane` is empty."""
    means = means_of_both(verdicts)
    numbers = numbers_of(verdicts)
    return Grid(
        name="distortion-perception",
        title=f"{titled(verdicts)}: ranks by distortion and perception together",
        note="A variant ranks behind another one only if the other is shown to be better in both columns.",
        columns=(
            RANK,
            VARIANT,
            *(
                Column(key=metric, heading=metric, is_low_first=metric_of(metric).is_lower_better)
                for metric in means
            ),
        ),
        rows=tuple(
            GridRow(
                cells=(
                    rank_cell(rank),
                    name_cell(name),
                    *(
                        score_cell(found.get(name), None, metric_of(metric))
                        for metric, found in means.items()
                    ),
                ),
                variant=numbers.get(name),
            )
            for name, rank in sorted(verdicts.plane.items(), key=lambda item: item[1].best)
        ),
    )
