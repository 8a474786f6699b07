"""Tables of what was spent: tuning, training, the way to a target, equal budgets; and the learning rates."""

from collections.abc import Callable, Mapping

from srlab.show.report.grids import Cell, Column, Grid, GridRow, spread
from srlab.show.report.texts import NOTHING, count, duration, number, plural, rate, signed, whole
from srlab.verdicts import BICUBIC, Progress, RateScore, RateSensitivity, Spread, Verdicts

_DB = 2  # decimals
_CPU = "processor_seconds"
_VARIANT = Column(key="variant", heading="variant", is_text=True, is_low_first=True)
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
        _VARIANT,
        Column(key="parameters", heading="parameters", is_low_first=True),
        Column(
            key="multiply_adds",
            heading="multiply-adds",
            hint="For an SR picture of 1280 x 720",
            is_low_first=True,
        ),
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
            Cell(text=cost.variant, value=cost.variant),
            Cell(
                text=whole(cost.parameters),
                value=cost.parameters,
                note=f"{whole(cost.frozen)} frozen" if cost.frozen else "",
            ),
            Cell(text=count(cost.multiply_adds), value=cost.multiply_adds),
            Cell(text=duration(cost.processor_seconds), value=cost.processor_seconds),
            Cell(text="busy machine", tone="warning")
            if cost.is_busy
            else Cell(text=duration(cost.seconds), value=cost.seconds),
            Cell(text=duration(cost.tuning_seconds), value=cost.tuning_seconds),
            Cell(text=count(cost.tuning_multiply_adds), value=cost.tuning_multiply_adds),
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
        title=f"{_head(verdicts)}: what each variant cost",
        note=f"{'Processor time' if has_processor else 'Time by the clock'} is that of one run at the chosen "
        "rate. All runs are the runs of every rate and seed, diverged and unfinished ones too. Their "
        "multiply-adds are an estimate.",
        columns=tuple(column for column in columns if has_processor or column.key != _CPU),
        rows=tuple(rows),
    )


def measured_grid(verdicts: Verdicts, measured: Mapping[str, Mapping[str, float]]) -> Grid:
    """What `srlab profile` measured: each cost by name with its unit, of bicubic and of every variant."""
    numbers = _numbers(verdicts)
    there = [
        name for name in (BICUBIC, *verdicts.variants) if any(name in found for found in measured.values())
    ]
    return Grid(
        name="measured",
        title=f"{_head(verdicts)}: costs that srlab profile measured",
        note="All took turns in several rounds. Each number is the median over the rounds.",
        columns=(
            _VARIANT,
            *(Column(key=name, heading=name, is_low_first=True) for name in measured),
        ),
        rows=tuple(
            GridRow(
                cells=(
                    Cell(text=name, value=name),
                    *(
                        Cell(text=_three_digits(found.get(name)), value=found.get(name))
                        for found in measured.values()
                    ),
                ),
                variant=numbers.get(name),
                kind="bicubic" if name == BICUBIC else "",
            )
            for name in there
        ),
    )


def _three_digits(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def progress_grid(verdicts: Verdicts) -> Grid:
    """How soon each variant reached the target, and the mean height of its curve."""
    target = verdicts.progress[0].target if verdicts.progress else 0.0
    numbers = _numbers(verdicts)
    has_processor = _has_processor(verdicts)

    def time(one: Progress) -> float | None:
        return one.processor_seconds_to_target if has_processor else one.seconds_to_target

    rows = tuple(
        GridRow(
            cells=(
                Cell(text=one.variant, value=one.variant),
                Cell(
                    text=f"{one.reached} of {one.num_seeds}",
                    value=one.reached,
                    tone="warning" if one.reached < one.num_seeds else "",
                ),
                Cell(text=whole(one.steps_to_target), value=one.steps_to_target),
                Cell(text=duration(time(one)), value=time(one)),
                Cell(
                    text=NOTHING
                    if one.multiply_adds_to_target is None
                    else count(one.multiply_adds_to_target),
                    value=one.multiply_adds_to_target,
                ),
                _spread(one.area),
            ),
            variant=numbers.get(one.variant),
        )
        for one in verdicts.progress
    )
    return Grid(
        name="progress",
        title=f"{_head(verdicts)}: how soon each variant reaches {number(target, _DB)} dB of validation "
        "psnr_y",
        note="The numbers are read off the training curves. Each is the mean over the seeds, and missing "
        f"if a seed never gets there. Time is {'processor time' if has_processor else 'by the clock'}. The "
        "last column is the mean psnr_y of the curve.",
        columns=(
            _VARIANT,
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
    numbers = _numbers(verdicts)
    rows = tuple(
        GridRow(
            cells=(
                Cell(text=name, value=name),
                *(
                    _spread(budget.psnr_y.get(name), hint=budget.left_out.get(name, ""))
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
        title=f"{_head(verdicts)}: validation psnr_y in dB at equal cost",
        note=f"Each column stops all variants at the same amount: {amounts}. {_which_time(verdicts)} These "
        "scores come from the training curves. The learning rates were chosen for the whole training.",
        columns=(
            _VARIANT,
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
    numbers = _numbers(verdicts)
    all_rates = list(
        dict.fromkeys(score.learning_rate for one in verdicts.learning_rates for score in one.rates)
    )
    return Grid(
        name="learning-rates",
        title=f"{_head(verdicts)}: validation psnr_y in dB at each learning rate, mean over the "
        "finished seeds",
        columns=(
            _VARIANT,
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
                    Cell(text=number(one.range_db, _DB), value=one.range_db),
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
        words.append(f"{signed(score.to_chosen.estimate, _DB)} against chosen")
    if score.diverged:
        words.append(f"{plural(len(score.diverged), 'seed')} diverged")
    if score.missing:
        words.append(f"{plural(len(score.missing), 'seed')} missing")
    return Cell(
        text=number(score.mean, _DB) + ("" if score.sd is None else f" ± {number(score.sd, _DB)}"),
        value=score.mean,
        more=spread(score.sd),
        note=", ".join(words),
        tone="warning" if score.diverged else "chosen" if score.is_chosen else "",
    )


def _spread(found: Spread | None, *, hint: str = "") -> Cell:
    if found is None:
        return Cell(text=NOTHING, hint=hint, tone="dim")
    return Cell(
        text=number(found.mean, _DB),
        value=found.mean,
        note="" if found.sd is None else f"± {number(found.sd, _DB)}",
        more=spread(found.sd),
    )


def _head(verdicts: Verdicts) -> str:
    return f"{verdicts.study}, x{verdicts.scale}"


def _numbers(verdicts: Verdicts) -> dict[str, int]:
    return {name: number_ for number_, name in enumerate(verdicts.variants)}
