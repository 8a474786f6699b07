"""The models of a study on one picture of the user's own."""

from typing import TYPE_CHECKING

from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.tables.cells import LEARNING_RATE, MISSING, VARIANT, name_cell, rate_cell, score_cell
from srlab.verdicts import metric_of

if TYPE_CHECKING:
    from srlab.show.ranking_on_image import ImageRanking, Ranked


def ranking_grid(found: "ImageRanking") -> Grid:
    """Best first, by what ranks and by psnr_y and ssim_y."""
    metrics = [*([] if found.distance is None else [found.distance]), "psnr_y", "ssim_y"]

    def row(rank: int, model: "Ranked") -> GridRow:
        cells = (
            Cell(text=str(rank), value=rank),
            name_cell(model.variant),
            rate_cell(model.run.learning_rate if model.run else None),
            Cell(text=str(model.run.seed), value=model.run.seed) if model.run else MISSING,
            *(score_cell(model.scores[metric], None, metric_of(metric)) for metric in metrics),
        )
        return GridRow(cells=cells)

    return Grid(
        name="models",
        columns=(
            Column(key="rank", heading="rank"),
            VARIANT,
            LEARNING_RATE,
            Column(key="seed", heading="seed"),
            *(Column(key=metric, heading=metric) for metric in metrics),
        ),
        rows=tuple(row(rank, model) for rank, model in enumerate(found.models, start=1)),
    )
