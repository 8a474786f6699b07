"""What a study comes to before anything starts: its runs, what is left of them, what they cost."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from srlab.data.datasets import PictureSizes, picture_sizes, test_set_sizes
from srlab.declare.study import Run, Study, Variant
from srlab.folder.records import Status, run_status
from srlab.networks import (
    build_network,
    meta_network,
    num_parameters,
    num_running_statistics,
)
from srlab.networks.complexity import multiply_adds
from srlab.networks.parts import num_frozen
from srlab.pixels.images import HRImage
from srlab.training.device import (
    use_threads,
)
from srlab.training.machine import Machine
from srlab.training.step_time import measure_step
from srlab.use.evaluation import evaluate_network
from srlab.verdicts.looks import error_rates, planned_looks
from srlab.verdicts.power import Sight, Spreads, earlier_spread, sights

ENDED: tuple[Status, ...] = ("finished", "diverged")
CURVE_IMAGES = 5  # validation images scored while a run trains; its scores.json has all of them

_FLOP_PER_SECOND = 50e9  # what a slow core does; only the size of a trial rests on it


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one variant costs.

    `parameters` are all weights, of which `frozen` are not trained. What was not measured is None:
    `seconds_per_step` of training, `seconds_per_pixel` of an HR picture that is scored.
    """

    parameters: int
    running_statistics: int
    multiply_adds: int
    frozen: int = 0
    seconds_per_step: float | None = None
    seconds_per_pixel: float | None = None


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """What runs take: training, validation (during training and at its end), and scoring on the test sets.

    Validation and test are None if the data are not there, so that nothing is known of their size.
    """

    training: float
    validation: float | None
    test: float | None

    @property
    def total(self) -> float:
        """All that is known."""
        return self.training + (self.validation or 0.0) + (self.test or 0.0)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study's runs with the state of each, and its variants' costs.

    `trials` choose its rates by halving, each a plan of its own; `twins` are the study for a part of the
    steps. Unless it `is_settled`, its rates stand for
    as many that are not known yet.
    """

    study: Study
    folder: Path
    machine: Machine
    runs: tuple[tuple[Run, Status], ...]
    costs: Mapping[str, Cost]
    sizes: PictureSizes | None = None
    trials: tuple["Plan", ...] = ()
    twins: tuple["Plan", ...] = ()
    is_settled: bool = True

    @property
    def stages(self) -> tuple["Plan", ...]:
        """The trials, the twins, and this."""
        return (*self.trials, *self.twins, self)

    @property
    def seconds_left(self) -> Seconds | None:
        """What is left of all stages takes about so long."""
        parts = [stage.seconds(stage.left) for stage in self.stages]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        has_sizes = all(part.validation is not None for part in known)
        return Seconds(
            training=sum(part.training for part in known),
            validation=sum(part.validation or 0.0 for part in known) if has_sizes else None,
            test=sum(part.test or 0.0 for part in known) if has_sizes else None,
        )

    @property
    def left(self) -> tuple[Run, ...]:
        """The runs that have not ended."""
        return tuple(run for run, status in self.runs if status not in ENDED)

    @property
    def later(self) -> tuple[Run, ...]:
        """The runs that come at most, if seeds are added until the study is decided."""
        if self.study.max_seeds is None:
            return ()
        now = {run.name for run, _ in self.runs}
        every = self.study.with_seeds(self.study.max_seeds).runs()
        return tuple(
            run for run in every if run.name not in now and run_status(self.folder / run.name) not in ENDED
        )

    def seconds(self, runs: Sequence[Run]) -> Seconds | None:
        """How long `runs` take, about; None if a variant was not measured.

        A test set is scored once for each variant and seed, at the chosen rate, so that a run has its share.
        """
        training = validation = test = 0.0
        for run in runs:
            cost = self.costs[run.variant.name]
            if cost.seconds_per_step is None or cost.seconds_per_pixel is None:
                if run.variant.taken_from is None:
                    return None
                continue
            if run.variant.taken_from is None:
                training += cost.seconds_per_step * run.protocol.num_steps
            validation += cost.seconds_per_pixel * self._validated_pixels(run)
            rates = len(self.study.rates_of(run.variant))
            test += cost.seconds_per_pixel * sum(self.sizes.test if self.sizes else ()) / rates
        jobs = self.machine.jobs
        return Seconds(
            training=training / jobs,
            validation=validation / jobs if self.sizes else None,
            test=test / jobs if self.sizes else None,
        )

    def _validated_pixels(self, run: Run) -> int:
        """HR pixels of all of a run's validations: each during training, and the one of all images."""
        if self.sizes is None:
            return 0
        images, protocol = self.sizes.validation, run.protocol
        each = sum(images[: protocol.validation_images or CURVE_IMAGES])
        times = math.ceil(protocol.num_steps / protocol.validation_interval)
        return sum(images) + (0 if run.variant.taken_from is not None else times * each)


