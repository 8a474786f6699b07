"""Every test image with each variant's score."""

from srlab.show.grid import Cell, Column, Grid, GridRow, Tone
from srlab.show.tables.cells import file_name, name_cell, titled
from srlab.show.texts import short_names
from srlab.verdicts import BICUBIC, ImageRow, Verdicts, metric_of


def images_grid(verdicts: Verdicts, *, metric: str) -> Grid:
    """Those on which the variants disagree most first."""
    how = metric_of(metric)
    names = [*verdicts.variants]
    rows = [row for row in verdicts.images if row.metric == metric]
    if any(BICUBIC in row.values for row in rows):
        names.insert(0, BICUBIC)
    short = short_names(verdicts.variants)
    columns = (
        Column(key="test_set", heading="set", is_text=True, is_low_first=True),
        Column(key="image", heading="image", is_text=True, is_low_first=True, is_name=True),
        Column(key="disagreement", heading="spread", hint="Largest minus smallest score of the variants"),
        *(Column(key=name, heading=short.get(name, name)) for name in names),
    )
    return Grid(
        name=file_name(f"images-{metric}"),
        title=f"{titled(verdicts)}: {metric} of each test image, mean over the seeds",
        note=f"Protocol {verdicts.protocol}.",
        columns=columns,
        rows=tuple(
            GridRow(
                cells=(
                    name_cell(row.test_set),
                    name_cell(row.image),
                    Cell(text=how.text(row.disagreement), value=row.disagreement),
                    *(_score(row, name) for name in names),
                )
            )
            for row in rows
        ),
    )


def _score(row: ImageRow, name: str) -> Cell:
    tone, hint = _standing(row, name)
    value = row.values.get(name)
    return Cell(text=metric_of(row.metric).text(value), value=value, tone=tone, hint=hint)


def _standing(row: ImageRow, name: str) -> tuple[Tone, str]:
    """How a score of an image looks, and why: bicubic takes part."""
    value, bicubic = row.values.get(name), row.values.get(BICUBIC)
    if value is None or len(row.values) < 2:
        return "", ""
    is_lower_better = metric_of(row.metric).is_lower_better
    if value == (min if is_lower_better else max)(row.values.values()):
        return "better", "the best"
    if bicubic is None or name == BICUBIC or (value < bicubic if is_lower_better else value > bicubic):
        return "", ""
    return "warning", "did not beat bicubic"
