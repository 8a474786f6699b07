"""What was spent: tuning, training, the way to a target, equal budgets; and the learning rates."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.tables.cells import (
    MULTIPLY_ADDS,
    PARAMETERS,
    VARIANT,
    count_cell,
    name_cell,
    numbers_of,
    parameters_cell,
    score_cell,
    titled,
)
from srlab.verdicts import Progress, RateScore, RateSensitivity, Spread, Verdicts, metric_of
from srlab.words import count, duration, plural, rate, signed, whole

_PSNR = metric_of("psnr_y")
_CPU = "processor_seconds"
_BUDGETS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "steps": ("equal steps", lambda amount: f"{amount:,.0f} steps"),
    "samples": ("equal samples", lambda amount: f"{amount:,.0f} LR patches"),
    "multiply_adds": ("equal multiply-adds of training", lambda amount: f"{count(amount)} multiply-adds"),
    "processor_seconds": ("equal processor time", lambda amount: f"{duration(amount)} of processor time"),
    "seconds": ("equal time by the clock", lambda amount: f"{duration(amount)} by the clock"),
}


def costs_grid(verdicts: Verdicts) -> Grid:
    """What each variant cost, with the tuning of its learning rate.

    Processor time has a column only where a run has it: a GPU's and older runs do not.
    """
    has_processor = any(cost.processor_seconds is not None for cost in verdicts.costs)
    columns = [
        VARIANT,
        PARAMETERS,
        MULTIPLY_ADDS,
        Column(
            key="processor_seconds",
            heading="processor time",
            hint="Of one run, all threads. Compare by it",
            is_low_first=True,
        ),
        Column(
            key="seconds",
            heading="time by the clock",
            hint="Of one run at the chosen rate",
            is_low_first=True,
        ),
        Column(
            key="tuning_seconds",
            heading="all runs, by the clock",
            hint="Runs of every rate and seed, diverged and unfinished ones too",
            is_low_first=True,
        ),
        Column(
            key="tuning_multiply_adds",
            heading="all runs, multiply-adds of training",
            hint="An estimate for the training of all runs",
            is_low_first=True,
        ),
        Column(key="runs", heading="runs ended"),
    ]
    rows = []
    for number_, cost in enumerate(verdicts.costs):
        cells = [
            name_cell(cost.variant),
            parameters_cell(cost.parameters, cost.frozen),
            count_cell(cost.multiply_adds),
            Cell(text=duration(cost.processor_seconds), value=cost.processor_seconds),
            Cell(text="busy machine", tone="warning")
            if cost.is_busy
            else Cell(text=duration(cost.seconds), value=cost.seconds),
            Cell(text=duration(cost.tuning_seconds), value=cost.tuning_seconds),
            count_cell(cost.tuning_multiply_adds),
            Cell(
                text=f"{cost.ended} of {cost.runs}",
                value=cost.ended,
                note=f"{cost.diverged} diverged" if cost.diverged else "",
                tone="warning" if cost.diverged else "",
            ),
        ]
        shown = [
            cell for cell, column in zip(cells, columns, strict=True) if has_processor or column.key != _CPU
        ]
        rows.append(GridRow(cells=tuple(shown), variant=number_))
    return Grid(
        name="costs",
        title=f"{titled(verdicts)}: what each variant cost",
        note=f"{'Processor time' if has_processor else 'Time by the clock'} is that of one run at the chosen "
        "rate. All runs are the runs of every rate and seed, diverged and unfinished ones too. Their "
        "multiply-adds are an estimate.",
        columns=tuple(column for column in columns if has_processor or column.key != _CPU),
        rows=tuple(rows),
    )


def progress_grid(verdicts: Verdicts) -> Grid:
    """How soon each variant reached the target, and the mean height of its curve."""
    target = verdicts.progress[0].target if verdicts.progress else 0.0
    numbers = numbers_of(verdicts)
    has_processor = _has_processor(verdicts)

    def time(one: Progress) -> float | None:
        return one.processor_seconds_to_target if has_processor else one.seconds_to_target

    rows = tuple(
        GridRow(
            cells=(
                name_cell(one.variant),
                Cell(
                    text=f"{one.reached} of {one.num_seeds}",
                    value=one.reached,
                    tone="warning" if one.reached < one.num_seeds else "",
                ),
                Cell(text=whole(one.steps_to_target), value=one.steps_to_target),
                Cell(text=duration(time(one)), value=time(one)),
                count_cell(one.multiply_adds_to_target),
                _spread_cell(one.area),
            ),
            variant=numbers.get(one.variant),
        )
        for one in verdicts.progress
    )
    return Grid(
        name="progress",
        title=f"{titled(verdicts)}: how soon each variant reaches {_PSNR.text(target)} dB of validation "
        "psnr_y",
        note="The numbers are read off the training curves. Each is the mean over the seeds, and missing "
        f"if a seed never gets there. Time is {'processor time' if has_processor else 'by the clock'}. The "
        "last column is the mean psnr_y of the curve.",
        columns=(
            VARIANT,
            Column(key="reached", heading="seeds that reach it"),
            Column(key="steps", heading="steps", is_low_first=True),
            Column(key=_CPU, heading="processor time", is_low_first=True)
            if has_processor
            else Column(key="seconds", heading="time by the clock", is_low_first=True),
            Column(key="multiply_adds", heading="multiply-adds of training", is_low_first=True),
            Column(key="area", heading="mean of curve, dB", hint="Over the steps that all curves have"),
        ),
        rows=rows,
    )


def budgets_grid(verdicts: Verdicts) -> Grid:
    """Validation psnr_y of every variant after equal expenses."""
    numbers = numbers_of(verdicts)
    rows = tuple(
        GridRow(
            cells=(
                name_cell(name),
                *(
                    _spread_cell(budget.psnr_y.get(name), hint=budget.left_out.get(name, ""))
                    for budget in verdicts.budgets
                ),
            ),
            variant=numbers[name],
        )
        for name in verdicts.variants
    )
    amounts = "; ".join(_BUDGETS[one.kind][1](one.amount) for one in verdicts.budgets)
    return Grid(
        name="budgets",
        title=f"{titled(verdicts)}: validation psnr_y in dB at equal cost",
        note=f"Each column stops all variants at the same amount: {amounts}. {_which_time(verdicts)} These "
        "scores come from the training curves. The learning rates were chosen for the whole training.",
        columns=(
            VARIANT,
            *(
                Column(key=one.kind, heading=_BUDGETS[one.kind][0], hint=_BUDGETS[one.kind][1](one.amount))
                for one in verdicts.budgets
            ),
        ),
        rows=rows,
    )


def _has_processor(verdicts: Verdicts) -> bool:
    """Whether the curves are compared by processor time."""
    return any(budget.kind == _CPU for budget in verdicts.budgets)


def _which_time(verdicts: Verdicts) -> str:
    """By which time the curves are compared, and why."""
    if not _has_processor(verdicts):
        return (
            "Time is by the clock, because not every run has its processor time. Other work on the machine "
            "makes it longer."
        )
    spread_evenly = (
        " Some logs lack it. For these runs, the processor time of the whole training is spread evenly over "
        "the steps."
    )
    is_spread = any(curve.is_spread for curve in verdicts.curves)
    return "Processor time hardly depends on other work on the machine." + (
        spread_evenly if is_spread else ""
    )


def rates_grid(verdicts: Verdicts) -> Grid:
    """Every variant at every learning rate, on the validation images."""
    numbers = numbers_of(verdicts)
    all_rates = list(
        dict.fromkeys(score.learning_rate for one in verdicts.learning_rates for score in one.rates)
    )
    return Grid(
        name="learning-rates",
        title=f"{titled(verdicts)}: validation psnr_y in dB at each learning rate, mean over the "
        "finished seeds",
        columns=(
            VARIANT,
            *(
                Column(key=f"rate_{value:g}", heading=rate(value))
                for value in sorted(all_rates, reverse=True)
            ),
            Column(key="range", heading="range, dB", hint="Best minus worst", is_low_first=True),
        ),
        rows=tuple(
            GridRow(
                cells=(
                    Cell(
                        text=one.variant,
                        value=one.variant,
                        note="at the edge" if one.at_edge else "",
                        hint="The best rate is the largest or smallest one. A better one may lie beyond"
                        if one.at_edge
                        else "",
                    ),
                    *_rates(one, sorted(all_rates, reverse=True)),
                    Cell(text=_PSNR.text(one.range_db), value=one.range_db),
                ),
                variant=numbers.get(one.variant),
            )
            for one in verdicts.learning_rates
        ),
    )


def _rates(one: RateSensitivity, rates: list[float]) -> list[Cell]:
    found: Mapping[float, RateScore] = {score.learning_rate: score for score in one.rates}
    return [_rate(found[value]) if value in found else Cell(text="") for value in rates]


def _rate(score: RateScore) -> Cell:
    words = []
    if score.is_chosen:
        words.append("chosen")
    elif score.to_chosen is not None:
        words.append(f"{signed(score.to_chosen.estimate, _PSNR.decimals)} against chosen")
    if score.diverged:
        words.append(f"{plural(len(score.diverged), 'seed')} diverged")
    if score.missing:
        words.append(f"{plural(len(score.missing), 'seed')} missing")
    cell = score_cell(score.mean, score.sd, _PSNR)
    return replace(
        cell,
        text=f"{cell.text} {cell.note}".strip(),
        note=", ".join(words),
        tone="warning" if score.diverged else "chosen" if score.is_chosen else "",
    )


def _spread_cell(found: Spread | None, *, hint: str = "") -> Cell:
    return score_cell(found.mean if found else None, found.sd if found else None, _PSNR, hint=hint)