def foresee(plan: Plan) -> tuple[Spreads, list[Sight]] | None:
    """What the study will be able to see, and the spreads that it follows from.

    None for one variant, and where it is not known how many test images there are.
    """
    study = plan.study
    sizes = test_set_sizes(study.test)
    if sizes is None or len(study.variants) < 2:
        return None
    names = [variant.name for variant in study.variants]
    spread = earlier_spread(plan.folder, variants=names, scale=study.scale)
    counts = looks_of(study)
    seen = sights(
        spread,
        num_variants=len(names),
        num_seeds=len(study.seeds),
        set_sizes=sizes,
        looks=dict(zip(counts, error_rates(counts, counts[-1], 0.05), strict=True)) if counts else None,
    )
    return spread, seen


def looks_of(study: Study) -> tuple[int, ...]:
    """At how many seeds a study that adds some until it is decided is looked at; () for any other."""
    return () if study.max_seeds is None else planned_looks(len(study.seeds), study.max_seeds)


def make_plan(
    study: Study,
    folder: Path,
    machine: Machine,
    *,
    measure_seconds: float = 0,
    timing: Callable[[str, int, int], None] | None = None,
) -> Plan:
    """The study's runs as `folder` has them, and what each variant costs.

    With `measure_seconds`, a training step of each variant that has runs left is timed, in about so many
    seconds; before each, `timing` is called with its name, how many have been timed, and of how many.
    """
    runs = tuple((run, run_status(folder / run.name)) for run in study.runs())
    to_measure = (
        {run.variant.name for run, status in runs if status not in ENDED and run.variant.taken_from is None}
        if measure_seconds
        else set()
    )
    share = measure_seconds / max(1, len(to_measure))
    costs: dict[str, Cost] = {}
    num_timed = 0
    for variant in study.variants:
        seconds = share if variant.name in to_measure else 0
        if seconds and timing is not None:
            timing(variant.name, num_timed, len(to_measure))
            num_timed += 1
        costs[variant.name] = _cost(study, variant, machine, seconds=seconds)
    sizes = picture_sizes(train=study.train, validate=study.validate, test=study.test) if to_measure else None
    return Plan(study=study, folder=folder, machine=machine, runs=runs, costs=costs, sizes=sizes)


def _cost(study: Study, variant: Variant, machine: Machine, *, seconds: float) -> Cost:
    return Cost(
        parameters=num_parameters(variant.network, scale=study.scale),
        running_statistics=num_running_statistics(variant.network, scale=study.scale),
        multiply_adds=multiply_adds(variant.network, scale=study.scale),
        frozen=_num_frozen(study, variant),
        seconds_per_step=_try(measure_step, study, variant, machine, seconds=seconds),
        seconds_per_pixel=_try(measure_scoring, study, variant, machine, seconds=seconds / 4),
    )


def _num_frozen(study: Study, variant: Variant) -> int:
    if variant.start is None or not variant.start.freeze:
        return 0
    return num_frozen(meta_network(variant.network, scale=study.scale), variant.start.keep)


class _Measure(Protocol):
    def __call__(
        self, study: Study, variant: Variant, machine: Machine, *, seconds: float
    ) -> float | None: ...


def _try(
    measure: _Measure, study: Study, variant: Variant, machine: Machine, *, seconds: float
) -> float | None:
    """What `measure` finds in `seconds`; None if it fails: the run will fail too, alone, and say why."""
    if seconds <= 0:
        return None
    try:
        return measure(study, variant, machine, seconds=seconds)
    except Exception:
        return None


def measure_scoring(study: Study, variant: Variant, machine: Machine, *, seconds: float) -> float:
    """Seconds that scoring takes here for each pixel of an HR picture, from one of random pixels.

    It is as large as can be scored twice in about `seconds`, 48 x 48 at least and 256 x 256 at most.
    """
    use_threads(machine.threads)
    lr_pixels = 1280 * 720 / study.scale**2  # what multiply-adds are counted for
    flop = 2 * multiply_adds(variant.network, scale=study.scale) / lr_pixels / study.scale**2
    side = int(min(256, max(48, math.sqrt(seconds * _FLOP_PER_SECOND / max(1.0, flop)))))
    side -= side % 12  # a multiple of every scale
    with torch.random.fork_rng(devices=[]):
        network = build_network(variant.network, scale=study.scale).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    image = HRImage(name="random", pixels=pixels, is_gray=False)
    times = []
    for _ in range(2):
        started = time.perf_counter()
        for _ in evaluate_network(
            network, [image], protocol=study.evaluation, device=torch.device(machine.device)
        ):
            pass
        times.append(time.perf_counter() - started)
    return min(times) / side**2
