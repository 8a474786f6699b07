"""What is measured, in which order, and how long that takes.

First each variant and each size alone, in a fresh process: its memory, and whether it can be done at all.
Then all of them in turns, in one process: a machine that gets slower, or busy, does so for all alike. The
numbers of a round are therefore comparable even where their absolute size is not.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import torch
from msgspec.structs import replace

from srlab.declare.study import Study, Variant
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.profile_store import BICUBIC, Enlarging, Profile, Setting, Size, Training, VariantProfile
from srlab.folder.sessions import begin_session, cpu_name
from srlab.networks import (
    BicubicOptions,
    NetworkOptions,
    num_parameters,
    num_running_statistics,
)
from srlab.networks.complexity import multiply_adds, network_to_measure, receptive_radius
from srlab.networks.parts import num_frozen
from srlab.training.machine import Machine, precision_of
from srlab.use.profiling.targets import Target
from srlab.use.profiling.worker import Answer, Enlarge, Rate, Step, Worker
from srlab.use.upscale import Precision

SIZES: tuple[Size, ...] = ((1280, 720), (320, 180))  # of SR: what the published tables count for; a small one
LIMIT = 20.0  # seconds
_ROUNDS = (3, 9)  # at least, at most
_STEP_ROUNDS = 3
_PROCESSES = 3  # fresh ones for the memory of one variant and size
_QUICK = 5.0  # seconds: of a pass that takes longer the memory is measured once
_TURN = 0.05  # seconds: a quicker pass is repeated in its turn until that is full
_MOST_REPEATS = 50
_TIMING = 60.0  # seconds for all rounds together, as far as the fewest rounds allow
_STARTING = 120.0  # seconds that a process may take to begin, on a machine at work
_SLACK = 20.0  # how many times as long as expected something may take before it is given up
_LARGEST_SIDE = 16_384

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is about to be measured, and in about how many seconds."""

    passes: int
    variants: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told: the forecast before anything is measured, then how far it is and at what."""

    begin: Callable[[Forecast], None]
    progress: Callable[[int, int, str], None]


def profile(
    target: Target,
    machine: Machine,
    *,
    sizes: Sequence[Size] = SIZES,
    precision: Precision = "fp32",
    limit: float = LIMIT,
    listener: Listener,
) -> Profile:
    """Measure every variant of `target`, and bicubic, on `machine`.

    A pass of a variant that takes over `limit` seconds is timed once; one that takes far longer is given up.
    What cannot be measured is said in its place and stops nothing else.

    Raises:
        UserError: a size that no picture has.
    """
    study = target.study
    sizes = tuple(dict.fromkeys(check_size(size, scale=study.scale) for size in sizes))
    session = begin_session(device=machine.device, threads=machine.threads)
    load = None if sys.platform == "win32" else os.getloadavg()[0]
    run = _Measuring(study, machine, sizes=sizes, precision=precision, limit=limit, listener=listener)
    enlarging, steps = run.measure()
    return Profile(
        setting=setting(machine, precision=precision),
        sizes=sizes,
        load=load,
        provenance=replace(session, ended=store.now()),
        variants=tuple(
            VariantProfile(
                name=name,
                digest=target.digests.get(name, ""),
                **_counts(options, scale=study.scale, variant=run.variants.get(name)),
                enlarging=tuple(enlarging[name, size] for size in sizes),
                training=steps.get(name),
            )
            for name, options in run.networks.items()
        ),
    )


def setting(machine: Machine, *, precision: Precision) -> Setting:
    """What a profile measured now on `machine` would be comparable under."""
    device = torch.device(machine.device)
    is_cuda = device.type == "cuda"
    is_tf32 = is_cuda and precision == "fp32" and torch.backends.cudnn.allow_tf32
    return Setting(
        device=device.type,
        device_name=torch.cuda.get_device_name(device) if is_cuda else cpu_name(),
        threads=machine.threads,
        precision="tf32" if is_tf32 else precision,
        torch=torch.__version__,
    )


def check_size(size: Size, *, scale: int) -> Size:
    """`size` as an SR picture of that scale has it; a `UserError` if it is too small or too large."""
    width, height = (side - side % scale for side in size)
    if not all(4 * scale <= side <= _LARGEST_SIDE for side in (width, height)):
        raise UserError(
            f"the sides of an SR picture to time must have {4 * scale} to {_LARGEST_SIDE} pixels; got "
            f"{size[0]}x{size[1]}"
        )
    return width, height


def _counts(options: NetworkOptions, *, scale: int, variant: Variant | None) -> dict[str, int]:
    network = network_to_measure(options, scale=scale)
    start = None if variant is None else variant.start
    return {
        "parameters": num_parameters(options, scale=scale),
        "frozen": 0 if start is None or not start.freeze else num_frozen(network, start.keep),
        "running_statistics": num_running_statistics(options, scale=scale),
        "multiply_adds": multiply_adds(options, scale=scale),
        "receptive_radius": receptive_radius(network),
    }


class _Measuring:
    """One profile on its way."""

    def __init__(
        self,
        study: Study,
        machine: Machine,
        *,
        sizes: Sequence[Size],
        precision: Precision,
        limit: float,
        listener: Listener,
    ) -> None:
        self.study = study
        self.machine = machine
        self.sizes = sizes
        self.precision = precision
        self.limit = limit
        self.listener = listener
        self.variants = {variant.name: variant for variant in study.variants}
        self.networks: dict[str, NetworkOptions] = {BICUBIC: BicubicOptions()}
        self.networks |= {variant.name: variant.network for variant in study.variants}
        self.cells = [(name, size) for name in self.networks for size in sizes]

    def measure(self) -> tuple[dict[tuple[str, Size], Enlarging], dict[str, Training]]:
        """By variant and size how it enlarges, by variant how it trains."""
        self.listener.begin(self._forecast())
        self._total = len(self.cells)
        self._done = 0
        found = {cell: self._alone(*cell) for cell in self.cells}
        expected = {
            cell: one.seconds[0]
            for cell, one in found.items()
            if one.seconds and one.seconds[0] <= self.limit
        }
        repeats = {cell: min(_MOST_REPEATS, math.ceil(_TURN / seconds)) for cell, seconds in expected.items()}
        rounds = _rounds(sum(repeats[cell] * seconds for cell, seconds in expected.items()))
        trained = [name for name in self.variants if self._is_trained(name)]
        self._total += rounds * len(expected) + _STEP_ROUNDS * len(trained)
        with closing(_Turns(self)) as turns:
            times = self._enlarge_in_turns(turns, expected, repeats, rounds)
            steps = self._step_in_turns(turns, trained)
        for cell, (seconds, reason) in times.items():
            found[cell] = replace(found[cell], seconds=() if reason else seconds, reason=reason)
        return found, steps

    def worker(self) -> Worker:
        return Worker(self.study, self.machine, precision=self.precision)

    def advance(self, what: str) -> None:
        self.listener.progress(self._done, self._total, what)
        self._done += 1

    def _forecast(self) -> Forecast:
        """From how fast the machine convolves; a network does about half as well."""
        begun = time.perf_counter()
        with self.worker() as worker:
            answer = worker.ask(Rate(), timeout=_STARTING)
        start = time.perf_counter() - begun
        rate = answer.rate / 2 if answer.rate else 1e9
        per_pass = []
        for name, (width, height) in self.cells:
            share = width * height / (1280 * 720)
            per_pass.append(share * multiply_adds(self.networks[name], scale=self.study.scale) / rate)
        quick = [max(_TURN, seconds) for seconds in per_pass if seconds <= self.limit]
        alone = sum(
            (_PROCESSES if seconds <= _QUICK else 1) * (start + 2 * min(seconds, 2 * self.limit))
            for seconds in per_pass
        )
        return Forecast(
            passes=len(self.cells),
            variants=len(self.networks),
            seconds=alone
            + _rounds(sum(quick)) * sum(quick)
            + sum(map(min, per_pass, [self.limit] * len(per_pass)))  # warming up
            + _STEP_ROUNDS * len(self.variants),
        )

    def _alone(self, name: str, size: Size) -> Enlarging:
        """In a fresh process; in some more if that is quick, for how much memory one takes is chance too."""
        self.advance(f"{name}, {size[0]}x{size[1]}, alone")
        task = Enlarge(variant=name, size=size, repeats=1, at_most=self.limit)
        answers = [self._ask_fresh(task)]
        is_quick = answers[0].seconds and answers[0].seconds[0] <= min(_QUICK, self.limit)
        if is_quick and not self.machine.device.startswith("cuda"):
            answers += [self._ask_fresh(task) for _ in range(_PROCESSES - 1)]
        counted = [(one.peak_bytes, one.before_bytes) for one in answers if not one.reason]
        found = Enlarging(
            size=size,
            tile=answers[0].tile,
            seconds=answers[0].seconds,
            peak_bytes=tuple(peak for peak, before in counted if peak is not None and before is not None),
            before_bytes=tuple(before for peak, before in counted if peak is not None and before is not None),
            reason=answers[0].reason,
        )
        if found.seconds and found.seconds[0] > self.limit:
            return replace(
                found, reason=f"timed only once, without a warm-up, because it takes over {self.limit:g} s"
            )
        return found

    def _ask_fresh(self, task: Enlarge) -> Answer:
        with self.worker() as worker:
            return worker.ask(task, timeout=_STARTING + 2 * self.limit)

    def _enlarge_in_turns(
        self,
        turns: "_Turns",
        expected: dict[tuple[str, Size], float],
        repeats: dict[tuple[str, Size], int],
        rounds: int,
    ) -> dict[tuple[str, Size], tuple[tuple[float, ...], str]]:
        """By variant and size its median of each round, and why there are none."""
        times: dict[tuple[str, Size], list[float]] = {cell: [] for cell in expected}
        reasons = dict.fromkeys(expected, "")
        for number in range(rounds):
            for name, size in _from(list(expected), number):
                cell = name, size
                self.advance(f"{name}, {size[0]}x{size[1]}, round {number + 1} of {rounds}")
                if reasons[cell]:
                    continue
                enough = _SLACK * (1 + repeats[cell]) * expected[cell]
                task = Enlarge(variant=name, size=size, repeats=repeats[cell], at_most=enough)
                answer = turns.ask(task, timeout=_STARTING + enough)
                reasons[cell] = answer.reason
                times[cell] += [sorted(answer.seconds)[len(answer.seconds) // 2]] if answer.seconds else []
        return {cell: (tuple(times[cell]), reasons[cell]) for cell in expected}

    def _step_in_turns(self, turns: "_Turns", names: Sequence[str]) -> dict[str, Training]:
        times: dict[str, list[float]] = {name: [] for name in names}
        reasons = dict.fromkeys(names, "")
        for number in range(_STEP_ROUNDS):
            for name in _from(names, number):
                self.advance(f"{name}, training, round {number + 1} of {_STEP_ROUNDS}")
                if reasons[name]:
                    continue
                answer = turns.ask(Step(variant=name), timeout=_STARTING)
                reasons[name] = answer.reason
                times[name] += answer.seconds
        return {
            name: Training(
                batch_size=self.study.protocol_of(self.variants[name]).batch_size,
                lr_patch_size=self.study.protocol_of(self.variants[name]).lr_patch_size,
                precision=precision_of(self.study, self.machine),
                seconds=() if reasons[name] else tuple(times[name]),
                reason=reasons[name],
            )
            for name in names
        }

    def _is_trained(self, name: str) -> bool:
        return num_parameters(self.variants[name].network, scale=self.study.scale) > 0


class _Turns:
    """The process in which variants take turns; a new one where it was lost."""

    def __init__(self, measuring: _Measuring) -> None:
        self._measuring = measuring
        self._worker: Worker | None = None

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()

    def ask(self, task: Enlarge | Step, *, timeout: float) -> Answer:
        if self._worker is None or not self._worker.is_alive:
            self._worker = self._measuring.worker()
        return self._worker.ask(task, timeout=timeout)


def _rounds(seconds_of_one: float) -> int:
    fewest, most = _ROUNDS
    return most if seconds_of_one <= 0 else max(fewest, min(most, int(_TIMING / seconds_of_one)))


def _from(values: Sequence[_T], place: int) -> list[_T]:
    """All of `values`, begun at another one each time, so that none always comes first."""
    first = place % max(1, len(values))
    return [*values[first:], *values[:first]]
