"""How the steps of a run reach the device: one call after another, or all at once as a CUDA graph."""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import ParamSpec, TypeVar, cast

import torch
from torch import Tensor

from srlab.data.patches import DevicePatches, Patches
from srlab.training.device import to_device
from srlab.training.patch_scores import Batches
from srlab.training.updates import Update

WARM_UP = 3  # steps before a graph is recorded: libraries choose their kernels, the optimizer makes its state
AT_MOST_AHEAD = 16  # steps, doubled at most: a host that is further ahead of its GPU waits for it, asleep
GRAPHS_SWITCH = "SRLAB_CUDA_GRAPHS"  # 0 in the environment: every step is called

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)


class Steps:
    """The steps of one run on any device, called in turn.

    On a GPU the patches are cut there (`DevicePatches`), if they can be.
    """

    def __init__(self, update: Update, batches: Batches, *, seed: int, device: torch.device) -> None:
        self.update = update
        self.seed = seed
        self.device = device
        self.batches = _where_they_are_cut(batches, device)

    def __call__(self, step: int, *, learning_rate: float) -> Mapping[str, Tensor]:
        """Take step `step`, from 0, with the batch that belongs to it; its losses, on the device."""
        lr, hr = self.batches.batch(step, seed=self.seed)
        if not isinstance(self.batches, DevicePatches):
            lr, hr = to_device(lr, self.device), to_device(hr, self.device)
        return self.update(lr, hr, learning_rate=learning_rate)


class GraphedSteps(Steps):
    """The same steps, as one CUDA graph that is replayed: a small network's step is then no longer as long as
    the hundreds of calls that start its kernels.

    The first steps are called and a graph is recorded after them. The losses of a step are overwritten by the
    next. Where a network cannot be recorded, its steps are called.
    """

    batches: DevicePatches

    def __init__(self, update: Update, batches: Batches, *, seed: int, device: torch.device) -> None:
        super().__init__(update, batches, seed=seed, device=device)
        self.rate = torch.zeros((), device=device)
        self.called = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.ahead: torch.cuda.Event | None = None
        self.places: Tensor | None = None
        self.losses: Mapping[str, Tensor] = {}

    def __call__(self, step: int, *, learning_rate: float) -> Mapping[str, Tensor]:
        self.rate.fill_(learning_rate)
        places = self.batches.places(step, seed=self.seed)
        if self.called == WARM_UP:
            self._record(places)
        self.called += 1
        if self.graph is None or self.places is None:
            return self._call(places)
        self.places.copy_(places)
        self.graph.replay()
        if self.called % AT_MOST_AHEAD == 0:
            if self.ahead is not None:
                self.ahead.synchronize()
            self.ahead = torch.cuda.Event(blocking=True)
            self.ahead.record()
        return self.losses

    def _call(self, places: Tensor) -> Mapping[str, Tensor]:
        lr, hr = self.batches.cut(places)
        return self.update(lr, hr, learning_rate=self.rate)

    def _record(self, places: Tensor) -> None:
        graph = torch.cuda.CUDAGraph()
        static = places.clone()
        try:
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(self.device)):
                losses = self._call(static)
        except RuntimeError as error:  # something in the network has to wait for the GPU
            torch.cuda.synchronize(self.device)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            logger.debug("the steps are called one by one: no CUDA graph can hold them (%s)", reason)
        else:
            self.graph, self.places, self.losses = graph, static, losses


def make_steps(update: Update, batches: Batches, *, seed: int, device: torch.device, is_ours: bool) -> Steps:
    """The fastest steps that are right. `is_ours`: network and losses are srlab's.

    A network or a loss of a user's own is never recorded: its Python code may do something else at every
    step, and a graph repeats what it did once.
    """
    wanted = os.environ.get(GRAPHS_SWITCH, "1") != "0"
    is_cut_there = isinstance(_where_they_are_cut(batches, device), DevicePatches)
    kind = GraphedSteps if wanted and is_cut_there and is_ours and update.is_capturable else Steps
    return kind(update, batches, seed=seed, device=device)


def _where_they_are_cut(batches: Batches, device: torch.device) -> Batches:
    """On a GPU if they can be cut there: then `DevicePatches`."""
    if device.type != "cuda" or not isinstance(batches, Patches) or batches.jpeg_noise:
        return batches
    return batches.on(device)


@contextlib.contextmanager
def stream_of_its_own(device: torch.device) -> Iterator[None]:
    """A GPU's work goes to a stream that is not the default one, on which no graph can be recorded."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


def on_a_stream_of_its_own(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, which takes a keyword `device`, under `stream_of_its_own`."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        with stream_of_its_own(cast(torch.device, kwargs["device"])):
            return function(*args, **kwargs)

    return wrapped
