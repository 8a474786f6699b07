"""A process that measures one thing at a time, and whose memory is that of what it measures."""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIG_IGN, SIGINT, signal
from typing import Self

import torch
from torch import nn

from srlab.declare.study import Study
from srlab.folder.profile_store import Size
from srlab.networks import BicubicOptions, Network, build_network
from srlab.training.device import autocast, tune_allocator, use_threads
from srlab.training.machine import Machine
from srlab.training.step_time import measure_step
from srlab.use.profiling.memory import bytes_now, peak_bytes, reset_peak
from srlab.use.upscale import Precision, default_tile, device_of, upscale_tensor, whole_pixels

_SECONDS_OF_A_STEP = 0.2  # of measured steps in a round, at least two
_CHANNELS = 64  # of the convolution that tells how fast a machine is


@dataclass(frozen=True, kw_only=True)
class Enlarge:
    """Make SR of `size` from LR of noise, `repeats` times or until it has taken `at_most` seconds."""

    variant: str
    size: Size
    repeats: int
    at_most: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """Take training steps of a variant."""

    variant: str


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Find out how fast the machine convolves."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came out: `seconds` for each repetition, or multiply-adds a second under `Rate`.

    `reason` says why it could not be done.
    """

    seconds: tuple[float, ...] = ()
    rate: float = 0.0
    tile: int | None = None
    before_bytes: int | None = None
    peak_bytes: int | None = None
    reason: str = ""


Task = Enlarge | Step | Rate


class Worker:
    """A fresh process with the study's networks; a context manager that ends it."""

    def __init__(self, study: Study, machine: Machine, *, precision: Precision) -> None:
        context = get_context("spawn")  # a forked torch hangs
        self._here, there = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(there, study, machine, precision), daemon=True, name="srlab-profile"
        )
        self._process.start()
        there.close()  # so that its end is the only one, and its death is seen here

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.is_alive()

    def ask(self, task: Task, *, timeout: float) -> Answer:
        """Have it done and wait for that; where `timeout` seconds do not suffice the process is ended."""
        try:
            self._here.send(task)
            if not self._here.poll(timeout):
                self.close()
                return Answer(reason=f"it was stopped, because it took longer than {timeout:.0f} s")
            answer: Answer = self._here.recv()
        except (EOFError, OSError):
            self.close()
            return Answer(reason="its process died; a usual cause is too little memory")
        return answer

    def close(self) -> None:
        """End the process, whatever it is at."""
        self._process.terminate()
        self._process.join()
        self._here.close()


def _serve(connection: Connection, study: Study, machine: Machine, precision: Precision) -> None:
    signal(SIGINT, SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # if memory runs out, this process is the one to go
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    bench = _Bench(study, machine, precision=precision)
    with contextlib.suppress(EOFError, OSError):  # the parent is gone
        while True:
            task: Task = connection.recv()
            try:
                answer = bench.do(task)
            except Exception as error:
                answer = Answer(reason=(str(error).strip().splitlines() or [type(error).__name__])[0])
            connection.send(answer)


class _Bench:
    def __init__(self, study: Study, machine: Machine, *, precision: Precision) -> None:
        self.study = study
        self.machine = machine
        self.precision: Precision = precision
        self.device = torch.device(machine.device)
        self._networks: dict[str, Network] = {}
        self._warm: set[tuple[str, Size]] = set()
        use_threads(machine.threads)
        if self.device.type == "cpu":
            tune_allocator()

    def do(self, task: Task) -> Answer:
        if isinstance(task, Enlarge):
            return self._enlarge(task)
        return self._step(task) if isinstance(task, Step) else self._rate()

    def _enlarge(self, task: Enlarge) -> Answer:
        network, scale = self._network(task.variant), self.study.scale
        width, height = (side // scale for side in task.size)
        lr = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        lr = lr.to(self.device, memory_format=torch.channels_last)
        tile = _tile(network, (height, width))
        reset_peak(self.device)
        before = bytes_now(self.device)

        def once() -> None:
            with torch.inference_mode(), autocast(self.device, self.precision):
                if tile is None:
                    network(lr)
                else:
                    upscale_tensor(
                        network,
                        lr,
                        tile=tile,
                        precision=self.precision,
                        in_strips=self.device.type == "cpu",
                    )

        begun = time.perf_counter()
        times: list[float] = []
        while not times or (len(times) < task.repeats and time.perf_counter() - begun < task.at_most):
            times.append(self._timed(once))
            if (task.variant, task.size) not in self._warm:
                self._warm.add((task.variant, task.size))
                if time.perf_counter() - begun < task.at_most:
                    times.clear()
        return Answer(
            seconds=tuple(times), tile=tile, before_bytes=before, peak_bytes=peak_bytes(self.device)
        )

    def _step(self, task: Step) -> Answer:
        variant = next(variant for variant in self.study.variants if variant.name == task.variant)
        seconds = measure_step(self.study, variant, self.machine, seconds=_SECONDS_OF_A_STEP)
        return Answer(seconds=() if seconds is None else (seconds,))

    def _rate(self) -> Answer:
        convolution: nn.Module = nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1)
        convolution = convolution.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = torch.rand(1, _CHANNELS, 96, 96, device=self.device)
        images = images.contiguous(memory_format=torch.channels_last)

        def once() -> None:
            with torch.inference_mode():
                convolution(images)

        seconds = sorted(self._timed(once) for _ in range(7))[3]
        return Answer(rate=9 * _CHANNELS**2 * 96**2 / seconds)

    def _timed(self, once: Callable[[], None]) -> float:
        _wait(self.device)
        begun = time.perf_counter()
        once()
        _wait(self.device)
        return time.perf_counter() - begun

    def _network(self, name: str) -> Network:
        if name not in self._networks:
            options = {variant.name: variant.network for variant in self.study.variants}
            torch.manual_seed(0)
            network = build_network(options.get(name, BicubicOptions()), scale=self.study.scale).eval()
            self._networks[name] = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._networks[name]


def _tile(network: Network, size: tuple[int, int]) -> int | None:
    """The tile that `srlab upscale` takes; None if the picture is made whole, and for bicubic."""
    if not any(True for _ in network.parameters()):
        return None
    in_strips = device_of(network).type == "cpu"
    tile = default_tile(network, in_strips=in_strips)
    is_whole = max(size) <= max(tile, 64) and not (in_strips and size[0] * size[1] > whole_pixels(network))
    return None if is_whole else tile


def _wait(device: torch.device) -> None:
    """Until what was asked of a GPU is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
