"""What `srlab profile` measured: one table for a setting, of which each command shows a part."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from srlab.folder.profile_store import BICUBIC, Enlarging, Profile, Size, VariantProfile
from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.tables.cells import (
    MISSING,
    MULTIPLY_ADDS,
    PARAMETERS,
    VARIANT,
    count_cell,
    name_cell,
    numbers_of,
    parameters_cell,
    titled,
)
from srlab.verdicts import Cost, Verdicts
from srlab.words import NOTHING, duration, three_digits, whole

_STEP = "step_ms"


def profile_grid(profile: Profile, *, trained: Mapping[str, Cost] | None = None) -> Grid:
    """A row for each variant; the columns of each size of picture are a group. `trained` is by variant."""
    columns = [
        VARIANT,
        PARAMETERS,
        replace(MULTIPLY_ADDS, short=""),  # there is room
        Column(key="sees", heading="sees", hint="LR pixels to each side"),
        Column(key=_STEP, heading="ms a step", is_low_first=True),
    ]
    if trained:
        columns += [
            Column(key="seconds", heading="one run", is_low_first=True),
            Column(key="tuning_seconds", heading="all its runs", is_low_first=True),
        ]
    for size in profile.sizes:
        columns += [
            Column(key=f"{key}_{size[0]}x{size[1]}", heading=heading, group=_group(size), is_low_first=True)
            for key, heading in (
                ("ms", "ms"),
                ("range", "lowest to highest"),
                ("ratio", "ratio"),
                ("peak", "peak MB"),
                ("added", "added MB"),
            )
        ]
    base = base_of(profile)
    rows = []
    for variant in profile.variants:
        cost = (trained or {}).get(variant.name)
        cells = [
            name_cell(variant.name),
            parameters_cell(variant.parameters, variant.frozen),
            count_cell(variant.multiply_adds),
            Cell(text=str(variant.receptive_radius), value=variant.receptive_radius),
            _milliseconds(variant.training.median if variant.training else None),
        ]
        if trained:
            cells += [_clock(cost), _seconds(cost.tuning_seconds if cost else None)]
        for size in profile.sizes:
            cells += _of_size(variant.of_size(size), base.of_size(size) if base else None)
        rows.append(GridRow(cells=tuple(cells), kind="bicubic" if variant.name == BICUBIC else ""))
    return Grid(name="profile", columns=tuple(columns), rows=tuple(rows))


def _group(size: Size) -> str:
    return f"SR {size[0]} x {size[1]}"


def base_of(profile: Profile) -> VariantProfile | None:
    """What the ratios are to: the first variant that is not bicubic."""
    return next((variant for variant in profile.variants if variant.name != BICUBIC), None)


def _clock(cost: Cost | None) -> Cell:
    if cost is not None and cost.is_busy:
        return Cell(text="busy machine", tone="warning")
    return _seconds(cost.seconds if cost else None)


def _seconds(value: float | None) -> Cell:
    return MISSING if value is None else Cell(text=duration(value), value=value)


def _of_size(found: Enlarging | None, base: Enlarging | None) -> list[Cell]:
    if found is None:
        return [MISSING] * 5
    ratio = found.ratio_to(base)
    reach = [three_digits(1000 * seconds) for seconds in (min(found.seconds), max(found.seconds))]
    return [
        _milliseconds(found.median),
        Cell(text=" to ".join(reach) if len(found.seconds) > 1 else NOTHING),
        MISSING
        if ratio is None
        else Cell(text=f"{ratio:.2g}" if ratio < 0.1 else f"{ratio:.2f}", value=ratio),
        _megabytes(found.peak),
        _megabytes(found.added),
    ]


def _milliseconds(seconds: float | None) -> Cell:
    return MISSING if seconds is None else Cell(text=three_digits(1000 * seconds), value=1000 * seconds)


def _megabytes(value: float | None) -> Cell:
    return MISSING if value is None else Cell(text=whole(value / 1e6), value=value / 1e6)


def of_largest_size(profile: Profile, order: Sequence[str]) -> Grid:
    """Time and memory of the largest picture, and of a training step, of the variants in `order`."""
    width, height = max(profile.sizes, key=lambda size: size[0] * size[1])
    ends = f"{width}x{height}"
    grid = profile_grid(profile)
    places = {cell.text: place for place, cell in enumerate(grid.column(VARIANT.key))}
    measured = grid.only((VARIANT.key, f"ms_{ends}", f"peak_{ends}", _STEP))
    rows = (measured.rows[places[name]] for name in order if name in places)
    return replace(
        measured,
        title=f"measured for {width} x {height}: {profile.setting.label} ({profile.setting.device_name})",
        rows=tuple(row for row in rows if any(cell.value is not None for cell in row.cells[1:])),
    )


def fronts_grid(metric: str, scope: str, fronts: Mapping[str, Sequence[str]]) -> Grid:
    """By each cost the variants that no cheaper one beats, cheapest first."""
    heading = f"no cheaper variant has a better {metric} on {scope}"
    columns = (
        Column(key="cost", heading="cost", is_text=True),
        Column(key="front", heading=heading, is_text=True),
    )
    return Grid.of_texts(
        f"front-{metric}", columns, ((name, ", ".join(best)) for name, best in fronts.items())
    )


def measured_grid(verdicts: Verdicts, measured: Mapping[str, Mapping[str, float]]) -> Grid:
    """Of every setting: each cost by name with its unit, of bicubic and of every variant."""
    numbers = numbers_of(verdicts)
    there = [
        name for name in (BICUBIC, *verdicts.variants) if any(name in found for found in measured.values())
    ]
    return Grid(
        name="measured",
        title=f"{titled(verdicts)}: costs that srlab profile measured",
        note="All took turns in several rounds. Each number is the median over the rounds.",
        columns=(VARIANT, *(Column(key=name, heading=name, is_low_first=True) for name in measured)),
        rows=tuple(
            GridRow(
                cells=(
                    name_cell(name),
                    *(
                        Cell(text=three_digits(found.get(name)), value=found.get(name))
                        for found in measured.values()
                    ),
                ),
                variant=numbers.get(name),
                kind="bicubic" if name == BICUBIC else "",
            )
            for name in there
        ),
    )
