"""What a run writes down while it trains: ``metrics.jsonl`` and TensorBoard's event files.

A run that was killed goes on from its last checkpoint, so what was logged after it is logged again. The
checkpoint therefore records how long each file was (`Monitor.sync`), and a resumed run first cuts the files
back to that length and removes event files that the checkpoint does not know. Each step then is there once,
also in the raw files.
"""

import contextlib
import copy
import io
import json
import logging
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import torch
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.utils.tensorboard import FileWriter, RecordWriter, summary

from srlab.errors import naming
from srlab.folder.store import METRICS

TENSORBOARD = "tensorboard"
EVENTS = "events.out.tfevents"
HISTOGRAM_BINS = 64
GRAPH_LR_SIZE = 16

logger = logging.getLogger(__name__)


class Monitor:
    """The log files of the run in `folder`, open for adding; a context manager.

    `lengths` are those of the checkpoint that the run goes on from, {} for a run at its start.
    """

    def __init__(self, folder: Path, *, lengths: Mapping[str, int]) -> None:
        self.folder = folder
        _cut_back(folder, lengths)
        (folder / TENSORBOARD).mkdir(parents=True, exist_ok=True)
        self._metrics = (folder / METRICS).open("ab")
        self._events = _EventFile(folder / TENSORBOARD)

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._metrics, self._events.file):
            # What is still buffered when the disk is full is not worth hiding the first error.
            with contextlib.suppress(OSError) if kind is not None else naming(Path(file.name)):
                file.close()

    def describe(self, network: nn.Module, settings: Mapping[str, str | int | float | bool | None]) -> None:
        """Log the network's graph and the run's hyper-parameters: once, at the start."""
        start, session, _ = summary.hparams(
            {name: "none" if value is None else value for name, value in settings.items()},
            {"validation/psnr_y": 0.0, "validation/ssim_y": 0.0, "train/loss": 0.0},
        )
        self._events.add_summary(start)
        self._events.add_summary(session)
        try:
            graph = trace(network)
        except Exception as error:  # the tracer gives up in many ways, and training does not need it
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            logger.warning("TensorBoard will not show the graph of this network: %s", reason)
        else:
            self._events.add_graph(graph)

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by their names, such as ``train/loss``: one line of metrics.jsonl, one scalar each.

        In metrics.jsonl a number that is not finite is null, and the part of a name before the slash is
        left out.
        """
        line = {
            name.rpartition("/")[2]: value if math.isfinite(value) else None for name, value in values.items()
        }
        with naming(self.folder / METRICS):
            self._metrics.write(json.dumps({"step": step, **line}, allow_nan=False).encode() + b"\n")
            self._metrics.flush()
        for name, value in values.items():
            self._events.add_summary(summary.scalar(name, value), step)
        with naming(Path(self._events.file.name)):
            self._events.file.flush()

    def weights(self, step: int, network: nn.Module, *, name: str = "") -> None:
        """Log a histogram of each tensor of weights; `name` is that of a network beside the trained one."""
        folder = f"{name}_weights" if name else "weights"
        for layer, parameter in network.named_parameters():
            values = parameter.detach().float().cpu().numpy()
            self._events.add_summary(summary.histogram(f"{folder}/{layer}", values, HISTOGRAM_BINS), step)

    def picture(self, step: int, picture: Tensor) -> None:
        """Log the validation picture [3, H, W] in [0, 1]."""
        self._events.add_summary(
            summary.image("validation/bicubic_sr_hr", picture.clamp(0, 1).cpu(), dataformats="CHW"), step
        )

    def end(self) -> None:
        """Log that the run is complete."""
        self._events.add_summary(summary.hparams({}, {})[2])

    def sync(self) -> dict[str, int]:
        """Bring everything onto the disk; each file's length in bytes, by its path in the run's folder."""
        for file in (self._metrics, self._events.file):
            with naming(Path(file.name)):
                file.flush()
                os.fsync(file.fileno())
        return {name: (self.folder / name).stat().st_size for name in _log_files(self.folder)}


class _Records:
    """Events one after another in a file, written in the caller's thread: a full disk is an OSError there."""

    def __init__(self, path: Path) -> None:
        self.file: BinaryIO = path.open("xb")
        self._records = RecordWriter(self.file)

    def add_event(self, event: Event) -> None:
        with naming(Path(self.file.name)):
            self._records.write(event.SerializeToString())


class _EventFile(FileWriter):
    """The next event file of a folder, which TensorBoard reads in the order of their names."""

    def __init__(self, folder: Path) -> None:
        # Not super().__init__(): its file is named after the second, and a thread writes to it.
        number = max((int(path.name.split(".")[3]) for path in _event_files(folder)), default=-1) + 1
        records = _Records(folder / f"{EVENTS}.{number:010d}.srlab")
        self.file = records.file
        self.event_writer = records
        self.add_event(Event(file_version="brain.Event:2"))


def trace(network: nn.Module) -> tuple[Any, Any]:
    """The network's graph as TensorBoard reads it; draws nothing, changes nothing, prints nothing."""
    from torch.utils.tensorboard._pytorch_graph import graph  # TensorBoard's own use of it is the same

    twin = copy.deepcopy(network).cpu().eval()
    lr = torch.zeros(1, 3, GRAPH_LR_SIZE, GRAPH_LR_SIZE)
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        torch.random.fork_rng(),
        torch.no_grad(),
    ):
        return graph(twin, lr)


def _log_files(folder: Path) -> list[str]:
    metrics = [METRICS] if (folder / METRICS).exists() else []
    return metrics + [f"{TENSORBOARD}/{path.name}" for path in _event_files(folder / TENSORBOARD)]


def _event_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{EVENTS}.[0-9]*.srlab"))


def _cut_back(folder: Path, lengths: Mapping[str, int]) -> None:
    """Make the log files as long as `lengths` says; those that it does not name go."""
    for name in _log_files(folder):
        path = folder / name
        if name not in lengths:
            path.unlink(missing_ok=True)
        elif path.stat().st_size > lengths[name]:
            os.truncate(path, lengths[name])
