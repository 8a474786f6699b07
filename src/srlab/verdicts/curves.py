"""Training as a curve: scores at equal budgets, the way to a target, what tuning cost.

All of it is read off the validation scores that a run logs while it trains. They are of few images
(docs/files.md), so they say how fast a variant learns, not how good it is.
"""

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from srlab.declare.protocol import TrainingProtocol
from srlab.folder.records import RunRecord
from srlab.folder.schema import StudyVariant
from srlab.verdicts.values import BUSY, Budget, Cost, Curve, Progress, Spread

Kind = Literal["steps", "samples", "multiply_adds", "processor_seconds", "seconds"]
_COUNTS: tuple[Kind, ...] = ("steps", "samples", "multiply_adds")

_LEAST_CHANGES = 4  # from one validation to the next, in the second half of a run
_LEAST_FALL = 0.1  # dB
_UNUSUAL = 4  # times what is usual
_COUNTED_ON = 1280 * 720  # SR pixels that a variant's multiply_adds are counted for
_TRAINING_FACTOR = 3  # a step is about three forward passes: one, and two as much to go back


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """What one training step of a variant spends; `multiply_adds` are estimated."""

    samples: float
    multiply_adds: float


def step_cost(variant: StudyVariant, *, protocol: TrainingProtocol, scale: int) -> StepCost:
    """Of a variant of ``study.json`` under the training protocol (its own, where it has one).

    The network's multiply-adds for 1280 x 720 SR pixels, in proportion to the pixels of a batch, times three
    for the way back (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1, counts
    so). What a discriminator or a frozen part changes is not counted.
    """
    training = variant.protocol or protocol
    samples = training.batch_size
    pixels = samples * (training.lr_patch_size * scale) ** 2
    forward = variant.multiply_adds * pixels / _COUNTED_ON
    return StepCost(samples=samples, multiply_adds=_TRAINING_FACTOR * forward)


def read_curve(run: RunRecord) -> Curve | None:
    """The validations that the run has logged; None if there is none. Steps without a
    number are left out.
    """
    validated = [line for line in run.log if "psnr_y" in line.values]
    steps, values = [line.step for line in validated], [line.values["psnr_y"] for line in validated]
    seconds = [line.values.get("seconds") for line in validated]
    processor = [line.values.get("processor_seconds") for line in validated]
    last = run.log[-1].step if run.log else 0
    if not steps:
        return None
    known = [time for time in processor if time is not None]
    is_spread = len(known) < len(steps) and run.processor_seconds is not None
    if is_spread:
        known = [(run.processor_seconds or 0.0) * step / max(last, 1) for step in steps]
    return Curve(
        variant=run.variant,
        seed=run.seed,
        steps=tuple(steps),
        psnr_y=tuple(values),
        seconds=tuple(seconds),
        learning_rate=run.learning_rate,
        is_finished=run.status == "finished",
        processor_seconds=tuple(known) if len(known) == len(steps) else None,
        is_spread=is_spread,
    )


