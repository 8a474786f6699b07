"""What a study comes to before anything starts: its runs, what is left of them, what they cost."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from srlab.data.datasets import PictureSizes, picture_sizes
from srlab.errors import UserError
from srlab.evaluation import evaluate_network
from srlab.images import HRImage
from srlab.networks import (
    build_network,
    meta_network,
    num_parameters,
    num_running_statistics,
    suits_bf16,
)
from srlab.networks.complexity import multiply_adds
from srlab.networks.parts import freeze, num_frozen
from srlab.objectives import PixelObjective
from srlab.records import Status, precision_begun, run_status
from srlab.study import Run, Study, Variant
from srlab.training.device import (
    ResolvedPrecision,
    cpu_multiplies_bf16,
    default_threads,
    find_device,
    resolve_precision,
    tune_allocator,
    use_threads,
)
from srlab.training.updates import make_update

ENDED: tuple[Status, ...] = ("finished", "diverged")
CURVE_IMAGES = 5  # validation images scored while a run trains; its scores.json has all of them

_FLOP_PER_MULTIPLY_ADD = 6  # two in the forward pass, four in the backward one
_FLOP_PER_SECOND = 50e9  # what a slow core does; only the size of a trial rests on it
_MEASURED_FLOP = {"cpu": 12e9, "cuda": 2e12}  # of one measured step at most: well under a second


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where runs are trained: resolved, so that it can be written down. `threads` are those of one run."""

    device: str
    threads: int
    jobs: int = 1


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
    """A study's runs with the state of each, and its variants' costs."""

    study: Study
    folder: Path
    machine: Machine
    runs: tuple[tuple[Run, Status], ...]
    costs: Mapping[str, Cost]
    sizes: PictureSizes | None = None

    @property
    def left(self) -> tuple[Run, ...]:
        """The runs that have not ended."""
        return tuple(run for run, status in self.runs if status not in ENDED)

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


def resolve_machine(
    study: Study, *, device: str | None = None, threads: int | None = None, jobs: int = 1
) -> Machine:
    """Device and threads as they will be: a GPU if there is one, threads shared by `jobs`."""
    if jobs < 1:
        raise UserError(f"--jobs must be a whole number of at least 1, not {jobs}")
    if threads is not None and not 1 <= threads <= 1024:
        raise UserError(f"--threads must be a whole number from 1 to 1024, not {threads}")
    found = find_device(device)
    resolve_precision(study.protocol.precision, found)  # refuses what the device cannot
    return Machine(
        device=str(found),
        threads=threads or max(1, default_threads() // jobs),
        jobs=jobs,
    )


def precision_of(study: Study, machine: Machine) -> ResolvedPrecision:
    """What a study is trained in on that machine: one precision for all of its variants.

    ``auto`` takes what the most careful of its networks needs.
    """
    return resolve_precision(
        study.protocol.precision,
        torch.device(machine.device),
        suits_bf16=all(suits_bf16(variant.network) for variant in study.variants),
    )


def precision_in_words(study: Study, machine: Machine) -> str:
    """`precision_of`, and that it is slow where the processor has no arithmetic for it."""
    precision = precision_of(study, machine)
    is_emulated = precision == "bf16" and machine.device == "cpu" and not cpu_multiplies_bf16()
    return "bf16, which this processor emulates: slower than fp32" if is_emulated else precision


def precision_of_run(run: Run, *, study: Study, machine: Machine, folder: Path) -> ResolvedPrecision:
    """What `run` is trained in, where `folder` is the study's.

    A variant of which a run has begun under ``auto`` keeps its precision: version 0.1 chose one for each
    variant, and a study that gains a more careful network later does not lose what it has.
    """
    alone = resolve_precision(
        run.protocol.precision,
        torch.device(machine.device),
        suits_bf16=suits_bf16(run.variant.network),
    )
    together = precision_of(study, machine)
    if alone == together:
        return together
    of_variant = [run, *(other for other in study.runs() if other.variant.name == run.variant.name)]
    begun = {precision_begun(folder / each.name) for each in of_variant}
    return alone if alone in begun else together


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


def measure_step(study: Study, variant: Variant, machine: Machine, *, seconds: float) -> float | None:
    """Seconds that a training step of `variant` takes here, from a few steps on random tensors.
    Where a whole batch would take long, a part of it is timed, at last of one smaller patch, and scaled up.
    At least two steps are timed after one to warm up, then as many as fit in `seconds`. None for a network
    without parameters.
    """
    if num_parameters(variant.network, scale=study.scale) == 0:
        return None
    protocol, scale = study.protocol_of(variant), study.scale
    batch_size, patch_size = _affordable(study, variant, torch.device(machine.device))
    run = study.run(variant, learning_rate=study.rates_of(variant)[0], seed=0)
    device = torch.device(machine.device)
    use_threads(machine.threads)
    tune_allocator()
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        network = build_network(variant.network, scale=scale)
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    if variant.start is not None and variant.start.freeze:
        freeze(network, variant.start.keep)
    channels = 1 if network.color == "luma" else 3
    lr = torch.rand(batch_size, channels, patch_size, patch_size, generator=generator)
    hr = torch.rand(batch_size, channels, scale * patch_size, scale * patch_size, generator=generator)
    lr, hr = (images.to(device, memory_format=torch.channels_last) for images in (lr, hr))
    update = make_update(run, network, precision=precision_of(study, machine))

    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - begun < seconds and len(times) < 20):
        started = time.perf_counter()
        update(lr, hr, learning_rate=1e-6)["loss"].item()  # item() waits for a GPU
        times.append(time.perf_counter() - started)
    measured = sorted(times[1:])[(len(times) - 1) // 2]
    whole = protocol.batch_size * protocol.lr_patch_size**2
    return measured * whole / (batch_size * patch_size**2)


def _affordable(study: Study, variant: Variant, device: torch.device) -> tuple[int, int]:
    """The batch and the LR patch size whose step is short enough to be timed."""
    protocol, options = study.protocol_of(variant), variant.network
    lr_pixels = 1280 * 720 / study.scale**2  # what multiply-adds are counted for
    flop = _FLOP_PER_MULTIPLY_ADD * multiply_adds(options, scale=study.scale) / lr_pixels
    most = _MEASURED_FLOP.get(device.type, _MEASURED_FLOP["cpu"])
    patch_size = protocol.lr_patch_size
    may_shrink = isinstance(variant.objective, PixelObjective)  # a discriminator has one size of patch
    while may_shrink and patch_size > 16 and flop * patch_size**2 > most:
        patch_size = max(16, patch_size // 2)
    return max(1, min(protocol.batch_size, int(most / (flop * patch_size**2)))), patch_size