def fall_at_the_end(curve: Curve) -> float | None:
    """By how many dB a run ended below its own best validation, if by more than it usually moves; else None.

    What is usual is the median change from one validation to the next in the second half of the run.

    >>> steady = [30.0, 31.0, 31.5, 31.6, 31.7, 31.65, 31.7]
    >>> def run(values):
    ...     steps = tuple(range(1, len(values) + 1))
    ...     return Curve(variant="a", seed=0, steps=steps, psnr_y=tuple(values), seconds=(None,) * len(steps))
    >>> fall_at_the_end(run(steady)), fall_at_the_end(run([*steady, 30.5]))
    (None, 1.2)
    """
    later = curve.psnr_y[(len(curve.psnr_y) - 1) // 2 :]
    if not curve.is_finished or len(later) < _LEAST_CHANGES + 1:
        return None
    usual = statistics.median(abs(after - before) for before, after in itertools.pairwise(later))
    fall = round(max(curve.psnr_y) - curve.psnr_y[-1], 6)
    return fall if fall >= _LEAST_FALL and fall > _UNUSUAL * usual else None


def _so_far(run: RunRecord) -> tuple[float, int]:
    """Seconds and steps that the log of a run that has not ended tells of."""
    seconds = [line.values["seconds"] for line in run.log if "seconds" in line.values]
    return (seconds[-1] if seconds else 0.0), (run.log[-1].step if run.log else 0)


def spent(curve: Curve, kind: Kind, cost: StepCost) -> tuple[float, ...] | None:
    """What had been spent at each validation; None if the log does not say."""
    if kind == "processor_seconds":
        return curve.processor_seconds
    if kind == "seconds":
        known = [time for time in curve.seconds if time is not None]
        return tuple(known) if len(known) == len(curve.seconds) else None
    each = {"steps": 1.0, "samples": cost.samples, "multiply_adds": cost.multiply_adds}[kind]
    return tuple(step * each for step in curve.steps) if each else None


def time_kind(curves: Sequence[Curve]) -> Kind:
    """Processor time if every curve has it, else time by the clock (which other work changes)."""
    has_processor = bool(curves) and all(curve.processor_seconds is not None for curve in curves)
    return "processor_seconds" if has_processor else "seconds"


def spread(values: Sequence[float]) -> Spread:
    """Of one number for each seed, at least one."""
    is_finite = all(map(math.isfinite, values))  # equal pictures have an infinite PSNR
    sd = statistics.stdev(values) if len(values) > 1 and is_finite else None
    return Spread(mean=statistics.fmean(values), sd=sd, num_seeds=len(values))


def budgets(
    curves: Sequence[Curve], costs: Mapping[str, StepCost], *, variants: Sequence[str]
) -> tuple[Budget, ...]:
    """What each variant had reached when all had spent as much, for each kind of expense.

    `curves` are of finished runs. The budget is what the variant that spent least spent in all. A variant is
    left out if the first validation of one of its seeds came after that. Time is `time_kind`'s.
    """
    found = []
    for kind in (*_COUNTS, time_kind(curves)):
        spendings = {id(curve): spent(curve, kind, costs[curve.variant]) for curve in curves}
        known = [times for times in spendings.values() if times]
        if not known:
            continue
        amount = min(times[-1] for times in known)
        reached: dict[str, Spread] = {}
        left_out: dict[str, str] = {}
        for variant in variants:
            own = [curve for curve in curves if curve.variant == variant]
            times_of = [spendings[id(curve)] for curve in own]
            if not own:
                left_out[variant] = "no finished run has a validation curve"
            elif any(not times for times in times_of):
                left_out[variant] = f"its log has no {kind.replace('_', ' ')}"
            elif any(times and times[0] > amount for times in times_of):
                left_out[variant] = "its first validation came after that"
            else:
                reached[variant] = spread(
                    [
                        float(np.interp(amount, times, curve.psnr_y))
                        for times, curve in zip(times_of, own, strict=True)
                        if times
                    ]
                )
        found.append(Budget(kind=kind, amount=amount, psnr_y=reached, left_out=left_out))
    return tuple(found)


def progress(
    curves: Sequence[Curve], costs: Mapping[str, StepCost], *, variants: Sequence[str], target: float
) -> tuple[Progress, ...]:
    """How soon each variant reached `target` dB, and the mean of its curve over the steps that all share."""
    first = max((curve.steps[0] for curve in curves), default=0)
    last = min((curve.steps[-1] for curve in curves), default=0)
    found = []
    for variant in variants:
        own = [curve for curve in curves if curve.variant == variant]
        if not own:
            continue
        crossings: dict[Kind, float | None] = {}
        for kind in (*_COUNTS, "seconds", time_kind(curves)):
            at = [_crossing(spent(curve, kind, costs[variant]), curve.psnr_y, target) for curve in own]
            known = [value for value in at if value is not None]
            crossings[kind] = statistics.fmean(known) if len(known) == len(own) else None
        areas = [area for curve in own if (area := _area(curve, first, last)) is not None]
        found.append(
            Progress(
                variant=variant,
                target=target,
                num_seeds=len(own),
                reached=sum(max(curve.psnr_y) >= target for curve in own),
                steps_to_target=crossings["steps"],
                seconds_to_target=crossings["seconds"],
                multiply_adds_to_target=crossings["multiply_adds"],
                processor_seconds_to_target=crossings.get("processor_seconds"),
                area=spread(areas) if len(areas) == len(own) else None,
            )
        )
    return tuple(found)


def _crossing(times: Sequence[float] | None, values: Sequence[float], target: float) -> float | None:
    """When the curve first reaches `target`, linearly between two validations.

    >>> _crossing((10, 20, 30), (30.0, 31.0, 33.0), 32.0)
    25.0
    """
    if times is None:
        return None
    for index, value in enumerate(values):
        if value >= target:
            if index == 0:
                return float(times[0])
            share = (target - values[index - 1]) / (value - values[index - 1])
            return float(times[index - 1] + share * (times[index] - times[index - 1]))
    return None


def _area(curve: Curve, first: int, last: int) -> float | None:
    """The mean of the curve from step `first` to `last`, by the trapezoid rule; None without one."""
    if last <= first:
        return None
    inner = [step for step in curve.steps if first < step < last]
    steps = np.array([first, *inner, last], dtype=float)
    values = np.interp(steps, curve.steps, curve.psnr_y)
    areas = np.diff(steps) * (values[1:] + values[:-1]) / 2  # np.trapezoid came with NumPy 2
    return float(areas.sum() / (last - first))


def cost_of(
    variant: StudyVariant,
    runs: Iterable[RunRecord],
    rate: float | None,
    cost: StepCost,
    *,
    trials: Sequence[RunRecord] = (),
) -> Cost:
    """What all rates and seeds of a variant cost, also those that diverged or have not ended.

    `trials` are shorter trainings that chose the rate.
    """
    runs = list(runs)
    if trials:
        whole, tried = cost_of(variant, runs, rate, cost), cost_of(variant, trials, None, cost)
        summed = ("tuning_seconds", "tuning_multiply_adds", "runs", "ended", "diverged")
        return replace(whole, **{name: getattr(whole, name) + getattr(tried, name) for name in summed})
    ended = [run for run in runs if run.status in ("finished", "diverged")]
    chosen = [
        run.seconds
        for run in ended
        if run.status == "finished" and run.learning_rate == rate and run.seconds is not None
    ]
    of_chosen = [run for run in ended if run.status == "finished" and run.learning_rate == rate]
    processor = [run.processor_seconds for run in of_chosen if run.processor_seconds is not None]
    so_far = [_so_far(run) for run in runs if run not in ended]
    return Cost(
        variant=variant.name,
        parameters=variant.parameters,
        multiply_adds=variant.multiply_adds,
        frozen=variant.frozen,
        learning_rate=rate,
        seconds=statistics.median(chosen) if chosen else None,
        tuning_seconds=sum(run.seconds or 0.0 for run in ended) + sum(seconds for seconds, _ in so_far),
        tuning_multiply_adds=(sum(run.steps for run in ended) + sum(done for _, done in so_far))
        * cost.multiply_adds,
        runs=len(runs),
        ended=len(ended),
        diverged=sum(run.status == "diverged" for run in ended),
        processor_seconds=statistics.median(processor)
        if processor and len(processor) == len(of_chosen)
        else None,
        is_busy=any(
            run.seconds > BUSY * run.processor_seconds
            for run in of_chosen
            if run.seconds is not None and run.processor_seconds is not None
        ),
    )
